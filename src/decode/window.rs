//! Validation of UTF-8 ahead of the cursor: validating a large part of the chunk at once is several
//! times faster than value by value.
//!
//! [`ValidatedWindow`] belongs to one chunk; [`Utf8Checker`] remembers across chunks whether validating
//! ahead is worth it.

use super::utf8::{Validity, split_incomplete};
use crate::counters;
use crate::scanner::OPTIMIZE_FOR_SIZE;
use core::str;

/// How many bytes are validated ahead.
const WINDOW: usize = 16 * 1024;

/// Values of this length are validated by themselves: a window would gain nothing.
const LONG: usize = 2 * 1024;

/// So are the values in the last bytes of a chunk.
const SHORT: usize = 32;

/// What is known about the UTF-8 of a chunk.
#[derive(Debug, Default)]
pub(super) struct ValidatedWindow<'i> {
    /// A part of the chunk that is valid, and where it starts.
    window: &'i str,
    start: usize,
    /// One past the first byte of the last invalid sequence that was found; 0 if none was.
    after_invalid: usize,
    /// No window is opened before this position: the chunk was validated up to here and is invalid
    /// somewhere after the window. Otherwise each value could validate the same bytes ahead again.
    no_window_until: usize,
}

impl<'i> ValidatedWindow<'i> {
    /// The value at `start..end` of `chunk`, or `None` if it is not valid UTF-8. No multi-byte sequence
    /// may cross either end.
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
            None if chunk.len() - start <= SHORT => self.validate(chunk, start, end, checker),
            None => self.open_window(chunk, start, end, checker),
        }
    }

    /// What is known about the line at `start..end`.
    pub(super) fn validity(&self, start: usize, end: usize) -> Validity<'static> {
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

    /// What is known about the rest of the chunk from `start` on, apart from an incomplete sequence at
    /// its end.
    pub(super) fn validity_of_rest(&self, chunk: &'i [u8], start: usize) -> Validity<'i> {
        let (bytes, _) = split_incomplete(chunk.get(start..).unwrap_or_default());
        let known = start.wrapping_sub(self.start);
        match self.window.get(known..) {
            Some(text) if text.len() == bytes.len() => Validity::Valid(text),
            _ => Validity::Unknown,
        }
    }

    /// Validates the value at `start..end` by itself.
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
        match checker.check(chunk.get(start..end)?) {
            Ok(text) => Some(text),
            Err(len) => {
                checker.is_ahead = true;
                self.after_invalid = start + len + 1;
                None
            }
        }
    }

    /// Validates the value at `start..end` together with what follows it, if that is worth it.
    #[inline(never)]
    fn open_window(
        &mut self,
        chunk: &'i [u8],
        start: usize,
        end: usize,
        checker: &mut Utf8Checker,
    ) -> Option<&'i str> {
        let is_worth_it = end - start < LONG
            && start >= self.no_window_until
            && !checker.invalid_is_likely
            && !self.is_invalid(start, end);
        if !is_worth_it {
            return self.validate(chunk, start, end, checker);
        }
        let mut window_end = chunk.len().min(start.saturating_add(WINDOW));
        // More than this event, which a blank line may end.
        if window_end > end + 2 {
            if checker.is_ahead {
                let len = checker.likely_len(chunk).max(start);
                window_end = window_end.min(start + len).max(end);
            }
            checker.is_ahead = true;
            checker.chunk_len = u32::try_from(chunk.len()).unwrap_or(0);
        }
        self.start = aligned(chunk, start);
        // A character is not invalid because the end of the window splits it.
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

/// Validates text, and remembers across chunks whether to validate ahead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Utf8Checker {
    /// The last text was invalid. Invalid text rarely comes alone: nothing is validated ahead.
    invalid_is_likely: bool,
    /// A cursor validated ahead and was not read to its end. If what it left is fed again, the next
    /// cursor may do so in vain, too; so it validates only as far as the last one was read.
    is_ahead: bool,
    /// The length of that cursor's chunk; 0 if it does not fit.
    chunk_len: u32,
}

impl Utf8Checker {
    pub(super) const fn new() -> Self {
        Self {
            invalid_is_likely: false,
            is_ahead: false,
            chunk_len: 0,
        }
    }

    #[inline]
    pub(super) fn is_ahead(&self) -> bool {
        self.is_ahead
    }

    /// The cursor was read to its end.
    #[inline]
    pub(super) fn chunk_is_read(&mut self) {
        self.is_ahead = false;
    }

    /// How much of `chunk` its cursor is likely to read: as much as the last one did, if `chunk` is
    /// what that one left.
    #[inline]
    fn likely_len(self, chunk: &[u8]) -> usize {
        let before = usize::try_from(self.chunk_len).unwrap_or(0);
        before.saturating_sub(chunk.len())
    }

    /// `bytes` as text, or the length of their valid part.
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

/// Where to start a window that includes `start`: up to seven bytes earlier, at an aligned address, if
/// these bytes are ASCII (a field name and a colon are). `from_utf8` is slow until it reaches an aligned
/// word.
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
