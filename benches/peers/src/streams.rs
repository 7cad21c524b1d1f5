//! Stream types, compared as their users see them: reference-counted chunks in, as a transport returns them, and owned
//! events out.

use crate::decoders::{Candidate, Kept, MAX_EVENT_LEN, keep};
use crate::measure::Input;
use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body, Frame};
use sse_proto::{Decoder, OwnedEvent};
use sse_proto_benches::{Answer, Digest};
use sse_proto_stream::{EventStream, ItemStream, OwnedItem};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// The stream types: those of this crate, a loop around the decoder, then those of other crates.
pub const STREAMS: [Candidate; 11] = [
    candidate::<Ours>("sse-proto-stream", false),
    candidate::<Borrowed>("sse-proto-stream, borrowed", false),
    candidate::<OursFromBody>("sse-proto-stream, body", false),
    candidate::<OursWithItems>("sse-proto-stream, items", false),
    candidate::<ByHand>("by hand", false),
    candidate::<EventsourceStream>("eventsource-stream 0.2.3", true),
    candidate::<SseByteStream>("sse-stream 0.3.0", true),
    candidate::<SseBodyStream>("sse-stream 0.3.0, body", true),
    candidate::<SseCore>("sse-core 0.2.3", false),
    candidate::<Sseer>("sseer 0.3.1", true),
    candidate::<Eventsrc>("eventsrc 0.0.2", true),
];

/// Index of [`EventStream`] in [`STREAMS`].
pub(crate) const OWNED: usize = 0;

/// Index of [`EventStream::for_each_event`].
pub(crate) const BORROWED: usize = 1;

/// Index of the first of the other crates.
pub(crate) const PEERS: usize = 5;

/// Where events are kept, one of this many is.
pub const KEEP_ONE_OF: u64 = 100;

/// Runs one of [`STREAMS`] over one stream twice, the second time inside [`measured`], for a profiler that counts the
/// instructions of one function.
pub fn once(name: &str, stream: &str, chunk: &str) {
    let candidate = STREAMS.iter().find(|candidate| candidate.name == name);
    let candidate = candidate.expect("the name of a stream type");
    let stream = sse_proto_benches::all(1 << 16)
        .into_iter()
        .find(|other| other.name == stream)
        .expect("the name of a stream");
    let size = stream.chunks().into_iter().find(|(name, _)| *name == chunk);
    let (_, size) = size.expect("the name of a chunk size");
    let input = Input::from(stream);
    let work = || (candidate.run)(input.bytes, size).expect("an answer");
    work();
    println!("{} events", measured(&work).events);
}

/// Runs the work of [`once`] that is counted.
#[inline(never)]
pub fn measured(work: &dyn Fn() -> Answer) -> Answer {
    work()
}

/// Chunks that are made on demand.
trait Chunks: Iterator<Item = Bytes> + Unpin {}

impl<T: Iterator<Item = Bytes> + Unpin> Chunks for T {}

/// A transport that has all chunks, as a stream and as a body.
struct Source<C>(C);

impl<C: Chunks> Stream for Source<C> {
    type Item = Result<Bytes, Infallible>;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.next().map(Ok))
    }
}

impl<C: Chunks> Body for Source<C> {
    type Data = Bytes;
    type Error = Infallible;

    #[inline]
    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(|chunk| Ok(Frame::data(chunk))))
    }
}

/// Slices of one buffer: each costs a reference count, made when the source is polled.
fn slices(bytes: &'static Bytes, size: usize) -> impl Chunks {
    bytes.chunks(size).map(|chunk| bytes.slice_ref(chunk))
}

/// Chunks as a transport reads them, each into a buffer of its own.
fn buffers(bytes: &'static Bytes, size: usize) -> impl Chunks {
    bytes.chunks(size).map(Bytes::copy_from_slice)
}

trait Decode {
    /// The owned event that a user would keep.
    type Event: 'static;

    /// Passes type and data of each event to `sink` and returns the events for which it returns true, or why it stopped.
    fn decode(
        source: Source<impl Chunks>,
        sink: impl FnMut(&str, &str) -> bool,
    ) -> Result<Vec<Self::Event>, String>;
}

const fn candidate<D: Decode>(name: &'static str, strict: bool) -> Candidate {
    Candidate {
        name,
        run: |bytes, size| {
            let mut answer = Answer::default();
            D::decode(Source(slices(bytes, size)), |event_type, data| {
                black_box(event_type);
                answer.events += 1;
                answer.data += data.len() as u64;
                false
            })?;
            Ok(answer)
        },
        digest: Some(|bytes, size, deadline| {
            let chunks = slices(bytes, size).take_while(move |_| Instant::now() < deadline);
            let mut answer = Answer::default();
            let mut digest = Digest::default();
            D::decode(Source(chunks), |_, data| {
                answer.events += 1;
                answer.data += data.len() as u64;
                digest.add(data);
                false
            })?;
            Ok((answer, digest))
        }),
        keep: Some(|bytes, size| {
            let mut events = 0;
            let kept = D::decode(Source(buffers(bytes, size)), |_, _| {
                events += 1;
                events % KEEP_ONE_OF == 0
            })?;
            Ok(Kept {
                events: kept.len(),
                memory: Box::new(kept.into_boxed_slice()),
            })
        }),
        strict,
    }
}

struct Ours;

impl Decode for Ours {
    type Event = OwnedEvent;

    fn decode(
        source: Source<impl Chunks>,
        mut sink: impl FnMut(&str, &str) -> bool,
    ) -> Result<Vec<Self::Event>, String> {
        keep(EventStream::new(source), |event| {
            sink(event.event_type(), event.data())
        })
    }
}

