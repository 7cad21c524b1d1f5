//! `sse-cat` on files: the real program in a child process.

#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use std::{
    fs::File,
    io::{Read, Write},
    process::Stdio,
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use support::{
    cat, file, objects,
    program::{self, Interactive},
    sse_cat, text,
};

const DEMO: &[u8] = include_bytes!("../src/demo.sse");

/// Asserts success without messages; returns standard output.
#[track_caller]
fn printed(args: &[&str], input: impl AsRef<[u8]>) -> String {
    let output = cat(args, input);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    text(&output.stdout).to_owned()
}

#[test]
fn without_arguments_the_demo_is_printed() {
    let output = program::run(&mut sse_cat(&[]), b"data: not read\n\n");
    assert_eq!(text(&output.stderr), "");
    assert!(output.status.success());
    assert_eq!(text(&output.stdout), printed(&[], DEMO));
    assert!(text(&output.stdout).starts_with("start  (id 1)\n    {\"model\":"));
    assert!(text(&output.stdout).ends_with("message  (id 11)\n    [DONE]\n"));
}

#[test]
fn the_demo_is_that_of_the_sse_proto_package() {
    // A package cannot include a file of another package.
    let original = include_bytes!("../../../examples/data/llm-chat.sse");
    assert_eq!(DEMO, original);
}

#[test]
fn the_demo_has_one_of_everything() {
    let items = objects(&printed(&["--json", "--comments"], DEMO));
    let events = items
        .iter()
        .filter(|item| item["event"].is_string())
        .count();
    let comments = items
        .iter()
        .filter(|item| item["comment"].is_string())
        .count();
    assert_eq!((items.len(), events, comments), (16, 12, 3));
    assert_eq!(items[0], json!({ "retry": 3000 }));
    assert!(items.iter().any(|item| {
        item["data"]
            .as_str()
            .is_some_and(|data| data.contains('\n'))
    }));
    // Each delta is a JSON document.
    let text: String = items
        .iter()
        .filter(|item| item["event"] == "delta")
        .map(|item| serde_json::from_str::<Value>(item["data"].as_str().unwrap()).unwrap())
        .map(|delta| delta["text"].as_str().unwrap().to_owned())
        .collect();
    assert!(text.starts_with("Servers can whisper too: one long answer, many small pieces. 🏮"));
    assert!(text.contains("一行一行、届く。"));
}

#[test]
fn a_file_is_read() {
    let path = file("a_file_is_read.sse", b"data: from a file\n\n");
    let output = sse_cat(&[]).arg(path).output().unwrap();
    assert_eq!(text(&output.stdout), "message\n    from a file\n");
    assert!(output.status.success());
}

#[test]
fn events_are_readable_by_default() {
    let input = "\u{FEFF}: note\nretry: 5\nid: 7\nevent: greeting\ndata: one\ndata:\ndata:  three\n\ndata\r\rid\rdata: x\r\n\n";
    assert_eq!(
        printed(&[], input),
        "greeting  (id 7)\n    one\n    \n     three\nmessage  (id 7)\n    \nmessage\n    x\n"
    );
}

#[test]
fn json_is_one_object_per_line_with_its_keys_in_order() {
    let input = ": note\nretry: 5\nid: 7\nevent: e\ndata: a \"q\" \\\ndata: ž\u{1}\n\ndata:x\n\n";
    assert_eq!(
        printed(&["--json"], input),
        "{\"event\":\"e\",\"data\":\"a \\\"q\\\" \\\\\\nž\\u0001\",\"lastEventId\":\"7\"}\n\
         {\"event\":\"message\",\"data\":\"x\",\"lastEventId\":\"7\"}\n"
    );
}

