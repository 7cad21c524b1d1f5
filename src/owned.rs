//! Events that own their text, and iterators over them.

use crate::decode::IdLine;
use crate::storage::Storage;
use crate::{Decoder, Event, EventTooLarge, Events, reserve};
use alloc::string::String;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::iter;

/// An [`Event`] that owns its text, so that it can be stored, queued or sent to another thread.
///
/// Creating one takes a single allocation of exactly the length of its text; a borrowed [`Event`]
/// needs none.
///
/// ```
/// use sse_proto::{Decoder, OwnedEvent};
///
/// let (sender, receiver) = std::sync::mpsc::channel::<OwnedEvent>();
/// let mut decoder = Decoder::new();
/// for event in decoder.feed(b"event: greeting\ndata: hello\nid: 1\n\n").owned() {
///     sender.send(event?).unwrap();
/// }
///
/// let event = receiver.recv().unwrap();
/// assert_eq!(event.event_type(), "greeting");
/// assert_eq!(event.data(), "hello");
/// assert_eq!(event.last_event_id(), "1");
/// # Ok::<(), sse_proto::EventTooLarge>(())
/// ```
///
/// With the feature `serde`, `Event` and `OwnedEvent` serialize as a struct of three strings, and
/// `OwnedEvent` deserializes from one:
///
/// ```
/// # #[cfg(feature = "serde")] {
/// use sse_proto::{OwnedEvent, decode_all};
///
/// let event = decode_all(b"id: 7\ndata: hello\n\n").next().unwrap();
/// let json = serde_json::to_string(&event).unwrap();
/// assert_eq!(json, r#"{"event_type":"message","data":"hello","last_event_id":"7"}"#);
/// assert_eq!(serde_json::from_str::<OwnedEvent>(&json).unwrap(), event);
/// # }
/// ```
#[derive(Clone)]
pub struct OwnedEvent {
    /// The data, the event type and the last event ID, concatenated. The default type is stored as
    /// the empty string, so that equal events have equal text, and because almost every event has
    /// it.
    text: String,
    data_len: usize,
    event_type_len: usize,
    id_line: IdLine,
}

/// The type of an event without an `event` field.
const DEFAULT_TYPE: &str = "message";

impl OwnedEvent {
    #[inline(always)]
    fn new(event: Event<'_>) -> Self {
        let event_type = match event.event_type {
            DEFAULT_TYPE => "",
            event_type => event_type,
        };
        Self {
            text: reserve::concat(event.data, [event_type, event.last_event_id]),
            data_len: event.data.len(),
            event_type_len: event_type.len(),
            id_line: event.id_line,
        }
    }

    /// The event type; `message` if the stream names none. Never empty.
    ///
    /// ```
    /// let event = sse_proto::decode_all(b"data: x\n\n").next().unwrap();
    /// assert_eq!(event.event_type(), "message");
    /// ```
    #[inline]
    pub fn event_type(&self) -> &str {
        let end = self.data_len + self.event_type_len;
        match self.text.get(self.data_len..end) {
            None | Some("") => DEFAULT_TYPE,
            Some(event_type) => event_type,
        }
    }

    /// The data, its lines joined by LF.
    ///
    /// ```
    /// let event = sse_proto::decode_all(b"data: two\ndata: lines\n\n").next().unwrap();
    /// assert_eq!(event.data(), "two\nlines");
    /// ```
    #[inline]
    pub fn data(&self) -> &str {
        self.text.get(..self.data_len).unwrap_or_default()
    }

    /// The last event ID string when the event was dispatched: the `id` of this event, or of an
    /// earlier one.
    ///
    /// ```
    /// let event = sse_proto::decode_all(b"id: 7\n\ndata: x\n\n").next().unwrap();
    /// assert_eq!(event.last_event_id(), "7");
    /// ```
    #[inline]
    pub fn last_event_id(&self) -> &str {
        let start = self.data_len + self.event_type_len;
        self.text.get(start..).unwrap_or_default()
    }

    /// Borrows the event.
    ///
    /// ```
    /// use sse_proto::{Decoder, OwnedEvent};
    ///
    /// let mut decoder = Decoder::new();
    /// let mut events = decoder.feed(b"data: x\n\n");
    /// let event = events.next_event()?.unwrap();
    /// assert_eq!(OwnedEvent::from(event).as_event(), event);
    /// # Ok::<(), sse_proto::EventTooLarge>(())
    /// ```
    #[inline]
    pub fn as_event(&self) -> Event<'_> {
        Event {
            event_type: self.event_type(),
            data: self.data(),
            last_event_id: self.last_event_id(),
            id_line: self.id_line,
        }
    }

    /// Returns the ID that the event itself has: see [`Event::own_id`].
    ///
    /// An event that was deserialized has none.
    ///
    /// ```
    /// let event = sse_proto::decode_all(b"id: 7\n\ndata: x\n\n").next().unwrap();
    /// assert_eq!((event.own_id(), event.last_event_id()), (None, "7"));
    /// ```
    pub fn own_id(&self) -> Option<&str> {
        self.as_event().own_id()
    }

    /// Returns whether the event has an ID that was too long to be kept: see
    /// [`Event::is_id_too_long`].
    pub fn is_id_too_long(&self) -> bool {
        self.as_event().is_id_too_long()
    }

    /// Converts the event into its data, without copying.
    ///
    /// ```
    /// let event = sse_proto::decode_all(b"event: delta\ndata: hello\n\n").next().unwrap();
    /// let data: String = event.into_data();
    /// assert_eq!(data, "hello");
    /// ```
    pub fn into_data(mut self) -> String {
        let len = self.data_len;
        // Always true. `truncate` panics otherwise, and the compiler cannot rule that out.
        if len <= self.text.len() && self.text.is_char_boundary(len) {
            self.text.truncate(len);
        }
        self.text
    }
}

