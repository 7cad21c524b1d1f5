//! The unfinished event: what its lines have set so far, the limit, and dispatch.
//!
//! A value arrives in one of two ways: whole and borrowed from the chunk ([`EventBuilder::borrow`]), or
//! in decoded pieces that are stored ([`EventBuilder::append`], then [`EventBuilder::end_value`]). Both
//! count in `usage`, so the limit does not depend on how a value arrives. All accounting is in this
//! file: nothing else reads or changes `usage`.

use super::event::{IdLine, Ignored, IgnoredReason};
use super::field::{Field, RetryParser};
use super::{Event, EventTooLarge, Part};
use crate::counters;
use crate::scanner::OPTIMIZE_FOR_SIZE;
use crate::storage::{Region, Remaining, Storage, Usage};
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

// Values in pieces, which are stored.
impl<S: Storage> EventBuilder<S> {
    /// How much the value of the pending line may grow.
    #[inline]
    pub(super) fn remaining(&self, field: Field) -> Remaining {
        self.storage.remaining(self.usage, field.region())
    }

    /// Starts a `data` line, with an LF if it is not the first. `false`: the LF has no room.
    pub(super) fn start_data_line(&mut self) -> bool {
        let fits = !self.has_data || self.append(Field::Data, "\n");
        self.has_data = fits;
        fits
    }

    /// Starts a `data` line that needs no LF before it, or has it in the line buffer.
    #[inline]
    pub(super) fn set_has_data(&mut self) {
        self.has_data = true;
    }

    /// Appends to the value of the pending line. `false`: it has no room, and the value is dropped; with
    /// it the event, if the value is a part of it.
    #[inline]
    pub(super) fn append(&mut self, field: Field, text: &str) -> bool {
        let fits = text.len() <= self.remaining(field).bytes || self.on_overflow(field, text);
        if fits {
            self.push(field, text);
        } else {
            self.drop_value();
        }
        fits
    }

    /// Appends to the value of the pending line, which has room.
    #[inline(always)]
    pub(super) fn push(&mut self, field: Field, text: &str) {
        self.storage.push(text);
        match field {
            Field::Data => self.usage.data += text.len(),
            _ => self.usage.value += text.len(),
        }
    }

    /// The limit is exceeded. `true`: the value fits after all, now that something else is dropped.
    fn on_overflow(&mut self, field: Field, text: &str) -> bool {
        match field {
            Field::Comment | Field::Unknown => self.report_overflow(field),
            // Reported when the line ends and is known to be ignored.
            Field::Retry => {}
            Field::Data | Field::EventType => {
                if !self.discarding {
                    self.report_overflow(field);
                }
                self.drop_event();
                self.discarding = true;
            }
            Field::Id => return self.on_id_overflow(text),
        }
        false
    }

    /// The id has no room: drops the event, whose id still counts, so that a reconnect does not ask
    /// for it again; then an earlier id of the block, because the last one counts.
    fn on_id_overflow(&mut self, text: &str) -> bool {
        if !self.discarding && !self.skip_long_ids {
            self.report_overflow(Field::Id);
            self.storage.drop_front(self.usage.data);
            self.storage.set(Region::EventType, "");
            self.usage.data = 0;
            self.usage.event_type = 0;
            self.has_data = false;
            self.discarding = true;
            if text.len() <= self.remaining(Field::Id).bytes {
                return true;
            }
        }
        if self.is_nul_in_id(text) {
            return false;
        }
        self.id_line = IdLine::TOO_LONG;
        self.usage.pending_id = 0;
        self.storage.set(Region::PendingId, "");
        text.len() <= self.remaining(Field::Id).bytes
    }

    /// Whether the id has a NUL in the part that has room, and is therefore to be ignored. `text` is its
    /// next piece.
    fn is_nul_in_id(&self, text: &str) -> bool {
        let stored = self.storage.data_from(self.usage.data);
        let room = self.remaining(Field::Id).bytes;
        counters::scanned(stored.len() + room.min(text.len()));
        has_nul(stored) || text.bytes().take(room).any(|byte| byte == 0)
    }

    /// Whether an id that has no room is skipped, and not its event.
    #[inline]
    pub(super) fn skips_long_id(&self) -> bool {
        self.skip_long_ids && !self.discarding
    }

