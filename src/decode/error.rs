//! What can go wrong: only memory, never the stream.

use core::fmt;

/// An event or a comment exceeded the limit of its storage. It was dropped; decoding continues after
/// it.
///
/// The `id` of such an event still counts, so that a reconnect does not ask for the same event again
/// and again.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// let mut decoder = sse_proto::Decoder::with_max_event_len(3);
/// let error = decoder.feed(b"data: abcd").next_event().unwrap_err();
/// assert_eq!(error.limit(), 3);
/// assert_eq!(error.to_string(), "event exceeds the limit of 3 bytes");
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventTooLarge {
    pub(super) limit: usize,
}

impl EventTooLarge {
    /// The limit that was exceeded, in bytes of decoded text: that of the [`Heap`](crate::Heap), or the
    /// length of a region of [`Fixed`](crate::Fixed) memory.
    pub const fn limit(&self) -> usize {
        self.limit
    }
}

impl fmt::Display for EventTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event exceeds the limit of {} bytes", self.limit)
    }
}

impl core::error::Error for EventTooLarge {}

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
