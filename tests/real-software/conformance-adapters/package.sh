#!/usr/bin/env bash
# Others can use the conformance suite without this repository. Packs the package sse-conformance, unpacks it elsewhere, and follows
# the shell commands that conformance/README.md has for continuous integration, unchanged except that they install the unpacked
# package instead of a published one, and run fewer cases. Then checks the files that the commands leave, and runs the whole corpus
# of the installed program, which must have all cases of the repository.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
source tests/real-software/conformance-adapters/readme.sh

heading="In continuous integration"
away=$(mktemp -d)
trap 'rm -rf "$away"' EXIT
mkdir "$away/project"
ln -s "$work/node/node_modules" "$away/project"
cp "$work/node/adapter.mjs" "$away/project"

# Installing the package builds it, as `cargo package` would do to verify it.
cargo package --quiet --allow-dirty --no-verify --target-dir "$work/package" -p sse-conformance
tar -xzf "$work"/package/package/sse-conformance-*.crate -C "$away"
mv "$away"/sse-conformance-* "$away/package"

# cargo ARGUMENT...: the command with which the README installs the package.
cargo() {
    local version
    version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$away/package/Cargo.toml" | head -n 1)
    if [[ $* != "install sse-conformance --version $version --locked" ]]; then
        echo "conformance/README.md: cargo $*, but the version is $version" >&2
        return 2
    fi
    command cargo install --quiet --locked --path "$away/package" --root "$away/installed"
}
export -f cargo
export away
commands=$(block sh "$heading")
[[ $commands == *"sse-conformance run "* ]]
status=0
(
    cd "$away/project"
    PATH=$away/installed/bin:$PATH bash -euc "${commands/sse-conformance run /sse-conformance run --only bom }"
) || status=$?
unset -f cargo
# The parser fails some of the cases.
[[ $status == 1 ]]

sse_conformance=$away/installed/bin/sse-conformance
cargo build --quiet --example adapter
"$sse_conformance" list --json >"$away/list.json"
"$sse_conformance" run --json -- "$target/debug/examples/adapter" >"$away/run.json" 2>/dev/null

block yaml "$heading" >"$away/workflow.yml"
"$work/venv/bin/python" - "$away" "$commands" <<'PYTHON'
import glob, json, sys
from xml.dom import minidom
import yaml
from junitparser import JUnitXml

away, commands = sys.argv[1:]

# The workflow of GitHub Actions runs the same commands.
workflow = yaml.safe_load(open(f"{away}/workflow.yml"))
steps = workflow["jobs"]["sse-conformance"]["steps"]
runs = [step["run"] for step in steps if "run" in step]
lines = [line.removesuffix(" || status=$?") for line in commands.splitlines()]
assert [line for line in lines if line.startswith(("cargo", "sse-"))] == runs[1:], runs

report = json.load(open(f"{away}/project/sse-conformance.json"))
must = report["totals"]["must"]
assert must["passed"] > 10 and must["failed"] > 0 and report["name"] == "eventsource-parser", must

# A reader of JUnit XML finds the same numbers, both as written and when it counts itself.
junit = JUnitXml.fromfile(f"{away}/project/sse-conformance.xml")
for _ in range(2):
    assert junit.tests == len(report["cases"]) and junit.errors == 0, junit
    assert [junit.failures, len(junit)] == [must["failed"], len(report["groups"])], junit
    junit.update_statistics()

badge = minidom.parse(f"{away}/project/sse-conformance.svg")
title = badge.getElementsByTagName("title")[0].firstChild.data
assert f"passes {must['passed']} of the {must['passed'] + must['failed']} `must` cases" in title, title

# The installed program has the whole corpus.
cases = [case for kind in ("decode", "encode", "connect")
         for path in glob.glob(f"conformance/{kind}/*.json") for case in json.load(open(path))["cases"]]
assert len(cases) > 900, len(cases)
listed = {case["id"] for case in json.load(open(f"{away}/list.json"))}
assert listed == {case["id"] for case in cases}, (len(listed), len(cases))
run = json.load(open(f"{away}/run.json"))
assert run["passed"] and len(run["cases"]) == len(cases), run["totals"]
print(f"installed from the package: {len(cases)} cases, {run['totals']}")
PYTHON
