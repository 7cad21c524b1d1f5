//! The memory of a decoder: text that is kept across chunks.
//!
//! A storage is memory that grows ([`Heap`]) or memory that the caller provides ([`Fixed`]). It knows its
//! capacity, and nothing of lines, fields or chunks. Each of its four [`Region`]s is valid UTF-8 at all
//! times: only `&str`s are stored, and they are cut only at the lengths they were stored with.

mod fixed;
#[cfg(feature = "alloc")]
mod heap;

pub use fixed::Fixed;
#[cfg(feature = "alloc")]
pub use heap::Heap;

/// Memory that grows as needed. Without the feature `alloc` this type has no values; it only names the
/// default.
#[derive(Debug, Clone)]
#[cfg(not(feature = "alloc"))]
pub enum Heap {}

/// Memory for a [`Decoder`](crate::Decoder): [`Heap`] or [`Fixed`].
///
/// The trait is sealed: its methods may change, and only the storages of this crate implement it.
pub trait Storage: sealed::Memory {}

pub(crate) mod sealed {
    use super::{Region, Remaining, Usage};

    pub trait Memory {
        /// The contents of the line buffer: what [`take_buffer`](Memory::take_buffer) returns.
        type Buffer: AsRef<[u8]>;

        /// The data from `start` on, followed by the value of a pending line of another field.
        fn data_from(&self, start: usize) -> &str;
        /// Appends to the data. The caller has checked [`remaining`](Memory::remaining); text that does
        /// not fit is not stored.
        fn push(&mut self, text: &str);
        /// Appends an LF and `text` to the data.
        fn push_line(&mut self, text: &str) {
            self.push("\n");
            self.push(text);
        }
        /// Cuts the data to `len` bytes.
        fn truncate(&mut self, len: usize);
        /// Drops the first `len` bytes of the data.
        fn drop_front(&mut self, len: usize);
        /// Moves what the data holds from `start` on to `region`, replacing its content.
        fn commit_value(&mut self, start: usize, region: Region);

        /// The content of a region.
        fn text(&self, region: Region) -> &str;
        /// Replaces the content of a region that is not the data.
        fn set(&mut self, region: Region, text: &str);
        /// Makes the pending id the last event ID, and empties the pending id.
        fn commit_last_event_id(&mut self);
        /// The length of the longest last event ID that the user may set, in bytes.
        fn max_id_len(&self) -> usize;

        /// How much the value of the pending line, which belongs into `region`, may still grow.
        fn remaining(&self, usage: Usage, region: Region) -> Remaining;

        /// Appends a piece of a `data` value to the line buffer, after an LF if `join`. Returns `false`,
        /// and does nothing, unless the buffer will certainly fit into `room` bytes when it is decoded.
        fn buffer(&mut self, join: bool, piece: &[u8], room: usize) -> bool;
        fn buffered_len(&self) -> usize;
        /// Takes the buffer out. The caller gives it back, so that its memory is used again.
        fn take_buffer(&mut self) -> Self::Buffer;
        fn restore_buffer(&mut self, buffer: Self::Buffer);
    }
}

/// One of the four texts that are kept across chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// The data of the unfinished event, followed by the value of a pending line of another field.
    Data,
    /// The event type buffer.
    EventType,
    /// The standard's last event ID buffer: an ID whose blank line was not read yet.
    PendingId,
    /// The last event ID string.
    LastEventId,
}

/// Lengths of the values of the unfinished event, in bytes of decoded text, whether they are stored or
/// borrowed from the chunk.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub data: usize,
    pub event_type: usize,
    pub pending_id: usize,
    /// The value of the pending line, unless it is data.
    pub value: usize,
}

impl Usage {
    pub(crate) const NONE: Self = Self {
        data: 0,
        event_type: 0,
        pending_id: 0,
        value: 0,
    };
}

/// How many bytes are left, and the limit to report if more are needed.
#[derive(Debug, Clone, Copy)]
pub struct Remaining {
    pub bytes: usize,
    pub limit: usize,
    /// The region that the limit is for; `None` if it is for the whole event.
    pub region: Option<Region>,
}
