//! What a decoder returns.

use core::time::Duration;

/// A dispatched event.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// let mut decoder = sse_proto::Decoder::new();
/// let mut events = decoder.feed(b"data: x\n\n");
/// let event = events.next_event().unwrap().unwrap();
/// assert_eq!((event.event_type, event.data, event.last_event_id), ("message", "x", ""));
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
