//! Where the text of the event under way is kept: memory that grows ([`Heap`]), or memory of the
//! caller ([`Fixed`]).
//!
//! This file knows how many bytes there are room for and nothing of lines, fields or chunks. Both
//! storages have the same four [`Region`]s; each holds UTF-8 at all times, because only `&str` is
//! ever pushed and cut at the lengths it came in.

use crate::counters;

/// Memory for a [`Decoder`](crate::Decoder): [`Heap`] or [`Fixed`].
///
/// The trait is sealed: its methods may change, and only the storages of this crate implement it.
pub trait Storage: sealed::Memory {}

pub(crate) mod sealed {
    use super::{Region, Remaining, Usage};

    pub trait Memory {
        /// What [`take_staged`](Memory::take_staged) gives.
        type Staged: AsRef<[u8]>;

        /// Sets a piece of a `data` value aside, so that many small ones are decoded at once.
        /// `false`: nothing was done. Only what is certain to fit into `room` bytes as text is taken,
        /// and what was taken before is decoded before anything else happens to the line.
        /// With `join`, an LF stands before it.
        fn stage(&mut self, join: bool, piece: &[u8], room: usize) -> bool;
        /// How many bytes are set aside.
        fn staged_len(&self) -> usize;
        fn has_staged(&self) -> bool {
            self.staged_len() > 0
        }
        /// What is set aside; it is to be given back for its memory.
        fn take_staged(&mut self) -> Self::Staged;
        fn put_back(&mut self, staged: Self::Staged);
        fn text(&self, region: Region) -> &str {
            self.text_from(region, 0)
        }
        /// What `region` holds from `start` on.
        fn text_from(&self, region: Region, start: usize) -> &str;
        /// Appends. The caller has asked [`remaining`](Memory::remaining); what does not fit is not stored.
        fn push(&mut self, region: Region, text: &str);
        /// Appends an LF and `text` to `Text`, as two calls of [`push`](Memory::push) would.
        fn push_line(&mut self, text: &str) {
            self.push(Region::Text, "\n");
            self.push(Region::Text, text);
        }
        fn truncate(&mut self, region: Region, len: usize);
        /// Drops the first `len` bytes of `Text` and moves what follows to the front.
        fn discard_front(&mut self, len: usize);
        /// Makes what `Text` holds from `start` on the whole content of `region`, and cuts `Text`
        /// there.
        fn move_tail(&mut self, start: usize, region: Region);
        /// The pending id becomes the last event ID; the pending id is empty.
        fn commit_id(&mut self);
        /// The longest last event ID that may be set from outside, in bytes.
        fn longest_seed(&self) -> usize;
        /// How much the value of the unfinished line, a value for `region`, may still grow.
        fn remaining(&self, usage: Usage, region: Region) -> Remaining;
    }
}

/// One of the four texts that outlive a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// The data of the event under way; behind it, the value of an unfinished line of another
    /// field.
    Text,
    /// The event type buffer.
    EventType,
    /// An id that its block's blank line has not committed yet.
    PendingId,
    /// The last event ID string.
    LastEventId,
}

/// Lengths, in bytes of decoded text, of what the event under way holds, be it stored or still lent
/// from the chunk.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub data: usize,
    pub event_type: usize,
    pub pending_id: usize,
    /// The value of the unfinished line, unless it is data and counted there.
    pub value: usize,
}

/// Bytes that are still free, and the limit to name when they do not suffice.
#[derive(Debug, Clone, Copy)]
pub struct Remaining {
    pub bytes: usize,
    pub limit: usize,
}

impl Usage {
    pub(crate) const NONE: Self = Self {
        data: 0,
        event_type: 0,
        pending_id: 0,
        value: 0,
    };
}

/// Memory that grows as needed, up to a limit: 16 MiB unless
/// [`Decoder::with_max_event_len`](crate::Decoder::with_max_event_len) says otherwise.
///
/// What counts against the limit, in bytes of decoded text, is what must be held of the event under
/// way:
///
/// - its data, with the LFs that join its lines (an empty `data` line after the first counts one
///   byte),
/// - its event type,
/// - an id that was set in its block (an id inherited from an earlier event counts nothing),
/// - the value of the line under way, if it is a `data`, `event` or `id` line, or a comment that
///   [`next_item`](crate::Events::next_item) is to hand out.
///
/// An event whose data, type and own id are together as long as the limit is therefore delivered,
/// and one a byte longer is not. While an `event` or `id` line that replaces an earlier one of the
/// same block is under way, both count. A byte that is not valid UTF-8 counts as the three of
/// U+FFFD. Field names, `retry` lines, unknown fields and unwanted comments take no memory and
/// count nothing.
///
/// Beside that, data that comes in small pieces is collected before it is decoded: up to a kilobyte
/// that counts already, and never so much that it could cross the limit.
///
/// Without the feature `alloc` this type has no values; it is only the name of the default.
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
#[cfg(feature = "alloc")]
pub struct Heap {
    text: String,
    event_type: String,
    pending_id: String,
    last_event_id: String,
    staged: Vec<u8>,
    limit: usize,
}

