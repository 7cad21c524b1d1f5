//! The decode cases of the conformance corpus, for both storages, under every way to call the
//! decoder.

#[path = "support/corpus.rs"]
mod corpus;

use core::time::Duration;

use sse_conformance::{
    Answer, Body, Capabilities, Capability, Case, Chunking, Decode, DecodeAnswer, DecodeRequest,
    Item, Regions, Request, State, Variant, cases,
};
use sse_proto::{Decoder, Events, Fixed, Storage};

/// Length of each region of fixed memory for cases that state no limit: more than the longest
/// input.
const REGION: usize = 1 << 20;

#[test]
#[cfg(feature = "alloc")]
fn the_heap_decoder_passes_every_case() {
    assert_all_pass_on_the_heap(|case| !is_very_long(case));
}

#[test]
#[cfg(feature = "alloc")]
fn the_heap_decoder_passes_every_very_long_case() {
    assert_all_pass_on_the_heap(is_very_long);
}

#[test]
fn the_fixed_decoder_passes_every_case() {
    assert_all_pass_over_fixed_memory(|case| !is_very_long(case));
}

#[test]
fn the_fixed_decoder_passes_every_very_long_case() {
    assert_all_pass_over_fixed_memory(is_very_long);
}

/// Whether the input is megabytes long. These cases take nearly all the time; having tests of their
/// own, they can be skipped under an emulator.
fn is_very_long(case: &Case) -> bool {
    case.has_flag("linear")
}

#[cfg(feature = "alloc")]
fn assert_all_pass_on_the_heap(is_among: impl Fn(&Case) -> bool) {
    assert_all_pass(
        is_among,
        |decode| decode.storage != Some(sse_conformance::Storage::Fixed),
        |request, items| {
            let decoder = request
                .limit
                .map_or_else(Decoder::new, Decoder::with_max_event_len);
            run(decoder, request, items)
        },
    );
}

fn assert_all_pass_over_fixed_memory(is_among: impl Fn(&Case) -> bool) {
    // Never cleared: the results must not depend on what an earlier run left in the memory.
    let mut memory = vec![0; 4 * REGION];
    assert_all_pass(
        is_among,
        |decode| decode.limit.is_none() || decode.storage == Some(sse_conformance::Storage::Fixed),
        |request, items| {
            let limit = request.limit.unwrap_or(REGION);
            let Regions { data, event, id } = request.regions.unwrap_or(Regions {
                data: limit,
                event: limit,
                id: limit,
            });
            let fixed = Fixed::new(&mut memory[..data + event + 2 * id])
                .with_type_capacity(event)
                .with_id_capacity(id);
            assert_eq!((fixed.type_capacity(), fixed.id_capacity()), (event, id));
            run(Decoder::with_storage(fixed), request, items)
        },
    );
}

/// Which items the decoder is asked for.
#[derive(Clone, Copy, PartialEq)]
enum Ask {
    Items,
    Events,
}

/// The items of each chunk, and the state afterwards.
struct Outcome {
    chunks: Vec<Vec<Item>>,
    last_event_id: String,
    reconnection_time: Option<Duration>,
    state: State,
}

fn assert_all_pass(
    is_among: impl Fn(&Case) -> bool,
    is_for: impl Fn(&Decode) -> bool,
    mut run: impl FnMut(&DecodeRequest, Ask) -> Outcome,
) {
    let mut failures = Vec::new();
    for case in cases().iter().filter(|case| is_among(case)) {
        let Body::Decode(decode) = &case.body else {
            continue;
        };
        if !is_for(decode) {
            continue;
        }
        let failure = [Ask::Items, Ask::Events]
            .into_iter()
            .find_map(|ask| check(case, decode, ask, |request| run(request, ask)).err());
        failures.extend(failure);
    }
    let count = failures.len();
    assert!(
        failures.is_empty(),
        "{count} failures\n{}",
        failures.join("\n")
    );
}

/// Runs the case in every variant and reports the first failure. With [`Ask::Events`], the cuts are
/// left out: both methods use the same decoder.
fn check(
    case: &Case,
    decode: &Decode,
    ask: Ask,
    mut run: impl FnMut(&DecodeRequest) -> Outcome,
) -> Result<(), String> {
    let everything = Capabilities::all();
    let offered = match ask {
        Ask::Items => everything,
        Ask::Events => everything
            .without(Capability::Comments)
            .without(Capability::Retry)
            .without(Capability::Details),
    };
    let is_asked =
        |variant: &Variant| ask == Ask::Items || !matches!(variant.chunking, Chunking::Cut(_));
    for variant in case.variants(&offered).take_while(is_asked) {
        let Request::Decode(request) = &variant.request else {
            unreachable!("the case is for decoders");
        };
        let outcome = run(request);
        let answer = DecodeAnswer {
            chunks: outcome.chunks,
            last_event_id: Some(outcome.last_event_id),
        };
        let answer = match request.details {
            true => Answer::DetailedDecode(answer, outcome.state),
            false => Answer::Decode(answer),
        };
        let about = || {
            format!(
                "{} {:?}: {}\n  fed {variant}",
                case.id, case.rules, case.why
            )
        };
        variant
            .check(&answer)
            .map_err(|mismatch| format!("{}: {mismatch}", about()))?;
        let expected = decode.r#final.reconnection_time.map(Duration::from_millis);
        if outcome.reconnection_time != expected {
            return Err(format!(
                "{}: {:?} stays",
                about(),
                outcome.reconnection_time
            ));
        }
    }
    Ok(())
}

fn run<S: Storage>(decoder: Decoder<S>, request: &DecodeRequest, ask: Ask) -> Outcome {
    let mut decoder = decoder.skip_long_ids(request.skip_long_ids);
    if let Some(id) = &request.last_event_id {
        decoder
            .set_last_event_id(id)
            .expect("the corpus has no seed that does not fit");
    }
    let chunks = request.chunks.iter();
    let chunks = chunks
        .map(|chunk| drain(decoder.feed(chunk), request, ask))
        .collect();
    let outcome = Outcome {
        chunks,
        last_event_id: decoder.last_event_id().to_owned(),
        reconnection_time: decoder.reconnection_time(),
        state: corpus::state(&decoder),
    };
    // The stream ends here. Last event ID and reconnection time are kept, and a blank line in the
    // next stream dispatches nothing.
    decoder.reset();
    assert_eq!(drain(decoder.feed(b"\n\n"), request, Ask::Items), []);
    assert_eq!(decoder.last_event_id(), outcome.last_event_id);
    assert_eq!(decoder.reconnection_time(), outcome.reconnection_time);
    outcome
}

fn drain<S: Storage>(
    mut events: Events<'_, '_, S>,
    request: &DecodeRequest,
    ask: Ask,
) -> Vec<Item> {
    let mut items = Vec::new();
    loop {
        let next = match ask {
            Ask::Items => events.next_item(),
            Ask::Events => events
                .next_event()
                .map(|event| event.map(sse_proto::Item::Event)),
        };
        match next {
            Ok(Some(item)) => items.extend(corpus::item(item, request.details)),
            Ok(None) => return items,
            Err(error) => {
                if let Some(limit) = request.limit {
                    assert_eq!(error.limit(), limit);
                }
                items.extend(corpus::too_large(error, request.details));
            }
        }
    }
}
