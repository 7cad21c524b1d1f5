//! The events of a client, without the changes of its connection.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::{FusedStream, Stream};
use http::Request;
use pin_project_lite::pin_project;
use sse_proto::OwnedEvent;

use super::{Connect, EventSource, Lost, Received, Sleep};
use crate::Error;

pin_project! {
    /// The events of an [`EventSource`]: a [`Stream`] of `Result<OwnedEvent, Error<Lost>>`, created
    /// by [`EventSource::events`].
    ///
    /// It reconnects silently. When there will be no further attempt, the last loss is an error,
    /// and the stream ends. For a request that is sent only once, every end is such an error,
    /// except at the marker of [`until`](EventSource::until).
    ///
    /// ```
    /// use futures_util::TryStreamExt as _;
    /// use http::{Request, Response};
    /// use http_body_util::Full;
    /// use sse_proto_stream::EventSource;
    ///
    /// # futures_executor::block_on(async {
    /// # let connect = async |_: Request<bytes::Bytes>| Response::builder()
    /// #     .header("content-type", "text/event-stream")
    /// #     .body(Full::new(&b"data: a\n\ndata: b\n\ndata: [DONE]\n\n"[..]));
    /// # let sleep = |_| std::future::ready(());
    /// let request = Request::post("http://a.example/chat").body("{}".into())?;
    /// let events = EventSource::new(request, connect, sleep)?.until("[DONE]").events();
    /// let events: Vec<_> = events.try_collect().await?;
    /// assert_eq!(events.len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use = "streams do nothing unless polled"]
    pub struct ClientEvents<C, T, H = fn(&mut Request<Bytes>)>
    where
        C: Connect,
        T: Sleep,
    {
        #[pin]
        source: EventSource<C, T, H>,
    }
}

impl<C: Connect, T: Sleep, H> ClientEvents<C, T, H> {
    pub(crate) fn new(source: EventSource<C, T, H>) -> Self {
        Self { source }
    }

    /// Deserializes the data of each event from JSON into a `V`. (Feature `json`.)
    ///
    /// If that fails, the item is an [`Error::Json`] with the event, and the stream continues.
    #[cfg(feature = "json")]
    pub fn json<V: serde::de::DeserializeOwned>(self) -> crate::JsonStream<Self, V> {
        crate::JsonStream::new(self)
    }

    /// Returns the underlying event source, to inspect its state.
    pub fn get_ref(&self) -> &EventSource<C, T, H> {
        &self.source
    }

    /// Returns the underlying event source, which continues with the next item.
    pub fn into_inner(self) -> EventSource<C, T, H> {
        self.source
    }
}

impl<C, T, H> Stream for ClientEvents<C, T, H>
where
    C: Connect,
    T: Sleep,
    H: FnMut(&mut Request<Bytes>),
{
    type Item = Result<OwnedEvent, Error<Lost>>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut source = self.project().source;
        loop {
            match ready!(source.as_mut().poll_next(context)) {
                Some(Ok(Received::Event(event))) => return Poll::Ready(Some(Ok(event))),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl<C, T, H> FusedStream for ClientEvents<C, T, H>
where
    C: Connect,
    T: Sleep,
    H: FnMut(&mut Request<Bytes>),
{
    fn is_terminated(&self) -> bool {
        self.source.is_terminated()
    }
}

impl<C: Connect, T: Sleep, H> fmt::Debug for ClientEvents<C, T, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientEvents").field(&self.source).finish()
    }
}
