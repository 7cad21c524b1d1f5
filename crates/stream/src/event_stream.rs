//! Decodes a stream of byte chunks into events.

use std::{
    borrow::Cow,
    fmt,
    future::poll_fn,
    ops::ControlFlow,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_core::{FusedStream, Stream, TryStream};
use pin_project_lite::pin_project;
use sse_proto::{Decoder, Event, EventTooLarge, OwnedEvent};

use crate::{Error, ItemStream, decode::DecodeStream};

pin_project! {
    /// The events of a [`Stream`] of byte chunks, or of an HTTP body.
    ///
    /// | source | constructor |
    /// |---|---|
    /// | a `Stream<Item = Result<impl AsRef<[u8]>, E>>` | [`new`](Self::new) |
    /// | an HTTP body (`http-body` 1) | [`from_body`](Self::from_body) |
    /// | an HTTP response, if it is an event stream | [`from_response`](Self::from_response) |
    ///
    /// It is a `Stream` of [`OwnedEvent`]s, one allocation each. To borrow events without an
    /// allocation, call [`for_each_event`](Self::for_each_event). Each event is returned as soon as
    /// its last byte has arrived, and the result does not depend on how the bytes are split into
    /// chunks.
    ///
    /// After an [`Error::TooLarge`] the stream continues: the event was skipped. After an
    /// [`Error::Source`] it ends. If a body ends and no line of it belongs to an event stream, as with
    /// an error in JSON, the last item is [`Error::NoEventStream`]. The future of `next()` is cancel
    /// safe: dropping it loses nothing.
    ///
    /// Besides the current chunk, memory use is bounded by the incomplete event, up to the limit of
    /// the decoder (16 MiB by default), and a few events decoded ahead, less than 8 KiB unless one
    /// event is larger.
    ///
    /// ```
    /// use futures_util::{StreamExt as _, stream};
    /// use sse_proto_stream::EventStream;
    ///
    /// # futures_executor::block_on(async {
    /// let chunks = ["data: hel", "lo\n\nevent: bye\ndata: 1\n\n"].map(Ok::<_, std::io::Error>);
    /// let mut events = EventStream::new(stream::iter(chunks));
    /// assert_eq!(events.next().await.unwrap()?.data(), "hello");
    /// assert_eq!(events.next().await.unwrap()?.event_type(), "bye");
    /// assert!(events.next().await.is_none());
    /// # Ok::<(), sse_proto_stream::Error<std::io::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use = "streams do nothing unless polled"]
    pub struct EventStream<S>
    where
        S: TryStream,
    {
        #[pin]
        inner: DecodeStream<S, OwnedEvent>,
    }
}

impl<S: TryStream> EventStream<S> {
    /// Creates a stream of the events of `source`, with a limit of 16 MiB per event.
    ///
    /// ```
    /// # use futures_util::{StreamExt as _, stream};
    /// use sse_proto_stream::EventStream;
    ///
    /// # futures_executor::block_on(async {
    /// let source = stream::iter([Ok::<_, std::io::Error>("data: x\n\n")]);
    /// let mut events = EventStream::new(source);
    /// assert_eq!(events.next().await.unwrap().unwrap().data(), "x");
    /// # });
    /// ```
    pub fn new(source: S) -> Self {
        Self::with_decoder(source, Decoder::new())
    }

    /// Creates a stream with the given decoder, to set another limit or a last event ID to start
    /// with.
    ///
    /// ```
    /// # use futures_util::{StreamExt as _, stream};
    /// use sse_proto::Decoder;
    /// use sse_proto_stream::{Error, EventStream};
    ///
    /// # futures_executor::block_on(async {
    /// let source = stream::iter([Ok::<_, std::io::Error>("data: too large\n\ndata: x\n\n")]);
    /// let mut events = EventStream::with_decoder(source, Decoder::with_max_event_len(4));
    /// assert!(matches!(events.next().await, Some(Err(Error::TooLarge(_)))));
    /// assert_eq!(events.next().await.unwrap().unwrap().data(), "x");
    /// # });
    /// ```
    pub fn with_decoder(source: S, decoder: Decoder) -> Self {
        Self {
            inner: DecodeStream::new(source, decoder),
        }
    }

    /// Ends the stream at the event whose data is `marker`, such as `[DONE]`. That event is not
    /// returned. If an event type marks the end, leave the loop at that event instead.
    ///
    /// If the source ends without it, the stream was cut off, and its last item is
    /// [`Error::Incomplete`]. If the source fails, it is [`Error::Source`] as without a marker.
    ///
    /// ```
    /// # use futures_util::{StreamExt as _, stream};
    /// use sse_proto_stream::{Error, EventStream};
    ///
    /// # futures_executor::block_on(async {
    /// let source = |text| stream::iter([Ok::<_, std::io::Error>(text)]);
    ///
    /// let mut events = EventStream::new(source("data: 1\n\ndata: [DONE]\n\n")).until("[DONE]");
    /// assert_eq!(events.next().await.unwrap().unwrap().data(), "1");
    /// assert!(events.next().await.is_none());
    ///
    /// let mut events = EventStream::new(source("data: 1\n\n")).until("[DONE]");
    /// assert_eq!(events.next().await.unwrap().unwrap().data(), "1");
    /// assert!(matches!(events.next().await, Some(Err(Error::Incomplete))));
    /// assert!(events.next().await.is_none());
    /// # });
    /// ```
    pub fn until(mut self, marker: impl Into<Cow<'static, str>>) -> Self {
        self.inner.until(marker.into());
        self
    }

    /// Sets whether an event that is incomplete at the end of the stream is returned. The standard
    /// drops it; this is for servers that omit the last blank line.
    ///
    /// ```
    /// # use futures_util::{StreamExt as _, stream};
    /// use sse_proto_stream::EventStream;
    ///
    /// # futures_executor::block_on(async {
    /// let source = stream::iter([Ok::<_, std::io::Error>("data: no blank line")]);
    /// let mut events = EventStream::new(source).finish_at_end(true);
    /// assert_eq!(events.next().await.unwrap().unwrap().data(), "no blank line");
    /// # });
    /// ```
    pub fn finish_at_end(mut self, yes: bool) -> Self {
        self.inner.finish_at_end(yes);
        self
    }

    /// Converts this into a stream that also returns comments and `retry` lines. Call it before the
    /// first poll: events that were decoded ahead are lost.
    ///
    /// ```
    /// # use futures_util::{StreamExt as _, stream};
    /// use sse_proto_stream::{EventStream, OwnedItem};
    ///
    /// # futures_executor::block_on(async {
    /// let source = stream::iter([Ok::<_, std::io::Error>(": ping\ndata: x\n\n")]);
    /// let mut items = EventStream::new(source).items();
    /// let item = items.next().await.unwrap().unwrap();
    /// assert_eq!(item, OwnedItem::Comment(" ping".into()));
    /// # });
    /// ```
    pub fn items(self) -> ItemStream<S> {
        ItemStream {
            inner: self.inner.with_item_type(),
        }
    }

    /// Deserializes the data of each event from JSON into a `T`. (Feature `json`.)
    ///
    /// ```
    /// # use futures_util::{StreamExt as _, stream};
    /// use sse_proto_stream::EventStream;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Delta {
    ///     text: String,
    /// }
    ///
    /// # futures_executor::block_on(async {
    /// let source = stream::iter([Ok::<_, std::io::Error>("data: {\"text\":\"hi\"}\n\ndata: [DONE]\n\n")]);
    /// let mut deltas = EventStream::new(source).until("[DONE]").json::<Delta>();
    /// assert_eq!(deltas.next().await.unwrap().unwrap().text, "hi");
    /// assert!(deltas.next().await.is_none());
    /// # });
    /// ```
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(self) -> crate::JsonStream<Self, T> {
        crate::JsonStream::new(self)
    }

    /// Returns the last event ID as of the events that were returned. Send it as `Last-Event-ID` in
    /// a request that resumes from here.
    ///
    /// ```
    /// # use futures_util::{StreamExt as _, stream};
    /// use sse_proto_stream::EventStream;
    ///
    /// # futures_executor::block_on(async {
    /// let source = stream::iter([Ok::<_, std::io::Error>("id: 1\ndata: a\n\nid: 2\ndata: b\n\n")]);
    /// let mut events = EventStream::new(source);
    /// events.next().await;
    /// assert_eq!(events.last_event_id(), "1");
    /// # });
    /// ```
    pub fn last_event_id(&self) -> &str {
        self.inner.last_event_id()
    }

    /// Returns the reconnection time of the last `retry` line that was decoded.
    ///
    /// ```
    /// # use futures_util::{StreamExt as _, stream};
    /// use sse_proto_stream::EventStream;
    ///
    /// # futures_executor::block_on(async {
    /// let source = stream::iter([Ok::<_, std::io::Error>("retry: 500\ndata: x\n\n")]);
    /// let mut events = EventStream::new(source);
    /// assert_eq!(events.reconnection_time(), None);
    /// events.next().await;
    /// assert_eq!(events.reconnection_time().unwrap().as_millis(), 500);
    /// # });
    /// ```
    pub fn reconnection_time(&self) -> Option<Duration> {
        self.inner.reconnection_time()
    }

    /// Returns the source. Events that were read from it but not returned are lost.
    pub fn into_inner(self) -> S {
        self.inner.into_inner()
    }
}

impl<S, C, E> EventStream<S>
where
    S: Stream<Item = Result<C, E>>,
    C: AsRef<[u8]>,
{
    /// Calls `f` with each event, borrowed and without an allocation, until `f` breaks with a value
    /// or the stream ends (`Ok(None)`).
    ///
    /// It can be called again and mixed with the `Stream`: both continue with the next event. The
    /// future is cancel safe: dropping it loses nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Source`] and [`Error::Incomplete`]. [`EventTooLarge`] is passed to `f`.
    ///
    /// ```
    /// # use futures_util::stream;
    /// use std::{ops::ControlFlow, pin::pin};
    /// use sse_proto_stream::EventStream;
    ///
    /// # futures_executor::block_on(async {
    /// let source = stream::iter(["data: 1\n\nda", "ta: 2\n\n"].map(Ok::<_, std::io::Error>));
    /// let mut sum = 0;
    /// let events = pin!(EventStream::new(source));
    /// events
    ///     .for_each_event(|event| {
    ///         sum += event.map_or(0, |event| event.data.parse().unwrap());
    ///         ControlFlow::<()>::Continue(())
    ///     })
    ///     .await?;
    /// assert_eq!(sum, 3);
    /// # Ok::<(), sse_proto_stream::Error<std::io::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn for_each_event<B>(
        mut self: Pin<&mut Self>,
        mut f: impl FnMut(Result<Event<'_>, EventTooLarge>) -> ControlFlow<B>,
    ) -> Result<Option<B>, Error<E>> {
        poll_fn(|context| {
            let inner = self.as_mut().project().inner;
            inner.poll_for_each(context, &mut f)
        })
        .await
    }
}

impl<S, C, E> Stream for EventStream<S>
where
    S: Stream<Item = Result<C, E>>,
    C: AsRef<[u8]>,
{
    type Item = Result<OwnedEvent, Error<E>>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.project().inner.poll_next(context)
    }
}

impl<S, C, E> FusedStream for EventStream<S>
where
    S: Stream<Item = Result<C, E>>,
    C: AsRef<[u8]>,
{
    fn is_terminated(&self) -> bool {
        self.inner.is_terminated()
    }
}

impl<S: TryStream> fmt::Debug for EventStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("last_event_id", &self.last_event_id())
            .field("reconnection_time", &self.reconnection_time())
            .finish_non_exhaustive()
    }
}
