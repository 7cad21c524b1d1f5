"""Tests of the results: `python test_report.py`. A crash, a hang or a timeout is counted, but its case is not named. Of what servers write, only
legal frames are there.
"""

import contextlib
import io
import json
import re
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import encoders
import report
import rows

STOPPED = {
    "data-empty": {"what": "hang", "message": "no answer: nothing for 3s", "got": None},
    "data-nul": {"what": "exit", "message": "the adapter exited: signal 11", "got": None},
    "id-of-nul-is-ignored": {"what": "answer", "message": "the request was not served", "got": {"error": "panicked: here"}},
}
WRONG = {id: {"what": "items", "message": "the items differ", "got": []} for id in ("retry-2-pow-64", "data-one-line")}


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

    def write(self, name="decoder", corpus="corpus", keep=False, date="2026-11-29", change=lambda report: None):
        with tempfile.TemporaryDirectory() as reports:
            folder = Path(reports, f"Rust_{name}")
            folder.mkdir()
            Path(folder, "done").write_text(f"{date} {corpus} adapter")
            report_here = report_of(STOPPED | WRONG) | {"name": name}
            change(report_here)
            Path(folder, "short.json").write_text(json.dumps(report_here))
            # It prints which bugs of faults.json were not seen.
            with contextlib.redirect_stderr(io.StringIO()):
                report.main(keep, reports, self.folder, corpus, corpus)

    def test_a_case_that_stops_it_is_counted_and_not_named(self):
        self.write()
        text = Path(self.folder, "RESULTS.md").read_text()
        page = Path(self.folder, "results.html").read_text()
        self.assertRegex(text, r"3 failures in data, not listed\. The bugs there: .*It crashes")
        self.assertRegex(text, r"\| It crashes \| [^|]* \| decoder \|")
        self.assertIn("`retry-2-pow-64`", text)
        [row], _ = report.earlier_rows(page)
        self.assertEqual(row["unnamed"]["id"], {"cases": 1, "bugs": ["It crashes"]})
        # Nor by elimination: no other case of its group is listed, though it gives a wrong answer.
        self.assertEqual(row["unnamed"]["data"]["cases"], 3)
        listed = [report.read_corpus()[0][id]["group"] for id in row["outcomes"]]
        self.assertFalse({"data", "id"} & set(listed))
        for id in STOPPED:
            self.assertNotIn(f"`{id}`", text)
            self.assertNotIn(f"the input of {id}", page)
        self.assertIn("the input of retry-2-pow-64", page)

    def row(self):
        [row], _ = report.earlier_rows(Path(self.folder, "results.html").read_text())
        return row

    def test_no_number_tells_which_case_stops_it(self):
        # The same failures; in the second run, fewer streams of a case that stops it and two cases after it were run.
        def fewer(report):
            cases = {case["id"]: case for case in report["cases"]}
            cases["data-empty"]["ways"] = [{"way": "cut", "failed": 1, "requests": 2}]
            for id in ("data-one-line", "data-nul"):
                cases[id] |= {"outcome": "not-run", "ways": []}
            report["brokenOff"] = "too many timeouts"

        self.write()
        before = self.row()
        with mock.patch.object(rows, "is_long", lambda report: True):
            self.write(change=fewer)
        after = self.row()
        self.assertIsNone(after["requests"])
        self.assertEqual(after, before | {"gaveUp": True, "unnamed": after["unnamed"]})
        self.assertEqual(after["unnamed"]["data"]["cases"], before["unnamed"]["data"]["cases"])

    def test_a_later_row_is_not_replaced_by_an_earlier_one(self):
        self.write()
        self.write("decoder", "earlier", keep=True, date="2025-01-01")
        self.assertEqual(self.row()["date"], "2026-11-29")

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


def answer(bytes, items):
    return {"what": "items", "message": "the bytes decode to other items", "got": {"bytes": bytes, "items": items}}


def all_encoder_cases():
    for path in sorted((rows.CORPUS / "encode").glob("*.json")):
        group = json.loads(path.read_text())
        for case in group["cases"]:
            yield group["group"], case


# What axum does with empty data.
LOST = {"encode-data-empty": answer("\\n", [])}


