//! Subscribing, and the response body of a stream.

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame as BodyFrame};
use pin_project_lite::pin_project;
use sse_proto_stream::{EncodedFrame, SseBody, event_stream_response};
use tokio::time;

use crate::{EventId, Hub, Position, Store, Topic as _, TopicError};

use super::{
    client::{Client, Start, State},
    shutdown::NewStreams,
};

impl<S: Store> Hub<S> {
    /// Responds to a request for a topic's stream, either with a [`Subscription`] and the headers
    /// of an [`event_stream_response`], to which others may be added, or with the status of a
    /// [`SubscribeError`].
    ///
    /// ```no_run
    /// # use axum::{Router, extract::{Path, State}, response::IntoResponse, routing::get};
    /// # use http::HeaderMap;
    /// # use sse_proto_server::{Hub, MemoryStore};
    /// async fn events(
    ///     State(hub): State<Hub>,
    ///     Path(topic): Path<String>,
    ///     headers: HeaderMap,
    /// ) -> impl IntoResponse {
    ///     hub.respond(&topic, &headers).await
    /// }
    ///
    /// let hub = Hub::new(MemoryStore::new());
    /// let app = Router::new().route("/events/{topic}", get(events)).with_state(hub);
    /// # let _: Router = app;
    /// ```
    pub async fn respond(&self, topic: &str, headers: &HeaderMap) -> Response<Subscription> {
        match self.subscribe(topic, headers).await {
            Ok(subscription) => subscription.into_response(),
            Err(error) => error.into_response(),
        }
    }

    /// Subscribes a client to a topic: it receives the events after the request's `Last-Event-ID`,
    /// and then all events that are published.
    ///
    /// A client whose id is too old, ahead of the log or unknown receives a `gap` event and
    /// continues from the newest event.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`], which can be turned into a response.
    pub async fn subscribe(
        &self,
        topic: &str,
        headers: &HeaderMap,
    ) -> Result<Subscription, SubscribeError> {
        let mut ids = headers.get_all("last-event-id").iter();
        let position = self.shared.options.start_position;
        let start = match (ids.next().map(HeaderValue::as_bytes), ids.next()) {
            (None | Some(b""), None) => Start::Position(position),
            // With several headers, for example if a proxy added one, the client's own is unknown.
            (_, Some(_)) => Start::UnknownId,
            (Some(id), None) => match EventId::from_header(id) {
                Ok(id) => Start::Position(Position::After(id)),
                Err(_) => Start::UnknownId,
            },
        };
        if let Some(authorize) = &self.shared.options.authorize {
            authorize(topic, headers)
                .await
                .map_err(SubscribeError::Refused)?;
        }
        self.open(topic, start)
    }

    /// Subscribes a client from the given position. Does not call
    /// [`authorize`](crate::HubBuilder::authorize).
    ///
    /// # Errors
    ///
    /// [`SubscribeError`].
    pub fn subscribe_at(
        &self,
        topic: &str,
        position: Position,
    ) -> Result<Subscription, SubscribeError> {
        self.open(topic, Start::Position(position))
    }

    fn open(&self, topic: &str, start: Start) -> Result<Subscription, SubscribeError> {
        let shared = &self.shared;
        let (generation, new_streams) = shared.shutdown.new_stream();
        if new_streams == NewStreams::Refuse {
            return Err(SubscribeError::Closed);
        }
        let log = shared.store.topic(topic).map_err(SubscribeError::Topic)?;
        let registration = shared.clients.register(topic, &shared.options);
        let registration = registration.ok_or(SubscribeError::TooManyClients)?;
        let bounds = log.bounds_now();
        let client = Client {
            shared: shared.clone(),
            topic: log,
            registration,
            generation,
            state: State::New(start),
            bounds,
            is_in_burst: false,
            last: None,
        };
        let next = |mut client: Client<S>| async move {
            let frame = client.next().await;
            (client, frame)
        };
        let frames = Unfold {
            client: Some(client),
            next,
            future: None,
        };
        let body = SseBody::new(frames).keep_alive(shared.options.keep_alive, time::sleep);
        Ok(Subscription {
            body: Some(Box::pin(body)),
        })
    }
}

/// The response body of one client's stream (`http-body` 1).
///
/// It starts immediately with `retry`. A slow client does not use additional memory: the next
/// events are read from the log only when the connection can accept them. Requires tokio's timer.
#[must_use = "a body does nothing unless polled"]
pub struct Subscription {
    /// `None` if the client was refused.
    body: Option<Pin<Box<dyn Body<Data = Bytes, Error = Infallible> + Send>>>,
}

impl Subscription {
    /// Returns an [`event_stream_response`] with this body.
    pub fn into_response(self) -> Response<Self> {
        event_stream_response(self)
    }
}

impl Body for Subscription {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Bytes>, Infallible>>> {
        match &mut self.body {
            Some(body) => body.as_mut().poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(|body| body.is_end_stream())
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

pin_project! {
    /// A stream of the frames of a client, each of which is returned by one call of `next`.
    struct Unfold<C, N, F> {
        // `None` while the future owns it.
        client: Option<C>,
        next: N,
        #[pin]
        future: Option<F>,
    }
}

impl<C, N, F> Stream for Unfold<C, N, F>
where
    N: FnMut(C) -> F,
    F: Future<Output = (C, Option<EncodedFrame>)>,
{
    type Item = Result<EncodedFrame, Infallible>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        if let Some(client) = this.client.take() {
            this.future.set(Some((this.next)(client)));
        }
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let (client, frame) = ready!(future.poll(context));
        this.future.set(None);
        // At the end of the stream the client is dropped, which removes it from the registry.
        if frame.is_some() {
            *this.client = Some(client);
        }
        Poll::Ready(frame.map(Ok))
    }
}

/// A subscription was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeError {
    /// [`HubBuilder::authorize`](crate::HubBuilder::authorize) refused it with this status.
    Refused(StatusCode),
    /// [`HubBuilder::max_clients`](crate::HubBuilder::max_clients) or the limit per topic is reached
    /// (503). Browsers do not reconnect after it.
    TooManyClients,
    /// The topic cannot be used: 404 if its name is invalid, 503 if there are too many topics.
    Topic(TopicError),
    /// [`Hub::close`] was called: 204, after which clients do not reconnect.
    Closed,
}

impl SubscribeError {
    /// Returns the response, which has no body.
    pub fn into_response(self) -> Response<Subscription> {
        let status = match self {
            Self::Refused(status) => status,
            Self::TooManyClients => StatusCode::SERVICE_UNAVAILABLE,
            Self::Topic(error) => error.status(),
            Self::Closed => StatusCode::NO_CONTENT,
        };
        let mut response = Response::new(Subscription { body: None });
        *response.status_mut() = status;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let seconds = HeaderValue::from_static("10");
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(status) => write!(f, "refused: {status}"),
            Self::TooManyClients => f.write_str("there are too many clients"),
            Self::Topic(error) => write!(f, "{error}"),
            Self::Closed => f.write_str("the hub is closed"),
        }
    }
}

impl Error for SubscribeError {}
