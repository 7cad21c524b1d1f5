"""What the tables of RESULTS.md have in common: the order of the rows, their names, counts and dates."""

from rows import HOMES, failures, unlisted_bugs


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
    """For each bug, the number of listed cases: 0 if all are in groups whose cases are not listed."""
    return dict.fromkeys(unlisted_bugs(row), 0) | {bug: len(ids) for bug, ids in failures(row).items()}


def seen_in(rows, bug):
    """The implementations that have the bug, with the numbers of cases that are listed."""
    seen = [(row["name"], bugs_of(row).get(bug)) for row in rows]
    return ", ".join(f"{name} ({count})" if count else name for name, count in seen if count is not None)


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


def unlisted(row):
    """What is said of groups whose cases are not listed."""
    for group, found in row["unnamed"].items():
        failures = "1 failure" if found["cases"] == 1 else f"{found['cases']} failures"
        yield f"{failures} in {group}, not listed. The bugs there: {'; '.join(found['bugs'])}"
