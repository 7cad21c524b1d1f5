#!/usr/bin/env bash
# In two of three Rust crates, the first event resets the last event ID that a client has set after a reconnect.
#
# Software: eventsource-stream 0.2.3, sseer 0.3.1; for comparison sse-core 0.2.3, which follows the standard. (crates.io)
#
# A client that resumes after event 7 sets this ID in its parser. By the standard, events without an `id` line then inherit it,
# and the next reconnect asks for events after 7. eventsource-stream and sseer both have a method `set_last_event_id`, but no
# event inherits the ID, and the first event resets the position to none. If a server sends IDs only now and then, such as for
# checkpoints, the client asks it for everything again at the second reconnect.
# Conversely, an ID alone in a block, by which a server advances its clients, is ignored until the next event.
#
# Results; each line has the ID of the event and the position afterwards:
#
#   eventsource-stream, seeded with 7:     event ""   position ""
#   sseer, seeded with 7:                  event ""   position ""
#   sse-core, seeded with 7:               event "7"  position "7"
#   eventsource-stream, then id 2 alone:   event "1"  position "1"
#   sseer, then id 2 alone:                event "1"  position "1"
#   sse-core, then id 2 alone:             event "1"  position "2"
#
# Fails if any of this changes. Needs a Rust toolchain and the package registry.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'END'
[package]
name = "finding"
version = "0.0.0"
edition = "2024"

[dependencies]
bytes = "1"
eventsource-stream = "=0.2.3"
futures = "0.3"
sse-core = "=0.2.3"
sseer = { version = "=0.3.1", features = ["std"] }
END
cat >"$work/src/main.rs" <<'END'
use bytes::Bytes;
use futures::{StreamExt as _, executor::block_on, stream};
use std::convert::Infallible;

fn main() {
    for (name, seed, text) in [
        ("seeded with 7:", "7", "data: a\n\n"),
        ("then id 2 alone:", "", "id: 1\ndata: a\n\nid: 2\n\n"),
    ] {
        let chunks = || stream::iter([Ok::<_, Infallible>(Bytes::from(text))]);
        let tell = |crate_name: &str, event: &str, position: &str| {
            let (event, position) = (format!("{event:?}"), format!("{position:?}"));
            println!("{:38} event {event:4} position {position}", format!("{crate_name}, {name}"));
        };

        let mut events = eventsource_stream::EventStream::new(chunks());
        events.set_last_event_id(seed);
        let all: Vec<_> = block_on(events.by_ref().map(|event| event.unwrap()).collect());
        tell("eventsource-stream", &all[0].id, events.last_event_id());

        let mut events = sseer::EventStream::new(chunks());
        events.set_last_event_id(seed);
        let all: Vec<_> = block_on(events.by_ref().map(|event| event.unwrap()).collect());
        tell("sseer", &all[0].id, &events.last_event_id());

        let mut decoder = sse_core::SseDecoder::new();
        if !seed.is_empty() {
            // It has no such method, but its decoder keeps the ID across connections.
            let block = format!("id: {seed}\n\n");
            let mut block = block.as_bytes();
            while decoder.next(&mut block).is_some() {}
            decoder.reconnect();
        }
        let (mut bytes, mut id) = (text.as_bytes(), String::new());
        while let Some(event) = decoder.next(&mut bytes) {
            if let sse_core::SseEvent::Message(event) = event.unwrap() {
                id = event.last_event_id.as_deref().unwrap_or("").to_owned();
            }
        }
        tell("sse-core", &id, decoder.last_event_id().map_or("", |id| id));
    }
}
END
seen=$(cargo run --quiet --manifest-path "$work/Cargo.toml")
echo "$seen"
expected=$(sed -n 's/^#   //p' "$0")
diff <(sort <<<"$expected") <(sort <<<"$seen")
