//! Any frames, with every encoding method: the bytes are those of the naive encoder, and a decoder
//! reads exactly the fields of the frames. Fields that cannot be encoded are refused.

use core::time::Duration;

use sse_proto::{Encoder, Frame, InvalidField};

use super::frames::{LINE_TERMINATORS, NOT_IN_ID, Owned, decode, encode, expected};
use super::input::{List, case, sizes};
use super::reading::chunks;

case! {
    struct Case {
        sizes: [u8; 4],
        /// The length, modulo that of the frame, of a buffer that is too short.
        short: u16,
        /// Nanoseconds to add to each reconnection time.
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
        check_encoding_methods(frame, case.short.into());
        check_rounding(frame, case.nanos);
    }
    check_decoded(&frames, &sizes(&case.sizes));
}

/// Checks that an event type or ID with a forbidden character is refused, with the position of the
/// first one.
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
            refused("event", text, LINE_TERMINATORS)
        );
    }
    if let Some(text) = &frame.id {
        assert_eq!(found(Frame::new().id(text)), refused("id", text, NOT_IN_ID));
    }
    assert_eq!(frame.try_frame().is_ok(), *frame == frame.writable());
}

/// Checks that all encoding methods write the same bytes.
pub(crate) fn check_encoding_methods(frame: &Owned, short: usize) {
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

/// Checks that a fraction of a millisecond is rounded up.
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

/// Checks that the frames, one after another and cut like this, are decoded.
pub(crate) fn check_decoded(frames: &[Owned], sizes: &[usize]) {
    let bytes = encode(frames);
    assert_eq!(decode(chunks(&bytes, sizes)), expected(frames));
}
