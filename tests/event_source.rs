//! The connection machine: every input in every state, and the rules on types, origins, headers and
//! waits one by one.

use core::fmt;
use core::ops::RangeInclusive;
use core::time::Duration;

use sse_proto::{
    Action, Credentials, Decoder, Disconnect, Event, EventSource, EventTooLarge, Fixed, Messages,
    Origin, ReadyState, Reason, ReconnectTo, RetryPolicy, Signal, Storage, Unfinished, Wait,
};

const URL: &str = "http://a.example/stream";
const EVENT_STREAM: [(&str, &str); 1] = [("Content-Type", "text/event-stream")];
const NO_HEADERS: [(&str, &str); 0] = [];

type FixedSource = EventSource<&'static str, Fixed<[u8; 1024]>>;

fn source() -> FixedSource {
    of_url(URL)
}

fn of_url(url: &'static str) -> FixedSource {
    EventSource::with_decoder(url, Decoder::with_storage(Fixed::new([0xAA; 1024]))).unwrap()
}

fn open() -> FixedSource {
    let mut source = source();
    let signal = source.handle_response(200, None, EVENT_STREAM);
    assert_eq!(signal, Some(Signal::Open));
    source
}

/// The state, seen from outside.
///
/// But for whether an end is expected, which only the end shows. With a policy of `stable_after`.
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
        (ReadyState::Open, Action::Read(due)) if due.stable_after.is_none() => "stable",
        (ReadyState::Open, Action::Read(_)) => "open",
        (ReadyState::Closed, Action::Stop(None)) => "closed",
        (ReadyState::Closed, Action::Stop(Some(_))) => "failed",
        other => panic!("a state that must not be: {other:?}"),
    }
}

fn data(events: &mut Messages<'_, '_, impl Storage>) -> Vec<String> {
    let mut data = Vec::new();
    while let Some(message) = events.next_message().unwrap() {
        data.push(message.data.to_owned());
    }
    data
}

fn error(ready_state: ReadyState, reason: Reason) -> Option<Signal> {
    Some(Signal::Error {
        ready_state,
        reason,
    })
}

/// The wait that the machine asks for.
#[track_caller]
fn wait<U: AsRef<str>, S: Storage>(source: &EventSource<U, S>) -> Wait {
    match source.action() {
        Action::Wait(wait) => wait,
        other => panic!("{other:?}"),
    }
}

/// Applies an input by its name in the table, and says which signal came back.
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
        "futile" => source.handle_disconnect(Disconnect::Futile),
        "redirect" => {
            source.handle_redirect(301, "http://b.example");
            None
        }
        "stable" => {
            source.handle_stable();
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

/// An empty cell: nothing changes and nothing is said. Else the new state, and what is said.
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
    ("futile",          ["failed: error 2 Futile",       "failed: error 2 Futile",      "failed: error 2 Futile",      "failed: error 2 Futile",      ""]),
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
    // Each state, reached in every way.
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
                &["futile"],
                &["200", "bytes", "futile"],
            ],
        ),
    ];
    let mut pairs = 0;
    for (column, (from, ways)) in states.into_iter().enumerate() {
        for way in ways {
            for (name, cells) in TABLE {
                // Out of `closed` and `failed` there is no way: these columns are empty.
                let cell = cells.get(column).copied().unwrap_or_default();
                let mut source = prepare(way);
                assert_eq!(state(&source), from);
                let before = format!("{source:?}");
                let said = input(&mut source, name);
                if cell.is_empty() {
                    assert_eq!(said, "", "{from}, {name}");
                    assert_eq!(format!("{source:?}"), before, "{from}, {name}");
                } else {
                    let after = match &said[..] {
                        "" => state(&source).to_owned(),
                        said => format!("{}: {said}", state(&source)),
                    };
                    assert_eq!(after, cell, "{from}, {name}");
                    // Said twice, it is said to another state; but never a second `error`.
                    if said.starts_with("error") {
                        assert_eq!(input(&mut source, name), "", "{from}, {name} twice");
                    }
                }
                pairs += 1;
            }
        }
    }
    assert_eq!(pairs, 31 * 24);
}

// Closing

#[test]
fn after_close_in_a_handler_no_message_of_the_chunk_is_handed_out() {
    let mut source = open();
    let mut messages = source.feed(b"data: 1\n\ndata: 2\n\n:c\nretry: 5\ndata: 3\n\n");
    assert_eq!(messages.next_message().unwrap().unwrap().data, "1");
    messages.close();
    messages.close();
    assert_eq!(messages.next_message(), Ok(None));
    assert_eq!(messages.next_item(), Ok(None));
    assert_eq!(messages.rest(), b"data: 2\n\n:c\nretry: 5\ndata: 3\n\n");
    assert_eq!(data(&mut source.feed(b"data: 4\n\n")), [""; 0]);
    assert_eq!(source.handle_disconnect(Disconnect::EndOfBody), None);
    assert_eq!(source.action(), Action::Stop(None));
}

#[test]
fn after_close_an_event_too_large_is_not_reported_either() {
    let decoder = Decoder::with_storage(Fixed::with_field_capacity([0; 20], 5));
    let mut source = EventSource::with_decoder(URL, decoder).unwrap();
    let _open = source.handle_response(200, None, EVENT_STREAM);
    let mut messages = source.feed(b"data: 1\n\ndata: 123456\n\n");
    assert!(messages.next_message().unwrap().is_some());
    messages.close();
    assert_eq!(messages.next_message(), Ok(None));
}

// Messages

#[test]
fn an_event_too_large_is_reported_and_the_stream_goes_on() {
    let decoder = Decoder::with_storage(Fixed::with_field_capacity([0; 20], 5));
    let mut source = EventSource::with_decoder(URL, decoder).unwrap();
    let _open = source.handle_response(200, None, EVENT_STREAM);
    let mut messages = source.feed(b"data: 123456\nid: 7\n\ndata: 1\n\n");
    assert_eq!(
        messages
            .next_message()
            .map_err(|e: EventTooLarge| e.limit()),
        Err(5)
    );
    let message = messages.next_message().unwrap().unwrap();
    assert_eq!((message.data, message.last_event_id), ("1", "7"));
    assert_eq!(source.ready_state(), ReadyState::Open);
}

