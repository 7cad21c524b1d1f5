#!/usr/bin/env bash
# Holds the implementations in adapters/, and sse-proto itself, against the corpus, and writes RESULTS.md and results.html:
#
#   conformance/results.sh [NAME...]
#
# With names only these are run again; what was found out of the others is taken as it was. Installs what it needs below the target
# folder, and the browsers with apt. Takes about an hour on two cores. Ends with 0 if every failure is explained in
# adapters/faults.json, and every fault there was seen.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tests/support/install.sh

target=$(target_folder)
work=$target/field
adapters=conformance/adapters
mkdir -p "$work/reports"
asked=("$@")

need "command -v chromium" chromium
need "command -v firefox-esr" firefox-esr
cargo build --quiet --release -p sse-conformance
CARGO_TARGET_DIR=$target cargo build --quiet --release --locked --manifest-path $adapters/rust/Cargo.toml
cat $adapters/{python,browsers}/requirements.txt >"$work/requirements.txt"
python_env "$work/requirements.txt" "$work/venv"
node_env $adapters/javascript/package.json "$work/node" "$work/venv"

# run FAMILY NAME OPTION... -- COMMAND...: one report. Two at a time.
run() {
    local family=$1 name=$2 report
    shift 2
    if [[ ${#asked[@]} -gt 0 && " ${asked[*]} " != *" $name "* ]]; then
        return
    fi
    report=$work/reports/$family-${name//[^a-z0-9.-]/_}
    [[ $* == *--without* ]] && report+=-long
    report+=.json
    while [[ $(jobs -rp | wc -l) -ge ${LANES:-2} ]]; do
        wait -n || true
    done
    echo "$family: $name"
    # What fails is in the report.
    "$target/release/sse-conformance" run --json --timeout 20 --hangs 100 --restarts 1000 \
        "$@" >"$report.new" 2>"$report.log" && mv "$report.new" "$report" ||
        { [[ -s $report.new ]] && mv "$report.new" "$report"; } || { cat "$report.log" >&2; exit 1; } &
}

all=(--only decode)
for name in sse-core sse-parse sse-stream 'sse-stream 0.2' sseer eventsrc stream-rs async-sse eventsource-client \
    eventsource-stream eventsource-stream2; do
    run Rust "$name" "${all[@]}" -- "$target/release/rust-adapters" "$name"
done
for name in httpx-sse sseclient-py launchdarkly-eventsource openai anthropic; do
    run Python "$name" "${all[@]}" -- "$work/venv/bin/python" $adapters/python/adapter.py "$name"
done
for name in eventsource-parser undici @microsoft/fetch-event-source fetch-event-stream parse-sse openai @anthropic-ai/sdk; do
    run JavaScript "$name" "${all[@]}" -- node $adapters/javascript/adapter.mjs "$work/node/node_modules" "$name"
done

# In a browser an input of many thousand pieces would take hours: the long ones come in one piece.
browser=("$work/venv/bin/python" $adapters/browsers/adapter.py)
long=(--only linear --only noise-64-kib)
readarray -t short < <("$target/release/sse-conformance" list --only decode --json | python3 -c '
import json, sys
for case in json.load(sys.stdin):
    if "linear" not in case["flags"] and case["id"] != "noise-64-kib":
        print("--only", case["id"], sep="\n")')
for name in chromium firefox-esr; do
    run browser "$name" "${short[@]}" -- "${browser[@]}" "$name"
    run browser "$name" "${long[@]}" --without chunks -- "${browser[@]}" "$name"
done

# Last, since its development dependencies take long to build.
cargo build --quiet --release --example adapter
run Rust sse-proto "${all[@]}" -- "$target/release/examples/adapter"
wait
