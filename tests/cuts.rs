//! Random streams under random cuts and random limits: the decoder against the model, which knows
//! nothing of chunks.

#[path = "support/bodies/mod.rs"]
mod bodies;
#[path = "support/streams.rs"]
mod streams;
mod support;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sse_proto::{Decoder, Fixed, Item};

use bodies::reading::{End, Plan, Scenario, check};
use streams::{Cuts, cuts, limit, roomy, short_stream, stream};
use support::model::{Ask, Limit, Model};
use support::run::{assert_prompt, decoder, read_all};

/// The number of streams per test, unless `PROPTEST_CASES` is set.
fn config(cases: u32) -> ProptestConfig {
    let cases = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default().cases,
        None => cases,
    };
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn ask() -> impl Strategy<Value = Ask> {
    select(vec![Ask::Items, Ask::Events])
}

fn max_items() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![1 => Just(vec![TO_THE_END]), 2 => vec(0_usize..4, 1..8)]
}

/// Takes all items of a chunk.
const TO_THE_END: usize = usize::MAX;

fn plan(cuts: &Cuts, asks: &[Ask], max_items: &[usize]) -> Plan {
    Plan {
        sizes: cuts.0.clone(),
        asks: asks.to_vec(),
        max_items: max_items.to_vec(),
    }
}

/// One stream, which is neither reset nor finished.
fn open<'a>(seed: &'a str, stream: &'a [u8], plan: Plan) -> Scenario<'a> {
    Scenario {
        seed,
        first: stream,
        end: End::Open,
        second: b"",
        plan,
    }
}

proptest! {
    #![proptest_config(config(1500))]

    #[test]
    fn the_output_is_a_function_of_the_concatenated_bytes(
        stream in stream(), one in cuts(), other in cuts(), limit in limit(), ask in ask(),
    ) {
        let read = |cuts: &Cuts| {
            let mut decoder = decoder(limit)?;
            let items = read_all(&mut *decoder, &cuts.apply(&stream), ask).concat();
            Some((items, decoder.last_event_id().to_owned(), decoder.reconnection_time()))
        };
        prop_assert_eq!(read(&one), read(&other));
    }

    #[test]
    fn an_item_is_returned_with_its_last_byte(
        stream in stream(), cuts in cuts(), limit in limit(), ask in ask(),
    ) {
        check(limit, &open("", &stream, plan(&cuts, &[ask], &[TO_THE_END])));
    }

    #[test]
    fn an_event_whose_id_is_too_long_is_returned_without_it(
        stream in short_stream(), cuts in cuts(), limit in limit(), ask in ask(),
    ) {
        let model = Model { skip_long_ids: true, ..Model::new(limit, ask) };
        assert_prompt(&model, &cuts.apply(&stream));
    }

    #[test]
    fn an_item_is_returned_with_its_last_byte_in_streams_within_the_limit(
        stream in stream(), cuts in cuts(), limit in roomy(), ask in ask(),
    ) {
        check(limit, &open("", &stream, plan(&cuts, &[ask], &[TO_THE_END])));
    }

    #[test]
    fn a_decoder_stopped_early_has_read_no_further_than_the_returned_items(
        stream in short_stream(), cuts in cuts(), limit in limit(), ask in ask(), max_items in vec(0_usize..4, 1..8),
    ) {
        check(limit, &open("", &stream, plan(&cuts, &[ask], &max_items)));
    }

    #[test]
    fn reset_keeps_only_the_last_event_id_and_the_reconnection_time(
        before in short_stream(), end in any::<prop::sample::Index>(), after in short_stream(),
        cuts in cuts(), limit in limit(), ask in ask(), max_items in max_items(),
    ) {
        let first = &before[..end.index(before.len() + 1)];
        let plan = plan(&cuts, &[ask], &max_items);
        check(limit, &Scenario { seed: "", first, end: End::Reset, second: &after, plan });
    }

    #[test]
    fn a_stream_starts_with_the_id_that_was_set(
        stream in stream(), cuts in cuts(), limit in limit(), ask in ask(), id in "[a-z\u{e9}\u{20ac}]{0,12}",
    ) {
        check(limit, &open(&id, &stream, plan(&cuts, &[ask], &[TO_THE_END])));
    }

    #[test]
    fn finish_acts_as_if_a_line_terminator_and_a_blank_line_followed(
        stream in short_stream(), end in any::<prop::sample::Index>(), after in short_stream(),
        cuts in cuts(), limit in limit(), ask in ask(), max_items in max_items(),
    ) {
        let first = &stream[..end.index(stream.len() + 1)];
        let plan = plan(&cuts, &[ask], &max_items);
        check(limit, &Scenario { seed: "", first, end: End::Finish, second: &after, plan });
    }

    #[test]
    fn mixing_next_item_and_next_event_changes_only_which_comments_are_seen(
        stream in short_stream(), cuts in cuts(), asks in vec(ask(), 1..6), limit in roomy(), max_items in max_items(),
    ) {
        check(limit, &open("", &stream, plan(&cuts, &asks, &max_items)));
    }
}

