//! Deserializes the data of events from JSON.

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
    /// A stream of the data of each event as a `T`, created by
    /// [`EventStream::json`](crate::EventStream::json) and
    /// [`ClientEvents::json`](crate::ClientEvents::json). (Feature `json`.)
    ///
    /// If data does not deserialize into a `T`, the item is an [`Error::Json`] with the event, and
    /// the stream continues. The event type is ignored. If the data depends on it, make `T` an
    /// enum, or pass [`OwnedEvent::data`](sse_proto::OwnedEvent::data) to `serde_json::from_str`
    /// yourself.
    #[must_use = "streams do nothing unless polled"]
    pub struct JsonStream<S, T> {
        #[pin]
        events: S,
        marker: PhantomData<fn() -> T>,
    }
}

impl<S, T> JsonStream<S, T> {
    pub(crate) fn new(events: S) -> Self {
        Self {
            events,
            marker: PhantomData,
        }
    }

    /// Returns the underlying stream of events, for its last event ID and reconnection time.
    pub fn get_ref(&self) -> &S {
        &self.events
    }

    /// Returns the underlying stream of events, which continues with the next event.
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
