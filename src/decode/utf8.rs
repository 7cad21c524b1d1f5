//! UTF-8: what can be lent as it stands, and what becomes U+FFFD.
//!
//! CR, LF and colon are no part of a multi-byte sequence, so decoding the values one by one gives
//! what the standard's decoding of the whole stream gives. [`Valid`] answers for bytes of one
//! chunk; [`Incomplete`] carries a sequence over the end of a chunk.

use crate::counters;
use crate::scanner::OPTIMIZE_FOR_SIZE;
use core::str;

pub(super) const REPLACEMENT: &str = "\u{FFFD}";

/// A number of them, for bytes that are all invalid.
pub(super) const REPLACEMENTS: &str = concat!(
    "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}",
    "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}",
    "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}",
    "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}",
);

/// How far ahead validation goes. Validating much at once is several times cheaper than value by
/// value.
const WINDOW: usize = 16 * 1024;

/// A value this long gains nothing from a window.
const LONG: usize = 2 * 1024;

/// Where no more than this is left of a chunk, neither does the last value.
const SHORT: usize = 32;

/// What is known of some bytes before they are decoded.
pub(super) enum Known<'i> {
    Nothing,
    /// They are this, but for a sequence that breaks off at their end.
    Text(&'i str),
    /// They are not valid.
    Faulty,
}

/// What was found out about the chunk.
#[derive(Debug, Default)]
pub(super) struct Valid<'i> {
    /// A part that is valid, and where it starts.
    window: &'i str,
    start: usize,
    /// Behind the first byte of the last fault that was found; 0: there was none.
    behind_fault: usize,
    /// Up to here the chunk was looked at and a fault was found: what is behind the window goes
    /// value by value, so that no input makes each value scan the same bytes ahead again.
    faulty_until: usize,
}

impl<'i> Valid<'i> {
    /// The value at `start..end` of `chunk`, or `None` if it is not valid UTF-8. No sequence may
    /// cross either end.
    #[inline]
    pub(super) fn get(
        &mut self,
        chunk: &'i [u8],
        start: usize,
        end: usize,
        lookahead: &mut Lookahead,
    ) -> Option<&'i str> {
        if OPTIMIZE_FOR_SIZE {
            return lookahead.find(chunk.get(start..end)?).ok();
        }
        // Before the window, the subtraction wraps and the range is out of bounds.
        let known = start.wrapping_sub(self.start)..end.wrapping_sub(self.start);
        match self.window.get(known) {
            Some(text) => Some(text),
            None => self.validate(chunk, start, end, lookahead),
        }
    }

    /// What is known of the line at `start..end`.
    pub(super) fn line(&self, start: usize, end: usize) -> Known<'static> {
        if self.is_faulty(start, end) {
            Known::Faulty
        } else {
            Known::Nothing
        }
    }

    #[inline]
    fn is_faulty(&self, start: usize, end: usize) -> bool {
        start < self.behind_fault && self.behind_fault <= end
    }

    /// What is known of the chunk from `start` on, but for a sequence that breaks off at its end.
    pub(super) fn tail(&self, chunk: &'i [u8], start: usize) -> Known<'i> {
        let (bytes, _) = Incomplete::split_from(chunk.get(start..).unwrap_or_default());
        let known = start.wrapping_sub(self.start);
        match self.window.get(known..) {
            Some(tail) if tail.len() == bytes.len() => Known::Text(tail),
            _ => Known::Nothing,
        }
    }

    #[inline(never)]
    fn validate(
        &mut self,
        chunk: &'i [u8],
        start: usize,
        end: usize,
        lookahead: &mut Lookahead,
    ) -> Option<&'i str> {
        if self.is_faulty(start, end) {
            return None;
        }
        let mut ahead = chunk.len().min(start.saturating_add(WINDOW));
        if start >= self.faulty_until
            && end <= ahead
            && end - start < LONG
            && ahead - start > SHORT
            && !lookahead.fault_is_likely
        {
            // Further than the blank line that ends this event.
            if ahead > end + 2 {
                if lookahead.is_unread {
                    let len = lookahead.likely_len(chunk).max(start);
                    ahead = ahead.min(start + len).max(end);
                }
                lookahead.is_unread = true;
                lookahead.chunk_len = u32::try_from(chunk.len()).unwrap_or(0);
            }
            self.start = aligned(chunk, start);
            // A character that the end of the window cuts is no fault.
            let (bytes, _) = Incomplete::split_from(chunk.get(self.start..ahead)?);
            match lookahead.find(bytes) {
                Ok(text) => self.window = text,
                Err(len) => {
                    self.faulty_until = ahead;
                    self.behind_fault = self.start + len + 1;
                    self.window = "";
                    if !self.is_faulty(start, end) {
                        self.window = str::from_utf8(bytes.get(..len)?).ok()?;
                    }
                }
            }
            return self.window.get(start - self.start..end - self.start);
        }
        match lookahead.find(chunk.get(start..end)?) {
            Ok(text) => Some(text),
            Err(len) => {
                lookahead.is_unread = true;
                self.behind_fault = start + len + 1;
                None
            }
        }
    }
}

