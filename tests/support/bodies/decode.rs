//! Any bytes under any cuts, in storage that they fit into: the items match the model, on the heap
//! and in fixed memory, for any mixture of calls, also after a reset or `finish`.

use super::reading::Reading;
use crate::support::model::Limit;

pub(crate) type Case = Reading;

pub(crate) fn check(case: &Case) {
    let stream = case.stream();
    // Each byte may become U+FFFD, which has three bytes.
    let len = 3 * stream.len();
    let fixed = Limit::Fixed {
        data_capacity: len,
        field_capacity: len,
    };
    for limit in [Limit::Heap(len), fixed] {
        case.check(&stream, limit, true);
    }
}