#[test]
fn comments_and_retry_lines_are_printed_if_requested() {
    let input =
        ": ping\n:\ndata: x\n:within\nretry: 10\nretry: no\n\nretry: 18446744073709551616\n";
    assert_eq!(printed(&[], input), "message\n    x\n");
    assert_eq!(
        printed(&["--comments"], input),
        ": ping\n:\n:within\nretry: 10 ms\nmessage\n    x\nretry: 18446744073709551615 ms\n"
    );
    assert_eq!(
        objects(&printed(&["--comments", "--json"], input)),
        [
            json!({ "comment": " ping" }),
            json!({ "comment": "" }),
            json!({ "comment": "within" }),
            json!({ "retry": 10 }),
            json!({ "event": "message", "data": "x", "lastEventId": "" }),
            json!({ "retry": u64::MAX }),
        ]
    );
}

#[test]
fn the_output_does_not_depend_on_chunks() {
    let whole = printed(&["--json", "--comments"], DEMO);
    let mut sizes: Vec<usize> = (1..=70).collect();
    sizes.extend([255, 256, 257, 1000, DEMO.len() - 1, DEMO.len(), usize::MAX]);
    for size in sizes {
        let size = size.to_string();
        assert_eq!(
            printed(&["--json", "--comments", "--chunk", &size], DEMO),
            whole,
            "in chunks of {size}"
        );
    }
}

