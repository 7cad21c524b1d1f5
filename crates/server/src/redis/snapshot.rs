//! Determines what follows a position from a snapshot of the stream.

use ::redis::Value;
use sse_proto_stream::EncodedFrame;

use super::reply::{self, Entry};
use crate::{Bounds, EventId, GapReason, ReadAfter};

/// The stream at one moment, as seen from a position: the reply of `snapshot.lua`.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    /// The stream's last generated id; number 0 if the epoch has no events.
    last: EventId,
    /// The oldest entry.
    first: Option<EventId>,
    /// The last id before the current epoch.
    previous: Option<EventId>,
    /// If the position's epoch has ended, its newest entry up to the position.
    last_of_epoch: Option<EventId>,
    /// The entries after the position, limited in size.
    page: Vec<Entry>,
}

impl Snapshot {
    pub(super) fn parse(value: Value) -> Option<Self> {
        let mut parts = reply::array(value)?.into_iter();
        let mut next = || parts.next();
        Some(Self {
            last: reply::id(next()?)?,
            first: reply::id(next()?),
            previous: reply::id(next()?),
            last_of_epoch: reply::id(next()?),
            page: reply::entries(next()?)?,
        })
    }

    pub(super) fn bounds(&self) -> Bounds {
        let oldest = self.first.map_or(self.last, before);
        Bounds::new(oldest, self.last)
    }

    /// Returns what follows `after`, for which the snapshot was taken.
    pub(super) fn read_after(self, after: EventId) -> ReadAfter {
        let last = self.last;
        let gap = |reason| ReadAfter::Gap {
            reason,
            resume: last,
        };
        if after == last {
            return ReadAfter::UpToDate;
        }
        if after > last {
            return gap(if after.epoch == last.epoch {
                GapReason::Ahead
            } else {
                GapReason::Unknown
            });
        }
        let next = self.page.first().map(|entry| entry.id);
        if next.is_some_and(|next| follows(after, next)) {
            return events(after, &self.page);
        }
        if after.epoch == last.epoch || next.is_some_and(|next| next.epoch == after.epoch) {
            return gap(GapReason::TooOld);
        }
        // Nothing follows in this epoch, and a later one has begun. Determine where it ended.
        let recorded = self.previous.filter(|end| end.epoch == after.epoch);
        let Some(end) = recorded.or(self.last_of_epoch) else {
            return gap(GapReason::Unknown);
        };
        if after != end {
            return gap(if after > end {
                GapReason::Ahead
            } else {
                GapReason::TooOld
            });
        }
        let start = before(next.unwrap_or(last));
        if start.number == 0 {
            return ReadAfter::Gap {
                reason: GapReason::EpochEnded,
                resume: start,
            };
        }
        gap(GapReason::TooOld)
    }
}

/// Returns the position before an entry.
pub(super) fn before(id: EventId) -> EventId {
    EventId {
        number: id.number.saturating_sub(1),
        ..id
    }
}

/// Whether no event is missing between the two ids.
pub(super) fn follows(after: EventId, next: EventId) -> bool {
    next.epoch == after.epoch && next.number.checked_sub(1) == Some(after.number)
}

/// Returns the entries up to the first one that does not follow its predecessor.
fn events(after: EventId, page: &[Entry]) -> ReadAfter {
    let len = page.iter().map(|entry| entry.event.len() + 48).sum();
    let (mut frames, mut count, mut last) = (Vec::with_capacity(len), 0, after);
    for entry in page {
        if !follows(last, entry.id) {
            break;
        }
        entry.encode_to(&mut frames);
        (count, last) = (count + 1, entry.id);
    }
    ReadAfter::Events {
        frames: EncodedFrame::from_encoded(frames),
        count,
        last,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> EventId {
        text.parse().unwrap()
    }

    /// Reads after a position in a stream with these entries, with its last id and the last id
    /// before the current epoch.
    fn read_after(entries: &str, last: &str, previous: &str, after: &str) -> String {
        let after = id(after);
        let entries: Vec<_> = entries.split_whitespace().map(id).collect();
        let last_of_epoch = entries
            .iter()
            .rfind(|entry| entry.epoch == after.epoch && **entry <= after);
        let page = entries.iter().filter(|entry| **entry > after);
        let snapshot = Snapshot {
            last: id(last),
            first: entries.first().copied(),
            previous: previous.parse().ok(),
            last_of_epoch: last_of_epoch
                .copied()
                .filter(|_| after.epoch != id(last).epoch),
            page: page
                .map(|id| Entry {
                    id: *id,
                    event: b"data: x\n\n".to_vec(),
                })
                .collect(),
        };
        match snapshot.read_after(after) {
            ReadAfter::Events { count, last, .. } => format!("{count} to {last}"),
            ReadAfter::UpToDate => "up to date".into(),
            ReadAfter::Gap { reason, resume } => format!("{reason} {resume}"),
        }
    }

    #[test]
    fn within_an_epoch_gaps_follow_from_numbers() {
        let stream = "5-3 5-4 5-5";
        for (after, answer) in [
            ("5-5", "up to date"),
            ("5-4", "1 to 5-5"),
            ("5-2", "3 to 5-5"),
            ("5-1", "too-old 5-5"),
            ("5-0", "too-old 5-5"),
            ("5-6", "ahead 5-5"),
            ("5-18446744073709551615", "ahead 5-5"),
            ("6-0", "unknown 5-5"),
            ("4-1", "unknown 5-5"),
        ] {
            assert_eq!(read_after(stream, "5-5", "", after), answer, "{after}");
        }
        // All entries were trimmed.
        assert_eq!(read_after("", "5-5", "", "5-5"), "up to date");
        assert_eq!(read_after("", "5-5", "", "5-4"), "too-old 5-5");
        // An entry was deleted.
        assert_eq!(read_after("5-1 5-3", "5-3", "", "5-0"), "1 to 5-1");
        assert_eq!(read_after("5-1 5-3", "5-3", "", "5-1"), "too-old 5-3");
    }

    #[test]
    fn the_end_of_an_epoch_is_reported() {
        let stream = "5-3 5-4 7-1 7-2";
        for (after, answer) in [
            ("5-2", "2 to 5-4"),
            ("5-4", "epoch-ended 7-0"),
            ("5-5", "ahead 7-2"),
            ("5-1", "too-old 7-2"),
            ("6-0", "unknown 7-2"),
            ("7-0", "2 to 7-2"),
        ] {
            assert_eq!(read_after(stream, "7-2", "5-4", after), answer, "{after}");
            assert_eq!(read_after(stream, "7-2", "", after), answer, "{after}");
        }
        // The new epoch has no events yet, or the old one never had any.
        assert_eq!(read_after("5-3", "7-0", "5-3", "5-3"), "epoch-ended 7-0");
        assert_eq!(read_after("", "7-0", "5-0", "5-0"), "epoch-ended 7-0");
        assert_eq!(read_after("7-1", "7-1", "5-0", "5-0"), "epoch-ended 7-0");
        // The stream was trimmed up to the new epoch, or into it.
        assert_eq!(read_after("7-1", "7-1", "5-4", "5-4"), "epoch-ended 7-0");
        assert_eq!(read_after("7-2", "7-2", "5-4", "5-4"), "too-old 7-2");
        assert_eq!(read_after("7-2", "7-2", "5-4", "5-3"), "too-old 7-2");
        assert_eq!(read_after("", "7-2", "5-4", "5-4"), "too-old 7-2");
        assert_eq!(read_after("", "7-2", "5-4", "5-5"), "ahead 7-2");
    }
}