impl PartialEq for OwnedEvent {
    fn eq(&self, other: &Self) -> bool {
        self.as_event() == other.as_event()
    }
}

impl Eq for OwnedEvent {}

impl Hash for OwnedEvent {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_event().hash(state);
    }
}

impl fmt::Debug for OwnedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedEvent")
            .field("event_type", &self.event_type())
            .field("data", &self.data())
            .field("last_event_id", &self.last_event_id())
            .finish()
    }
}

impl From<Event<'_>> for OwnedEvent {
    #[inline(always)]
    fn from(event: Event<'_>) -> Self {
        Self::new(event)
    }
}

#[cfg(feature = "serde")]
mod serde_impls {
    use super::{Event, IdLine, OwnedEvent, String};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    impl Serialize for OwnedEvent {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.as_event().serialize(serializer)
        }
    }

    impl<'de> Deserialize<'de> for OwnedEvent {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            #[derive(Deserialize)]
            #[serde(rename = "Event")]
            struct Fields {
                event_type: String,
                data: String,
                last_event_id: String,
            }
            let fields = Fields::deserialize(deserializer)?;
            Ok(Self::new(Event {
                event_type: &fields.event_type,
                data: &fields.data,
                last_event_id: &fields.last_event_id,
                id_line: IdLine::NONE,
            }))
        }
    }
}

/// Iterator over the events of a chunk, returned by [`Events::owned`].
///
/// ```
/// let mut decoder = sse_proto::Decoder::new();
/// let mut events = decoder.feed(b"data: 1\n\ndata: 2\n\n").owned();
/// assert_eq!(events.next().unwrap()?.data(), "1");
/// assert_eq!(events.rest(), b"data: 2\n\n");
/// # Ok::<(), sse_proto::EventTooLarge>(())
/// ```
#[derive(Debug)]
#[must_use = "a chunk is read only as far as its iterator is advanced"]
pub struct OwnedEvents<'d, 'i, S>(Events<'d, 'i, S>);

impl<'d, 'i, S: Storage> Events<'d, 'i, S> {
    /// Returns an iterator over the events as [`OwnedEvent`]s. An event that is too large is an
    /// error item among the others.
    ///
    /// Iteration continues after such an error, so a loop over all items reads the whole chunk.
    ///
    /// ```
    /// use sse_proto::{Decoder, OwnedEvent};
    /// use std::collections::VecDeque;
    ///
    /// let mut decoder = Decoder::with_max_event_len(4);
    /// let mut queue = VecDeque::new();
    /// for chunk in ["data: 1\n\ndata: too large\n\ndata: 3\n\nda", "ta: 4\n\n"] {
    ///     queue.extend(decoder.feed(chunk.as_bytes()).owned());
    /// }
    /// let data = queue.into_iter().map(|event| event.map(OwnedEvent::into_data));
    /// let data: Vec<_> = data.collect();
    /// assert_eq!(data[0].as_deref(), Ok("1"));
    /// assert_eq!(data[1].as_ref().unwrap_err().limit(), 4);
    /// assert_eq!(data[2].as_deref(), Ok("3"));
    /// assert_eq!(data[3].as_deref(), Ok("4"));
    /// ```
    pub fn owned(self) -> OwnedEvents<'d, 'i, S> {
        OwnedEvents(self)
    }
}

impl<'i, S: Storage> OwnedEvents<'_, 'i, S> {
    /// Returns the part of the chunk that was not read yet: see [`Events::rest`].
    pub fn rest(&self) -> &'i [u8] {
        self.0.rest()
    }
}

impl<S: Storage> Iterator for OwnedEvents<'_, '_, S> {
    type Item = Result<OwnedEvent, EventTooLarge>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self.0.next_event() {
            Ok(event) => event.map(|event| Ok(event.into())),
            Err(error) => Some(Err(error)),
        }
    }
}

impl<S: Storage> iter::FusedIterator for OwnedEvents<'_, '_, S> {}

/// Decodes the events of a complete body in memory.
///
/// An event that is truncated by the end of the body is dropped, as the standard requires;
/// [`Decoder::finish`] can return it. There is no size limit: events are decoded one at a time, and
/// none is larger than the body.
///
/// ```
/// let body = b"event: add\ndata: 1\n\nevent: add\ndata: 2\n\ndata: cut sh";
/// let data: Vec<_> = sse_proto::decode_all(body).map(|event| event.into_data()).collect();
/// assert_eq!(data, ["1", "2"]);
/// ```
pub fn decode_all(body: &[u8]) -> impl Iterator<Item = OwnedEvent> {
    let mut decoder = Decoder::with_max_event_len(usize::MAX);
    let mut rest = body;
    iter::from_fn(move || {
        let mut events = decoder.feed(rest).owned();
        let event = events.next();
        rest = events.rest();
        event.and_then(Result::ok)
    })
}
