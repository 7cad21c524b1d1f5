#!/usr/bin/env bash
# Mutation testing: the crate is changed in one place at a time, and the ordinary tests have to notice. What they do not notice
# is explained in tests/mutants.md. Takes too long for CI. Installs cargo-mutants, below the target folder.
#
#   tests/mutants.sh [FILE...]   the mutants of src/, or of these files (src/scanner.rs); those that survive are printed
#   MUTANTS_WORKERS=1            so many at a time; as many as there are processors unless set
#   MUTANTS_SECONDS=10           with tests that take up to so long; 2 unless set
#
# cargo-mutants makes the list. Built one by one, as it does, a thousand mutants would take a day of building; so
# tests/mutants.py puts all mutants of some files into one build, in a copy of the tree.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tests/support/install.sh
version=27.1.0

declare -A files=(
    [encode]='src/encode.rs src/encode/*.rs src/scanner.rs src/reserve.rs src/owned.rs'
    [decode]='src/storage.rs src/decode.rs src/decode/*.rs src/decode/line/*.rs'
    [event_source]='src/event_source.rs src/event_source/*.rs src/event_source/retry/*.rs'
)
declare -A tests=(
    [encode]='conformance conformance_encode cuts limits memory regressions roundtrip'
    [decode]='conformance cuts exhaustive fuzz limits memory regressions'
    [event_source]='conformance_connect event_source fuzz lives'
)
# What tests share: module and file.
shared='bodies:bodies/mod.rs seeds:bodies/seeds.rs streams:streams.rs support:mod.rs'

work=$(target_folder)/mutants
tool=$work/cargo-mutants-$version
[[ -x $tool/bin/cargo-mutants ]] ||
    cargo install --quiet --locked --root "$tool" --target-dir "$work/tool" "cargo-mutants@$version"
export PATH=$tool/bin:$PATH

# copy FOLDER TEST...: the tree with these tests as modules of one program.
copy() {
    local folder=$1 entry name
    shift
    rm -rf "$folder"/{src,tests,fuzz}
    mkdir -p "$folder"/{fuzz,tests/all}
    cp -r src conformance README.md Cargo.lock "$folder"
    cp -r fuzz/Cargo.toml fuzz/regressions fuzz/fuzz_targets "$folder/fuzz"
    cp -r tests/support "$folder/tests"
    # There is no choice in a constant. The lengths stay, as cargo-mutants counts columns.
    find "$folder/src" -name '*.rs' -exec sed -i -E 's/\bconst fn\b/      fn/' {} +
    # No packages beside it, and no examples.
    sed -E '/^members|^exclude/d; /^\[\[example/,/^$/d' Cargo.toml >"$folder/Cargo.toml"
    {
        cat <<'RUST'
//! The tests as one program.
#![allow(dead_code, unused_imports)]
/// Which mutant it is must be known before allocations are counted.
fn measure(run: impl FnOnce()) -> allocation_counter::AllocationInfo {
    let _ = *sse_proto::MUTANT;
    allocation_counter::measure(run)
}
RUST
        for entry in $shared; do
            printf '#[path = "support/%s"]\nmod %s;\n' "${entry#*:}" "${entry%:*}"
        done
        for name in "$@"; do
            printf '#[path = "all/%s.rs"]\nmod %s;\n' "$name" "$name"
        done
    } >"$folder/tests/all.rs"
    for name in "$@"; do
        # Last: tests of random input take as few cases as PROPTEST_CASES says.
        sed -E '/^#\[path = "support/d; s/^mod (bodies|seeds|streams|support);/use crate::\1;/
            s/\ballocation_counter::measure\(/crate::measure(/
            s/^use allocation_counter::\{(.*), measure\}/use crate::measure;\nuse allocation_counter::{\1}/
            s/^    const (DECODER|DONE|REFUSED): /    let \1: /
            s/const \{ assert!\(REFUSED\) \};/assert!(REFUSED);/
            s/with_cases\([0-9]+\)/default()/; s/ cases: [0-9_]+,//' \
            "tests/$name.rs" >"$folder/tests/all/$name.rs"
    done
}

mkdir -p "$work"
cargo mutants --list --json >"$work/list.json"
for group in encode decode event_source; do
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
        # The same random cases for every mutant, none learnt from another. The first that fails is enough, however large.
        export PROPTEST_CASES=${PROPTEST_CASES:-200} PROPTEST_RNG_SEED=1
        export PROPTEST_MAX_SHRINK_ITERS=0 PROPTEST_DISABLE_FAILURE_PERSISTENCE=true
        python3 "$OLDPWD/tests/mutants.py" "$work/list.json" "$work/$group.tsv" "${chosen[@]}"
    )
done
