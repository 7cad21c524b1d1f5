//! Events, comments and `retry` lines of a stream of byte chunks.

use std::{
    borrow::Cow,
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_core::{FusedStream, Stream, TryStream};
use pin_project_lite::pin_project;
use sse_proto::{Decoder, EventTooLarge, Item, OwnedEvent};

use crate::{
    Error,
    decoded::{Batch, Cursor, Decode, Decoded},
};

pin_project! {
    /// The same as [`EventStream`](crate::EventStream), with comments and `retry` lines too: for
    /// proxies, recorders, and whoever watches heartbeats.
    ///
    /// ```
    /// use futures_util::{StreamExt as _, stream};
    /// use sse_proto_stream::{ItemStream, OwnedItem};
    /// use std::time::Duration;
    ///
    /// # futures_executor::block_on(async {
    /// let source = stream::iter([Ok::<_, std::io::Error>("retry: 500\n:hi\ndata: x\n\n")]);
    /// let mut items = ItemStream::new(source);
    /// assert_eq!(items.next().await.unwrap()?, OwnedItem::Retry(Duration::from_millis(500)));
    /// assert_eq!(items.next().await.unwrap()?, OwnedItem::Comment("hi".into()));
    /// assert!(matches!(items.next().await, Some(Ok(OwnedItem::Event(event))) if event.data() == "x"));
    /// # Ok::<(), sse_proto_stream::Error<std::io::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use = "streams do nothing unless polled"]
    pub struct ItemStream<S>
    where
        S: TryStream,
    {
        #[pin]
        pub(crate) decoded: Decoded<S, OwnedItem>,
    }
}

/// What an [`ItemStream`] hands out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OwnedItem {
    /// An event.
    Event(OwnedEvent),
    /// The text of a comment line: all that follows its colon, a leading space included.
    Comment(String),
    /// A `retry` line has set the reconnection time, in milliseconds.
    Retry(Duration),
}

impl Decode for OwnedItem {
    #[inline]
    fn next(cursor: &mut impl Cursor, batch: &mut Batch) -> Result<Option<Self>, EventTooLarge> {
        loop {
            return Ok(Some(match cursor.next_item()? {
                None => return Ok(None),
                Some(Item::Event(event)) => Self::Event(batch.event(event)),
                Some(Item::Comment(text)) => {
                    batch.text(text);
                    Self::Comment(text.to_owned())
                }
                Some(Item::Retry(time)) => Self::Retry(time),
                // Another kind of item, of a later version.
                Some(_) => continue,
            }));
        }
    }

    fn from_event(event: OwnedEvent) -> Self {
        Self::Event(event)
    }

    fn as_event(&self) -> Option<&OwnedEvent> {
        match self {
            Self::Event(event) => Some(event),
            Self::Comment(_) | Self::Retry(_) => None,
        }
    }
}

impl<S: TryStream> ItemStream<S> {
    /// The items of `source`: see [`EventStream::new`](crate::EventStream::new).
    pub fn new(source: S) -> Self {
        Self::with_decoder(source, Decoder::new())
    }

    /// The items of `source`, by a decoder that has a limit or a last event ID of its own.
    pub fn with_decoder(source: S, decoder: Decoder) -> Self {
        Self {
            decoded: Decoded::new(source, decoder),
        }
    }

    /// Ends the stream at the event with this data: see
    /// [`EventStream::until`](crate::EventStream::until).
    pub fn until(mut self, marker: impl Into<Cow<'static, str>>) -> Self {
        self.decoded.until(marker.into());
        self
    }

    /// Whether to hand out the event that the end of the stream cuts short: see
    /// [`EventStream::finish_at_end`](crate::EventStream::finish_at_end).
    pub fn finish_at_end(mut self, yes: bool) -> Self {
        self.decoded.finish_at_end(yes);
        self
    }

    /// The last event ID string as of the items that were handed out: see
    /// [`EventStream::last_event_id`](crate::EventStream::last_event_id).
    pub fn last_event_id(&self) -> &str {
        self.decoded.last_event_id()
    }

    /// The reconnection time that the server last asked for, in what was decoded so far.
    pub fn reconnection_time(&self) -> Option<Duration> {
        self.decoded.reconnection_time()
    }

    /// The source. What was read from it and not handed out is lost.
    pub fn into_inner(self) -> S {
        self.decoded.into_inner()
    }
}

impl<S, C, E> Stream for ItemStream<S>
where
    S: Stream<Item = Result<C, E>>,
    C: AsRef<[u8]>,
{
    type Item = Result<OwnedItem, Error<E>>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.project().decoded.poll_next(context)
    }
}

impl<S, C, E> FusedStream for ItemStream<S>
where
    S: Stream<Item = Result<C, E>>,
    C: AsRef<[u8]>,
{
    fn is_terminated(&self) -> bool {
        self.decoded.is_terminated()
    }
}

impl<S: TryStream> fmt::Debug for ItemStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ItemStream")
            .field("last_event_id", &self.last_event_id())
            .field("reconnection_time", &self.reconnection_time())
            .finish_non_exhaustive()
    }
}
