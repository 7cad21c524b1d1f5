"""Writes RESULTS.md and results.html from the reports of a run: `python report.py REPORTS OUT`.

Each failure is attributed to a bug of faults.json: the first one with a `when` that matches it. A `when` has the implementations (browsers
must be named), the ids of cases (shell patterns), a regular expression for the message (see `signs`), and one that must match all the
variants in which the case fails. A failure that no bug explains, and a bug that no implementation has, are printed, and the exit status is 1.
"""

import collections
import fnmatch
import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
CORPUS = HERE.parent
HOMES = {
    "Rust": "https://crates.io/crates/{}",
    "JavaScript": "https://www.npmjs.com/package/{}",
    "Python": "https://pypi.org/project/{}/",
}
BROWSERS = {"chromium": "Chromium", "firefox-esr": "Firefox"}
# Longer texts are truncated to this length.
SHOWN = 240


class Implementation:
    """The reports of one implementation."""

    def __init__(self, family, name, reports):
        self.family = family
        self.package = name
        self.version = reports[0]["version"] or own_version()
        self.name = BROWSERS.get(name, re.sub(r" [\d.]+$", "", name))
        self.key = f"{family}: {name}"
        self.not_asked = reports[0]["notAsked"]
        # Some implementations have several runs: for cases that are run in fewer variants, or again. Few have the kind of limit that the corpus has.
        cases = {case["id"]: case for report in reports for case in report["cases"]}
        self.cases = {id: case for id, case in cases.items() if "limit" not in case["flags"]}
        limits = [case["outcome"] for case in cases.values() if "limit" in case["flags"]]
        self.limits = (limits.count("passed"), len(limits) - limits.count("skipped"))
        self.suite = reports[0]["suite"]
        self.requests = sum(report["requests"] for report in reports)
        self.broken_off = [report["brokenOff"] for report in reports if report["brokenOff"]]

    def count(self, verdict, *outcomes, group=None):
        return sum(
            case["verdict"] == verdict and case["outcome"] in outcomes and group in (None, case["group"])
            for case in self.cases.values()
        )

    def as_written(self):
        """How many `must` cases pass as written or whole, with their own line terminators."""
        wrong = ("as written", "whole")
        return sum(
            case["verdict"] == "must"
            and case["outcome"] in ("passed", "failed")
            and not any(way["failed"] for way in case["ways"] if way["way"] in wrong)
            for case in self.cases.values()
        )

    def failures(self):
        return [case for case in self.cases.values() if case["outcome"] == "failed"]

    def link(self):
        home = HOMES.get(self.family, "").format(self.name)
        return f"[{self.name}]({home})" if home else self.name


def own_version():
    """That of sse-proto, whose adapter does not say it."""
    return re.search(r'^version = "(.*)"', (CORPUS.parent / "Cargo.toml").read_text(), re.M)[1]


def read_reports(folder):
    reports = collections.defaultdict(list)
    for path in sorted(folder.glob("*.json")):
        report = json.loads(path.read_text())
        family, _, stem = path.stem.partition("-")
        # The adapter of sse-proto does not say who it is.
        reports[family, report["name"] or stem.removesuffix("-long")].append(report)
    # What was asked again comes after what it was first.
    found = [
        Implementation(family, name, sorted(ones, key=lambda one: -len(one["cases"])))
        for (family, name), ones in reports.items()
    ]
    return sorted(found, key=rank)


def rank(implementation):
    wrong = implementation.count("must", "failed", "not-run")
    return (implementation.name != "sse-proto", wrong, implementation.name)


def read_corpus():
    cases, groups = {}, []
    for path in sorted((CORPUS / "decode").glob("*.json")):
        group = json.loads(path.read_text())
        asked = [case for case in group["cases"] if "limit" not in case]
        if asked:
            groups.append(group["group"])
        cases |= {case["id"]: case | {"group": group["group"]} for case in asked}
    return cases, groups


