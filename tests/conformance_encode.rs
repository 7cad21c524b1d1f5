//! The encode cases of the conformance corpus: frames, and the items that a decoder must read from
//! the bytes, or a refusal.

#[path = "support/corpus.rs"]
mod corpus;

use core::time::Duration;

use sse_conformance::{Answer, Body, Capabilities, ExpectedOutput, Refusal, Request, cases};
use sse_proto::{Decoder, Fixed, Frame, InvalidField};

#[test]
fn the_encoder_passes_every_case() {
    for case in cases() {
        let Body::Encode(body) = &case.body else {
            continue;
        };
        for variant in case.variants(&Capabilities::all()) {
            let Request::Encode(request) = &variant.request else {
                unreachable!("the case is for encoders");
            };
            let answer = match encode(&request.frames) {
                Ok(stream) => Answer::Encode(stream.into_bytes()),
                Err(refusal) => Answer::Refused(refusal),
            };
            let about = format!("{} {:?}: {}", case.id, case.rules, case.why);
            variant
                .check(&answer)
                .unwrap_or_else(|mismatch| panic!("{about}: {mismatch}"));
            // Where the corpus allows a refusal but recommends to write, this encoder writes.
            match (answer, &body.expected) {
                (Answer::Encode(bytes), ExpectedOutput::Items { items, .. }) => {
                    assert_ours_reads(&bytes, items, &about)
                }
                (answer, expected) => assert!(
                    matches!((&answer, expected), (Answer::Refused(got), ExpectedOutput::Refused(expected)) if got == expected),
                    "{about}: {answer:?}"
                ),
            }
        }
    }
}

fn encode(frames: &[sse_conformance::Frame]) -> Result<String, Refusal> {
    let mut stream = String::new();
    for (index, fields) in frames.iter().enumerate() {
        let frame = frame(fields).map_err(|error| Refusal {
            frame: index,
            field: error.field().to_owned(),
        })?;
        stream.extend(frame.pieces());
    }
    Ok(stream)
}

fn frame(fields: &sse_conformance::Frame) -> Result<Frame<'_>, InvalidField> {
    let mut frame = fields.data.as_deref().map_or(Frame::new(), Frame::message);
    if let Some(event) = &fields.event {
        frame = frame.event(event)?;
    }
    if let Some(id) = &fields.id {
        frame = frame.id(id)?;
    }
    if let Some(retry) = fields.retry {
        frame = frame.retry(Duration::from_millis(retry));
    }
    if let Some(comment) = &fields.comment {
        frame = frame.comment(comment);
    }
    Ok(frame)
}

/// `check` reads the bytes with its own decoder. Ours must read the same items, under every cut.
fn assert_ours_reads(bytes: &[u8], expected: &[sse_conformance::Item], about: &str) {
    assert_eq!(decode(&[bytes]), expected, "{about}");
    let singly: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(decode(&singly), expected, "{about}, byte by byte");
    for at in 0..bytes.len() {
        let (head, tail) = bytes.split_at(at);
        assert_eq!(decode(&[head, tail]), expected, "{about}, cut at {at}");
    }
}

fn decode(chunks: &[&[u8]]) -> Vec<sse_conformance::Item> {
    let memory = Fixed::with_field_capacity(vec![0; 1 << 15], 1 << 12);
    let mut decoder = Decoder::with_storage(memory);
    let mut items = Vec::new();
    for chunk in chunks {
        let mut events = decoder.feed(chunk);
        while let Some(item) = events.next_item().expect("there is room") {
            items.extend(corpus::item(item, false));
        }
    }
    items
}
