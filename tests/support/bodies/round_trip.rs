//! Any frames, by every way out of the encoder: the bytes are those of the naive encoder, and a decoder gives back what
//! was put in and nothing else. What cannot be written is refused.

use core::time::Duration;

use sse_proto::{Encoder, Frame, InvalidField};

use super::frames::{LINE_END, NOT_IN_ID, Owned, decode, encode, expected};
use super::input::{List, case, sizes};
use super::reading::chunks;

case! {
    struct Case {
        sizes: [u8; 4],
        /// How much too short a buffer is.
        short: u16,
        /// To be added to each reconnection time.
        nanos: u16,
        frames: List<Owned>,
    }
}

pub(crate) fn check(case: &Case) {
    for frame in &case.frames.0 {
        check_refusals(frame);
    }
    let frames: Vec<Owned> = case.frames.0.iter().map(Owned::writable).collect();
    for frame in &frames {
        check_ways_out(frame, case.short.into());
        check_rounding(frame, case.nanos);
    }
    check_decoded(&frames, &sizes(&case.sizes));
}

/// An event type or id that could be something else is refused, at its first byte that could.
fn check_refusals(frame: &Owned) {
    let refused = |field, text: &str, forbidden: &[char]| {
        let position = text.find(forbidden)?;
        let (byte, name) = match text.as_bytes()[position] {
            b'\r' => (b'\r', "CR"),
            b'\n' => (b'\n', "LF"),
            byte => (byte, "NUL"),
        };
        Some((
            field,
            position,
            byte,
            format!("{field}: {name} at byte {position}"),
        ))
    };
    let found = |result: Result<Frame<'_>, InvalidField>| {
        let error = result.err()?;
        Some((
            error.field(),
            error.position(),
            error.byte(),
            error.to_string(),
        ))
    };
    if let Some(text) = &frame.event {
        assert_eq!(
            found(Frame::new().event(text)),
            refused("event", text, LINE_END)
        );
    }
    if let Some(text) = &frame.id {
        assert_eq!(found(Frame::new().id(text)), refused("id", text, NOT_IN_ID));
    }
    assert_eq!(frame.try_frame().is_ok(), *frame == frame.writable());
}

/// The same bytes by all ways.
pub(crate) fn check_ways_out(frame: &Owned, short: usize) {
    let expected = frame.naive();
    let frame = frame.frame();
    assert_eq!(frame.to_string().into_bytes(), expected);
    assert_eq!(frame.encoded_len(), expected.len());
    assert!(frame.pieces().all(|piece| !piece.is_empty()));
    assert_eq!(frame.pieces().collect::<String>().into_bytes(), expected);

    let mut text = String::new();
    frame.encode_to_fmt(&mut text).unwrap();
    assert_eq!(text.into_bytes(), expected);

    let mut encoder = Encoder::new(String::new());
    encoder.write_frame(&frame).unwrap();
    assert_eq!(encoder.into_inner().into_bytes(), expected);

    let mut room = vec![b'?'; expected.len() + 3];
    assert_eq!(frame.encode_to_slice(&mut room), Ok(expected.len()));
    assert_eq!(room, [&expected[..], b"???"].concat());
    let mut room = vec![b'?'; expected.len()];
    assert_eq!(frame.encode_to_slice(&mut room), Ok(expected.len()));
    assert_eq!(room, expected);

    let mut room = vec![b'?'; short % expected.len()];
    let error = frame.encode_to_slice(&mut room).unwrap_err();
    assert_eq!(error.needed(), expected.len());
    assert!(room.iter().all(|byte| *byte == b'?'), "written in part");

    #[cfg(feature = "alloc")]
    {
        let mut vec = b"before".to_vec();
        frame.encode_to_vec(&mut vec);
        assert_eq!(vec, [b"before", &expected[..]].concat());
        let mut string = "before".to_owned();
        frame.encode_to_string(&mut string);
        assert_eq!(string.into_bytes(), [b"before", &expected[..]].concat());
    }
}

/// A part of a millisecond is a whole one.
fn check_rounding(frame: &Owned, nanos: u16) {
    let Some(retry) = frame.retry else {
        return;
    };
    let time = Duration::from_millis(retry) + Duration::from_nanos(nanos.into());
    let written = retry.saturating_add(u64::from(nanos > 0));
    assert_eq!(
        Frame::new().retry(time).to_string(),
        format!("retry: {written}\n")
    );
}

/// In a row, and under these cuts.
pub(crate) fn check_decoded(frames: &[Owned], sizes: &[usize]) {
    let bytes = encode(frames);
    assert_eq!(decode(chunks(&bytes, sizes)), expected(frames));
}