#[test]
fn a_message_is_an_event_with_an_origin() {
    let mut source = source();
    let url = Some("https://b.example:8443/x?y#z");
    let _open = source.handle_response(200, url, EVENT_STREAM);
    assert_eq!(source.origin(), "https://b.example:8443");
    let mut messages = source.feed(b"event: e\nid: 1\ndata: x\n\n");
    let message = messages.next_message().unwrap().unwrap();
    assert_eq!(message.origin, Origin::of("https://b.example:8443"));
    let event = Event::from(message);
    assert_eq!(
        (event.event_type, event.data, event.last_event_id),
        ("e", "x", "1")
    );
}

#[test]
fn nothing_of_a_stream_leaks_into_the_next_one() {
    for rest in [
        &b"data: a\r"[..],
        b"event: e\ndata: x\n",
        b"event: e\ndata: x",
        b"id: lost\n",
        b"id: lost",
        b"data: \xE2\x80",
        b"\xEF\xBB",
        b": comm",
        b"data: 123456",
        b"data",
        b"retry: 1",
    ] {
        for by_error in [false, true] {
            let mut source = open();
            assert_eq!(data(&mut source.feed(b"id: 1\nretry: 77\n\n")), [""; 0]);
            assert_eq!(data(&mut source.feed(rest)), [""; 0]);
            let cause = if by_error {
                Disconnect::Network
            } else {
                Disconnect::EndOfBody
            };
            assert!(source.handle_disconnect(cause).is_some());
            assert_eq!(wait(&source).delay.as_millis(), 77);
            source.handle_wait_elapsed();
            assert_eq!(source.last_event_id(), "1");
            let _open = source.handle_response(200, None, EVENT_STREAM);
            // An LF that belongs to no CR, then a BOM that is none.
            assert_eq!(data(&mut source.feed(b"\n")), [""; 0]);
            let mut messages = source.feed(b"data: b\n\n");
            let message = messages.next_message().unwrap().unwrap();
            assert_eq!((message.event_type, message.data), ("message", "b"));
            assert_eq!(message.last_event_id, "1");
            assert_eq!(messages.next_message(), Ok(None));
        }
    }
}

#[test]
fn each_stream_may_begin_with_a_byte_order_mark() {
    let mut source = open();
    for _ in 0..3 {
        let mut messages = source.feed(b"\xEF\xBB\xBFdata: x\n\n");
        assert_eq!(data(&mut messages), ["x"]);
        let _error = source.handle_disconnect(Disconnect::EndOfBody);
        source.handle_wait_elapsed();
        let _open = source.handle_response(200, None, EVENT_STREAM);
    }
}

#[test]
fn a_server_that_forgets_the_last_blank_line_can_be_helped() {
    for end in [&b"data: x"[..], b"data: x\n", b"data: x\r", b"data: x\r\n"] {
        let mut source = open();
        assert_eq!(data(&mut source.feed(end)), [""; 0]);
        assert_eq!(data(&mut source.feed(b"\n\n")), ["x"]);
    }
}

// Responses

/// Whether a response with these `Content-Type` lines opens the connection.
fn opens(lines: &[&str]) -> bool {
    let mut source = source();
    let headers = lines.iter().map(|line| ("Content-Type", *line));
    match source.handle_response(200, None, headers) {
        Some(Signal::Open) => true,
        signal => {
            assert_eq!(signal, error(ReadyState::Closed, Reason::ContentType));
            false
        }
    }
}

#[test]
fn the_type_is_the_last_valid_one_and_its_parameters_do_not_matter() {
    for lines in [
        &["text/event-stream"][..],
        &["Text/EVENT-stream; Charset=windows-1252"],
        &["text/event-stream;"],
        &[" text/event-stream\t; x=y"],
        &["text/html", "text/event-stream"],
        &["text/html, text/event-stream"],
        &["text/event-stream, */*"],
        &["text/event-stream", "*/*;q=1"],
        &["text/event-stream,"],
        &["text/event-stream", "bogus"],
        &["text/event-stream", ""],
        &["text/event-stream;a=\"b, text/html\""],
        &["text/event-stream;a=\"b", "text/html"],
        &["text/html;a=\"b", "\", text/event-stream"],
        &["text/event-stream;a=\"\\\", text/html"],
        &["text/html;a=\"\\\\\", text/event-stream"],
        &["text/event-stream;;;=,;"],
        &["text/event-stream;\u{e9}"],
    ] {
        assert!(opens(lines), "{lines:?}");
    }
    for lines in [
        &[][..],
        &[""],
        &["*/*"],
        &["text/event-streamx"],
        &["text/event-strea"],
        &["text/event-stream+json"],
        &["text/event-stream charset=utf-8"],
        &["text /event-stream"],
        &["text/ event-stream"],
        &["text/"],
        &["/event-stream"],
        &["text"],
        &["xtext/event-stream"],
        &["\"text/event-stream\""],
        &["text/event-stream\""],
        &["text/event-stream/x"],
        &["text/event-stream", "text/html"],
        &["text/event-stream, text/html"],
        &["text/html;a=\"b, text/event-stream\""],
        &["text/html;a=\"b", "text/event-stream"],
        &["text/event-stream;a=\"b", "c\", text/html"],
        &["text/event-stream\u{e9}"],
        &["application/x-dom-event-stream"],
    ] {
        assert!(!opens(lines), "{lines:?}");
    }
}

#[test]
fn header_names_are_found_in_any_case_and_values_need_not_be_text() {
    for name in ["content-type", "CONTENT-TYPE", "Content-Type"] {
        let headers = [
            ("X-Content-Type", &b"text/html"[..]),
            (name, b"text/event-stream;\xFF"),
            ("Content-Typ", b"text/html"),
        ];
        assert_eq!(
            source().handle_response(200, None, headers),
            Some(Signal::Open)
        );
    }
    let owned = vec![("content-type".to_owned(), b"text/event-stream".to_vec())];
    assert_eq!(
        source().handle_response(200, None, owned),
        Some(Signal::Open)
    );
}

