#!/usr/bin/env bash
# Runs the fuzz targets. Installs what it needs: cargo-fuzz in a Python environment, LLVM's tools for the coverage.
#
#   fuzz/run.sh smoke                 each target for a few seconds, with its seeds; what CI does
#   fuzz/run.sh SECONDS [TARGET...]   all targets, or these, each for so long; the corpus is kept in fuzz/corpus
#   fuzz/run.sh coverage [TARGET...]  which lines of src/ the corpus, the seeds and the regressions reach
#
# FEATURES=memchr,simdutf8 in the environment: with these features of the crate.
#
# There is no `unsafe` in the crate, and so no address sanitizer here: more runs. `cargo +nightly fuzz run TARGET` has it.
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
    cargo run --quiet --manifest-path fuzz/Cargo.toml --example seeds fuzz/seeds
}

# Where a target starts from.
inputs() { echo "fuzz/seeds/$1" "fuzz/regressions/$1"; }

# fuzz SECONDS TARGET...: two at a time, as there are two cores; then what each has done.
fuzz() {
    local seconds=$1 name failed=0
    shift
    cargo +nightly fuzz build --sanitizer none --features "${FEATURES-}"
    mkdir -p "$target/logs"
    one() {
        local corpus=fuzz/corpus/$2 artifacts=fuzz/artifacts/$2/
        mkdir -p "$corpus" "$artifacts"
        # shellcheck disable=SC2046
        "$target/$triple/release/$2" "$corpus" $(inputs "$2") -dict=fuzz/sse.dict -max_len=1024 -timeout=10 \
            -rss_limit_mb=1024 -max_total_time="$1" -print_final_stats=1 -artifact_prefix="$artifacts" \
            >"$target/logs/$2" 2>&1
    }
    export -f one inputs
    export target triple
    printf '%s\n' "$@" | xargs -P 2 -I TARGET bash -c "one $seconds TARGET" || failed=1
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
    local name objects=() profiles=()
    for name in "$@"; do
        mkdir -p "fuzz/corpus/$name"
        # shellcheck disable=SC2046
        cargo +nightly fuzz coverage --sanitizer none --features "${FEATURES-}" --llvm-path "$llvm" "$name" "fuzz/corpus/$name" $(inputs "$name") \
            >"$target/logs/coverage-$name" 2>&1 || { tail "$target/logs/coverage-$name"; return 1; }
        objects+=(-object "$target/$triple/coverage/$triple/release/$name")
        profiles+=("fuzz/coverage/$name/coverage.profdata")
    done
    "$llvm/llvm-profdata" merge -sparse "${profiles[@]}" -o fuzz/coverage/all.profdata
    "$llvm/llvm-cov" report "${objects[@]:1}" -instr-profile=fuzz/coverage/all.profdata src
    "$llvm/llvm-cov" show "${objects[@]:1}" -instr-profile=fuzz/coverage/all.profdata src >fuzz/coverage/lines
    echo "line by line: fuzz/coverage/lines"
}

case ${1:-} in
smoke)
    prepare
    fuzz 5 "${all[@]}"
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
    fuzz "$seconds" "${@:-${all[@]}}"
    ;;
*)
    sed -n '2,/^set/{/^#/p}' "$0" >&2
    exit 2
    ;;
esac
