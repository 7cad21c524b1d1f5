//! Checks what a reader has observed, whatever happened to the store.

use std::collections::BTreeMap;

use sse_proto_server::{EventId, GapReason};

/// What a reader has observed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Observation {
    /// It started at this position, or returned to it.
    Start(EventId),
    Event(EventId),
    Gap {
        after: EventId,
        reason: GapReason,
        resume: EventId,
    },
}

/// Checks that numbers have no holes, unless there was a gap, and that a reader that passed the end
/// of an epoch without a gap has received all acknowledged events of it. Panics otherwise.
pub(crate) fn check_observations(
    reader: usize,
    observations: &[Observation],
    acknowledged: &BTreeMap<EventId, String>,
    last: EventId,
) {
    let Some(Observation::Start(mut position)) = observations.first().copied() else {
        panic!("reader {reader} observed nothing");
    };
    for observation in observations {
        match *observation {
            Observation::Start(id) => position = id,
            Observation::Event(id) if id.epoch == position.epoch => {
                assert_eq!(
                    id.number,
                    position.number + 1,
                    "reader {reader}: a hole before {id}"
                );
                position = id;
            }
            Observation::Event(id) => {
                assert!(
                    id > position,
                    "reader {reader} goes backwards from {position} to {id}"
                );
                assert_eq!(id.number, 1, "reader {reader}: a hole before {id}");
                let end = EventId {
                    epoch: id.epoch,
                    number: 0,
                };
                let lost = acknowledged
                    .range(position..end)
                    .find(|(id, _)| **id > position);
                assert_eq!(
                    lost, None,
                    "reader {reader}: from {position} to {id} without a gap"
                );
                position = id;
            }
            Observation::Gap { after, resume, .. } => {
                assert_eq!(after, position);
                assert_ne!(
                    after, resume,
                    "reader {reader} does not advance: {observation:?}"
                );
                position = resume;
            }
        }
    }
    assert_eq!(position, last, "reader {reader}");
}
