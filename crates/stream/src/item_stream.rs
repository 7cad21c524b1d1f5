//! Decodes a stream of byte chunks into events, comments and all other lines that no event shows.

use std::{
    borrow::Cow,
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_core::{FusedStream, Stream, TryStream};
use pin_project_lite::pin_project;
use sse_proto::{Decoder, EventTooLarge, IgnoredReason, Item, OwnedEvent};

use crate::{
    Error,
    decode::{BatchStats, Cursor, DecodeItem, DecodeStream},
};

pin_project! {
    /// An [`EventStream`](crate::EventStream) that also returns comments, `retry` lines, IDs without
    /// an event, and lines without effect: for proxies, recorders, and programs that observe
    /// keep-alive comments or look for mistakes of a server.
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
        pub(crate) inner: DecodeStream<S, OwnedItem>,
    }
}

/// An item of an [`ItemStream`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OwnedItem {
    /// An event.
    Event(OwnedEvent),
    /// The text of a comment line after the colon, including a leading space.
    Comment(String),
    /// A `retry` line has set the reconnection time. Its unit is milliseconds.
    Retry(Duration),
    /// A block without data has set the last event ID, to this. There is no event.
    Id(String),
    /// A line without effect: see [`sse_proto::Ignored`].
    Ignored {
        /// The line, or the value of its field.
        text: String,
        /// Why it has no effect.
        reason: IgnoredReason,
    },
}

impl DecodeItem for OwnedItem {
    #[inline]
    fn next(
        cursor: &mut impl Cursor,
        stats: &mut BatchStats,
    ) -> Result<Option<Self>, EventTooLarge> {
        loop {
            return Ok(Some(match cursor.next_item()? {
                None => return Ok(None),
                Some(Item::Event(event)) => Self::Event(stats.record_event(event)),
                Some(Item::Comment(text)) => {
                    stats.record_text(text);
                    Self::Comment(text.to_owned())
                }
                Some(Item::Retry(time)) => Self::Retry(time),
                Some(Item::Id(id)) => {
                    stats.has_ids = true;
                    stats.record_text(id);
                    Self::Id(id.to_owned())
                }
                Some(Item::Ignored(ignored)) => {
                    stats.record_text(ignored.text);
                    Self::Ignored {
                        text: ignored.text.to_owned(),
                        reason: ignored.reason,
                    }
                }
                // A kind of item that a later version of sse-proto adds.
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
            _ => None,
        }
    }

    fn last_event_id(&self) -> Option<&str> {
        match self {
            Self::Event(event) => Some(event.last_event_id()),
            Self::Id(id) => Some(id),
            _ => None,
        }
    }
}

impl<S: TryStream> ItemStream<S> {
    /// Creates a stream of the items of `source`: see
    /// [`EventStream::new`](crate::EventStream::new).
    pub fn new(source: S) -> Self {
        Self::with_decoder(source, Decoder::new())
    }

    /// Creates a stream with the given decoder, to set another limit or a last event ID to start
    /// with.
    pub fn with_decoder(source: S, decoder: Decoder) -> Self {
        Self {
            inner: DecodeStream::new(source, decoder),
        }
    }

    /// Ends the stream at the event whose data is `marker`: see
    /// [`EventStream::until`](crate::EventStream::until).
    pub fn until(mut self, marker: impl Into<Cow<'static, str>>) -> Self {
        self.inner.until(marker.into());
        self
    }

    /// Sets whether an event that is incomplete at the end of the stream is returned: see
    /// [`EventStream::finish_at_end`](crate::EventStream::finish_at_end).
    pub fn finish_at_end(mut self, yes: bool) -> Self {
        self.inner.finish_at_end(yes);
        self
    }

    /// Returns the last event ID as of the items that were returned: see
    /// [`EventStream::last_event_id`](crate::EventStream::last_event_id).
    pub fn last_event_id(&self) -> &str {
        self.inner.last_event_id()
    }

    /// Returns the reconnection time of the last `retry` line that was decoded.
    pub fn reconnection_time(&self) -> Option<Duration> {
        self.inner.reconnection_time()
    }

    /// Returns the source. Items that were read from it but not returned are lost.
    pub fn into_inner(self) -> S {
        self.inner.into_inner()
    }
}

impl<S, C, E> Stream for ItemStream<S>
where
    S: Stream<Item = Result<C, E>>,
    C: AsRef<[u8]>,
{
    type Item = Result<OwnedItem, Error<E>>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.project().inner.poll_next(context)
    }
}

impl<S, C, E> FusedStream for ItemStream<S>
where
    S: Stream<Item = Result<C, E>>,
    C: AsRef<[u8]>,
{
    fn is_terminated(&self) -> bool {
        self.inner.is_terminated()
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