#[test]
fn only_200_opens_the_connection() {
    for status in (0..=1000).filter(|&status| status != 200) {
        let mut source = source();
        let signal = source.handle_response(status, None, EVENT_STREAM);
        assert_eq!(signal, error(ReadyState::Closed, Reason::Status(status)));
        assert_eq!(source.action(), Action::Stop(Some(Reason::Status(status))));
    }
}

#[test]
fn a_reason_says_what_happened() {
    for (reason, text) in [
        (Reason::Status(503), "status 503"),
        (
            Reason::ContentType,
            "the content type is not text/event-stream",
        ),
        (Reason::EndOfBody, "the body ended"),
        (
            Reason::Truncated(Unfinished::Line),
            "the body ended inside a line",
        ),
        (
            Reason::Truncated(Unfinished::Event),
            "the body ended inside an event",
        ),
        (Reason::Network, "network error"),
        (Reason::Timeout, "timeout"),
        (Reason::Futile, "the request is futile"),
        (Reason::GaveUp(3), "gave up after 3 failures in a row"),
        (Reason::Reconnect, "a reconnect was asked for"),
    ] {
        assert_eq!(reason.to_string(), text);
    }
}

#[test]
fn statuses_to_retry_are_retried_and_200_and_204_are_none() {
    let policy = RetryPolicy::new().statuses(&[200, 204, 429, 503]);
    for status in [429, 503] {
        let mut source = source().retry_policy(policy);
        // Also with the right type: it is not 200.
        let signal = source.handle_response(status, None, EVENT_STREAM);
        assert_eq!(
            signal,
            error(ReadyState::Connecting, Reason::Status(status))
        );
        assert_eq!(wait(&source).delay.as_millis(), 3000);
    }
    let mut source = source().retry_policy(policy);
    let signal = source.handle_response(204, None, EVENT_STREAM);
    assert_eq!(signal, error(ReadyState::Closed, Reason::Status(204)));
    let mut source = self::source().retry_policy(policy);
    let signal = source.handle_response(200, None, NO_HEADERS);
    assert_eq!(signal, error(ReadyState::Closed, Reason::ContentType));
    let mut source = self::source().retry_policy(policy);
    assert_eq!(
        source.handle_response(200, None, EVENT_STREAM),
        Some(Signal::Open)
    );
    let never = RetryPolicy::never().statuses(&[503]);
    let mut source = self::source().retry_policy(never);
    let signal = source.handle_response(503, None, EVENT_STREAM);
    assert_eq!(signal, error(ReadyState::Closed, Reason::Status(503)));
}

#[test]
fn statuses_may_be_a_list_a_range_or_a_rule_and_add_up() {
    let retried = |policy: RetryPolicy| -> Vec<u16> {
        let statuses = (0..=u16::MAX).filter(|&status| {
            let mut source = source().retry_policy(policy);
            let _signal = source.handle_response(status, None, EVENT_STREAM);
            matches!(source.action(), Action::Wait(_))
        });
        statuses.collect::<Vec<_>>()
    };
    let policy = RetryPolicy::new();
    let all_but = |range: RangeInclusive<u16>| {
        let statuses = range.filter(|status| ![200, 204].contains(status));
        statuses.collect::<Vec<_>>()
    };
    assert_eq!(retried(policy), [0; 0]);
    assert_eq!(
        retried(policy.statuses(&[503, 99, 1000, 0, 100, 999])),
        [100, 503, 999]
    );
    assert_eq!(
        retried(policy.status_range(500..=503)),
        [500, 501, 502, 503]
    );
    assert_eq!(
        retried(policy.status_range(0..=u16::MAX)),
        all_but(100..=999)
    );
    assert_eq!(
        retried(policy.status_range(RangeInclusive::new(503, 500))),
        [0; 0]
    );
    assert_eq!(retried(policy.statuses_where(|_| true)), all_but(100..=999));
    // From a configuration, which nobody keeps.
    let listed = String::from("429 503");
    let is_listed = |status: u16| listed.split(' ').any(|one| one == status.to_string());
    let policy = policy.statuses_where(is_listed);
    drop(listed);
    assert_eq!(retried(policy), [429, 503]);
    assert_eq!(
        retried(policy.statuses(&[500]).status_range(410..=411)),
        [410, 411, 429, 500, 503]
    );
}

#[test]
fn a_wrong_type_is_tried_again_if_that_is_asked_for() {
    let policy = RetryPolicy::new().retry_content_type(true);
    let mut source = source().retry_policy(policy);
    let html = [("Content-Type", "text/html"), ("Retry-After", "9")];
    let signal = source.handle_response(200, None, html);
    assert_eq!(signal, error(ReadyState::Connecting, Reason::ContentType));
    assert_eq!(wait(&source).delay, MS(9000));
    source.handle_wait_elapsed();
    let signal = source.handle_response(404, None, html);
    assert_eq!(signal, error(ReadyState::Closed, Reason::Status(404)));
}

#[test]
fn it_gives_up_after_so_many_failures_in_a_row() {
    let policy = RetryPolicy::new().max_failures(2);
    let mut source = source().retry_policy(policy);
    let lost = error(ReadyState::Connecting, Reason::EndOfBody);
    for _ in 0..5 {
        let _open = source.handle_response(200, None, EVENT_STREAM);
        // With a message, a row ends.
        assert_eq!(data(&mut source.feed(b"data: x\n\n")), ["x"]);
        assert_eq!(source.failures(), 0);
        assert_eq!(source.handle_disconnect(Disconnect::EndOfBody), lost);
        assert_eq!(source.failures(), 1);
        source.handle_wait_elapsed();
    }
    let signal = source.handle_disconnect(Disconnect::Network);
    assert_eq!(signal, error(ReadyState::Closed, Reason::GaveUp(2)));
    assert_eq!(source.action(), Action::Stop(Some(Reason::GaveUp(2))));
    assert_eq!(source.failures(), 2);
    for at_once in [0, 1] {
        let mut source = self::source().retry_policy(policy.max_failures(at_once));
        let signal = source.handle_disconnect(Disconnect::Network);
        assert_eq!(signal, error(ReadyState::Closed, Reason::GaveUp(1)));
    }
    // What fails for good has its own reason.
    let mut source = self::source().retry_policy(policy.max_failures(1));
    let signal = source.handle_response(404, None, NO_HEADERS);
    assert_eq!(signal, error(ReadyState::Closed, Reason::Status(404)));
}

