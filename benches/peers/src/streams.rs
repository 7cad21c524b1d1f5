//! Streams of events, as their users see them: chunks with a count of references come in, as a transport hands them out,
//! and events that own their text, or hold on to their chunk, come out.

use crate::decoders::{Candidate, LIMIT};
use crate::measure::{Input, Out, Table, measure};
use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body, Frame};
use sse_proto::{Decoder, OwnedEvent};
use sse_proto_benches::{Answer, Digest};
use sse_proto_stream::{EventStream, ItemStream, OwnedItem};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Display;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// The stream types: ours, then what the owned one could gain at most, then those of other crates.
pub const STREAMS: [Candidate; 11] = [
    candidate::<Ours>("sse-proto-stream", false),
    candidate::<Lent>("sse-proto-stream, lent", false),
    candidate::<OursOfBody>("sse-proto-stream, body", false),
    candidate::<OursWithItems>("sse-proto-stream, items", false),
    candidate::<ByHand>("(batches of 64 by hand)", false),
    candidate::<EventsourceStream>("eventsource-stream 0.2.3", true),
    candidate::<SseByteStream>("sse-stream 0.3.0", true),
    candidate::<SseBodyStream>("sse-stream 0.3.0, body", true),
    candidate::<SseCore>("sse-core 0.2.3", false),
    candidate::<Sseer>("sseer 0.3.1", true),
    candidate::<Eventsrc>("eventsrc 0.0.2", true),
];

/// Where the other crates begin in [`STREAMS`].
const PEERS: usize = 5;

/// The chunk sizes that are measured.
const CHUNKS: [&str; 4] = ["event", "16", "1400", "16384"];

/// Measures the streams and chunk sizes that are wanted, for about `time` each, and prints a table for each stream and how
/// the fastest of the others compares.
pub fn run(streams: impl Fn(&str) -> bool, chunks: impl Fn(&str) -> bool, time: Duration) {
    let candidates: Vec<_> = STREAMS.iter().collect();
    let mut summary = Vec::new();
    for stream in sse_proto_benches::all(1 << 18) {
        if !streams(stream.name) {
            continue;
        }
        let all = stream.chunks().into_iter();
        let sizes: Vec<_> = all
            .filter(|(name, _)| CHUNKS.contains(name) && chunks(name))
            .collect();
        let (name, about, events) = (stream.name, stream.about, stream.answer.events as f64);
        let input = Input::from(stream);
        let columns: Vec<_> = sizes
            .iter()
            .map(|(_, size)| {
                measure(
                    &candidates,
                    &input,
                    *size,
                    201,
                    time,
                    Duration::from_secs(1),
                )
            })
            .collect();

        let names = sizes.iter().map(|(name, _)| *name);
        let mut table = Table::new(["ns an event"].into_iter().chain(names));
        for (row, candidate) in candidates.iter().enumerate() {
            let cells = columns.iter().map(|column| match &column[row] {
                Ok(nanos) => format!("{:.1}", nanos / events),
                Err(out) => table.out(out),
            });
            let cells = cells.collect();
            table.row(candidate.name, cells);
        }
        let ratios =
            |row: usize| -> Vec<_> { columns.iter().map(|column| ratio(column, row)).collect() };
        let (owned, lent) = (ratios(0), ratios(1));
        table.row("fastest other / sse-proto-stream", owned.clone());
        table.row("fastest other / lent", lent.clone());
        println!("**{name}**: {about}\n\n{table}");
        summary.push((name, sizes, owned, lent));
    }
    println!("The last two rows of all tables, owned and lent:\n");
    let mut table = Table::new(
        ["fastest other / ours"]
            .into_iter()
            .chain(CHUNKS)
            .chain(CHUNKS),
    );
    for (name, sizes, owned, lent) in summary {
        let cell = |ratios: &[String], chunk: &str| {
            let place = sizes.iter().position(|(name, _)| *name == chunk);
            place.map_or("-".to_owned(), |place| ratios[place].clone())
        };
        let cells = [&owned, &lent]
            .into_iter()
            .flat_map(|ratios| CHUNKS.map(|chunk| cell(ratios, chunk)));
        table.row(name, cells.collect());
    }
    print!("{table}");
}

