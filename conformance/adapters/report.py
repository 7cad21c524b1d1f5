"""Writes RESULTS.md and results.html from the reports of implementations: `python report.py [--keep] ROWS OUT CORPUS FRAMES`.

With `--keep`, the earlier results of implementations without a report are kept. CORPUS identifies the cases of decoders and FRAMES
those of servers: results of others are marked as such.

Each failure is attributed to a bug of faults.json: the first one with a `when` that matches it, among those that name implementations, or else
among the others. A `when` has the implementations (browsers must be named), the ids of cases (shell patterns), a regular expression for the
message (see `signs`), and one that must match all the variants in which the case fails. A failure that no bug explains, and a bug that no
implementation has, are printed, and the exit status is 1. Where an implementation crashes, hangs or takes too long, no case of the group is listed.
server-faults.json is the same for what servers write.
"""

import json
import re
import sys
from pathlib import Path

import encoders
from rows import CORPUS, Faults, disclosures, failures, heading, listed, read_reports, shortened
from tables import bugs_of, dated, link, of, ranked, seen_in, total, unlisted

HERE = Path(__file__).parent
MOST_COMPLAINTS = 20


def read_corpus():
    cases, groups = {}, []
    for path in sorted((CORPUS / "decode").glob("*.json")):
        group = json.loads(path.read_text())
        asked = [case for case in group["cases"] if "limit" not in case and "details" not in case]
        if asked:
            groups.append(group["group"])
        cases |= {case["id"]: case | {"group": group["group"]} for case in asked}
    return cases, groups


def markdown(rows, groups, cases, faults):
    must = sum(case["verdict"] == "must" for case in cases.values())
    requests = max((row["requests"] or 0 for row in rows), default=0)
    suites = ", ".join(sorted({row["suite"] for row in rows}))
    yield "# Results of published implementations\n"
    yield (
        "Written by `conformance/results.sh`; do not edit. [results.html](results.html) has the failures with their inputs, the expected and the actual "
        "results. Of a group in which an implementation crashes, hangs or takes too long, no case is listed, and only the number of failures is given.\n"
    )
    yield (
        f"{len(rows) - 1} published implementations of `text/event-stream` and sse-proto, tested with the {len(cases)} cases for decoders "
        f"without a limit ({must} of them `must`) by sse-conformance {suites}. Each case is run as written, whole, cut in two at every byte, byte by byte, "
        f"with empty chunks, and with CR and CRLF for LF: up to {requests:,} streams for each implementation. A case passes if the result is correct in every variant. The adapters are in "
        "[adapters/](adapters): the first error ends a stream, and the adapter remembers the last id where that is left to the user.\n"
    )
    yield "## By group\n"
    yield (
        "The number of `must` cases that passed, of those that were run. *As written* is in the chunks and with the line terminators of the case, or in "
        "one chunk; of groups whose cases are not listed, only those that pass in every variant are counted. All other columns are *in every variant*, where "
        "one bug, such as a CR that is not recognised, affects most cases. A single number means that all cases passed.\n"
    )
    yield "| implementation | version | as written | in every variant | " + " | ".join(groups) + " | differs (`may`) | not run | date |"
    yield "|---|---|---|---|" + "---|" * len(groups) + "---|---|---|"
    for row in rows:
        cells = [of(*row["groups"][group]) for group in groups]
        passed, asked = total(row)
        share = f"**{passed}** of {asked}"
        yield f"| {link(row)} ({row['family']}) | {row['version']} | {row['asWritten']} | {share} | {' | '.join(cells)} | {row['differs'] or ''} | {row['skipped'] or ''} | {dated(row)} |"
    yield ""
    for row in rows:
        passed, asked = row["limits"]
        if asked:
            yield f"{row['name']} was also tested with the {asked} cases about limits, and passed {passed}.\n"
    yield "## Bugs\n"
    yield (
        "Each failure is attributed to one bug. An implementation that stops early may have more bugs than are listed. The numbers are those of the cases that "
        "are listed.\n"
    )
    yield "| bug | why it matters | seen in (cases) |"
    yield "|---|---|---|"
    for fault in faults.all:
        if who := seen_in(rows, fault["fault"]):
            yield f"| {fault['fault']} | {fault['matters']} | {who} |"
    yield ""
    yield "## By implementation\n"
    for row in rows:
        yield from section(row, cases, faults)
    yield "## Cases that browsers fail\n"
    yield "The corpus follows the standard. These are the cases that a browser fails, and why.\n"
    yield "| case | browser | what it does |"
    yield "|---|---|---|"
    for row in rows:
        if row["family"] == "browser":
            found = failures(row)
            for fault in faults.all:
                for id in found[fault["fault"]]:
                    yield f"| `{id}` | {row['name']} {row['version']} | {fault['fault']} |"
    yield ""
    yield "A page cannot see comments, reconnection times or the last event ID after a stream, so these are not compared. Inputs of many thousand bytes are sent to browsers in one chunk."