#[test]
fn retry_after_is_a_number_of_seconds_and_delays_one_request() {
    let delay = |values: &[&str]| {
        let policy = RetryPolicy::new()
            .reconnection_time(Duration::ZERO)
            .statuses(&[503]);
        let mut source = source().retry_policy(policy);
        let headers = values.iter().map(|value| ("retry-after", *value));
        let _error = source.handle_response(503, None, headers);
        let delay = wait(&source).delay;
        source.handle_wait_elapsed();
        let _error = source.handle_disconnect(Disconnect::Network);
        assert_eq!(wait(&source).delay, Duration::ZERO);
        delay.as_secs()
    };
    assert_eq!(delay(&["120"]), 120);
    assert_eq!(delay(&[" 120\t"]), 120);
    assert_eq!(delay(&["0"]), 0);
    assert_eq!(delay(&["00120"]), 120);
    assert_eq!(delay(&["18446744073709551615"]), u64::MAX);
    assert_eq!(delay(&["18446744073709551616"]), u64::MAX);
    assert_eq!(delay(&["99999999999999999999999999"]), u64::MAX);
    assert_eq!(delay(&["5", "120", "x"]), 120);
    for none in [
        "", " ", "-1", "+1", "1.5", "1e3", "0x10", "5 5", "5s", "\u{661}",
    ] {
        assert_eq!(delay(&[none]), 0, "{none:?}");
    }
    assert_eq!(delay(&["Fri, 31 Dec 1999 23:59:59 GMT"]), 0);
}

#[test]
fn retry_after_is_never_less_than_the_reconnection_time_nor_more_than_the_ceiling() {
    for (seconds, due) in [("1", 3000), ("4", 4000), ("3600", 60_000)] {
        let policy = RetryPolicy::new()
            .statuses(&[503])
            .max_delay(Duration::from_secs(60));
        let mut source = source().retry_policy(policy);
        let _error = source.handle_response(503, None, [("Retry-After", seconds)]);
        assert_eq!(wait(&source).delay.as_millis(), due);
    }
}

#[test]
fn the_url_stays_and_the_origin_is_that_of_the_last_response() {
    let mut source = source();
    for (url, origin) in [
        (Some("http://b.example/"), "http://b.example"),
        (None, "http://a.example"),
        (Some("https://c.example/"), "https://c.example"),
    ] {
        let _open = source.handle_response(200, url, EVENT_STREAM);
        assert_eq!(source.origin(), origin);
        let mut messages = source.feed(b"data\n\n");
        assert_eq!(messages.next_message().unwrap().unwrap().origin, origin);
        let _error = source.handle_disconnect(Disconnect::EndOfBody);
        source.handle_wait_elapsed();
        assert_eq!(source.url(), URL);
        assert!(matches!(source.action(), Action::Connect(request) if request.url == URL));
    }
}

