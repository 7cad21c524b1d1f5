//! Memory that the caller provides.

use super::{Region, Remaining, Storage, Usage, sealed::Memory};
use crate::counters;

/// Memory of a fixed size, provided by the caller: for programs without an allocator, and for those
/// that need a single bound for everything.
///
/// `B` is an array, a `&mut [u8]`, or anything else that gives access to bytes, the same ones each time.
/// They are split into four regions:
///
/// ```text
/// | event type | ID     | ID     | data, then the value of a pending line |
/// |<-- type -->|<- id ->|<- id ->|<---------------- data --------------->|
/// ```
///
/// One ID is the last event ID, the other one that of the unfinished event; a blank line swaps them. An
/// event fits if
///
/// - its data, with the LFs that join its lines, fits into [`data_capacity`](Fixed::data_capacity) bytes,
///   at any time together with the value of a pending `event` or `id` line, or of a comment or ignored
///   line that [`next_item`](crate::Events::next_item) is to return;
/// - its event type fits into [`type_capacity`](Fixed::type_capacity) bytes, and its ID into
///   [`id_capacity`](Fixed::id_capacity) bytes.
///
/// A byte that is not valid UTF-8 counts as U+FFFD, three bytes. Field names, valid `retry` lines, and
/// comments and ignored lines that are skipped take no memory.
///
/// An event whose ID is too long is an error, unless
/// [`Decoder::skip_long_ids`](crate::Decoder::skip_long_ids) says that it is to be returned without its
/// ID. A device that needs no IDs gives them no memory at all:
/// [`with_id_capacity(0)`](Fixed::with_id_capacity).
///
/// Without `unsafe`, bytes have to be validated whenever they are returned as `&str`: the last event ID
/// once for each event. A large `id_capacity` therefore costs time for streams that set a long ID and
/// then send many small events.
///
/// The whole decoder can be a `static`:
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
    type_capacity: Capacity,
    id_capacity: Capacity,
    data: usize,
    event_type: usize,
    ids: [usize; 2],
    /// Which of the two ID regions holds the last event ID; the other one holds the pending one.
    last_id: bool,
}

/// How long a region is, once the length of the memory is known.
#[derive(Debug, Clone, Copy)]
enum Capacity {
    /// An eighth of the memory, but at most 256 bytes.
    Default,
    /// So many bytes, but at most a third of the memory.
    UpToThird(usize),
    Exact(usize),
}

impl<B> Fixed<B> {
    /// Splits `memory` so that the event type and each ID have an eighth of it, but at most 256
    /// bytes.
    ///
    /// ```
    /// let fixed = sse_proto::Fixed::new([0; 1024]);
    /// assert_eq!((fixed.type_capacity(), fixed.id_capacity()), (128, 128));
    /// assert_eq!(fixed.data_capacity(), 640);
    /// ```
    pub const fn new(memory: B) -> Self {
        Self {
            memory,
            type_capacity: Capacity::Default,
            id_capacity: Capacity::Default,
            data: 0,
            event_type: 0,
            ids: [0; 2],
            last_id: false,
        }
    }

    /// Splits `memory` so that the event type and each ID have `field_capacity` bytes, but at most a
    /// third of the memory: [`with_type_capacity`](Self::with_type_capacity) and
    /// [`with_id_capacity`](Self::with_id_capacity) of the same size.
    ///
    /// ```
    /// use sse_proto::{Decoder, Fixed};
    ///
    /// let mut memory = [0; 16];
    /// let fixed = Fixed::with_field_capacity(&mut memory[..], 4);
    /// assert_eq!((fixed.type_capacity(), fixed.id_capacity(), fixed.data_capacity()), (4, 4, 4));
    ///
    /// let mut decoder = Decoder::with_storage(fixed);
    /// let stream = b"id: 1234\ndata: abcd\n\ndata: abcde\n\ndata\n\n";
    /// let mut events = decoder.feed(stream);
    /// assert_eq!(events.next_event().unwrap().unwrap().data, "abcd");
    /// assert_eq!(events.next_event().unwrap_err().limit(), 4);
    /// assert_eq!(events.next_event().unwrap().unwrap().last_event_id, "1234");
    /// ```
    pub const fn with_field_capacity(memory: B, field_capacity: usize) -> Self {
        let mut fixed = Self::new(memory);
        fixed.type_capacity = Capacity::UpToThird(field_capacity);
        fixed.id_capacity = Capacity::UpToThird(field_capacity);
        fixed
    }