# Capabilities that are not tested here.
HIDDEN = {"encode", "connect", "limit", "fixed-storage", "abort", "close", "delay", "options", "details"}


def section(row, cases, faults):
    yield f"### {heading(row)}\n"
    if row["notAsked"]:
        yield f"Not tested: {', '.join(f'`{it}`' for it in row['notAsked'] if it not in HIDDEN)}.\n"
    if row["run"] < len(cases):
        yield f"{len(cases) - row['run']} cases were not run, all of them very long inputs.\n"
    if row["gaveUp"]:
        yield "Very long inputs that were not run, after others that took too long, count as failed.\n"
    for why in row["brokenOff"]:
        yield f"The run was aborted: {why}.\n"
    named = failures(row)
    if not named and not row["unnamed"]:
        yield "No failures."
    yield from (f"- {line}" for line in unlisted(row))
    for fault in faults.all:
        if ids := named[fault["fault"]]:
            more = f" and {len(ids) - 4} more" if len(ids) > 4 else ""
            yield f"- {fault['fault']}: {', '.join(f'`{id}`' for id in ids[:4])}{more}"
    yield ""


def page(rows, groups, cases, servers):
    about = {
        id: {
            "group": case["group"],
            "rule": " ".join(case["rule"]),
            "verdict": case["verdict"],
            "why": case["why"],
            "input": shortened(" | ".join(piece(step) for step in case["steps"])),
            "due": shortened(listed([item for step in case["steps"] for item in step["items"]])),
        }
        for id, case in cases.items()
    }
    rows = [row | {"outcomes": {id: differences(it, about[id]) for id, it in row["outcomes"].items()}} for row in rows]
    data = {"groups": groups, "cases": about, "implementations": rows, "servers": servers}
    # A script element must not contain a tag.
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    return (HERE / "report.html").read_text().replace("/* DATA */", text)


def differences(outcome, about):
    """A failure without what its case says already: often the input and what was due."""
    return {key: text for key, text in outcome.items() if text != about.get(key)} if isinstance(outcome, dict) else outcome


def earlier_rows(page):
    """The rows of a page that was written before, and those of servers."""
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1]
    data = json.loads(data)
    return data["implementations"], data.get("servers", [])


def piece(step):
    if "repeat" in step:
        return f"({piece(step['repeat'])}) x {step['repeat']['times']}"
    if "hex" in step:
        return f"[{step['hex']}]"
    return json.dumps(step["text"])[1:-1].replace('\\"', '"')


def complaints(rows, cases, faults):
    yield from faults.unexplained
    bugs = set()
    for row in rows:
        bugs.update(bugs_of(row))
        if row["run"] < len(cases) or row["brokenOff"]:
            yield f"{row['key']} was not run completely: {row['run']} of {len(cases)} cases {row['brokenOff']}"
    known = [fault["fault"] for fault in faults.all]
    yield from (f"no implementation has this bug any more: {bug}" for bug in known if bug not in bugs)
    yield from (f"the list of bugs does not have this bug of earlier results: {bug}" for bug in bugs if bug and bug not in known)


def joined(kept, rows, corpus):
    """The rows, and those kept of others, in their order. A row that was kept stays if it is that of a later run."""
    kept = {row["key"]: row for row in kept}
    rows = kept | {row["key"]: row for row in rows if row["key"] not in kept or row["date"] >= kept[row["key"]]["date"]}
    return ranked(row | {"stale": row.get("corpus") != corpus} for row in rows.values())


def main(keep, reports, out, corpus, frames):
    cases, groups = read_corpus()
    kept, kept_servers = earlier_rows(Path(out, "results.html").read_text()) if keep else ([], [])
    implementations = read_reports(Path(reports))
    faults = Faults(HERE / "faults.json")
    rows = joined(kept, [one.row(groups, cases, faults) for one in implementations], corpus)
    written, kinds = encoders.read_corpus()
    servers = encoders.read(Path(reports), written)
    server_faults = Faults(HERE / "server-faults.json")
    server_rows = [encoders.row(one, kinds, written, server_faults) for one in servers]
    server_rows = joined(encoders.legal_rows(kept_servers, written), server_rows, frames)
    lines = [*markdown(rows, groups, cases, faults), *encoders.markdown(server_rows, kinds, written, server_faults)]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"
    if disclosed := [*disclosures(implementations, rows, text), *disclosures(servers, server_rows, text)]:
        sys.exit("\n".join(disclosed))
    Path(out, "RESULTS.md").write_text(text)
    Path(out, "results.html").write_text(page(rows, groups, cases, server_rows))
    found = [*complaints(rows, cases, faults), *complaints(server_rows, written, server_faults)]
    for complaint in found[:MOST_COMPLAINTS]:
        print(complaint, file=sys.stderr)
    if len(found) > MOST_COMPLAINTS:
        print(f"and {len(found) - MOST_COMPLAINTS} more", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    *options, reports, out, corpus, frames = sys.argv[1:]
    sys.exit(main("--keep" in options, reports, out, corpus, frames))
