//! Reads one response, whatever it is, with its body as it is sent.

use std::{cell::RefCell, error::Error, io, pin::pin, sync::mpsc::SyncSender, time::Duration};

use super::{Arrival, Message, send};
use crate::{Failure, output::WithCauses, request};
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{Request, Response, header::LOCATION};
use http_body_util::{BodyExt as _, Empty};
use reqwest::Url;
use sse_proto::{Decoder, RetryPolicy};
use sse_proto_stream::{Connect as _, ConnectError, Error as Cause, EventSource, Reqwest};
use tokio::{runtime, time};

/// A request for a stream.
pub(crate) struct UrlRequest {
    request: Request<Bytes>,
    last_event_id: String,
    /// How long the response may be silent.
    timeout: Option<Duration>,
    /// Made before the time starts, because it takes long to read the root certificates.
    client: Reqwest,
}

impl UrlRequest {
    /// Reads the body of `--data`, if there is one.
    pub(crate) fn new(
        url: &Url,
        http: &request::Options,
        last_event_id: &str,
    ) -> Result<Self, Failure> {
        let request = http.request(url);
        Ok(Self {
            request: request.map_err(|error| Failure::Input("--data".into(), error))?,
            last_event_id: last_event_id.into(),
            timeout: http.timeout(),
            client: request::client(false).map_err(|error| Failure::Client(error.into()))?,
        })
    }
}

/// Sends the request and passes on the response.
pub(super) fn read(request: UrlRequest, sender: &SyncSender<Message>) -> Result<(), Failure> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Client(error.into()))?;
    runtime.block_on(async {
        let timeout = request.timeout.unwrap_or(Duration::MAX);
        let (head, mut body) = respond(request).await?.into_parts();
        if !send(sender, Arrival::Head(Box::new(head))) {
            return Ok(());
        }
        loop {
            let arrival = match time::timeout(timeout, body.frame()).await {
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => Arrival::Chunk(data),
                    _ => continue,
                },
                Ok(Some(Err(error))) => Arrival::Broken(WithCauses(&error).to_string()),
                Ok(None) => Arrival::End,
                Err(_elapsed) => Arrival::Broken(format!("nothing received for {timeout:?}")),
            };
            let is_end = !matches!(arrival, Arrival::Chunk(_));
            if !send(sender, arrival) || is_end {
                return Ok(());
            }
        }
    })
}

/// Returns the response to the request that [`EventSource`] sends, with the same headers and
/// redirects.
///
/// `EventSource` itself gets copies without the content type and the body. So it follows redirects
/// and refuses every other response.
async fn respond(request: UrlRequest) -> Result<Response<reqwest::Body>, Failure> {
    let mut client = request.client;
    let last = RefCell::new(None);
    let connect = |request: Request<Bytes>| {
        let response = client.connect(request);
        async {
            let response = response.await?;
            let mut copy = Response::new(Empty::<Bytes>::new());
            *copy.status_mut() = response.status();
            if let Some(location) = response.headers().get(LOCATION) {
                copy.headers_mut().insert(LOCATION, location.clone());
            }
            last.replace(Some(response));
            Ok::<_, ConnectError>(copy)
        }
    };
    let mut decoder = Decoder::new();
    let id = decoder.set_last_event_id(&request.last_event_id);
    id.map_err(Failure::LastEventId)?;
    let source = EventSource::with_decoder(request.request, decoder, connect, time::sleep);
    let mut source = source
        .map_err(Failure::Url)?
        .retry_policy(RetryPolicy::never());
    if let Some(timeout) = request.timeout {
        source = source.response_timeout(timeout);
    }
    let why = match pin!(source).next().await {
        Some(Err(Cause::Source(lost))) if lost.response().is_some() => None,
        Some(Err(Cause::Source(lost))) => match lost.source() {
            Some(cause) => Some(WithCauses(cause).to_string()),
            None => Some(lost.reason().to_string()),
        },
        _ => None,
    };
    match (why, last.into_inner()) {
        (None, Some(response)) => Ok(response),
        (why, _) => {
            let why = why.unwrap_or_else(|| "no response".into());
            Err(Failure::Input("request".into(), io::Error::other(why)))
        }
    }
}
