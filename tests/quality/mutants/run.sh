#!/usr/bin/env bash
# Mutation testing: changes the crate in one place at a time, which the ordinary tests must detect. mutants.md explains the
# mutants that they do not detect. Takes too long for CI. Installs cargo-mutants below the target folder.
#
#   run.sh [FILE...]       the mutants of src/, or of these files (src/scanner.rs); prints those that survive
#   MUTANTS_WORKERS=1      how many to run at the same time; by default, the number of processors
#   MUTANTS_SECONDS=10     skips tests that take longer; by default 2
#
# cargo-mutants lists the mutants. It would build them one by one, which takes a day for a thousand mutants; mutants.py instead
# puts all mutants of several files into one build, in a copy of the tree.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
source tests/support/install.sh
version=27.1.0

declare -A files=(
    [encode]='src/encode.rs src/encode/*.rs src/scanner.rs src/reserve.rs'
    [decode]='src/storage.rs src/storage/*.rs src/decode.rs src/decode/*.rs'
    [event_source]='src/event_source.rs src/event_source/*.rs src/event_source/retry/*.rs'
    [std]='src/owned.rs src/reader.rs'
)
declare -A tests=(
    [encode]='conformance conformance_encode cuts limits memory regressions roundtrip'
    [decode]='conformance cuts exhaustive fuzz limits memory regressions'
    [event_source]='conformance_connect event_source event_source_model fuzz'
    [std]='memory owned reader roundtrip'
)
# Modules shared by the tests: name and file.
shared='bodies:bodies/mod.rs seeds:bodies/seeds.rs streams:streams.rs support:mod.rs'

work=$(target_folder)/mutants
tool=$work/cargo-mutants-$version
[[ -x $tool/bin/cargo-mutants ]] ||
    cargo install --quiet --locked --root "$tool" --target-dir "$work/tool" "cargo-mutants@$version"
export PATH=$tool/bin:$PATH

# copy FOLDER TEST...: copies the tree, with these tests as modules of one program.
copy() {
    local folder=$1 entry name file
    shift
    rm -rf "$folder"/{src,tests,fuzz}
    mkdir -p "$folder"/{fuzz,tests/all}
    cp -r src conformance README.md Cargo.lock "$folder"
    cp -r fuzz/Cargo.toml fuzz/regressions fuzz/fuzz_targets "$folder/fuzz"
    cp -r tests/support "$folder/tests"
    # A `const fn` cannot choose a mutant at run time. `const` is replaced by spaces, since cargo-mutants counts columns.
    # `Syntax::new` stays as it is: constants call it.
    find "$folder/src" -name '*.rs' -exec sed -i -E '/const fn new\(prefix:/!s/\bconst fn\b/      fn/' {} +
    # Without other packages and examples, and with `Reader`.
    sed -E '/^members|^exclude/d; /^\[\[example/,/^$/d; s/^default = .*/default = ["std"]/' Cargo.toml >"$folder/Cargo.toml"
    {
        cat <<'RUST'
//! The tests as one program.
#![allow(dead_code, unused_imports)]
/// Reads the number of the mutant before allocations are counted.
fn measure(run: impl FnOnce()) -> allocation_counter::AllocationInfo {
    let _ = *sse_proto::MUTANT;
    allocation_counter::measure(run)
}
RUST
        for entry in $shared; do
            printf '#[path = "support/%s"]\nmod %s;\n' "${entry#*:}" "${entry%:*}"
        done
        for name in "$@"; do
            [[ -d tests/$name ]] && file=$name/main.rs || file=$name.rs
            printf '#[path = "all/%s"]\nmod %s;\n' "$file" "$name"
        done
    } >"$folder/tests/all.rs"
    for name in "$@"; do
        for file in "tests/$name.rs" "tests/$name"/*.rs; do
            [[ -e $file ]] || continue
            mkdir -p "$(dirname "$folder/tests/all/${file#tests/}")"
            # The last line makes tests of random input use PROPTEST_CASES.
            sed -E '/^#\[path = "support/d; s/^mod (bodies|seeds|streams|support);/use crate::\1;/
                s/\ballocation_counter::measure\(/crate::measure(/
                s/^use allocation_counter::\{(.*), measure\}/use crate::measure;\nuse allocation_counter::{\1}/
                s/^    const (DECODER|DONE|REFUSED): /    let \1: /
                s/const \{ assert!\(REFUSED\) \};/assert!(REFUSED);/
                s/with_cases\([0-9]+\)/default()/; s/ cases: [0-9_]+,//' \
                "$file" >"$folder/tests/all/${file#tests/}"
        done
    done
}

mkdir -p "$work"
cargo mutants --list --json >"$work/list.json"
for group in encode decode event_source std; do
    chosen=()
    # shellcheck disable=SC2086
    for file in ${files[$group]}; do
        [[ $# -gt 0 && " $* " != *" $file "* ]] || chosen+=("$file")
    done
    [[ ${#chosen[@]} -gt 0 ]] || continue
    # shellcheck disable=SC2086
    copy "$work/$group" ${tests[$group]}
    (
        cd "$work/$group"
        export CARGO_TARGET_DIR=$work/target CARGO_PROFILE_TEST_OPT_LEVEL=1 CARGO_PROFILE_TEST_DEBUG=0
        # The same random cases for every mutant, without stored failures and without shrinking.
        export PROPTEST_CASES=${PROPTEST_CASES:-200} PROPTEST_RNG_SEED=1
        export PROPTEST_MAX_SHRINK_ITERS=0 PROPTEST_DISABLE_FAILURE_PERSISTENCE=true
        python3 "$OLDPWD/tests/quality/mutants/mutants.py" "$work/list.json" "$work/$group.tsv" "${chosen[@]}"
    )
done
