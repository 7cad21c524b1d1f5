//! The unfinished event: what its lines have set so far, the limit, and dispatch.
//!
//! A value arrives in one of two ways: whole and borrowed from the chunk ([`EventBuilder::borrow`]), or
//! in decoded pieces that are stored ([`EventBuilder::append`], then [`EventBuilder::end_value`]). Both
//! count in `usage`, so the limit does not depend on how a value arrives. All accounting is in this
//! file and its two parts, `pieces` and `dispatch`: nothing else reads or changes `usage`.

mod dispatch;
mod pieces;

use super::EventTooLarge;
use super::event::{IdLine, IgnoredReason};
use super::field::{Field, RetryParser};
use crate::counters;
use crate::scanner::OPTIMIZE_FOR_SIZE;
use crate::storage::{Region, Storage, Usage};
use core::time::Duration;

/// What a line completes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Nothing,
    Event,
    Comment,
    Retry,
    Id,
    /// For [`EventBuilder::ignored_reason`].
    Ignored,
}

/// The limit was exceeded; the error is in the [`EventBuilder`].
#[derive(Debug)]
pub(super) struct Overflow;

/// Values of the unfinished event that are borrowed from the chunk.
#[derive(Debug, Default)]
pub(super) struct Borrowed<'i> {
    data: Option<&'i str>,
    event_type: Option<&'i str>,
    /// Of a comment or an ignored line.
    text: Option<&'i str>,
}

impl<'i> Borrowed<'i> {
    /// The text of a comment or an ignored line.
    pub(super) fn set_text(&mut self, text: &'i str) {
        self.text = Some(text);
    }
}

/// A set of kinds of lines.
#[derive(Debug, Clone, Copy)]
struct Lines(u8);

impl Lines {
    const NONE: Self = Self(0);
    /// Comments, and fields with an effect. Those of an unfinished event may be missing.
    const RECOGNIZED: Self = Self(1);
    const IGNORED: Self = Self(2);

    #[inline]
    fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    #[inline]
    fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// Collects the values of one event after another.
#[derive(Debug, Clone)]
pub(super) struct EventBuilder<S> {
    storage: S,
    /// Lengths of the values, stored or borrowed.
    usage: Usage,
    /// "If the data buffer is an empty string": the standard's buffer ends each line with an LF, so
    /// it is not empty after any `data` line.
    has_data: bool,
    /// The last `id` line since the last blank line.
    id_line: IdLine,
    /// The event is too large: its `data` and `event` lines are ignored up to its blank line.
    discarding: bool,
    skip_long_ids: bool,
    /// What was returned last; it is cleared before the next line is read.
    dispatched: Outcome,
    /// Which kinds of lines there were so far.
    lines: Lines,
    /// Why the last ignored line was ignored.
    ignored_reason: IgnoredReason,
    overflow: Option<EventTooLarge>,
    /// The last `retry` value that was a number.
    reconnection_time: RetryParser,
}

impl<S> EventBuilder<S> {
    pub(super) const fn new(storage: S) -> Self {
        Self {
            storage,
            usage: Usage::NONE,
            has_data: false,
            id_line: IdLine::NONE,
            discarding: false,
            skip_long_ids: false,
            dispatched: Outcome::Nothing,
            lines: Lines::NONE,
            ignored_reason: IgnoredReason::UnknownField,
            overflow: None,
            reconnection_time: RetryParser::NEW,
        }
    }

    #[inline]
    pub(super) fn has_data(&self) -> bool {
        self.has_data
    }

    #[inline]
    pub(super) fn is_discarding(&self) -> bool {
        self.discarding
    }

    pub(super) fn reconnection_time(&self) -> Option<Duration> {
        self.reconnection_time
            .milliseconds()
            .map(Duration::from_millis)
    }

    /// Whether an event is unfinished: it has data, a type or an id, or is too large, and was not
    /// dispatched.
    pub(super) fn is_in_event(&self) -> bool {
        let has_type = self.usage.event_type > 0;
        let is_dispatched = match self.dispatched {
            Outcome::Ignored => {
                self.ignored_reason == IgnoredReason::TypeWithoutData
                    && self.id_line == IdLine::NONE
            }
            dispatched => dispatched == Outcome::Event,
        };
        !is_dispatched
            && (self.has_data || has_type || self.id_line != IdLine::NONE || self.discarding)
    }

    pub(super) fn set_skip_long_ids(&mut self, yes: bool) {
        self.skip_long_ids = yes;
    }

    #[inline]
    pub(super) fn has_recognized_line(&self) -> bool {
        self.lines.has(Lines::RECOGNIZED)
    }

    #[inline]
    pub(super) fn set_recognized_line(&mut self) {
        self.lines.add(Lines::RECOGNIZED);
    }

    pub(super) fn has_ignored_line(&self) -> bool {
        self.lines.has(Lines::IGNORED)
    }

    #[inline]
    pub(super) fn set_ignored_line(&mut self) {
        self.lines.add(Lines::IGNORED);
    }

    /// Whether there is an error to return.
    #[inline]
    pub(super) fn check_overflow(&self) -> Result<(), Overflow> {
        match self.overflow {
            None => Ok(()),
            Some(_) => Err(Overflow),
        }
    }

