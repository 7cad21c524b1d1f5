"""Reads lcov traces, one for each fuzz target, and prints the lines of src/ that no target reaches, and a table.

    coverage.py SRC TRACE...
"""

import collections
import pathlib
import sys


def read(trace, hits):
    for line in pathlib.Path(trace).read_text().splitlines():
        key, _, value = line.partition(":")
        if key == "SF":
            file = pathlib.Path(value)
        elif key == "DA":
            number, count = value.split(",")[:2]
            hits[file][int(number)] += int(count)


def main(src, *traces):
    hits = collections.defaultdict(collections.Counter)
    for trace in traces:
        read(trace, hits)
    missed = {file: sorted(n for n in lines if not lines[n]) for file, lines in sorted(hits.items())}
    for file, numbers in missed.items():
        for number in numbers:
            print(f"{file.relative_to(src)}:{number}: {file.read_text().splitlines()[number - 1].strip()}")
    print(f"\n{'file':28} {'lines':>6} {'reached':>8}")
    total = covered = 0
    for file, lines in sorted(hits.items()):
        reached = len(lines) - len(missed[file])
        total, covered = total + len(lines), covered + reached
        print(f"{str(file.relative_to(src)):28} {len(lines):6} {100 * reached / len(lines):6.1f} %")
    print(f"{'all':28} {total:6} {100 * covered / total:6.1f} %")


main(*sys.argv[1:])
