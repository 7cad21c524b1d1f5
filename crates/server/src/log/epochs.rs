//! The epochs of a log, and the conversion between event ids and indexes.

use std::collections::{VecDeque, vec_deque::Iter};

use crate::EventId;

/// The number of epochs that are remembered. Only epochs without events are removed to stay below
/// it.
pub(super) const MAX_EPOCHS: usize = 256;

#[derive(Debug)]
pub(super) struct Epoch {
    id: u64,
    /// The number before that of its first event in this log.
    after: u64,
    /// The number of its last event.
    pub(super) last: u64,
    /// The index of its first event.
    pub(super) start: u64,
    /// No event was lost between the last one of the previous epoch and the first one of this
    /// epoch.
    pub(super) continues: bool,
}

impl Epoch {
    /// The position before its first event.
    pub(super) fn before_first(&self) -> EventId {
        self.id_at(self.after)
    }

    fn newest(&self) -> EventId {
        self.id_at(self.last)
    }

    fn id_at(&self, number: u64) -> EventId {
        EventId {
            epoch: self.id,
            number,
        }
    }

    /// The index of the event that follows the event with that number.
    pub(super) fn index_after(&self, number: u64) -> Option<u64> {
        Some(self.start + number.checked_sub(self.after)?)
    }

    /// The position before the event at `index`.
    pub(super) fn position(&self, index: u64) -> EventId {
        self.id_at(self.after + index.saturating_sub(self.start))
    }

    /// The index after its last event.
    pub(super) fn end(&self) -> u64 {
        self.start + (self.last - self.after)
    }

    fn is_empty(&self) -> bool {
        self.last == self.after
    }
}

/// Never empty; the last epoch is the current one.
#[derive(Debug)]
pub(super) struct Epochs(VecDeque<Epoch>);

impl Epochs {
    pub(super) fn new(newest: EventId) -> Self {
        let epoch = Epoch {
            id: newest.epoch,
            after: newest.number,
            last: newest.number,
            start: 0,
            continues: false,
        };
        Self([epoch].into())
    }

    pub(super) fn begin(&mut self, id: u64, start: u64, continues: bool) {
        self.0.push_back(Epoch {
            id,
            after: 0,
            last: 0,
            start,
            continues,
        });
        while self.0.len() > MAX_EPOCHS {
            let mut previous = self.0.iter().take(self.0.len() - 1);
            let Some(empty) = previous.position(Epoch::is_empty) else {
                break;
            };
            let removed = self.0.remove(empty);
            let lost_events = removed.is_some_and(|epoch| !epoch.continues);
            // A loss at the start of the removed epoch is a loss between its neighbours.
            if let Some(next) = self.0.get_mut(empty) {
                next.continues &= !lost_events;
            }
        }
    }

    /// Counts one more event in the current epoch.
    pub(super) fn count_event(&mut self) {
        if let Some(current) = self.0.back_mut() {
            current.last += 1;
        }
    }

    /// Removes epochs that ended before the index `first`. An epoch that ends at `first` is kept:
    /// its last position can still be continued from.
    pub(super) fn remove_before(&mut self, first: u64) {
        let has_ended = |epoch: &Epoch| epoch.end() < first;
        while self.0.len() > 1 && self.0.front().is_some_and(has_ended) {
            self.0.pop_front();
        }
    }

    /// The epoch with that id and all later ones; nothing if the id is unknown.
    pub(super) fn starting_with(&self, id: u64) -> Iter<'_, Epoch> {
        let place = self.0.iter().rposition(|epoch| epoch.id == id);
        self.0.range(place.unwrap_or(self.0.len())..)
    }

    /// The position before `index`, in the last epoch that `matches`.
    pub(super) fn position(&self, index: u64, matches: impl Fn(&Epoch) -> bool) -> EventId {
        let epoch = self.0.iter().rfind(|epoch| matches(epoch));
        epoch.map_or(self.newest(), |epoch| epoch.position(index))
    }

    pub(super) fn oldest(&self) -> Option<&Epoch> {
        self.0.front()
    }

    pub(super) fn newest(&self) -> EventId {
        // There is always an epoch.
        self.0.back().map_or(EventId::ZERO, Epoch::newest)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
