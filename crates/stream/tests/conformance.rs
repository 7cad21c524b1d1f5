//! The decode cases of the conformance corpus, run on streams and bodies: after each chunk they
//! return exactly the expected items, and poll the source no more than necessary.

#[path = "../../../tests/support/corpus.rs"]
mod corpus;
mod support;

use std::{
    future::Future as _,
    ops::ControlFlow,
    pin::{Pin, pin},
    task::{Context, Waker},
};

use sse_conformance::{
    Answer, Body, Capabilities, Capability, Case, Decode, DecodeAnswer, DecodeRequest, Item,
    Request, Storage, cases,
};
use sse_proto::{Decoder, Event};
use sse_proto_stream::{BodyStream, Error, EventStream, ItemStream, OwnedItem};
use support::{Feed, Step, drain};

#[test]
fn an_item_stream_passes_every_case() {
    assert_all_pass(true, |request| {
        let feed = Feed::default();
        let mut items = ItemStream::with_decoder(feed.clone(), decoder(request));
        let chunks = each_chunk(request, &feed, || {
            let items = drain(&mut items).0.into_iter();
            items.filter_map(|it| item(it, request.details)).collect()
        });
        let last_event_id = items.last_event_id().to_owned();
        feed.put(Step::End);
        let (end, _) = drain(&mut items);
        let is_no_event_stream = matches!(end[..], [Err(Error::NoEventStream)]);
        assert!(is_no_event_stream || end.is_empty(), "{end:?}");
        (chunks, last_event_id, is_no_event_stream)
    });
}

#[test]
fn an_event_stream_passes_every_case() {
    assert_all_pass(false, |request| {
        let feed = Feed::default();
        let mut events = EventStream::with_decoder(feed.clone(), decoder(request));
        let chunks = each_chunk(request, &feed, || {
            drain(&mut events).0.into_iter().map(event).collect()
        });
        (chunks, events.last_event_id().to_owned(), false)
    });
}

#[test]
fn a_body_in_pieces_passes_every_case() {
    assert_all_pass(false, |request| {
        let feed = Feed::default();
        let body = BodyStream::new(feed.clone());
        let mut events = EventStream::with_decoder(body, decoder(request));
        let chunks = each_chunk(request, &feed, || {
            feed.put(Step::Trailers);
            drain(&mut events).0.into_iter().map(event).collect()
        });
        (chunks, events.last_event_id().to_owned(), false)
    });
}

#[test]
fn borrowed_events_pass_every_case_although_each_chunk_drops_the_future() {
    assert_all_pass(false, |request| {
        let feed = Feed::default();
        let mut events = EventStream::with_decoder(feed.clone(), decoder(request));
        let chunks = each_chunk(request, &feed, || borrowed_items(&mut events));
        (chunks, events.last_event_id().to_owned(), false)
    });
}

#[test]
fn borrowed_and_owned_events_mixed_pass_every_case() {
    assert_all_pass(false, |request| {
        let feed = Feed::default();
        let mut events = EventStream::with_decoder(feed.clone(), decoder(request));
        let chunks = each_chunk(request, &feed, || {
            let first = support::poll(&mut events);
            let mut items = Vec::new();
            if let std::task::Poll::Ready(Some(first)) = first {
                items.push(event(first));
            }
            items.extend(borrowed_items(&mut events));
            items
        });
        (chunks, events.last_event_id().to_owned(), false)
    });
}

/// Returns the borrowed events until the stream is pending.
fn borrowed_items(events: &mut EventStream<Feed>) -> Vec<Item> {
    let mut items = Vec::new();
    let each = |event: Result<Event<'_>, _>| {
        items.push(match event {
            Ok(event) => corpus::event(event, false),
            Err(error) => too_large(error),
        });
        ControlFlow::<()>::Continue(())
    };
    {
        let reading = pin!(Pin::new(events).for_each_event(each));
        let poll = reading.poll(&mut Context::from_waker(Waker::noop()));
        assert!(poll.is_pending());
    }
    items
}

