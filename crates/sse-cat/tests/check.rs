//! `sse-cat --check` on files and standard input.

#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use std::{io::Write, thread, time::Duration};

use serde_json::json;
use support::{
    Cat, cat, file, objects,
    program::{self, Interactive},
    sse_cat, text,
};

/// Asserts the findings: `LINE:OFFSET CODE`, one after the other, whatever the chunks.
#[track_caller]
fn finds(input: impl AsRef<[u8]>, expected: &[&str]) {
    let input = input.as_ref();
    for chunk in ["1", "2", "7", "100000"] {
        let output = cat(&["--check", "--json", "--chunk", chunk], input);
        let found = objects(text(&output.stdout));
        let is_bad = found.iter().any(|finding| finding["severity"] != "info");
        let found = found.iter().map(|finding| {
            let code = finding["code"].as_str().unwrap();
            format!("{}:{} {code}", finding["line"], finding["offset"])
        });
        let found: Vec<String> = found.collect();
        let input = String::from_utf8_lossy(input);
        assert_eq!(found, expected, "{input:?} in chunks of {chunk}");
        assert_eq!(output.status.code(), Some(if is_bad { 4 } else { 0 }));
        assert!(text(&output.stderr).starts_with("sse-cat: checked bytes: "));
    }
}

/// Returns the messages about the input.
#[track_caller]
fn messages(input: impl AsRef<[u8]>) -> Vec<String> {
    let output = cat(&["--check", "--json"], input);
    let found = objects(text(&output.stdout)).into_iter();
    found
        .map(|finding| finding["message"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_valid_stream_has_no_findings() {
    for input in [
        "",
        "\n",
        ": hello\n",
        ": the last comment is not complete",
        "retry: 3000\n: c\nevent: e\nid: 1\ndata: a:b\ndata\ndata: žluť\n\nevent\nid\ndata:\n\n",
        "data: a\r\n\r\nretry: 10\r\n",
        "event: e\n: comment\ndata: x\n\n\n\n",
    ] {
        finds(input, &[]);
    }
    // The demo.
    let output = program::run(&mut sse_cat(&["--check"]), b"");
    assert_eq!(text(&output.stdout), "");
    assert_eq!(
        text(&output.stderr),
        "sse-cat: checked bytes: 950, lines: 57, events: 12; found errors: 0, warnings: 0, infos: 0\n"
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn each_finding_is_a_line_with_place_severity_code_and_message() {
    let path = file("check_each_finding.sse", b"data: x\r\n\r\nData: y\x1B\n\n");
    let output = sse_cat(&["--check"]).arg(&path).output().unwrap();
    assert_eq!(
        text(&output.stdout),
        "3:11: warning: unknown-field: unknown field \"Data\": field names are in lower case and \
         without blanks: \"Data: y\\u{1b}\"\n\
         3:11: info: mixed-line-terminators: this line ends with LF, the first one with CRLF \
         (reported once)\n"
    );
    assert_eq!(
        text(&output.stderr),
        "sse-cat: checked bytes: 21, lines: 4, events: 1; found errors: 0, warnings: 1, infos: 1\n"
    );
    assert_eq!(output.status.code(), Some(4));
    let output = sse_cat(&["--check", "--json"]).arg(&path).output().unwrap();
    assert_eq!(
        objects(text(&output.stdout))[0],
        json!({ "line": 3, "offset": 11, "severity": "warning", "code": "unknown-field",
            "message": "unknown field \"Data\": field names are in lower case and without blanks: \"Data: y\\u{1b}\"" })
    );
}

#[test]
fn messages_cannot_send_commands_to_the_terminal() {
    let output = cat(
        &["--check"],
        ":\nA\u{1B}[2J: b\n\u{1B}[2J\nid: \u{9B}1m\nevent: \u{7}\n\nretry: \u{7}\n",
    );
    let printed = text(&output.stdout);
    assert_eq!(printed.lines().count(), 5);
    assert!(
        printed
            .chars()
            .all(|char| char == '\n' || !char.is_control())
    );
}

#[test]
fn ignored_lines() {
    finds("data: x\nname: y\n\n", &["2:8 unknown-field"]);
    finds("data: x\r\n data: y\r\n\r\n", &["2:9 unknown-field"]);
    finds("data: x\ndat\n\n", &["2:8 no-colon"]);
    for retry in [
        "retry",
        "retry:",
        "retry: -1",
        "retry: 1.5",
        "retry:  1",
        "retry: 5s",
    ] {
        finds(format!(":\n{retry}\n"), &["2:2 invalid-retry"]);
    }
    finds("id: a\0b\ndata: x\n\n", &["1:0 nul-in-id"]);
    finds(
        "data: a\n\nid: 1\nevent: e\nretry: 5\n\n",
        &["4:15 type-without-data"],
    );
    // The last type counts, and an empty one is no type.
    finds(
        "event: e\nevent\n\nevent: f\nevent: g\n\n",
        &["5:25 type-without-data"],
    );
    assert_eq!(
        messages(":\n\u{FEFF}data: y\nDATA : y\nda ta: y\n\n"),
        [
            "unknown field \"\u{FEFF}data\": it contains a byte order mark, which is removed only at \
             the start of the stream: \"\u{FEFF}data: y\"",
            "unknown field \"DATA \": field names are in lower case and without blanks: \"DATA : y\"",
            "unknown field \"da ta\": \"da ta: y\"",
        ]
    );
}

#[test]
fn an_input_that_ends_too_early() {
    finds("data: a\n\nid: 1\ndata: b\n", &["3:9 unfinished-event"]);
    finds("data: a\n\nid: 1\ndata: b", &["3:9 unfinished-event"]);
    finds(
        "data: a\ndata: b",
        &["2:8 unfinished-line", "1:0 unfinished-event"],
    );
    finds("data: a\n\nretry: 5", &["3:9 unfinished-line"]);
    finds("data: a\n\nid: 1\n", &["3:9 unfinished-event"]);
    finds("data: a\n\nid: 1", &["3:9 unfinished-event"]);
    finds(
        "id: 1\nid: \0\n",
        &["2:6 nul-in-id", "1:0 unfinished-event"],
    );
    finds("data: a\n\nid: \0\nretry: 1\n: c", &["3:9 nul-in-id"]);
    finds(b"data: a\n\n\xEF", &["3:9 unfinished-line"]);
    finds(
        b"data: a\n\nid: 1\n\xF0\x9F",
        &["4:15 unfinished-line", "3:9 unfinished-event"],
    );
    // Nothing is lost, but the type has no effect.
    for end in ["", "retry: 5\n", ": c"] {
        finds(
            format!("data: a\n\nevent: e\n{end}"),
            &["3:9 unfinished-block"],
        );
    }
    // Nothing is lost.
    finds("data: a\n\nretry: 5\n", &[]);
    finds("data: a\n\nevent: e\nevent\n", &[]);
    finds("\u{FEFF}", &["1:0 byte-order-mark"]);
    assert_eq!(
        messages("id: 1\n\nid: 2\n"),
        ["the input ends without the blank line after this block, so its id is not kept"]
    );
    assert_eq!(
        messages(": c\nevent: e\n"),
        ["the input ends inside a block without data, so its type has no effect"]
    );
    assert_eq!(
        messages(b"data: a\n\n\xEF"),
        ["the input ends inside this line, so it is ignored: \"\u{FFFD}\""]
    );
    assert_eq!(
        messages("data: \u{1F3EE}".as_bytes().split_last().unwrap().1),
        ["the input ends inside this line, so it is ignored: \"data: \"; its event is lost"]
    );
}

#[test]
fn byte_order_marks() {
    finds("\u{FEFF}data: x\n\n", &["1:0 byte-order-mark"]);
    finds("\u{FEFF}: x\n", &["1:0 byte-order-mark"]);
    finds(
        "\u{FEFF}\u{FEFF}data: x\n\n: c\n",
        &["1:0 byte-order-mark", "1:0 unknown-field"],
    );
    finds("data: \u{FEFF}x\n\n", &[]);
}

#[test]
fn line_terminators() {
    finds("data: a\r\rdata: b\r\r", &["1:0 bare-cr"]);
    finds(
        "data: a\r\n\r\ndata: b\n\n: c\r\n",
        &["3:11 mixed-line-terminators"],
    );
    finds(
        "data: a\n\n: b\r: c\n",
        &["3:9 bare-cr", "3:9 mixed-line-terminators"],
    );
    // The end decides that this is a bare CR.
    finds(
        "data: a\r\n\r",
        &["2:9 bare-cr", "2:9 mixed-line-terminators"],
    );
    finds("data: a\r\n\r\n", &[]);
}

#[test]
fn invalid_utf_8() {
    finds(b"data: x\ndata: \xFF\n\n", &["2:14 invalid-utf-8"]);
    finds(
        b"\xEF\xBB\xBFdata: \xC3(\xC3(\n\n",
        &["1:0 byte-order-mark", "1:9 invalid-utf-8"],
    );
    finds(b"data: x\xF0\x9F\n\n", &["1:7 invalid-utf-8"]);
    finds("data: žluť \u{FFFD} 🏮\n\n", &[]);
    assert_eq!(
        messages(b"data: \xFF\xF0\x9F\x8Fa\xFE\n\n"),
        ["invalid UTF-8 from byte 0xFF; characters of this line that become U+FFFD: 3"]
    );
}

#[test]
fn values_of_retry() {
    finds("retry: 0\n", &["1:0 retry-zero"]);
    finds("retry: 000\n", &["1:0 retry-zero"]);
    finds("retry: 86400001\n", &["1:0 retry-too-long"]);
    let digits = "9".repeat(100);
    finds(format!("retry: {digits}\n"), &["1:0 retry-too-long"]);
    finds("retry: 1\nretry: 0086400000\n", &[]);
}

#[test]
fn ids_that_clients_cannot_send_back() {
    for control in ["\u{1}", "\u{1F}", "\u{7F}"] {
        finds(
            format!("id: a{control}b\ndata: x\n\n"),
            &["1:0 id-not-sendable"],
        );
    }
    finds("id: a\tb\ndata: x\n\n", &[]);
    finds("id: a\ndata: \u{1}\n\n", &[]);
    let id = "x".repeat(4096);
    finds(format!("id: {id}\n\n"), &[]);
    finds(format!("id: {id}x\n\n"), &["1:0 id-too-long"]);
    // Once.
    finds("id: č1\n\nid: č2\n\n", &["1:0 id-not-ascii"]);
    finds("id:  1\n\nid: 1 \n\n", &["1:0 id-blanks"]);
}

#[test]
fn events_that_are_too_large() {
    let input = "data: 123\n\ndata: 1234\ndata: 5\n\ndata: 1\n\n: a long comment\n";
    let output = cat(&["--check", "--max-event", "3"], input);
    assert_eq!(
        text(&output.stdout),
        "3:11: warning: event-too-large: event exceeds the limit of 3 bytes in its data, so it is skipped; see \
         --max-event\n"
    );
    assert!(text(&output.stderr).contains("lines: 8, events: 2;"));
    finds(input, &[]);
}

#[test]
fn ignored_lines_that_are_too_large() {
    for line in ["long: 1", "retry: yyyy", "no colon"] {
        let output = cat(
            &["--check", "--max-event", "3"],
            format!("data: 1\n\n{line}\n: long comment\n"),
        );
        assert_eq!(
            text(&output.stdout),
            format!(
                "3:9: warning: ignored-line: ignored line exceeds the limit of 3 bytes, together \
                 with the unfinished event: \"{line}\"\n"
            )
        );
    }
}

#[test]
fn a_line_longer_than_the_limit_keeps_its_place_and_no_half_characters() {
    // Cut inside a character.
    let line = format!(": {}", "ž".repeat(100_000));
    let output = cat(
        &["--check", "--max-event", "3", "--chunk", "5001"],
        format!("{line}\nx\n"),
    );
    let printed = text(&output.stdout);
    assert!(
        printed.starts_with("2:200003: warning: no-colon: "),
        "{printed}"
    );
    assert_eq!(printed.lines().count(), 1);
}

#[test]
fn something_else_than_an_event_stream_is_one_finding() {
    finds("{\"error\": 1}", &["1:0 no-event-stream"]);
    finds("<!doctype html>\n<p>\n\n</p>", &["1:0 no-event-stream"]);
    finds("\n\nx\n", &["1:0 no-event-stream"]);
    finds("retry: 5 s\n", &["1:0 no-event-stream"]);
    assert_eq!(
        messages("<html>\n<p>\n"),
        ["no event stream: clients ignore each line; the first one: \"<html>\""]
    );
    // A single recognized line makes it an event stream.
    finds(
        "<p>\n</p>\ndata:",
        &["1:0 no-colon", "2:4 no-colon", "3:9 unfinished-event"],
    );
    finds("\n\n", &[]);
    // The findings are not collected for ever.
    let output = cat(&["--check", "--json"], "x\n".repeat(1000));
    let found = objects(text(&output.stdout));
    assert_eq!(found.len(), 1001);
    assert_eq!(found[1000]["code"], "no-event-stream");
}

#[test]
fn silence_on_standard_input_is_reported_while_it_lasts() {
    let mut child = Interactive::start(sse_cat(&["--check", "--heartbeat", "1"]).arg("-"));
    let start = child.read_line();
    assert!(
        start.starts_with("1:0: warning: silence: nothing arrived for 1 s since the start"),
        "{start}"
    );
    child.write(b"data: a\n\n");
    let later = child.read_line();
    assert!(
        later.starts_with("3:9: warning: silence: nothing arrived for 1 s after this byte"),
        "{later}"
    );
}

#[test]
fn silence_can_be_allowed() {
    let mut cat = Cat::new(&["--check", "--heartbeat", "0", "-"]);
    thread::sleep(Duration::from_millis(1200));
    cat.gets_input("data: a\n\n");
    cat.reports("checked bytes: 9, lines: 2, events: 1; found errors: 0, warnings: 0, infos: 0");
    cat.ends(0);
}

#[test]
fn the_check_of_an_open_pipe_ends_after_the_given_time_without_what_is_unfinished() {
    let mut child = program::spawn(&mut sse_cat(&["--check", "--for", "3", "-"]));
    // The pipe must stay open until the child has ended.
    let mut stdin = child.stdin.take().unwrap();
    stdin
        .write_all(b"data: a\n\ndata: half\nhalf a li")
        .unwrap();
    let code = child.wait().unwrap().code();
    drop(stdin);
    assert_eq!(code, Some(0));
}

#[test]
fn the_check_of_a_busy_pipe_ends_after_the_given_time() {
    let mut child = program::spawn(&mut sse_cat(&["--check", "--for", "2", "-"]));
    let mut stdin = child.stdin.take().unwrap();
    let writer = thread::spawn(move || while stdin.write_all(b"data: a\n\n").is_ok() {});
    assert_eq!(child.wait().unwrap().code(), Some(0));
    writer.join().unwrap();
}

#[test]
fn what_is_no_input_and_no_check_is_rejected() {
    for (args, code) in [
        (&["--check", "no/such/file"][..], 1),
        (&["--check", "--comments", "-"], 2),
        (&["--check", "--times", "-"], 2),
        (&["--heartbeat", "1", "-"], 2),
        (&["--check", "--heartbeat", "1", "file"], 2),
        (&["--check", "--for", "1", "file"], 2),
        (&["--for", "1", "-"], 2),
    ] {
        let output = program::run(&mut sse_cat(args), b"");
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        assert_eq!(text(&output.stdout), "", "{args:?}");
    }
}
