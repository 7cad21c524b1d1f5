//! The cursor over one chunk of an open connection: the decoder's cursor, plus a check of the
//! connection's state before each step.

use super::origin::Origin;
use super::state::{Input, State, transition};
use crate::decode::IdLine;
use crate::{Event, EventTooLarge, Events, Ignored, Item, Storage};
use core::time::Duration;

/// A cursor over one chunk, made by [`EventSource::feed`](crate::EventSource::feed).
///
/// Like [`Events`], it is a lending iterator: an item borrows from the cursor until the next call.
/// Call it until it returns `Ok(None)`.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use sse_proto::EventSource;
///
/// let mut source = EventSource::new("http://a.example/stream").unwrap();
/// let _open = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
/// let mut messages = source.feed(b"data: 1\n\ndata: 2\n\n");
/// let mut sum = 0;
/// while let Some(message) = messages.next_message().unwrap() {
///     sum += message.data.parse::<u32>().unwrap();
/// }
/// assert_eq!(sum, 3);
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a chunk is read only as far as its cursor is advanced"]
pub struct Messages<'s, 'i, S> {
    pub(super) state: &'s mut State,
    pub(super) failures: &'s mut u32,
    /// Unless the policy requires more than a message for that.
    pub(super) message_resets_failures: bool,
    /// Where the stream comes from.
    pub(super) url: &'s str,
    pub(super) events: Events<'s, 'i, S>,
}

impl<'i, S: Storage> Messages<'_, 'i, S> {
    /// Returns the next message that the chunk completes: the standard's dispatch, which drops the
    /// event if the source is closed by then.
    ///
    /// `Ok(None)` means that the whole chunk was read, or that the connection is not open.
    ///
    /// # Errors
    ///
    /// [`EventTooLarge`] once for each event that exceeds the limit of the decoder. The stream
    /// continues: call again. To give up instead, call [`close`](Messages::close), or, to get an
    /// `error` signal, report [`Disconnect::Permanent`](crate::Disconnect::Permanent).
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// # let mut source = sse_proto::EventSource::new("http://a.example/stream").unwrap();
    /// # let _ = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
    /// let mut messages = source.feed(b"event: open\nid: 1\ndata: not a signal\n\n");
    /// let message = messages.next_message().unwrap().unwrap();
    /// assert_eq!((message.event_type, message.data), ("open", "not a signal"));
    /// assert_eq!(message.last_event_id, "1");
    /// assert_eq!(message.origin, "http://a.example");
    /// # }
    /// ```
    #[inline(always)]
    pub fn next_message(&mut self) -> Result<Option<Message<'_>>, EventTooLarge> {
        if !self.state.is_open() {
            return Ok(None);
        }
        let event = self.events.next_event()?;
        if event.is_some() && self.message_resets_failures {
            *self.failures = 0;
        }
        Ok(event.map(|event| Message::new(event, self.url)))
    }

    /// Returns the next item that the chunk completes: a message, a comment, a `retry` line, an ID
    /// without an event, or a line without effect. For programs that forward streams, watch for
    /// keep-alive comments or look for mistakes of a server. Otherwise like [`next_message`].
    ///
    /// # Errors
    ///
    /// [`EventTooLarge`] as in [`next_message`], and for a comment or ignored line that does not fit
    /// in memory next to the incomplete event.
    ///
    /// [`next_message`]: Messages::next_message
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::StreamItem;
    /// # let mut source = sse_proto::EventSource::new("http://a.example/stream").unwrap();
    /// # let _ = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
    /// let mut messages = source.feed(b": keep-alive\n");
    /// assert_eq!(messages.next_item(), Ok(Some(StreamItem::Comment(" keep-alive"))));
    /// assert_eq!(messages.next_item(), Ok(None));
    /// # }
    /// ```
    pub fn next_item(&mut self) -> Result<Option<StreamItem<'_>>, EventTooLarge> {
        if !self.state.is_open() {
            return Ok(None);
        }
        Ok(match self.events.next_item()? {
            Some(Item::Event(event)) => {
                if self.message_resets_failures {
                    *self.failures = 0;
                }
                Some(StreamItem::Message(Message::new(event, self.url)))
            }
            Some(Item::Comment(text)) => Some(StreamItem::Comment(text)),
            Some(Item::Retry(time)) => Some(StreamItem::Retry(time)),
            Some(Item::Id(id)) => Some(StreamItem::Id(id)),
            Some(Item::Ignored(ignored)) => Some(StreamItem::Ignored(ignored)),
            None => None,
        })
    }

    /// [`EventSource::close`](crate::EventSource::close) in the middle of a chunk: the remaining
    /// messages of the chunk are not returned.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// # let mut source = sse_proto::EventSource::new("http://a.example/stream").unwrap();
    /// # let _ = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
    /// let mut messages = source.feed(b"data: 1\n\ndata: 2\n\n");
    /// assert_eq!(messages.next_message().unwrap().unwrap().data, "1");
    /// messages.close();
    /// assert_eq!(messages.next_message(), Ok(None));
    /// # }
    /// ```
    pub fn close(&mut self) {
        (*self.state, _) = transition(*self.state, Input::Close);
    }

    /// [`EventSource::expect_end`](crate::EventSource::expect_end) in the middle of a chunk.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// # use sse_proto::{Disconnect, EventSource, RetryPolicy};
    /// # let mut source = EventSource::new("http://a.example/stream").unwrap();
    /// # source = source.retry_policy(RetryPolicy::never());
    /// # let _ = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
    /// let mut messages = source.feed(b"data: [DONE]\n\n");
    /// assert_eq!(messages.next_message().unwrap().unwrap().data, "[DONE]");
    /// messages.expect_end();
    /// assert_eq!(source.handle_disconnect(Disconnect::EndOfBody), None);
    /// # }
    /// ```
    pub fn expect_end(&mut self) {
        (*self.state, _) = transition(*self.state, Input::ExpectEnd);
    }

    /// Returns the part of the chunk that was not read: all of it if the connection is not open.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// # let mut source = sse_proto::EventSource::new("http://a.example/stream").unwrap();
    /// assert_eq!(source.feed(b"data: early\n\n").rest(), b"data: early\n\n");
    /// # }
    /// ```
    pub fn rest(&self) -> &'i [u8] {
        self.events.rest()
    }
}

