//! Counts the allocations and the memory of streams.

mod support;

use std::{
    convert::Infallible,
    ops::ControlFlow,
    pin::pin,
    task::{Context, Poll, Waker},
};

use allocation_counter::measure;
use bytes::Bytes;
use futures_core::Stream;
use sse_proto::Decoder;
use sse_proto_stream::{EventStream, ItemStream};
use support::{is_at_end, poll};

/// The bytes in reference-counted chunks, as HTTP libraries return them.
fn chunks(
    bytes: impl Into<Bytes>,
    len: usize,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Unpin {
    let mut bytes = bytes.into();
    futures_util::stream::iter(std::iter::from_fn(move || {
        let chunk = bytes.split_to(bytes.len().min(len));
        (!chunk.is_empty()).then_some(Ok(chunk))
    }))
}

#[test]
fn a_hostile_chunk_uses_little_memory() {
    let hostile = [
        ("events without data", "data\n\n".repeat(64 << 10)),
        ("events of a byte", "data:x\n\n".repeat(48 << 10)),
        ("comments", ":\n".repeat(192 << 10)),
        (
            "comments after an event",
            format!("data\n\n{}", ":x\n".repeat(128 << 10)),
        ),
        (
            "events that inherit an id",
            format!("id: {}\n\n{}", "i".repeat(500), "data\n\n".repeat(64 << 10)),
        ),
        ("events too large", "data:123456789\n\n".repeat(24 << 10)),
    ];
    for (name, bytes) in hostile {
        for limit in [8, 1 << 20] {
            let decoder = || Decoder::with_max_event_len(limit);
            let mut events =
                EventStream::with_decoder(chunks(bytes.clone(), usize::MAX), decoder());
            let mut items = ItemStream::with_decoder(chunks(bytes.clone(), usize::MAX), decoder());
            // Every item is dropped at once.
            let info = measure(|| while !is_at_end(&mut events) {});
            assert!(info.bytes_max <= 8 << 10, "{name}: {info:?}");
            let info = measure(|| while !is_at_end(&mut items) {});
            assert!(info.bytes_max <= 8 << 10, "{name}, as items: {info:?}");
        }
    }
}

#[test]
fn an_event_is_one_allocation_whatever_the_chunks_are() {
    let event = "event: delta\nid: 12\ndata: 0123456789\n\n";
    for len in [1, 16, event.len(), 1400, 16_384] {
        let mut events = EventStream::new(chunks(event.repeat(3000), len));
        // Warm up the buffers for data that spans chunks, and the queue.
        for _ in 0..1000 {
            assert!(matches!(poll(&mut events), Poll::Ready(Some(Ok(_)))));
        }
        let info = measure(|| {
            for _ in 0..1000 {
                assert!(matches!(poll(&mut events), Poll::Ready(Some(Ok(_)))));
            }
        });
        // Not exactly 1000, as batches overlap both ends of the range.
        assert!(
            info.count_total.abs_diff(1000) <= 64,
            "chunks of {len}: {info:?}"
        );
    }
}

#[test]
fn borrowed_events_are_not_allocated() {
    let event = "event: delta\nid: 12\ndata: 0123456789\n\n";
    for len in [1, 16, event.len(), 1400, 16_384] {
        let mut events = pin!(EventStream::new(chunks(event.repeat(12_000), len)));
        let mut read = |until: usize| {
            let mut count = 0;
            let reading = pin!(events.as_mut().for_each_event(|event| {
                count += usize::from(event.is_ok());
                match count {
                    _ if count == until => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                }
            }));
            let poll = reading.poll(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(poll, Poll::Ready(Ok(Some(())))));
        };
        read(10_000); // buffers for data that spans chunks
        let info = measure(|| read(1000));
        assert_eq!(info.count_total, 0, "chunks of {len}");
    }
}

#[test]
fn a_kept_event_takes_little_more_memory_than_its_text() {
    let event = format!("data: {}\n\n", "x".repeat(254));
    let mut kept = Vec::with_capacity(100);
    let info = measure(|| {
        let mut events = EventStream::new(chunks(event.repeat(10_000), 16_384));
        let mut number = 0;
        while let Poll::Ready(Some(event)) = poll(&mut events) {
            if number % 100 == 0 {
                kept.push(event);
            }
            number += 1;
        }
    });
    assert_eq!(kept.len(), 100);
    let each = info.bytes_current / 100 + size_of_val(&kept[0]) as i64;
    assert!((254..400).contains(&each), "{each} bytes");
}
