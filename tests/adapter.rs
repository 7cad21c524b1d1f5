//! Runs `examples/adapter` in a child process and checks that it follows the protocol of the
//! conformance suite.
#![cfg(feature = "alloc")]

#[path = "support/program.rs"]
#[expect(dead_code, reason = "it serves the tests of other programs, too")]
mod program;

use std::{path::PathBuf, process::Command, sync::LazyLock};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use program::Interactive;
use serde_json::{Value, json};

static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| program::build("adapter"));

/// Runs the adapter with `lines` as its input and returns its answers.
#[track_caller]
fn answers(lines: impl AsRef<[u8]>) -> Vec<Value> {
    let output = program::run(&mut Command::new(&*PROGRAM), lines.as_ref());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).expect("answers are UTF-8");
    assert!(lines.is_empty() || lines.ends_with('\n'));
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[track_caller]
fn answer(line: impl AsRef<[u8]>) -> Value {
    let mut answers = answers(line);
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

fn encoded<const N: usize>(chunks: [impl AsRef<[u8]>; N]) -> Value {
    chunks.iter().map(|chunk| BASE64.encode(chunk)).collect()
}

/// A request to decode `chunks`, with the additional keys of `more`.
fn request<const N: usize>(chunks: [impl AsRef<[u8]>; N], more: Value) -> String {
    let mut request = json!({ "case": 1, "kind": "decode", "chunks": encoded(chunks) });
    for (key, value) in more.as_object().unwrap() {
        request[key] = value.clone();
    }
    request.to_string()
}

fn message(data: &str, last_event_id: &str) -> Value {
    json!({ "event": "message", "data": data, "lastEventId": last_event_id })
}

#[track_caller]
fn assert_refused(line: impl AsRef<[u8]>, case: Value, why: &str) {
    let answer = answer(line);
    assert_eq!(answer["case"], case, "{answer}");
    assert_eq!(answer.as_object().unwrap().len(), 2, "{answer}");
    let error = answer["error"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer}"));
    assert!(error.contains(why), "{answer}");
}

const TOO_LARGE: &str = "event-too-large";

#[test]
fn each_chunk_lists_the_items_it_completed() {
    assert_eq!(
        answer(request(
            [
                &b"data: a\n"[..],
                b"\n",
                b"",
                b": hi\nretry: 30",
                b"00\nevent: e\nid: 7\ndata: \xC5",
                b"\xBE\r\r",
                b"\ndata: lost"
            ],
            json!({})
        )),
        json!({
            "case": 1,
            "chunks": [
                [],
                [message("a", "")],
                [],
                [{ "comment": " hi" }],
                [{ "retry": 3000 }],
                [{ "event": "e", "data": "ž", "lastEventId": "7" }],
                [],
            ],
            "lastEventId": "7",
        })
    );
}

#[test]
fn no_chunks_give_no_item_lists() {
    let none: [&str; 0] = [];
    assert_eq!(
        answer(request(none, json!({}))),
        json!({ "case": 1, "chunks": [], "lastEventId": "" })
    );
}

#[test]
fn the_last_event_id_is_set_and_reported() {
    for storage in ["heap", "fixed"] {
        let more = json!({ "lastEventId": "…1", "storage": storage });
        assert_eq!(
            answer(request(
                ["data:x\n\n", "id:2\n\n", "id:never committed\n"],
                more
            )),
            json!({ "case": 1, "chunks": [[message("x", "…1")], [], []], "lastEventId": "2" })
        );
    }
}

#[test]
fn a_retry_is_exact_up_to_64_bits() {
    let answer = answer(request(
        [
            "retry:9007199254740993\nretry:18446744073709551615\nretry:18446744073709551616\nretry:0\n",
        ],
        json!({}),
    ));
    assert_eq!(
        answer["chunks"],
        json!([[{ "retry": 9_007_199_254_740_993_u64 }, { "retry": u64::MAX }, { "retry": u64::MAX }, { "retry": 0 }]])
    );
}

#[test]
fn an_event_over_the_limit_is_an_error_item_and_decoding_continues() {
    for storage in ["heap", "fixed"] {
        let more = json!({ "limit": 3, "storage": storage });
        assert_eq!(
            answer(request(
                ["data:abc\n\n", "data:abcd", "e\ndata:f\n\ndata:g\n\n"],
                more
            ))["chunks"],
            json!([[message("abc", "")], [{ "error": TOO_LARGE }], [message("g", "")]]),
            "{storage}"
        );
    }
}

#[test]
fn the_limit_applies_to_the_sum_on_the_heap_and_to_each_region_of_fixed_storage() {
    let chunks = ["event:ab\nid:12\ndata:xyz\n\n"];
    let event = json!([[{ "event": "ab", "data": "xyz", "lastEventId": "12" }]]);
    let error = json!([[{ "error": TOO_LARGE }]]);
    for (storage, limit, expected) in [
        ("heap", 7, &event),
        ("heap", 6, &error),
        ("fixed", 3, &event),
        ("fixed", 2, &error),
    ] {
        let more = json!({ "storage": storage, "limit": limit });
        assert_eq!(
            &answer(request(chunks, more))["chunks"],
            expected,
            "{storage} {limit}"
        );
    }
}

#[test]
fn the_default_limits_are_16_mib_and_1_mib() {
    const MIB: usize = 1024 * 1024;
    for (storage, limit) in [("heap", 16 * MIB), ("fixed", MIB)] {
        let fits = format!("data:{}\n\n", "x".repeat(limit));
        let too_large = format!("data:{}\n\n", "x".repeat(limit + 1));
        let answer = answer(request([fits, too_large], json!({ "storage": storage })));
        assert_eq!(
            answer["chunks"][0][0]["data"].as_str().unwrap().len(),
            limit
        );
        assert_eq!(answer["chunks"][1], json!([{ "error": TOO_LARGE }]));
    }
}

#[test]
fn the_smallest_and_the_largest_limits_work() {
    for storage in ["heap", "fixed"] {
        let more = json!({ "storage": storage, "limit": 0 });
        assert_eq!(
            answer(request(["data\n\ndata:x\n\ndata\n\n"], more))["chunks"],
            json!([[message("", ""), { "error": TOO_LARGE }, message("", "")]]),
            "{storage}"
        );
    }
    let more = json!({ "limit": usize::MAX });
    assert_eq!(
        answer(request(["data:x\n\n"], more))["chunks"],
        json!([[message("x", "")]])
    );
}

#[test]
fn a_limit_larger_than_the_available_memory_is_refused() {
    for limit in [
        json!(usize::MAX),
        json!(usize::MAX / 4 + 1),
        json!(usize::MAX / 4),
        json!(usize::MAX / 8),
    ] {
        assert_refused(
            request(
                ["data:x\n\n"],
                json!({ "storage": "fixed", "limit": limit }),
            ),
            json!(1),
            "limit: ",
        );
    }
    for limit in [json!(-1), json!(1.5), json!("1"), json!(1e30), json!([])] {
        for storage in ["heap", "fixed"] {
            let more = json!({ "storage": storage, "limit": limit });
            assert_refused(request(["data:x\n\n"], more), json!(1), "bad request: ");
        }
    }
}

#[test]
fn an_id_that_does_not_fit_is_refused() {
    let more = json!({ "storage": "fixed", "limit": 4, "lastEventId": "12345" });
    assert_refused(request(["data:x\n\n"], more), json!(1), "lastEventId: ");
}

#[test]
fn details_are_reported_only_if_they_are_asked_for() {
    let chunks = [
        "error: x\nid: 7\n\ndata: y\nid\n\n",
        "data: z\nid: 12345\n\nfoo: much too long\n",
        "data: 1234567890\nevent",
    ];
    let more = |details: Value| {
        json!({
            "storage": "fixed",
            "regions": { "data": 9, "event": 4, "id": 2 },
            "skipLongIds": true,
            "details": details,
        })
    };
    assert_eq!(
        answer(request(chunks, more(json!(true)))),
        json!({
            "case": 1,
            "chunks": [
                [
                    { "ignored": "error: x", "reason": "unknown-field" },
                    { "id": "7" },
                    { "event": "message", "data": "y", "lastEventId": "", "ownId": "" },
                ],
                [
                    { "ignored": "", "reason": "id-too-long" },
                    { "event": "message", "data": "z", "lastEventId": "", "idTooLong": true },
                    { "error": TOO_LARGE, "part": "ignored" },
                ],
                [{ "error": TOO_LARGE, "part": "data" }],
            ],
            "lastEventId": "",
            "state": { "unfinished": "line", "recognized": true, "ignored": true },
        })
    );
    for details in [json!(false), json!(null)] {
        assert_eq!(
            answer(request(chunks, more(details))),
            json!({
                "case": 1,
                "chunks": [[message("y", "")], [message("z", "")], [{ "error": TOO_LARGE }]],
                "lastEventId": "",
            })
        );
    }
}

#[test]
fn regions_that_fixed_storage_cannot_have_are_refused() {
    let refused = |regions: Value, why: &str| {
        let more = json!({ "storage": "fixed", "regions": regions, "details": true });
        assert_refused(request(["data:x\n\n"], more), json!(1), why);
    };
    refused(
        json!({ "data": usize::MAX, "event": 0, "id": 1 }),
        "limit: ",
    );
    refused(json!({ "data": 1, "event": 1 }), "bad request: ");
    refused(json!({ "data": -1, "event": 1, "id": 1 }), "bad request: ");
}

#[test]
fn other_kinds_are_unsupported() {
    for kind in ["", "Decode", "Encode", "Connect", "no such kind"] {
        assert_eq!(
            answer(json!({ "case": 2, "kind": kind, "frames": [], "chunks": "?" }).to_string()),
            json!({ "case": 2, "unsupported": true })
        );
    }
}

#[test]
fn missing_or_invalid_fields_are_refused_with_the_id_of_the_case() {
    for (line, why) in [
        (json!({ "case": 5 }), "kind: "),
        (json!({ "case": 5, "kind": 1 }), "kind: "),
        (json!({ "case": 5, "kind": null, "chunks": [] }), "kind: "),
        (json!({ "case": 5, "kind": "decode" }), "`chunks`"),
        (
            json!({ "case": 5, "kind": "decode", "chunks": "" }),
            "invalid type",
        ),
        (
            json!({ "case": 5, "kind": "decode", "chunks": [1] }),
            "invalid type",
        ),
        (
            json!({ "case": 5, "kind": "decode", "chunks": ["", "YQ="] }),
            "chunks[1]: ",
        ),
        (
            json!({ "case": 5, "kind": "decode", "chunks": ["YQ"] }),
            "chunks[0]: ",
        ),
        (
            json!({ "case": 5, "kind": "decode", "chunks": ["Y Q="] }),
            "chunks[0]: ",
        ),
        (
            json!({ "case": 5, "kind": "decode", "chunks": ["-_-_"] }),
            "chunks[0]: ",
        ),
        (
            json!({ "case": 5, "kind": "decode", "chunks": [], "storage": "disk" }),
            "storage: \"disk\"",
        ),
        (
            json!({ "case": 5, "kind": "decode", "chunks": [], "storage": 1 }),
            "invalid type",
        ),
        (
            json!({ "case": 5, "kind": "decode", "chunks": [], "lastEventId": 1 }),
            "invalid type",
        ),
    ] {
        assert_refused(line.to_string(), json!(5), why);
    }
}

#[test]
fn lines_that_are_not_json_objects_are_refused() {
    for line in [
        &b"nonsense"[..],
        b"{",
        b"{\"case\": 5",
        b"{\"case\": 5, \"kind\": \"decode\"",
        b"[5, \"decode\"]",
        b"5",
        b"null",
        b"\"decode\"",
        b"{} {}",
        b"{\"case\": \"\xFF\"}",
        b"\xFF\xFE",
        b"\0",
        b"\xEF\xBB\xBF{\"case\": 5}",
    ] {
        assert_refused(line, Value::Null, "bad request: ");
    }
    assert_refused("[".repeat(100_000), Value::Null, "bad request: ");
    assert_refused("{}", Value::Null, "kind: ");
}

#[test]
fn invalid_strings_are_refused_with_the_id_of_the_case() {
    for line in [
        &br#"{"case": 5, "kind": "decode", "chunks": [], "lastEventId": "\ud83c"}"#[..],
        br#"{"kind": "\udfee", "chunks": [], "case": 5}"#,
        br#"{"case": 5, "kind": "decode", "chunks": [], "limit": 1e999}"#,
        b"{\"case\": 5, \"kind\": \"decode\", \"chunks\": [], \"lastEventId\": \"\xFF\"}",
    ] {
        assert_refused(line, json!(5), "bad request: ");
    }
    assert_refused(
        br#"{"case": "\ud83c", "kind": "decode"}"#,
        Value::Null,
        "bad request: ",
    );
    // A complete surrogate pair is valid.
    assert_eq!(
        answer(r#"{"case": 5, "kind": "decode", "chunks": [], "lastEventId": "\ud83c\udfee"}"#),
        json!({ "case": 5, "chunks": [], "lastEventId": "🏮" })
    );
}

#[test]
fn the_id_of_the_case_is_echoed_unchanged() {
    for case in [
        "0",
        "-9223372036854775808",
        "9007199254740993",
        "18446744073709551615",
        "1.5",
        "null",
        "true",
        r#""a-name \"ž\" \n""#,
        "[1,[]]",
        r#"{"a":{"b":2}}"#,
    ] {
        for kind in ["decode", "other"] {
            let line = format!(r#"{{"case":{case},"kind":"{kind}","chunks":[]}}"#);
            let output = program::run(&mut Command::new(&*PROGRAM), line.as_bytes());
            let answer = String::from_utf8(output.stdout).unwrap();
            assert!(
                answer.starts_with(&format!(r#"{{"case":{case},"#)),
                "{case}: {answer}"
            );
        }
    }
    assert_eq!(
        answer(r#"{"kind":"decode","chunks":[]}"#),
        json!({ "case": null, "chunks": [], "lastEventId": "" })
    );
}

#[test]
fn unknown_keys_are_ignored() {
    let more =
        json!({ "why": "a note", "final": { "lastEventId": 3 }, "Storage": "disk", "limits": -1 });
    assert_eq!(
        answer(request(["data:x\n\n"], more))["chunks"],
        json!([[message("x", "")]])
    );
}

#[test]
fn null_stands_for_a_default() {
    let more = json!({ "storage": null, "limit": null, "lastEventId": null });
    assert_eq!(
        answer(request(["data:x\n\n"], more))["chunks"],
        json!([[message("x", "")]])
    );
}

#[test]
fn blank_lines_are_ignored() {
    let request = request(["data:x\n\n"], json!({}));
    assert_eq!(
        answers(format!("\n \r\n{request}\r\n\n\t\n{request}")).len(),
        2
    );
    assert!(answers("\n\n").is_empty());
    assert!(answers("").is_empty());
}

#[test]
fn every_request_is_answered_in_order_despite_invalid_lines_between_them() {
    let mut lines = Vec::new();
    for case in 0..5000 {
        let line = match case % 5 {
            0 => "\u{FFFD} not JSON".to_owned(),
            1 => json!({ "case": case, "kind": "no such kind" }).to_string(),
            2 => json!({ "case": case, "kind": "decode", "chunks": ["?"] }).to_string(),
            3 => request(
                ["data:x\n\n"],
                json!({ "case": case, "storage": "fixed", "limit": 8 }),
            ),
            _ => request(["data:x\n\n"], json!({ "case": case })),
        };
        lines.extend_from_slice(line.as_bytes());
        lines.push(b'\n');
    }
    let answers = answers(lines);
    assert_eq!(answers.len(), 5000);
    for (case, answer) in answers.iter().enumerate() {
        let (expected, key) = match case % 5 {
            0 => (Value::Null, "error"),
            1 => (json!(case), "unsupported"),
            2 => (json!(case), "error"),
            _ => (json!(case), "chunks"),
        };
        assert_eq!(answer["case"], expected);
        assert!(answer.get(key).is_some(), "{answer}");
    }
}

#[test]
fn frames_are_encoded_one_after_another() {
    let answer = |frames: Value| {
        answer(json!({ "case": 1, "kind": "encode", "frames": frames, "more": 0 }).to_string())
    };
    let bytes = |stream: &str| json!({ "case": 1, "bytes": BASE64.encode(stream) });
    assert_eq!(answer(json!([])), bytes(""));
    assert_eq!(
        answer(json!([
            { "event": "e", "data": " a\rb", "id": "", "retry": u64::MAX, "comment": "c\n" },
            { "comment": "" },
            { "data": "", "event": null, "unknown": [1] },
        ])),
        bytes(
            ":c\n:\nevent: e\nid: \nretry: 18446744073709551615\ndata:  a\ndata: b\n\n\
             :\n\
             data: \n\n"
        )
    );
}

#[test]
fn the_first_frame_that_is_refused_is_reported() {
    for (frame, why) in [
        (json!({ "event": "a\r", "id": "\0" }), "event: "),
        (json!({ "data": "x", "id": "\0" }), "id: "),
        (json!({ "retry": -1 }), "retry: "),
        (json!({ "retry": 1.5 }), "retry: "),
        (json!({ "retry": "1" }), "retry: "),
    ] {
        let frames = [json!({ "data": "good" }), frame, json!({ "id": "\n" })];
        let answer = answer(json!({ "case": 1, "kind": "encode", "frames": frames }).to_string());
        assert_eq!(answer["frame"], 1, "{answer}");
        assert!(
            answer["error"].as_str().unwrap().starts_with(why),
            "{answer}"
        );
        assert_eq!(answer.as_object().unwrap().len(), 3, "{answer}");
    }
    for frames in [json!(null), json!([1]), json!([{ "data": 1 }])] {
        let line = json!({ "case": 1, "kind": "encode", "frames": frames });
        assert_refused(line.to_string(), json!(1), "bad request: ");
    }
}

#[test]
fn no_state_is_kept_between_streams() {
    for storage in ["heap", "fixed"] {
        let more = json!({ "storage": storage });
        let first = request(["id:1\n\nevent:e\ndata:a\r"], more.clone());
        let second = request(["\ndata:b\n\n"], more);
        let answers = answers(format!("{first}\n{second}\n"));
        assert_eq!(answers[0]["lastEventId"], "1");
        assert_eq!(answers[1]["chunks"], json!([[message("b", "")]]));
    }
}

#[test]
fn answers_are_written_while_the_input_is_still_open() {
    let mut child = Interactive::start(&mut Command::new(&*PROGRAM));
    let line = |case: u32| request(["data:x\n\n"], json!({ "case": case })) + "\n";
    let case = |answer: String| serde_json::from_str::<Value>(&answer).unwrap()["case"].clone();

    child.write(line(1).as_bytes());
    assert_eq!(case(child.read_line()), 1);
    child.write(b"\nnonsense\n");
    assert_eq!(case(child.read_line()), Value::Null);
    // An incomplete request must not delay the answer to the one before it.
    let (third, fourth) = (line(3), line(4));
    let (half, rest) = fourth.split_at(fourth.len() / 2);
    child.write((third + half).as_bytes());
    assert_eq!(case(child.read_line()), 3);
    child.write(rest.trim_end().as_bytes());
    let rest: Vec<_> = child.end().into_iter().map(case).collect();
    assert_eq!(rest, [4]);
}

#[test]
fn a_closed_output_ends_the_program_without_an_error() {
    let lines = (request(["data:x\n\n"], json!({})) + "\n").repeat(20_000);
    let mut child = program::spawn(&mut Command::new(&*PROGRAM));
    drop(child.stdout.take());
    let output = std::thread::scope(|scope| {
        let mut stdin = child.stdin.take().unwrap();
        scope.spawn(move || drop(std::io::Write::write_all(&mut stdin, lines.as_bytes())));
        child.wait_with_output().unwrap()
    });
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}

/// A request of kind `connect` with these responses and the additional keys of `more`.
fn script(responses: Value, more: Value) -> String {
    let mut request = json!({
        "case": 3,
        "kind": "connect",
        "url": "http://a.example/stream",
        "responses": responses,
    });
    for (key, value) in more.as_object().unwrap() {
        request[key] = value.clone();
    }
    request.to_string()
}

/// A response that opens the connection.
fn stream<const N: usize>(chunks: [&str; N], end: &str) -> Value {
    json!({
        "status": 200,
        "headers": [["Content-Type", "text/event-stream"]],
        "chunks": encoded(chunks),
        "end": end,
    })
}

fn sent(last_event_id: Option<&str>, after: u64) -> Value {
    let mut headers = vec![
        ["Accept", "text/event-stream"],
        ["Cache-Control", "no-cache"],
    ];
    headers.extend(last_event_id.map(|id| ["Last-Event-ID", id]));
    json!({ "headers": headers, "lastEventId": last_event_id, "afterMs": after })
}

fn arrived(data: &str, last_event_id: &str) -> Value {
    json!({
        "kind": "message",
        "event": "message",
        "data": data,
        "lastEventId": last_event_id,
        "origin": "http://a.example",
        "readyState": 1,
    })
}

fn signal(kind: &str, ready_state: u8) -> Value {
    json!({ "kind": kind, "readyState": ready_state })
}

#[test]
fn a_script_is_played_to_its_last_response_and_the_next_request_is_recorded() {
    let responses = json!([
        stream(["retry: 40\nid: \u{2026}\ndata: x", "\n\ndata: lost"], "eof"),
        { "failure": "network" },
        { "status": 200, "headers": [["content-type", "text/event-stream"]], "end": "error" },
    ]);
    assert_eq!(
        answer(script(
            responses,
            json!({ "withCredentials": false, "lastEventId": "0" })
        )),
        json!({
            "case": 3,
            "requests": [
                sent(Some("0"), 0),
                sent(Some("\u{2026}"), 40),
                sent(Some("\u{2026}"), 40),
                sent(Some("\u{2026}"), 40),
            ],
            "log": [
                signal("open", 1),
                arrived("x", "\u{2026}"),
                signal("error", 0),
                signal("error", 0),
                signal("open", 1),
                signal("error", 0),
            ],
            "readyState": 0,
        })
    );
}

#[test]
fn a_script_ends_when_the_source_stops_or_a_body_stays_open() {
    for (responses, log, ready_state) in [
        (json!([]), json!([]), 0),
        (
            json!([stream(["data:x\n\n"], "open"), stream([], "eof")]),
            json!([signal("open", 1), arrived("x", "")]),
            1,
        ),
        (
            json!([{ "status": 204 }, stream([], "eof")]),
            json!([signal("error", 2)]),
            2,
        ),
        (
            json!([{ "status": 200, "headers": [["Content-Type", "text/html"]] }]),
            json!([signal("error", 2)]),
            2,
        ),
        (
            json!([{ "failure": "abort" }, stream([], "eof")]),
            json!([signal("error", 2)]),
            2,
        ),
    ] {
        assert_eq!(
            answer(script(responses, json!({}))),
            json!({ "case": 3, "requests": [sent(None, 0)], "log": log, "readyState": ready_state })
        );
    }
}

#[test]
fn close_is_called_right_after_the_event_named_in_close_on() {
    let responses = || {
        json!([
            stream(
                ["data:x\n\nevent:open\ndata:y\n\nevent:e\ndata:z\n\ndata:x\n\n"],
                "eof"
            ),
            stream(["data:never\n\n"], "eof"),
        ])
    };
    let named = |event: &str, data: &str| {
        let mut entry = arrived(data, "");
        entry["event"] = json!(event);
        entry
    };
    let all = [
        signal("open", 1),
        named("message", "x"),
        named("open", "y"),
        named("e", "z"),
        named("message", "x"),
        signal("error", 0),
    ];
    for (close_on, count) in [
        (json!({ "event": "open" }), 1),
        (json!({ "event": "message" }), 2),
        (json!({ "event": "message", "data": "x" }), 2),
        (json!({ "event": "e" }), 4),
        (json!({ "event": "error" }), 6),
    ] {
        let answer = answer(script(responses(), json!({ "closeOn": close_on })));
        assert_eq!(answer["log"], json!(all[..count]), "{close_on}");
        assert_eq!(answer["requests"], json!([sent(None, 0)]), "{close_on}");
        assert_eq!(answer["readyState"], 2, "{close_on}");
    }
    for close_on in [
        json!(null),
        json!({ "event": "message", "data": "y" }),
        json!({ "event": "open", "data": "y" }),
        json!({ "event": "E" }),
    ] {
        let answer = answer(script(responses(), json!({ "closeOn": close_on })));
        assert_eq!(answer["log"].as_array().unwrap().len(), 9, "{close_on}");
        assert_eq!(
            answer["requests"].as_array().unwrap().len(),
            3,
            "{close_on}"
        );
    }
}

#[test]
fn the_origin_is_that_of_the_final_url() {
    let mut response = stream(["data:x\n\n"], "open");
    response["url"] = json!("https://b.example:443/y");
    let answer = answer(script(json!([response]), json!({})));
    assert_eq!(answer["log"][1]["origin"], "https://b.example");
}

#[test]
fn an_event_over_the_limit_is_logged_and_the_stream_continues() {
    let large = "x".repeat(16 * 1024 * 1024 + 1);
    let responses = json!([stream(["data:", &large, "\n\ndata:y\n\n"], "open")]);
    assert_eq!(
        answer(script(responses, json!({})))["log"],
        json!([
            signal("open", 1),
            signal("event-too-large", 1),
            arrived("y", "")
        ])
    );
}

#[test]
fn the_adapter_reports_its_name_and_the_kinds_it_supports() {
    let about = answer(json!({ "case": 0, "kind": "capabilities" }).to_string());
    assert_eq!(about["name"], "sse-proto");
    let known = sse_conformance::Capability::ALL.map(sse_conformance::Capability::as_str);
    assert_eq!(about["capabilities"], json!(known));
}

#[test]
fn options_take_effect_and_the_answer_lists_the_request_urls() {
    let responses = json!([
        { "failure": "timeout" },
        { "status": 503, "headers": [["Retry-After", "2"]], "end": "eof" },
        {
            "status": 200,
            "headers": [["content-type", "text/event-stream"]],
            "redirects": [[307, "http://b.example/"]],
            "end": "timeout",
        },
    ]);
    let options = json!({
        "reconnectionTimeMs": 10,
        "maxFailures": 4,
        "statuses": [[500, 599]],
        "reconnectTo": "final",
        "cacheControl": false,
    });
    let answer = answer(script(responses, json!({ "options": options })));
    let requests = answer["requests"].as_array().unwrap();
    let of_each = |key: &str| requests.iter().map(|made| made[key].clone()).collect();
    let waits: Vec<Value> = of_each("afterMs");
    assert_eq!(waits, [0, 10, 2000, 10]);
    let urls: Vec<Value> = of_each("url");
    assert_eq!(urls[2..], [urls[0].clone(), json!("http://b.example/")]);
    assert_eq!(
        requests[0]["headers"],
        json!([["Accept", "text/event-stream"]])
    );
}

#[test]
fn invalid_scripts_are_refused() {
    for (responses, more, why) in [
        (json!([]), json!({ "url": "/stream" }), "url: "),
        (json!([]), json!({ "url": null }), "bad request: "),
        (json!(null), json!({}), "bad request: "),
        (json!([]), json!({ "closeOn": "message" }), "bad request: "),
        (
            json!([]),
            json!({ "options": { "telepathy": true } }),
            "bad request: unknown field `telepathy`",
        ),
        (
            json!([]),
            json!({ "options": { "statuses": [[500]] } }),
            "bad request: ",
        ),
        (json!([{}]), json!({}), "responses[0].status: "),
        (json!([{ "status": 65_536 }]), json!({}), "bad request: "),
        (
            json!([{ "failure": "dns" }]),
            json!({}),
            "responses[0].failure: ",
        ),
        (
            json!([stream([], "later")]),
            json!({}),
            "responses[0].end: ",
        ),
        (
            json!([{ "failure": "network" }, { "status": 200, "chunks": ["?"] }]),
            json!({}),
            "responses[1].chunks[0]: ",
        ),
    ] {
        assert_refused(script(responses, more), json!(3), why);
    }
}
