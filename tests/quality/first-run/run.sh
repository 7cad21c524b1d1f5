#!/usr/bin/env bash
# How long a newcomer waits: the commands of the first sh block of the README, one after the other, on a fresh clone of HEAD.
# Dependencies are downloaded before. Prints the seconds of each command, with those of the processors in parentheses, and
# their sum.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

clone=$(mktemp -d)
trap 'rm -rf "$clone"' EXIT
git clone --quiet . "$clone"
cd "$clone"
# What is built elsewhere is of no help.
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET_DIR
export CARGO_TARGET_DIR=$clone/target
cargo fetch --quiet --locked

TIMEFORMAT='%0R %0U'
sum=0
while read -r command; do
    # What the command itself says is left out, unless it fails.
    times=$({ time bash -c "$command" </dev/null >output 2>&1; } 2>&1) || {
        cat output >&2
        exit 1
    }
    seconds=${times% *}
    printf '%4d s  (%d s)  %s\n' "$seconds" "${times#* }" "$command"
    sum=$((sum + seconds))
done < <(awk '/^```sh$/ { inside = 1; next } /^```$/ { if (inside) exit } inside' README.md)
printf '%4d s\n' "$sum"