/// The time of the fastest of the others over that of `row`.
fn ratio(column: &[Result<f64, Out>], row: usize) -> String {
    let others = column[PEERS..].iter().filter_map(|time| time.as_ref().ok());
    let fastest = others.copied().fold(f64::INFINITY, f64::min);
    match &column[row] {
        Ok(ours) if fastest.is_finite() => format!("**{:.2}**", fastest / ours),
        _ => "-".to_owned(),
    }
}

/// Runs one of [`STREAMS`] over one stream, twice, and only the second time within [`measured`]: for a tool that counts
/// instructions.
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

/// What [`once`] runs.
#[inline(never)]
pub fn measured(work: &dyn Fn() -> Answer) -> Answer {
    work()
}

/// A transport: it has the whole stream, and hands out slices of it.
struct Source {
    rest: Bytes,
    size: usize,
    deadline: Option<Instant>,
}

impl Source {
    fn new(bytes: &'static [u8], size: usize, deadline: Option<Instant>) -> Self {
        // Not as a static slice: those have no count of references.
        let rest = Bytes::from_owner(bytes);
        Self {
            rest,
            size,
            deadline,
        }
    }

    #[inline]
    fn next(&mut self) -> Option<Bytes> {
        let is_late = self
            .deadline
            .is_some_and(|deadline| Instant::now() > deadline);
        if self.rest.is_empty() || is_late {
            return None;
        }
        Some(self.rest.split_to(self.size.min(self.rest.len())))
    }
}

impl Stream for Source {
    type Item = Result<Bytes, Infallible>;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.next().map(Ok))
    }
}

impl Body for Source {
    type Data = Bytes;
    type Error = Infallible;

    #[inline]
    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.next().map(|chunk| Ok(Frame::data(chunk))))
    }
}

trait Decode {
    /// Hands type and data of every event to `sink`, or says what stopped it.
    fn decode(source: Source, sink: impl FnMut(&str, &str)) -> Result<(), String>;
}

const fn candidate<D: Decode>(name: &'static str, strict: bool) -> Candidate {
    Candidate {
        name,
        run: |bytes, size| {
            let mut answer = Answer::default();
            D::decode(Source::new(bytes, size, None), |event_type, data| {
                black_box(event_type);
                answer.events += 1;
                answer.data += data.len() as u64;
            })?;
            Ok(answer)
        },
        digest: Some(|bytes, size, deadline| {
            let mut answer = Answer::default();
            let mut digest = Digest::default();
            D::decode(Source::new(bytes, size, Some(deadline)), |_, data| {
                answer.events += 1;
                answer.data += data.len() as u64;
                digest.add(data);
            })?;
            Ok((answer, digest))
        }),
        strict,
    }
}

/// Polls to the end, or to the first error.
fn each<T, E: Display>(
    stream: impl Stream<Item = Result<T, E>>,
    mut sink: impl FnMut(&T),
) -> Result<(), String> {
    let mut stream = pin!(stream);
    let mut context = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(item)) = stream.as_mut().poll_next(&mut context) {
        sink(black_box(&item.map_err(|error| error.to_string())?));
    }
    Ok(())
}

fn decoder() -> Decoder {
    Decoder::with_max_event_len(LIMIT)
}

struct Ours;

impl Decode for Ours {
    fn decode(source: Source, mut sink: impl FnMut(&str, &str)) -> Result<(), String> {
        each(EventStream::with_decoder(source, decoder()), |event| {
            sink(event.event_type(), event.data());
        })
    }
}

struct Lent;

