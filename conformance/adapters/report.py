"""Writes RESULTS.md and results.html from the reports of all implementations: `python report.py ROWS OUT [partial]`.

ROWS has a folder for each implementation, with the reports of its runs and the file `done`, which begins with the date.

A case that makes an implementation crash, hang or take too long is not named, nor is its input shown: only how many there are in
each group.

Each failure is attributed to a bug of faults.json: the first one with a `when` that matches it, among those that name implementations, or
else among the others. A `when` has the implementations (browsers must be named), the ids of cases (shell patterns), a regular expression for
the message (see `signs`), and one that must match all the variants in which the case fails. A failure that no bug explains, and a bug that no
implementation has, are printed, and the exit status is 1. If the reports are `partial`, a bug may be that of one that is missing.
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
    "Go": "https://pkg.go.dev/github.com/{}",
    "PHP": "https://packagist.org/packages/{}",
    "runtime": "https://www.npmjs.com/package/{}",
}
BROWSERS = {"chromium": "Chromium", "firefox-esr": "Firefox", "webkitgtk": "WebKitGTK", "deno": "Deno", "node": "Node.js"}
# Longer texts are truncated to this length.
SHOWN = 240


class Implementation:
    """The reports of one implementation."""

    def __init__(self, family, name, date, reports):
        self.date = date
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
        # Of the very long inputs, the rest is not run after some timeouts.
        self.gave_up = [report for report in reports if report["brokenOff"] and is_long(report)]
        self.broken_off = [report["brokenOff"] for report in reports if report["brokenOff"] and not is_long(report)]

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

    def passed_of_asked(self, group=None):
        return [
            self.count("must", "passed", group=group),
            self.count("must", "passed", "failed", "not-run", group=group),
        ]

    def failures(self):
        return [case for case in self.cases.values() if case["outcome"] == "failed"]

    def link(self):
        home = HOMES.get(self.family, "").format(re.sub(r" [\d.]+$", "", self.package))
        return f"[{self.name}]({home})" if home else self.name


def is_long(report):
    return all("linear" in case["flags"] or case["id"] == "noise-64-kib" for case in report["cases"])


def own_version():
    """That of sse-proto, whose adapter does not say it."""
    return re.search(r'^version = "(.*)"', (CORPUS.parent / "Cargo.toml").read_text(), re.M)[1]


def read_reports(folder):
    found = []
    for done in sorted(folder.glob("*/done")):
        reports = [json.loads(path.read_text()) for path in sorted(done.parent.glob("*.json"))]
        # What was asked again comes after what it was first.
        reports.sort(key=lambda one: -len(one["cases"]))
        family, _, stem = done.parent.name.partition("_")
        # The adapter of sse-proto does not say who it is.
        name = reports[0]["name"] or stem
        found.append(Implementation(family, name, done.read_text().split()[0], reports))
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


def is_broken(case):
    """Whether there is no answer, rather than a wrong one."""
    failure = case.get("failure")
    return bool(failure) and (
        failure["what"] in ("hang", "exit", "closed-output", "out-of-order")
        or re.search("panicked|must be of type array", f"{failure['message']} {failure['got']}") is not None
    )


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
        clauses = [(fault, when) for fault in self.all for when in fault["when"]]
        for named in (True, False):
            for fault, when in clauses:
                implementations = when.get("implementations")
                fits = (
                    named == (implementations is not None)
                    # That it crashes or takes too long goes before all that it gets wrong.
                    and not (named and is_broken(case) and implementation.family != "browser")
                    and (implementation.name in implementations if named else implementation.family != "browser")
                    and any(fnmatch.fnmatch(case["id"], it) for it in when.get("cases", ["*"]))
                    and re.search(when.get("says", ""), said)
                    and all(re.search(when.get("ways", ""), way) for way in ways)
                )
                if fits:
                    self.seen[fault["fault"]][implementation.key].append(case["id"])
                    return fault["fault"]
        self.unexplained.append((implementation, case))
        return None

    def complaints(self, partial):
        for implementation, case in self.unexplained:
            failure = case["failure"]
            yield f"{implementation.key} fails {case['id']}, and no bug explains it: {failure['message'][:200]}"
        for fault, seen in self.seen.items():
            if not seen and not partial:
                yield f"no implementation has this bug any more: {fault}"


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
        if without(got, "lastEventId") == without([item for item in due if item.get("data") != ""], "lastEventId"):
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


def markdown(implementations, groups, cases, faults):
    must = sum(case["verdict"] == "must" for case in cases.values())
    requests = sum(one.requests for one in implementations)
    yield "# Results of published implementations\n"
    yield "Written by `conformance/results.sh`; do not edit. [results.html](results.html) has every wrong answer with its input, the expected and the actual result. The inputs that make an implementation crash, hang or take too long are only counted.\n"
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
    yield "| implementation | version | as written | in every variant | " + " | ".join(groups) + " | differs (`may`) | not run | date |"
    yield "|---|---|---|---|" + "---|" * len(groups) + "---|---|---|"
    for one in implementations:
        cells = [of(one, group) for group in groups]
        name = f"**{one.name}**" if one.name == "sse-proto" else one.link()
        passed, asked = one.passed_of_asked()
        share = f"**{passed}** of {asked}"
        skipped = one.count("must", "skipped") + one.count("may", "skipped")
        differs = str(one.count("may", "failed") or "")
        yield f"| {name} ({one.family}) | {one.version} | {one.as_written()} | {share} | {' | '.join(cells)} | {differs} | {skipped or ''} | {one.date} |"
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
        if not seen:
            continue
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
        unrun = one.count("must", "not-run") + one.count("may", "not-run")
        if one.gave_up and unrun:
            yield f"{unrun} very long inputs were not run after those that took too long, and count as failed.\n"
        for why in one.broken_off:
            yield f"The run was aborted: {why}.\n"
        if not failed:
            yield "No failures."
        for fault in faults.all:
            ids = faults.seen[fault["fault"]].get(one.key)
            if ids:
                yield f"- {fault['fault']}: {where(one, ids)}"
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


def where(one, ids):
    """The first of these cases; only the groups of those without an answer."""
    named = [f"`{id}`" for id in ids if not is_broken(one.cases[id])]
    told = [", ".join(named[:4]) + (f" and {len(named) - 4} more" if len(named) > 4 else "")] if named else []
    told += [f"{count} of {group}" for group, count in broken_in(one, ids).items()]
    return ", ".join(told)


def broken_in(one, ids):
    """In which groups these cases have no answer, and how many."""
    return collections.Counter(one.cases[id]["group"] for id in ids if is_broken(one.cases[id]))


# Capabilities that are not tested here.
HIDDEN = {"encode", "connect", "limit", "fixed-storage", "abort", "close", "delay", "options"}


def label(one, implementations):
    """The name, with the family if another implementation has the same name, and the version if one of the same family has."""
    same = [it for it in implementations if it.name == one.name and it is not one]
    if any(it.family == one.family for it in same):
        return f"{one.name} {'.'.join(one.version.split('.')[:2])}"
    return f"{one.name} ({one.family})" if same else one.name


def of(one, group):
    passed, asked = one.passed_of_asked(group)
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
                "input": case_input(case),
                "due": case_items(case),
            }
            for id, case in cases.items()
        },
        "implementations": [
            {
                "name": label(one, implementations),
                "family": one.family,
                "version": one.version,
                "date": one.date,
                "passed": {group or "": one.passed_of_asked(group) for group in [*groups, None]},
                "broken": [
                    {"fault": fault, "group": group, "count": count}
                    for fault, ids in faults_of(one, explained).items()
                    for group, count in broken_in(one, ids).items()
                ],
                "outcomes": outcomes(one, cases, explained),
            }
            for one in implementations
        ],
    }
    # A script element must not contain a tag.
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    return (HERE / "report.html").read_text().replace("/* DATA */", text)


def faults_of(one, explained):
    found = collections.defaultdict(list)
    for (key, id), fault in explained.items():
        if key == one.key:
            found[fault].append(id)
    return found


def outcomes(one, cases, explained):
    """0 for a case that was not run, 1 for one that passed, 2 for one that did not fail with a wrong answer, in a group in which some have none."""
    hidden = broken_in(one, one.cases)
    found = {}
    for id in cases:
        case = one.cases.get(id)
        if case is None or case["outcome"] in ("skipped", "not-run"):
            found[id] = 0
        elif case["outcome"] == "failed" and not is_broken(case):
            found[id] = wrong_answer(case["failure"], cases[id], explained[one.key, id])
        else:
            found[id] = 2 if case["group"] in hidden else 1
    return found


def wrong_answer(failure, case, fault):
    told = {
        "fault": fault,
        "way": failure["way"],
        "message": shortened(failure["message"]),
        "input": shortened(" | ".join(failure["input"])),
        "due": shortened(listed(failure["expected"])),
        "got": shortened(listed(failure["got"])),
    }
    # The page takes from the case what is missing.
    same = {"input": case_input(case), "due": case_items(case)}
    return {key: text for key, text in told.items() if text != same.get(key)}


def case_input(case):
    return shortened(" | ".join(piece(step) for step in case["steps"]))


def case_items(case):
    return shortened(listed([item for step in case["steps"] for item in step["items"]]))


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


def main(reports, out, partial=""):
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
    complaints = list(faults.complaints(partial))
    for one in implementations:
        if len(one.cases) < len(cases) or one.broken_off:
            complaints.append(f"{one.key} was not run completely: {len(one.cases)} of {len(cases)} cases {one.broken_off}")
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
