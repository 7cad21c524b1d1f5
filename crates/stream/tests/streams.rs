//! Streams of events against the core's own decoder: any chunks, pending sources, errors and ends in every state.

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

/// What is handed out, to be compared.
#[derive(Debug, Clone, PartialEq)]
enum Out {
    Item(OwnedItem),
    TooLarge(usize),
    Source(&'static str),
    Incomplete,
}

fn out<T>(result: Result<T, Error<&'static str>>, item: impl FnOnce(T) -> OwnedItem) -> Out {
    match result {
        Ok(it) => Out::Item(item(it)),
        Err(Error::TooLarge(error)) => Out::TooLarge(error.limit()),
        Err(Error::Source(error)) => Out::Source(error),
        Err(Error::Incomplete) => Out::Incomplete,
        Err(other) => panic!("{other}"),
    }
}

fn events(stream: &mut EventStream<Feed>) -> Vec<Out> {
    let events = collect(stream).into_iter();
    events.map(|event| out(event, OwnedItem::Event)).collect()
}

fn items(stream: &mut ItemStream<Feed>) -> Vec<Out> {
    let items = collect(stream).into_iter();
    items.map(|item| out(item, |item| item)).collect()
}

/// The same from the core.
fn due_events(bytes: &[u8], decoder: &mut Decoder) -> Vec<Out> {
    let events = decoder.feed(bytes).owned();
    events
        .map(|event| match event {
            Ok(event) => Out::Item(OwnedItem::Event(event)),
            Err(error) => Out::TooLarge(error.limit()),
        })
        .collect()
}

fn due_items(bytes: &[u8], decoder: &mut Decoder) -> Vec<Out> {
    let mut items = decoder.feed(bytes);
    let mut all = Vec::new();
    while let Some(item) = items.next_item().transpose() {
        all.push(match item {
            Ok(sse_proto::Item::Event(event)) => Out::Item(OwnedItem::Event(event.into())),
            Ok(sse_proto::Item::Comment(text)) => Out::Item(OwnedItem::Comment(text.into())),
            Ok(sse_proto::Item::Retry(time)) => Out::Item(OwnedItem::Retry(time)),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Out::TooLarge(error.limit()),
        });
    }
    all
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

/// The bytes in chunks of these lengths, over and over; 0 is an empty chunk, and 1 of the other numbers is a pending
/// source.
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
                let (chunk, behind) = rest.split_at((*len).min(rest.len()));
                steps.push(Step::Chunk(chunk.to_vec()));
                rest = behind;
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
        lens.push(Some(last)); // so that it comes to an end
        lens
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn what_comes_is_what_the_decoder_says_whatever_the_chunks_are(
        bytes in bytes(),
        lens in lens(),
        limit in prop_oneof![0..40_usize, Just(usize::MAX)],
        finish in any::<bool>(),
    ) {
        let steps = [script(&bytes, &lens), vec![Step::Chunk(vec![]), Step::End]].concat();
        let decoder = || Decoder::with_max_event_len(limit);

        let mut core = decoder();
        let mut due = due_events(&bytes, &mut core);
        let state = (core.last_event_id().to_owned(), core.reconnection_time());
        if finish {
            match core.finish() {
                Ok(event) => due.extend(event.map(|event| Out::Item(OwnedItem::Event(event.into())))),
                Err(error) => due.push(Out::TooLarge(error.limit())),
            }
        }
        let state = if finish { (core.last_event_id().to_owned(), core.reconnection_time()) } else { state };
        let mut stream = EventStream::with_decoder(Feed::new(steps.clone()), decoder()).finish_at_end(finish);
        prop_assert_eq!(events(&mut stream), due);
        prop_assert!(stream.is_terminated() && is_at_end(&mut stream));
        prop_assert_eq!((stream.last_event_id().to_owned(), stream.reconnection_time()), state);

        let mut stream = ItemStream::with_decoder(Feed::new(steps), decoder());
        prop_assert_eq!(items(&mut stream), due_items(&bytes, &mut decoder()));
        prop_assert!(stream.is_terminated() && is_at_end(&mut stream));
    }

    #[test]
    fn an_error_of_the_source_comes_after_all_events_before_it_and_ends_the_stream(
        bytes in bytes(),
        lens in lens(),
        has_marker in any::<bool>(),
    ) {
        let steps = [script(&bytes, &lens), vec![Step::Error("broken")]].concat();
        let mut due = due_events(&bytes, &mut Decoder::new());
        let mut stream = EventStream::new(Feed::new(steps)).finish_at_end(true);
        let is_marker = |out: &Out| matches!(out, Out::Item(OwnedItem::Event(event)) if event.data() == "[DONE]");
        match due.iter().position(is_marker) {
            Some(place) if has_marker => due.truncate(place),
            _ => due.push(Out::Source("broken")),
        }
        if has_marker {
            stream = stream.until("[DONE]");
        }
        prop_assert_eq!(events(&mut stream), due);
        prop_assert!(stream.is_terminated() && is_at_end(&mut stream));
    }

    #[test]
    fn an_end_marker_tells_the_end_from_a_cut(bytes in bytes(), lens in lens(), finish in any::<bool>(), seed in "[a-z]{0,3}") {
        let decoder = || {
            let mut decoder = Decoder::new();
            decoder.set_last_event_id(&seed).unwrap();
            decoder
        };
        let mut core = decoder();
        let mut due = due_events(&bytes, &mut core);
        if finish {
            due.extend(core.finish().unwrap().map(|event| Out::Item(OwnedItem::Event(event.into()))));
        }
        let mut id = None;
        let place = due.iter().position(|out| match out {
            Out::Item(OwnedItem::Event(event)) if event.data() == "[DONE]" => {
                id = Some(event.last_event_id().to_owned());
                true
            }
            _ => false,
        });
        match place {
            Some(place) => due.truncate(place),
            None => due.push(Out::Incomplete),
        }

        let steps = [script(&bytes, &lens), vec![Step::End]].concat();
        let source = || Feed::new(steps.clone());
        let stream = || EventStream::with_decoder(source(), decoder()).until("[DONE]".to_owned()).finish_at_end(finish);
        let mut owned = stream();
        prop_assert_eq!(&events(&mut owned), &due);
        prop_assert!(owned.is_terminated() && is_at_end(&mut owned));
        if let Some(id) = &id {
            prop_assert_eq!(owned.last_event_id(), id);
        }

        let mut lent = stream();
        prop_assert_eq!(&lend_all(&mut lent, usize::MAX), &due);
        prop_assert!(lent.is_terminated());
        if let Some(id) = &id {
            prop_assert_eq!(lent.last_event_id(), id);
        }

        let mut items = ItemStream::with_decoder(source(), decoder()).until("[DONE]").finish_at_end(finish);
        let items = self::items(&mut items).into_iter();
        let items: Vec<_> = items
            .filter(|item| !matches!(item, Out::Item(OwnedItem::Comment(_) | OwnedItem::Retry(_))))
            .collect();
        prop_assert_eq!(&items, &due);
    }

    #[test]
    fn breaking_off_and_going_on_loses_nothing(bytes in bytes(), lens in lens(), every in 1..5_usize) {
        let steps = [script(&bytes, &lens), vec![Step::End]].concat();
        let mut stream = EventStream::new(Feed::new(steps));
        prop_assert_eq!(lend_all(&mut stream, every), due_events(&bytes, &mut Decoder::new()));
    }

    #[test]
    fn the_last_event_id_is_that_of_the_event_handed_out(
        ids in vec((prop_oneof![Just(None), "[a-z]{0,3}".prop_map(Some)], any::<bool>()), 1..200),
        lens in lens(),
        is_lent in any::<bool>(),
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
            let id = if is_lent {
                let mut id = None;
                let mut each = |event: Result<sse_proto::Event<'_>, _>| {
                    id = event.ok().map(|event| event.last_event_id.to_owned());
                    ControlFlow::Break(())
                };
                match lend(&mut stream, &mut each) {
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
fn lend<B>(
    stream: &mut EventStream<Feed>,
    each: impl FnMut(Result<sse_proto::Event<'_>, sse_proto::EventTooLarge>) -> ControlFlow<B>,
) -> Poll<Result<Option<B>, Error<&'static str>>> {
    let reading = std::pin::pin!(Pin::new(stream).for_each_event(each));
    reading.poll(&mut Context::from_waker(Waker::noop()))
}

/// All that is lent, with a break after every so many events, and a new future after each break and each `Pending`.
fn lend_all(stream: &mut EventStream<Feed>, every: usize) -> Vec<Out> {
    let mut all = Vec::new();
    loop {
        let mut count = 0;
        let done = lend(stream, |event| {
            all.push(match event {
                Ok(event) => Out::Item(OwnedItem::Event(event.into())),
                Err(error) => Out::TooLarge(error.limit()),
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
                all.push(out(Err(error), OwnedItem::Event));
                return all;
            }
        }
    }
}

#[test]
fn each_event_comes_before_the_source_is_asked_for_more() {
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
fn an_event_too_large_is_one_item_and_the_stream_goes_on() {
    let bytes = b"data: 1\n\ndata: too large\n\ndata: 3\n\n".to_vec();
    let feed = Feed::new([Step::Chunk(bytes), Step::End]);
    let mut stream = EventStream::with_decoder(feed, Decoder::with_max_event_len(4));
    let all = collect(&mut stream);
    let data = |event: &Result<OwnedEvent, Error<&str>>| match event {
        Ok(event) => event.data().to_owned(),
        Err(error) => error.to_string(),
    };
    let data: Vec<_> = all.iter().map(data).collect();
    assert_eq!(data, ["1", "event exceeds the limit of 4 bytes", "3"]);
}

#[test]
fn a_stream_of_items_has_the_options_of_its_stream_of_events() {
    let feed = Feed::new([Step::Chunk(b":hi\ndata: [DONE]".to_vec()), Step::End]);
    let mut stream = EventStream::new(feed)
        .until("[DONE]")
        .finish_at_end(true)
        .items();
    let all = items(&mut stream);
    assert_eq!(all, [Out::Item(OwnedItem::Comment("hi".into()))]);
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
fn any_bytes_and_any_stream_will_do() {
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
    // Not `Unpin`.
    check(EventStream::new(once(async {
        Ok("data: x\n\n".to_owned())
    })));
}
