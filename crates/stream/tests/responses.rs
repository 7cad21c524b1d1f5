//! Which responses are event streams, and that others are returned unchanged.

mod support;

use bytes::Bytes;
use futures_executor::block_on;
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use sse_proto_stream::{EventStream, ItemStream, OwnedItem};
use support::{Feed, Step, collect};

const STREAM: &str = "text/event-stream";

fn response(status: u16, headers: &[(&str, &str)]) -> Response<Full<Bytes>> {
    let response = Response::builder().status(status);
    let response = headers.iter().fold(response, |response, (name, value)| {
        response.header(*name, *value)
    });
    response.body(Full::from("data: x\n\n")).unwrap()
}

#[test]
fn a_response_is_an_event_stream_by_its_status_type_and_encoding() {
    let of_type = |value| [("content-type", value)];
    let accepted: [&[(&str, &str)]; 8] = [
        &of_type(STREAM),
        &of_type("text/event-stream;charset=utf-8"),
        &of_type("TEXT/Event-Stream ; charset=latin1; x=y"),
        &of_type("application/json, text/event-stream"),
        &[("content-type", "text/html"), ("content-type", STREAM)],
        &[("content-type", STREAM), ("content-encoding", "identity")],
        &[
            ("content-type", STREAM),
            ("content-encoding", " Identity , identity"),
        ],
        &[("content-type", STREAM), ("content-encoding", "")],
    ];
    for headers in accepted {
        let mut events = EventStream::from_response(response(200, headers)).expect("events");
        assert_eq!(collect(&mut events).len(), 1, "{headers:?}");
        assert!(ItemStream::from_response(response(200, headers)).is_ok());
    }

    let rejected: [(u16, &[(&str, &str)]); 14] = [
        (200, &[]),
        (200, &of_type("")),
        (200, &of_type("application/json")),
        (200, &of_type("text/event-streams")),
        (200, &of_type("text/event-stream, application/json")),
        (200, &of_type("x-text/event-stream")),
        (
            200,
            &[("content-type", STREAM), ("content-encoding", "gzip")],
        ),
        (
            200,
            &[
                ("content-type", STREAM),
                ("content-encoding", "identity, br"),
            ],
        ),
        (
            200,
            &[
                ("content-type", STREAM),
                ("content-encoding", "identity"),
                ("content-encoding", "zstd"),
            ],
        ),
        (201, &of_type(STREAM)),
        (204, &of_type(STREAM)),
        (301, &of_type(STREAM)),
        (429, &of_type(STREAM)),
        (500, &of_type(STREAM)),
    ];
    for (status, headers) in rejected {
        let back = EventStream::from_response(response(status, headers)).expect_err("no events");
        assert_eq!(back.status(), status, "{headers:?}");
        assert_eq!(back.headers().len(), headers.len());
        let body = block_on(back.into_body().collect()).unwrap().to_bytes();
        assert_eq!(body, "data: x\n\n", "the body can be read");
        assert!(ItemStream::from_response(response(status, headers)).is_err());
    }
}

#[test]
fn the_error_message_of_an_api_can_be_read_from_a_rejected_response() {
    let rejected = Response::builder()
        .status(StatusCode::TOO_MANY_REQUESTS)
        .header("content-type", "application/json")
        .body(Full::from(r#"{"error":"slow down"}"#))
        .unwrap();
    let rejected: Response<Full<Bytes>> = rejected;
    let rejected = EventStream::from_response(rejected).unwrap_err();
    assert_eq!(rejected.status(), 429);
    let message = block_on(rejected.into_body().collect()).unwrap().to_bytes();
    assert_eq!(message, r#"{"error":"slow down"}"#);
}

#[test]
fn trailers_and_empty_frames_neither_add_events_nor_end_the_stream() {
    let steps = || {
        Feed::new([
            Step::Chunk(vec![]),
            Step::Chunk(b":a\nda".to_vec()),
            Step::Pending,
            Step::Chunk(vec![]),
            Step::Chunk(b"ta: x\n\n".to_vec()),
            Step::Trailers,
            Step::Chunk(vec![]),
            Step::End,
        ])
    };
    let mut items = ItemStream::from_body(steps());
    let items = collect(&mut items).into_iter().map(Result::unwrap);
    let [OwnedItem::Comment(comment), OwnedItem::Event(event)] = &items.collect::<Vec<_>>()[..]
    else {
        panic!("a comment and an event");
    };
    assert_eq!((comment.as_str(), event.data()), ("a", "x"));
    assert_eq!(collect(&mut EventStream::from_body(steps())).len(), 1);
}
