#!/usr/bin/env bash
# Measures how long the commands in the first sh block of the README take on a fresh clone of HEAD, with dependencies already
# downloaded. Prints the seconds of each command, with its processor time in parentheses, and their sum.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

clone=$(mktemp -d)
trap 'rm -rf "$clone"' EXIT
git clone --quiet . "$clone"
cd "$clone"
# Do not use earlier builds.
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET_DIR
export CARGO_TARGET_DIR=$clone/target
cargo fetch --quiet --locked

TIMEFORMAT='%0R %0U'
sum=0
while read -r command; do
    # The output of the command is only printed if it fails.
    times=$({ time bash -c "$command" </dev/null >output 2>&1; } 2>&1) || {
        cat output >&2
        exit 1
    }
    seconds=${times% *}
    printf '%4d s  (%d s)  %s\n' "$seconds" "${times#* }" "$command"
    sum=$((sum + seconds))
done < <(awk '/^```sh$/ { inside = 1; next } /^```$/ { if (inside) exit } inside' README.md)
printf '%4d s\n' "$sum"
