//! Which responses open the connection, which are retried, and which fail it.

use core::ops::RangeInclusive;

use sse_proto::{Action, Disconnect, ReadyState, Reason, RetryPolicy, Signal, Unfinished};

use super::{EVENT_STREAM, MS, NO_HEADERS, error, source, wait};

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
fn header_names_match_in_any_case_and_values_need_not_be_utf_8() {
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
        (Reason::NoEventStream, "the body was no event stream"),
        (Reason::Network, "network error"),
        (Reason::Timeout, "timeout"),
        (Reason::Permanent, "the request failed permanently"),
        (Reason::GaveUp(3), "gave up after 3 failures in a row"),
        (Reason::Reconnect, "a reconnect was asked for"),
    ] {
        assert_eq!(reason.to_string(), text);
    }
}

#[test]
fn a_body_without_any_recognized_line_was_no_event_stream() {
    for (body, reason) in [
        ("{\"error\":\"quota\"}", Reason::NoEventStream),
        ("{\n  \"error\": 1\n}\n", Reason::NoEventStream),
        ("error: {\"code\":413}", Reason::NoEventStream),
        ("<html>\r\n\r\n<p>data: x", Reason::NoEventStream),
        // What is known of the last line may still become a field,
        ("da", Reason::Truncated(Unfinished::Line)),
        // an ID line may turn out to be ignored,
        ("x\nid: 1", Reason::NoEventStream),
        // and these are lines of event streams.
        ("", Reason::EndOfBody),
        ("\n\n", Reason::EndOfBody),
        (":ping\nx\n", Reason::EndOfBody),
        ("x\nretry: 5\n", Reason::EndOfBody),
        ("error: x\n\ndata: [DONE]\n\n", Reason::EndOfBody),
        ("x\nid: 1\n\n", Reason::EndOfBody),
    ] {
        let mut source = source();
        let _open = source.handle_response(200, None, EVENT_STREAM);
        let mut messages = source.feed(body.as_bytes());
        while messages.next_message().unwrap().is_some() {}
        let signal = source.handle_disconnect(Disconnect::EndOfBody);
        assert_eq!(signal, error(ReadyState::Connecting, reason), "{body:?}");
    }
}

#[test]
fn listed_statuses_are_retried_except_200_and_204() {
    let policy = RetryPolicy::new().statuses(&[200, 204, 429, 503]);
    for status in [429, 503] {
        let mut source = source().retry_policy(policy);
        // The content type is right, but the status is not 200.
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
fn statuses_can_be_a_list_a_range_or_a_predicate_and_add_up() {
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
    // A list from a configuration that is dropped afterwards.
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
fn a_wrong_content_type_is_retried_if_the_policy_says_so() {
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
