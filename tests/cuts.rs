//! Random streams, random cuts, random limits: the decoder against the model, which has never heard of chunks.

#[path = "support/bodies/mod.rs"]
mod bodies;
#[path = "support/streams.rs"]
mod streams;
mod support;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use bodies::reading::{End, Life, Plan, check};
use streams::{Cuts, cuts, limit, roomy, short_stream, stream};
use support::model::{Ask, Limit, Model};
use support::run::{assert_prompt, decoder, read_all};

/// So many streams a test, unless `PROPTEST_CASES` says otherwise.
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

fn stays() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![1 => Just(vec![TO_THE_END]), 2 => vec(0_usize..4, 1..8)]
}

/// Each visit stays to the end of its chunk.
const TO_THE_END: usize = usize::MAX;

fn plan(cuts: &Cuts, asks: &[Ask], stays: &[usize]) -> Plan {
    Plan {
        sizes: cuts.0.clone(),
        asks: asks.to_vec(),
        stays: stays.to_vec(),
    }
}

/// One stream that nothing ends.
fn open<'a>(seed: &'a str, stream: &'a [u8], plan: Plan) -> Life<'a> {
    Life {
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
    fn what_a_byte_completes_comes_out_with_that_byte(
        stream in stream(), cuts in cuts(), limit in limit(), ask in ask(),
    ) {
        check(limit, &open("", &stream, plan(&cuts, &[ask], &[TO_THE_END])));
    }

    #[test]
    fn what_a_byte_completes_comes_out_with_that_byte_in_streams_that_fit(
        stream in stream(), cuts in cuts(), limit in roomy(), ask in ask(),
    ) {
        check(limit, &open("", &stream, plan(&cuts, &[ask], &[TO_THE_END])));
    }

    #[test]
    fn a_decoder_left_early_has_read_no_further_than_what_it_handed_over(
        stream in short_stream(), cuts in cuts(), limit in limit(), ask in ask(), stays in vec(0_usize..4, 1..8),
    ) {
        check(limit, &open("", &stream, plan(&cuts, &[ask], &stays)));
    }

    #[test]
    fn reset_leaves_the_id_and_the_time_and_nothing_else(
        before in short_stream(), end in any::<prop::sample::Index>(), after in short_stream(),
        cuts in cuts(), limit in limit(), ask in ask(), stays in stays(),
    ) {
        let first = &before[..end.index(before.len() + 1)];
        let plan = plan(&cuts, &[ask], &stays);
        check(limit, &Life { seed: "", first, end: End::Reset, second: &after, plan });
    }

    #[test]
    fn a_stream_starts_with_the_id_that_was_set(
        stream in stream(), cuts in cuts(), limit in limit(), ask in ask(), id in "[a-z\u{e9}\u{20ac}]{0,12}",
    ) {
        check(limit, &open(&id, &stream, plan(&cuts, &[ask], &[TO_THE_END])));
    }

    #[test]
    fn finish_ends_the_stream_as_if_line_end_and_blank_line_had_come(
        stream in short_stream(), end in any::<prop::sample::Index>(), after in short_stream(),
        cuts in cuts(), limit in limit(), ask in ask(), stays in stays(),
    ) {
        let first = &stream[..end.index(stream.len() + 1)];
        let plan = plan(&cuts, &[ask], &stays);
        check(limit, &Life { seed: "", first, end: End::Finish, second: &after, plan });
    }

    #[test]
    fn asking_for_comments_now_and_then_changes_nothing_else(
        stream in short_stream(), cuts in cuts(), asks in vec(ask(), 1..6), limit in roomy(), stays in stays(),
    ) {
        check(limit, &open("", &stream, plan(&cuts, &asks, &stays)));
    }
}

/// Text is validated some 16 KiB ahead: what is known of a line then ends before the chunk, by less than the name is long.
#[test]
fn a_line_that_ends_a_little_behind_what_was_validated_ahead_comes_out_whole() {
    for len in 16 * 1024..16 * 1024 + 40 {
        let mut chunk = b"data: a\n\ndata: ".to_vec();
        chunk.extend((b'a'..=b'z').cycle().take(len - chunk.len()));
        for ask in [Ask::Items, Ask::Events] {
            let model = Model::new(Limit::Heap(usize::MAX), ask);
            assert_prompt(&model, &[&chunk, b"\n\n"]);
        }
    }
}

/// Line ends are looked for in steps that grow with the line, and a tab makes the search look closer.
#[test]
fn a_tab_in_a_long_line_hides_no_line_end() {
    for before in [0, 17, 300, 530, 800, 1100, 1400] {
        for behind in [0, 40, 530, 600, 1300] {
            let (before, behind) = ("x".repeat(before), "y".repeat(behind));
            let stream = format!("data:{before}\t{behind}\n\ndata:{behind}\t{before}\n\n");
            for ask in [Ask::Items, Ask::Events] {
                let model = Model::new(Limit::Heap(usize::MAX), ask);
                assert_prompt(&model, &[stream.as_bytes()]);
            }
        }
    }
}

/// The last character of a line is its own, whatever it would be at the start of one.
#[test]
fn lines_of_data_that_end_with_a_colon_bring_no_comment() {
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

/// A long piece is decoded at once, up to a character that it cuts; what is set aside behind it belongs to that.
#[test]
fn a_short_piece_behind_a_long_one_breaks_its_last_character() {
    let long = [b"data:".as_slice(), &[b'x'; 3000], b"\xE2\x82"].concat();
    for short in [b"\xAC".as_slice(), b"y", b"yyyyyyyyyyyyyyyyyyyy"] {
        for ask in [Ask::Items, Ask::Events] {
            let model = Model::new(Limit::Heap(usize::MAX), ask);
            assert_prompt(&model, &[&long, short, b"\n\n"]);
        }
    }
}

/// Long pieces from the middle of a line are appended at once, but not behind a character that they break.
#[test]
fn a_long_piece_behind_half_a_character_breaks_it() {
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
