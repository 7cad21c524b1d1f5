//! What a reader may have been given, whatever happened to a store.

use std::collections::BTreeMap;

use sse_proto_server::{EventId, GapReason};

/// What one reader was given, in order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Step {
    /// Its first position, or one that it came back to.
    At(EventId),
    Event(EventId),
    Gap {
        after: EventId,
        reason: GapReason,
        resume: EventId,
    },
}

/// Numbers without holes, or a gap; and at the end of an epoch without a gap, all that was acknowledged
/// of it. Panics if it was otherwise.
pub(crate) fn check_reader(
    number: usize,
    steps: &[Step],
    acknowledged: &BTreeMap<EventId, String>,
    last: EventId,
) {
    let Some(Step::At(mut position)) = steps.first().copied() else {
        panic!("reader {number} saw nothing");
    };
    for step in steps {
        match *step {
            Step::At(id) => position = id,
            Step::Event(id) if id.epoch == position.epoch => {
                assert_eq!(
                    id.number,
                    position.number + 1,
                    "reader {number}: a hole before {id}"
                );
                position = id;
            }
            Step::Event(id) => {
                assert!(
                    id > position,
                    "reader {number} goes back from {position} to {id}"
                );
                assert_eq!(id.number, 1, "reader {number}: a hole before {id}");
                let end = EventId {
                    epoch: id.epoch,
                    number: 0,
                };
                let lost = acknowledged
                    .range(position..end)
                    .find(|(id, _)| **id > position);
                assert_eq!(
                    lost, None,
                    "reader {number}: from {position} to {id} without a gap"
                );
                position = id;
            }
            Step::Gap { after, resume, .. } => {
                assert_eq!(after, position);
                assert_ne!(after, resume, "reader {number} gets no further: {step:?}");
                position = resume;
            }
        }
    }
    assert_eq!(position, last, "reader {number}");
}