    /// Reports that the value of `field` has no room.
    pub(super) fn report_overflow(&mut self, field: Field) {
        let Remaining { limit, region, .. } = self.remaining(field);
        let part = match field {
            Field::Data => Part::Data,
            Field::EventType => Part::EventType,
            Field::Id => Part::Id,
            Field::Comment => Part::Comment,
            Field::Retry | Field::Unknown => Part::IgnoredLine,
        };
        self.overflow = Some(EventTooLarge {
            part,
            limit,
            region,
        });
    }

    /// Ends the value of the pending line.
    #[inline]
    pub(super) fn end_value(&mut self, field: Field, items: bool) -> Outcome {
        match field {
            Field::Data => {}
            Field::EventType => {
                self.set_recognized_line();
                self.usage.event_type = self.usage.value;
                self.storage
                    .commit_value(self.usage.data, Region::EventType);
            }
            Field::Id => {
                let value = self.storage.data_from(self.usage.data);
                // "If the field value does not contain U+0000 NULL"; otherwise "ignore the field".
                counters::scanned(value.len());
                if has_nul(value) {
                    let outcome = self.ignored(IgnoredReason::NulInId, items);
                    return self.keep_text(outcome);
                } else {
                    self.id_line = IdLine::SET;
                    self.usage.pending_id = self.usage.value;
                    self.storage
                        .commit_value(self.usage.data, Region::PendingId);
                }
            }
            Field::Comment | Field::Retry | Field::Unknown => {
                let outcome = self.end_text(field, items);
                return self.keep_text(outcome);
            }
        }
        self.usage.value = 0;
        Outcome::Nothing
    }

    /// Ends the text of a comment or an ignored line, which is kept if it is to be returned.
    fn keep_text(&mut self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Nothing => self.drop_value(),
            _ => self.dispatched = outcome,
        }
        outcome
    }

    /// Drops the value of the pending line, which is stored after the data; not if it is data.
    pub(super) fn drop_value(&mut self) {
        self.storage.truncate(self.usage.data);
        self.usage.value = 0;
    }
}

// Dispatch, and what is returned.
impl<S: Storage> EventBuilder<S> {
    /// "If the line is empty (a blank line): dispatch the event."
    #[inline]
    pub(super) fn dispatch(&mut self, items: bool) -> Outcome {
        if self.id_line != IdLine::NONE {
            self.commit_id();
        }
        if self.has_data {
            self.set_recognized_line();
            self.dispatched = Outcome::Event;
            return Outcome::Event;
        }
        if self.id_line == IdLine::NONE && self.usage.event_type == 0 && !self.discarding {
            return Outcome::Nothing;
        }
        self.dispatch_nothing(items)
    }

    /// Whether a blank line completes two items: an event type without data, and an id.
    #[inline]
    pub(super) fn has_type_and_id_only(&self) -> bool {
        self.id_line == IdLine::SET && !self.has_data && self.usage.event_type > 0
    }

    /// Returns the event type of such a block, before its blank line is read.
    pub(super) fn dispatch_type(&mut self) -> Outcome {
        self.dispatched = self.ignored(IgnoredReason::TypeWithoutData, true);
        self.dispatched
    }

    /// Ends a block that has no event.
    #[inline(never)]
    fn dispatch_nothing(&mut self, items: bool) -> Outcome {
        let id_line = core::mem::replace(&mut self.id_line, IdLine::NONE);
        if self.usage.event_type > 0 {
            let outcome = self.ignored(IgnoredReason::TypeWithoutData, items);
            if items {
                self.dispatched = outcome;
                return outcome;
            }
        }
        let outcome = match id_line {
            IdLine::SET if items && !self.discarding => Outcome::Id,
            _ => Outcome::Nothing,
        };
        if self.discarding {
            self.set_recognized_line();
        }
        self.discarding = false;
        self.drop_event();
        outcome
    }

    /// "Set the last event ID string of the event source to the value of the last event ID buffer",
    /// event or not.
    #[inline]
    fn commit_id(&mut self) {
        if self.id_line == IdLine::SET {
            self.storage.commit_last_event_id();
        }
        self.set_recognized_line();
        self.usage.pending_id = 0;
    }

