//! What a decoder returns.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::time::Duration;

/// A dispatched event.
///
/// Two events are equal if type, data and last event ID are: what a client of the standard can see.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// let mut decoder = sse_proto::Decoder::new();
/// let mut events = decoder.feed(b"data: x\n\n");
/// let event = events.next_event().unwrap().unwrap();
/// assert_eq!((event.event_type, event.data, event.last_event_id), ("message", "x", ""));
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Event<'e> {
    /// The event type; `message` if the stream sets none. Never empty.
    ///
    /// A server may use the types `open` and `error`: these are events like any other.
    pub event_type: &'e str,
    /// The data, its lines joined by LF.
    pub data: &'e str,
    /// The last event ID string when the event was dispatched: the `id` of this event or of an earlier
    /// one.
    pub last_event_id: &'e str,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) id_line: IdLine,
}

/// What the last `id` line of a block is.
// Not an enum: `Option<Event>` would use its niche instead of that of a reference, and every event
// would take a tenth more instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IdLine(u8);

impl IdLine {
    /// There is none.
    pub(crate) const NONE: Self = Self(0);
    /// It has set the ID.
    pub(crate) const SET: Self = Self(1);
    /// It had no room.
    pub(crate) const TOO_LONG: Self = Self(2);
}

impl<'e> Event<'e> {
    /// Returns the ID that the event itself has, by an `id` line of its own: `Some("")` if that line is
    /// empty, which resets the last event ID; `None` if the event has no such line.
    ///
    /// Proxies need it: an event without an `id` line must not get one, or only the one it inherits.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let mut decoder = sse_proto::Decoder::new();
    /// let mut events = decoder.feed(b"id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n");
    /// let mut own_ids = Vec::new();
    /// while let Some(event) = events.next_event().unwrap() {
    ///     own_ids.push(event.own_id().map(str::to_owned));
    /// }
    /// assert_eq!(own_ids, [Some("1".into()), None, Some("".into())]);
    /// # }
    /// ```
    #[inline]
    pub fn own_id(&self) -> Option<&'e str> {
        (self.id_line == IdLine::SET).then_some(self.last_event_id)
    }

    /// Returns whether the event has an ID that was too long to be kept. Then
    /// [`last_event_id`](Self::last_event_id) is that of an earlier event.
    ///
    /// Only with [`Decoder::skip_long_ids`](crate::Decoder::skip_long_ids); otherwise such an event is
    /// an error.
    #[inline]
    pub fn is_id_too_long(&self) -> bool {
        self.id_line == IdLine::TOO_LONG
    }
}

impl PartialEq for Event<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.event_type, self.data, self.last_event_id)
            == (other.event_type, other.data, other.last_event_id)
    }
}

impl Eq for Event<'_> {}

impl Hash for Event<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.event_type, self.data, self.last_event_id).hash(state);
    }
}

/// What [`Events::next_item`](crate::Events::next_item) returns.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use sse_proto::Item;
///
/// let mut decoder = sse_proto::Decoder::new();
/// let mut events = decoder.feed(b":ping\ndata: x\n\n");
/// assert!(matches!(events.next_item(), Ok(Some(Item::Comment("ping")))));
/// assert!(matches!(events.next_item(), Ok(Some(Item::Event(event))) if event.data == "x"));
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Item<'e> {
    /// A dispatched event.
    Event(Event<'e>),
    /// The text of a comment line: everything after its colon, a leading space included.
    Comment(&'e str),
    /// A `retry` line has set the reconnection time, in milliseconds.
    Retry(Duration),
    /// A block without data has set the last event ID, to this. There is no event.
    Id(&'e str),
    /// A line that is ignored, other than a comment.
    Ignored(Ignored<'e>),
}

/// A line that the standard says to ignore, other than a comment, and why.
///
/// Such lines are no errors. They tell what a server meant to
/// send, for example an error message in JSON.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use sse_proto::{IgnoredReason, Item};
///
/// let mut decoder = sse_proto::Decoder::new();
/// let mut events = decoder.feed(b"error: {\"code\":413}\n\ndata: [DONE]\n\n");
/// let Ok(Some(Item::Ignored(ignored))) = events.next_item() else { panic!() };
/// assert_eq!(ignored.text, "error: {\"code\":413}");
/// assert_eq!(ignored.reason, IgnoredReason::UnknownField);
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Ignored<'e> {
    /// The whole line without its terminator if it is no field
    /// ([`UnknownField`](IgnoredReason::UnknownField), [`NoColon`](IgnoredReason::NoColon)); otherwise
    /// the value of the field, empty for [`IdTooLong`](IgnoredReason::IdTooLong).
    pub text: &'e str,
    /// Why the line has no effect.
    pub reason: IgnoredReason,
}

/// Why a line has no effect: see [`Ignored`].
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use sse_proto::{Decoder, Item};
///
/// let mut decoder = Decoder::new();
/// let mut events = decoder.feed(b"Data: x\nhello\nretry: 1s\nid: a\0b\nevent: ping\n\n");
/// let mut seen = Vec::new();
/// while let Some(Item::Ignored(ignored)) = events.next_item().unwrap() {
///     seen.push(format!("{}: {}", ignored.text.escape_debug(), ignored.reason));
/// }
/// assert_eq!(seen, [
///     "Data: x: unknown field",
///     "hello: no colon",
///     "1s: retry is not a number",
///     "a\\0b: id contains NUL",
///     "ping: event type without data",
/// ]);
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IgnoredReason {
    /// The name before the colon is not that of a field. Names are compared exactly: `Data` is not one.
    UnknownField,
    /// The line has no colon and is not the name of a field.
    NoColon,
    /// The value of a `retry` line does not consist of ASCII digits only.
    InvalidRetry,
    /// The value of an `id` line contains NUL.
    NulInId,
    /// The value of an `id` line had no room:
    /// [`Decoder::skip_long_ids`](crate::Decoder::skip_long_ids).
    IdTooLong,
    /// A block has an event type but no data, so there is no event. If it also has an ID, an
    /// [`Item::Id`] follows, and [`Events::rest`](crate::Events::rest) still has the blank line.
    TypeWithoutData,
}

impl fmt::Display for IgnoredReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownField => "unknown field",
            Self::NoColon => "no colon",
            Self::InvalidRetry => "retry is not a number",
            Self::NulInId => "id contains NUL",
            Self::IdTooLong => "id is too long",
            Self::TypeWithoutData => "event type without data",
        })
    }
}

/// What a stream is in the middle of: see [`Decoder::unfinished`](crate::Decoder::unfinished).
///
/// The enum is exhaustive: a stream consists of lines, and events consist of lines.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use sse_proto::{Decoder, Unfinished};
///
/// let mut decoder = Decoder::new();
/// assert_eq!(decoder.feed(b"data: x\n").next_event(), Ok(None));
/// assert_eq!(decoder.unfinished(), Some(Unfinished::Event));
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unfinished {
    /// A line without its terminator; there may be an unfinished event before it.
    Line,
    /// An event without its blank line: it has data, a type or an ID, or is too large.
    Event,
}
