//! The latest events of one topic in memory. Every store serves its readers from it.
//!
//! Each event is encoded once, and neighbouring events are returned as one slice. The log performs
//! no I/O and reads no clock: callers pass in the time.
//!
//! Inside the log, every event has an `index`: its position since the log was created, counted
//! across epochs.

mod blocks;
mod epochs;

use std::time::{Duration, Instant};

use sse_proto::Frame;
use sse_proto_stream::EncodedFrame;

use crate::{Bounds, EventId, GapReason, ReadAfter, id::IdText};
use blocks::Blocks;
use epochs::Epochs;

/// How much of a topic is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct History {
    /// Encoded bytes. The newest event is kept whatever its length.
    pub(crate) bytes: usize,
    pub(crate) age: Option<Duration>,
}

#[derive(Debug)]
pub(crate) struct Log {
    history: History,
    epochs: Epochs,
    blocks: Blocks,
}

impl Log {
    /// An empty log whose next event follows `newest`.
    pub(crate) fn new(history: History, newest: EventId) -> Self {
        Self {
            history,
            epochs: Epochs::new(newest),
            blocks: Blocks::default(),
        }
    }

    /// Starts a new epoch, which must be greater than all before it.
    ///
    /// `continues` states that no event was lost between the last one of the previous epoch and the
    /// first one of this epoch.
    pub(crate) fn begin_epoch(&mut self, epoch: u64, continues: bool) {
        debug_assert!(epoch > self.newest().epoch);
        self.epochs.begin(epoch, self.blocks.next(), continues);
    }

    /// Appends an event with the next id.
    pub(crate) fn append(&mut self, frame: Frame<'_>, now: Instant) -> EventId {
        let id = self.next_id();
        let text = IdText::new(id);
        // Digits and a dash are a valid id.
        let frame = frame.id(text.as_str()).unwrap_or(frame);
        self.push(now, frame.encoded_len(), |block| frame.encode_to_vec(block));
        id
    }

    /// Appends an encoded event, which already contains the next id.
    pub(crate) fn append_encoded(&mut self, encoded: &[u8], now: Instant) {
        self.push(now, encoded.len(), |block| block.extend_from_slice(encoded));
    }

    fn push(&mut self, now: Instant, len: usize, encode: impl FnOnce(&mut Vec<u8>)) {
        let time = self.history.age.map(|_| now);
        self.blocks.push(len, time, encode);
        self.epochs.count_event();
        while self.blocks.byte_len() > self.history.bytes && self.blocks.event_count() > 1 {
            self.remove_oldest();
        }
        self.remove_expired(|| now);
    }

    /// Removes the events that exceed the maximum age.
    pub(crate) fn remove_expired(&mut self, now: impl FnOnce() -> Instant) {
        let Some(age) = self.history.age else { return };
        let now = now();
        let is_expired = |time: Instant| now.saturating_duration_since(time) > age;
        while self.blocks.oldest_time().is_some_and(is_expired) {
            self.remove_oldest();
        }
    }

    fn remove_oldest(&mut self) {
        self.blocks.pop_front();
        self.epochs.remove_before(self.blocks.first());
    }

    pub(crate) fn read_after(&mut self, after: EventId, max_bytes: usize) -> ReadAfter {
        let gap = |reason| ReadAfter::Gap {
            reason,
            resume: self.newest(),
        };
        let mut epochs = self.epochs.starting_with(after.epoch);
        let Some(epoch) = epochs.next() else {
            return gap(GapReason::Unknown);
        };
        if after.number > epoch.last {
            return gap(GapReason::Ahead);
        }
        let from = match epoch.index_after(after.number) {
            Some(index) if index >= self.blocks.first() => index,
            _ => return gap(GapReason::TooOld),
        };
        // Reading may continue into later epochs as long as nothing was lost in between.
        let mut end = epoch.end();
        let broken = epochs.find(|next| {
            if next.continues {
                end = next.end();
            }
            !next.continues
        });
        match broken {
            _ if from < end => self.read(from, end, max_bytes),
            None => ReadAfter::UpToDate,
            Some(next) if next.start < self.blocks.first() => gap(GapReason::TooOld),
            // The client has not seen any event of the next epoch.
            Some(next) => ReadAfter::Gap {
                reason: GapReason::EpochEnded,
                resume: next.before_first(),
            },
        }
    }

    /// Returns events from index `from` up to `end`, limited by their block and `max_bytes`.
    fn read(&mut self, from: u64, end: u64, max_bytes: usize) -> ReadAfter {
        let Some((bytes, to)) = self.blocks.read(from, end, max_bytes) else {
            return ReadAfter::UpToDate;
        };
        ReadAfter::Events {
            frames: EncodedFrame::from_encoded(bytes),
            count: to - from,
            last: self.epochs.position(to, |epoch| epoch.start < to),
        }
    }

    pub(crate) fn newest(&self) -> EventId {
        self.epochs.newest()
    }

    pub(crate) fn bounds(&self) -> Bounds {
        let first = self.blocks.first();
        // Where a new epoch starts at this index, the position belongs to the new one.
        let oldest = self.epochs.position(first, |epoch| epoch.start <= first);
        Bounds::new(oldest, self.newest())
    }

    /// The position before the oldest kept event. If the previous epoch is still known, the
    /// position is given in that epoch.
    pub(crate) fn before_first(&self) -> EventId {
        let first = self.blocks.first();
        let oldest = self.epochs.oldest();
        oldest.map_or(self.newest(), |epoch| epoch.position(first))
    }

    fn next_id(&self) -> EventId {
        let newest = self.newest();
        EventId {
            epoch: newest.epoch,
            number: newest.number + 1,
        }
    }

    /// The number of kept events.
    pub(crate) fn event_count(&self) -> u64 {
        self.blocks.event_count()
    }

    /// The length of the kept events in bytes.
    pub(crate) fn byte_len(&self) -> usize {
        self.blocks.byte_len()
    }

    /// The bytes of all kept events, block by block.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        self.blocks.chunks()
    }
}

#[cfg(test)]
mod tests;