    /// Clears what was returned last. Returns whether that was an event.
    #[inline]
    pub(super) fn clear_dispatched(&mut self) -> bool {
        match self.dispatched {
            Outcome::Nothing => return false,
            Outcome::Event => {
                self.drop_event();
                self.id_line = IdLine::NONE;
            }
            _ => {
                self.clear_text();
                return false;
            }
        }
        self.dispatched = Outcome::Nothing;
        true
    }

    /// Clears the text that was returned last.
    #[inline(never)]
    fn clear_text(&mut self) {
        match (self.dispatched, self.ignored_reason) {
            (Outcome::Ignored, IgnoredReason::TypeWithoutData) => self.drop_event(),
            _ => self.drop_value(),
        }
        self.dispatched = Outcome::Nothing;
    }

    /// The event that was dispatched.
    #[inline]
    pub(super) fn event<'e>(&'e self, borrowed: &Borrowed<'e>) -> Event<'e> {
        let storage = &self.storage;
        Event {
            event_type: match borrowed
                .event_type
                .unwrap_or_else(|| storage.text(Region::EventType))
            {
                "" => "message",
                event_type => event_type,
            },
            data: borrowed.data.unwrap_or_else(|| storage.data_from(0)),
            last_event_id: storage.text(Region::LastEventId),
            id_line: self.id_line,
        }
    }

    /// Whether an event that has this data and nothing else is within the limit.
    #[inline]
    pub(super) fn fits_alone(&self, data: &str) -> bool {
        data.len() <= self.storage.remaining(Usage::NONE, Region::Data).bytes
    }

    /// An event that has data and nothing else.
    #[inline]
    pub(super) fn data_event<'e>(&'e self, data: &'e str) -> Event<'e> {
        Event {
            event_type: "message",
            data,
            last_event_id: self.last_event_id(),
            id_line: IdLine::NONE,
        }
    }

    /// The text of the comment or ignored line that was returned.
    #[inline]
    pub(super) fn text<'e>(&'e self, borrowed: &Borrowed<'e>) -> &'e str {
        match borrowed.text {
            Some(text) => text,
            None => self.storage.data_from(self.usage.data),
        }
    }

    /// The ignored line that was returned.
    pub(super) fn ignored_line<'e>(&'e self, borrowed: &Borrowed<'e>) -> Ignored<'e> {
        let text = match self.ignored_reason {
            IgnoredReason::IdTooLong => "",
            IgnoredReason::TypeWithoutData => match borrowed.event_type {
                Some(event_type) => event_type,
                None => self.storage.text(Region::EventType),
            },
            _ => self.text(borrowed),
        };
        let reason = match self.ignored_reason {
            IgnoredReason::UnknownField if !text.contains(':') => IgnoredReason::NoColon,
            reason => reason,
        };
        Ignored { text, reason }
    }

    pub(super) fn last_event_id(&self) -> &str {
        self.storage.text(Region::LastEventId)
    }

    /// Replaces the last event ID, or returns how long it may be.
    pub(super) fn set_last_event_id(&mut self, id: &str) -> Result<(), usize> {
        let limit = self.storage.max_id_len();
        if id.len() > limit {
            return Err(limit);
        }
        self.storage.set(Region::LastEventId, id);
        Ok(())
    }

    /// Drops everything but the last event ID and the reconnection time.
    pub(super) fn reset(&mut self) {
        let buffer = self.storage.take_buffer();
        self.storage.restore_buffer(buffer);
        self.drop_event();
        self.storage.set(Region::PendingId, "");
        self.usage = Usage::NONE;
        self.id_line = IdLine::NONE;
        self.discarding = false;
        self.dispatched = Outcome::Nothing;
        self.reset_recognition();
    }

    /// Forgets which lines the stream had.
    pub(super) fn reset_recognition(&mut self) {
        self.lines = Lines::NONE;
    }

    /// Empties the data and event type buffers.
    #[inline]
    fn drop_event(&mut self) {
        self.storage.truncate(0);
        self.storage.set(Region::EventType, "");
        self.has_data = false;
        self.usage.data = 0;
        self.usage.event_type = 0;
        self.usage.value = 0;
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
