//! Decoding of UTF-8 that arrives in pieces; invalid bytes become U+FFFD.
//!
//! No multi-byte sequence contains CR, LF or a colon. Decoding value by value therefore gives the same as
//! decoding the whole stream first, as the standard does.

use super::window::Utf8Checker;
use crate::counters;
use crate::scanner::OPTIMIZE_FOR_SIZE;
use core::str;

pub(super) const REPLACEMENT: &str = "\u{FFFD}";

/// Replacements for a run of invalid bytes.
const REPLACEMENTS: &str = concat!(
    "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}",
    "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}",
    "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}",
    "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}",
);

/// What is known about some bytes before they are decoded.
pub(super) enum Validity<'i> {
    Unknown,
    /// They end with this text, apart from an incomplete sequence after it.
    Valid(&'i str),
    Invalid,
}

/// Decodes one text after another, each in any number of pieces.
#[derive(Debug, Clone)]
pub(super) struct Utf8Decoder {
    /// The incomplete sequence at the end of the last piece.
    carry: [u8; 3],
    carry_len: u8,
    pub(super) checker: Utf8Checker,
}

impl Utf8Decoder {
    pub(super) const fn new() -> Self {
        Self {
            carry: [0; 3],
            carry_len: 0,
            checker: Utf8Checker::new(),
        }
    }

    /// Whether the text so far ends with a complete character.
    #[inline]
    pub(super) fn is_complete(&self) -> bool {
        self.carry_len == 0
    }

    /// Drops the text so far.
    pub(super) fn clear(&mut self) {
        self.carry_len = 0;
    }

    /// Decodes the next piece of the text, and passes it to `put` in one or more parts.
    #[inline]
    pub(super) fn decode(
        &mut self,
        mut bytes: &[u8],
        validity: Validity<'_>,
        mut put: impl FnMut(&str),
    ) {
        while !self.is_complete() {
            let Some((&byte, rest)) = bytes.split_first() else {
                return;
            };
            bytes = if self.complete(byte, &mut put) {
                rest
            } else {
                bytes
            };
        }
        let (bytes, incomplete) = split_incomplete(bytes);
        let text = match validity {
            Validity::Unknown => self.checker.check(bytes).ok(),
            Validity::Valid(text) => text.get(text.len().wrapping_sub(bytes.len())..),
            Validity::Invalid => None,
        };
        match text {
            Some(text) => put(text),
            None => decode_invalid(bytes, put),
        }
        if let Some(carry) = self.carry.get_mut(..incomplete.len()) {
            carry.copy_from_slice(incomplete);
            self.carry_len = incomplete.len() as u8;
        }
    }

    /// Ends the text: an incomplete sequence becomes one U+FFFD.
    #[inline]
    pub(super) fn end(&mut self, mut put: impl FnMut(&str)) {
        if !self.is_complete() {
            self.clear();
            put(REPLACEMENT);
        }
    }

    /// Adds a byte to the incomplete sequence. `false`: the byte does not continue it, and was not used.
    fn complete(&mut self, byte: u8, put: &mut impl FnMut(&str)) -> bool {
        let len = usize::from(self.carry_len);
        let [first, second, third] = self.carry;
        let mut sequence = [first, second, third, 0];
        if let Some(next) = sequence.get_mut(len) {
            *next = byte;
        }
        match str::from_utf8(sequence.get(..=len).unwrap_or_default()) {
            Ok(character) => {
                self.clear();
                put(character);
            }
            Err(error) if error.error_len().is_none() => {
                if let Some(next) = self.carry.get_mut(len) {
                    *next = byte;
                    self.carry_len += 1;
                }
            }
            // The incomplete sequence is a "maximal subpart": one U+FFFD.
            Err(_) => {
                self.clear();
                put(REPLACEMENT);
                return false;
            }
        }
        true
    }
}

/// Splits off the incomplete sequence at the end of `bytes`.
#[inline]
pub(super) fn split_incomplete(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.last() {
        Some(last) if !last.is_ascii() => split_incomplete_end(bytes),
        _ => (bytes, &[]),
    }
}

fn split_incomplete_end(bytes: &[u8]) -> (&[u8], &[u8]) {
    for len in 1..=3 {
        let mid = bytes.len().saturating_sub(len);
        match bytes.split_at_checked(mid) {
            Some((_, [0x80..=0xBF, ..])) => {}
            Some((start, end)) if is_incomplete(end) => return (start, end),
            _ => break,
        }
    }
    (bytes, &[])
}

/// Whether `bytes`, which do not start with a continuation byte, are an incomplete sequence.
#[inline]
fn is_incomplete(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

fn decode_invalid(bytes: &[u8], mut put: impl FnMut(&str)) {
    counters::scanned(bytes.len());
    let mut rest = bytes;
    while let Some(chunk) = rest.utf8_chunks().next() {
        put(chunk.valid());
        let invalid = chunk.invalid().len();
        if invalid > 0 {
            put(REPLACEMENT);
        }
        rest = rest
            .get(chunk.valid().len() + invalid..)
            .unwrap_or_default();
        if OPTIMIZE_FOR_SIZE {
            continue;
        }
        let pairs = rest.windows(2);
        let lone = pairs.take_while(|pair| is_lone_invalid(pair)).count();
        let (run, after) = rest.split_at_checked(lone).unwrap_or_default();
        for some in run.chunks(REPLACEMENTS.len() / REPLACEMENT.len()) {
            let text = REPLACEMENTS.get(..some.len() * REPLACEMENT.len());
            put(text.unwrap_or_default());
        }
        rest = after;
    }
}

/// Whether the first of two bytes becomes a U+FFFD of its own.
#[inline]
fn is_lone_invalid(pair: &[u8]) -> bool {
    match pair {
        [0x80..=0xC1 | 0xF5..=0xFF, ..] => true,
        [0xC2..=0xF4, ..] => str::from_utf8(pair).is_err_and(|error| error.error_len() == Some(1)),
        _ => false,
    }
}
