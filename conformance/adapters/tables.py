"""What the tables of RESULTS.md have in common: the order of the rows, their names, counts and dates."""

import collections

from rows import HOMES, failures, stopped_by


def ranked(rows):
    """Sorted by failures and passed cases, and with the names that tell them apart."""

    def rank(row):
        passed, asked = total(row)
        return (row["package"] != "sse-proto", asked - passed, -passed, row["package"])

    rows = sorted(rows, key=rank)
    return [row | {"name": label(row, rows)} for row in rows]


def label(row, rows):
    """The name, with the family if another implementation has the same name, and the version if one of the same family has."""
    name = row["package"]
    same = [it for it in rows if it["package"] == name and it is not row]
    if any(it["family"] == row["family"] for it in same):
        return f"{name} {'.'.join(row['version'].split('.')[:2])}"
    return f"{name} ({row['family']})" if same else name


def total(row):
    return [sum(counts) for counts in zip(*row["groups"].values())]


def bugs_of(row):
    """The number of cases for each bug."""
    found = collections.Counter({bug: len(ids) for bug, ids in failures(row).items()})
    for bug, groups in stopped_by(row).items():
        found[bug] += sum(groups.values())
    return found


def link(row):
    name = row["package"]
    home = HOMES.get(row["family"], "").format(name)
    return "**sse-proto**" if name == "sse-proto" else f"[{name}]({home})" if home else name


def dated(row):
    return row["date"] + (" (with earlier cases)" if row["stale"] else "")


def of(passed, asked):
    if not asked:
        return "-"
    return str(asked) if passed == asked else f"**{passed}**/{asked}"