/// Feeds the chunks one by one; returns the items of each.
fn each_chunk(
    request: &DecodeRequest,
    feed: &Feed,
    mut take: impl FnMut() -> Vec<Item>,
) -> Vec<Vec<Item>> {
    let chunks = request.chunks.iter();
    chunks
        .map(|chunk| {
            feed.put(Step::Chunk(chunk.clone()));
            take()
        })
        .collect()
}

fn decoder(request: &DecodeRequest) -> Decoder {
    let mut decoder = request
        .limit
        .map_or_else(Decoder::new, Decoder::with_max_event_len)
        .skip_long_ids(request.skip_long_ids);
    if let Some(id) = &request.last_event_id {
        decoder
            .set_last_event_id(id)
            .expect("the heap takes every id");
    }
    decoder
}

fn assert_all_pass(
    has_items: bool,
    mut run: impl FnMut(&DecodeRequest) -> (Vec<Vec<Item>>, String, bool),
) {
    let mut count = 0;
    let mut failures = Vec::new();
    for case in cases() {
        let Body::Decode(decode) = &case.body else {
            continue;
        };
        // Cases of megabytes take as long as all others together, and only test the decoder.
        if decode.storage != Some(Storage::Fixed) && !case.has_flag("linear") {
            count += 1;
            failures.extend(check(case, decode, has_items, &mut run).err());
        }
    }
    assert!(count > 400, "{count} cases");
    assert!(
        failures.is_empty(),
        "{} failures\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// `run` returns the items of each chunk, the last event ID, and whether the stream ends with the
/// error that it was no event stream.
fn check(
    case: &Case,
    decode: &Decode,
    has_items: bool,
    run: &mut impl FnMut(&DecodeRequest) -> (Vec<Vec<Item>>, String, bool),
) -> Result<(), String> {
    let mut offered = Capabilities::all();
    if !has_items {
        offered = offered
            .without(Capability::Comments)
            .without(Capability::Retry)
            .without(Capability::Details);
    }
    for variant in case.variants(&offered) {
        let Request::Decode(request) = &variant.request else {
            unreachable!("the case is for decoders");
        };
        let (chunks, last_event_id, is_no_event_stream) = run(request);
        let answer = DecodeAnswer {
            chunks,
            last_event_id: Some(last_event_id),
        };
        let answer = match decode.r#final.state {
            // All that a stream tells of the state is this error.
            Some(state) => {
                let expected = state.ignored && !state.recognized;
                assert_eq!(is_no_event_stream, expected, "{} fed {variant}", case.id);
                Answer::DetailedDecode(answer, state)
            }
            None => Answer::Decode(answer),
        };
        variant
            .check(&answer)
            .map_err(|mismatch| format!("{} fed {variant}: {mismatch}", case.id))?;
    }
    Ok(())
}

fn event(event: Result<sse_proto::OwnedEvent, Error<&'static str>>) -> Item {
    item(event.map(OwnedItem::Event), false).expect("an event or an error of one")
}

/// `None` for a detail that is not wanted.
fn item(item: Result<OwnedItem, Error<&'static str>>, details: bool) -> Option<Item> {
    Some(match item {
        Ok(OwnedItem::Event(event)) => corpus::event(event.as_event(), details),
        Ok(OwnedItem::Comment(comment)) => Item::Comment { comment },
        Ok(OwnedItem::Retry(time)) => Item::Retry {
            retry: time.as_millis().try_into().expect("u64 milliseconds"),
        },
        Ok(OwnedItem::Id(_) | OwnedItem::Ignored { .. }) if !details => return None,
        Ok(OwnedItem::Id(id)) => corpus::id_alone(&id),
        Ok(OwnedItem::Ignored { text, reason }) => corpus::ignored(&text, reason),
        Err(Error::TooLarge(error)) => return corpus::too_large(error, details),
        other => panic!("{other:?}"),
    })
}

fn too_large(error: sse_proto::EventTooLarge) -> Item {
    corpus::too_large(error, false).expect("events have no ignored lines")
}
