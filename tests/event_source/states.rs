//! Every input in every state.

use core::fmt;

use sse_proto::{Action, Disconnect, EventSource, ReadyState, RetryPolicy, Signal, Storage};

use super::{EVENT_STREAM, FixedSource, MS, NO_HEADERS, data, source};

/// The state, as far as it can be observed, of a source with a policy of `stable_after`.
///
/// Only the expected end is read from the `Debug` output, since nothing else shows it before the
/// end.
fn state<U: AsRef<str> + fmt::Debug, S: Storage + fmt::Debug>(
    source: &EventSource<U, S>,
) -> &'static str {
    match (source.ready_state(), source.action()) {
        (ReadyState::Connecting, Action::Connect(_)) => "connecting",
        (ReadyState::Connecting, Action::Wait(_)) => "waiting",
        (ReadyState::Open, Action::Read(_))
            if format!("{source:?}").contains("is_end_expected: true") =>
        {
            "expecting"
        }
        (ReadyState::Open, Action::Read(read)) if read.stable_after.is_none() => "stable",
        (ReadyState::Open, Action::Read(_)) => "open",
        (ReadyState::Closed, Action::Stop(None)) => "closed",
        (ReadyState::Closed, Action::Stop(Some(_))) => "failed",
        other => panic!("an impossible state: {other:?}"),
    }
}

/// Applies the input with this name in the table and returns a description of the signal.
fn input(source: &mut FixedSource, name: &str) -> String {
    let signal = match name {
        "200" => source.handle_response(200, None, EVENT_STREAM),
        "200, moved" => source.handle_response(200, Some("http://b.example"), EVENT_STREAM),
        "200 html" => source.handle_response(200, None, [("Content-Type", "text/html")]),
        "204" => source.handle_response(204, None, EVENT_STREAM),
        "404" => source.handle_response(404, Some("http://b.example"), NO_HEADERS),
        "503, to retry" => source.handle_response(503, None, [("Retry-After", "9")]),
        "end of body" => source.handle_disconnect(Disconnect::EndOfBody),
        "network" => source.handle_disconnect(Disconnect::Network),
        "end in a line" => {
            assert_eq!(source.feed(b"data: x").next_message(), Ok(None));
            source.handle_disconnect(Disconnect::EndOfBody)
        }
        "end in an event" => {
            assert_eq!(source.feed(b"id: x\n").next_message(), Ok(None));
            source.handle_disconnect(Disconnect::EndOfBody)
        }
        "timeout" => source.handle_disconnect(Disconnect::Timeout),
        "permanent" => source.handle_disconnect(Disconnect::Permanent),
        "redirect" => {
            source.handle_redirect(301, "http://b.example");
            None
        }
        "stable" => {
            source.handle_stable_elapsed();
            None
        }
        "expect end" => {
            source.expect_end();
            None
        }
        "expect, cursor" => {
            source.feed(b"").expect_end();
            None
        }
        "reconnect" => source.reconnect_now(),
        "elapsed" => {
            source.handle_wait_elapsed();
            None
        }
        "close" => {
            source.close();
            None
        }
        "close, cursor" => {
            let mut messages = source.feed(b"data: x\n\n");
            messages.close();
            assert_eq!(messages.next_message(), Ok(None));
            assert_eq!(messages.next_item(), Ok(None));
            assert_eq!(messages.rest(), b"data: x\n\n");
            None
        }
        "bytes" => {
            let mut messages = source.feed(b"data: x\n\n");
            return match data(&mut messages)[..] {
                [] => {
                    assert_eq!(messages.rest(), b"data: x\n\n");
                    String::new()
                }
                _ => "message".to_owned(),
            };
        }
        "bytes, items" => {
            let mut messages = source.feed(b":x\n");
            return match messages.next_item() {
                Ok(None) => String::new(),
                Ok(Some(item)) => format!("{item:?}"),
                Err(error) => panic!("{error}"),
            };
        }
        "ask" => {
            let first = format!("{:?}", source.action());
            assert_eq!(first, format!("{:?}", source.action()));
            None
        }
        "drop a cursor" => {
            let _unread = source.feed(b"data: x\n\n").rest();
            None
        }
        other => panic!("{other}"),
    };
    match signal {
        None => String::new(),
        Some(Signal::Open) => "open".to_owned(),
        Some(Signal::Error {
            ready_state,
            reason,
        }) => format!("error {} {reason:?}", ready_state as u8),
    }
}

