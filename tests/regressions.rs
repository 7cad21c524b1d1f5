//! Minimal streams that an earlier version of the decoder read wrongly.

mod support;

use support::model::{Ask, Item, Limit, Model};
use support::run::{assert_prompt, decoder};

const ROOMY: [Limit; 2] = [
    Limit::Heap(usize::MAX),
    Limit::Fixed {
        data_capacity: 1000,
        field_capacity: 100,
    },
];

#[test]
fn a_retry_line_over_two_chunks_does_not_end_the_second_one_for_next_event() {
    for limit in ROOMY {
        let model = Model::new(limit, Ask::Events);
        assert_prompt(&model, &[b"retry:1", b"\ndata:x\n\n"]);
    }
}

#[test]
fn a_comment_between_two_data_lines_does_not_end_the_event() {
    for limit in ROOMY {
        let model = Model::new(limit, Ask::Items);
        assert_prompt(&model, &[b"\n\ndata:a\n:c\ndata: b\n\n"]);
    }
}

#[test]
fn a_comment_cut_inside_a_character_leaves_no_bytes_for_the_next_line() {
    for limit in ROOMY {
        let Some(mut decoder) = decoder(limit) else {
            continue;
        };
        decoder.read(b"data:a\n:\xE2\x82", Ask::Items);
        let events = decoder.read(b"\xAC\ndata:b\n\n", Ask::Events);
        assert_eq!(
            events,
            Model::new(limit, Ask::Events)
                .after(b"data:a\ndata:b\n\n")
                .items
        );
    }
}

#[test]
fn a_comment_that_finish_would_make_too_large_does_not_lose_the_event() {
    let limit = Limit::Heap(1);
    let Some(mut decoder) = decoder(limit) else {
        return;
    };
    decoder.read(b"data:a\n:\xE2\x82", Ask::Items);
    assert!(matches!(decoder.finish(), Some(Item::Event { .. })));
}

#[test]
fn the_type_of_an_event_does_not_carry_over_to_the_next_one() {
    for limit in ROOMY {
        for ask in [Ask::Items, Ask::Events] {
            let model = Model::new(limit, ask);
            assert_prompt(&model, &[b"\nid: 3\nevent: delta\ndata: a\n\ndata: b\n\n"]);
        }
    }
}
