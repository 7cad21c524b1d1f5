//! Dispatch at a blank line, and what is returned.

use super::{Borrowed, EventBuilder, Lines, Outcome};
use crate::decode::Event;
use crate::decode::event::{IdLine, Ignored, IgnoredReason};
use crate::storage::{Region, Storage, Usage};

impl<S: Storage> EventBuilder<S> {
    /// "If the line is empty (a blank line): dispatch the event."
    #[inline]
    pub(in crate::decode) fn dispatch(&mut self, items: bool) -> Outcome {
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
    pub(in crate::decode) fn has_type_and_id_only(&self) -> bool {
        self.id_line == IdLine::SET && !self.has_data && self.usage.event_type > 0
    }

    /// Returns the event type of such a block, before its blank line is read.
    pub(in crate::decode) fn dispatch_type(&mut self) -> Outcome {
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
    pub(in crate::decode) fn clear_dispatched(&mut self) -> bool {
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
    pub(in crate::decode) fn event<'e>(&'e self, borrowed: &Borrowed<'e>) -> Event<'e> {
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
    pub(in crate::decode) fn fits_alone(&self, data: &str) -> bool {
        data.len() <= self.storage.remaining(Usage::NONE, Region::Data).bytes
    }

    /// An event that has data and nothing else.
    #[inline]
    pub(in crate::decode) fn data_event<'e>(&'e self, data: &'e str) -> Event<'e> {
        Event {
            event_type: "message",
            data,
            last_event_id: self.last_event_id(),
            id_line: IdLine::NONE,
        }
    }

    /// The text of the comment or ignored line that was returned.
    #[inline]
    pub(in crate::decode) fn text<'e>(&'e self, borrowed: &Borrowed<'e>) -> &'e str {
        match borrowed.text {
            Some(text) => text,
            None => self.storage.data_from(self.usage.data),
        }
    }

    /// The ignored line that was returned.
    pub(in crate::decode) fn ignored_line<'e>(&'e self, borrowed: &Borrowed<'e>) -> Ignored<'e> {
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

    pub(in crate::decode) fn last_event_id(&self) -> &str {
        self.storage.text(Region::LastEventId)
    }

    /// Replaces the last event ID, or returns how long it may be.
    pub(in crate::decode) fn set_last_event_id(&mut self, id: &str) -> Result<(), usize> {
        let limit = self.storage.max_id_len();
        if id.len() > limit {
            return Err(limit);
        }
        self.storage.set(Region::LastEventId, id);
        Ok(())
    }

    /// Drops everything but the last event ID and the reconnection time.
    pub(in crate::decode) fn reset(&mut self) {
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
    pub(in crate::decode) fn reset_recognition(&mut self) {
        self.lines = Lines::NONE;
    }

    /// Empties the data and event type buffers.
    #[inline]
    pub(super) fn drop_event(&mut self) {
        self.storage.truncate(0);
        self.storage.set(Region::EventType, "");
        self.has_data = false;
        self.usage.data = 0;
        self.usage.event_type = 0;
        self.usage.value = 0;
    }
}
