//! All decoders behind one interface, which takes chunks and passes the data of each event to a sink.
//!
//! Chunks are never freed. Peers that need `Bytes` get them without a copy, a reference count or an
//! allocation, and peers that are `Stream`s are polled directly, so that each is charged only for its
//! own work. Each is used in the way that its documentation shows first; limits are high enough for
//! all streams. None of them has to keep the event, type or id.

use bytes::Bytes;
use eventsource_client::Client as _;
use futures_core::Stream;
use launchdarkly_sdk_transport as transport;
use std::any::Any;
use std::convert::Infallible;
use std::fmt::Display;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use sse_proto_benches::{Answer, Digest};

/// No stream has a longer event.
pub(crate) const MAX_EVENT_LEN: usize = 128 << 20;

/// A decoder, or the reference pass.
pub struct Candidate {
    /// Name and version.
    pub name: &'static str,
    /// Decodes a stream in chunks of the given size and reads only the length of the data. This is what
    /// is timed.
    pub run: fn(&'static Bytes, usize) -> Result<Answer, String>,
    /// The same, but reads all data, and ends the stream at the deadline.
    pub digest: Option<DigestFn>,
    /// The same for a stream type, but keeps some events and drops the rest.
    pub keep: Option<KeepFn>,
    /// Whether it ends the stream at invalid UTF-8, which the standard replaces with U+FFFD.
    pub strict: bool,
}

/// Returns an answer with its digest, or why it stopped.
pub type DigestFn = fn(&'static Bytes, usize, Instant) -> Result<(Answer, Digest), String>;

/// Returns the events that were kept, or why it stopped.
pub type KeepFn = fn(&'static Bytes, usize) -> Result<Kept, String>;

/// Events that were kept.
pub struct Kept {
    /// Their number.
    pub events: usize,
    /// A boxed slice of the events.
    pub memory: Box<dyn Any>,
}

/// The decoder of this crate.
pub const OURS: Candidate = candidate::<Ours>("sse-proto", false);

/// A pass that does the minimum that any decoder must do: see [`sse_proto_benches::reference`]. It
/// has no answer.
pub const REFERENCE: Candidate = Candidate {
    name: "reference",
    run: |bytes, size| {
        black_box(sse_proto_benches::reference(bytes, size));
        Ok(Answer::default())
    },
    digest: None,
    keep: None,
    strict: false,
};

/// The decoders of other crates.
pub const PEERS: [Candidate; 9] = [
    candidate::<SseCore>("sse-core 0.2.3", false),
    candidate::<SseParse>("sse-parse 0.1.0", false),
    candidate::<SseStream>("sse-stream 0.3.0", true),
    candidate::<SseStream02>("sse-stream 0.2.6", true),
    candidate::<Sseer>("sseer 0.3.1", true),
    candidate::<Eventsrc>("eventsrc 0.0.2", true),
    candidate::<StreamRs>("stream-rs 0.1.0", false),
    candidate::<EventsourceClient>("eventsource-client 0.18.0", true),
    candidate::<EventsourceStream>("eventsource-stream 0.2.3", true),
];

/// Chunks that are never freed.
trait Chunks: Iterator<Item = &'static [u8]> + Clone + Send + Sync + 'static {}

impl<T: Iterator<Item = &'static [u8]> + Clone + Send + Sync + 'static> Chunks for T {}

fn stream(chunks: impl Chunks) -> impl Stream<Item = Result<Bytes, Infallible>> {
    futures_util::stream::iter(chunks.map(|chunk| Ok(Bytes::from_static(chunk))))
}

trait Decode {
    /// Passes the data of every event to `sink`. Returns why it stopped, if it did.
    fn decode(chunks: impl Chunks, sink: impl FnMut(&str)) -> Result<(), String>;
}

const fn candidate<D: Decode>(name: &'static str, strict: bool) -> Candidate {
    Candidate {
        name,
        run: |bytes, size| {
            let mut answer = Answer::default();
            D::decode(bytes.chunks(size), |data| {
                answer.events += 1;
                answer.data += data.len() as u64;
            })?;
            Ok(answer)
        },
        digest: Some(|bytes, size, deadline| {
            let chunks = bytes
                .chunks(size)
                .take_while(move |_| Instant::now() < deadline);
            let mut answer = Answer::default();
            let mut digest = Digest::default();
            D::decode(chunks, |data| {
                answer.events += 1;
                answer.data += data.len() as u64;
                digest.add(data);
            })?;
            Ok((answer, digest))
        }),
        keep: None,
        strict,
    }
}

struct Ours;

impl Decode for Ours {
    fn decode(chunks: impl Chunks, mut sink: impl FnMut(&str)) -> Result<(), String> {
        let mut decoder = sse_proto::Decoder::with_max_event_len(MAX_EVENT_LEN);
        for chunk in chunks {
            let mut events = decoder.feed(chunk);
            while let Some(event) = events.next_event().expect("no event is that large") {
                sink(black_box(event).data);
            }
        }
        Ok(())
    }
}

struct SseCore;

impl Decode for SseCore {
    fn decode(chunks: impl Chunks, mut sink: impl FnMut(&str)) -> Result<(), String> {
        let limit = NonZeroUsize::new(MAX_EVENT_LEN).expect("it is not zero");
        let mut decoder = sse_core::SseDecoder::with_limit(limit);
        for mut chunk in chunks {
            while let Some(event) = decoder.next(&mut chunk) {
                if let sse_core::SseEvent::Message(event) = event.expect("no event is that large") {
                    sink(&black_box(&event).data);
                }
            }
        }
        Ok(())
    }
}

struct SseParse;

impl Decode for SseParse {
    fn decode(chunks: impl Chunks, mut sink: impl FnMut(&str)) -> Result<(), String> {
        let mut parser = sse_parse::SseParser::new();
        for chunk in chunks {
            parser.feed(chunk);
            while let Some(event) = parser.next_event() {
                sink(&black_box(&event).data);
            }
        }
        Ok(())
    }
}

struct SseStream;

impl Decode for SseStream {
    fn decode(chunks: impl Chunks, mut sink: impl FnMut(&str)) -> Result<(), String> {
        each(sse_stream::SseByteStream::new(stream(chunks)), |block| {
            if let Some(data) = &block.data {
                sink(data);
            }
        })
    }
}

struct SseStream02;

impl Decode for SseStream02 {
    fn decode(chunks: impl Chunks, mut sink: impl FnMut(&str)) -> Result<(), String> {
        let stream = sse_stream_0_2::SseStream::from_bytes_stream(stream(chunks));
        each(stream, |block| {
            if let Some(data) = &block.data {
                sink(data);
            }
        })
    }
}

struct Sseer;

impl Decode for Sseer {
    fn decode(chunks: impl Chunks, mut sink: impl FnMut(&str)) -> Result<(), String> {
        let stream = sseer::EventStream::new(stream(chunks));
        each(stream, |event| sink(&event.data))
    }
}

struct Eventsrc;

impl Decode for Eventsrc {
    fn decode(chunks: impl Chunks, mut sink: impl FnMut(&str)) -> Result<(), String> {
        let stream = eventsrc::EventStream::new(stream(chunks));
        each(stream, |event| sink(event.data()))
    }
}

struct StreamRs;

impl Decode for StreamRs {
    fn decode(chunks: impl Chunks, mut sink: impl FnMut(&str)) -> Result<(), String> {
        let mut parser = stream_rs::SseParser::new();
        let mut events = Vec::new();
        for chunk in chunks {
            parser.feed(chunk, &mut events);
            for event in events.drain(..) {
                sink(&black_box(&event).data);
            }
        }
        Ok(())
    }
}

/// Its parser is private, so it is used through the client, with a transport that returns the chunks
/// at once.
struct EventsourceClient;

impl Decode for EventsourceClient {
    fn decode(chunks: impl Chunks, mut sink: impl FnMut(&str)) -> Result<(), String> {
        let options = eventsource_client::ReconnectOptions::reconnect(false)
            .retry_initial(false)
            .build();
        let client = eventsource_client::ClientBuilder::for_url("http://localhost/")
            .map_err(text)?
            .reconnect(options)
            .build_with_transport(ReplayTransport(chunks));
        let events = each(client.stream(), |item| {
            if let eventsource_client::SSE::Event(event) = item {
                sink(&event.data);
            }
        });
        // The client reports the end of the body as an error.
        match events {
            Err(end) if end == eventsource_client::Error::Eof.to_string() => Ok(()),
            other => other,
        }
    }
}

#[derive(Clone)]
struct ReplayTransport<C>(C);

impl<C: Chunks> transport::HttpTransport for ReplayTransport<C> {
    fn request(&self, _: http::Request<Option<Bytes>>) -> transport::ResponseFuture {
        let chunks = self.0.clone().map(|chunk| Ok(Bytes::from_static(chunk)));
        let body: transport::ByteStream = Box::pin(futures_util::stream::iter(chunks));
        Box::pin(std::future::ready(Ok(http::Response::new(body))))
    }
}

struct EventsourceStream;

impl Decode for EventsourceStream {
    fn decode(chunks: impl Chunks, mut sink: impl FnMut(&str)) -> Result<(), String> {
        let stream = eventsource_stream::EventStream::new(stream(chunks));
        each(stream, |event| sink(&event.data))
    }
}

/// Polls to the end, or to the first error.
fn each<T, E: Display>(
    stream: impl Stream<Item = Result<T, E>>,
    mut sink: impl FnMut(&T),
) -> Result<(), String> {
    keep(stream, |item| {
        sink(item);
        false
    })?;
    Ok(())
}

/// The same, but returns the items to keep. If the compiler sees that there are none, items are not moved.
pub(crate) fn keep<T, E: Display>(
    stream: impl Stream<Item = Result<T, E>>,
    mut is_kept: impl FnMut(&T) -> bool,
) -> Result<Vec<T>, String> {
    let mut kept = Vec::new();
    let mut stream = pin!(stream);
    let mut context = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(item)) = stream.as_mut().poll_next(&mut context) {
        let item = item.map_err(text)?;
        if is_kept(black_box(&item)) {
            kept.push(item);
        }
    }
    Ok(kept)
}

fn text(error: impl Display) -> String {
    error.to_string()
}