/// Memory that grows as needed. Without the feature `alloc` this type has no values; it is only the
/// name of the default.
#[derive(Debug, Clone)]
#[cfg(not(feature = "alloc"))]
pub enum Heap {}

#[cfg(feature = "alloc")]
use {
    crate::reserve::{append, out_of_memory},
    alloc::{string::String, vec::Vec},
};

#[cfg(feature = "alloc")]
impl Heap {
    pub(crate) const DEFAULT_LIMIT: usize = 16 * 1024 * 1024;

    pub(crate) const fn with_limit(limit: usize) -> Self {
        Self {
            text: String::new(),
            event_type: String::new(),
            pending_id: String::new(),
            last_event_id: String::new(),
            staged: Vec::new(),
            limit,
        }
    }

    fn region(&mut self, region: Region) -> &mut String {
        match region {
            Region::Text => &mut self.text,
            Region::EventType => &mut self.event_type,
            Region::PendingId => &mut self.pending_id,
            Region::LastEventId => &mut self.last_event_id,
        }
    }
}

#[cfg(feature = "alloc")]
impl Storage for Heap {}

#[cfg(feature = "alloc")]
impl sealed::Memory for Heap {
    type Staged = Vec<u8>;

    #[inline]
    fn stage(&mut self, join: bool, piece: &[u8], room: usize) -> bool {
        const MOST: usize = 1024;
        let more = usize::from(join) + piece.len();
        let len = self.staged.len() + more;
        // Decoded, a byte becomes three at most, and so does what a chunk before has left over.
        let fits = len < MOST && 3 * (len + 1) <= room;
        if fits {
            counters::moved(more);
            if self.staged.capacity() < len {
                let additional = MOST.min(self.limit) - self.staged.len();
                if self.staged.try_reserve_exact(additional).is_err() {
                    out_of_memory(additional);
                }
            }
            if join && self.staged.capacity() > self.staged.len() {
                self.staged.push(b'\n');
            }
            if self.staged.capacity() - self.staged.len() >= piece.len() {
                self.staged.extend_from_slice(piece);
            }
        }
        fits
    }

    #[inline]
    fn staged_len(&self) -> usize {
        self.staged.len()
    }

    fn take_staged(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.staged)
    }

    fn put_back(&mut self, mut staged: Vec<u8>) {
        staged.clear();
        self.staged = staged;
    }

    #[inline]
    fn text_from(&self, region: Region, start: usize) -> &str {
        let text = match region {
            Region::Text => &self.text,
            Region::EventType => &self.event_type,
            Region::PendingId => &self.pending_id,
            Region::LastEventId => &self.last_event_id,
        };
        text.get(start..).unwrap_or_default()
    }

    #[inline]
    fn push(&mut self, region: Region, text: &str) {
        counters::moved(text.len());
        let limit = self.limit;
        let held = self.region(region);
        if held.capacity() - held.len() < text.len() {
            grow(held, text.len(), limit);
        }
        append(held, text);
    }

    #[inline]
    fn push_line(&mut self, text: &str) {
        counters::moved(1 + text.len());
        if self.text.capacity() - self.text.len() <= text.len() {
            grow(&mut self.text, 1 + text.len(), self.limit);
        }
        append(&mut self.text, "\n");
        append(&mut self.text, text);
    }

    #[inline]
    fn truncate(&mut self, region: Region, len: usize) {
        let held = self.region(region);
        // Always so; `truncate` asserts it.
        if held.is_char_boundary(len) {
            held.truncate(len);
        }
    }

    fn discard_front(&mut self, len: usize) {
        counters::moved(self.text.len().saturating_sub(len));
        if self.text.is_char_boundary(len) {
            self.text.drain(..len);
        }
    }

    fn move_tail(&mut self, start: usize, region: Region) {
        let text = core::mem::take(&mut self.text);
        self.truncate(region, 0);
        self.push(region, text.get(start..).unwrap_or_default());
        self.text = text;
        self.truncate(Region::Text, start);
    }

    fn commit_id(&mut self) {
        core::mem::swap(&mut self.pending_id, &mut self.last_event_id);
        self.pending_id.clear();
    }

    fn longest_seed(&self) -> usize {
        // The limit is for what a stranger sends; this the caller has already.
        usize::MAX
    }

    #[inline]
    fn remaining(&self, usage: Usage, _region: Region) -> Remaining {
        // No sum can overflow: together they were within `limit` when they were taken.
        let used = usage.data + usage.event_type + usage.pending_id + usage.value;
        Remaining {
            bytes: self.limit.saturating_sub(used),
            limit: self.limit,
        }
    }
}

