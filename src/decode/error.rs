//! What can go wrong: only memory, never the stream.

use crate::storage::Region;
use core::fmt;

/// An event, a comment or an ignored line did not fit into the storage. It was dropped; decoding
/// continues after it.
///
/// [`part`](EventTooLarge::part) tells what was being read when the limit was exceeded. The `id` of an
/// event that was dropped still counts, so that a reconnect does not ask for the same event again and
/// again. There is one exception: an ID that is too long by itself cannot be kept, and the last event ID
/// stays what it was before the event. (An `id` line that is to be ignored for a NUL is not recognized as
/// such once it has no room.)
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use sse_proto::{Decoder, Part};
///
/// let mut decoder = Decoder::with_max_event_len(3);
/// let error = decoder.feed(b"event: a\ndata: bcd").next_event().unwrap_err();
/// assert_eq!((error.part(), error.limit()), (Part::Data, 3));
/// assert_eq!(error.to_string(), "event exceeds the limit of 3 bytes in its data");
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventTooLarge {
    pub(super) part: Part,
    pub(super) limit: usize,
    pub(super) region: Option<Region>,
}

impl EventTooLarge {
    /// What was being read. A comment or an ignored line was dropped alone; otherwise the event was
    /// dropped.
    pub const fn part(&self) -> Part {
        self.part
    }

    /// The limit that was exceeded, in bytes of decoded text: that of the [`Heap`](crate::Heap), or the
    /// length of a region of [`Fixed`](crate::Fixed) memory.
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// The region of [`Fixed`](crate::Fixed) memory that was full: [`Part::Data`], [`Part::EventType`] or
    /// [`Part::Id`]. `None` on the heap, which has one limit for the whole event.
    ///
    /// The region for data can be full although an event type or ID was being read, because the value
    /// of an unfinished line is stored after the data.
    ///
    /// ```
    /// use sse_proto::{Decoder, Fixed, Part};
    ///
    /// let mut decoder = Decoder::with_storage(Fixed::with_field_capacity([0; 32], 4));
    /// let error = decoder.feed(b"id: 12345").next_event().unwrap_err();
    /// assert_eq!((error.region(), error.limit()), (Some(Part::Id), 4));
    /// ```
    pub const fn region(&self) -> Option<Part> {
        match self.region {
            Some(Region::Data) => Some(Part::Data),
            Some(Region::EventType) => Some(Part::EventType),
            Some(Region::PendingId | Region::LastEventId) => Some(Part::Id),
            None => None,
        }
    }
}

impl fmt::Display for EventTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, part) = match self.part {
            Part::Data => ("event", " in its data"),
            Part::EventType => ("event", " in its type"),
            Part::Id => ("event", " in its id"),
            Part::Comment => ("comment", ", together with the unfinished event"),
            Part::IgnoredLine => ("ignored line", ", together with the unfinished event"),
        };
        write!(f, "{what} exceeds the limit of {} bytes{part}", self.limit)?;
        match (self.region(), self.part) {
            (Some(Part::Data), Part::EventType | Part::Id) => {
                f.write_str(", which did not fit after the data")
            }
            _ => Ok(()),
        }
    }
}

impl core::error::Error for EventTooLarge {}

/// A part of a stream that takes memory: see [`EventTooLarge::part`].
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use sse_proto::{Decoder, Part};
///
/// let mut decoder = Decoder::with_max_event_len(3);
/// let mut events = decoder.feed(b": long\ndata: ok\n\n");
/// assert_eq!(events.next_item().unwrap_err().part(), Part::Comment);
/// assert_eq!(events.next_event().unwrap().unwrap().data, "ok");
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Part {
    /// The value of a `data` line, or the LF that joins it to the lines before.
    Data,
    /// The value of an `event` line.
    EventType,
    /// The value of an `id` line.
    Id,
    /// A comment that [`next_item`](crate::Events::next_item) was to return.
    Comment,
    /// A line without effect that [`next_item`](crate::Events::next_item) was to return.
    IgnoredLine,
}

/// An ID is longer than its region of [`Fixed`](crate::Fixed) memory.
///
/// ```
/// use sse_proto::{Decoder, Fixed};
///
/// let mut decoder = Decoder::with_storage(Fixed::with_field_capacity([0; 32], 4));
/// let error = decoder.set_last_event_id("12345").unwrap_err();
/// assert_eq!(error.to_string(), "last event id exceeds the limit of 4 bytes");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdTooLong {
    pub(super) limit: usize,
}

impl IdTooLong {
    /// The length of the longest ID that fits, in bytes.
    pub const fn limit(&self) -> usize {
        self.limit
    }
}

impl fmt::Display for IdTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "last event id exceeds the limit of {} bytes", self.limit)
    }
}

impl core::error::Error for IdTooLong {}