struct Borrowed;

impl Decode for Borrowed {
    type Event = OwnedEvent;

    fn decode(
        source: Source<impl Chunks>,
        mut sink: impl FnMut(&str, &str) -> bool,
    ) -> Result<Vec<Self::Event>, String> {
        let mut kept = Vec::new();
        let end = {
            let stream = pin!(EventStream::new(source));
            let reading = pin!(stream.for_each_event(|event| {
                let event = black_box(event.expect("no event is that large"));
                if sink(event.event_type, event.data) {
                    kept.push(event.into());
                }
                ControlFlow::<()>::Continue(())
            }));
            reading.poll(&mut Context::from_waker(Waker::noop()))
        };
        match end {
            Poll::Ready(Ok(None)) => Ok(kept),
            other => Err(format!("{other:?}")),
        }
    }
}

struct OursFromBody;

impl Decode for OursFromBody {
    type Event = OwnedEvent;

    fn decode(
        source: Source<impl Chunks>,
        mut sink: impl FnMut(&str, &str) -> bool,
    ) -> Result<Vec<Self::Event>, String> {
        keep(EventStream::from_body(source), |event| {
            sink(event.event_type(), event.data())
        })
    }
}

struct OursWithItems;

impl Decode for OursWithItems {
    type Event = OwnedItem;

    fn decode(
        source: Source<impl Chunks>,
        mut sink: impl FnMut(&str, &str) -> bool,
    ) -> Result<Vec<Self::Event>, String> {
        keep(ItemStream::new(source), |item| match item {
            OwnedItem::Event(event) => sink(event.event_type(), event.data()),
            _ => false,
        })
    }
}

/// The loop around the decoder that a stream type should not be slower than.
struct ByHand;

impl Decode for ByHand {
    type Event = OwnedEvent;

    fn decode(
        source: Source<impl Chunks>,
        mut sink: impl FnMut(&str, &str) -> bool,
    ) -> Result<Vec<Self::Event>, String> {
        let mut kept = Vec::new();
        let mut decoder = Decoder::new();
        let mut queue: VecDeque<Result<OwnedEvent, _>> = VecDeque::new();
        for chunk in source.0 {
            let mut rest = &chunk[..];
            while !rest.is_empty() {
                let mut events = decoder.feed(rest).owned();
                queue.extend(events.by_ref().take(64));
                rest = events.rest();
                while let Some(event) = queue.pop_front() {
                    let event = event.expect("no event is that large");
                    let seen = black_box(&event);
                    if sink(seen.event_type(), seen.data()) {
                        kept.push(event);
                    }
                }
            }
        }
        Ok(kept)
    }
}

struct EventsourceStream;

impl Decode for EventsourceStream {
    type Event = eventsource_stream::Event;

    fn decode(
        source: Source<impl Chunks>,
        mut sink: impl FnMut(&str, &str) -> bool,
    ) -> Result<Vec<Self::Event>, String> {
        let stream = eventsource_stream::EventStream::new(source);
        keep(stream, |event| sink(&event.event, &event.data))
    }
}

fn block(block: &sse_stream::Sse, mut sink: impl FnMut(&str, &str) -> bool) -> bool {
    block
        .data
        .as_deref()
        .is_some_and(|data| sink(block.event.as_deref().unwrap_or("message"), data))
}

struct SseByteStream;

impl Decode for SseByteStream {
    type Event = sse_stream::Sse;

    fn decode(
        source: Source<impl Chunks>,
        mut sink: impl FnMut(&str, &str) -> bool,
    ) -> Result<Vec<Self::Event>, String> {
        let stream = sse_stream::SseByteStream::new(source);
        keep(stream, |event| block(event, &mut sink))
    }
}

struct SseBodyStream;

impl Decode for SseBodyStream {
    type Event = sse_stream::Sse;

    fn decode(
        source: Source<impl Chunks>,
        mut sink: impl FnMut(&str, &str) -> bool,
    ) -> Result<Vec<Self::Event>, String> {
        let stream = sse_stream::SseStream::new(source);
        keep(stream, |event| block(event, &mut sink))
    }
}

struct SseCore;

impl Decode for SseCore {
    type Event = sse_core::SseEvent;

    fn decode(
        source: Source<impl Chunks>,
        mut sink: impl FnMut(&str, &str) -> bool,
    ) -> Result<Vec<Self::Event>, String> {
        let limit = NonZeroUsize::new(MAX_EVENT_LEN).expect("it is not zero");
        let decoder = sse_core::SseDecoder::with_limit(limit);
        let mut stream = sse_core::SseStream::with_decoder(decoder);
        stream.attach(source);
        keep(stream, |event| match event {
            sse_core::SseEvent::Message(event) => sink(&event.event, &event.data),
            _ => false,
        })
    }
}

struct Sseer;

impl Decode for Sseer {
    type Event = sseer::event::Event;

    fn decode(
        source: Source<impl Chunks>,
        mut sink: impl FnMut(&str, &str) -> bool,
    ) -> Result<Vec<Self::Event>, String> {
        let stream = sseer::EventStream::new(source);
        keep(stream, |event| sink(&event.event, &event.data))
    }
}

struct Eventsrc;

impl Decode for Eventsrc {
    type Event = eventsrc::Event;

    fn decode(
        source: Source<impl Chunks>,
        mut sink: impl FnMut(&str, &str) -> bool,
    ) -> Result<Vec<Self::Event>, String> {
        let stream = eventsrc::EventStream::new(source);
        keep(stream, |event| sink(event.event(), event.data()))
    }
}