    /// Returns the error, if there is one.
    #[cold]
    pub(super) fn overflow<T>(&mut self) -> Result<Option<T>, EventTooLarge> {
        self.overflow.take().map_or(Ok(None), Err)
    }
}

// Whole values, borrowed from the chunk.
impl<S: Storage> EventBuilder<S> {
    /// Takes a whole value without storing it. `None`: it has no room, and nothing was done.
    #[inline(always)]
    pub(super) fn borrow<'i>(
        &mut self,
        borrowed: &mut Borrowed<'i>,
        field: Field,
        text: &'i str,
        items: bool,
    ) -> Option<Outcome> {
        if text.len() > self.remaining(field).bytes {
            return None;
        }
        match field {
            Field::Data if self.has_data => {
                return self
                    .add_data_line(borrowed, text)
                    .then_some(Outcome::Nothing);
            }
            Field::Data => {
                self.has_data = true;
                self.usage.data = text.len();
                borrowed.data = Some(text);
            }
            Field::EventType => {
                self.set_recognized_line();
                self.usage.event_type = text.len();
                borrowed.event_type = Some(text);
                if text.is_empty() {
                    self.storage.set(Region::EventType, "");
                }
            }
            Field::Id => {
                if !self.store(field, text) {
                    borrowed.text = Some(text);
                    return Some(self.ignored(IgnoredReason::NulInId, items));
                }
            }
            // These are no part of the event.
            Field::Comment | Field::Retry | Field::Unknown => {}
        }
        Some(Outcome::Nothing)
    }

    /// What a comment or an ignored line completes.
    pub(super) fn end_text(&mut self, field: Field, items: bool) -> Outcome {
        match field {
            Field::Comment => {
                self.set_recognized_line();
                match items {
                    true => Outcome::Comment,
                    false => Outcome::Nothing,
                }
            }
            Field::Retry => self.ignored(IgnoredReason::InvalidRetry, items),
            _ => self.ignored(IgnoredReason::UnknownField, items),
        }
    }

    /// Takes note of an ignored line.
    pub(super) fn ignored(&mut self, reason: IgnoredReason, items: bool) -> Outcome {
        self.set_ignored_line();
        self.ignored_reason = reason;
        match items {
            true => Outcome::Ignored,
            false => Outcome::Nothing,
        }
    }

    /// Takes the value of a second or later `data` line; stores it, and a borrowed first one. `false`:
    /// it has no room, and nothing was done.
    #[inline(always)]
    pub(super) fn add_data_line(&mut self, borrowed: &mut Borrowed<'_>, text: &str) -> bool {
        let fits = text.len() < self.remaining(Field::Data).bytes;
        if fits {
            if let Some(first) = borrowed.data.take() {
                self.storage.push(first);
            }
            self.storage.push_line(text);
            self.usage.data += 1 + text.len();
        }
        fits
    }

    /// Stores what is borrowed, because the chunk may be gone before the event is complete.
    #[inline]
    pub(super) fn commit(&mut self, borrowed: &mut Borrowed<'_>) {
        if borrowed.data.is_some() || borrowed.event_type.is_some() {
            self.store_borrowed(borrowed);
        }
    }

    fn store_borrowed(&mut self, borrowed: &mut Borrowed<'_>) {
        if let Some(data) = borrowed.data.take() {
            self.storage.push(data);
        }
        if let Some(event_type) = borrowed.event_type.take() {
            self.storage.set(Region::EventType, event_type);
        }
    }

    /// Stores a whole event type or id, which has room. `false`: the id is to be ignored.
    #[inline]
    pub(super) fn store(&mut self, field: Field, text: &str) -> bool {
        let region = field.region();
        if field == Field::Id {
            // "If the field value does not contain U+0000 NULL"; otherwise "ignore the field".
            counters::scanned(text.len());
            if has_nul(text) {
                return false;
            }
            self.id_line = IdLine::SET;
            self.usage.pending_id = text.len();
        } else {
            self.set_recognized_line();
            self.usage.event_type = text.len();
        }
        self.storage.set(region, text);
        true
    }

    /// Takes the value of a `retry` line. `None`: it is not a number.
    pub(super) fn set_reconnection_time(
        &mut self,
        value: RetryParser,
        items: bool,
    ) -> Option<Outcome> {
        value.milliseconds()?;
        self.set_recognized_line();
        self.reconnection_time = value;
        Some(match items {
            true => Outcome::Retry,
            false => Outcome::Nothing,
        })
    }
}

// The line buffer: data that is not decoded yet.
impl<S: Storage> EventBuilder<S> {
    /// Buffers a piece of data, after an LF if `join`. `false`: it is too long, and nothing was done.
    #[inline]
    pub(super) fn buffer(&mut self, join: bool, piece: &[u8]) -> bool {
        const MAX_PIECE: usize = 256;
        let room = self.remaining(Field::Data).bytes;
        piece.len() <= MAX_PIECE && self.storage.buffer(join, piece, room)
    }

    #[inline]
    pub(super) fn has_buffered(&self) -> bool {
        self.storage.buffered_len() > 0
    }

    #[inline]
    pub(super) fn buffered_len(&self) -> usize {
        self.storage.buffered_len()
    }

    pub(super) fn take_buffered(&mut self) -> S::Buffer {
        self.storage.take_buffer()
    }

    pub(super) fn restore_buffer(&mut self, buffered: S::Buffer) {
        self.storage.restore_buffer(buffered);
    }
}

/// Whether an id is to be ignored.
#[inline]
fn has_nul(text: &str) -> bool {
    if OPTIMIZE_FOR_SIZE {
        return text.bytes().any(|byte| byte == 0);
    }
    text.as_bytes().contains(&0)
}
