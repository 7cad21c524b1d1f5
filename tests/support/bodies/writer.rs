//! Frames and events in pieces, written to a sink that may fail, and events that are left
//! unfinished: the bytes are a prefix of those of the naive encoder, and a decoder reads everything
//! that was reported as written, but no other event.

use core::fmt::{self, Write};

use arbitrary::{Arbitrary, Result, Unstructured};
use sse_proto::Encoder;

use super::frames::{Owned, decode, expected};
use super::input::{List, Put, Text, case};
use crate::support::model::Item;

case! {
    struct Case {
        /// The index of the write that fails.
        fails_at: u16,
        /// How many of its bytes the sink accepts nevertheless.
        taken: u8,
        ops: List<Op>,
    }
}

/// An operation on the encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Op {
    Frame(Owned),
    Event {
        head: Owned,
        writes: Vec<String>,
        is_finished: bool,
    },
}

/// A sink that fails once, in the middle of a piece, and then accepts everything.
struct Sink {
    bytes: Vec<u8>,
    /// The number of writes before the one that fails; `None` after it.
    left: Option<u16>,
    taken: usize,
}

impl Write for Sink {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        assert!(
            !text.is_empty(),
            "a sink may take an empty write for the end"
        );
        let bytes = text.as_bytes();
        if self.left == Some(0) {
            self.left = None;
            let taken = self.taken.min(bytes.len() - 1);
            self.bytes.extend_from_slice(&bytes[..taken]);
            return Err(fmt::Error);
        }
        self.left = self.left.map(|left| left - 1);
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

pub(crate) fn check(case: &Case) {
    let mut encoder = Encoder::new(Sink {
        bytes: Vec::new(),
        left: Some(case.fails_at),
        taken: case.taken.into(),
    });
    // The bytes of the naive encoder, and the frames that were reported as written.
    let mut naive = Vec::new();
    let mut written = Vec::new();
    let mut whole = 0;
    for op in &case.ops.0 {
        let was_broken = encoder.is_broken();
        let len = encoder.get_ref().bytes.len();
        let (frame, result) = apply(&mut encoder, op);
        assert_eq!(encoder.is_broken(), result.is_err(), "{op:?}");
        if was_broken {
            assert_eq!(encoder.get_ref().bytes.len(), len, "{op:?}");
            continue;
        }
        naive.extend(frame.naive());
        if result.is_ok() {
            whole = naive.len();
            written.push(frame);
            assert_eq!(encoder.get_ref().bytes, naive, "{op:?}");
        }
    }

    let bytes = encoder.into_inner().bytes;
    assert!(naive.starts_with(&bytes), "{}", bytes.escape_ascii());
    assert!((whole..=naive.len()).contains(&bytes.len()));
    let mut items = decode(bytes.chunks(5));
    let rest = items.split_off(expected(&written).len().min(items.len()));
    assert_eq!(items, expected(&written));
    // Comments and reconnection times precede the unfinished event and take effect at once.
    let is_event = |item: &Item| matches!(item, Item::Event { .. });
    assert!(!rest.iter().any(is_event), "{rest:?}");
}

/// Applies the operation. Returns the frame that it stands for, and the result.
fn apply(encoder: &mut Encoder<Sink>, op: &Op) -> (Owned, fmt::Result) {
    let (head, writes, is_finished) = match op {
        Op::Frame(frame) => {
            let frame = frame.writable();
            let result = encoder.write_frame(&frame.frame());
            return (frame, result);
        }
        Op::Event {
            head,
            writes,
            is_finished,
        } => (head.writable(), writes, *is_finished),
    };
    let result = encoder.begin_event(head.frame()).and_then(|mut event| {
        for text in writes {
            // A caller that ignores an error still cannot finish the event.
            let _ = event.write_str(text);
        }
        if is_finished {
            return event.finish();
        }
        Err(fmt::Error)
    });
    let data = head.data().unwrap_or_default() + &writes.concat();
    let whole = Owned {
        data: Some(data),
        ..head
    };
    (whole, result)
}

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let (kind, frame) = (u8::arbitrary(u)?, Owned::arbitrary(u)?);
        if kind & 0x80 == 0 {
            return Ok(Self::Frame(frame));
        }
        // Two bits decide whether the event is finished, which is likely; the others are the number
        // of writes.
        let mut writes = Vec::new();
        for _ in 0..kind >> 2 & 0x1F {
            writes.push(Text::arbitrary(u)?.0);
        }
        Ok(Self::Event {
            head: frame,
            writes,
            is_finished: kind & 3 != 3,
        })
    }
}

impl Put for Op {
    fn put(&self, input: &mut Vec<u8>) {
        match self {
            Self::Frame(frame) => {
                0_u8.put(input);
                frame.put(input);
            }
            Self::Event {
                head,
                writes,
                is_finished,
            } => {
                let count = u8::try_from(writes.len()).expect("no more than 31 writes");
                assert!(count < 32, "no more than 31 writes");
                let end = if *is_finished { 0 } else { 3 };
                (0x80 | count << 2 | end).put(input);
                head.put(input);
                for text in writes {
                    Text(text.clone()).put(input);
                }
            }
        }
    }
}
