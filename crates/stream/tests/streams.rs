//! Streams compared with the decoder of `sse-proto`: any chunks, pending sources, errors, and ends
//! in every state.

mod support;

use std::{
    ops::ControlFlow,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use futures_core::{FusedStream as _, Stream};
use proptest::{collection::vec, prelude::*, sample::select};
use sse_proto::{Decoder, OwnedEvent};
use sse_proto_stream::{Error, EventStream, ItemStream, OwnedItem};
use support::{Feed, Step, collect, drain, is_at_end, poll};

/// An item of any stream, for comparison.
#[derive(Debug, Clone, PartialEq)]
enum Output {
    Item(OwnedItem),
    TooLarge(usize),
    Source(&'static str),
    Incomplete,
    NoEventStream,
}

fn output<T>(result: Result<T, Error<&'static str>>, item: impl FnOnce(T) -> OwnedItem) -> Output {
    match result {
        Ok(it) => Output::Item(item(it)),
        Err(Error::TooLarge(error)) => Output::TooLarge(error.limit()),
        Err(Error::Source(error)) => Output::Source(error),
        Err(Error::Incomplete) => Output::Incomplete,
        Err(Error::NoEventStream) => Output::NoEventStream,
        Err(other) => panic!("{other}"),
    }
}

fn events(stream: &mut EventStream<Feed>) -> Vec<Output> {
    let events = collect(stream).into_iter();
    events
        .map(|event| output(event, OwnedItem::Event))
        .collect()
}

fn items(stream: &mut ItemStream<Feed>) -> Vec<Output> {
    let items = collect(stream).into_iter();
    items.map(|item| output(item, |item| item)).collect()
}

/// The same from the decoder.
fn expected_events(bytes: &[u8], decoder: &mut Decoder) -> Vec<Output> {
    let events = decoder.feed(bytes).owned();
    events
        .map(|event| match event {
            Ok(event) => Output::Item(OwnedItem::Event(event)),
            Err(error) => Output::TooLarge(error.limit()),
        })
        .collect()
}

fn expected_items(bytes: &[u8], decoder: &mut Decoder) -> Vec<Output> {
    let mut items = decoder.feed(bytes);
    let mut all = Vec::new();
    while let Some(item) = items.next_item().transpose() {
        all.push(match item {
            Ok(sse_proto::Item::Event(event)) => Output::Item(OwnedItem::Event(event.into())),
            Ok(sse_proto::Item::Comment(text)) => Output::Item(OwnedItem::Comment(text.into())),
            Ok(sse_proto::Item::Retry(time)) => Output::Item(OwnedItem::Retry(time)),
            Ok(sse_proto::Item::Id(id)) => Output::Item(OwnedItem::Id(id.into())),
            Ok(sse_proto::Item::Ignored(ignored)) => Output::Item(OwnedItem::Ignored {
                text: ignored.text.into(),
                reason: ignored.reason,
            }),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Output::TooLarge(error.limit()),
        });
    }
    all
}

/// What follows at the end of a stream that the decoder has read.
fn expected_end(decoder: &Decoder) -> Option<Output> {
    let is_none = decoder.has_ignored_line() && !decoder.has_recognized_line();
    is_none.then_some(Output::NoEventStream)
}

/// What `finish_at_end` adds.
fn expected_last(decoder: &mut Decoder) -> Option<Output> {
    match decoder.finish() {
        Ok(event) => event.map(|event| Output::Item(OwnedItem::Event(event.into()))),
        Err(error) => Some(Output::TooLarge(error.limit())),
    }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let atoms = select(vec![
        "data: ",
        "data",
        "event: add\n",
        "id: 7\n",
        "id: 8\n",
        "id\n",
        "retry: 5\n",
        ":ping\n",
        "x",
        "日本",
        "\n",
        "\n\n",
        "\r",
        "\r\n\r\n",
        "\u{FEFF}",
        "data: [DONE]\n\n",
        "data: [DONE]",
        "data\n\ndata\n\ndata\n\n",
    ]);
    let atom = prop_oneof![
        20 => atoms.prop_map(|atom| atom.as_bytes().to_vec()),
        1 => Just(b"\xFF".to_vec()),
        1 => (1..200_usize).prop_map(|count| b"data: many\n\n".repeat(count)),
        1 => (1..5000_usize).prop_map(|len| vec![b'y'; len]),
    ];
    vec(atom, 0..40).prop_map(|atoms| atoms.concat())
}

/// The bytes in chunks of these lengths, cycled; 0 is an empty chunk, and `None` a pending source.
fn script(bytes: &[u8], lens: &[Option<usize>]) -> Vec<Step> {
    let mut rest = bytes;
    let mut steps = Vec::new();
    for len in lens.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        match len {
            None => steps.push(Step::Pending),
            Some(len) => {
                let (chunk, after) = rest.split_at((*len).min(rest.len()));
                steps.push(Step::Chunk(chunk.to_vec()));
                rest = after;
            }
        }
    }
    steps
}

fn lens() -> impl Strategy<Value = Vec<Option<usize>>> {
    let len = prop_oneof![
        2 => Just(None),
        2 => Just(Some(0)),
        4 => (1..40_usize).prop_map(Some),
        1 => (1..20_000_usize).prop_map(Some),
    ];
    (vec(len, 0..8), 1..30_000_usize).prop_map(|(mut lens, last)| {
        lens.push(Some(last)); // so that the bytes are used up
        lens
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn a_stream_returns_what_the_decoder_returns_whatever_the_chunks_are(
        bytes in bytes(),
        lens in lens(),
        limit in prop_oneof![0..40_usize, Just(usize::MAX)],
        finish in any::<bool>(),
    ) {
        let steps = [script(&bytes, &lens), vec![Step::Chunk(vec![]), Step::End]].concat();
        let decoder = || Decoder::with_max_event_len(limit);

        let mut core = decoder();
        let mut expected = expected_events(&bytes, &mut core);
        let state = (core.last_event_id().to_owned(), core.reconnection_time());
        let end = expected_end(&core);
        expected.extend(if finish { expected_last(&mut core).or(end) } else { end });
        let state = if finish { (core.last_event_id().to_owned(), core.reconnection_time()) } else { state };
        let mut stream = EventStream::with_decoder(Feed::new(steps.clone()), decoder()).finish_at_end(finish);
        prop_assert_eq!(events(&mut stream), expected);
        prop_assert!(stream.is_terminated() && is_at_end(&mut stream));
        prop_assert_eq!((stream.last_event_id().to_owned(), stream.reconnection_time()), state);

        let mut stream = ItemStream::with_decoder(Feed::new(steps), decoder());
        let mut core = decoder();
        let mut expected = expected_items(&bytes, &mut core);
        expected.extend(expected_end(&core));
        prop_assert_eq!(items(&mut stream), expected);
        prop_assert!(stream.is_terminated() && is_at_end(&mut stream));
    }

    #[test]
    fn an_error_of_the_source_comes_after_all_events_before_it_and_ends_the_stream(
        bytes in bytes(),
        lens in lens(),
        has_marker in any::<bool>(),
    ) {
        let steps = [script(&bytes, &lens), vec![Step::Error("broken")]].concat();
        let mut expected = expected_events(&bytes, &mut Decoder::new());
        let mut stream = EventStream::new(Feed::new(steps)).finish_at_end(true);
        let is_marker = |out: &Output| matches!(out, Output::Item(OwnedItem::Event(event)) if event.data() == "[DONE]");
        match expected.iter().position(is_marker) {
            Some(place) if has_marker => expected.truncate(place),
            _ => expected.push(Output::Source("broken")),
        }
        if has_marker {
            stream = stream.until("[DONE]");
        }
        prop_assert_eq!(events(&mut stream), expected);
        prop_assert!(stream.is_terminated() && is_at_end(&mut stream));
    }

    #[test]
    fn an_end_marker_distinguishes_a_complete_stream_from_a_cut_one(bytes in bytes(), lens in lens(), finish in any::<bool>(), seed in "[a-z]{0,3}") {
        let decoder = || {
            let mut decoder = Decoder::new();
            decoder.set_last_event_id(&seed).unwrap();
            decoder
        };
        let mut core = decoder();
        let mut expected = expected_events(&bytes, &mut core);
        let end = expected_end(&core);
        let last = if finish { expected_last(&mut core) } else { None };
        let end = end.filter(|_| last.is_none());
        expected.extend(last);
        let mut id = None;
        let place = expected.iter().position(|out| match out {
            Output::Item(OwnedItem::Event(event)) if event.data() == "[DONE]" => {
                id = Some(event.last_event_id().to_owned());
                true
            }
            _ => false,
        });
        match place {
            Some(place) => expected.truncate(place),
            None => expected.push(end.unwrap_or(Output::Incomplete)),
        }

        let steps = [script(&bytes, &lens), vec![Step::End]].concat();
        let source = || Feed::new(steps.clone());
        let stream = || EventStream::with_decoder(source(), decoder()).until("[DONE]".to_owned()).finish_at_end(finish);
        let mut owned = stream();
        prop_assert_eq!(&events(&mut owned), &expected);
        prop_assert!(owned.is_terminated() && is_at_end(&mut owned));
        if let Some(id) = &id {
            prop_assert_eq!(owned.last_event_id(), id);
        }

        let mut borrowed = stream();
        prop_assert_eq!(&collect_borrowed(&mut borrowed, usize::MAX), &expected);
        prop_assert!(borrowed.is_terminated());
        if let Some(id) = &id {
            prop_assert_eq!(borrowed.last_event_id(), id);
        }

        let mut items = ItemStream::with_decoder(source(), decoder()).until("[DONE]").finish_at_end(finish);
        let items = self::items(&mut items).into_iter();
        let items: Vec<_> = items
            .filter(|item| matches!(item, Output::Item(OwnedItem::Event(_)) | Output::Incomplete | Output::NoEventStream))
            .collect();
        prop_assert_eq!(&items, &expected);
    }

    #[test]
    fn breaking_out_of_for_each_event_and_continuing_loses_nothing(bytes in bytes(), lens in lens(), every in 1..5_usize) {
        let steps = [script(&bytes, &lens), vec![Step::End]].concat();
        let mut stream = EventStream::new(Feed::new(steps));
        let mut core = Decoder::new();
        let mut expected = expected_events(&bytes, &mut core);
        expected.extend(expected_end(&core));
        prop_assert_eq!(collect_borrowed(&mut stream, every), expected);
    }

    #[test]
    fn the_last_event_id_is_that_of_the_event_returned_last(
        ids in vec((prop_oneof![Just(None), "[a-z]{0,3}".prop_map(Some)], any::<bool>()), 1..200),
        lens in lens(),
        is_borrowed in any::<bool>(),
    ) {
        let mut bytes = String::new();
        for (id, has_data) in ids {
            if let Some(id) = id {
                bytes += &format!("id: {id}\n");
            }
            bytes += if has_data { "data: x\n\n" } else { "\n" };
        }
        let steps = [script(bytes.as_bytes(), &lens), vec![Step::End]].concat();
        let mut stream = EventStream::new(Feed::new(steps));
        loop {
            let id = if is_borrowed {
                let mut id = None;
                let mut each = |event: Result<sse_proto::Event<'_>, _>| {
                    id = event.ok().map(|event| event.last_event_id.to_owned());
                    ControlFlow::Break(())
                };
                match poll_for_each(&mut stream, &mut each) {
                    Poll::Pending => continue,
                    Poll::Ready(result) => prop_assert_eq!(result.unwrap().is_some(), id.is_some()),
                }
                id
            } else {
                match poll(&mut stream) {
                    Poll::Pending => continue,
                    Poll::Ready(event) => event.map(|event| event.unwrap().last_event_id().to_owned()),
                }
            };
            match id {
                None => break,
                Some(id) => prop_assert_eq!(stream.last_event_id(), id),
            }
        }
    }
}

/// One poll of `for_each_event`.
fn poll_for_each<B>(
    stream: &mut EventStream<Feed>,
    each: impl FnMut(Result<sse_proto::Event<'_>, sse_proto::EventTooLarge>) -> ControlFlow<B>,
) -> Poll<Result<Option<B>, Error<&'static str>>> {
    let reading = std::pin::pin!(Pin::new(stream).for_each_event(each));
    reading.poll(&mut Context::from_waker(Waker::noop()))
}

/// Returns all borrowed events; breaks after each `every` events, and creates a new future after
/// each break and `Pending`.
fn collect_borrowed(stream: &mut EventStream<Feed>, every: usize) -> Vec<Output> {
    let mut all = Vec::new();
    loop {
        let mut count = 0;
        let done = poll_for_each(stream, |event| {
            all.push(match event {
                Ok(event) => Output::Item(OwnedItem::Event(event.into())),
                Err(error) => Output::TooLarge(error.limit()),
            });
            count += 1;
            if count == every {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        match done {
            Poll::Pending | Poll::Ready(Ok(Some(()))) => {}
            Poll::Ready(Ok(None)) => return all,
            Poll::Ready(Err(error)) => {
                all.push(output(Err(error), OwnedItem::Event));
                return all;
            }
        }
    }
}

#[test]
fn each_event_is_returned_before_the_source_is_polled_again() {
    let feed = Feed::new([Step::Chunk(b"data: 1\n\ndata: 2\n\ndata: 3".to_vec())]);
    let mut stream = EventStream::new(feed.clone());
    let (first, is_end) = drain(&mut stream);
    assert_eq!((first.len(), is_end), (2, false));
    feed.put(Step::Chunk(b"\n".to_vec()));
    assert!(poll(&mut stream).is_pending());
    feed.put(Step::Chunk(b"\r".to_vec()));
    assert_eq!(drain(&mut stream).0.len(), 1, "a CR ends its line at once");
    feed.put(Step::End);
    assert!(is_at_end(&mut stream));
}

#[test]
fn an_event_too_large_is_one_item_and_the_stream_continues() {
    let bytes = b"data: 1\n\ndata: too large\n\ndata: 3\n\n".to_vec();
    let feed = Feed::new([Step::Chunk(bytes), Step::End]);
    let mut stream = EventStream::with_decoder(feed, Decoder::with_max_event_len(4));
    let all = collect(&mut stream);
    let data = |event: &Result<OwnedEvent, Error<&str>>| match event {
        Ok(event) => event.data().to_owned(),
        Err(error) => error.to_string(),
    };
    let data: Vec<_> = all.iter().map(data).collect();
    assert_eq!(
        data,
        ["1", "event exceeds the limit of 4 bytes in its data", "3"]
    );
}

#[test]
fn a_stream_of_items_keeps_the_options_of_its_stream_of_events() {
    let feed = Feed::new([Step::Chunk(b":hi\ndata: [DONE]".to_vec()), Step::End]);
    let mut stream = EventStream::new(feed)
        .until("[DONE]")
        .finish_at_end(true)
        .items();
    let all = items(&mut stream);
    assert_eq!(all, [Output::Item(OwnedItem::Comment("hi".into()))]);
}

#[test]
fn a_body_that_is_no_event_stream_is_an_error_at_its_end() {
    let chunks = |body: &str| vec![Step::Chunk(body.into()), Step::End];
    for body in ["{\"error\":1}", "<html>\n<p>data: x\n", "error: x\n\n"] {
        let stream = || EventStream::new(Feed::new(chunks(body)));
        assert_eq!(events(&mut stream()), [Output::NoEventStream]);
        assert_eq!(
            events(&mut stream().until("[DONE]")),
            [Output::NoEventStream]
        );
        let mut stream = stream().finish_at_end(true);
        assert_eq!(collect_borrowed(&mut stream, 1), [Output::NoEventStream]);
        assert!(stream.is_terminated() && is_at_end(&mut stream));
    }
    for body in ["", "\n", ": ping\n", "id: 1\n\nx\n", "retry: 1\n"] {
        assert_eq!(events(&mut EventStream::new(Feed::new(chunks(body)))), []);
    }
    // The end makes an event of it.
    let mut stream = EventStream::new(Feed::new(chunks("x\ndata"))).finish_at_end(true);
    assert!(matches!(&events(&mut stream)[..], [Output::Item(_)]));
}

#[test]
fn errors_say_what_went_wrong() {
    use std::error::Error as _;
    use std::io;

    let source: Error<io::Error> = Error::Source(io::Error::other("reset"));
    assert_eq!(source.to_string(), "source of the stream failed: reset");
    assert!(source.source().unwrap().is::<io::Error>());
    let incomplete: Error<io::Error> = Error::Incomplete;
    assert_eq!(incomplete.to_string(), "stream ended before its end marker");
    assert!(incomplete.source().is_none());
}

#[test]
fn any_chunk_type_and_any_stream_can_be_the_source() {
    fn check(stream: impl Stream<Item = Result<OwnedEvent, Error<std::convert::Infallible>>>) {
        let mut stream = std::pin::pin!(stream);
        let poll = stream
            .as_mut()
            .poll_next(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(poll, Poll::Ready(Some(Ok(event))) if event.data() == "x"));
    }
    use futures_util::stream::{iter, once};
    check(EventStream::new(iter([Ok("data: x\n\n")])));
    check(EventStream::new(iter([Ok(Bytes::from_static(
        b"data: x\n\n",
    ))])));
    check(EventStream::new(iter([Ok(Box::<[u8]>::from(
        &b"data: x\n\n"[..],
    ))])));
    // A stream that is not `Unpin`.
    check(EventStream::new(once(async {
        Ok("data: x\n\n".to_owned())
    })));
}
