"""The results of an implementation, as results.html has them, from the reports of its runs.

If an implementation crashes, hangs or takes too long, the results say so, and in how many cases of a group, but never in which case: nobody is to
find there the input that stops a program. `disclosures` checks this.
"""

import collections
import fnmatch
import json
import re
from pathlib import Path

CORPUS = Path(__file__).parent.parent
HOMES = {
    "Rust": "https://crates.io/crates/{}",
    "JavaScript": "https://www.npmjs.com/package/{}",
    "Python": "https://pypi.org/project/{}/",
}
BROWSERS = {"chromium": "Chromium", "firefox-esr": "Firefox", "webkitgtk": "WebKitGTK"}
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
        # What follows in the next lines can be the adapter's output.
        self.broken_off = [report["brokenOff"].partition("\n")[0] for report in reports if report["brokenOff"]]

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

    def stopped(self):
        """The cases in which it crashes, hangs or takes too long."""
        return [case for case in self.failures() if stops(case["failure"])]

    def row(self, groups, ids, faults):
        explained = {case["id"]: faults.explain(self, case) for case in self.failures()}
        unnamed = collections.defaultdict(collections.Counter)
        for case in self.stopped():
            unnamed[case["group"]][explained[case["id"]]] += 1
        stopped = {case["id"] for case in self.stopped()}
        outcomes = {}
        for id in ids:
            case = self.cases.get(id)
            # If all others of its group were listed, the case that is left out would be known.
            if case and id not in stopped and (case["outcome"] == "failed" or case["group"] not in unnamed):
                outcomes[id] = outcome(case, explained.get(id))
        return {
            "key": self.key,
            "family": self.family,
            "package": self.name,
            "version": self.version,
            "suite": self.suite,
            "requests": self.requests,
            "run": len(self.cases),
            "brokenOff": self.broken_off,
            "notAsked": self.not_asked,
            "asWritten": self.as_written(),
            "limits": self.limits,
            "groups": {group: self.passed_of_asked(group) for group in groups},
            "differs": self.count("may", "failed"),
            "skipped": self.count("must", "skipped") + self.count("may", "skipped"),
            "unnamed": unnamed,
            "outcomes": outcomes,
        }

    def passed_of_asked(self, group):
        passed, asked = ("passed",), ("passed", "failed", "not-run")
        return [self.count("must", *outcomes, group=group) for outcomes in (passed, asked)]


def stops(failure):
    """Whether the implementation did not answer at all, instead of wrongly or with an error."""
    said = failure["got"].get("error", "") if isinstance(failure["got"], dict) else ""
    return failure["what"] in ("hang", "exit", "closed-output") or "panicked" in said


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
    return [
        Implementation(family, name, sorted(ones, key=lambda one: -len(one["cases"])))
        for (family, name), ones in reports.items()
    ]


class Faults:
    """The known bugs, and the failures that none of them explains."""

    def __init__(self, path):
        self.all = json.loads(path.read_text())["faults"]
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
                    return fault["fault"]
        self.unexplained.append(f"{implementation.key} fails {case['id']}, and no bug explains it: {failure['message'][:200]}")
        return None


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


def outcome(case, fault):
    if case["outcome"] != "failed":
        return {"passed": 1, "skipped": 0, "not-run": 0}[case["outcome"]]
    failure = case["failure"]
    return {
        "fault": fault,
        "way": failure["way"],
        "message": shortened(failure["message"]),
        "input": shortened(" | ".join(failure["input"])),
        "due": shortened(listed(failure["expected"])),
        "got": shortened(listed(failure["got"])),
    }


def listed(value):
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def shortened(text):
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} … {len(text) - SHOWN} more"


def failures(row):
    """The ids of the named failures of a row, by bug."""
    found = collections.defaultdict(list)
    for id, it in row["outcomes"].items():
        if isinstance(it, dict):
            found[it["fault"]].append(id)
    return found


def stopped_by(row):
    """For each bug that stops the implementation, the number of cases in each group."""
    found = collections.defaultdict(dict)
    for group, bugs in row["unnamed"].items():
        for bug, cases in bugs.items():
            found[bug][group] = cases
    return found


def disclosures(implementations, rows, text):
    """Where `rows` or `text`, the Markdown made of them, name a case in which an implementation stops."""
    rows = {row["key"]: row for row in rows}
    for one in implementations:
        row = rows[one.key]
        about = [part for part in re.split(r"^#+ ", text, flags=re.M) if part.startswith(f"{row['name']} {one.version}\n")]
        about += [line for line in text.splitlines() if line.startswith("| `") and f" {one.name} " in line]
        for case in one.stopped():
            id = case["id"]
            if id in row["outcomes"] or any(f"`{id}`" in part for part in about):
                yield f"the results name {id}, in which {one.key} stops"