    /// Sets the length of the region for the event type, in bytes; 0 for none. At most the length of the
    /// memory. An event with a longer type is too large.
    ///
    /// ```
    /// let fixed = sse_proto::Fixed::new([0; 100]).with_type_capacity(20).with_id_capacity(0);
    /// assert_eq!((fixed.type_capacity(), fixed.id_capacity(), fixed.data_capacity()), (20, 0, 80));
    /// ```
    pub const fn with_type_capacity(mut self, bytes: usize) -> Self {
        self.type_capacity = Capacity::Exact(bytes);
        self
    }

    /// Sets the length of each of the two regions for an ID, in bytes; 0 for none. At most half of what
    /// the event type leaves of the memory.
    ///
    /// ```
    /// use sse_proto::{Decoder, Fixed};
    ///
    /// let storage = Fixed::new([0; 32]).with_id_capacity(0);
    /// let mut decoder = Decoder::with_storage(storage).skip_long_ids(true);
    /// let mut events = decoder.feed(b"id: 7\ndata: x\n\n");
    /// let event = events.next_event().unwrap().unwrap();
    /// assert_eq!((event.data, event.last_event_id), ("x", ""));
    /// assert!(event.is_id_too_long());
    /// ```
    pub const fn with_id_capacity(mut self, bytes: usize) -> Self {
        self.id_capacity = Capacity::Exact(bytes);
        self
    }
}

impl<B: AsRef<[u8]>> Fixed<B> {
    /// Returns the length of the region for data, in bytes.
    ///
    /// ```
    /// let fixed = sse_proto::Fixed::with_field_capacity([0; 100], 10);
    /// assert_eq!(fixed.data_capacity(), 70);
    /// ```
    pub fn data_capacity(&self) -> usize {
        let (event_type, id) = self.capacities();
        self.memory.as_ref().len() - event_type - 2 * id
    }

    /// Returns the length of the region for the event type, in bytes.
    ///
    /// ```
    /// let fixed = sse_proto::Fixed::with_field_capacity([0; 100], 50);
    /// assert_eq!(fixed.type_capacity(), 33);
    /// ```
    pub fn type_capacity(&self) -> usize {
        self.capacities().0
    }

    /// Returns the length of the region for an ID, in bytes. There are two of them.
    ///
    /// ```
    /// let fixed = sse_proto::Fixed::with_field_capacity([0; 100], 10);
    /// assert_eq!(fixed.id_capacity(), 10);
    /// ```
    pub fn id_capacity(&self) -> usize {
        self.capacities().1
    }

    /// The lengths of the regions for the event type and for an ID.
    fn capacities(&self) -> (usize, usize) {
        let all = self.memory.as_ref().len();
        let capacity = |chosen| match chosen {
            Capacity::Default => (all / 8).min(256),
            Capacity::UpToThird(len) => (all / 3).min(len),
            Capacity::Exact(len) => len,
        };
        let event_type = capacity(self.type_capacity).min(all);
        let id = capacity(self.id_capacity).min((all - event_type) / 2);
        (event_type, id)
    }

    /// Where a region starts, and how much of it is in use.
    fn span(&self, region: Region) -> (usize, usize) {
        let [first, second] = self.ids;
        let (event_type, id) = self.capacities();
        match (region, self.last_id) {
            (Region::EventType, _) => (0, self.event_type),
            (Region::PendingId, true) | (Region::LastEventId, false) => (event_type, first),
            (Region::PendingId, false) | (Region::LastEventId, true) => (event_type + id, second),
            (Region::Data, _) => (event_type + 2 * id, self.data),
        }
    }

    fn used(&mut self, region: Region) -> &mut usize {
        let [first, second] = &mut self.ids;
        match (region, self.last_id) {
            (Region::EventType, _) => &mut self.event_type,
            (Region::PendingId, true) | (Region::LastEventId, false) => first,
            (Region::PendingId, false) | (Region::LastEventId, true) => second,
            (Region::Data, _) => &mut self.data,
        }
    }

