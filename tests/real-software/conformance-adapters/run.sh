#!/usr/bin/env bash
# Runs the conformance suite with the JavaScript, Python and Go adapters of conformance/README.md, extracted from there unchanged,
# and with the packages that they use. (The adapter in Rust is a doctest.) The adapters must answer every request; cases that these
# packages fail do not matter. The one in Go is skipped if Go cannot be installed. Finally, checks that the programs in
# conformance/adapters can be parsed, and tests report.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
source tests/real-software/conformance-adapters/readme.sh

cargo build --quiet --release -p sse-conformance

# Enough to see that an adapter works, in a quarter of the time.
groups=(--only bom --only decode/data --only dispatch --only decode/id --only line-endings --only eof-empty-stream)

# adopt NAME VERSION COMMAND...: checks that the adapter answers every request and that the report names the package.
adopt() {
    local name=$1 version=$2
    shift 2
    "$target/release/sse-conformance" run --json "${groups[@]}" -- "$@" >"$work/report.json" 2>/dev/null || [[ $? == 1 ]]
    python3 - "$work/report.json" "$name" "$version" <<'PYTHON'
import json, sys
report = json.load(open(sys.argv[1]))
must = report["totals"]["must"]
assert [report["name"], report["version"]] == sys.argv[2:], report["name"]
assert not report["troubles"] and not report["notes"] and not report["brokenOff"], report
assert must["passed"] > 100 and must["notRun"] == 0, must
unserved = [case["id"] for case in report["cases"] if case.get("failure", {}).get("what") == "answer"]
print(sys.argv[2], sys.argv[3], must, "not served:", unserved)
PYTHON
}
adopt eventsource-parser 4.1.3 node "$work/node/adapter.mjs"
adopt httpx-sse 0.4.3 "$work/venv/bin/python" "$work/adapter.py"

# With the module from Debian, which is not where `go get` would put it.
modules=/usr/share/gocode
if (need "go version && ls $modules/src/github.com/donovanhide/eventsource" golang-go golang-github-donovanhide-eventsource-dev); then
    block go >"$work/adapter.go"
    GO111MODULE=off GOPATH=$modules GOCACHE=$work/go go build -o "$work/go-adapter" "$work/adapter.go"
    adopt donovanhide/eventsource c590279 "$work/go-adapter"
else
    echo "SKIPPED: the adapter in Go"
fi

# The other adapters, which only conformance/results.sh runs, and the scripts that write their results: a syntax check, and what must not
# get into the results.
adapters=conformance/adapters
for module in $adapters/javascript/*.mjs $adapters/servers/javascript/*.mjs $adapters/browsers/*.js; do node --check "$module"; done
awk '/^<script>$/ { inside = 1; next } /^<\/script>$/ { inside = 0 } inside' $adapters/report.html | node --check -
python3 -c 'import ast, sys; [ast.parse(open(path).read(), path) for path in sys.argv[1:]]' $adapters/*.py $adapters/*/*.py $adapters/servers/*/*.py
for faults in $adapters/*faults.json; do python3 -m json.tool "$faults" >/dev/null; done
bash -n conformance/results.sh
python3 $adapters/test_report.py