impl Decode for Lent {
    fn decode(source: Source, mut sink: impl FnMut(&str, &str)) -> Result<(), String> {
        let stream = pin!(EventStream::with_decoder(source, decoder()));
        let reading = pin!(stream.for_each_event(|event| {
            let event = black_box(event.expect("no event is that large"));
            sink(event.event_type, event.data);
            ControlFlow::<()>::Continue(())
        }));
        match reading.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(None)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    }
}

struct OursOfBody;

impl Decode for OursOfBody {
    fn decode(source: Source, mut sink: impl FnMut(&str, &str)) -> Result<(), String> {
        each(EventStream::from_body(source), |event| {
            sink(event.event_type(), event.data());
        })
    }
}

struct OursWithItems;

impl Decode for OursWithItems {
    fn decode(source: Source, mut sink: impl FnMut(&str, &str)) -> Result<(), String> {
        each(ItemStream::with_decoder(source, decoder()), |item| {
            if let OwnedItem::Event(event) = item {
                sink(event.event_type(), event.data());
            }
        })
    }
}

/// What a stream type has to keep up with.
struct ByHand;

impl Decode for ByHand {
    fn decode(mut source: Source, mut sink: impl FnMut(&str, &str)) -> Result<(), String> {
        let mut decoder = decoder();
        let mut queue: VecDeque<Result<OwnedEvent, _>> = VecDeque::new();
        while let Some(chunk) = source.next() {
            let mut rest = &chunk[..];
            loop {
                let mut events = decoder.feed(rest).owned();
                queue.extend(events.by_ref().take(64));
                rest = events.rest();
                while let Some(event) = queue.pop_front() {
                    let event = black_box(event.expect("no event is that large"));
                    sink(event.event_type(), event.data());
                }
                if rest.is_empty() {
                    break;
                }
            }
        }
        Ok(())
    }
}

struct EventsourceStream;

impl Decode for EventsourceStream {
    fn decode(source: Source, mut sink: impl FnMut(&str, &str)) -> Result<(), String> {
        let stream = eventsource_stream::EventStream::new(source);
        each(stream, |event| sink(&event.event, &event.data))
    }
}

fn block(block: &sse_stream::Sse, mut sink: impl FnMut(&str, &str)) {
    if let Some(data) = &block.data {
        sink(block.event.as_deref().unwrap_or("message"), data);
    }
}

struct SseByteStream;

impl Decode for SseByteStream {
    fn decode(source: Source, mut sink: impl FnMut(&str, &str)) -> Result<(), String> {
        let stream = sse_stream::SseByteStream::new(source);
        each(stream, |event| block(event, &mut sink))
    }
}

struct SseBodyStream;

impl Decode for SseBodyStream {
    fn decode(source: Source, mut sink: impl FnMut(&str, &str)) -> Result<(), String> {
        let stream = sse_stream::SseStream::new(source);
        each(stream, |event| block(event, &mut sink))
    }
}

struct SseCore;

impl Decode for SseCore {
    fn decode(source: Source, mut sink: impl FnMut(&str, &str)) -> Result<(), String> {
        let limit = std::num::NonZeroUsize::new(LIMIT).expect("it is not zero");
        let decoder = sse_core::SseDecoder::with_limit(limit);
        let mut stream = sse_core::SseStream::with_decoder(decoder);
        stream.attach(source);
        each(stream, |event| {
            if let sse_core::SseEvent::Message(event) = event {
                sink(&event.event, &event.data);
            }
        })
    }
}

struct Sseer;

impl Decode for Sseer {
    fn decode(source: Source, mut sink: impl FnMut(&str, &str)) -> Result<(), String> {
        let stream = sseer::EventStream::new(source);
        each(stream, |event| sink(&event.event, &event.data))
    }
}

struct Eventsrc;

impl Decode for Eventsrc {
    fn decode(source: Source, mut sink: impl FnMut(&str, &str)) -> Result<(), String> {
        let stream = eventsrc::EventStream::new(source);
        each(stream, |event| sink(event.event(), event.data()))
    }
}
