//! Decoders that read a stream of bytes themselves, and are a stream of events.

use std::{convert::Infallible, future::ready, pin::pin, time::Duration};

use bytes::Bytes;
use eventsource_client::Client as _;
use futures_core::Stream;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use launchdarkly_sdk_transport as transport;
use sse_conformance::{DecodeRequest, Item};
use tokio_util::{codec::FramedRead, io::StreamReader};

use crate::{Decoded, feed::Feed};

fn event(event: impl Into<String>, data: impl Into<String>, id: impl Into<String>) -> Item {
    Item::Event {
        event: event.into(),
        data: data.into(),
        last_event_id: id.into(),
    }
}

fn retry(after: Duration) -> Item {
    Item::Retry {
        retry: after.as_millis().try_into().unwrap_or(u64::MAX),
    }
}

/// Adds the final last event ID to the answer.
fn with_id(decoded: Decoded, id: &str) -> Decoded {
    let mut answer = decoded?;
    answer.last_event_id = Some(id.to_owned());
    Ok(answer)
}

pub(crate) fn allama_http(request: DecodeRequest) -> Decoded {
    let feed = Feed::default();
    let events = pin!(allama_http::sse::SseStream::new(feed.clone()));
    feed.run(request.chunks, events, |out| {
        Some(event(out.event, out.data, out.id.unwrap_or_default()))
    })
}

pub(crate) fn async_sse(request: DecodeRequest) -> Decoded {
    let feed = Feed::default();
    let body = feed.clone().map_err(|never: Infallible| match never {});
    let decoder = pin!(async_sse::decode(body.into_async_read()));
    let mut last_event_id = String::new();
    feed.run(request.chunks, decoder, |item| {
        Some(match item {
            async_sse::Event::Retry(after) => retry(after),
            async_sse::Event::Message(message) => {
                if let Some(id) = message.id() {
                    last_event_id = id.clone();
                }
                let data = String::from_utf8_lossy(message.data());
                event(message.name(), data, &last_event_id)
            }
        })
    })
}

/// Its parser is private, but the transport below the client is not.
pub(crate) fn eventsource_client(request: DecodeRequest) -> Decoded {
    use eventsource_client::{ClientBuilder, Error, ReconnectOptions, SSE};

    let feed = Feed::default();
    let options = ReconnectOptions::reconnect(false)
        .retry_initial(false)
        .build();
    let mut last_event_id = request.last_event_id.unwrap_or_default();
    let client = ClientBuilder::for_url("http://localhost/")
        .map_err(|why| why.to_string())?
        .last_event_id(last_event_id.clone())
        .reconnect(options)
        .build_with_transport(Transport(feed.clone()));
    // It reports the end of the body as one of two errors.
    let items = client
        .stream()
        .take_while(|item| ready(!matches!(item, Err(Error::Eof | Error::UnexpectedEof))));
    feed.run(request.chunks, pin!(items), |item| match item {
        SSE::Connected(_) => None,
        SSE::Comment(comment) => Some(Item::Comment { comment }),
        SSE::Event(message) => {
            if let Some(id) = message.id {
                last_event_id = id;
            }
            Some(event(message.event_type, message.data, &last_event_id))
        }
    })
}

/// Responds with the body immediately.
#[derive(Clone)]
struct Transport(Feed);

impl transport::HttpTransport for Transport {
    fn request(&self, _: http::Request<Option<Bytes>>) -> transport::ResponseFuture {
        let body = self.0.clone().map_err(|never: Infallible| match never {});
        let body: transport::ByteStream = Box::pin(body);
        Box::pin(ready(Ok(http::Response::new(body))))
    }
}

pub(crate) fn eventsource_stream(request: DecodeRequest) -> Decoded {
    let feed = Feed::default();
    let mut events = pin!(eventsource_stream::EventStream::new(feed.clone()));
    events.set_last_event_id(request.last_event_id.unwrap_or_default());
    let decoded = feed.run(request.chunks, events.as_mut(), |out| {
        Some(event(out.event, out.data, out.id))
    });
    with_id(decoded, events.last_event_id())
}

pub(crate) fn eventsource_stream2(request: DecodeRequest) -> Decoded {
    let feed = Feed::default();
    let mut events = pin!(eventsource_stream2::EventStream::new(feed.clone()));
    events.set_last_event_id(request.last_event_id.unwrap_or_default());
    let decoded = feed.run(request.chunks, events.as_mut(), |out| {
        Some(event(out.event, out.data, out.id))
    });
    with_id(decoded, events.last_event_id())
}

pub(crate) fn eventsrc(request: DecodeRequest) -> Decoded {
    let feed = Feed::default();
    let seed = request.last_event_id.unwrap_or_default();
    let frames = eventsrc::FrameStream::new(feed.clone()).with_last_event_id(seed);
    let mut frames = pin!(frames);
    let decoded = feed.run(request.chunks, frames.as_mut(), |frame| {
        Some(match frame {
            eventsrc::Frame::Event(out) => event(out.event(), out.data(), out.id()),
            eventsrc::Frame::Retry(after) => retry(after),
        })
    });
    with_id(decoded, frames.last_event_id())
}