class Servers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, failures, name="server"):
        """The results of a server that was asked for the legal frames and fails these cases."""
        legal = encoders.read_corpus()[0]
        asked = [(group, case) for group, case in all_encoder_cases() if case["id"] in legal or case["id"] in failures]
        cases = []
        for group, case in asked:
            cases.append({"id": case["id"], "group": group, "verdict": case["verdict"], "flags": case["flags"], "outcome": "passed", "ways": []})
            if failure := failures.get(case["id"]):
                failure = {"way": "as written", "input": [], "expected": [{"retry": 1}], **failure}
                cases[-1] |= {"outcome": "failed", "ways": [{"way": "as written", "failed": 1}], "failure": failure}
        found = {"suite": "0.1.0", "name": name, "version": "1.0", "notAsked": [], "requests": 1, "brokenOff": None, "cases": cases}
        with tempfile.TemporaryDirectory() as reports:
            row = Path(reports, f"Rust-server_{name}")
            row.mkdir()
            Path(row, "done").write_text("2026-11-29 frames")
            Path(row, "encode.json").write_text(json.dumps(found))
            return self.written(False, reports)

    def written(self, keep, reports):
        with contextlib.redirect_stderr(io.StringIO()):
            report.main(keep, reports, self.folder, "corpus", "frames")
        return Path(self.folder, "RESULTS.md").read_text()

    def refuses(self, failures, why):
        with self.assertRaisesRegex(SystemExit, why):
            self.write(failures)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_only_legal_frames_are_in_the_results(self):
        text = self.write(LOST, "axum")
        self.assertIn("| `encode-data-empty` | axum 1.0 | Empty data is not written |", text)
        others = [case for group, case in all_encoder_cases() if group == "injection" or "refused" in case or "security" in case["flags"]]
        self.assertTrue(others)
        for case in others:
            self.assertNotIn(case["id"] + "`", text)
        for word in ("injection", "refuse", "security"):
            self.assertNotIn(word, text)

    def test_servers_are_asked_for_legal_frames(self):
        legal = encoders.read_corpus()[0]
        asked = [(group, case) for group, case in all_encoder_cases() if case["id"] in legal]
        self.assertGreater(len(asked), 50)
        for group, case in asked:
            self.assertFalse(group == "injection" or "refused" in case or "security" in case["flags"], case["id"])
            self.assertFalse(any(set(frame.get("comment", "")) & set("\r\n") for frame in case["frames"]), case["id"])
            self.assertIsNone(re.search("\\\\r(?!\\\\n)", json.dumps(case["frames"])), case["id"])

    def test_nothing_is_written_if_other_frames_were_asked(self):
        id = next(case["id"] for group, case in all_encoder_cases() if group == "injection")
        self.refuses({id: answer("\\n", [])}, id)

    def test_earlier_results_are_kept_unless_a_case_is_not_published_any_more(self):
        bug = "| `encode-data-empty` | axum 1.0 | Empty data is not written |"
        self.write(LOST, "axum")
        with tempfile.TemporaryDirectory() as none:
            self.assertIn(bug, self.written(True, none))
            with mock.patch.object(encoders, "is_legal", lambda group, case: case["id"] == "encode-data-lf"):
                self.assertNotIn("axum", self.written(True, none))

    def test_nothing_is_written_if_text_became_a_line(self):
        self.refuses({"encode-data-lf": answer("data: a\\nb\\n\\n", [])}, "encode-data-lf")

    def test_a_legal_frame_that_stops_a_server_is_counted_and_not_named(self):
        stopped = {"encode-event-colon": {"what": "answer", "message": "the request was not served", "got": {"error": "no response: closed"}}}
        fault = {"fault": "It gives no response", "matters": "The stream ends.", "when": [{"says": "no response"}]}
        load = json.loads
        with mock.patch.object(rows.json, "loads", lambda text: add_fault(load(text), fault)):
            text = self.write(stopped)
        self.assertIn("server 1.0: 1 failure in event, not listed. The bugs there: It gives no response", text)
        self.assertNotIn("encode-event-colon", text)


def add_fault(read, fault):
    return read | {"faults": [*read["faults"], fault]} if "faults" in read else read


if __name__ == "__main__":
    unittest.main()
