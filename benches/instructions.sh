#!/usr/bin/env bash
# Counts the instructions of decoding and encoding, and compares them with benches/instructions.txt: fails when a case takes
# 3 % more than recorded. To record new counts after an intended change: benches/instructions.sh record
# Counts are the same in every run, whatever else the machine does, but depend on compiler and C library. If those differ
# from the recorded ones, the table is printed without a verdict.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tests/support/install.sh
need "valgrind --version" valgrind

recorded=$PWD/benches/instructions.txt
work=$(target_folder)/instructions
mkdir -p "$work"
cargo build --quiet --release -p sse-proto-benches --example instructions

# The program's name and environment are at the top of its stack, and their length shifts addresses: keep both constant.
cp "$(target_folder)/release/examples/instructions" "$work/program"
cd "$work"

# count CASE BYTES: one line "CASE INSTRUCTIONS BYTES".
count() {
    local instructions
    instructions=$(env -i "$(command -v valgrind)" --tool=callgrind --callgrind-out-file="profile.%p" \
        --toggle-collect='instructions::measured*' ./program "$1" 2>&1 | awk '/ Collected : / { print $4 }')
    [[ $instructions -gt 0 ]] || {
        echo "$1: nothing was counted" >&2
        return 255
    }
    echo "$1 $instructions $2"
}
export -f count

./program >cases
rm -f profile.*
xargs -a cases -P "$(nproc)" -L 1 bash -c 'count "$@"' count >unsorted
# Restore the order of the program's list.
awk 'NR == FNR { count[$1] = $0; next } { print count[$1] }' unsorted cases >counted
measured_with="# $(rustc -V), glibc $(getconf GNU_LIBC_VERSION | cut -d' ' -f2), $(uname -m)"

if [[ ${1-} == record ]]; then
    {
        echo "# Case and instructions; written by benches/instructions.sh record, with"
        echo "$measured_with"
        cut -d' ' -f1,2 counted
    } >"$recorded"
fi

awk -v recorded_with="$(sed -n 2p "$recorded")" -v measured_with="$measured_with" '
    /^#/ { next }
    NR == FNR { stored[$1] = $2; next }
    FNR == 1 { printf "%-28s %12s %12s %9s %10s\n", "case", "stored", "now", "change", "per byte" }
    {
        change = "-"
        verdict = ""
        if (!($1 in stored)) {
            verdict = "  not recorded"
            bad++
        } else {
            change = sprintf("%+.2f %%", 100 * ($2 / stored[$1] - 1))
            if ($2 > 1.03 * stored[$1]) {
                verdict = "  MORE"
                bad++
            }
        }
        printf "%-28s %12s %12d %9s %10.2f%s\n", $1, stored[$1], $2, change, $2 / $3, verdict
        passed += verdict == ""
        delete stored[$1]
    }
    END {
        for (name in stored) {
            printf "%-28s %12d %12s\n", name, stored[name], "gone"
            bad++
        }
        if (recorded_with != measured_with) {
            print "Not compared: the counts were recorded with other tools. Recorded and current:"
            print recorded_with "\n" measured_with
            exit
        }
        print passed + 0 " passed, " bad + 0 " failed"
        exit bad > 0
    }' "$recorded" counted
