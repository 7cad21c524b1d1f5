//! Decoders that read a stream of bytes themselves, and are a stream of events.

use std::{convert::Infallible, future::ready, pin::pin};

use bytes::Bytes;
use eventsource_client::Client as _;
use futures_util::{StreamExt, TryStreamExt};
use launchdarkly_sdk_transport as transport;
use sse_conformance::{DecodeRequest, Item};

use crate::{Decoded, feed::Feed};

fn event(event: impl Into<String>, data: impl Into<String>, id: impl Into<String>) -> Item {
    Item::Event {
        event: event.into(),
        data: data.into(),
        last_event_id: id.into(),
    }
}

/// Adds the final last event ID to the answer.
fn with_id(decoded: Decoded, id: &str) -> Decoded {
    let mut answer = decoded?;
    answer.last_event_id = Some(id.to_owned());
    Ok(answer)
}

pub(crate) fn async_sse(request: DecodeRequest) -> Decoded {
    let feed = Feed::default();
    let body = feed.clone().map_err(|never: Infallible| match never {});
    let decoder = pin!(async_sse::decode(body.into_async_read()));
    let mut last_event_id = String::new();
    feed.run(request.chunks, decoder, |item| {
        Some(match item {
            async_sse::Event::Retry(after) => Item::Retry {
                retry: after.as_millis().try_into().unwrap_or(u64::MAX),
            },
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
            eventsrc::Frame::Retry(after) => Item::Retry {
                retry: after.as_millis().try_into().unwrap_or(u64::MAX),
            },
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