#[test]
fn input_larger_than_any_buffer_is_read_to_its_end() {
    let input: String = (0..20_000)
        .map(|n| format!("id: {n}\ndata: {n} žluť\n\n"))
        .collect();
    let printed = printed(&["--json"], &input);
    assert_eq!(printed.lines().count(), 20_000);
    assert_eq!(
        printed.lines().next_back(),
        Some(r#"{"event":"message","data":"19999 žluť","lastEventId":"19999"}"#)
    );
}

#[test]
fn events_are_printed_while_the_input_is_still_open() {
    for args in [&[][..], &["--chunk", "1"]] {
        let mut child = Interactive::start(sse_cat(args).arg("-"));
        child.write(b"data: fi");
        child.write(b"rst\n\ndata: sec");
        assert_eq!(child.read_line(), "message");
        assert_eq!(child.read_line(), "    first");
        // A lone CR ends a line, whatever follows.
        child.write(b"ond\r\r");
        assert_eq!(child.read_line(), "message");
        assert_eq!(child.read_line(), "    second");
        child.write(b"\n");
        assert_eq!(child.end(), [""; 0]);
    }
}

#[test]
fn it_ends_without_a_message_when_standard_output_is_closed() {
    let path = file(
        "a_reader_that_goes_away.sse",
        &b"data: again and again\n\n".repeat(200_000),
    );
    let mut child = program::spawn(sse_cat(&[]).arg(path));
    let mut first = [0; 8];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(&first, b"message\n");
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn it_ends_at_the_next_event_when_standard_output_is_closed() {
    let mut child = program::spawn(&mut sse_cat(&["--json", "-"]));
    drop(child.stdout.take());
    // The pipe must stay open until the child has ended. Another test that starts a child at this
    // moment may keep standard output open a little longer, so one event may not be enough.
    let mut stdin = child.stdin.take().unwrap();
    while child.try_wait().unwrap().is_none() {
        let _ = stdin.write_all(b"data: x\n\n");
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_missing_file_is_named() {
    let output = sse_cat(&["no/such/file.sse"]).output().unwrap();
    assert_eq!(text(&output.stdout), "");
    assert!(text(&output.stderr).starts_with("sse-cat: no/such/file.sse: No such file"));
    assert_eq!(text(&output.stderr).lines().count(), 1);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_directory_is_rejected() {
    let output = sse_cat(&[env!("CARGO_MANIFEST_DIR")]).output().unwrap();
    assert_eq!(text(&output.stdout), "");
    assert!(text(&output.stderr).starts_with(concat!(
        "sse-cat: ",
        env!("CARGO_MANIFEST_DIR"),
        ": "
    )));
    assert_eq!(output.status.code(), Some(1));
}

#[cfg(unix)]
#[test]
fn standard_input_that_cannot_be_read_is_reported() {
    let directory = File::open(env!("CARGO_MANIFEST_DIR")).unwrap();
    let output = sse_cat(&["-"]).stdin(directory).output().unwrap();
    assert!(text(&output.stderr).starts_with("sse-cat: standard input: Is a directory"));
    assert_eq!(output.status.code(), Some(1));
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_reported() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = sse_cat(&[])
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert!(text(&output.stderr).starts_with("sse-cat: standard output: No space left"));
    assert_eq!(output.status.code(), Some(1));
}

#[cfg(target_os = "linux")]
#[test]
fn the_file_may_be_a_device() {
    let output = program::run(&mut sse_cat(&["/dev/stdin"]), b"data: x\n\n");
    assert_eq!(text(&output.stdout), "message\n    x\n");
}

#[test]
fn a_too_large_event_is_reported_and_the_rest_still_printed() {
    let input = "id: 1\ndata: 12345678\n\nid: 2\ndata: 123456789\ndata: more\n\ndata: after\n\n";
    for chunk in ["1", "2", "1000"] {
        let output = cat(&["--max-event", "9", "--chunk", chunk], input);
        // The ID of the skipped event counts, so that a reconnect does not request it again.
        assert_eq!(
            text(&output.stdout),
            "message  (id 1)\n    12345678\nmessage  (id 2)\n    after\n"
        );
        assert_eq!(
            text(&output.stderr),
            "sse-cat: event exceeds the limit of 9 bytes in its data\n"
        );
        assert_eq!(output.status.code(), Some(3));
    }
}

#[test]
fn each_too_large_event_is_reported_once() {
    let output = cat(
        &["--max-event", "3"],
        "data:1234\n\ndata:123\n\ndata:12\ndata:45\n\n",
    );
    assert_eq!(text(&output.stdout), "message\n    123\n");
    assert_eq!(text(&output.stderr).lines().count(), 2);
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn comments_that_are_not_printed_are_never_too_large() {
    let input = ": far too long for this limit\ndata: x\n\n";
    assert_eq!(printed(&["--max-event", "9"], input), "message\n    x\n");
    let output = cat(&["--max-event", "9", "--comments"], input);
    assert_eq!(text(&output.stdout), "message\n    x\n");
    assert_eq!(output.status.code(), Some(3));
    // Ignored lines are never printed.
    let input = "ignored: far too long for this limit\ndata: x\n\n";
    let args = ["--max-event", "9", "--comments"];
    assert_eq!(printed(&args, input), "message\n    x\n");
}

#[test]
fn an_event_that_the_end_cuts_off_is_not_printed_but_reported() {
    for input in ["data: whole\n\ndata: part\n", "data: whole\n\ndata: part"] {
        let output = cat(&[], input);
        assert_eq!(text(&output.stdout), "message\n    whole\n");
        assert!(text(&output.stderr).contains("--finish"));
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn finish_prints_an_event_that_the_end_cuts_off() {
    let whole = "message\n    whole\n";
    for part in [
        "data: part\n",
        "data: part",
        "data: part\r",
        "data: part\r\n",
    ] {
        assert_eq!(
            printed(&["--finish"], format!("data: whole\n\n{part}")),
            format!("{whole}message\n    part\n")
        );
    }
    for nothing in ["", ": comment", "event: e", "id: 4\n", "\n", "dat"] {
        assert_eq!(
            printed(&["--finish"], format!("data: whole\n\n{nothing}")),
            whole
        );
        assert_eq!(printed(&[], format!("data: whole\n\n{nothing}")), whole);
    }
    assert_eq!(
        printed(
            &["--finish", "--json"],
            "id: 1\nevent: e\ndata: cut \u{17E}"
        ),
        "{\"event\":\"e\",\"data\":\"cut \u{17E}\",\"lastEventId\":\"1\"}\n"
    );
}

#[test]
fn an_event_that_only_the_end_completes_makes_an_event_stream() {
    let input = "foo\ndata";
    assert_eq!(printed(&["--finish"], input), "message\n    \n");
    let output = cat(&[], input);
    assert!(text(&output.stderr).contains("--finish"), "{output:?}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn finish_reports_an_event_that_is_too_large_at_the_end() {
    // Cut off inside a character, which counts as U+FFFD, three bytes.
    let output = cat(&["--finish", "--max-event", "5"], b"data:abc\xF0\x9F\x8F");
    assert_eq!(text(&output.stdout), "");
    assert_eq!(
        text(&output.stderr),
        "sse-cat: event exceeds the limit of 5 bytes in its data\n"
    );
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn the_stream_can_start_with_an_id() {
    assert_eq!(
        printed(&["--last-event-id", "…41"], "data: x\n\nid\ndata: y\n\n"),
        "message  (id …41)\n    x\nmessage\n    y\n"
    );
    // The limit is for events; the ID may be longer.
    assert_eq!(
        printed(
            &["--last-event-id", "12345", "--max-event", "4"],
            "data: x\n\n"
        ),
        "message  (id 12345)\n    x\n"
    );
}

#[test]
fn a_stream_cannot_send_commands_to_the_terminal() {
    let input = "id: \u{7}7\nevent: \u{1b}[31mred\n:\u{1b}]0;title\u{7}\ndata: a\tb\u{1b}[2J\u{8}\u{7f}\u{9b}1m\0\u{85}\ndata: žluť 🏮\n\n";
    let printed = printed(&["--comments"], input);
    assert_eq!(
        printed,
        ":\\u{1b}]0;title\\u{7}\n\
         \\u{1b}[31mred  (id \\u{7}7)\n    \
             a\tb\\u{1b}[2J\\u{8}\\u{7f}\\u{9b}1m\\u{0}\\u{85}\n    \
             žluť 🏮\n"
    );
    assert!(
        printed
            .chars()
            .all(|char| matches!(char, '\n' | '\t') || !char.is_control())
    );
}

#[test]
fn invalid_utf_8_is_replaced() {
    assert_eq!(
        printed(&[], b"data: \xFF\xC3(\xF0\x9F\n\ndata: on\n\n"),
        "message\n    \u{FFFD}\u{FFFD}(\u{FFFD}\nmessage\n    on\n"
    );
}

#[test]
fn an_empty_input_prints_nothing() {
    assert_eq!(printed(&[], ""), "");
    assert_eq!(printed(&["--json", "--comments", "--finish"], ""), "");
}

#[test]
fn an_input_that_is_no_event_stream_is_reported() {
    for input in ["{\"error\":1}", "<html>\n</html>\n"] {
        let output = cat(&[], input);
        assert_eq!(text(&output.stdout), "");
        assert_eq!(
            text(&output.stderr),
            "sse-cat: standard input: no event stream: all of its lines are ignored\n"
        );
        assert_eq!(output.status.code(), Some(1));
    }
    assert_eq!(printed(&[], "<html>\n: comment\n"), "");
}

#[test]
fn wrong_arguments_are_rejected() {
    for args in [
        &["--chunk", "0"][..],
        &["--chunk", "-1"],
        &["--chunk", "many"],
        &["--max-event", "1.5"],
        &["--max-event"],
        &["--no-such-flag"],
        &["one", "two"],
    ] {
        let output = sse_cat(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert_eq!(text(&output.stdout), "");
        assert!(text(&output.stderr).starts_with("error: "), "{args:?}");
    }
}

#[test]
fn the_help_lists_every_option_and_the_exit_codes() {
    let output = sse_cat(&["--help"]).output().unwrap();
    assert!(output.status.success());
    for word in [
        "[URL|FILE]",
        "--json",
        "--comments",
        "--chunk",
        "--max-event",
        "--finish",
        "--last-event-id",
        "--once",
        "--header",
        "--data",
        "--request",
        "--timeout",
        "--check",
        "--heartbeat",
        "--times",
        "--for",
        "record",
        "replay",
        "Exit code",
        "standard input",
        "16 MiB",
    ] {
        assert!(text(&output.stdout).contains(word), "{word}");
    }
}
