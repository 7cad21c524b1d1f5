"""The second table of RESULTS.md: what server frameworks write. `python encoders.py` prints the options that select their cases.

Only what any user may write is asked and published. `read` refuses reports with anything else.
"""

import collections
import json
import re

from rows import CORPUS, failures, read_reports
from tables import dated, link, of, seen_in, total, unlisted

CANNOT_SAY = "cannot say: "
NAMES = {"comments": "a comment", "retry": "a reconnection time", "big-number": "a number as large as 2^53"}
# A line that is blank, a comment or a field.
FIELD = re.compile(r"$|(data|event|id|retry)?:|(data|event|id|retry)$")


def is_legal(group, case):
    """Whether these are frames that any user may write, and the case is not about security."""
    if group == "injection" or "refused" in case or "security" in case["flags"]:
        return False
    comments = "".join(frame.get("comment", "") for frame in case["frames"])
    texts = [text for frame in case["frames"] for text in frame.values() if isinstance(text, str)]
    return not set(comments) & set("\r\n") and not any("\r" in text.replace("\r\n", "") for text in texts)


def read_corpus():
    cases, groups = {}, []
    for path in sorted((CORPUS / "encode").glob("*.json")):
        group = json.loads(path.read_text())
        asked = [case for case in group["cases"] if is_legal(group["group"], case)]
        if asked:
            groups.append(group["group"])
        cases |= {case["id"]: case | {"group": group["group"]} for case in asked}
    return cases, groups


def read(folder, cases):
    found = read_reports(folder, servers=True)
    for one in found:
        if other := set(one.cases) - set(cases):
            raise SystemExit(f"{one.key} was asked for frames that are not published: {', '.join(sorted(other))}")
        for case in one.failures():
            got = case["failure"]["got"]
            error = got.get("error", "") if isinstance(got, dict) else ""
            if error.startswith(CANNOT_SAY):
                case |= {"outcome": "skipped", "skippedFor": error.removeprefix(CANNOT_SAY)}
            elif case["failure"]["what"] == "items":
                case["failure"]["got"] = got["items"]
                if not all(map(FIELD.match, lines(got["bytes"]))):
                    raise SystemExit(f"{one.key} writes other lines than fields, and must not be published: {case['id']}")
    return found


def lines(escaped):
    """The lines of what was written, which the report has as an escaped text."""
    text = re.sub(r"\\(.)", lambda found: {"n": "\n", "r": "\r"}.get(found[1], found[0]), escaped)
    return re.split("\r\n|\n|\r", text)


def row(one, groups, cases, faults):
    row = one.row(groups, cases, faults)
    # What was written is nowhere shown.
    outcomes = {id: {"fault": it["fault"]} if isinstance(it, dict) else it for id, it in row["outcomes"].items()}
    return row | {"outcomes": outcomes, "cannotSay": cannot_say(one)}


def legal_rows(rows, cases):
    """Those of earlier results in which there are only cases that may be published still."""
    return [row for row in rows if set(row["outcomes"]) <= set(cases)]


def cannot_say(one):
    """What its API cannot express, and in how many cases."""
    found = collections.Counter(case["skippedFor"] for case in one.cases.values() if case["outcome"] == "skipped")
    return ", ".join(f"{NAMES.get(what, what)} ({count})" for what, count in found.most_common())


def markdown(rows, groups, cases, faults):
    if not rows:
        return
    must = sum(case["verdict"] == "must" for case in cases.values())
    yield "\n## Servers\n"
    yield (
        f"What {len(rows) - 1} server frameworks and sse-proto write, tested with {len(cases)} cases of legal frames ({must} of them `must`). A server of the framework "
        "responds to a request over loopback with the frames of the case, through the API that its documentation shows, and the body of the response is "
        "decoded. A case passes if the events, comments and reconnection times are those of the frames.\n"
    )
    yield "*Cannot say* is what the API cannot express, such as an event without data, with the number of cases that were not run for that reason.\n"
    yield "| framework | version | passed | " + " | ".join(groups) + " | differs (`may`) | cannot say | date |"
    yield "|---|---|---|" + "---|" * len(groups) + "---|---|---|"
    for row in rows:
        cells = [of(*row["groups"][group]) for group in groups]
        passed, asked = total(row)
        counts = f"**{passed}** of {asked} | {' | '.join(cells)} | {row['differs'] or ''}"
        yield f"| {link(row)} ({row['family']}) | {row['version']} | {counts} | {row['cannotSay']} | {dated(row)} |"
    yield ""
    yield from bugs(rows, faults)


def bugs(rows, faults):
    yield "| bug of a framework | why it matters | seen in (cases) |"
    yield "|---|---|---|"
    for fault in faults.all:
        bug = fault["fault"]
        if who := seen_in(rows, bug):
            yield f"| {bug} | {fault['matters']} | {who} |"
    yield ""
    for row in rows:
        for line in unlisted(row):
            yield f"{row['name']} {row['version']}: {line}\n"
    yield "| cases | framework | what it does |"
    yield "|---|---|---|"
    for fault in faults.all:
        seen = collections.defaultdict(list)
        for row in rows:
            if ids := failures(row)[fault["fault"]]:
                seen[", ".join(f"`{id}`" for id in ids)].append(f"{row['name']} {row['version']}")
        for ids, who in seen.items():
            yield f"| {ids} | {', '.join(who)} | {fault['fault']} |"


if __name__ == "__main__":
    for id in read_corpus()[0]:
        print("--only", id, sep="\n")