/// A message: a dispatched event and its origin.
///
/// Messages have their own type, so that an event that the server names `open` or `error` is never
/// mistaken for a [`Signal`](crate::Signal). To keep a message, convert it to an [`Event`] and that
/// to an `OwnedEvent`.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use sse_proto::{Event, EventSource, OwnedEvent};
///
/// let mut source = EventSource::new("http://a.example/stream").unwrap();
/// let _open = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
/// let mut messages = source.feed(b"event: e\ndata: x\n\n");
/// let message = messages.next_message().unwrap().unwrap();
/// assert_eq!(message.origin, "http://a.example");
/// let kept = OwnedEvent::from(Event::from(message));
/// assert_eq!((kept.event_type(), kept.data()), ("e", "x"));
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message<'m> {
    /// The event type; `message` if the stream names none. Never empty.
    pub event_type: &'m str,
    /// The data, its lines joined by LF.
    pub data: &'m str,
    /// The last event ID string when the event was dispatched.
    pub last_event_id: &'m str,
    /// The origin of the URL that the response came from, after redirects.
    pub origin: Origin<'m>,
    id_line: IdLine,
}

impl<'m> Message<'m> {
    #[inline(always)]
    fn new(event: Event<'m>, url: &'m str) -> Self {
        let Event {
            event_type,
            data,
            last_event_id,
            id_line,
        } = event;
        Self {
            event_type,
            data,
            last_event_id,
            origin: Origin::of(url),
            id_line,
        }
    }
}

/// Returns the message without its origin.
impl<'m> From<Message<'m>> for Event<'m> {
    #[inline(always)]
    fn from(message: Message<'m>) -> Self {
        Self {
            event_type: message.event_type,
            data: message.data,
            last_event_id: message.last_event_id,
            id_line: message.id_line,
        }
    }
}

/// An item returned by [`Messages::next_item`].
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use sse_proto::{EventSource, StreamItem};
///
/// let mut source = EventSource::new("http://a.example/stream").unwrap();
/// let _open = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
/// let mut messages = source.feed(b":ping\nretry: 500\n");
/// assert_eq!(messages.next_item(), Ok(Some(StreamItem::Comment("ping"))));
/// let time = std::time::Duration::from_millis(500);
/// assert_eq!(messages.next_item(), Ok(Some(StreamItem::Retry(time))));
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamItem<'m> {
    /// A message.
    Message(Message<'m>),
    /// The text of a comment line: everything after the colon, including a leading space.
    Comment(&'m str),
    /// A `retry` line has set the reconnection time to this value (whole milliseconds).
    Retry(Duration),
    /// A block without data has set the last event ID, to this. There is no event.
    Id(&'m str),
    /// A line without effect.
    Ignored(Ignored<'m>),
}

/// Returns the item without the origin of a message.
impl<'m> From<StreamItem<'m>> for Item<'m> {
    fn from(item: StreamItem<'m>) -> Self {
        match item {
            StreamItem::Message(message) => Self::Event(message.into()),
            StreamItem::Comment(text) => Self::Comment(text),
            StreamItem::Retry(time) => Self::Retry(time),
            StreamItem::Id(id) => Self::Id(id),
            StreamItem::Ignored(ignored) => Self::Ignored(ignored),
        }
    }
}
