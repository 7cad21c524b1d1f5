//! The event under way: what its lines have set so far, the limit, and its dispatch.
//!
//! A value arrives in one of two ways: whole and borrowed from the chunk ([`EventBuilder::lend`]), or
//! in decoded pieces that are stored ([`EventBuilder::append`], then [`EventBuilder::finish_value`]).
//! Both count in `usage` in the same way, so the limit does not depend on how a value arrived. All
//! accounting is in this file; nothing else reads or changes `usage`.

use super::field::{Field, RetryParser};
use super::{Event, EventTooLarge};
use crate::counters;
use crate::storage::{Region, Remaining, Storage, Usage};
use core::time::Duration;

/// What a finished line completes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Nothing,
    Event,
    Comment,
    Retry,
}

/// Values of the event under way that lie whole in the chunk and are not stored.
#[derive(Debug, Default)]
pub(super) struct Borrowed<'i> {
    data: Option<&'i str>,
    event_type: Option<&'i str>,
    comment: Option<&'i str>,
}

/// Collects the event under way.
#[derive(Debug, Clone)]
pub(super) struct EventBuilder<S> {
    storage: S,
    /// Lengths of what the event holds, stored or borrowed.
    usage: Usage,
    /// "If the data buffer is an empty string": the standard's buffer ends each line with an LF, so
    /// it is not empty after any `data` line.
    has_data: bool,
    has_id: bool,
    /// The event was too large: its `data` and `event` lines are ignored up to its blank line.
    discarding: bool,
    /// What was returned last; its memory is freed before the next line is read.
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

    /// Whether an event has begun: it has data, a type or an id, or was too large. One that was
    /// dispatched has ended.
    pub(super) fn is_in_event(&self) -> bool {
        let has_type = self.usage.event_type > 0;
        self.dispatched != Outcome::Event
            && (self.has_data || has_type || self.has_id || self.discarding)
    }

    /// The limit was crossed since the last call.
    #[inline]
    pub(super) fn take_overflow(&mut self) -> Result<(), EventTooLarge> {
        self.overflow.take().map_or(Ok(()), Err)
    }
}

/// Whole values, borrowed from the chunk.
impl<S: Storage> EventBuilder<S> {
    /// Takes a whole value without storing it, if it has room. `None`: it has none, and nothing was
    /// done.
    #[inline(always)]
    pub(super) fn lend<'i>(
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
                return self.add_line(borrowed, text).then_some(Outcome::Nothing);
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

    /// Takes a further line of data, which is stored together with the borrowed first one. `false`:
    /// it has no room, and nothing was done.
    #[inline(always)]
    pub(super) fn add_line(&mut self, borrowed: &mut Borrowed<'_>, text: &str) -> bool {
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

    /// Stores what is borrowed from the chunk, which may be gone before the event is complete.
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

    /// Stores a whole event type or id, for which there is room.
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

    /// A whole `retry` line.
    pub(super) fn retry(&mut self, value: RetryParser, items: bool) -> Outcome {
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

/// Values in pieces, which are stored.
impl<S: Storage> EventBuilder<S> {
    /// How much the value under way may grow.
    #[inline]
    pub(super) fn remaining(&self, field: Field) -> Remaining {
        self.storage.remaining(self.usage, field.region())
    }

    /// A line of data begins, and may have data lines before it. `false`: the LF between them is too
    /// much.
    pub(super) fn start_data(&mut self) -> bool {
        let fits = !self.has_data || self.append(Field::Data, "\n");
        self.has_data = fits;
        fits
    }

    /// A line of data begins whose LF, if it needs one, is counted when it is decoded.
    #[inline]
    pub(super) fn start_buffered_data(&mut self) {
        self.has_data = true;
    }

    /// Appends to the value under way. `false`: it has no room; the value is dropped, and the event,
    /// too, if the value is part of one.
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

    /// Appends to the value under way what [`remaining`](Self::remaining) has room for.
    #[inline(always)]
    pub(super) fn push(&mut self, field: Field, text: &str) {
        self.storage.push(text);
        match field {
            Field::Data => self.usage.data += text.len(),
            _ => self.usage.value += text.len(),
        }
    }

    /// The byte that crosses the limit. `true`: the value fits after all, now that the event is
    /// dropped.
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
                // The id counts nevertheless: a reconnect must not ask for this event again.
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

    /// The line of a value that was appended has ended.
    #[inline]
    pub(super) fn finish_value(&mut self, field: Field) -> Outcome {
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

    /// Drops the value under way, unless it is data. It is stored after the data.
    pub(super) fn drop_value(&mut self) {
        self.storage.truncate(self.usage.data);
        self.usage.value = 0;
    }
}

/// Dispatch.
impl<S: Storage> EventBuilder<S> {
    /// "If the line is empty (a blank line): dispatch the event." `true` if there is an event.
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

    /// Frees what was returned last. `true`: it was an event, and nothing is left of it.
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

    /// The event of one data line that nothing came before, if it is within the limit.
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

    /// Replaces the last event ID; or else says how long it may be.
    pub(super) fn set_last_event_id(&mut self, id: &str) -> Result<(), usize> {
        let limit = self.storage.max_id_len();
        if id.len() > limit {
            return Err(limit);
        }
        self.storage.set(Region::LastEventId, id);
        Ok(())
    }

    /// Back to the start of a stream: only the last event ID and the reconnection time are kept.
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

/// The line buffer: data that is stored undecoded.
impl<S: Storage> EventBuilder<S> {
    /// Buffers a piece of data, after an LF if `join` says so. `false`: it has no room, and nothing
    /// was done.
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