    /// What a region holds from `start` on.
    fn text_from(&self, region: Region, start: usize) -> &str {
        let (region, used) = self.span(region);
        let bytes = self.memory.as_ref().get(region + start..region + used);
        counters::scanned(used.saturating_sub(start));
        // Only whole `&str`s were stored, so this fails only if `B` returns other bytes than before.
        bytes
            .and_then(|bytes| core::str::from_utf8(bytes).ok())
            .unwrap_or_default()
    }
}

impl<B: AsMut<[u8]>> Fixed<B> {
    /// Copies `text` to `start`. `false`: it does not fit, and nothing was done.
    fn write(&mut self, start: usize, text: &str) -> bool {
        counters::moved(text.len());
        let free = self.memory.as_mut().get_mut(start..).unwrap_or_default();
        let target = free.split_at_mut_checked(text.len());
        target.is_some_and(|(target, _)| {
            target.copy_from_slice(text.as_bytes());
            true
        })
    }

    /// Moves bytes towards the front: within the data, or from there to a field, which is before it.
    fn shift(&mut self, from: usize, to: usize, len: usize) {
        counters::moved(len);
        let distance = from.saturating_sub(to);
        match self.memory.as_mut().get_mut(to..from + len) {
            // Always true; repeated so that the compiler knows that `copy_within` does not panic.
            Some(bytes) if distance <= bytes.len() => bytes.copy_within(distance.., 0),
            _ => {}
        }
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Storage for Fixed<B> {}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Memory for Fixed<B> {
    /// There is no line buffer.
    type Buffer = [u8; 0];

    fn data_from(&self, start: usize) -> &str {
        self.text_from(Region::Data, start)
    }

    #[inline]
    fn push(&mut self, text: &str) {
        let (start, used) = self.span(Region::Data);
        if self.write(start + used, text) {
            self.data += text.len();
        }
    }

    #[inline]
    fn truncate(&mut self, len: usize) {
        self.data = len.min(self.data);
    }

    fn drop_front(&mut self, len: usize) {
        let (start, used) = self.span(Region::Data);
        let kept = used.saturating_sub(len);
        self.shift(start + len, start, kept);
        self.data = kept;
    }

    fn commit_value(&mut self, start: usize, region: Region) {
        let (data, used) = self.span(Region::Data);
        let (target, _) = self.span(region);
        let len = used.saturating_sub(start);
        self.shift(data + start, target, len);
        *self.used(region) = len;
        self.data = used - len;
    }

    fn text(&self, region: Region) -> &str {
        self.text_from(region, 0)
    }

    #[inline]
    fn set(&mut self, region: Region, text: &str) {
        let (start, _) = self.span(region);
        if self.write(start, text) {
            *self.used(region) = text.len();
        }
    }

    fn commit_last_event_id(&mut self) {
        self.last_id = !self.last_id;
        *self.used(Region::PendingId) = 0;
    }

    fn max_id_len(&self) -> usize {
        self.id_capacity()
    }

    #[inline]
    fn remaining(&self, usage: Usage, region: Region) -> Remaining {
        let (event_type, id) = self.capacities();
        let data = self.memory.as_ref().len() - event_type - 2 * id;
        let in_data = Remaining {
            bytes: data.saturating_sub(usage.data + usage.value),
            limit: data,
            region: Some(Region::Data),
        };
        let field = match region {
            Region::Data => return in_data,
            Region::EventType => event_type,
            Region::PendingId | Region::LastEventId => id,
        };
        let in_field = Remaining {
            bytes: field.saturating_sub(usage.value),
            limit: field,
            region: Some(region),
        };
        if in_field.bytes < in_data.bytes {
            in_field
        } else {
            in_data
        }
    }

    #[inline]
    fn buffer(&mut self, _join: bool, _piece: &[u8], _room: usize) -> bool {
        false
    }

    #[inline]
    fn buffered_len(&self) -> usize {
        0
    }

    fn take_buffer(&mut self) -> [u8; 0] {
        []
    }

    fn restore_buffer(&mut self, _buffer: [u8; 0]) {}
}
