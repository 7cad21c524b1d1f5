#!/usr/bin/env bash
# Runs the corpus on the implementations in adapters/ and on sse-proto itself, and writes RESULTS.md and results.html:
#
#   conformance/results.sh [NAME...]
#
# With names, only these are run again, and the results of the others stay as they are. Installs what it needs below the target
# folder, and the browsers with apt. Takes about half an hour on two cores. The exit status is 0 if every failure is explained in
# adapters/faults.json, and every bug there was seen.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tests/support/install.sh

target=$(target_folder)
work=$target/field
adapters=conformance/adapters
asked=("$@")
rm -rf "$work/reports"
mkdir -p "$work/reports"

need "command -v chromium" chromium
need "command -v firefox-esr" firefox-esr
need "command -v Xvfb && ls /usr/lib/*/webkit2gtk-4.1/MiniBrowser" libwebkit2gtk-4.1-0 xvfb
cargo build --quiet --release -p sse-conformance
CARGO_TARGET_DIR=$target cargo build --quiet --release --locked --manifest-path $adapters/rust/Cargo.toml
cat $adapters/{python,browsers}/requirements.txt >"$work/requirements.txt"
python_env "$work/requirements.txt" "$work/venv"
node_env $adapters/javascript/package.json "$work/node" "$work/venv"

# report FILE OPTION... -- COMMAND...: writes the report of a run. Failed cases are part of it; a run that cannot start is an error.
report() {
    local file=$1 status=0
    shift
    "$target/release/sse-conformance" run --json --startup 120 --restarts 1000 "$@" >"$file.new" 2>"$file.log" || status=$?
    if [[ $status -gt 1 ]]; then
        cat "$file.log" >&2
        return "$status"
    fi
    mv "$file.new" "$file"
}

# run FAMILY NAME OPTION... -- COMMAND...: makes the reports of an implementation, at most two at a time.
run() {
    local family=$1 name=$2
    shift 2
    if [[ ${#asked[@]} -gt 0 && " ${asked[*]} " != *" $name "* ]]; then
        return
    fi
    while [[ $(jobs -rp | wc -l) -ge 2 ]]; do
        wait -n
    done
    echo "$family: $name"
    if [[ $family == browser ]]; then
        in_browser "$name" "$@" &
    else
        by_pipe "$work/reports/$family-${name//[^a-z0-9.-]/_}" "$@" &
    fi
}

# by_pipe FILE -- COMMAND...: runs the very long inputs separately, with a short timeout, since an implementation in quadratic time would not
# finish most of them. One in linear time needs a tenth of the timeout on two busy cores, in any of these languages.
by_pipe() {
    local file=$1
    shift
    report "$file.json" "${patient[@]}" "${short[@]}" "$@"
    report "$file-long.json" --timeout 3 --hangs 1000 "${long[@]}" "$@"
}

# in_browser NAME -- COMMAND...: sends the long inputs in one chunk, as many thousand chunks would take hours. An item may be late because
# the machine is busy: such cases are run again, and count only if the item is late each time.
in_browser() {
    local file=$work/reports/browser-$1 again late
    shift
    rm -f "$file"*.json
    report "$file.json" "${patient[@]}" "${short[@]}" "$@"
    report "$file-long.json" "${patient[@]}" "${long[@]}" --without chunks "$@"
    local before=$file.json
    for again in 1 2; do
        readarray -t late < <(only "case.get('failure', {}).get('what') == 'late'" "$before")
        if [[ ${#late[@]} == 0 ]]; then
            return
        fi
        before=$file-again-$again.json
        report "$before" "${patient[@]}" "${late[@]}" "$@"
    done
}

# only CONDITION FILE: options that select the cases in FILE for which CONDITION, in Python, is true.
only() {
    python3 -c '
import json, sys
found = json.load(open(sys.argv[2]))
for case in found["cases"] if isinstance(found, dict) else found:
    if eval(sys.argv[1]):
        print("--only", case["id"], sep="\n")' "$@"
}

patient=(--timeout 20 --hangs 3)
long=(--only linear --only noise-64-kib)
readarray -t short < <(only "'linear' not in case['flags'] and case['id'] != 'noise-64-kib'" \
    <("$target/release/sse-conformance" list --only decode --json))
[[ ${#short[@]} -gt 0 ]]

for name in sse-core sse-parse sse-stream 'sse-stream 0.2' sseer eventsrc stream-rs async-sse eventsource-client \
    eventsource-stream eventsource-stream2; do
    run Rust "$name" -- "$target/release/rust-adapters" "$name"
done
for name in httpx-sse sseclient-py launchdarkly-eventsource openai anthropic; do
    run Python "$name" -- "$work/venv/bin/python" $adapters/python/adapter.py "$name"
done
for name in eventsource-parser undici @microsoft/fetch-event-source fetch-event-stream parse-sse openai @anthropic-ai/sdk; do
    run JavaScript "$name" -- node $adapters/javascript/adapter.mjs "$work/node/node_modules" "$name"
done

for name in chromium firefox-esr webkitgtk; do
    run browser "$name" -- "$work/venv/bin/python" $adapters/browsers/adapter.py "$name"
done

# Last, since its development dependencies take long to build.
cargo build --quiet --release --example adapter
run Rust sse-proto -- "$target/release/examples/adapter"
while [[ -n $(jobs -p) ]]; do
    wait -n
done

# Without names, all results come from one run.
exec python3 $adapters/report.py ${asked:+--keep} "$work/reports" conformance
