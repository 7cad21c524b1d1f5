//! Memory that grows up to a limit.

use super::{Region, Remaining, Storage, Usage, sealed::Memory};
use crate::counters;
use crate::reserve::{append, out_of_memory};
use alloc::{string::String, vec::Vec};

/// Memory that grows as needed, up to a limit: 16 MiB unless
/// [`Decoder::with_max_event_len`](crate::Decoder::with_max_event_len) says otherwise.
///
/// The limit applies to the unfinished event, in bytes of decoded text. These count:
///
/// - its data, with the LFs that join its lines (an empty `data` line after the first counts one
///   byte),
/// - its event type,
/// - an ID that was set in its block (an ID of an earlier event does not count),
/// - the value of the pending line, if it is a `data`, `event` or `id` line, or a comment or ignored
///   line that [`next_item`](crate::Events::next_item) is to return.
///
/// So an event is returned if its data, its type and its own ID together are not longer than the limit.
/// While an `event` or `id` line that replaces an earlier one of its block is pending, both count. A byte
/// that is not valid UTF-8 counts as U+FFFD, three bytes. Field names, valid `retry` lines, and comments
/// and ignored lines that are skipped do not count.
///
/// The ID of an event that is too large still counts as the last event ID, unless it is longer than the
/// limit by itself. Of several IDs in a block the last one counts, even if it is too long: then the block
/// has none.
///
/// Data that arrives in small pieces is buffered before it is decoded: at most one kilobyte, which counts
/// too, and never so much that it could exceed the limit.
///
/// Without the feature `alloc` this type has no values; it only names the default.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// let mut decoder = sse_proto::Decoder::with_max_event_len(5);
/// let mut events = decoder.feed(b"data: 12345\n\ndata: 123456\n\ndata: next\n\n");
/// assert_eq!(events.next_event().unwrap().unwrap().data, "12345");
/// assert_eq!(events.next_event().unwrap_err().limit(), 5);
/// assert_eq!(events.next_event().unwrap().unwrap().data, "next");
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Heap {
    data: String,
    event_type: String,
    pending_id: String,
    last_event_id: String,
    /// Pieces of data lines, undecoded, joined by LF.
    buffer: Vec<u8>,
    limit: usize,
}

impl Heap {
    pub(crate) const DEFAULT_LIMIT: usize = 16 * 1024 * 1024;

    pub(crate) const fn with_limit(limit: usize) -> Self {
        Self {
            data: String::new(),
            event_type: String::new(),
            pending_id: String::new(),
            last_event_id: String::new(),
            buffer: Vec::new(),
            limit,
        }
    }
}

impl Storage for Heap {}

impl Memory for Heap {
    type Buffer = Vec<u8>;

    #[inline]
    fn data_from(&self, start: usize) -> &str {
        self.data.get(start..).unwrap_or_default()
    }

    #[inline]
    fn push(&mut self, text: &str) {
        push(&mut self.data, text, self.limit);
    }

    #[inline]
    fn push_line(&mut self, text: &str) {
        counters::moved(1 + text.len());
        if self.data.capacity() - self.data.len() <= text.len() {
            grow(&mut self.data, 1 + text.len(), self.limit);
        }
        append(&mut self.data, "\n");
        append(&mut self.data, text);
    }

    #[inline]
    fn truncate(&mut self, len: usize) {
        // Always true; `truncate` would panic otherwise.
        if self.data.is_char_boundary(len) {
            self.data.truncate(len);
        }
    }

    fn drop_front(&mut self, len: usize) {
        counters::moved(self.data.len().saturating_sub(len));
        if self.data.is_char_boundary(len) {
            self.data.drain(..len);
        }
    }

    fn commit_value(&mut self, start: usize, region: Region) {
        let data = core::mem::take(&mut self.data);
        self.set(region, data.get(start..).unwrap_or_default());
        self.data = data;
        self.truncate(start);
    }

    #[inline]
    fn text(&self, region: Region) -> &str {
        match region {
            Region::Data => &self.data,
            Region::EventType => &self.event_type,
            Region::PendingId => &self.pending_id,
            Region::LastEventId => &self.last_event_id,
        }
    }

    #[inline]
    fn set(&mut self, region: Region, text: &str) {
        let target = match region {
            Region::Data => &mut self.data,
            Region::EventType => &mut self.event_type,
            Region::PendingId => &mut self.pending_id,
            Region::LastEventId => &mut self.last_event_id,
        };
        target.clear();
        push(target, text, self.limit);
    }

    fn commit_last_event_id(&mut self) {
        core::mem::swap(&mut self.pending_id, &mut self.last_event_id);
        self.pending_id.clear();
    }

    fn max_id_len(&self) -> usize {
        // The limit is for what a stream sends; this text is in the caller's memory already.
        usize::MAX
    }

    #[inline]
    fn remaining(&self, usage: Usage, _region: Region) -> Remaining {
        // The sum cannot overflow: together they were within `limit` when they were taken.
        let used = usage.data + usage.event_type + usage.pending_id + usage.value;
        Remaining {
            bytes: self.limit.saturating_sub(used),
            limit: self.limit,
            region: None,
        }
    }

    #[inline]
    fn buffer(&mut self, join: bool, piece: &[u8], room: usize) -> bool {
        const MAX_LEN: usize = 1024;
        let more = usize::from(join) + piece.len();
        let len = self.buffer.len() + more;
        // A byte becomes three at most when it is decoded, and so does an incomplete sequence before it.
        let fits = len < MAX_LEN && 3 * (len + 1) <= room;
        if fits {
            counters::moved(more);
            if self.buffer.capacity() < len {
                let additional = MAX_LEN.min(self.limit) - self.buffer.len();
                if self.buffer.try_reserve_exact(additional).is_err() {
                    out_of_memory(additional);
                }
            }
            if join && self.buffer.capacity() > self.buffer.len() {
                self.buffer.push(b'\n');
            }
            if self.buffer.capacity() - self.buffer.len() >= piece.len() {
                self.buffer.extend_from_slice(piece);
            }
        }
        fits
    }

    #[inline]
    fn buffered_len(&self) -> usize {
        self.buffer.len()
    }

    fn take_buffer(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.buffer)
    }

    fn restore_buffer(&mut self, mut buffer: Vec<u8>) {
        buffer.clear();
        self.buffer = buffer;
    }
}

#[inline]
fn push(target: &mut String, text: &str, limit: usize) {
    counters::moved(text.len());
    if target.capacity() - target.len() < text.len() {
        grow(target, text.len(), limit);
    }
    append(target, text);
}

/// Doubles the capacity, but never past what the limit lets the text become.
#[cold]
fn grow(text: &mut String, additional: usize, limit: usize) {
    let least = text.len().saturating_add(additional);
    let doubled = text.capacity().saturating_mul(2).max(64);
    let doubled = doubled.min(limit).min(isize::MAX as usize);
    let additional = least.max(doubled) - text.len();
    if text.try_reserve_exact(additional).is_err() {
        out_of_memory(additional);
    }
}