/// The new state and the signal. An empty cell means that the state is unchanged and there is no
/// signal.
#[rustfmt::skip]
const TABLE: [(&str, [&str; 5]); 24] = [
    //                   connecting                      open                           stable                         expecting                      waiting
    ("200",             ["open: open",                   "",                            "",                            "",                            ""]),
    ("200, moved",      ["open: open",                   "",                            "",                            "",                            ""]),
    ("200 html",        ["failed: error 2 ContentType",  "",                            "",                            "",                            ""]),
    ("204",             ["failed: error 2 Status(204)",  "",                            "",                            "",                            ""]),
    ("404",             ["failed: error 2 Status(404)",  "",                            "",                            "",                            ""]),
    ("503, to retry",   ["waiting: error 0 Status(503)", "",                            "",                            "",                            ""]),
    ("end of body",     ["waiting: error 0 EndOfBody",   "waiting: error 0 EndOfBody",  "waiting: error 0 EndOfBody",  "waiting: error 0 EndOfBody",  ""]),
    ("end in a line",   ["waiting: error 0 EndOfBody",   "waiting: error 0 Truncated(Line)",  "waiting: error 0 Truncated(Line)",  "waiting: error 0 Truncated(Line)",  ""]),
    ("end in an event", ["waiting: error 0 EndOfBody",   "waiting: error 0 Truncated(Event)", "waiting: error 0 Truncated(Event)", "waiting: error 0 Truncated(Event)", ""]),
    ("network",         ["waiting: error 0 Network",     "waiting: error 0 Network",    "waiting: error 0 Network",    "waiting: error 0 Network",    ""]),
    ("timeout",         ["waiting: error 0 Timeout",     "waiting: error 0 Timeout",    "waiting: error 0 Timeout",    "waiting: error 0 Timeout",    ""]),
    ("permanent",       ["failed: error 2 Permanent",    "failed: error 2 Permanent",   "failed: error 2 Permanent",   "failed: error 2 Permanent",   ""]),
    ("redirect",        ["connecting",                   "",                            "",                            "",                            ""]),
    ("elapsed",         ["",                             "",                            "",                            "",                            "connecting"]),
    ("stable",          ["",                             "stable",                      "",                            "expecting",                   ""]),
    ("expect end",      ["",                             "expecting",                   "expecting",                   "",                            ""]),
    ("expect, cursor",  ["",                             "expecting",                   "expecting",                   "",                            ""]),
    ("reconnect",       ["",                             "connecting: error 0 Reconnect", "connecting: error 0 Reconnect", "connecting: error 0 Reconnect", "connecting"]),
    ("close",           ["closed",                       "closed",                      "closed",                      "closed",                      "closed"]),
    ("close, cursor",   ["closed",                       "closed",                      "closed",                      "closed",                      "closed"]),
    ("bytes",           ["",                             "open: message",               "stable: message",             "expecting: message",          ""]),
    ("bytes, items",    ["",                             "open: Comment(\"x\")",        "stable: Comment(\"x\")",      "expecting: Comment(\"x\")",   ""]),
    ("drop a cursor",   ["",                             "",                            "",                            "",                            ""]),
    ("ask",             ["",                             "",                            "",                            "",                            ""]),
];

#[test]
fn every_input_in_every_state_does_what_the_table_says() {
    let policy = RetryPolicy::new().statuses(&[503]).stable_after(MS(9));
    let start = || source().retry_policy(policy);
    let prepare = |inputs: &[&str]| {
        let mut source = start();
        for name in inputs {
            input(&mut source, name);
        }
        source
    };
    // Each state, and several ways to reach it.
    let states: [(&str, &[&[&str]]); 7] = [
        (
            "connecting",
            &[
                &[],
                &["network", "elapsed"],
                &["503, to retry", "elapsed"],
                &["200", "bytes", "end of body", "elapsed"],
                &["200", "reconnect"],
                &["network", "reconnect"],
            ],
        ),
        (
            "open",
            &[
                &["200"],
                &["200, moved", "bytes"],
                &["200", "network", "elapsed", "200"],
                &["redirect", "200"],
                &["200", "stable", "reconnect", "200"],
                &["200", "expect end", "network", "reconnect", "200"],
            ],
        ),
        ("stable", &[&["200", "stable"], &["200", "bytes", "stable"]]),
        (
            "expecting",
            &[
                &["200", "expect end"],
                &["200", "stable", "expect end"],
                &["200", "bytes", "expect, cursor"],
            ],
        ),
        (
            "waiting",
            &[
                &["network"],
                &["503, to retry"],
                &["200", "end of body"],
                &["network", "elapsed", "end of body"],
                &["timeout"],
                &["200", "expect end", "end in a line"],
            ],
        ),
        (
            "closed",
            &[
                &["close"],
                &["200", "close"],
                &["network", "close"],
                &["200", "close, cursor"],
            ],
        ),
        (
            "failed",
            &[
                &["404"],
                &["200 html"],
                &["permanent"],
                &["200", "bytes", "permanent"],
            ],
        ),
    ];
    let mut pairs = 0;
    for (column, (from, ways)) in states.into_iter().enumerate() {
        for way in ways {
            for (name, cells) in TABLE {
                // `closed` and `failed` have no column: nothing changes them.
                let cell = cells.get(column).copied().unwrap_or_default();
                let mut source = prepare(way);
                assert_eq!(state(&source), from);
                let before = format!("{source:?}");
                let signal = input(&mut source, name);
                if cell.is_empty() {
                    assert_eq!(signal, "", "{from}, {name}");
                    assert_eq!(format!("{source:?}"), before, "{from}, {name}");
                } else {
                    let after = match &signal[..] {
                        "" => state(&source).to_owned(),
                        signal => format!("{}: {signal}", state(&source)),
                    };
                    assert_eq!(after, cell, "{from}, {name}");
                    // The same input again must not signal a second error.
                    if signal.starts_with("error") {
                        assert_eq!(input(&mut source, name), "", "{from}, {name} twice");
                    }
                }
                pairs += 1;
            }
        }
    }
    assert_eq!(pairs, 31 * 24);
}