/// Doubles, but never past what the limit lets the text become.
#[cfg(feature = "alloc")]
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

/// Memory of the caller, of a size that never changes: for programs without an allocator, and for
/// those that want one bound for everything.
///
/// `B` is an array, a `&mut [u8]`, or anything else that lends bytes; it must lend the same ones
/// each time. It is split into four regions: three of equal size for the event type and two ids
/// (the last one, and one that its blank line has not committed yet), and the rest for the data and
/// the value of the line under way. An event fits if
///
/// - its data, with the LFs that join its lines, and at any time the data so far together with the
///   value of an `event` or `id` line, or of a comment that [`next_item`](crate::Events::next_item)
///   is to hand out, are within [`data_capacity`](Fixed::data_capacity) bytes;
/// - its event type and each id are within [`field_capacity`](Fixed::field_capacity) bytes.
///
/// A byte that is not valid UTF-8 counts as the three of U+FFFD. Field names, `retry` lines,
/// unknown fields and unwanted comments take no memory.
///
/// Without `unsafe`, bytes must be checked each time they are lent as `&str`: the last event ID
/// once for each event. A large `field_capacity` is therefore not free for streams that set a long id
/// and then send many small events.
///
/// The whole decoder can stand in a `static`:
///
/// ```
/// use sse_proto::{Decoder, Fixed};
/// use std::sync::Mutex;
///
/// type Memory = Fixed<[u8; 1024]>;
/// static DECODER: Mutex<Decoder<Memory>> =
///     Mutex::new(Decoder::with_storage(Fixed::new([0; 1024])));
///
/// let mut decoder = DECODER.lock().unwrap();
/// let mut events = decoder.feed(b"data: no allocator\n\n");
/// assert_eq!(events.next_event().unwrap().unwrap().data, "no allocator");
/// ```
#[derive(Debug, Clone)]
pub struct Fixed<B> {
    memory: B,
    /// `None`: what `new` promises, once the length of the memory can be asked for.
    field_capacity: Option<usize>,
    text: usize,
    event_type: usize,
    ids: [usize; 2],
    /// Which of the two id regions holds the last event ID; the other one is for the pending id.
    last_id: bool,
}

impl<B> Fixed<B> {
    /// Splits `memory` so that the event type and each id have an eighth of it, but at most 256
    /// bytes.
    ///
    /// ```
    /// let fixed = sse_proto::Fixed::new([0; 1024]);
    /// assert_eq!((fixed.data_capacity(), fixed.field_capacity()), (640, 128));
    /// ```
    pub const fn new(memory: B) -> Self {
        Self::split(memory, None)
    }

    /// Splits `memory` so that the event type and each id have `field_capacity` bytes (at most a third
    /// of the memory).
    ///
    /// ```
    /// use sse_proto::{Decoder, Fixed};
    ///
    /// let mut memory = [0; 16];
    /// let fixed = Fixed::with_field_capacity(&mut memory[..], 4);
    /// assert_eq!((fixed.data_capacity(), fixed.field_capacity()), (4, 4));
    ///
    /// let mut decoder = Decoder::with_storage(fixed);
    /// let stream = b"id: 1234\ndata: abcd\n\ndata: abcde\n\ndata\n\n";
    /// let mut events = decoder.feed(stream);
    /// assert_eq!(events.next_event().unwrap().unwrap().data, "abcd");
    /// assert_eq!(events.next_event().unwrap_err().limit(), 4);
    /// assert_eq!(events.next_event().unwrap().unwrap().last_event_id, "1234");
    /// ```
    pub const fn with_field_capacity(memory: B, field_capacity: usize) -> Self {
        Self::split(memory, Some(field_capacity))
    }

    const fn split(memory: B, field_capacity: Option<usize>) -> Self {
        Self {
            memory,
            field_capacity,
            text: 0,
            event_type: 0,
            ids: [0; 2],
            last_id: false,
        }
    }
}

impl<B: AsRef<[u8]>> Fixed<B> {
    /// Bytes for the data of an event.
    ///
    /// ```
    /// let fixed = sse_proto::Fixed::with_field_capacity([0; 100], 10);
    /// assert_eq!(fixed.data_capacity(), 70);
    /// ```
    pub fn data_capacity(&self) -> usize {
        self.memory.as_ref().len() - 3 * self.field_capacity()
    }