/// The event of a block whose fields the decoder returns unchanged; a block without data is not an
/// event.
fn of_block(
    name: Option<String>,
    data: Option<String>,
    id: Option<String>,
    last_event_id: &mut String,
) -> Option<Item> {
    if let Some(id) = id {
        *last_event_id = id;
    }
    let name = name.filter(|name| !name.is_empty());
    Some(event(
        name.unwrap_or("message".to_owned()),
        data?,
        last_event_id.as_str(),
    ))
}

/// It reads a response of reqwest.
pub(crate) fn reqwest_sse(request: DecodeRequest) -> Decoded {
    use reqwest_sse::EventSource;

    let feed = Feed::default();
    let response = http::Response::builder()
        .header("Content-Type", "text/event-stream")
        .body(reqwest::Body::wrap_stream(feed.clone()))
        .map_err(|why| why.to_string())?;
    let events = reqwest::Response::from(response).events().now_or_never();
    let events = events.ok_or("it waits before it reads the body")?;
    let events = events.map_err(|why| why.to_string())?;
    feed.run(request.chunks, pin!(events), |out| {
        Some(event(
            out.event_type,
            out.data,
            out.last_event_id.unwrap_or_default(),
        ))
    })
}

pub(crate) fn russe(request: DecodeRequest) -> Decoded {
    let feed = Feed::default();
    let frames = FramedRead::new(reader(feed.clone()), russe::Decoder::default());
    let frames = pin!(until_end(frames, feed.clone()));
    let mut last_event_id = String::new();
    feed.run(request.chunks, frames, |frame| {
        let russe::Event::Message(message) = frame else {
            return None;
        };
        if let Some(id) = message.id {
            last_event_id = id.to_string();
        }
        let name = message.event.as_deref().unwrap_or("message");
        Some(event(name, &*message.data, &last_event_id))
    })
}

pub(crate) fn sse_codec(request: DecodeRequest) -> Decoded {
    let feed = Feed::default();
    let body = feed.clone().map_err(|never: Infallible| match never {});
    let events = pin!(sse_codec::decode_stream(body.into_async_read()));
    let mut last_event_id = String::new();
    feed.run(request.chunks, events, |out| {
        Some(match out {
            sse_codec::Event::Retry { retry } => Item::Retry { retry },
            sse_codec::Event::Message {
                id,
                event: name,
                data,
            } => {
                if let Some(id) = id {
                    last_event_id = id;
                }
                event(name, data, &last_event_id)
            }
        })
    })
}

pub(crate) fn sse_stream(request: DecodeRequest) -> Decoded {
    let feed = Feed::default();
    let blocks = pin!(sse_stream::SseByteStream::new(feed.clone()));
    let mut last_event_id = String::new();
    feed.run(request.chunks, blocks, |block| {
        of_block(block.event, block.data, block.id, &mut last_event_id)
    })
}

pub(crate) fn sse_stream_0_2(request: DecodeRequest) -> Decoded {
    let feed = Feed::default();
    let blocks = sse_stream_0_2::SseStream::from_bytes_stream(feed.clone());
    let mut last_event_id = String::new();
    feed.run(request.chunks, pin!(blocks), |block| {
        of_block(block.event, block.data, block.id, &mut last_event_id)
    })
}

pub(crate) fn sseer(request: DecodeRequest) -> Decoded {
    let feed = Feed::default();
    let mut events = pin!(sseer::EventStream::new(feed.clone()));
    events.set_last_event_id(request.last_event_id.unwrap_or_default());
    let decoded = feed.run(request.chunks, events.as_mut(), |out| {
        Some(event(&*out.event, &*out.data, &*out.id))
    });
    with_id(decoded, events.last_event_id())
}

pub(crate) fn tokio_sse_codec(request: DecodeRequest) -> Decoded {
    use tokio_sse_codec::{Frame, SseDecoder};

    let feed = Feed::default();
    let frames = FramedRead::new(reader(feed.clone()), SseDecoder::<String>::new());
    let frames = pin!(until_end(frames, feed.clone()));
    let mut last_event_id = String::new();
    feed.run(request.chunks, frames, |frame| {
        Some(match frame {
            Frame::Comment(comment) => Item::Comment { comment },
            Frame::Retry(after) => retry(after),
            Frame::Event(message) => {
                if let Some(id) = message.id {
                    last_event_id = id.into_owned();
                }
                event(message.name, message.data, &last_event_id)
            }
        })
    })
}

/// Without the error for an incomplete frame at the end of the body, which every connection that
/// breaks off gives.
fn until_end<T, E>(
    frames: impl Stream<Item = Result<T, E>>,
    feed: Feed,
) -> impl Stream<Item = Result<T, E>> {
    frames.take_while(move |frame| ready(frame.is_ok() || !feed.has_ended()))
}

/// The body for codecs of tokio-util.
fn reader(feed: Feed) -> StreamReader<impl Stream<Item = std::io::Result<Bytes>>, Bytes> {
    StreamReader::new(feed.map_err(|never: Infallible| match never {}))
}
