#!/usr/bin/env bash
# Runs the fuzz targets. Installs what it needs: cargo-fuzz in a Python environment, and LLVM's tools for coverage.
#
#   fuzz/run.sh smoke                 each target for a few seconds, starting with its seeds, as in .ci/run
#   fuzz/run.sh SECONDS [TARGET...]   all targets, or these, each for this time; keeps the corpus in fuzz/corpus
#   fuzz/run.sh coverage [TARGET...]  the lines of src/ that corpus, seeds and regressions do not reach;
#                                     fuzz/coverage.md explains them
#
# FEATURES=memchr,simdutf8 in the environment enables these features of the crate.
#
# The crate has no `unsafe`, so the targets run faster here without the address sanitizer. `cargo +nightly fuzz run TARGET` uses
# it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tests/support/install.sh
export RUSTUP_DIST_SERVER=http://127.0.0.1:9 RUSTUP_UPDATE_ROOT=http://127.0.0.1:9 RUSTUP_AUTO_INSTALL=0
export CARGO_TERM_COLOR=never

all=(decode event_source limits mime_origin round_trip writer)
triple=$(rustc +nightly -vV | sed -n 's/^host: //p')
target=$(cargo metadata --format-version 1 --no-deps --manifest-path fuzz/Cargo.toml |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
llvm=/usr/lib/llvm-22/bin

prepare() {
    python_env fuzz/requirements.txt "$target/cargo-fuzz"
    export PATH=$PATH:$target/cargo-fuzz/bin
    rm -rf fuzz/seeds
    cargo run --quiet --manifest-path fuzz/Cargo.toml --example seeds fuzz/seeds
}

# inputs TARGET: the folders that it starts from.
inputs() { echo "fuzz/seeds/$1" "fuzz/regressions/$1"; }

# fuzz CORPUS SECONDS TARGET...: runs each target on one core, then prints their statistics.
fuzz() {
    local corpora=$1 seconds=$2 name failed=0
    shift 2
    cargo +nightly fuzz build --sanitizer none --features "${FEATURES-}"
    mkdir -p "$target/logs"
    one() {
        local corpus=$corpora/$2 artifacts=fuzz/artifacts/$2/
        mkdir -p "$corpus" "$artifacts"
        # shellcheck disable=SC2046
        "$target/$triple/release/$2" "$corpus" $(inputs "$2") -dict=fuzz/sse.dict -max_len=1024 -timeout=10 \
            -rss_limit_mb=1024 -max_total_time="$1" -print_final_stats=1 -artifact_prefix="$artifacts" \
            >"$target/logs/$2" 2>&1
    }
    export -f one inputs
    export target triple corpora
    printf '%s\n' "$@" | xargs -P "$(nproc)" -I TARGET bash -c "one $seconds TARGET" || failed=1
    for name in "$@"; do
        if grep -q '^Done ' "$target/logs/$name"; then
            printf '%-13s %s executions, coverage %s, corpus %s\n' "$name" \
                "$(sed -n 's/^stat::number_of_executed_units: //p' "$target/logs/$name")" \
                "$(sed -n 's/^#.*DONE *cov: \([0-9]*\).*/\1/p' "$target/logs/$name")" \
                "$(sed -n 's/^#.*DONE.* corp: \([0-9]*\).*/\1/p' "$target/logs/$name")"
        else
            echo "$name failed:"
            tail -n 60 "$target/logs/$name"
            failed=1
        fi
    done
    return $failed
}

coverage() {
    need "[[ -x $llvm/llvm-cov ]]" llvm-22
    local name traces=()
    mkdir -p "$target/logs"
    for name in "$@"; do
        mkdir -p "fuzz/corpus/$name"
        # shellcheck disable=SC2046
        cargo +nightly fuzz coverage --sanitizer none --target-dir "$target/coverage" --features "${FEATURES-}" \
            --llvm-path "$llvm" "$name" "fuzz/corpus/$name" $(inputs "$name") >"$target/logs/coverage-$name" 2>&1 || {
            tail "$target/logs/coverage-$name"
            return 1
        }
        # Separately: merging would lose the generic code that each program instantiates for itself.
        "$llvm/llvm-cov" export -format=lcov "$target/coverage/$triple/release/$name" \
            -instr-profile="fuzz/coverage/$name/coverage.profdata" src >"fuzz/coverage/$name.lcov"
        traces+=("fuzz/coverage/$name.lcov")
    done
    python3 fuzz/coverage.py "$PWD/src" "${traces[@]}"
}

case ${1:-} in
smoke)
    prepare
    # Without the corpus of longer runs, which takes longer to read.
    rm -rf "$target/smoke"
    fuzz "$target/smoke" 5 "${all[@]}"
    ;;
coverage)
    shift
    prepare
    coverage "${@:-${all[@]}}"
    ;;
[0-9]*)
    seconds=$1
    shift
    prepare
    fuzz fuzz/corpus "$seconds" "${@:-${all[@]}}"
    ;;
*)
    sed -n '2,/^set/{/^#/p}' "$0" >&2
    exit 2
    ;;
esac