    /// Bytes for the event type, and for each of the two ids.
    ///
    /// ```
    /// let fixed = sse_proto::Fixed::with_field_capacity([0; 100], 50);
    /// assert_eq!(fixed.field_capacity(), 33);
    /// ```
    pub fn field_capacity(&self) -> usize {
        let all = self.memory.as_ref().len();
        match self.field_capacity {
            Some(len) => len.min(all / 3),
            None => (all / 8).min(256),
        }
    }

    /// Where a region begins, and how much of it is in use.
    fn span(&self, region: Region) -> (usize, usize) {
        let [first, second] = self.ids;
        let field = self.field_capacity();
        match (region, self.last_id) {
            (Region::EventType, _) => (0, self.event_type),
            (Region::PendingId, true) | (Region::LastEventId, false) => (field, first),
            (Region::PendingId, false) | (Region::LastEventId, true) => (2 * field, second),
            (Region::Text, _) => (3 * field, self.text),
        }
    }

    fn used(&mut self, region: Region) -> &mut usize {
        let [first, second] = &mut self.ids;
        match (region, self.last_id) {
            (Region::EventType, _) => &mut self.event_type,
            (Region::PendingId, true) | (Region::LastEventId, false) => first,
            (Region::PendingId, false) | (Region::LastEventId, true) => second,
            (Region::Text, _) => &mut self.text,
        }
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Storage for Fixed<B> {}

impl<B: AsRef<[u8]> + AsMut<[u8]>> sealed::Memory for Fixed<B> {
    type Staged = [u8; 0];

    #[inline]
    fn stage(&mut self, _join: bool, _piece: &[u8], _room: usize) -> bool {
        false
    }

    #[inline]
    fn staged_len(&self) -> usize {
        0
    }

    fn take_staged(&mut self) -> [u8; 0] {
        []
    }

    fn put_back(&mut self, _staged: [u8; 0]) {}

    fn text_from(&self, region: Region, start: usize) -> &str {
        let (region, used) = self.span(region);
        let bytes = self.memory.as_ref().get(region + start..region + used);
        counters::scanned(used.saturating_sub(start));
        // Whole `&str`s were pushed, so this fails only if `B` lends other bytes than before.
        bytes
            .and_then(|bytes| core::str::from_utf8(bytes).ok())
            .unwrap_or_default()
    }

    #[inline]
    fn push(&mut self, region: Region, text: &str) {
        counters::moved(text.len());
        let (start, used) = self.span(region);
        let free = self
            .memory
            .as_mut()
            .get_mut(start + used..)
            .unwrap_or_default();
        if let Some((target, _)) = free.split_at_mut_checked(text.len()) {
            target.copy_from_slice(text.as_bytes());
            *self.used(region) += text.len();
        }
    }

    #[inline]
    fn truncate(&mut self, region: Region, len: usize) {
        let used = self.used(region);
        *used = len.min(*used);
    }

    fn discard_front(&mut self, len: usize) {
        let (start, used) = self.span(Region::Text);
        let kept = used.saturating_sub(len);
        self.shift(start + len, start, kept);
        self.text = kept;
    }

    fn move_tail(&mut self, start: usize, region: Region) {
        let (text, used) = self.span(Region::Text);
        let (target, _) = self.span(region);
        let len = used.saturating_sub(start);
        self.shift(text + start, target, len);
        *self.used(region) = len;
        self.text = used - len;
    }

    fn commit_id(&mut self) {
        self.last_id = !self.last_id;
        *self.used(Region::PendingId) = 0;
    }

    fn longest_seed(&self) -> usize {
        self.field_capacity()
    }

    #[inline]
    fn remaining(&self, usage: Usage, region: Region) -> Remaining {
        let text = self.data_capacity();
        let room = Remaining {
            bytes: text.saturating_sub(usage.data + usage.value),
            limit: text,
        };
        if region == Region::Text {
            return room;
        }
        let field = self.field_capacity();
        let own = Remaining {
            bytes: field.saturating_sub(usage.value),
            limit: field,
        };
        if own.bytes < room.bytes { own } else { room }
    }
}

impl<B: AsMut<[u8]>> Fixed<B> {
    /// Moves bytes towards the front: within the text, or from there to a field, which lies before
    /// it.
    fn shift(&mut self, from: usize, to: usize, len: usize) {
        counters::moved(len);
        let distance = from.saturating_sub(to);
        match self.memory.as_mut().get_mut(to..from + len) {
            // Always so; said again, because then the compiler knows that `copy_within` does not
            // panic.
            Some(bytes) if distance <= bytes.len() => bytes.copy_within(distance.., 0),
            _ => {}
        }
    }
}
