//! Random streams, random cuts, random limits: the decoder against the model, which has never heard of chunks.

#[path = "support/streams.rs"]
mod streams;
mod support;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use streams::{Cuts, cuts, limit, roomy, short_stream, stream};
use support::model::{Ask, Item, Limit, Model};
use support::run::{Drive, assert_state, decoder, read_all, read_and_leave};

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

/// Chunk ends at which the model is asked: all of them, or of many some fifty. The model reads the whole prefix each
/// time, so asking it after each byte of a long stream would take for ever.
fn is_asked(chunk: usize, chunks: usize) -> bool {
    chunk % (chunks / 50 + 1) == 0 || chunk + 1 == chunks
}

/// Reads the chunks; after each of them the items and the state are those that are due.
fn assert_due(decoder: &mut dyn Drive, model: &Model, chunks: &[&[u8]]) {
    let stream = chunks.concat();
    let mut read = 0;
    let mut items = Vec::new();
    for (index, chunk) in chunks.iter().enumerate() {
        read += chunk.len();
        items.extend(decoder.read(chunk, model.ask));
        if is_asked(index, chunks.len()) {
            let due = model.after(&stream[..read]);
            assert_eq!(items, due.items, "after {read} of {} bytes", stream.len());
            assert_state(decoder, &due);
        }
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
        if let Some(mut decoder) = decoder(limit) {
            assert_due(&mut *decoder, &Model::new(limit, ask), &cuts.apply(&stream));
        }
    }

    #[test]
    fn what_a_byte_completes_comes_out_with_that_byte_in_streams_that_fit(
        stream in stream(), cuts in cuts(), limit in roomy(), ask in ask(),
    ) {
        if let Some(mut decoder) = decoder(limit) {
            assert_due(&mut *decoder, &Model::new(limit, ask), &cuts.apply(&stream));
        }
    }

    #[test]
    fn a_decoder_left_early_has_read_no_further_than_what_it_handed_over(
        stream in short_stream(), cuts in cuts(), limit in limit(), ask in ask(),
        stays in vec(0_usize..4, 1..8),
    ) {
        if let Some(mut decoder) = decoder(limit) {
            let model = Model::new(limit, ask);
            let mut stays = stays.iter().copied().cycle();
            let mut read = 0;
            let mut items = Vec::new();
            for chunk in cuts.apply(&stream) {
                let mut rest = chunk;
                // Leaving before the first item too, but not for ever.
                for visit in 0.. {
                    let stay = stays.next().unwrap_or(1).max(visit % 2);
                    let (some, len) = decoder.read_some(rest, ask, stay);
                    read += len;
                    rest = &rest[len..];
                    let done = some.len() < stay;
                    items.extend(some);
                    let due = model.after(&stream[..read]);
                    prop_assert_eq!(&items, &due.items, "after {} bytes", read);
                    assert_state(&*decoder, &due);
                    if done {
                        break;
                    }
                }
                prop_assert!(rest.is_empty());
            }
        }
    }

    #[test]
    fn reset_leaves_the_id_and_the_time_and_nothing_else(
        before in short_stream(), end in any::<prop::sample::Index>(), leaves in any::<bool>(), after in stream(),
        cuts in cuts(), limit in limit(), ask in ask(),
    ) {
        if let Some(mut decoder) = decoder(limit) {
            let before = &before[..end.index(before.len() + 1)];
            let model = Model::new(limit, ask);
            if leaves {
                read_and_leave(&mut *decoder, before, &model);
            } else {
                read_all(&mut *decoder, &cuts.apply(before), ask);
            }
            decoder.reset();
            let left = model.after(before);
            assert_state(&*decoder, &left);
            assert_due(&mut *decoder, &model.next_stream(&left), &cuts.apply(&after));
        }
    }

    #[test]
    fn a_stream_starts_with_the_id_that_was_set(
        stream in stream(), cuts in cuts(), limit in limit(), ask in ask(), id in "[a-z\u{e9}\u{20ac}]{0,12}",
    ) {
        if let Some(mut decoder) = decoder(limit) {
            let fits = match limit {
                Limit::Heap(_) => true,
                Limit::Fixed { field_len, .. } => id.len() <= field_len,
            };
            let seeded = decoder.seed(&id);
            prop_assert_eq!(seeded.is_ok(), fits);
            let mut model = Model::new(limit, ask);
            if fits {
                model.last_event_id = id;
            }
            prop_assert_eq!(decoder.last_event_id(), &model.last_event_id);
            assert_due(&mut *decoder, &model, &cuts.apply(&stream));
        }
    }

    #[test]
    fn finish_ends_the_stream_as_if_line_end_and_blank_line_had_come(
        stream in short_stream(), end in any::<prop::sample::Index>(), after in short_stream(),
        cuts in cuts(), limit in limit(), ask in ask(),
    ) {
        if let Some(mut decoder) = decoder(limit) {
            let stream = &stream[..end.index(stream.len() + 1)];
            let model = Model::new(limit, ask);
            read_all(&mut *decoder, &cuts.apply(stream), ask);
            let (due, left) = model.finish(stream);
            prop_assert_eq!(decoder.finish(), due);
            assert_state(&*decoder, &left);
            // Then as after a reset.
            assert_due(&mut *decoder, &model.next_stream(&left), &cuts.apply(&after));
        }
    }

    #[test]
    fn asking_for_comments_now_and_then_changes_no_event(
        stream in stream(), cuts in cuts(), asks in vec(ask(), 1..6), limit in roomy(),
    ) {
        if let Some(mut decoder) = decoder(limit) {
            let mut events = Vec::new();
            for (chunk, &ask) in cuts.apply(&stream).iter().zip(asks.iter().cycle()) {
                events.extend(decoder.read(chunk, ask));
            }
            events.retain(|item| matches!(item, Item::Event { .. }));
            let due = Model::new(limit, Ask::Events).after(&stream);
            prop_assert_eq!(&events, &due.items);
            assert_state(&*decoder, &due);
        }
    }
}
