//! The connection state machine, [`sse_proto::EventSource`]: every input in every state, then
//! requests, responses, streams, URLs and the retry policy one by one.

mod messages;
mod requests;
mod responses;
mod retry;
mod states;
mod urls;

use core::time::Duration;

use sse_proto::{
    Action, Decoder, EventSource, Fixed, Messages, ReadyState, Reason, Signal, Storage, Wait,
};

const URL: &str = "http://a.example/stream";
const EVENT_STREAM: [(&str, &str); 1] = [("Content-Type", "text/event-stream")];
const NO_HEADERS: [(&str, &str); 0] = [];
const MS: fn(u64) -> Duration = Duration::from_millis;

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

/// The wait that the event source asks for.
#[track_caller]
fn wait<U: AsRef<str>, S: Storage>(source: &EventSource<U, S>) -> Wait {
    match source.action() {
        Action::Wait(wait) => wait,
        other => panic!("{other:?}"),
    }
}
