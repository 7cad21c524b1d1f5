"""Writes RESULTS.md and results.html from the reports of a run: `python report.py REPORTS OUT`.

Each failure belongs to a fault of faults.json: the first one with a `when` that fits it, by the implementation, the id of the case
(shell patterns), a regular expression for what the runner says (see `signs`), and one that fits all the ways in which it fails. What is wrong with a browser is told of that browser by name. A
failure that no fault explains, and a fault that nobody has, are complained of, and the status is 1.
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
# Longer texts are shown by their beginning.
SHOWN = 240


class Implementation:
    """What the reports of one implementation say."""

    def __init__(self, family, name, reports):
        self.family = family
        self.package = name
        self.version = reports[0]["version"] or own_version()
        self.name = BROWSERS.get(name, re.sub(r" [\d.]+$", "", name))
        self.key = f"{family}: {name}"
        self.not_asked = reports[0]["notAsked"]
        # The cases are asked in several runs where one takes some in fewer ways, or again. Of limits few have the kind of the corpus.
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
        """How many `must` cases come out right in their own pieces and with their own line ends."""
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
    """What is known to be wrong, and whom it was seen with."""

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
            yield f"{implementation.key} fails {case['id']}, and no fault explains it: {failure['message'][:200]}"
        for fault, seen in self.seen.items():
            if not seen:
                yield f"nobody has this fault any more: {fault}"


def signs(failure):
    """What an adapter said instead of an answer, or words for how what came is other than what was due."""
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
    yield "# The field, held against the corpus\n"
    yield "Written by `conformance/results.sh`; do not edit. [results.html](results.html) has every failure with its input, what was due and what came.\n"
    yield (
        f"{len(implementations)} implementations of `text/event-stream`, as published, through the {len(cases)} cases for decoders "
        f"without a limit ({must} of them `must`), each as written, whole, cut in two at every place, byte by byte, with empty pieces, and with CR and CRLF for "
        f"LF, by sse-conformance {implementations[0].suite}: {requests:,} streams in all. A case is passed if the outcome is right in every way that it is asked. The adapters are in "
        "[adapters/](adapters): the first error ends a stream, and ids that are handed out are remembered for the implementation.\n"
    )
    yield "## By group\n"
    yield (
        "`must` cases that passed, of those that the implementation can be asked. *As written* is in the pieces and with the line ends of the case, or in "
        "one piece; all else is *in every way*, where one fault, such as a CR that is not understood, tells in most cases. A bare number is "
        "all that were asked.\n"
    )
    yield "| implementation | version | as written | in every way | " + " | ".join(groups) + " | differs (`may`) | not asked |"
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
            yield f"{label(one, implementations)} was asked the {asked} cases about limits as well, and passed {passed}.\n"
    yield "## What is wrong\n"
    yield "Each failure is counted for one fault, so an implementation that ends early may have more faults than are seen.\n"
    yield "| fault | why it matters | seen in (cases) |"
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
            yield f"Not asked for: {', '.join(f'`{it}`' for it in one.not_asked if it not in HIDDEN)}.\n"
        if len(one.cases) < len(cases):
            yield f"{len(cases) - len(one.cases)} cases were not run, all of them very long inputs.\n"
        for why in one.broken_off:
            yield f"The run was broken off: {why}.\n"
        if not failed:
            yield "Nothing is wrong."
        for fault in faults.all:
            ids = faults.seen[fault["fault"]].get(one.key)
            if ids:
                must = [f"`{it}`" for it in ids]
                more = f" and {len(must) - 4} more" if len(must) > 4 else ""
                yield f"- {fault['fault']}: {', '.join(must[:4])}{more}"
        yield ""
    browsers = [one for one in implementations if one.family == "browser"]
    yield "## Where browsers disagree with a case\n"
    yield "The corpus follows the standard; these are the cases that a browser fails, and why.\n"
    yield "| case | browser | what it does |"
    yield "|---|---|---|"
    for one in browsers:
        for fault in faults.all:
            for case in faults.seen[fault["fault"]].get(one.key, []):
                yield f"| `{case}` | {one.name} {one.version} | {fault['fault']} |"
    yield ""
    yield "A page cannot see comments, reconnection times or the id that stays after a stream, so these are not compared. Inputs of many thousand bytes come to the browsers in one piece."


# What no decoder is asked for here.
HIDDEN = {"encode", "connect", "limit", "fixed-storage", "abort", "close", "delay", "options"}


def label(one, implementations):
    """The name, with the family where two have the same, and the version where two of the family have."""
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
    # Inside a script element no tag may begin.
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
            complaints.append(f"{one.key} was not asked all: {len(one.cases)} of {len(cases)} cases {one.broken_off}")
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
