//! Subscribing, and the body of a stream.

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
    phase::Admission,
};

impl<S: Store> Hub<S> {
    /// The response to a request for a topic's stream: a [`Subscription`] with the headers of an event
    /// stream, or the refusal.
    ///
    /// ```no_run
    /// # use axum::{Router, extract::{Path, State}, response::IntoResponse, routing::get};
    /// # use http::HeaderMap;
    /// # use sse_proto_server::{Hub, MemoryStore};
    /// async fn events(State(hub): State<Hub>, Path(topic): Path<String>, headers: HeaderMap) -> impl IntoResponse {
    ///     hub.respond(&topic, &headers).await.into_response()
    /// }
    ///
    /// let app = Router::new().route("/events/{topic}", get(events)).with_state(Hub::new(MemoryStore::new()));
    /// # let _: Router = app;
    /// ```
    pub async fn respond(&self, topic: &str, headers: &HeaderMap) -> Response<Subscription> {
        match self.subscribe(topic, headers).await {
            Ok(subscription) => subscription.into_response(),
            Err(error) => error.into_response(),
        }
    }

    /// The stream of a topic: what follows the request's `Last-Event-ID`, and what is published from
    /// then on.
    ///
    /// A client whose id is too old, ahead of the log or none of ours gets a `gap` event and goes on
    /// from the newest event.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`], which is a response, too.
    pub async fn subscribe(
        &self,
        topic: &str,
        headers: &HeaderMap,
    ) -> Result<Subscription, SubscribeError> {
        let mut ids = headers.get_all("last-event-id").iter();
        let position = self.shared.options.start;
        let start = match (ids.next().map(HeaderValue::as_bytes), ids.next()) {
            (None | Some(b""), None) => Start::Position(position),
            // A proxy may have added one. Which of them is the client's cannot be told.
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

    /// The stream of a topic from a position that the caller knows. Does not ask
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
        let (ended, admission) = shared.phase.begin();
        if admission == Admission::Never {
            return Err(SubscribeError::Closed);
        }
        let log = shared.store.topic(topic).map_err(SubscribeError::Topic)?;
        let seat = shared.audience.admit(topic, &shared.options);
        let seat = seat.ok_or(SubscribeError::TooManyClients)?;
        let bounds = log.bounds_now();
        let client = Client {
            shared: shared.clone(),
            topic: log,
            seat,
            ended,
            state: State::Begin(start),
            bounds,
            is_in_burst: false,
            until: None,
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

/// The body of one client's stream (`http-body` 1).
///
/// It begins with `retry`, at once. A client that reads slowly costs no memory here: the next events
/// are read from the log when the connection has room. It needs tokio's timer.
#[must_use = "a body does nothing unless polled"]
pub struct Subscription {
    /// None in a refusal.
    body: Option<Pin<Box<dyn Body<Data = Bytes, Error = Infallible> + Send>>>,
}

impl Subscription {
    /// The [`event_stream_response`] with this body.
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
    /// The frames of a client, each made by one call.
    struct Unfold<C, N, F> {
        // Unless it is in the future.
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
        // At the end the client is dropped, and leaves the audience.
        if frame.is_some() {
            *this.client = Some(client);
        }
        Poll::Ready(frame.map(Ok))
    }
}

/// A stream is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeError {
    /// By [`HubBuilder::authorize`](crate::HubBuilder::authorize), with this status.
    Refused(StatusCode),
    /// [`HubBuilder::max_clients`](crate::HubBuilder::max_clients), or that of a topic, is reached: 503. Browsers do
    /// not come back after that.
    TooManyClients,
    /// There is no such topic, and cannot be: 404, or 503 if there are too many of them.
    Topic(TopicError),
    /// [`Hub::close`]: 204, the answer after which clients do not come back.
    Closed,
}

impl SubscribeError {
    /// The response, without a body.
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
