//! Any bytes under any cuts, in storage that may be too small: items and errors match the model. A
//! stream that fits into the heap also fits into fixed memory whose regions are as long as the
//! limit.

use super::input::{case, size};
use super::reading::{Reading, chunks};
use crate::support::model::{Ask, Item, Limit};
use crate::support::run::{decoder, read_all};

case! {
    struct Case {
        heap: u16,
        data_capacity: u16,
        field_capacity: u16,
        reading: Reading,
    }
}

pub(crate) fn check(case: &Case) {
    let stream = case.reading.stream();
    let heap = size(case.heap);
    let fixed = Limit::Fixed {
        data_capacity: size(case.data_capacity),
        field_capacity: size(case.field_capacity),
    };
    for limit in [Limit::Heap(heap), fixed] {
        case.reading.check(&stream, limit, false);
    }

    let same = Limit::Fixed {
        data_capacity: heap,
        field_capacity: heap,
    };
    let items = |limit| {
        let mut decoder = decoder(limit)?;
        let chunks = chunks(&stream, &[7, 64, 0, 1000]);
        Some(read_all(&mut *decoder, &chunks, Ask::Items).concat())
    };
    if let Some(on_heap) = items(Limit::Heap(heap)) {
        let fits = |item: &Item| !matches!(item, Item::TooLarge(..));
        if on_heap.iter().all(fits) {
            assert_eq!(items(same), Some(on_heap));
        }
    }
}