/// Text is validated in blocks of about 16 KiB. Here the validated part of a line ends before the
/// chunk does, by fewer bytes than a field name has.
#[test]
fn a_line_that_ends_just_after_the_validated_prefix_is_complete() {
    for len in 16 * 1024..16 * 1024 + 40 {
        let mut chunk = b"data: a\n\ndata: ".to_vec();
        chunk.extend((b'a'..=b'z').cycle().take(len - chunk.len()));
        for ask in [Ask::Items, Ask::Events] {
            let model = Model::new(Limit::Heap(usize::MAX), ask);
            assert_prompt(&model, &[&chunk, b"\n\n"]);
        }
    }
}

/// The scan for line terminators takes steps that grow with the line, and a tab makes it look at
/// single bytes.
#[test]
fn a_tab_in_a_long_line_does_not_hide_the_line_terminator() {
    for before in [0, 17, 300, 530, 800, 1100, 1400] {
        for after in [0, 40, 530, 600, 1300] {
            let (before, after) = ("x".repeat(before), "y".repeat(after));
            let stream = format!("data:{before}\t{after}\n\ndata:{after}\t{before}\n\n");
            for ask in [Ask::Items, Ask::Events] {
                let model = Model::new(Limit::Heap(usize::MAX), ask);
                assert_prompt(&model, &[stream.as_bytes()]);
            }
        }
    }
}

/// A colon at the end of a line must not be taken for the start of a comment on the next one.
#[test]
fn data_lines_that_end_with_a_colon_yield_no_comment() {
    for end in ["\n", "\r\n", "\r"] {
        let lines = [
            "data: a:", "data: b:", "data: c:", "data: ", "data: :", "", "",
        ];
        for ask in [Ask::Items, Ask::Events] {
            let model = Model::new(Limit::Heap(usize::MAX), ask);
            assert_prompt(&model, &[lines.join(end).as_bytes()]);
        }
    }
}

/// A long chunk is decoded at once, up to an incomplete character at its end. Bytes that are
/// buffered undecoded after it belong to that character.
#[test]
fn a_short_chunk_after_a_long_one_invalidates_its_last_character() {
    let long = [b"data:".as_slice(), &[b'x'; 3000], b"\xE2\x82"].concat();
    for short in [b"\xAC".as_slice(), b"y", b"yyyyyyyyyyyyyyyyyyyy"] {
        for ask in [Ask::Items, Ask::Events] {
            let model = Model::new(Limit::Heap(usize::MAX), ask);
            assert_prompt(&model, &[&long, short, b"\n\n"]);
        }
    }
}

/// Long chunks in the middle of a line are appended at once, unless an incomplete character
/// precedes them.
#[test]
fn a_long_chunk_after_an_incomplete_character_invalidates_it() {
    for len in [1, 200, 300, 3000] {
        let piece = "x".repeat(len);
        for ask in [Ask::Items, Ask::Events] {
            let model = Model::new(Limit::Heap(usize::MAX), ask);
            let chunks = [
                b"data:\xE2\x82",
                piece.as_bytes(),
                b"\xE2",
                piece.as_bytes(),
                b"\n\n",
            ];
            assert_prompt(&model, &chunks);
        }
    }
}

#[test]
fn an_event_type_or_an_id_alone_is_an_unfinished_event() {
    for line in ["event: x\n", "id: 7\n"] {
        for ask in [Ask::Items, Ask::Events] {
            let model = Model::new(Limit::Heap(usize::MAX), ask);
            assert_prompt(&model, &[line.as_bytes()]);
        }
    }
}

#[test]
fn a_comment_cut_in_the_middle_does_not_split_the_event_around_it() {
    let model = Model::new(Limit::Heap(usize::MAX), Ask::Items);
    assert_prompt(&model, &[b"data: one\n: com", b"ment\ndata: two\n\n"]);
}

#[test]
fn after_a_comment_no_further_line_has_been_read() {
    let mut decoder = Decoder::with_storage(Fixed::new([0; 64]));
    let mut events = decoder.feed(b"data: one\n:note\ndata: two\n\n");
    assert_eq!(events.next_item(), Ok(Some(Item::Comment("note"))));
    assert_eq!(events.rest(), b"data: two\n\n");
}

#[test]
fn a_long_end_of_a_line_after_an_incomplete_character_invalidates_it() {
    let start = [b"data:".as_slice(), &[b'x'; 3000], b"\xE2\x82"].concat();
    let end = [[b'y'; 100].as_slice(), b"\n\n"].concat();
    for ask in [Ask::Items, Ask::Events] {
        let model = Model::new(Limit::Heap(usize::MAX), ask);
        assert_prompt(&model, &[&start, &end]);
    }
}

#[test]
fn two_long_events_of_the_same_length_are_read_from_one_chunk() {
    let stream = format!("data: {}\n\n", "x".repeat(3000)).repeat(2);
    for ask in [Ask::Items, Ask::Events] {
        let model = Model::new(Limit::Heap(usize::MAX), ask);
        assert_prompt(&model, &[stream.as_bytes()]);
    }
}

/// What is known to be valid ends before the invalid byte, a few bytes before the end of the chunk.
#[test]
fn an_invalid_byte_near_the_end_of_a_chunk_does_not_move_the_text_before_it() {
    for end in [b"\xFF".as_slice(), b"\xFFde", b"\xFFdefghijklmn"] {
        let line = "x".repeat(100);
        let chunk = [b"data: ", line.as_bytes(), b"\ndata: abc", end].concat();
        for ask in [Ask::Items, Ask::Events] {
            let model = Model::new(Limit::Heap(usize::MAX), ask);
            assert_prompt(&model, &[&chunk, b"\n\n"]);
        }
    }
}
