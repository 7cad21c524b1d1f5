//! `sse-cat --times`. What is asserted of times is their order.

#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use serde_json::{Value, json};
use support::{Cat, STREAM, Server, cat, objects, program, sse_cat, text};

/// Removes the times of each line, which must not decrease, and must have these gaps.
#[track_caller]
fn without_times(lines: &str) -> Vec<Value> {
    let mut lines = objects(lines);
    let mut last = [0.0, 0.0];
    for line in &mut lines {
        let object = line.as_object_mut().unwrap();
        let mut seconds = |key| object.remove(key).unwrap().as_f64().unwrap();
        let (at, gap) = (seconds("at"), seconds("gap"));
        // Items and chunks are two sequences.
        let last = &mut last[usize::from(object.contains_key("chunk"))];
        assert!(
            (at - *last - gap).abs() < 3e-6,
            "{at} - {last} is not {gap}"
        );
        *last = at;
    }
    lines
}

const STREAM_TEXT: &str =
    "retry: 5\n: c\nid: 1\ndata: a\n\nignored: x\ndata: \u{1F3EE}\r\n\r\n: last\n";

#[test]
fn items_have_the_length_of_all_bytes_since_the_last_one() {
    for chunk in ["1", "3", "1000"] {
        let output = cat(&["--times", "--json", "--chunk", chunk], STREAM_TEXT);
        let lines = without_times(text(&output.stdout));
        let (chunks, items): (Vec<Value>, Vec<Value>) =
            lines.into_iter().partition(|line| line["chunk"].is_u64());
        assert_eq!(
            items,
            [
                json!({ "event": "message", "data": "a", "lastEventId": "1", "bytes": 28 }),
                json!({ "event": "message", "data": "\u{1F3EE}", "lastEventId": "1", "bytes": 25 }),
            ]
        );
        // Those of the input, not of --chunk.
        let bytes = chunks.iter().map(|chunk| chunk["bytes"].as_u64().unwrap());
        assert_eq!(bytes.sum::<u64>(), STREAM_TEXT.len() as u64);
        assert!(chunks.len() < STREAM_TEXT.len() / 3);
    }
    let output = cat(&["--times", "--json", "--comments"], STREAM_TEXT);
    let lines = without_times(text(&output.stdout)).into_iter();
    let lengths = lines.filter(|line| line["chunk"].is_null());
    let lengths: Vec<u64> = lengths
        .map(|item| item["bytes"].as_u64().unwrap())
        .collect();
    assert_eq!(lengths, [9, 4, 15, 25, 7]);
}

#[test]
fn an_event_that_is_too_large_does_not_count_for_the_next_one() {
    let rest = "data: more\n".repeat(10);
    let input = format!("data: 1\n\ndata: 12345\n{rest}\ndata: 2\n\n");
    let output = cat(&["--times", "--json", "--max-event", "4"], &input);
    let lines = without_times(text(&output.stdout)).into_iter();
    let items: Vec<Value> = lines.filter(|line| line["chunk"].is_null()).collect();
    assert_eq!(items[0]["bytes"], 9);
    assert_eq!((&items[1]["data"], items.len()), (&json!("2"), 2));
    // It is reported as soon as it exceeds the limit, and skipped up to its end after that.
    let bytes = items[1]["bytes"].as_u64().unwrap() as usize;
    assert!(
        (rest.len() + 10..input.len() - 9).contains(&bytes),
        "{bytes}"
    );
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn the_readable_output_has_a_column_for_each_number() {
    let output = cat(&["--times", "--finish"], "event: e\ndata: a\n\ndata: b");
    let lines: Vec<&str> = text(&output.stdout).lines().collect();
    let numbers = |line: &str| {
        let parts: Vec<&str> = line.split_whitespace().collect();
        let [at, "s", gap, "s", bytes, "B", rest @ ..] = &parts[..] else {
            panic!("{line}");
        };
        assert!(at.parse::<f64>().is_ok_and(|at| at >= 0.0));
        assert!(gap.starts_with('+') && gap.parse::<f64>().is_ok());
        format!("{bytes} {}", rest.join(" "))
    };
    assert_eq!(numbers(lines[0]), "25 (chunk 1)");
    assert_eq!(numbers(lines[1]), "18 e");
    assert_eq!(lines[2], "    a");
    assert_eq!(numbers(lines[3]), "7 message");
    assert_eq!(lines[4], "    b");
}

#[test]
fn the_chunks_of_a_file_are_not_printed() {
    let output = program::run(&mut sse_cat(&["--times", "--json"]), b"");
    let lines = without_times(text(&output.stdout));
    assert_eq!(lines.len(), 12);
    assert!(lines.iter().all(|line| line["event"].is_string()));
}

#[test]
fn the_chunks_of_a_url_are_printed_at_once_and_counted_across_connections() {
    let server = Server::new();
    let mut cat = Cat::new(&["--times", "--json", &server.url("/")]);
    let mut peer = server.accept();
    peer.send(STREAM).send("retry: 100\n: c\nda");
    let chunk = |line: String| without_times_of(&line);
    assert_eq!(chunk(cat.line()), json!({ "chunk": 1, "bytes": 17 }));
    peer.send("ta: a");
    assert_eq!(chunk(cat.line()), json!({ "chunk": 2, "bytes": 5 }));
    peer.send("\n\ndata: cut off");
    assert_eq!(chunk(cat.line()), json!({ "chunk": 3, "bytes": 15 }));
    let event = json!({ "event": "message", "data": "a", "lastEventId": "", "bytes": 24 });
    assert_eq!(chunk(cat.line()), event);
    peer.close();
    let mut peer = server.accept();
    peer.send(STREAM).send("data: b\n\n");
    assert_eq!(chunk(cat.line()), json!({ "chunk": 4, "bytes": 9 }));
    let event = json!({ "event": "message", "data": "b", "lastEventId": "", "bytes": 9 });
    assert_eq!(chunk(cat.line()), event);
}

fn without_times_of(line: &str) -> Value {
    let mut line: Value = serde_json::from_str(line).unwrap();
    let object = line.as_object_mut().unwrap();
    for key in ["at", "gap"] {
        assert!(object.remove(key).unwrap().is_f64());
    }
    line
}
