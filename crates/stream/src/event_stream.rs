//! The events of a stream of byte chunks.

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

use crate::{Error, ItemStream, decoded::Decoded};

pin_project! {
    /// The events of a [`Stream`] of byte chunks, or of an HTTP body.
    ///
    /// | from | with |
    /// |---|---|
    /// | a `Stream<Item = Result<impl AsRef<[u8]>, E>>` | [`new`](Self::new) |
    /// | an HTTP body (`http-body` 1) | [`from_body`](Self::from_body) |
    /// | an HTTP response, if it is an event stream | [`from_response`](Self::from_response) |
    ///
    /// It is a `Stream` of [`OwnedEvent`]s, each with one allocation;
    /// [`for_each_event`](Self::for_each_event) lends them without any. How the bytes are cut into
    /// chunks makes no difference. Each event is handed out as soon as its last byte has come. Beyond
    /// the chunk that is being read it holds the event under way, up to the limit of its decoder (16 MiB
    /// by default), and a few events that were decoded ahead, less than 8 KiB unless one event is larger.
    ///
    /// After an [`Error::TooLarge`] the stream goes on: the event was skipped. After an
    /// [`Error::Source`] it ends. Dropping the future of a `next()` loses nothing.
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
        decoded: Decoded<S, OwnedEvent>,
    }
}

impl<S: TryStream> EventStream<S> {
    /// The events of `source`, each of up to 16 MiB.
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

    /// The events of `source`, by a decoder that has a limit or a last event ID of its own.
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
            decoded: Decoded::new(source, decoder),
        }
    }

    /// Ends the stream at the event with this data, which is not handed out: `[DONE]`, say.
    ///
    /// Any other end is [`Error::Incomplete`]: the stream was cut. An [`Error::Source`] says so by
    /// itself.
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
        self.decoded.until(marker.into());
        self
    }

    /// Whether to hand out the event that the end of the stream cuts short, against the standard: for
    /// servers that forget the last blank line.
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
        self.decoded.finish_at_end(yes);
        self
    }

    /// The same stream with comments and `retry` lines, too. To be called before the first poll: events
    /// that were decoded ahead are lost.
    ///
    /// ```
    /// # use futures_util::{StreamExt as _, stream};
    /// use sse_proto_stream::{EventStream, OwnedItem};
    ///
    /// # futures_executor::block_on(async {
    /// let source = stream::iter([Ok::<_, std::io::Error>(": heartbeat\ndata: x\n\n")]);
    /// let mut items = EventStream::new(source).items();
    /// let item = items.next().await.unwrap().unwrap();
    /// assert_eq!(item, OwnedItem::Comment(" heartbeat".into()));
    /// # });
    /// ```
    pub fn items(self) -> ItemStream<S> {
        ItemStream {
            decoded: self.decoded.with_items(),
        }
    }

    /// The data of each event as a `T`, from JSON. (Feature `json`.)
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

    /// The last event ID string as of the events that were handed out: what a request sends as
    /// `Last-Event-ID` to go on from here.
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
        self.decoded.last_event_id()
    }

    /// The reconnection time that the server last asked for with `retry`, in what was decoded so far.
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
        self.decoded.reconnection_time()
    }

    /// The source. What was read from it and not handed out is lost.
    pub fn into_inner(self) -> S {
        self.decoded.into_inner()
    }
}

impl<S, C, E> EventStream<S>
where
    S: Stream<Item = Result<C, E>>,
    C: AsRef<[u8]>,
{
    /// Lends each event to `each`, without an allocation, until the stream ends (`Ok(None)`) or `each`
    /// breaks with a value.
    ///
    /// It may be called again, and mixed with the `Stream`: it goes on with the next event. Dropping
    /// its future loses nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Source`] and [`Error::Incomplete`]. An event too large is handed to `each`.
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
        mut each: impl FnMut(Result<Event<'_>, EventTooLarge>) -> ControlFlow<B>,
    ) -> Result<Option<B>, Error<E>> {
        poll_fn(|context| {
            let decoded = self.as_mut().project().decoded;
            decoded.poll_each(context, &mut each)
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
        self.project().decoded.poll_next(context)
    }
}

impl<S, C, E> FusedStream for EventStream<S>
where
    S: Stream<Item = Result<C, E>>,
    C: AsRef<[u8]>,
{
    fn is_terminated(&self) -> bool {
        self.decoded.is_terminated()
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
