//! The reconnecting client over a scripted network, in virtual time.

#[path = "support/network.rs"]
mod network;

use std::{
    error::Error as _,
    future::poll_fn,
    pin::{Pin, pin},
    sync::mpsc,
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use bytes::Bytes;
use futures_core::{FusedStream, Stream};
use http::{HeaderValue, Method, Request};
use network::{Answer, Network, Step, describe, log, next_until, redirect, status, stream, text};
use proptest::prelude::*;
use sse_proto::{
    Action, Decoder, Disconnect, Event, OwnedEvent, ReadyState, Reason, ReconnectTo, RetryPolicy,
    Signal, StreamItem, Unfinished,
};
use sse_proto_stream::{ConnectError, Error, EventSource, FinalUrl, InvalidUrl, Received};

const URL: &str = "http://a.example/events";
const MS: fn(u64) -> Duration = Duration::from_millis;

/// A client of this network.
macro_rules! source {
    ($network:ident) => {
        EventSource::get(URL, $network.connect(), $network.sleep()).unwrap()
    };
    ($network:ident, $request:expr) => {
        EventSource::new($request, $network.connect(), $network.sleep()).unwrap()
    };
}

fn post(body: &'static str) -> Request<Bytes> {
    let request = Request::post(URL).header("content-type", "application/json");
    let request = request.header("authorization", "Bearer secret");
    request.body(Bytes::from_static(body.as_bytes())).unwrap()
}

fn owned(pairs: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
    let pairs = pairs.iter();
    pairs
        .map(|(url, id)| ((*url).to_owned(), id.map(str::to_owned)))
        .collect()
}

// Connections and events

#[test]
fn it_reconnects_and_resumes_after_the_last_event() {
    let network = Network::new([
        stream(&[
            text("retry: 500\nid: 1\nda"),
            text("ta: one\n\n"),
            text("id: 2\n\ndata: cu"),
        ]),
        Answer::Refused,
        stream(&[text("data: two\n\n"), Step::Wait(70), Step::Break]),
        status(204),
    ]);
    let mut source = pin!(source!(network));
    let expected = [
        "open 200",
        r#"message "one" "1""#,
        "lost Truncated(Line) 500",
        "lost Network 500",
        "open 200",
        r#"message "two" "2""#,
        "lost Network 500",
        "failed Status(204)",
        "end",
    ];
    assert_eq!(log(&network, source.as_mut(), u64::MAX), expected);
    assert_eq!(
        network.urls_and_ids(),
        owned(&[
            (URL, None),
            (URL, Some("2")),
            (URL, Some("2")),
            (URL, Some("2"))
        ])
    );
    assert_eq!(network.times(), [0, 500, 1000, 1570]);
    assert_eq!(network.alive.get(), 0);
    assert!(source.is_terminated());
    assert_eq!(source.ready_state(), ReadyState::Closed);
}

#[test]
fn a_request_has_the_headers_of_the_standard() {
    let network = Network::new([]);
    let mut source = pin!(source!(network).with_last_event_id(" č "));
    assert_eq!(log(&network, source.as_mut(), 5), [""; 0]);
    let requests = network.requests();
    let request = &requests[0];
    assert_eq!(
        (request.method(), request.uri().to_string()),
        (&Method::GET, URL.to_owned())
    );
    let headers: Vec<_> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let mut expected = [
        ("accept", &b"text/event-stream"[..]),
        ("accept-encoding", b"identity"),
        ("cache-control", b"no-cache"),
        ("last-event-id", "č".as_bytes()),
    ];
    let mut headers = headers;
    headers.sort_unstable();
    expected.sort_unstable();
    assert_eq!(headers, expected);
    assert!(request.body().is_empty());
}

#[test]
fn headers_of_the_caller_are_kept_except_for_the_last_event_id() {
    let network = Network::new([]);
    let request = Request::put(URL)
        .header("accept", "application/json, text/event-stream")
        .header("accept-encoding", "gzip");
    let request = request
        .header("last-event-id", "mine")
        .header("x", "1")
        .body(Bytes::from("body"))
        .unwrap();
    let mut source = pin!(source!(network, request).cache_control(false));
    assert_eq!(log(&network, source.as_mut(), 5), [""; 0]);
    let requests = network.requests();
    let request = &requests[0];
    assert_eq!(request.method(), Method::PUT);
    assert_eq!(
        request.headers()["accept"],
        "application/json, text/event-stream"
    );
    assert_eq!(request.headers()["accept-encoding"], "gzip");
    assert_eq!(request.headers()["x"], "1");
    assert_eq!(request.headers().get("last-event-id"), None);
    assert_eq!(request.headers().get("cache-control"), None);
    assert_eq!(request.body(), "body");
}

#[test]
fn comments_and_retry_lines_are_returned_if_requested() {
    let body = [text(":hi\nretry: 5\ndata: x\n\n:ho\n"), Step::Hang];
    for (items, expected) in [
        (
            true,
            &["open 200", ":hi", "retry 5", r#"message "x" """#, ":ho"][..],
        ),
        (false, &["open 200", r#"message "x" """#]),
    ] {
        let network = Network::new([stream(&body)]);
        let mut source = pin!(source!(network).items(items));
        assert_eq!(log(&network, source.as_mut(), 5), expected);
        assert_eq!(source.reconnection_time(), MS(5));
    }
}

#[test]
fn an_event_too_large_is_reported_and_the_stream_continues() {
    let network = Network::new([stream(&[text("data: 123456\n\ndata: x\n\n"), Step::Hang])]);
    let request = Request::get(URL).body(Bytes::new()).unwrap();
    let decoder = Decoder::with_max_event_len(5);
    let source =
        EventSource::with_decoder(request, decoder, network.connect(), network.sleep()).unwrap();
    let mut source = pin!(source);
    let expected = [
        "open 200",
        "event exceeds the limit of 5 bytes in its data",
        r#"message "x" """#,
    ];
    assert_eq!(log(&network, source.as_mut(), 5), expected);
}

#[test]
fn the_last_event_id_is_that_of_the_event_returned_last() {
    let network = Network::new([stream(&[
        text("id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\n\n"),
        Step::Hang,
    ])]);
    let mut source = pin!(source!(network).with_last_event_id("0"));
    let mut ids = vec![source.last_event_id().to_owned()];
    while let Some(Some(item)) = next_until(&network, source.as_mut(), 5) {
        assert!(item.is_ok());
        ids.push(source.last_event_id().to_owned());
    }
    assert_eq!(ids, ["0", "0", "1", "2"]);
    // An ID after the last event counts when it has been decoded.
    assert_eq!(source.last_event_id(), "3");
}

#[test]
fn an_id_that_no_header_can_contain_is_omitted_and_reported() {
    for (id, is_omitted) in [("1", false), ("a\u{c}b", true)] {
        let network = Network::new([stream(&[text(&format!("id: {id}\n\n"))])]);
        let mut source = pin!(source!(network));
        assert!(!source.last_event_id_omitted());
        assert_eq!(log(&network, source.as_mut(), 3000).len(), 2);
        assert_eq!(source.last_event_id(), id);
        assert_eq!(source.last_event_id_omitted(), is_omitted);
        let sent = Some(id).filter(|_| !is_omitted);
        assert_eq!(
            network.urls_and_ids()[1],
            (URL.to_owned(), sent.map(str::to_owned))
        );
    }
}

#[test]
fn an_invalid_url_is_an_error() {
    let network = Network::new([]);
    let why = |url: &str| -> InvalidUrl {
        EventSource::get(url, network.connect(), network.sleep()).unwrap_err()
    };
    assert_eq!(why("/events").to_string(), "url is not absolute");
    assert!(!why("http://").to_string().is_empty());
    assert!(!why("http://a b/").to_string().is_empty());
    assert!(network.requests().is_empty());
}

// Rejected responses

#[test]
fn a_rejected_response_is_returned_with_its_head_and_body() {
    let answer = |status, content_type: &str| {
        let body = vec![text("{\"error\":"), Step::Wait(40), text("\"no\"}")];
        Answer::Head(
            status,
            vec![
                ("content-type", content_type.to_owned()),
                ("x", "1".to_owned()),
            ],
            body,
        )
    };
    for (answer, reason) in [
        (answer(429, "application/json"), Reason::Status(429)),
        (answer(400, "text/event-stream"), Reason::Status(400)),
        (answer(200, "application/json"), Reason::ContentType),
    ] {
        let network = Network::new([answer]);
        let mut source = pin!(source!(network));
        let Some(Some(Err(Error::Source(lost)))) = next_until(&network, source.as_mut(), 100)
        else {
            panic!()
        };
        assert_eq!((lost.reason(), lost.failures()), (reason, 1));
        assert_eq!(network.now(), 40);
        let response = lost.into_response().unwrap();
        assert_eq!(response.headers()["x"], "1");
        assert_eq!(response.body(), "{\"error\":\"no\"}");
        assert_eq!(
            next_until(&network, source.as_mut(), 100).map(|end| end.is_none()),
            Some(true)
        );
        assert_eq!(network.alive.get(), 0);
    }
}

#[test]
fn the_body_of_a_rejected_response_is_limited_in_length_and_time() {
    let chunk = Step::Chunk(vec![b'x'; 40_000].into());
    let whole = Step::Chunk(vec![b'x'; 65_536].into());
    for (steps, len, at, is_complete) in [
        (
            vec![chunk.clone(), chunk.clone(), Step::Hang],
            65_536,
            0,
            false,
        ),
        (vec![whole.clone()], 65_536, 0, true),
        (vec![whole, text("x")], 65_536, 0, false),
        (vec![text("abc"), Step::Hang], 3, 5000, false),
        (vec![text("abc"), Step::Break], 3, 0, false),
        (vec![text("abc")], 3, 0, true),
        (vec![], 0, 0, true),
    ] {
        let network = Network::new([Answer::Head(500, vec![], steps)]);
        let mut source = pin!(source!(network));
        let Some(Some(Err(Error::Source(lost)))) = next_until(&network, source.as_mut(), 10_000)
        else {
            panic!()
        };
        assert_eq!(
            (lost.response().unwrap().body().len(), network.now()),
            (len, at)
        );
        assert_eq!(lost.is_response_complete(), is_complete);
        assert_eq!(network.alive.get(), 0);
    }
}

#[test]
fn a_rejected_response_has_its_body_even_if_the_client_retries() {
    let busy = Answer::Head(
        503,
        vec![("retry-after", "7".to_owned())],
        vec![text("busy")],
    );
    let network = Network::new([busy, stream(&[Step::Hang])]);
    let policy = RetryPolicy::new().statuses(&[503]);
    let mut source = pin!(source!(network).retry_policy(policy));
    let Some(Some(Ok(Received::Lost(lost)))) = next_until(&network, source.as_mut(), 0) else {
        panic!()
    };
    assert_eq!(lost.to_string(), "status 503, next attempt in 7.0s");
    assert_eq!(lost.response().unwrap().body(), "busy");
    assert_eq!(log(&network, source.as_mut(), 10_000), ["open 200"]);
    assert_eq!(network.times(), [0, 7000]);
}

#[test]
fn a_compressed_stream_is_an_error_and_not_an_empty_stream() {
    let headers = |encoding: &str| {
        vec![
            ("content-type", "text/event-stream".to_owned()),
            ("content-encoding", encoding.to_owned()),
        ]
    };
    let network = Network::new([Answer::Head(200, headers("gzip"), vec![Step::Hang])]);
    let mut source = pin!(source!(network));
    let Some(Some(Err(Error::Source(lost)))) = next_until(&network, source.as_mut(), 0) else {
        panic!()
    };
    assert_eq!(lost.reason(), Reason::Permanent);
    assert_eq!(
        lost.source().unwrap().to_string(),
        "the response is compressed"
    );
    let network = Network::new([Answer::Head(200, headers("identity"), vec![Step::Hang])]);
    assert_eq!(log(&network, pin!(source!(network)), 5), ["open 200"]);
}

#[test]
fn a_permanent_error_ends_the_client_also_if_a_closure_returns_it() {
    let tls = || {
        std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            "a certificate that nobody trusts",
        )
    };
    let wrapped = || std::io::Error::other(tls());
    let errors: [(fn() -> ConnectError, bool); 5] = [
        (|| std::io::Error::other("x").into(), false),
        (
            || std::io::Error::from(std::io::ErrorKind::InvalidData).into(),
            false,
        ),
        (|| ConnectError::permanent("x"), true),
        (|| ConnectError::new("x"), false),
        (
            || {
                http::Request::builder()
                    .uri(" ")
                    .body(())
                    .unwrap_err()
                    .into()
            },
            true,
        ),
    ];
    let more: Vec<(Box<dyn Fn() -> ConnectError>, bool)> = vec![
        (Box::new(move || tls().into()), true),
        (Box::new(move || wrapped().into()), true),
    ];
    let errors = errors.map(|(error, is_permanent)| {
        (
            Box::new(error) as Box<dyn Fn() -> ConnectError>,
            is_permanent,
        )
    });
    for (error, is_permanent) in errors.into_iter().chain(more) {
        let network = Network::new([]);
        let connect = |_| {
            std::future::ready(Err::<http::Response<http_body_util::Empty<Bytes>>, _>(
                error(),
            ))
        };
        let mut source = pin!(EventSource::get(URL, connect, network.sleep()).unwrap());
        let item = next_until(&network, source.as_mut(), 0).unwrap().unwrap();
        let expected = if is_permanent {
            "failed Permanent"
        } else {
            "lost Network 3000"
        };
        assert_eq!(describe(&item), expected, "{:?}", error());
    }
}

#[test]
fn it_gives_up_when_the_policy_says_so() {
    let network = Network::new([Answer::Refused, Answer::Refused, Answer::Refused]);
    let policy = RetryPolicy::new().max_failures(2).reconnection_time(MS(10));
    let mut source = pin!(source!(network).retry_policy(policy));
    let expected = ["lost Network 10", "failed GaveUp(2)", "end"];
    assert_eq!(log(&network, source.as_mut(), u64::MAX), expected);
    assert_eq!(source.failures(), 2);
}

// Requests that are sent once, and end markers

#[test]
fn a_request_other_than_get_is_sent_once() {
    let cut = || stream(&[text("data: x\n\ndata: y\n")]);
    let network = Network::new([cut(), cut()]);
    let expected = [
        "open 200",
        r#"message "x" """#,
        "failed Truncated(Event)",
        "end",
    ];
    assert_eq!(
        log(&network, pin!(source!(network, post("{}"))), u64::MAX),
        expected
    );
    assert_eq!(network.requests().len(), 1);
    let network = Network::new([Answer::Refused]);
    assert_eq!(
        log(&network, pin!(source!(network, post("{}"))), u64::MAX),
        ["failed Network", "end"]
    );

    let network = Network::new([cut(), status(204)]);
    let source = source!(network, post("{}")).retry_policy(RetryPolicy::new());
    assert_eq!(log(&network, pin!(source), u64::MAX).last().unwrap(), "end");
    let requests = network.requests();
    assert_eq!(requests.len(), 2);
    assert!(
        requests
            .iter()
            .all(|request| request.body() == "{}" && request.method() == Method::POST)
    );
}

#[test]
fn an_end_marker_ends_the_stream_without_an_error() {
    for request in [post("{}"), Request::get(URL).body(Bytes::new()).unwrap()] {
        let network = Network::new([stream(&[
            text("data: x\n\ndata: [DONE]\n\ndata: never\n\n"),
            Step::Hang,
        ])]);
        let mut source = pin!(source!(network, request).until("[DONE]"));
        assert_eq!(
            log(&network, source.as_mut(), 5),
            ["open 200", r#"message "x" """#, "end"]
        );
        assert_eq!(network.alive.get(), 0);
        assert!(source.is_terminated());
        assert_eq!(source.ready_state(), ReadyState::Closed);
    }
    // The marker is the first event of the stream.
    let network = Network::new([stream(&[text("data: [DONE]\n\n"), Step::Hang])]);
    assert_eq!(
        log(&network, pin!(source!(network).until("[DONE]")), 5),
        ["open 200", "end"]
    );
}

#[test]
fn a_stream_of_events_only_ends_with_the_last_loss() {
    let network = Network::new([
        stream(&[text("id: 1\ndata: a\n\n:c\n")]),
        stream(&[text("data: b\n\n"), Step::Break]),
        status(404),
    ]);
    let mut events = pin!(source!(network).items(true).events());
    let mut data = vec![];
    let lost = loop {
        match next_until(&network, events.as_mut(), u64::MAX).unwrap() {
            Some(Ok(event)) => data.push(event.into_data()),
            Some(Err(Error::Source(lost))) => break lost,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        (data, lost.reason()),
        (vec!["a".to_owned(), "b".to_owned()], Reason::Status(404))
    );
    assert!(
        next_until(&network, events.as_mut(), u64::MAX)
            .unwrap()
            .is_none()
    );
    assert!(events.is_terminated());
    assert_eq!(events.get_ref().last_event_id(), "1");
}

#[test]
fn it_can_start_with_a_response_that_was_received_before() {
    let response = |status: u16, content_type: &str, steps: &[Step]| {
        let headers = vec![("content-type", content_type.to_owned())];
        let network = Network::new([Answer::Head(status, headers, steps.to_vec())]);
        let reply = network.connect()(Request::default());
        futures_executor::block_on(reply).unwrap()
    };
    let network = Network::new([stream(&[text("data: y\n\n"), Step::Hang])]);
    let first = response(200, "text/event-stream", &[text("id: 1\ndata: x\n\n")]);
    let mut source = pin!(source!(network).with_response(first).ok().unwrap());
    assert_eq!(source.ready_state(), ReadyState::Open);
    let expected = [
        "open 200",
        r#"message "x" "1""#,
        "lost EndOfBody 3000",
        "open 200",
        r#"message "y" "1""#,
    ];
    assert_eq!(log(&network, source.as_mut(), 4000), expected);
    assert_eq!(network.urls_and_ids(), owned(&[(URL, Some("1"))]));

    // A response that is not an event stream is returned.
    for (status, content_type) in [(200, "application/json"), (202, "text/event-stream")] {
        let other = response(status, content_type, &[text("{}")]);
        let rejected = source!(network).with_response(other).err().unwrap();
        assert_eq!(rejected.status(), status);
    }
}

// Time

#[test]
fn a_silent_body_times_out_at_most_a_quarter_late() {
    // The time at which the last bytes arrive, a comment.
    for last in [0, 1, 24, 25, 26, 50, 99] {
        let steps = [
            text("data: x\n\n"),
            Step::Wait(last),
            text(":\n"),
            Step::Hang,
        ];
        let network = Network::new([stream(&steps)]);
        let mut source = pin!(source!(network).read_timeout(MS(100)));
        let lost = loop {
            match next_until(&network, source.as_mut(), 1000) {
                Some(Some(Ok(Received::Lost(lost)))) => break lost,
                other => assert!(matches!(other, Some(Some(Ok(_)))), "{last}"),
            }
        };
        assert_eq!(lost.reason(), Reason::Timeout);
        let at = network.now();
        assert!((last + 100..=last + 125).contains(&at), "{last}: {at}");
    }
    // An empty chunk does not count.
    let steps = [Step::Wait(60), text(""), Step::Hang];
    let network = Network::new([stream(&steps)]);
    let mut source = pin!(source!(network).read_timeout(MS(100)));
    assert_eq!(
        log(&network, source.as_mut(), 100),
        ["open 200", "lost Timeout 3000"]
    );
    // The time starts with the head.
    let network = Network::new([stream(&[Step::Hang])]);
    let mut source = pin!(source!(network).read_timeout(MS(100)));
    assert_eq!(
        log(&network, source.as_mut(), 100),
        ["open 200", "lost Timeout 3000"]
    );
    assert_eq!(network.now(), 100);
    assert_eq!(network.alive.get(), 0);
}

#[test]
fn the_read_timeout_does_not_start_a_timer_for_each_chunk() {
    let steps: Vec<_> = (0..1000)
        .flat_map(|_| [text("data: x\n\n"), Step::Wait(1)])
        .collect();
    let network = Network::new([stream(&steps)]);
    let mut source = pin!(source!(network).read_timeout(MS(100)));
    assert_eq!(log(&network, source.as_mut(), 999).len(), 1001);
    assert!(
        network.timers_made.get() <= 42,
        "{}",
        network.timers_made.get()
    );
}

#[test]
fn a_request_without_a_response_times_out() {
    let network = Network::new([
        Answer::Silence,
        Answer::After(49, Box::new(stream(&[Step::Wait(1000)]))),
        Answer::After(20, Box::new(redirect(302, "/x"))),
        Answer::After(40, Box::new(stream(&[]))),
    ]);
    let mut source = pin!(source!(network).response_timeout(MS(50)));
    let expected = [
        "lost Timeout 3000",
        "open 200",
        "lost EndOfBody 3000",
        "lost Timeout 3000",
    ];
    assert_eq!(log(&network, source.as_mut(), 7200), expected);
    // A redirect and the response after it have one deadline.
    assert_eq!(network.times(), [0, 3050, 7099, 7119]);
    assert_eq!(network.alive.get(), 0);
}

#[test]
fn a_stable_connection_resets_the_count_of_failures() {
    let short = || stream(&[text("data: x\n\n"), Step::Wait(9)]);
    let long = || stream(&[text("data: x\n\n"), Step::Wait(31), Step::Break]);
    for timeout in [None, Some(1000), Some(5)] {
        let network = Network::new([short(), short(), long(), short()]);
        let policy = RetryPolicy::new()
            .reconnection_time(MS(100))
            .backoff(MS(10_000))
            .stable_after(MS(30));
        let mut source = source!(network).retry_policy(policy).items(true);
        if let Some(timeout) = timeout {
            source = source.read_timeout(MS(timeout));
        }
        let log = log(&network, pin!(source), 1000);
        let lost: Vec<_> = log.iter().filter(|line| line.starts_with("lost")).collect();
        match timeout {
            Some(5) => assert_eq!(
                lost[..3],
                ["lost Timeout 100", "lost Timeout 200", "lost Timeout 400"]
            ),
            _ => assert_eq!(
                lost,
                [
                    "lost EndOfBody 100",
                    "lost EndOfBody 200",
                    "lost Network 100",
                    "lost EndOfBody 200"
                ]
            ),
        }
    }
}

#[test]
fn delays_have_the_jitter_of_the_policy() {
    let network = Network::new([Answer::Refused]);
    let policy = RetryPolicy::new().reconnection_time(MS(1000)).jitter(50);
    let mut delays = vec![];
    for _ in 0..20 {
        let network = Network::new([Answer::Refused]);
        let mut source = pin!(source!(network).retry_policy(policy));
        let Some(Some(Ok(Received::Lost(lost)))) = next_until(&network, source.as_mut(), 0) else {
            panic!()
        };
        delays.push(lost.delay().unwrap());
    }
    drop(network);
    assert!(
        delays
            .iter()
            .all(|delay| (MS(1000)..MS(1500)).contains(delay))
    );
    delays.dedup();
    assert!(delays.len() > 5, "{delays:?}");
}

// Redirects

#[test]
fn redirects_are_followed_and_the_origin_is_that_of_the_last() {
    let network = Network::new([
        redirect(301, "/two"),
        redirect(302, "//B.example:80/three?x#y"),
        redirect(307, "../four"),
        stream(&[text("id: 7\n\n"), Step::Wait(1)]),
        stream(&[Step::Hang]),
    ]);
    let mut source = pin!(source!(network));
    assert_eq!(
        log(&network, source.as_mut(), 10),
        ["open 200", "lost EndOfBody 3000"]
    );
    assert_eq!(source.origin(), "http://b.example");
    assert_eq!(log(&network, source.as_mut(), 4000), ["open 200"]);
    let expected = [
        (URL, None),
        ("http://a.example/two", None),
        ("http://B.example:80/three?x", None),
        ("http://B.example:80/four", None),
        (URL, Some("7")),
    ];
    assert_eq!(network.urls_and_ids(), owned(&expected));
    assert_eq!(source.origin(), "http://a.example");
}

#[test]
fn a_reconnect_uses_the_url_that_the_option_selects() {
    const B: &str = "http://b.example/";
    for (to, url) in [
        (ReconnectTo::OriginalUrl, URL),
        (ReconnectTo::PermanentUrl, B),
        (ReconnectTo::FinalUrl, "http://c.example/"),
    ] {
        let network = Network::new([
            redirect(308, B),
            redirect(302, "http://c.example/"),
            stream(&[]),
            Answer::Silence,
        ]);
        let mut request = Request::get(URL)
            .header("x-key", "secret")
            .body(Bytes::new())
            .unwrap();
        request.extensions_mut().insert("secret");
        let mut source = pin!(source!(network, request).reconnect_to(to));
        assert_eq!(
            log(&network, source.as_mut(), 4000),
            ["open 200", "lost EndOfBody 3000"]
        );
        let requests = network.requests();
        assert_eq!(requests[3].uri(), url);
        // The caller's headers are only sent to the caller's origin, even if the first URL has
        // another one.
        let have: Vec<_> = requests
            .iter()
            .map(|request| request.headers().contains_key("x-key"))
            .collect();
        assert_eq!(have, [true, false, false, url == URL]);
        assert_eq!(requests[3].extensions().get::<&str>().is_some(), url == URL);
    }
}

#[test]
fn no_header_of_the_caller_is_sent_to_another_origin() {
    let network = Network::new([
        stream(&[text("id: 1\n\n")]),
        redirect(307, "https://a.example/"),
        redirect(307, URL),
        Answer::Silence,
    ]);
    let request = Request::get(URL)
        .header("authorization", "secret")
        .header("cookie", "secret")
        .header("x-key", "secret");
    let request = request
        .header("accept", "text/event-stream;secret")
        .header("accept-encoding", "secret")
        .header("host", "secret");
    let mut source = pin!(source!(network, request.body(Bytes::new()).unwrap()));
    let _log = log(&network, source.as_mut(), 4000);
    let requests = network.requests();
    assert_eq!(requests.len(), 4);
    for (request, is_own) in requests.iter().zip([true, true, false, false]) {
        let mut headers = request.headers().iter();
        assert_eq!(
            headers.any(|(_, value)| value.to_str().unwrap().contains("secret")),
            is_own
        );
    }
    // The headers of the client itself are sent.
    let mut names: Vec<_> = requests[2]
        .headers()
        .keys()
        .map(|name| name.as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "accept",
            "accept-encoding",
            "cache-control",
            "last-event-id"
        ]
    );
    assert_eq!(requests[2].headers()["last-event-id"], "1");
}

#[test]
fn redirects_change_methods_and_bodies_as_in_fetch() {
    for (method, status, expected) in [
        (Method::POST, 301, Some(Method::GET)),
        (Method::POST, 302, Some(Method::GET)),
        (Method::POST, 303, Some(Method::GET)),
        (Method::POST, 307, Some(Method::POST)),
        (Method::POST, 308, Some(Method::POST)),
        (Method::PUT, 301, Some(Method::PUT)),
        (Method::PUT, 303, Some(Method::GET)),
        (Method::HEAD, 303, Some(Method::HEAD)),
        (Method::GET, 303, Some(Method::GET)),
    ] {
        let network = Network::new([redirect(status, "/x")]);
        let mut request = post("{}");
        *request.method_mut() = method.clone();
        let mut source = pin!(source!(network, request));
        assert_eq!(log(&network, source.as_mut(), 5), [""; 0]);
        let requests = network.requests();
        let next = &requests[1];
        assert_eq!(Some(next.method().clone()), expected, "{method} {status}");
        let has_body = *next.method() == method && !(status == 303 && method == Method::PUT);
        assert_eq!(next.body() == "{}", has_body);
        assert_eq!(next.headers().contains_key("content-type"), has_body);
        assert!(next.headers().contains_key("authorization"));
    }
}

#[test]
fn invalid_redirects_end_the_client() {
    let why = |answers: Vec<Answer>, request: Request<Bytes>| {
        let network = Network::new(answers);
        let mut source = pin!(source!(network, request));
        let Some(Some(Err(Error::Source(lost)))) = next_until(&network, source.as_mut(), 5) else {
            panic!()
        };
        assert_eq!(lost.reason(), Reason::Permanent);
        assert_eq!(network.alive.get(), 0);
        (lost.source().unwrap().to_string(), network.requests().len())
    };
    let get = || Request::get(URL).body(Bytes::new()).unwrap();
    let invalid = ("redirect to an invalid or non-HTTP URL".to_owned(), 1);
    assert_eq!(why(vec![redirect(302, "ftp://a.example/")], get()), invalid);
    assert_eq!(why(vec![redirect(302, "http://")], get()), invalid);
    let loops = vec![redirect(302, "/x"); 30];
    assert_eq!(why(loops, get()), ("too many redirects".to_owned(), 21));
    let other_origin = "redirect that would send the request body to another origin".to_owned();
    assert_eq!(
        why(vec![redirect(307, "http://b.example/")], post("{}")),
        (other_origin, 1)
    );
    // 20 redirects are allowed.
    let mut answers = vec![redirect(302, "/x"); 20];
    answers.push(stream(&[Step::Hang]));
    let network = Network::new(answers);
    assert_eq!(log(&network, pin!(source!(network)), 5), ["open 200"]);
    // Without `Location` it is not a redirect.
    let network = Network::new([status(302)]);
    assert_eq!(
        log(&network, pin!(source!(network)), 5),
        ["failed Status(302)", "end"]
    );
}

#[test]
fn a_library_that_follows_redirects_sets_the_final_url() {
    let network = Network::new([]);
    let connect = |_| {
        let body = http_body_util::Full::new(&b"data: x\n\n"[..]);
        let mut response = http::Response::builder()
            .header("content-type", "text/event-stream")
            .body(body)
            .unwrap();
        response
            .extensions_mut()
            .insert(FinalUrl("https://b.example/x".into()));
        std::future::ready(Ok::<_, ConnectError>(response))
    };
    let mut source = pin!(EventSource::get(URL, connect, network.sleep()).unwrap());
    assert!(matches!(
        next_until(&network, source.as_mut(), 0),
        Some(Some(Ok(Received::Open(_))))
    ));
    assert_eq!(source.origin(), "https://b.example");
}

#[test]
fn an_invalid_final_url_ends_a_client_that_reconnects_to_it() {
    let network = Network::new([]);
    let connect = |_| {
        let response = http::Response::builder().header("content-type", "text/event-stream");
        let mut response = response
            .body(http_body_util::Empty::<Bytes>::new())
            .unwrap();
        response.extensions_mut().insert(FinalUrl("no URL".into()));
        std::future::ready(Ok::<_, ConnectError>(response))
    };
    let source = EventSource::get(URL, connect, network.sleep()).unwrap();
    let mut source = pin!(source.reconnect_to(ReconnectTo::FinalUrl));
    let expected = ["open 200", "lost EndOfBody 3000", "failed Permanent", "end"];
    assert_eq!(log(&network, source.as_mut(), u64::MAX), expected);
}

// Preparing each request

#[test]
fn each_attempt_can_have_its_own_header_and_url() {
    let network = Network::new([
        redirect(302, "/moved"),
        stream(&[]),
        Answer::Refused,
        redirect(302, "http://c.example/"),
        Answer::Silence,
    ]);
    let mut attempt = 0;
    let mut source = pin!(source!(network).prepare_request(move |request| {
        attempt += 1;
        assert_eq!(
            request.headers().get("token"),
            None,
            "the caller's request is not changed"
        );
        request
            .headers_mut()
            .insert("token", HeaderValue::from(attempt));
        if attempt == 2 {
            *request.uri_mut() = "http://b.example/2".parse().unwrap();
        }
    }));
    assert_eq!(source.url(), URL);
    let _log = log(&network, source.as_mut(), 10_000);
    assert_eq!(source.url(), "http://b.example/2");
    let seen: Vec<_> = network
        .requests()
        .iter()
        .map(|request| {
            let token = request
                .headers()
                .get("token")
                .map(|token| token.to_str().unwrap().to_owned());
            (request.uri().to_string(), token)
        })
        .collect();
    let token = |number: &str| Some(number.to_owned());
    assert_eq!(
        seen,
        [
            (URL.to_owned(), token("1")),
            ("http://a.example/moved".to_owned(), token("1")),
            ("http://b.example/2".to_owned(), token("2")),
            ("http://b.example/2".to_owned(), token("3")),
            ("http://c.example/".to_owned(), None),
        ]
    );
}

// The handle

#[test]
fn a_handle_closes_the_client_in_any_phase() {
    let busy = Answer::Head(500, vec![], vec![Step::Hang]);
    let chunk = stream(&[text("data: 1\n\ndata: 2\n\ndata: 3\n\n"), Step::Hang]);
    for (answer, items) in [
        (Answer::Silence, 0),
        (busy, 0),
        (chunk.clone(), 0),
        (chunk.clone(), 2),
        (chunk, 4),
        (Answer::Refused, 1),
    ] {
        let network = Network::new([answer]);
        let mut source = pin!(source!(network));
        let handle = source.handle();
        for _ in 0..items {
            assert!(next_until(&network, source.as_mut(), 5).is_some());
        }
        if items == 0 {
            // Sends the request, and may start to read the body.
            let _maybe = source
                .as_mut()
                .poll_next(&mut Context::from_waker(Waker::noop()));
        }
        handle.clone().close();
        handle.reconnect_now();
        assert_eq!(log(&network, source.as_mut(), 5), ["end"]);
        assert_eq!(network.alive.get(), 0);
        assert!(source.is_terminated());
        handle.reconnect_now();
        assert_eq!(log(&network, source.as_mut(), 5), ["end"]);
    }
}

#[test]
fn a_handle_closes_the_client_before_the_first_poll() {
    let network = Network::new([]);
    let mut source = pin!(source!(network));
    source.handle().close();
    assert_eq!(log(&network, source.as_mut(), 5), ["end"]);
    assert!(network.requests().is_empty());
}

#[test]
fn a_handle_makes_the_client_reconnect_now() {
    let network = Network::new([
        Answer::Refused,
        stream(&[text("id: 1\ndata: a\n\nid: 2\ndata: b\n\n"), Step::Hang]),
        stream(&[Step::Hang]),
    ]);
    let mut source = pin!(source!(network));
    let handle = source.handle();
    assert_eq!(log(&network, source.as_mut(), 10), ["lost Network 3000"]);
    // The handle ends a wait.
    handle.reconnect_now();
    let two = [
        next_until(&network, source.as_mut(), 10),
        next_until(&network, source.as_mut(), 10),
    ];
    assert_eq!(
        two.map(|item| describe(&item.unwrap().unwrap())),
        ["open 200", r#"message "a" "1""#]
    );
    assert_eq!(network.times(), [0, 10]);
    // The handle replaces a connection. Decoded events are returned, so that none is lost.
    handle.reconnect_now();
    let expected = [r#"message "b" "2""#, "lost Reconnect 0", "open 200"];
    assert_eq!(log(&network, source.as_mut(), 20), expected);
    assert_eq!(
        network.urls_and_ids()[2],
        (URL.to_owned(), Some("2".to_owned()))
    );
    assert_eq!(network.alive.get(), 1);
    assert_eq!(source.failures(), 0);
    // Undecoded events are requested again. Their bytes are not decoded as part of the next stream.
    let many = "id: 1\ndata: a\n\n".repeat(1000);
    let network = Network::new([
        stream(&[text(&many), Step::Hang]),
        stream(&[text("data: b\n\n"), Step::Hang]),
    ]);
    let mut source = pin!(source!(network));
    let handle = source.handle();
    for _ in 0..2 {
        assert!(next_until(&network, source.as_mut(), 0).is_some());
    }
    handle.reconnect_now();
    let found = log(&network, source.as_mut(), 0);
    assert!(found.len() < 200, "{}", found.len());
    assert_eq!(found.last().unwrap(), r#"message "b" "1""#);
    // A request is not interrupted.
    let network = Network::new([]);
    let mut source = pin!(source!(network));
    assert_eq!(log(&network, source.as_mut(), 10), [""; 0]);
    source.handle().reconnect_now();
    assert_eq!(log(&network, source.as_mut(), 20), [""; 0]);
    assert_eq!(network.requests().len(), 1);
}

#[test]
fn a_reconnect_during_a_rejected_response_happens_after_its_loss() {
    let busy = Answer::Head(503, vec![], vec![Step::Wait(30)]);
    let network = Network::new([busy, stream(&[Step::Hang])]);
    let mut source = pin!(source!(network).retry_policy(RetryPolicy::new().statuses(&[503])));
    let handle = source.handle();
    assert_eq!(log(&network, source.as_mut(), 10), [""; 0]);
    handle.reconnect_now();
    assert_eq!(
        log(&network, source.as_mut(), 40),
        ["lost Status(503) 3000"]
    );
    handle.reconnect_now();
    assert_eq!(log(&network, source.as_mut(), 50), ["open 200"]);
}

#[test]
fn a_handle_wakes_the_client_from_another_thread() {
    let network = Network::new([]);
    let mut source = pin!(source!(network));
    let handle = source.handle();
    let (polled, is_polled) = mpsc::channel();
    let thread = thread::spawn(move || {
        is_polled.recv().unwrap();
        handle.close();
    });
    let end = futures_executor::block_on(poll_fn(|context| {
        let poll = source.as_mut().poll_next(context);
        if poll.is_pending() {
            let _first = polled.send(());
        }
        poll
    }));
    assert!(end.is_none());
    thread.join().unwrap();
}

// Memory

#[test]
fn dropping_the_client_drops_its_connection_and_timers() {
    for answer in [Answer::Silence, stream(&[Step::Hang]), Answer::Refused] {
        let network = Network::new([answer]);
        {
            let mut source = pin!(source!(network).read_timeout(MS(100)));
            let _log = log(&network, source.as_mut(), 10);
        }
        assert_eq!(network.alive.get(), 0);
        assert!(!network.advance(u64::MAX), "no timer is left");
    }
}

#[test]
fn an_idle_client_is_small_and_an_event_is_one_allocation() {
    // The future and the body of the HTTP library are boxed or empty, so that they do not count.
    type Connecting = Pin<Box<dyn Future<Output = Result<http::Response<Hang>, ConnectError>>>>;
    let connect = |_| -> Connecting {
        let response = http::Response::builder().header("content-type", "text/event-stream");
        Box::pin(std::future::ready(Ok(response.body(Hang).unwrap())))
    };
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_time().build().unwrap();
    let _entered = runtime.enter();
    let mut kept = None;
    let info = allocation_counter::measure(|| {
        let source = EventSource::get(URL, connect, tokio::time::sleep).unwrap();
        let mut source = Box::pin(source.read_timeout(MS(60_000)));
        let mut context = Context::from_waker(Waker::noop());
        let item = source.as_mut().poll_next(&mut context);
        assert!(matches!(item, Poll::Ready(Some(Ok(Received::Open(_))))));
        assert!(source.as_mut().poll_next(&mut context).is_pending());
        kept = Some(source);
    });
    println!("{} bytes", info.bytes_current);
    assert!(info.bytes_current <= 1024, "{info:?}");

    let body = Bytes::from("data: hello\n\n".repeat(1000));
    let steps: Vec<_> = (0..1000)
        .map(|event| Step::Chunk(body.slice(13 * event..13 * event + 13)))
        .collect();
    let network = Network::new([stream(&steps), Answer::Silence]);
    let mut source = pin!(source!(network));
    assert!(next_until(&network, source.as_mut(), 0).is_some());
    let mut context = Context::from_waker(Waker::noop());
    let info = allocation_counter::measure(|| {
        for _ in 0..1000 {
            assert!(matches!(
                source.as_mut().poll_next(&mut context),
                Poll::Ready(Some(Ok(Received::Event(_))))
            ));
        }
    });
    assert_eq!(info.count_total, 1000);
}

/// A body that is always pending.
struct Hang;

impl http_body::Body for Hang {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        Poll::Pending
    }
}

#[test]
fn a_loss_reports_where_the_body_was_cut_off() {
    for (body, reason) in [
        ("data: x\n\n", Reason::EndOfBody),
        ("data: x\n", Reason::Truncated(Unfinished::Event)),
        ("data: x", Reason::Truncated(Unfinished::Line)),
        ("data: x\n\n:ping\n", Reason::EndOfBody),
        ("{\"error\":\"quota\"}", Reason::NoEventStream),
    ] {
        let network = Network::new([stream(&[text(body)])]);
        let log = log(&network, pin!(source!(network)), 10);
        assert_eq!(log.last().unwrap(), &format!("lost {reason:?} 3000"));
    }
}

// Compared with the state machine

/// The signals of the state machine, driven through the script as simply as possible: no batches,
/// no timers, no redirects.
fn run_state_machine(answers: &[Answer], items: bool) -> (Vec<String>, Vec<Option<String>>) {
    let policy = RetryPolicy::new().statuses(&[503]).max_failures(3);
    let mut source = sse_proto::EventSource::new(URL.to_owned())
        .unwrap()
        .retry_policy(policy);
    let (mut log, mut ids, mut answers) = (vec![], vec![], answers.iter());
    let mut body = [].iter();
    loop {
        let signal = match source.action() {
            Action::Connect(request) => {
                ids.push(request.last_event_id.map(str::to_owned));
                match answers.next() {
                    Some(Answer::Head(status, headers, steps)) => {
                        body = steps.iter();
                        source.handle_response(*status, None, headers.iter().cloned())
                    }
                    Some(_) => source.handle_disconnect(Disconnect::Network),
                    None => return (log, ids),
                }
            }
            Action::Read(_) => match body.next() {
                Some(Step::Chunk(chunk)) => {
                    let mut messages = source.feed(chunk);
                    while let Some(item) = messages.next_item().unwrap() {
                        match item {
                            StreamItem::Message(message) => {
                                let event = OwnedEvent::from(Event::from(message));
                                log.push(describe(&Ok(Received::Event(event))));
                            }
                            StreamItem::Comment(text) if items => log.push(format!(":{text}")),
                            StreamItem::Retry(time) if items => {
                                log.push(format!("retry {}", time.as_millis()));
                            }
                            StreamItem::Id(id) if items => log.push(format!("id {id:?}")),
                            StreamItem::Ignored(ignored) if items => {
                                let (text, reason) = (ignored.text, ignored.reason);
                                log.push(format!("{reason}: {text:?}"));
                            }
                            _ => {}
                        }
                    }
                    None
                }
                Some(Step::Wait(_)) => None,
                Some(_) => source.handle_disconnect(Disconnect::Network),
                None => source.handle_disconnect(Disconnect::EndOfBody),
            },
            Action::Wait(_) => {
                source.handle_wait_elapsed();
                None
            }
            Action::Stop(_) => {
                log.push("end".to_owned());
                return (log, ids);
            }
        };
        match (signal, source.action()) {
            (Some(Signal::Open), _) => log.push("open 200".to_owned()),
            (Some(Signal::Error { reason, .. }), Action::Wait(wait)) => {
                log.push(format!("lost {reason:?} {}", wait.delay.as_millis()));
            }
            (Some(Signal::Error { reason, .. }), _) => log.push(format!("failed {reason:?}")),
            (None, _) => {}
        }
    }
}

fn answers() -> impl Strategy<Value = Vec<Answer>> {
    const TOKENS: [&str; 14] = [
        "\n",
        "\n\n",
        "\r",
        "data:a\n\n",
        "data: bc\n",
        "data",
        "id:1\n",
        "id: 2\n\n",
        "id:\n\n",
        "retry:0\n",
        "retry:40\n",
        "event:open\n",
        ":c\n",
        "\u{FEFF}",
    ];
    let chunk = prop::collection::vec(prop::sample::select(&TOKENS[..]), 0..9);
    let step = prop_oneof![
        6 => chunk.prop_map(|tokens| text(&tokens.concat())),
        1 => Just(Step::Wait(3)),
        1 => Just(Step::Break),
    ];
    let answer = prop_oneof![
        6 => prop::collection::vec(step, 0..6).prop_map(|steps| stream(&steps)),
        1 => Just(Answer::Refused),
        1 => prop::sample::select(&[204_u16, 404, 503, 503][..]).prop_map(status),
    ];
    prop::collection::vec(answer, 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: 2_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn it_returns_what_the_state_machine_reports(answers in answers(), items in any::<bool>()) {
        let network = Network::new(answers.clone());
        let policy = RetryPolicy::new().statuses(&[503]).max_failures(3);
        let source = source!(network).retry_policy(policy).items(items);
        let found = log(&network, pin!(source), u64::MAX);
        let (expected, ids) = run_state_machine(&answers, items);
        prop_assert_eq!(found, expected);
        let actual_ids: Vec<_> = network.urls_and_ids().into_iter().map(|(_, id)| id).collect();
        prop_assert_eq!(actual_ids, ids);
    }
}

#[test]
fn the_client_is_send_if_its_parts_are() {
    type Sent<T> = Pin<Box<dyn Future<Output = T> + Send>>;
    type Connect = fn(Request<Bytes>) -> Sent<Result<http::Response<Hang>, ConnectError>>;
    fn is_send<T: Send>() {}
    is_send::<EventSource<Connect, fn(Duration) -> Sent<()>>>();
    is_send::<sse_proto_stream::Lost>();
    is_send::<sse_proto_stream::Handle>();
    is_send::<sse_proto_stream::Listeners<'static>>();
}
