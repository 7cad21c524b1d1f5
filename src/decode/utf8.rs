//! UTF-8: what can be lent as it stands, and what becomes U+FFFD.
//!
//! CR, LF and colon are no part of a multi-byte sequence, so decoding the values one by one gives
//! what the standard's decoding of the whole stream gives. [`Valid`] answers for bytes of one
//! chunk; [`Incomplete`] carries a sequence over the end of a chunk.

use crate::work;
use core::str;

pub(super) const REPLACEMENT: &str = "\u{FFFD}";

/// How far ahead validation goes. Validating much at once is several times cheaper than value by
/// value.
const WINDOW: usize = 16 * 1024;

/// A value this long gains nothing from a window.
const LONG: usize = 2 * 1024;

/// The part of the chunk that is known to be valid.
#[derive(Debug, Default)]
pub(super) struct Valid<'i> {
    window: &'i str,
    start: usize,
    /// Up to here the chunk was looked at and a fault was found: what is behind the window goes
    /// value by value, so that no input makes each value scan the same bytes ahead again.
    faulty_until: usize,
}

impl<'i> Valid<'i> {
    /// The value at `start..end` of `chunk`, or `None` if it is not valid UTF-8. No sequence may
    /// cross either end.
    #[inline]
    pub(super) fn get(&mut self, chunk: &'i [u8], start: usize, end: usize) -> Option<&'i str> {
        // Before the window, the subtraction wraps and the range is out of bounds.
        let known = start.wrapping_sub(self.start)..end.wrapping_sub(self.start);
        match self.window.get(known) {
            Some(text) => Some(text),
            None => self.validate(chunk, start, end),
        }
    }

    #[inline(never)]
    fn validate(&mut self, chunk: &'i [u8], start: usize, end: usize) -> Option<&'i str> {
        let ahead = chunk.len().min(start.saturating_add(WINDOW));
        if start >= self.faulty_until && end <= ahead && end - start < LONG {
            // A character that the end of the window cuts is no fault.
            let (bytes, _) = Incomplete::split_from(chunk.get(start..ahead)?);
            work::scanned(bytes.len());
            self.start = start;
            self.window = match str::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => {
                    self.faulty_until = ahead;
                    let valid = bytes.get(..error.valid_up_to())?;
                    work::scanned(valid.len());
                    str::from_utf8(valid).ok()?
                }
            };
            if let Some(text) = self.window.get(..end - start) {
                return Some(text);
            }
        }
        let bytes = chunk.get(start..end)?;
        work::scanned(bytes.len());
        str::from_utf8(bytes).ok()
    }
}

/// The beginning of a multi-byte sequence at the end of what was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Incomplete {
    bytes: [u8; 4],
    len: u8,
}

/// What a byte makes of an [`Incomplete`] sequence.
pub(super) enum Continued {
    Complete(char),
    Incomplete,
    /// The byte does not belong to the sequence, which was a maximal subpart: one U+FFFD, and the
    /// byte starts afresh.
    Broken,
}

impl Incomplete {
    pub(super) const NONE: Self = Self {
        bytes: [0; 4],
        len: 0,
    };

    pub(super) fn is_none(self) -> bool {
        self.len == 0
    }

    /// Splits a sequence off that `bytes` breaks off in.
    pub(super) fn split_from(bytes: &[u8]) -> (&[u8], Self) {
        if bytes.last().is_some_and(|last| !last.is_ascii()) {
            for len in 1..=3 {
                let Some((head, tail)) = bytes
                    .len()
                    .checked_sub(len)
                    .and_then(|mid| bytes.split_at_checked(mid))
                else {
                    break;
                };
                if breaks_off(tail) {
                    let mut incomplete = Self::NONE;
                    for &byte in tail {
                        incomplete.append(byte);
                    }
                    return (head, incomplete);
                }
            }
        }
        (bytes, Self::NONE)
    }

    pub(super) fn push(&mut self, byte: u8) -> Continued {
        let before = *self;
        self.append(byte);
        let bytes = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        if let Some(char) = str::from_utf8(bytes)
            .ok()
            .and_then(|text| text.chars().next())
        {
            *self = Self::NONE;
            Continued::Complete(char)
        } else if breaks_off(bytes) {
            Continued::Incomplete
        } else {
            *self = before;
            Continued::Broken
        }
    }

    fn append(&mut self, byte: u8) {
        if let Some(free) = self.bytes.get_mut(usize::from(self.len)) {
            *free = byte;
            self.len += 1;
        }
    }
}

/// Whether `bytes` are the beginning of one valid sequence, and no more.
fn breaks_off(bytes: &[u8]) -> bool {
    str::from_utf8(bytes)
        .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
}
