"""Tests of the results: `python test_report.py`. A crash, a hang or a timeout is counted, but its case is not named."""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import report
import rows

STOPPED = {
    "data-empty": {"what": "hang", "message": "no answer: nothing for 3s", "got": None},
    "data-nul": {"what": "exit", "message": "the adapter exited: signal 11", "got": None},
    "id-of-nul-is-ignored": {"what": "answer", "message": "the request was not served", "got": {"error": "panicked: here"}},
}
WRONG = {"retry-2-pow-64": {"what": "items", "message": "the items differ", "got": []}}


def report_of(failures):
    """A report in which these cases fail."""
    cases = []
    for id, case in report.read_corpus()[0].items():
        cases.append({"id": id, "group": case["group"], "verdict": case["verdict"], "flags": case["flags"], "outcome": "passed", "ways": []})
        if failure := failures.get(id):
            failure = {"way": "whole", "input": [f"the input of {id}"], "expected": [{"retry": 1}], **failure}
            cases[-1] |= {"outcome": "failed", "ways": [{"way": "whole", "failed": 1}], "failure": failure}
    return {"suite": "0.1.0", "name": "decoder", "version": "1.0", "notAsked": [], "requests": 1, "brokenOff": None, "cases": cases}


class Naming(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, name="decoder", corpus="corpus", keep=False):
        with tempfile.TemporaryDirectory() as reports:
            folder = Path(reports, f"Rust_{name}")
            folder.mkdir()
            Path(folder, "done").write_text(f"2026-11-29 {corpus}")
            Path(folder, "short.json").write_text(json.dumps(report_of(STOPPED | WRONG) | {"name": name}))
            # It prints which bugs of faults.json were not seen.
            with contextlib.redirect_stderr(io.StringIO()):
                report.main(keep, reports, self.folder, corpus)

    def test_a_case_that_stops_it_is_counted_and_not_named(self):
        self.write()
        text = Path(self.folder, "RESULTS.md").read_text()
        page = Path(self.folder, "results.html").read_text()
        self.assertIn("1 case in data, 1 case in id", text)
        self.assertIn("`retry-2-pow-64`", text)
        [row] = report.earlier_rows(page)
        self.assertEqual(row["unnamed"]["id"], {"It crashes": 1})
        # Not even by being the only one that is not listed.
        listed = [report.read_corpus()[0][id]["group"] for id in row["outcomes"]]
        self.assertFalse({"data", "id"} & set(listed))
        for id in STOPPED:
            self.assertNotIn(f"`{id}`", text)
            self.assertNotIn(f"the input of {id}", page)
        self.assertIn("the input of retry-2-pow-64", page)

    def test_earlier_results_are_kept_and_marked(self):
        self.write("decoder", "earlier")
        self.write("other", "new", keep=True)
        dates = [line.rpartition("| 2")[2] for line in Path(self.folder, "RESULTS.md").read_text().splitlines() if "/crates/" in line]
        self.assertEqual(dates, ["026-11-29 (with earlier cases) |", "026-11-29 |"])
        self.write("other", "new")
        self.assertNotIn("[decoder]", Path(self.folder, "RESULTS.md").read_text())

    def test_nothing_is_written_if_a_case_is_named(self):
        row_of = rows.Implementation.row

        def naming(*arguments):
            row = row_of(*arguments)
            return row | {"outcomes": {"data-nul": 1}}

        with mock.patch.object(rows.Implementation, "row", naming), self.assertRaisesRegex(SystemExit, "data-nul"):
            self.write()
        self.assertFalse(Path(self.folder, "results.html").exists())


if __name__ == "__main__":
    unittest.main()