class Faults:
    """The known bugs, and the implementations that have them."""

    def __init__(self, path):
        self.all = json.loads(path.read_text())["faults"]
        self.seen = {fault["fault"]: collections.defaultdict(list) for fault in self.all}
        self.unexplained = []

    def explain(self, implementation, case):
        failure = case["failure"]
        said = " ".join([f"{failure['what']}: {failure['message']}", *signs(failure)])
        ways = [way["way"] for way in case["ways"] if way["failed"]]
        for fault in self.all:
            for when in fault["when"]:
                named = when.get("implementations")
                fits = (
                    (implementation.name in named if named else implementation.family != "browser")
                    and any(fnmatch.fnmatch(case["id"], it) for it in when.get("cases", ["*"]))
                    and re.search(when.get("says", ""), said)
                    and all(re.search(when.get("ways", ""), way) for way in ways)
                )
                if fits:
                    self.seen[fault["fault"]][implementation.key].append(case["id"])
                    return fault["fault"]
        self.unexplained.append((implementation, case))
        return None

    def complaints(self):
        for implementation, case in self.unexplained:
            failure = case["failure"]
            yield f"{implementation.key} fails {case['id']}, and no bug explains it: {failure['message'][:200]}"
        for fault, seen in self.seen.items():
            if not seen:
                yield f"no implementation has this bug any more: {fault}"


def signs(failure):
    """The error of the adapter, or keywords for how the answer differs from what was expected."""
    due, got = failure["expected"], failure["got"]
    if isinstance(got, dict):
        yield got.get("error", "")
    if failure["what"] == "items":
        if len(got) != len(due):
            yield "[more]" if len(got) > len(due) else "[fewer]"
        elif all({**one, "lastEventId": ""} == {**other, "lastEventId": ""} for one, other in zip(due, got)):
            yield "[ids]" if any(item.get("lastEventId") for item in got) else "[ids] [none]"
        empty = [sum(item.get("data") == "" for item in items) for items in (due, got)]
        if empty[1] > empty[0]:
            yield "[empty]"


def markdown(implementations, groups, cases, faults):
    must = sum(case["verdict"] == "must" for case in cases.values())
    requests = sum(one.requests for one in implementations)
    yield "# Results of published implementations\n"
    yield "Written by `conformance/results.sh`; do not edit. [results.html](results.html) has every failure with its input, the expected and the actual result.\n"
    yield (
        f"{len(implementations)} published implementations of `text/event-stream`, tested with the {len(cases)} cases for decoders "
        f"without a limit ({must} of them `must`) by sse-conformance {implementations[0].suite}. Each case is run as written, whole, cut in two at every byte, byte by byte, "
        f"with empty chunks, and with CR and CRLF for LF: {requests:,} streams in total. A case passes if the result is correct in every variant. The adapters are in "
        "[adapters/](adapters): the first error ends a stream, and the adapter remembers the last id where that is left to the user.\n"
    )
    yield "## By group\n"
    yield (
        "The number of `must` cases that passed, of those that were run. *As written* is in the chunks and with the line terminators of the case, or in "
        "one chunk. All other columns are *in every variant*, where one bug, such as a CR that is not recognised, affects most cases. A single number "
        "means that all cases passed.\n"
    )
    yield "| implementation | version | as written | in every variant | " + " | ".join(groups) + " | differs (`may`) | not run |"
    yield "|---|---|---|---|" + "---|" * len(groups) + "---|---|"
    for one in implementations:
        cells = [of(one, group) for group in groups]
        name = f"**{one.name}**" if one.name == "sse-proto" else one.link()
        passed, asked = one.count("must", "passed"), one.count("must", "passed", "failed", "not-run")
        share = f"**{passed}** of {asked}"
        skipped = one.count("must", "skipped") + one.count("may", "skipped")
        differs = str(one.count("may", "failed") or "")
        yield f"| {name} ({one.family}) | {one.version} | {one.as_written()} | {share} | {' | '.join(cells)} | {differs} | {skipped or ''} |"
    yield ""
    for one in implementations:
        passed, asked = one.limits
        if asked:
            yield f"{label(one, implementations)} was also tested with the {asked} cases about limits, and passed {passed}.\n"
    yield "## Bugs\n"
    yield "Each failure is attributed to one bug. An implementation that stops early may have more bugs than are listed.\n"
    yield "| bug | why it matters | seen in (cases) |"
    yield "|---|---|---|"
    names = {one.key: one for one in implementations}
    for fault in faults.all:
        seen = faults.seen[fault["fault"]]
        who = ", ".join(f"{label(names[key], implementations)} ({len(ids)})" for key, ids in seen.items())
        yield f"| {fault['fault']} | {fault['matters']} | {who} |"
    yield ""
    yield "## By implementation\n"
    for one in implementations:
        failed = one.failures()
        yield f"### {label(one, implementations)} {one.version}\n"
        if one.not_asked:
            yield f"Not tested: {', '.join(f'`{it}`' for it in one.not_asked if it not in HIDDEN)}.\n"
        if len(one.cases) < len(cases):
            yield f"{len(cases) - len(one.cases)} cases were not run, all of them very long inputs.\n"
        for why in one.broken_off:
            yield f"The run was aborted: {why}.\n"
        if not failed:
            yield "No failures."
        for fault in faults.all:
            ids = faults.seen[fault["fault"]].get(one.key)
            if ids:
                must = [f"`{it}`" for it in ids]
                more = f" and {len(must) - 4} more" if len(must) > 4 else ""
                yield f"- {fault['fault']}: {', '.join(must[:4])}{more}"
        yield ""
    browsers = [one for one in implementations if one.family == "browser"]
    yield "## Cases that browsers fail\n"
    yield "The corpus follows the standard. These are the cases that a browser fails, and why.\n"
    yield "| case | browser | what it does |"
    yield "|---|---|---|"
    for one in browsers:
        for fault in faults.all:
            for case in faults.seen[fault["fault"]].get(one.key, []):
                yield f"| `{case}` | {one.name} {one.version} | {fault['fault']} |"
    yield ""
    yield "A page cannot see comments, reconnection times or the last event ID after a stream, so these are not compared. Inputs of many thousand bytes are sent to browsers in one chunk."


