//! Values in pieces, which are stored, and what happens when one has no room.

use super::{EventBuilder, Outcome, has_nul};
use crate::counters;
use crate::decode::event::{IdLine, IgnoredReason};
use crate::decode::field::Field;
use crate::decode::{EventTooLarge, Part};
use crate::storage::{Region, Remaining, Storage};

impl<S: Storage> EventBuilder<S> {
    /// How much the value of the pending line may grow.
    #[inline]
    pub(in crate::decode) fn remaining(&self, field: Field) -> Remaining {
        self.storage.remaining(self.usage, field.region())
    }

    /// Starts a `data` line, with an LF if it is not the first. `false`: the LF has no room.
    pub(in crate::decode) fn start_data_line(&mut self) -> bool {
        let fits = !self.has_data || self.append(Field::Data, "\n");
        self.has_data = fits;
        fits
    }

    /// Starts a `data` line that needs no LF before it, or has it in the line buffer.
    #[inline]
    pub(in crate::decode) fn set_has_data(&mut self) {
        self.has_data = true;
    }

    /// Appends to the value of the pending line. `false`: it has no room, and the value is dropped; with
    /// it the event, if the value is a part of it.
    #[inline]
    pub(in crate::decode) fn append(&mut self, field: Field, text: &str) -> bool {
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
    pub(in crate::decode) fn push(&mut self, field: Field, text: &str) {
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
    pub(in crate::decode) fn skips_long_id(&self) -> bool {
        self.skip_long_ids && !self.discarding
    }

    /// Reports that the value of `field` has no room.
    pub(in crate::decode) fn report_overflow(&mut self, field: Field) {
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
    pub(in crate::decode) fn end_value(&mut self, field: Field, items: bool) -> Outcome {
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
    pub(in crate::decode) fn drop_value(&mut self) {
        self.storage.truncate(self.usage.data);
        self.usage.value = 0;
    }
}