/// The URLs of the next request and of the origin, after a stream that came by these redirects.
fn after(to: ReconnectTo, redirects: &[(u16, &'static str)]) -> [String; 2] {
    let mut source = source().reconnect_to(to);
    for (status, url) in redirects {
        source.handle_redirect(*status, url);
    }
    let _open = source.handle_response(200, None, EVENT_STREAM);
    let origin = source.origin().to_string();
    let _error = source.handle_disconnect(Disconnect::EndOfBody);
    assert_eq!(source.origin(), &origin[..]);
    source.handle_wait_elapsed();
    let Action::Connect(request) = source.action() else {
        panic!()
    };
    assert_eq!(source.url(), URL);
    [request.url.to_owned(), origin]
}

#[test]
fn a_reconnect_goes_where_it_is_told() {
    use ReconnectTo::{FinalUrl, OriginalUrl, PermanentUrl};
    const B: &str = "http://b.example";
    const C: &str = "http://c.example";
    for (to, redirects, due) in [
        (OriginalUrl, &[][..], [URL, "http://a.example"]),
        (OriginalUrl, &[(301, B)], [URL, B]),
        (OriginalUrl, &[(308, B), (302, C)], [URL, C]),
        (FinalUrl, &[], [URL, "http://a.example"]),
        (FinalUrl, &[(302, B)], [B, B]),
        (FinalUrl, &[(301, B), (307, C)], [C, C]),
        (PermanentUrl, &[], [URL, "http://a.example"]),
        (PermanentUrl, &[(301, B)], [B, B]),
        (PermanentUrl, &[(308, B)], [B, B]),
        (PermanentUrl, &[(302, B)], [URL, B]),
        (PermanentUrl, &[(303, B)], [URL, B]),
        (PermanentUrl, &[(307, B)], [URL, B]),
        (PermanentUrl, &[(301, B), (308, C)], [C, C]),
        (PermanentUrl, &[(301, B), (302, C)], [B, C]),
        (PermanentUrl, &[(302, B), (301, C)], [URL, C]),
    ] {
        assert_eq!(after(to, redirects), due, "{to:?} {redirects:?}");
    }
}

#[test]
fn another_url_is_for_the_next_request() {
    let mut source = open().reconnect_to(ReconnectTo::FinalUrl);
    assert!(source.set_url("/relative").is_err());
    assert_eq!(source.url(), URL);
    source.set_url("http://b.example/2").unwrap();
    assert_eq!(source.url(), "http://b.example/2");
    // The stream under way comes from where it came from.
    assert_eq!(source.origin(), "http://a.example");
    assert!(matches!(source.reconnect_now(), Some(Signal::Error { .. })));
    let Action::Connect(request) = source.action() else {
        panic!()
    };
    assert_eq!(request.url, "http://b.example/2");
    let _open = source.handle_response(200, None, EVENT_STREAM);
    assert_eq!(source.origin(), "http://b.example");
    // Also when redirects had led elsewhere.
    let _error = source.reconnect_now();
    source.handle_redirect(302, "http://c.example");
    let _open = source.handle_response(200, None, EVENT_STREAM);
    assert_eq!(source.origin(), "http://c.example");
    source.set_url("http://d.example/").unwrap();
    assert_eq!(source.origin(), "http://c.example");
    let _error = source.reconnect_now();
    assert!(
        matches!(source.action(), Action::Connect(request) if request.url == "http://d.example/")
    );
}

#[test]
fn deadlines_are_told_with_each_action() {
    let mut source = source().response_timeout(MS(30)).read_timeout(MS(45));
    for _ in 0..2 {
        assert!(
            matches!(source.action(), Action::Connect(request) if request.timeout == Some(MS(30)))
        );
        let _open = source.handle_response(200, None, EVENT_STREAM);
        assert!(matches!(source.action(), Action::Read(due) if due.timeout == Some(MS(45))));
        let _error = source.handle_disconnect(Disconnect::Timeout);
        source.handle_wait_elapsed();
    }
    let source = self::source();
    assert!(matches!(source.action(), Action::Connect(request) if request.timeout.is_none()));
}

#[test]
fn a_url_that_is_not_for_http_is_not_asked_again() {
    for url in [
        "file:///x",
        "data:text/event-stream,",
        "ftp://a/",
        "mailto:a",
        "httpx://a/",
    ] {
        let mut source = of_url(url);
        let signal = source.handle_disconnect(Disconnect::Network);
        assert_eq!(signal, error(ReadyState::Closed, Reason::Network), "{url}");
    }
    for url in ["http://a/", "HTTPS://a/"] {
        let mut source = of_url(url);
        let signal = source.handle_disconnect(Disconnect::Network);
        assert_eq!(
            signal,
            error(ReadyState::Connecting, Reason::Network),
            "{url}"
        );
    }
    // A body that came from somewhere may come again.
    let mut source = of_url("ftp://a/");
    let _open = source.handle_response(200, None, EVENT_STREAM);
    let signal = source.handle_disconnect(Disconnect::Network);
    assert_eq!(signal, error(ReadyState::Connecting, Reason::Network));
}

#[test]
fn without_a_request_to_repeat_the_end_is_for_good() {
    for (cause, reason) in [
        (Disconnect::EndOfBody, Reason::Truncated(Unfinished::Line)),
        (Disconnect::Network, Reason::Network),
    ] {
        let mut source = of_url("file:///x").retry_policy(RetryPolicy::never());
        let _open = source.handle_response(200, None, EVENT_STREAM);
        assert_eq!(data(&mut source.feed(b"data: 1\n\ndata: 2")), ["1"]);
        assert_eq!(
            source.handle_disconnect(cause),
            error(ReadyState::Closed, reason)
        );
        assert_eq!(source.action(), Action::Stop(Some(reason)));
        assert_eq!(source.handle_disconnect(cause), None);
    }
}

// Requests

/// The values of `Last-Event-ID` that a request with this id has, and whether it was left out.
fn sent(id: &str) -> (Vec<Vec<u8>>, bool) {
    let mut source = source();
    source.set_last_event_id(id).unwrap();
    let Action::Connect(request) = source.action() else {
        panic!("{:?}", source.action());
    };
    let headers: Vec<_> = request.headers().collect();
    assert_eq!(headers[0], ("Accept", &b"text/event-stream"[..]));
    assert_eq!(headers[1], ("Cache-Control", &b"no-cache"[..]));
    assert!(
        headers[2..]
            .iter()
            .all(|(name, _)| *name == "Last-Event-ID")
    );
    let values: Vec<_> = headers[2..]
        .iter()
        .map(|(_, value)| value.to_vec())
        .collect();
    assert_eq!(
        values.first().map(Vec::as_slice),
        request.last_event_id.map(str::as_bytes)
    );
    assert_eq!(source.last_event_id(), id);
    assert_eq!(
        source.last_event_id_omitted(),
        request.last_event_id_omitted
    );
    (values, request.last_event_id_omitted)
}

#[test]
fn the_id_is_sent_as_utf_8_when_a_header_can_carry_it() {
    assert_eq!(sent(""), (vec![], false));
    for id in [
        "1",
        "\u{2026}",
        "a b",
        "a\tb",
        "\u{a0}",
        "\"",
        "~!,;",
        "\u{1F3EE}",
        "\u{80}",
    ] {
        assert_eq!(sent(id), (vec![id.as_bytes().to_vec()], false), "{id:?}");
    }
    // Blanks at the ends are taken off, as they are on the way.
    for (id, value) in [
        (" ", ""),
        ("\t \t", ""),
        (" a", "a"),
        ("a\t", "a"),
        (" \ta b\t ", "a b"),
        ("\u{a0}a", "\u{a0}a"),
    ] {
        assert_eq!(sent(id), (vec![value.as_bytes().to_vec()], false), "{id:?}");
    }
    let controls = (0..0x20_u8).filter(|&byte| byte != b'\t').chain([0x7F]);
    let with_control = controls.map(|byte| format!("a{}b", char::from(byte)));
    for id in with_control {
        assert_eq!(sent(&id), (vec![], true), "{id:?}");
    }
    assert_eq!(sent("\u{2026}").0, [b"\xE2\x80\xA6"]);
}

#[test]
fn an_id_that_is_too_long_is_left_out() {
    let left_out = |len: usize, max: Option<usize>| {
        let decoder = Decoder::with_storage(Fixed::with_field_capacity(vec![0; 40_000], 10_000));
        let mut source = EventSource::with_decoder(URL, decoder).unwrap();
        if let Some(max) = max {
            source = source.max_last_event_id_len(max);
        }
        source.set_last_event_id(&"x".repeat(len)).unwrap();
        let Action::Connect(request) = source.action() else {
            panic!()
        };
        assert_eq!(
            request.last_event_id.is_none(),
            request.last_event_id_omitted
        );
        request.last_event_id_omitted
    };
    assert!(!left_out(4096, None));
    assert!(left_out(4097, None));
    assert!(!left_out(10_000, Some(usize::MAX)));
    assert!(left_out(1, Some(0)));
    // What is sent counts.
    let mut source = source().max_last_event_id_len(1);
    source.set_last_event_id(" 1 ").unwrap();
    assert!(
        matches!(source.action(), Action::Connect(request) if request.last_event_id == Some("1"))
    );
}

#[test]
fn the_header_goes_with_the_id_and_comes_with_it() {
    let mut source = open();
    for (stream, header, left_out) in [
        (&b"id: 1\n\n"[..], Some("1"), false),
        (b"data: x\n\n", Some("1"), false),
        (b"id: 2\n", Some("1"), false),
        (b"id: \x0C\n\n", None, true),
        (b"id: 3\ndata: x\n\n", Some("3"), false),
        (b"id\n\n", None, false),
        (b"data: x\n\n", None, false),
        (b"id: 4\n\n", Some("4"), false),
    ] {
        let _messages = data(&mut source.feed(stream));
        let _error = source.handle_disconnect(Disconnect::EndOfBody);
        source.handle_wait_elapsed();
        let Action::Connect(request) = source.action() else {
            panic!()
        };
        assert_eq!(request.last_event_id, header);
        assert_eq!(request.last_event_id_omitted, left_out);
        let _open = source.handle_response(200, None, EVENT_STREAM);
    }
}

#[test]
fn credentials_go_into_each_request() {
    for credentials in [Credentials::SameOrigin, Credentials::Include] {
        let mut source = source().credentials(credentials);
        assert_eq!(
            source.with_credentials(),
            credentials == Credentials::Include
        );
        for _ in 0..2 {
            let Action::Connect(request) = source.action() else {
                panic!()
            };
            assert_eq!(request.credentials, credentials);
            let _error = source.handle_disconnect(Disconnect::Network);
            source.handle_wait_elapsed();
        }
    }
    assert_eq!(Credentials::default(), Credentials::SameOrigin);
}

// URLs and origins

#[test]
fn an_origin_is_serialised_as_the_url_standard_says() {
    for (url, origin) in [
        ("http://a.example/", "http://a.example"),
        ("http://a.example", "http://a.example"),
        ("http://a.example?x", "http://a.example"),
        ("http://a.example#x", "http://a.example"),
        ("http://a.example\\x", "http://a.example"),
        ("HTTP://A.EXAMPLE/", "http://a.example"),
        ("https://a.example:443/", "https://a.example"),
        ("https://a.example:80/", "https://a.example:80"),
        ("http://a.example:80/", "http://a.example"),
        ("http://a.example:443/", "http://a.example:443"),
        ("http://a.example:/", "http://a.example"),
        ("http://a.example:0/", "http://a.example:0"),
        ("http://a.example:00080/", "http://a.example"),
        ("http://a.example:08080/", "http://a.example:8080"),
        ("http://a.example:65535/", "http://a.example:65535"),
        ("http://a.example:65536/", "null"),
        ("http://a.example:+80/", "null"),
        ("http://a.example:x/", "null"),
        ("ws://a.example:80/", "ws://a.example"),
        ("wss://a.example:443/", "wss://a.example"),
        ("ftp://a.example:21/", "ftp://a.example"),
        ("http://user:pass@a.example:81/", "http://a.example:81"),
        ("http://user@host@a.example/", "http://a.example"),
        ("http://a.example/@b.example/", "http://a.example"),
        ("http://a.example?@b.example/", "http://a.example"),
        ("http://a.example:8080@b.example/", "http://b.example"),
        ("http://[2001:DB8::1]/", "http://[2001:db8::1]"),
        ("http://[::1]:80/", "http://[::1]"),
        ("http://user:p@[::1]:8080/x:y", "http://[::1]:8080"),
        ("http://[::1]x/", "null"),
        ("http://[::1/", "null"),
        ("http://user@/", "null"),
        ("http://127.0.0.1:3000/", "http://127.0.0.1:3000"),
        (
            "http://xn--bcher-kva.example/",
            "http://xn--bcher-kva.example",
        ),
        ("http:///", "null"),
        ("http://:80/", "null"),
        ("http:a.example", "null"),
        ("http:/a.example", "null"),
        ("file:///tmp/x", "null"),
        ("data:text/event-stream,x", "null"),
        ("about:blank", "null"),
        ("custom://a.example/", "null"),
        ("blob:https://a.example:443/9a1", "https://a.example"),
        ("BLOB:http://a.example:8080/9a1", "http://a.example:8080"),
        ("blob:null/9a1", "null"),
        ("blob:ftp://a.example/9a1", "null"),
        ("blob:blob:http://a.example/9a1", "null"),
        ("", "null"),
        ("a.example", "null"),
        ("//a.example", "null"),
    ] {
        assert_eq!(Origin::of(url), origin, "{url}");
        assert_eq!(Origin::of(url).to_string(), origin, "{url}");
        assert_eq!(Origin::of(url), *origin, "{url}");
        assert_eq!(Origin::of(url).is_opaque(), origin == "null", "{url}");
        assert_eq!(format!("{:?}", Origin::of(url)), format!("{origin:?}"));
    }
    assert_eq!(Origin::of("http://A:80/x"), Origin::of("http://a/y"));
    assert_ne!(Origin::of("http://a/"), Origin::of("https://a/"));
    assert_ne!(Origin::of("http://a/"), "http://a/");
    assert_ne!(Origin::of("http://ab/"), "http://a");
}

#[test]
fn a_url_must_be_absolute_and_fit_into_a_request() {
    let check = |url: &str| {
        let decoder = Decoder::with_storage(Fixed::new([0; 64]));
        EventSource::with_decoder(url.to_owned(), decoder).map(|source| source.url().to_owned())
    };
    for url in [
        "http://a.example/stream",
        "https://user:pass@[::1]:8443/?x=y#z",
        "HTTP://A.EXAMPLE",
        "http://b\u{fc}cher.example/",
        "file:///tmp/x",
        "mailto:a@b",
        "a+b-c.9:",
    ] {
        assert_eq!(check(url).as_deref(), Ok(url));
    }
    for (url, why) in [
        ("", "absolute"),
        ("stream", "absolute"),
        ("/stream", "absolute"),
        ("//a.example/", "absolute"),
        (":x", "absolute"),
        ("1http://a/", "absolute"),
        ("b\u{e4}h:x", "absolute"),
        ("../x:y", "absolute"),
        ("http:", "host"),
        ("http://", "host"),
        ("http:///x", "host"),
        ("https://:443/", "host"),
        ("http:a.example", "host"),
        ("http://a:b/", "port"),
        ("http://a:65536/", "port"),
        (" http://a/", "space"),
        ("http://a/ ", "space"),
        ("http://a/x y", "space"),
        ("http://a/\r\nX: y", "control"),
        ("http://a/\t", "control"),
        ("http://a/\0", "control"),
        ("http://a/\x7F", "control"),
    ] {
        let error = check(url).unwrap_err();
        assert!(error.to_string().contains(why), "{url:?}: {error}");
    }
}

// Waits

/// The waits after so many failures in a row.
fn delays<const N: usize>(policy: RetryPolicy, retry: &str) -> [u128; N] {
    let mut source = source().retry_policy(policy);
    let _open = source.handle_response(200, None, EVENT_STREAM);
    let _none = data(&mut source.feed(retry.as_bytes()));
    core::array::from_fn(|_| {
        let _error = source.handle_disconnect(Disconnect::Network);
        let delay = wait(&source).delay.as_millis();
        source.handle_wait_elapsed();
        delay
    })
}

const MAX: u128 = u64::MAX as u128;
const MS: fn(u64) -> Duration = Duration::from_millis;

#[test]
fn the_wait_is_the_reconnection_time() {
    let policy = RetryPolicy::new();
    assert_eq!(delays(policy, ""), [3000; 4]);
    assert_eq!(delays(policy, "retry:0\n"), [0; 4]);
    assert_eq!(delays(policy, "retry:40\nretry:x\n"), [40; 4]);
    assert_eq!(delays(policy, "retry:40"), [3000; 4]);
    assert_eq!(delays(policy, "retry:2147483648\n"), [1 << 31; 2]);
    assert_eq!(delays(policy, "retry:4294967296\n"), [1 << 32; 2]);
    assert_eq!(delays(policy, "retry:18446744073709551615\n"), [MAX; 2]);
    assert_eq!(delays(policy, "retry:18446744073709551616\n"), [MAX; 2]);
    assert_eq!(delays(policy.reconnection_time(MS(9)), ""), [9; 2]);
    assert_eq!(delays(policy.reconnection_time(MS(9)), "retry:7\n"), [7; 2]);
}

#[test]
fn floor_and_ceiling_hold_hostile_times() {
    let policy = RetryPolicy::new().min_delay(MS(500)).max_delay(MS(60_000));
    assert_eq!(delays(policy, ""), [3000; 2]);
    assert_eq!(delays(policy, "retry:0\n"), [500; 2]);
    assert_eq!(delays(policy, "retry:499\n"), [500; 2]);
    assert_eq!(delays(policy, "retry:501\n"), [501; 2]);
    assert_eq!(delays(policy, "retry:60001\n"), [60_000; 2]);
    assert_eq!(delays(policy, "retry:18446744073709551616\n"), [60_000; 2]);
    // The ceiling has the last word.
    assert_eq!(delays(policy.min_delay(MS(70_000)), ""), [60_000; 2]);
    assert_eq!(delays(policy.max_delay(Duration::ZERO), ""), [0; 2]);
    let policy = policy.min_delay(Duration::MAX).max_delay(Duration::MAX);
    assert_eq!(delays(policy, ""), [Duration::MAX.as_millis(); 2]);
}

#[test]
fn backoff_doubles_up_to_its_cap_and_no_wait_is_shorter_than_the_reconnection_time() {
    let policy = RetryPolicy::new().backoff(MS(20_000));
    assert_eq!(delays(policy, ""), [3000, 6000, 12_000, 20_000, 20_000]);
    assert_eq!(delays(policy, "retry:0\n"), [1, 2, 4, 8, 16]);
    assert_eq!(delays(policy, "retry:30000\n"), [30_000; 3]);
    assert_eq!(
        delays(policy.min_delay(MS(100)), "retry:0\n"),
        [100, 200, 400]
    );
    assert_eq!(delays(policy.max_delay(MS(5000)), ""), [3000, 5000, 5000]);
    assert_eq!(
        delays(RetryPolicy::new().backoff(Duration::ZERO), ""),
        [3000; 3]
    );
}

#[test]
fn backoff_never_overflows() {
    let policy = RetryPolicy::new().backoff(Duration::MAX);
    let all: [u128; 40] = delays(policy, "");
    for (n, delay) in all.into_iter().enumerate() {
        assert_eq!(delay, 3000 << n.min(31));
    }
    let all: [u128; 40] = delays(policy, "retry:18446744073709551615\n");
    assert_eq!(all[..3], [MAX, 2 * MAX, 4 * MAX]);
    assert!(all.is_sorted());
    assert!(all[39] <= Duration::MAX.as_millis());
}

#[test]
fn a_row_of_failures_ends_with_a_message_and_not_with_a_connection() {
    let mut source = source().retry_policy(RetryPolicy::new().backoff(MS(100_000)));
    let mut fail = |stream: Option<&[u8]>| {
        if let Some(stream) = stream {
            let _open = source.handle_response(200, None, EVENT_STREAM);
            let mut messages = source.feed(stream);
            while let Ok(Some(_)) | Err(_) = messages.next_item() {}
        }
        let _error = source.handle_disconnect(Disconnect::EndOfBody);
        let seconds = wait(&source).delay.as_secs();
        source.handle_wait_elapsed();
        seconds
    };
    assert_eq!(fail(None), 3);
    assert_eq!(fail(None), 6);
    assert_eq!(fail(Some(b"")), 12);
    assert_eq!(
        fail(Some(
            b":heartbeat\nid:1\n\nevent:e\n\nretry:x\n\ndata:lost\n"
        )),
        24
    );
    assert_eq!(fail(Some(b"data:x\n\n")), 3);
    assert_eq!(fail(None), 6);
    assert_eq!(fail(Some(b"data:x\n\n")), 3);
}

#[test]
fn with_stable_after_a_row_of_failures_ends_when_a_connection_has_lasted() {
    let policy = RetryPolicy::new()
        .backoff(MS(100_000))
        .stable_after(MS(60_000));
    let mut source = source().retry_policy(policy);
    let mut fail = |lasts: bool, as_items: bool| {
        let _open = source.handle_response(200, None, EVENT_STREAM);
        let mut messages = source.feed(b"data: x\n\n");
        if as_items {
            assert!(messages.next_item().unwrap().is_some());
        } else {
            assert!(messages.next_message().unwrap().is_some());
        }
        if lasts {
            source.handle_stable();
            assert_eq!(source.failures(), 0);
        }
        let _error = source.handle_disconnect(Disconnect::EndOfBody);
        // Late: it is not open any more.
        source.handle_stable();
        let seconds = wait(&source).delay.as_secs();
        source.handle_wait_elapsed();
        seconds
    };
    assert_eq!(fail(false, false), 3);
    assert_eq!(fail(false, true), 6);
    assert_eq!(fail(false, false), 12);
    assert_eq!(fail(true, false), 3);
    assert_eq!(fail(false, true), 6);
}

#[test]
fn an_end_that_was_announced_is_no_failure() {
    let policy = RetryPolicy::new().backoff(MS(100_000)).max_failures(2);
    let mut source = source().retry_policy(policy);
    let _error = source.handle_disconnect(Disconnect::Network);
    source.handle_wait_elapsed();
    for _ in 0..3 {
        let _open = source.handle_response(200, None, EVENT_STREAM);
        source.expect_end();
        let signal = source.handle_disconnect(Disconnect::EndOfBody);
        assert_eq!(signal, error(ReadyState::Connecting, Reason::EndOfBody));
        assert_eq!(source.failures(), 1);
        assert_eq!(wait(&source).delay, MS(3000));
        source.handle_wait_elapsed();
    }
    // It is announced for one connection.
    let _open = source.handle_response(200, None, EVENT_STREAM);
    let signal = source.handle_disconnect(Disconnect::EndOfBody);
    assert_eq!(signal, error(ReadyState::Closed, Reason::GaveUp(2)));

    for cause in [
        Disconnect::EndOfBody,
        Disconnect::Network,
        Disconnect::Timeout,
    ] {
        let mut source = open().retry_policy(RetryPolicy::never());
        source.expect_end();
        assert_eq!(source.handle_disconnect(cause), None);
        assert_eq!(source.action(), Action::Stop(None));
    }
    let mut source = open().retry_policy(RetryPolicy::never());
    source.expect_end();
    let signal = source.handle_disconnect(Disconnect::Futile);
    assert_eq!(signal, error(ReadyState::Closed, Reason::Futile));
}

#[test]
fn jitter_is_a_share_of_the_wait_and_only_ever_added() {
    let jitter = |policy: RetryPolicy| {
        let mut source = source().retry_policy(policy);
        let _error = source.handle_disconnect(Disconnect::Network);
        wait(&source)
    };
    let none = jitter(RetryPolicy::new());
    assert_eq!(none.jitter, Duration::ZERO);
    assert_eq!(none.with_jitter(0), MS(3000));
    assert_eq!(none.with_jitter(u32::MAX), MS(3000));

    let half = jitter(RetryPolicy::new().jitter(50));
    assert_eq!((half.delay, half.jitter), (MS(3000), MS(1500)));
    assert_eq!(half.with_jitter(0), MS(3000));
    assert_eq!(half.with_jitter(1 << 31), MS(3750));
    let most = half.with_jitter(u32::MAX);
    assert!(most < MS(4500) && most > MS(4499), "{most:?}");

    let ceiling = jitter(RetryPolicy::new().jitter(50).max_delay(MS(4000)));
    assert_eq!((ceiling.delay, ceiling.jitter), (MS(3000), MS(1000)));
    let ceiling = jitter(RetryPolicy::new().jitter(50).max_delay(MS(2000)));
    assert_eq!((ceiling.delay, ceiling.jitter), (MS(2000), Duration::ZERO));

    let all = jitter(
        RetryPolicy::new()
            .reconnection_time(Duration::MAX)
            .jitter(u32::MAX),
    );
    assert_eq!(all.delay, Duration::MAX);
    assert_eq!(all.with_jitter(u32::MAX), Duration::MAX);
    let half = Duration::from_secs(u64::MAX / 2);
    let large = jitter(RetryPolicy::new().reconnection_time(half).jitter(100));
    assert_eq!(large.with_jitter(0), half);
    assert_eq!(
        large.with_jitter(1 << 31).as_secs(),
        u64::MAX / 2 / 2 * 3 + 1
    );
    assert_eq!(
        jitter(RetryPolicy::new().reconnection_time(MS(100)).jitter(300)).jitter,
        MS(300)
    );
}

// Memory

#[test]
fn the_machine_needs_no_allocator() {
    let mut memory = [0; 256];
    let decoder = Decoder::with_storage(Fixed::new(&mut memory[..]));
    let mut source = EventSource::with_decoder(URL, decoder).unwrap();
    let mut chunk = Vec::new();
    chunk.extend_from_slice(b"id: 1\nretry: 5\ndata: x\n\n");
    let info = allocation_counter::measure(|| {
        for _ in 0..3 {
            let Action::Connect(request) = source.action() else {
                panic!()
            };
            assert_eq!(
                request.headers().count(),
                2 + usize::from(request.last_event_id.is_some())
            );
            let _open = source.handle_response(200, Some("http://b.example/"), EVENT_STREAM);
            let mut messages = source.feed(&chunk);
            let message = messages.next_message().unwrap().unwrap();
            assert!(message.origin == "http://b.example");
            let _error = source.handle_disconnect(Disconnect::EndOfBody);
            assert_eq!(wait(&source).with_jitter(1).as_millis(), 5);
            source.handle_wait_elapsed();
        }
    });
    assert_eq!(info.count_total, 0);
}