/// Validates text, and remembers across chunks whether it is worth doing so ahead of what is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lookahead {
    /// The last text had a fault. Where there is one there are more: nothing is validated ahead, and
    /// what is fast on valid text only is not tried.
    fault_is_likely: bool,
    /// A cursor looked further ahead than it has read. If it is dropped there and what it left is fed
    /// again, whatever the next cursor finds out may be in vain too: it looks no further ahead than it
    /// has come, or than the last cursor read.
    pub(super) is_unread: bool,
    /// The length of that cursor's chunk; 0 if that is no `u32`.
    chunk_len: u32,
}

impl Lookahead {
    pub(super) const NEW: Self = Self {
        fault_is_likely: false,
        is_unread: false,
        chunk_len: 0,
    };

    /// How much of `chunk` may be read by its cursor: as much as the last one read, if `chunk` is what
    /// it left.
    #[inline]
    fn likely_len(self, chunk: &[u8]) -> usize {
        let before = usize::try_from(self.chunk_len).unwrap_or(0);
        before.saturating_sub(chunk.len())
    }

    /// `bytes` as text, or how many of them are valid.
    #[inline]
    pub(super) fn find<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b str, usize> {
        counters::scanned(bytes.len());
        #[cfg(feature = "simdutf8")]
        if bytes.len() >= 64 && !self.fault_is_likely {
            let text = simdutf8::compat::from_utf8(bytes);
            self.fault_is_likely = text.is_err();
            return text.map_err(|error| error.valid_up_to());
        }
        let text = str::from_utf8(bytes);
        self.fault_is_likely = text.is_err();
        text.map_err(|error| error.valid_up_to())
    }
}

/// Where to start validation so that `start` is included: up to seven bytes before it, where memory
/// is aligned, if they are ASCII. A name and a colon are; and `from_utf8` is slow before it comes to
/// an aligned word.
#[inline]
fn aligned(chunk: &[u8], start: usize) -> usize {
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let back = start.wrapping_sub(chunk.as_ptr().align_offset(8)) % 8;
    let aligned = start.saturating_sub(back);
    match chunk.get(aligned..).and_then(<[u8]>::first_chunk) {
        // The bytes from `start` on are shifted out; for `back == 0` all of them should be.
        Some(word) if (u64::from_le_bytes(*word) << 1 << (63 - 8 * back)) & HIGH == 0 => aligned,
        _ => start,
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
    Complete,
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

    #[inline]
    pub(super) fn is_none(self) -> bool {
        self.len == 0
    }

    /// Splits a sequence off that `bytes` breaks off in.
    #[inline]
    pub(super) fn split_from(bytes: &[u8]) -> (&[u8], Self) {
        match bytes.last() {
            Some(last) if !last.is_ascii() => Self::split_from_cut(bytes),
            _ => (bytes, Self::NONE),
        }
    }

    fn split_from_cut(bytes: &[u8]) -> (&[u8], Self) {
        for len in 1..=3 {
            let mid = bytes.len().saturating_sub(len);
            let Some((head, tail)) = bytes.split_at_checked(mid) else {
                break;
            };
            if let Some(full) = sequence_len(tail) {
                if full > tail.len() {
                    let mut incomplete = Self::NONE;
                    for &byte in tail {
                        incomplete.append(byte);
                    }
                    return (head, incomplete);
                }
                break;
            }
        }
        (bytes, Self::NONE)
    }

    pub(super) fn push(&mut self, byte: u8) -> Continued {
        let before = *self;
        self.append(byte);
        match sequence_len(self.bytes()) {
            Some(len) if len == usize::from(self.len) => Continued::Complete,
            Some(_) => Continued::Incomplete,
            None => {
                *self = before;
                Continued::Broken
            }
        }
    }

    /// What it stands for: its character once it is complete, or else U+FFFD.
    pub(super) fn text(&self) -> &str {
        str::from_utf8(self.bytes()).unwrap_or(REPLACEMENT)
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    fn append(&mut self, byte: u8) {
        if let Some(free) = self.bytes.get_mut(usize::from(self.len)) {
            *free = byte;
            self.len += 1;
        }
    }
}

/// Whether the first of two bytes is invalid by itself, and the second one starts afresh.
#[inline]
pub(super) fn begins_nothing(pair: &[u8]) -> bool {
    match pair {
        [0x80..=0xC1 | 0xF5..=0xFF, ..] => true,
        [0xC2..=0xF4, ..] => sequence_len(pair).is_none(),
        _ => false,
    }
}

/// The length of the multi-byte sequence that `bytes` are, or are the beginning of; `None` if no
/// well-formed sequence begins so (The Unicode Standard, table 3-7).
#[inline]
fn sequence_len(bytes: &[u8]) -> Option<usize> {
    let (first, rest) = bytes.split_first()?;
    let (len, second) = match first {
        0xC2..=0xDF => (2, 0x80..=0xBF),
        0xE0 => (3, 0xA0..=0xBF),
        0xED => (3, 0x80..=0x9F),
        0xE1..=0xEF => (3, 0x80..=0xBF),
        0xF0 => (4, 0x90..=0xBF),
        0xF1..=0xF3 => (4, 0x80..=0xBF),
        0xF4 => (4, 0x80..=0x8F),
        _ => return None,
    };
    let well_formed = match rest {
        [] => true,
        [byte, rest @ ..] => {
            second.contains(byte) && rest.iter().all(|byte| matches!(byte, 0x80..=0xBF))
        }
    };
    well_formed.then_some(len)
}
