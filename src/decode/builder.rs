//! The unfinished event: what its lines have set so far, the limit, and dispatch.
//!
//! A value arrives in one of two ways: whole and borrowed from the chunk ([`EventBuilder::borrow`]), or
//! in decoded pieces that are stored ([`EventBuilder::append`], then [`EventBuilder::end_value`]). Both
//! count in `usage`, so the limit does not depend on how a value arrives. All accounting is in this
//! file: nothing else reads or changes `usage`.

use super::field::{Field, RetryParser};
use super::{Event, EventTooLarge};
use crate::counters;
use crate::storage::{Region, Remaining, Storage, Usage};
use core::time::Duration;

/// What a line completes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Nothing,
    Event,
    Comment,
    Retry,
}

/// Values of the unfinished event that are borrowed from the chunk.
#[derive(Debug, Default)]
pub(super) struct Borrowed<'i> {
    data: Option<&'i str>,
    event_type: Option<&'i str>,
    comment: Option<&'i str>,
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
    has_id: bool,
    /// The event is too large: its `data` and `event` lines are ignored up to its blank line.
    discarding: bool,
    /// What was returned last; it is cleared before the next line is read.
    dispatched: Outcome,
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
            has_id: false,
            discarding: false,
            dispatched: Outcome::Nothing,
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
        self.dispatched != Outcome::Event
            && (self.has_data || has_type || self.has_id || self.discarding)
    }

    /// Returns the error if the limit was exceeded since the last call.
    #[inline]
    pub(super) fn take_overflow(&mut self) -> Result<(), EventTooLarge> {
        self.overflow.take().map_or(Ok(()), Err)
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
                self.usage.event_type = text.len();
                borrowed.event_type = Some(text);
            }
            Field::Id => self.store(field, text),
            Field::Comment => {
                borrowed.comment = Some(text);
                return Some(Outcome::Comment);
            }
            Field::Retry => {}
        }
        Some(Outcome::Nothing)
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

    /// Stores a whole event type or id, which has room.
    #[inline]
    pub(super) fn store(&mut self, field: Field, text: &str) {
        let region = field.region();
        if field == Field::Id {
            // "If the field value does not contain U+0000 NULL"; otherwise "ignore the field".
            counters::scanned(text.len());
            if text.contains('\0') {
                return;
            }
            self.has_id = true;
            self.usage.pending_id = text.len();
        } else {
            self.usage.event_type = text.len();
        }
        self.storage.set(region, text);
    }

    /// Takes the value of a `retry` line.
    pub(super) fn set_reconnection_time(&mut self, value: RetryParser, items: bool) -> Outcome {
        if value.milliseconds().is_none() {
            return Outcome::Nothing;
        }
        self.reconnection_time = value;
        if items {
            Outcome::Retry
        } else {
            Outcome::Nothing
        }
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
    /// it the event, unless the value is a comment.
    #[inline]
    pub(super) fn append(&mut self, field: Field, text: &str) -> bool {
        let fits = text.len() <= self.remaining(field).bytes || self.on_overflow(field, text.len());
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

    /// The limit is exceeded. `true`: the value fits after all, now that the event is dropped.
    fn on_overflow(&mut self, field: Field, len: usize) -> bool {
        // One error for each event and for each comment.
        if field == Field::Comment || !self.discarding {
            let limit = self.remaining(field).limit;
            self.overflow = Some(EventTooLarge { limit });
        }
        match field {
            Field::Comment | Field::Retry => {}
            Field::Data | Field::EventType => {
                self.drop_event();
                self.discarding = true;
            }
            Field::Id => {
                // The id still counts, so that a reconnect does not ask for this event again.
                self.storage.drop_front(self.usage.data);
                self.storage.set(Region::EventType, "");
                self.usage.data = 0;
                self.usage.event_type = 0;
                self.has_data = false;
                self.discarding = true;
                return len <= self.remaining(field).bytes;
            }
        }
        false
    }

    /// Ends the value of the pending line.
    #[inline]
    pub(super) fn end_value(&mut self, field: Field) -> Outcome {
        match field {
            Field::Data | Field::Retry => {}
            Field::EventType => {
                self.usage.event_type = self.usage.value;
                self.storage
                    .commit_value(self.usage.data, Region::EventType);
            }
            Field::Id => {
                let value = self.storage.data_from(self.usage.data);
                // "If the field value does not contain U+0000 NULL"; otherwise "ignore the field".
                counters::scanned(value.len());
                if value.contains('\0') {
                    self.drop_value();
                } else {
                    self.has_id = true;
                    self.usage.pending_id = self.usage.value;
                    self.storage
                        .commit_value(self.usage.data, Region::PendingId);
                }
            }
            Field::Comment => {
                self.dispatched = Outcome::Comment;
                return Outcome::Comment;
            }
        }
        self.usage.value = 0;
        Outcome::Nothing
    }

    /// Drops the value of the pending line, which is stored after the data; not if it is data.
    pub(super) fn drop_value(&mut self) {
        self.storage.truncate(self.usage.data);
        self.usage.value = 0;
    }
}

// Dispatch, and what is returned.
impl<S: Storage> EventBuilder<S> {
    /// "If the line is empty (a blank line): dispatch the event." Returns whether there is one.
    #[inline]
    pub(super) fn dispatch(&mut self) -> bool {
        // "Set the last event ID string of the event source to the value of the last event ID
        // buffer", event or not.
        if self.has_id {
            self.storage.commit_last_event_id();
            self.has_id = false;
            self.usage.pending_id = 0;
        }
        if self.has_data {
            self.dispatched = Outcome::Event;
        } else {
            self.discarding = false;
            self.drop_event();
        }
        self.has_data
    }

    /// Clears what was returned last. Returns whether that was an event.
    #[inline]
    pub(super) fn clear_dispatched(&mut self) -> bool {
        let dispatched = self.dispatched;
        match dispatched {
            Outcome::Nothing => return false,
            Outcome::Event => self.drop_event(),
            Outcome::Comment | Outcome::Retry => self.drop_value(),
        }
        self.dispatched = Outcome::Nothing;
        dispatched == Outcome::Event
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
        }
    }

    /// The comment that was returned.
    #[inline]
    pub(super) fn comment<'e>(&'e self, borrowed: &Borrowed<'e>) -> &'e str {
        match borrowed.comment {
            Some(text) => text,
            None => self.storage.data_from(self.usage.data),
        }
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
        self.has_id = false;
        self.discarding = false;
        self.dispatched = Outcome::Nothing;
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
