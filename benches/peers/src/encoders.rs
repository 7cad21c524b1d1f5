//! Throughput of the encoders: this crate, a plain copy without any check, and the other crates whose
//! frames user text cannot break out of.

use crate::measure::{Table, median};
use bytes::BytesMut;
use bytestring::ByteString;
use cpu_time::ThreadTime;
use sse_proto::Decoder;
use sse_proto_benches::frames::{self, Frames, Text};
use std::hint::black_box;
use tokio_util::codec::Encoder as _;

/// Prints a table for each kind of frames, with `rounds` rounds for each writer.
pub fn run(rounds: usize) {
    for frames in frames::all() {
        let mut writers = writers(&frames);
        let mut nanos = vec![Vec::new(); writers.len()];
        // Enough passes for the resolution of the clock.
        let passes = 1_000_000 / frames.bytes + 1;
        for _ in 0..rounds {
            for ((_, write), nanos) in writers.iter_mut().zip(&mut nanos) {
                let start = ThreadTime::now();
                for _ in 0..passes {
                    assert_eq!(black_box(write()), frames.bytes);
                }
                nanos.push(start.elapsed().as_nanos() as f64 / passes as f64);
            }
        }
        let nanos: Vec<_> = nanos.into_iter().map(median).collect();
        let mut table = Table::new([
            frames.name,
            "million frames/s",
            "GB/s",
            "to plain vec",
            "to plain slice",
        ]);
        let time = |name| {
            nanos[writers
                .iter()
                .position(|(other, _)| *other == name)
                .expect("it is there")]
        };
        let (vec, slice) = (time("plain vec"), time("plain slice"));
        for ((name, _), nanos) in writers.iter().zip(&nanos) {
            table.row(
                name,
                vec![
                    format!("{:.1}", 1e3 * frames.count() as f64 / nanos),
                    format!("{:.2}", frames.bytes as f64 / nanos),
                    format!("{:.2}", vec / nanos),
                    format!("{:.2}", slice / nanos),
                ],
            );
        }
        print!("{table}");
    }
}

/// Writes all frames and returns the number of bytes.
type Writer<'a> = Box<dyn FnMut() -> usize + 'a>;

fn writers(frames: &Frames) -> Vec<(&'static str, Writer<'_>)> {
    let mut all: Vec<(_, Writer<'_>)> = Vec::new();
    for (name, write) in frames.writers {
        let mut out = frames.output();
        all.push((
            name,
            Box::new(move || {
                write(black_box(frames), black_box(&mut out));
                out.written
            }),
        ));
    }
    // russe needs owned text, which it gets in the cheapest form that it takes.
    let messages: Vec<_> = frames.frames.iter().map(message).collect();
    let mut out = BytesMut::new();
    all.push((
        "russe 0.3.1",
        Box::new(move || {
            out.clear();
            russe(black_box(&messages), &mut out);
            out.len()
        }),
    ));
    all.push((
        "sse-stream 0.3.0",
        Box::new(|| {
            let frames = black_box(&frames.frames).iter();
            frames.map(|text| black_box(sse_stream(text)).len()).sum()
        }),
    ));
    all
}

/// Checks the output of the peers, without timing. `frames` has already checked ours and the plain
/// copies.
pub fn check_all() {
    for frames in frames::all() {
        let messages: Vec<_> = frames.frames.iter().map(message).collect();
        let mut out = BytesMut::new();
        russe(&messages, &mut out);
        check(&out, &frames);
        let out: Vec<_> = frames.frames.iter().map(sse_stream).collect();
        check(&out.concat(), &frames);
    }
}

fn check(bytes: &[u8], frames: &Frames) {
    assert_eq!(bytes.len(), frames.bytes, "{}", frames.name);
    let mut decoder = Decoder::new();
    let mut events = decoder.feed(bytes);
    for text in &frames.frames {
        let event = events
            .next_event()
            .ok()
            .flatten()
            .expect("there are as many events");
        let kind = if text.event.is_empty() {
            "message"
        } else {
            &text.event
        };
        let fields = (event.event_type, event.last_event_id, event.data);
        assert_eq!(
            fields,
            (kind, &text.id[..], &text.data[..]),
            "{}",
            frames.name
        );
    }
}

fn russe(messages: &[russe::Message], out: &mut BytesMut) {
    for message in messages {
        let event = russe::Event::Message(message.clone());
        let written = russe::Encoder::default().encode(event, out);
        written.expect("all fields are valid");
    }
}

fn message(text: &Text) -> russe::Message {
    let some = |text: &str| (!text.is_empty()).then(|| ByteString::from(text));
    russe::Message {
        data: text.data.clone().into(),
        event: some(&text.event),
        retry: None,
        id: some(&text.id),
    }
}

fn sse_stream(text: &Text) -> bytes::Bytes {
    let mut sse = sse_stream::Sse::default().data(text.data.as_str());
    if !text.event.is_empty() {
        sse = sse.event(text.event.as_str());
    }
    if !text.id.is_empty() {
        sse = sse.id(text.id.as_str());
    }
    sse.encode().expect("all fields are valid")
}
