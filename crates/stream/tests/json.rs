//! Data deserialized from JSON.
#![cfg(feature = "json")]

mod support;

use futures_core::FusedStream as _;
use serde::Deserialize;
use sse_proto_stream::{Error, EventStream};
use support::{Feed, Step, collect};

#[derive(Debug, PartialEq, Deserialize)]
struct Delta {
    text: String,
}

#[test]
fn each_event_is_a_value_or_an_error_that_keeps_the_event() {
    let bytes = concat!(
        "data: {\"text\":\"a\"}\n\n",
        "event: error\nid: 7\ndata: {\"error\":\"overloaded\"}\n\n",
        "data: {\ndata: \"text\": \"b\"\ndata: }\n\n",
        "data: [DONE]\n\n",
        "data: {\"text\":\"after the end\"}\n\n",
    );
    let feed = Feed::new([Step::Chunk(bytes.into()), Step::End]);
    let mut deltas = EventStream::new(feed).until("[DONE]").json::<Delta>();
    let all = collect(&mut deltas);
    assert!(deltas.is_terminated());
    assert_eq!(deltas.get_ref().last_event_id(), "7");

    let [Ok(a), Err(Error::Json(error)), Ok(b)] = &all[..] else {
        panic!("{all:?}");
    };
    assert_eq!((a.text.as_str(), b.text.as_str()), ("a", "b"));
    assert_eq!(error.event().event_type(), "error");
    assert_eq!(error.event().data(), r#"{"error":"overloaded"}"#);
    assert!(
        error
            .to_string()
            .starts_with("data is not the expected JSON: missing field `text`")
    );
}

#[test]
fn other_errors_are_passed_on_and_the_inner_stream_continues() {
    let feed = Feed::new([
        Step::Chunk(b"data: {\"text\":\"a\"}\n\ndata: plain\n\n".to_vec()),
        Step::Error("broken"),
    ]);
    let mut deltas = EventStream::new(feed).json::<Delta>();
    let first = support::poll(&mut deltas);
    assert!(matches!(first, std::task::Poll::Ready(Some(Ok(_)))));
    let mut events = deltas.into_inner();
    let all = collect(&mut events);
    let [Ok(event), Err(Error::Source("broken"))] = &all[..] else {
        panic!("{all:?}");
    };
    assert_eq!(event.data(), "plain");
}

#[test]
fn a_stream_that_is_cut_off_before_its_end_marker_is_incomplete() {
    const INCOMPLETE: &str = "stream ended before its end marker";
    let bytes = "data: {\"text\":\"caf\"}\n\ndata: {\"text\":\"\u{E9}\"}\n\ndata: [DONE]\n\n";
    for (len, expected) in [
        (bytes.len(), &["caf", "\u{E9}"][..]),
        (40, &["caf", INCOMPLETE]),
    ] {
        let body = http_body_util::Full::new(&bytes.as_bytes()[..len]);
        let mut deltas = EventStream::from_body(body).until("[DONE]").json::<Delta>();
        let items = collect(&mut deltas).into_iter();
        let items =
            items.map(|item| item.map_or_else(|error| error.to_string(), |delta| delta.text));
        assert_eq!(items.collect::<Vec<_>>(), expected);
    }
}
