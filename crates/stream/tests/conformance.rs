//! The decode cases of the conformance corpus, run on streams and bodies: after each chunk they
//! return exactly the expected items, and poll the source no more than necessary.

mod support;

use std::{
    future::Future as _,
    ops::ControlFlow,
    pin::{Pin, pin},
    task::{Context, Waker},
};

use sse_conformance::{
    Answer, Body, Capabilities, Capability, Case, DecodeAnswer, DecodeRequest, Item, Request,
    Storage, TooLarge, cases,
};
use sse_proto::{Decoder, Event, Part};
use sse_proto_stream::{BodyStream, Error, EventStream, ItemStream, OwnedItem};
use support::{Feed, Step, drain};

#[test]
fn an_item_stream_passes_every_case() {
    assert_all_pass(true, |request| {
        let feed = Feed::default();
        let mut items = ItemStream::with_decoder(feed.clone(), decoder(request));
        let chunks = each_chunk(request, &feed, || {
            drain(&mut items).0.into_iter().filter_map(item).collect()
        });
        (chunks, items.last_event_id().to_owned())
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
        (chunks, events.last_event_id().to_owned())
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
        (chunks, events.last_event_id().to_owned())
    });
}

#[test]
fn borrowed_events_pass_every_case_although_each_chunk_drops_the_future() {
    assert_all_pass(false, |request| {
        let feed = Feed::default();
        let mut events = EventStream::with_decoder(feed.clone(), decoder(request));
        let chunks = each_chunk(request, &feed, || borrowed_items(&mut events));
        (chunks, events.last_event_id().to_owned())
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
        (chunks, events.last_event_id().to_owned())
    });
}

/// Returns the borrowed events until the stream is pending.
fn borrowed_items(events: &mut EventStream<Feed>) -> Vec<Item> {
    let mut items = Vec::new();
    let each = |event: Result<Event<'_>, _>| {
        items.push(match event {
            Ok(event) => event_item(event),
            Err(_) => too_large(),
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
        .map_or_else(Decoder::new, Decoder::with_max_event_len);
    if let Some(id) = &request.last_event_id {
        decoder
            .set_last_event_id(id)
            .expect("the heap takes every id");
    }
    decoder
}

fn assert_all_pass(
    has_items: bool,
    mut run: impl FnMut(&DecodeRequest) -> (Vec<Vec<Item>>, String),
) {
    let mut count = 0;
    let mut failures = Vec::new();
    for case in cases() {
        let is_applicable = match &case.body {
            // Cases of megabytes take as long as all others together, and only test the decoder.
            Body::Decode(decode) => {
                decode.storage != Some(Storage::Fixed) && !case.has_flag("linear")
            }
            _ => false,
        };
        if is_applicable {
            count += 1;
            failures.extend(check(case, has_items, &mut run).err());
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

fn check(
    case: &Case,
    has_items: bool,
    run: &mut impl FnMut(&DecodeRequest) -> (Vec<Vec<Item>>, String),
) -> Result<(), String> {
    let mut offered = Capabilities::all();
    if !has_items {
        offered = offered
            .without(Capability::Comments)
            .without(Capability::Retry);
    }
    for variant in case.variants(&offered) {
        let Request::Decode(request) = &variant.request else {
            unreachable!("the case is for decoders");
        };
        let (chunks, last_event_id) = run(request);
        let answer = Answer::Decode(DecodeAnswer {
            chunks,
            last_event_id: Some(last_event_id),
        });
        variant
            .check(&answer)
            .map_err(|mismatch| format!("{} fed {variant}: {mismatch}", case.id))?;
    }
    Ok(())
}

fn event(event: Result<sse_proto::OwnedEvent, Error<&'static str>>) -> Item {
    item(event.map(OwnedItem::Event)).expect("an event or an error of one")
}

/// `None` for an ignored line and for an ID without an event, which the cases do not list.
fn item(item: Result<OwnedItem, Error<&'static str>>) -> Option<Item> {
    Some(match item {
        Ok(OwnedItem::Event(event)) => event_item(event.as_event()),
        Ok(OwnedItem::Comment(comment)) => Item::Comment { comment },
        Ok(OwnedItem::Retry(time)) => Item::Retry {
            retry: time.as_millis().try_into().expect("u64 milliseconds"),
        },
        Ok(OwnedItem::Id(_) | OwnedItem::Ignored { .. }) => return None,
        Err(Error::TooLarge(error)) if error.part() == Part::IgnoredLine => return None,
        Err(Error::TooLarge(_)) => too_large(),
        other => panic!("{other:?}"),
    })
}

fn event_item(event: Event<'_>) -> Item {
    Item::Event {
        event: event.event_type.to_owned(),
        data: event.data.to_owned(),
        last_event_id: event.last_event_id.to_owned(),
    }
}

fn too_large() -> Item {
    Item::Error {
        error: TooLarge::EventTooLarge,
    }
}
