//! Validation of a chunk ahead of what is read: much text at once is several times cheaper than value
//! by value.
//!
//! [`ValidatedWindow`] answers for the bytes of one chunk; [`Utf8Checker`] remembers across chunks
//! whether looking ahead is worth it.

use super::utf8::{Validity, split_incomplete};
use crate::counters;
use crate::scanner::OPTIMIZE_FOR_SIZE;
use core::str;

/// How far ahead validation goes.
const WINDOW: usize = 16 * 1024;

/// A value this long gains nothing from a window.
const LONG: usize = 2 * 1024;

/// Where no more than this is left of a chunk, neither does the last value.
const SHORT: usize = 32;

/// What was found out about the chunk.
#[derive(Debug, Default)]
pub(super) struct ValidatedWindow<'i> {
    /// A part that is valid, and where it starts.
    window: &'i str,
    start: usize,
    /// Behind the first byte of the last fault that was found; 0: there was none.
    after_invalid: usize,
    /// Up to here the chunk was looked at and a fault was found: what is behind the window goes
    /// value by value, so that no input makes each value scan the same bytes ahead again.
    no_window_until: usize,
}

impl<'i> ValidatedWindow<'i> {
    /// The value at `start..end` of `chunk`, or `None` if it is not valid UTF-8. No sequence may
    /// cross either end.
    #[inline]
    pub(super) fn get(
        &mut self,
        chunk: &'i [u8],
        start: usize,
        end: usize,
        checker: &mut Utf8Checker,
    ) -> Option<&'i str> {
        if OPTIMIZE_FOR_SIZE {
            return checker.check(chunk.get(start..end)?).ok();
        }
        // Before the window, the subtraction wraps and the range is out of bounds.
        let known = start.wrapping_sub(self.start)..end.wrapping_sub(self.start);
        match self.window.get(known) {
            Some(text) => Some(text),
            None => self.validate(chunk, start, end, checker),
        }
    }

    /// What is known of the line at `start..end`.
    pub(super) fn line(&self, start: usize, end: usize) -> Validity<'static> {
        if self.is_invalid(start, end) {
            Validity::Invalid
        } else {
            Validity::Unknown
        }
    }

    #[inline]
    fn is_invalid(&self, start: usize, end: usize) -> bool {
        start < self.after_invalid && self.after_invalid <= end
    }

    /// What is known of the chunk from `start` on, but for a sequence that breaks off at its end.
    pub(super) fn tail(&self, chunk: &'i [u8], start: usize) -> Validity<'i> {
        let (bytes, _) = split_incomplete(chunk.get(start..).unwrap_or_default());
        let known = start.wrapping_sub(self.start);
        match self.window.get(known..) {
            Some(tail) if tail.len() == bytes.len() => Validity::Valid(tail),
            _ => Validity::Unknown,
        }
    }

    #[inline(never)]
    fn validate(
        &mut self,
        chunk: &'i [u8],
        start: usize,
        end: usize,
        checker: &mut Utf8Checker,
    ) -> Option<&'i str> {
        if self.is_invalid(start, end) {
            return None;
        }
        if chunk.len() - start > SHORT
            && end - start < LONG
            && start >= self.no_window_until
            && !checker.invalid_is_likely
        {
            return self.validate_ahead(chunk, start, end, checker);
        }
        match checker.check(chunk.get(start..end)?) {
            Ok(text) => Some(text),
            Err(len) => {
                checker.is_unread = true;
                self.after_invalid = start + len + 1;
                None
            }
        }
    }

    /// Moves the window, so that it starts with the value at `start..end`.
    #[inline(never)]
    fn validate_ahead(
        &mut self,
        chunk: &'i [u8],
        start: usize,
        end: usize,
        checker: &mut Utf8Checker,
    ) -> Option<&'i str> {
        let mut window_end = chunk.len().min(start.saturating_add(WINDOW));
        // Further than the blank line that ends this event.
        if window_end > end + 2 {
            if checker.is_unread {
                let len = checker.likely_len(chunk).max(start);
                window_end = window_end.min(start + len).max(end);
            }
            checker.is_unread = true;
            checker.chunk_len = u32::try_from(chunk.len()).unwrap_or(0);
        }
        self.start = aligned(chunk, start);
        // A character that the end of the window cuts is not invalid.
        let (bytes, _) = split_incomplete(chunk.get(self.start..window_end)?);
        match checker.check(bytes) {
            Ok(text) => self.window = text,
            Err(len) => {
                self.no_window_until = window_end;
                self.after_invalid = self.start + len + 1;
                self.window = "";
                if !self.is_invalid(start, end) {
                    self.window = str::from_utf8(bytes.get(..len)?).ok()?;
                }
            }
        }
        self.window.get(start - self.start..end - self.start)
    }
}

/// Validates text, and remembers across chunks whether it is worth doing so ahead of what is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Utf8Checker {
    /// The last text had a fault. Where there is one there are more: nothing is validated ahead, and
    /// what is fast on valid text only is not tried.
    invalid_is_likely: bool,
    /// A cursor looked further ahead than it has read. If it is dropped there and what it left is fed
    /// again, whatever the next cursor finds out may be in vain too: it looks no further ahead than it
    /// has come, or than the last cursor read.
    pub(super) is_unread: bool,
    /// The length of that cursor's chunk; 0 if that is no `u32`.
    chunk_len: u32,
}

impl Utf8Checker {
    pub(super) const fn new() -> Self {
        Self {
            invalid_is_likely: false,
            is_unread: false,
            chunk_len: 0,
        }
    }

    /// How much of `chunk` may be read by its cursor: as much as the last one read, if `chunk` is what
    /// it left.
    #[inline]
    fn likely_len(self, chunk: &[u8]) -> usize {
        let before = usize::try_from(self.chunk_len).unwrap_or(0);
        before.saturating_sub(chunk.len())
    }

    /// `bytes` as text, or how many of them are valid.
    #[inline]
    pub(super) fn check<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b str, usize> {
        counters::scanned(bytes.len());
        #[cfg(feature = "simdutf8")]
        if bytes.len() >= 64 && !self.invalid_is_likely {
            let text = simdutf8::compat::from_utf8(bytes);
            self.invalid_is_likely = text.is_err();
            return text.map_err(|error| error.valid_up_to());
        }
        let text = str::from_utf8(bytes);
        self.invalid_is_likely = text.is_err();
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