# Capabilities that are not tested here.
HIDDEN = {"encode", "connect", "limit", "fixed-storage", "abort", "close", "delay", "options"}


def label(one, implementations):
    """The name, with the family if another implementation has the same name, and the version if one of the same family has."""
    same = [it for it in implementations if it.name == one.name and it is not one]
    if any(it.family == one.family for it in same):
        return f"{one.name} {'.'.join(one.version.split('.')[:2])}"
    return f"{one.name} ({one.family})" if same else one.name


def of(one, group):
    passed = one.count("must", "passed", group=group)
    asked = one.count("must", "passed", "failed", "not-run", group=group)
    if not asked:
        return "-"
    return str(asked) if passed == asked else f"**{passed}**/{asked}"


def page(implementations, groups, cases, explained):
    data = {
        "groups": groups,
        "cases": {
            id: {
                "group": case["group"],
                "rule": " ".join(case["rule"]),
                "verdict": case["verdict"],
                "why": case["why"],
                "input": shortened(" | ".join(piece(step) for step in case["steps"])),
                "due": shortened(listed([item for step in case["steps"] for item in step["items"]])),
            }
            for id, case in cases.items()
        },
        "implementations": [
            {
                "name": label(one, implementations),
                "family": one.family,
                "version": one.version,
                "outcomes": {
                    id: outcome(one, one.cases[id], explained) for id in cases if id in one.cases
                },
            }
            for one in implementations
        ],
    }
    # A script element must not contain a tag.
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    return (HERE / "report.html").read_text().replace("/* DATA */", text)


def outcome(one, case, explained):
    if case["outcome"] != "failed":
        return {"passed": 1, "skipped": 0, "not-run": 0}[case["outcome"]]
    failure = case["failure"]
    return {
        "fault": explained[one.key, case["id"]],
        "way": failure["way"],
        "message": shortened(failure["message"]),
        "input": shortened(" | ".join(failure["input"])),
        "due": shortened(listed(failure["expected"])),
        "got": shortened(listed(failure["got"])),
    }


def piece(step):
    if "repeat" in step:
        return f"({piece(step['repeat'])}) x {step['repeat']['times']}"
    if "hex" in step:
        return f"[{step['hex']}]"
    return json.dumps(step["text"])[1:-1].replace('\\"', '"')


def listed(value):
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def shortened(text):
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} … {len(text) - SHOWN} more"


def main(reports, out):
    cases, groups = read_corpus()
    implementations = read_reports(Path(reports))
    faults = Faults(HERE / "faults.json")
    explained = {
        (one.key, case["id"]): faults.explain(one, case)
        for one in implementations
        for case in one.failures()
    }
    text = "\n".join(markdown(implementations, groups, cases, faults))
    Path(out, "RESULTS.md").write_text(re.sub(r"\n{3,}", "\n\n", text) + "\n")
    Path(out, "results.html").write_text(page(implementations, groups, cases, explained))
    complaints = list(faults.complaints())
    for one in implementations:
        if len(one.cases) < len(cases) or one.broken_off:
            complaints.append(f"{one.key} was not run completely: {len(one.cases)} of {len(cases)} cases {one.broken_off}")
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
