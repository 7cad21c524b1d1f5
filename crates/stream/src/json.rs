//! The data of events as values, from JSON.

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use serde::de::DeserializeOwned;

use sse_proto::OwnedEvent;

use crate::{Error, JsonError};

pin_project! {
    /// The data of each event as a `T`, made by [`EventStream::json`](crate::EventStream::json) and
    /// [`ClientEvents::json`](crate::ClientEvents::json). (Feature `json`.)
    ///
    /// Data that is no such JSON is an [`Error::Json`] with its event, and the stream goes on. Events of
    /// all types are read alike; where types differ, `T` can be an enum, or
    /// [`OwnedEvent::data`](sse_proto::OwnedEvent::data) goes to `serde_json::from_str` by hand.
    #[must_use = "streams do nothing unless polled"]
    pub struct JsonStream<S, T> {
        #[pin]
        events: S,
        of: PhantomData<fn() -> T>,
    }
}

impl<S, T> JsonStream<S, T> {
    pub(crate) fn new(events: S) -> Self {
        Self {
            events,
            of: PhantomData,
        }
    }

    /// The stream of events below, for its last event ID and reconnection time.
    pub fn get_ref(&self) -> &S {
        &self.events
    }

    /// The stream of events below. It goes on with the next event.
    pub fn into_inner(self) -> S {
        self.events
    }
}

impl<S, E, T> Stream for JsonStream<S, T>
where
    S: Stream<Item = Result<OwnedEvent, Error<E>>>,
    T: DeserializeOwned,
{
    type Item = Result<T, Error<E>>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let event = ready!(self.project().events.poll_next(context));
        Poll::Ready(event.map(|event| {
            let event = event?;
            serde_json::from_str(event.data())
                .map_err(|error| Error::Json(JsonError::new(error, event)))
        }))
    }
}

impl<S, E, T> FusedStream for JsonStream<S, T>
where
    S: FusedStream<Item = Result<OwnedEvent, Error<E>>>,
    T: DeserializeOwned,
{
    fn is_terminated(&self) -> bool {
        self.events.is_terminated()
    }
}

impl<S: fmt::Debug, T> fmt::Debug for JsonStream<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonStream")
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}
