"""The results of an implementation, as results.html has them, from the reports of its runs.

If an implementation crashes, hangs or takes too long, the results say so, and in which groups, but never in which case: nobody is to find there
the input that stops a program. So that it cannot be found by elimination either, none of the cases of such a group is listed, and its failures are
counted together, whatever their bugs are. `disclosures` checks this.
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
    "Go": "https://pkg.go.dev/github.com/{}",
    "PHP": "https://packagist.org/packages/{}",
}
BROWSERS = {"chromium": "Chromium", "firefox-esr": "Firefox", "webkitgtk": "WebKitGTK", "deno": "Deno", "node": "Node.js"}
# Longer texts are truncated to this length.
SHOWN = 240


class Implementation:
    """The reports of one implementation."""

    def __init__(self, reports, family, name, date, corpus, *_):
        self.date, self.corpus = date, corpus
        self.family = family
        self.package = name
        self.version = reports[0]["version"] or own_version()
        self.name = BROWSERS.get(name, re.sub(r" [\d.]+$", "", name))
        self.key = f"{family}: {name}"
        self.not_asked = reports[0]["notAsked"]
        # Some implementations have several runs: for cases that are run in fewer variants, or again. Few have the kind of limit that the corpus has,
        # and cases with details are for sse-proto only.
        cases = {case["id"]: case for report in reports for case in report["cases"]}
        self.cases = {id: case for id, case in cases.items() if not {"limit", "details"} & set(case["flags"])}
        limits = [case["outcome"] for case in cases.values() if "limit" in case["flags"]]
        self.limits = (limits.count("passed"), len(limits) - limits.count("skipped"))
        self.suite = reports[0]["suite"]
        # Of the very long inputs, the rest is not run after some timeouts.
        self.gave_up = any(report["brokenOff"] and is_long(report) for report in reports)
        # What follows in the next lines can be the adapter's output.
        self.broken_off = [it["brokenOff"].partition("\n")[0] for it in reports if it["brokenOff"] and not is_long(it)]

    def count(self, verdict, *outcomes, group=None):
        return sum(
            case["verdict"] == verdict and case["outcome"] in outcomes and group in (None, case["group"])
            for case in self.cases.values()
        )

    def as_written(self):
        """How many `must` cases pass as written or whole, with their own line terminators. Of an unlisted group, only those that pass everywhere:
        the others would tell in which variants it stops."""
        plain, unlisted = ("as written", "whole"), self.unlisted()
        return sum(
            case["verdict"] == "must"
            and case["outcome"] in (("passed",) if case["group"] in unlisted else ("passed", "failed"))
            and not any(way["failed"] for way in case["ways"] if way["way"] in plain)
            for case in self.cases.values()
        )

    def requests(self):
        """The number of streams; none if it stops in one, as what is missing would tell in which."""
        if not self.unlisted():
            return sum(way.get("requests", 0) for case in self.cases.values() for way in case["ways"])

    def failures(self):
        return [case for case in self.cases.values() if case["outcome"] == "failed"]

    def stopped(self):
        """The cases in which it crashes, hangs or takes too long."""
        return [case for case in self.failures() if stops(case["failure"])]

    def unlisted(self):
        """The groups that have such a case, or one that was not run after such cases."""
        left = [case for case in self.cases.values() if case["outcome"] == "not-run"] if self.gave_up else []
        return {case["group"] for case in [*self.stopped(), *left]}

    def unnamed(self, explained):
        """For each of these groups, how many cases failed or were not run, and all bugs that were seen there."""
        found = {}
        for group in sorted(self.unlisted()):
            cases = [case for case in self.cases.values() if case["group"] == group]
            bugs = {explained[case["id"]] for case in cases if case["outcome"] == "failed"} - {None}
            found[group] = {"cases": sum(case["outcome"] in ("failed", "not-run") for case in cases), "bugs": sorted(bugs)}
        return found

    def row(self, groups, ids, faults):
        explained = {case["id"]: faults.explain(self, case) for case in self.failures()}
        unlisted = self.unlisted()
        cases = [self.cases[id] for id in ids if id in self.cases]
        outcomes = {case["id"]: outcome(case, explained.get(case["id"])) for case in cases if case["group"] not in unlisted}
        return {
            "key": self.key,
            "family": self.family,
            "package": self.name,
            "version": self.version,
            "date": self.date,
            "corpus": self.corpus,
            "suite": self.suite,
            "requests": self.requests(),
            "run": len(self.cases),
            "brokenOff": self.broken_off,
            "notAsked": self.not_asked,
            "asWritten": self.as_written(),
            "limits": self.limits,
            "groups": {group: self.passed_of_asked(group) for group in groups},
            "differs": self.count("may", "failed"),
            "gaveUp": self.gave_up,
            "skipped": self.count("must", "skipped") + self.count("may", "skipped"),
            "unnamed": self.unnamed(explained),
            "outcomes": outcomes,
        }

    def passed_of_asked(self, group):
        passed, asked = ("passed",), ("passed", "failed", "not-run")
        return [self.count("must", *outcomes, group=group) for outcomes in (passed, asked)]


def is_long(report):
    return all("linear" in case["flags"] or case["id"] == "noise-64-kib" for case in report["cases"])


def stops(failure):
    """Whether the implementation did not answer at all, instead of wrongly or with an error."""
    said = failure["got"].get("error", "") if isinstance(failure["got"], dict) else ""
    return failure["what"] in ("hang", "exit", "closed-output") or re.search("panicked|^no response: ", said) is not None


def own_version():
    """That of sse-proto, whose adapter does not say it."""
    return re.search(r'^version = "(.*)"', (CORPUS.parent / "Cargo.toml").read_text(), re.M)[1]


def read_reports(folder, servers=False):
    """Each implementation has a folder, with the reports of its runs, and the file `done`, which has the date, the corpus and what else they depend on."""
    found = []
    for done in sorted(folder.glob("*/done")):
        if done.parent.name.partition("_")[0].endswith("-server") != servers:
            continue
        reports = [json.loads(path.read_text()) for path in done.parent.glob("*.json")]
        # What was asked again comes after what it was first.
        reports.sort(key=lambda one: -len(one["cases"]))
        family, _, stem = done.parent.name.partition("_")
        family = family.removesuffix("-server")
        # The adapter of sse-proto does not say who it is.
        found.append(Implementation(reports, family, reports[0]["name"] or stem, *done.read_text().split()))
    return found


class Faults:
    """The known bugs, and the failures that none of them explains."""

    def __init__(self, path):
        self.all = json.loads(path.read_text())["faults"]
        self.unexplained = []

    def explain(self, implementation, case):
        failure = case["failure"]
        said = " ".join([f"{failure['what']}: {failure['message']}", *signs(failure)])
        ways = [way["way"] for way in case["ways"] if way["failed"]]
        clauses = [(fault, when) for fault in self.all for when in fault["when"]]
        for is_named in (True, False):
            for fault, when in clauses:
                named = when.get("implementations")
                fits = (
                    is_named == (named is not None)
                    # That it stops goes before all that it gets wrong.
                    and not (named and stops(failure) and implementation.family != "browser")
                    and ({implementation.name, implementation.key} & set(named) if named else implementation.family != "browser")
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
        elif without(due, "lastEventId") == without(got, "lastEventId"):
            yield "[ids]" if any(item.get("lastEventId") for item in got) else "[ids] [none]"
        elif without(due, "event") == without(got, "event"):
            yield "[types]"
        elif stripped(due) == stripped(got):
            yield "[spaces]"
        elif without(due, "data") == without(got, "data"):
            yield "[data]"
        elif without(due, "retry") == without(got, "retry"):
            yield "[retries]"
        kept = [item for item in due if item.get("data") != ""]
        if len(kept) < len(due) and without(got, "lastEventId") == without(kept, "lastEventId"):
            yield "[no empty]"
        if all("event" in item or item in got for item in due) and len(due) > len(got):
            yield "[fewer events]"
        empty = [sum(item.get("data") == "" for item in items) for items in (due, got)]
        if empty[1] > empty[0]:
            yield "[empty]"


def without(items, field):
    return [{key: value for key, value in item.items() if key != field} for item in items]


def stripped(items):
    return [{key: value.strip() if isinstance(value, str) else value for key, value in item.items()} for item in items]


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


def unlisted_bugs(row):
    """The bugs in groups whose cases are not listed."""
    return {bug for group in row["unnamed"].values() for bug in group["bugs"]}


def heading(row):
    """The name, which may have a part of the version already, and the version."""
    return f"{re.sub(r' [0-9.]+$', '', row['name'])} {row['version']}"


def disclosures(implementations, rows, text):
    """Where `rows` or `text`, the Markdown made of them, name a case of a group in which an implementation stops."""
    rows = {row["key"]: row for row in rows}
    for one in implementations:
        row = rows[one.key]
        about = [part for part in re.split(r"^#+ ", text, flags=re.M) if part.startswith(f"{heading(row)}\n")]
        about += [line for line in text.splitlines() if line.startswith("| `") and f" {one.name} " in line]
        unlisted = one.unlisted()
        for id in (case["id"] for case in one.cases.values() if case["group"] in unlisted):
            if id in row["outcomes"] or any(f"`{id}`" in part for part in about):
                yield f"the results name {id}, a case of a group in which {one.key} stops"
