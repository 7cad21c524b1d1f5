//! The memory of a decoder: text that must outlive a chunk.
//!
//! There is memory that grows ([`Heap`]) and memory of the caller ([`Fixed`]). A storage knows how many
//! bytes it has room for, and nothing of lines, fields or chunks. Each of its four [`Region`]s is UTF-8 at
//! all times, because only `&str`s are pushed, and cut at the lengths they came in.

mod fixed;
#[cfg(feature = "alloc")]
mod heap;

pub use fixed::Fixed;
#[cfg(feature = "alloc")]
pub use heap::Heap;

/// Memory that grows as needed. Without the feature `alloc` this type has no values; it is only the
/// name of the default.
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

        /// The data from `start` on, with the value under way after it.
        fn data_from(&self, start: usize) -> &str;
        /// Appends to the data. What does not fit is not stored; the caller has asked
        /// [`remaining`](Memory::remaining).
        fn push(&mut self, text: &str);
        /// Appends an LF and `text` to the data, as two calls of [`push`](Memory::push) would.
        fn push_line(&mut self, text: &str) {
            self.push("\n");
            self.push(text);
        }
        /// Cuts the data to `len` bytes.
        fn truncate(&mut self, len: usize);
        /// Drops the first `len` bytes of the data.
        fn drop_front(&mut self, len: usize);
        /// Cuts the data at `start`, and makes what follows there the content of `region`.
        fn commit_value(&mut self, start: usize, region: Region);

        /// The content of a region that is not the data.
        fn text(&self, region: Region) -> &str;
        /// Replaces the content of a region that is not the data.
        fn set(&mut self, region: Region, text: &str);
        /// Makes the pending id the last event ID, and empties the pending id.
        fn commit_last_event_id(&mut self);
        /// The longest last event ID that the user may set, in bytes.
        fn max_id_len(&self) -> usize;

        /// How much the value of the line under way, which is one for `region`, may still grow.
        fn remaining(&self, usage: Usage, region: Region) -> Remaining;

        /// Appends a piece of a `data` value to the line buffer, after an LF if `join` says so.
        /// `false`: nothing was done. Only what is certain to fit into `room` bytes as text is taken,
        /// and it is decoded before anything else happens to the data.
        fn buffer(&mut self, join: bool, piece: &[u8], room: usize) -> bool;
        fn buffered_len(&self) -> usize;
        /// Takes what is buffered; the caller returns it for its memory.
        fn take_buffer(&mut self) -> Self::Buffer;
        fn restore_buffer(&mut self, buffer: Self::Buffer);
    }
}

/// One of the four texts that outlive a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// The data of the event under way; after it, the value of an unfinished line of another field.
    Data,
    /// The event type buffer.
    EventType,
    /// The last event ID buffer: an id whose blank line has not come.
    PendingId,
    /// The last event ID string.
    LastEventId,
}

/// Lengths of what the event under way holds, in bytes of decoded text, be it stored or borrowed
/// from the chunk.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub data: usize,
    pub event_type: usize,
    pub pending_id: usize,
    /// The value of the unfinished line, unless it is data and counted there.
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

/// Bytes that are still free, and the limit to report when they do not suffice.
#[derive(Debug, Clone, Copy)]
pub struct Remaining {
    pub bytes: usize,
    pub limit: usize,
}
