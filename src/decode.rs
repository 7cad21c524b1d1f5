//! The decoder: bytes in, in any pieces; events out, lent from the chunk where they can be.
//!
//! [`Events`] is a cursor over one chunk. It takes whole lines from the chunk as they are and remembers where they stand; lines that are
//! cut by the chunk's end, or are anything but simple, go piece by piece through the line machine (`line`), which stores them.
//! Invariant: whenever the cursor gives back control in the middle of an event, nothing is lent, all is stored (`spill`); so it
//! may be dropped at any time.

mod line;
pub(crate) mod scan;
mod utf8;

use crate::storage::{Heap, Held, Region, Storage};
use core::fmt;
use core::time::Duration;
use line::{Digits, Field, Line, Machine, Outcome};
use scan::{CR, LF, LineEnds};
use utf8::Valid;

/// An incremental decoder of one event stream after another.
///
/// It is given the bytes of a response body in whatever pieces they arrive, and hands out each event in the call that is
/// given its last byte. Events, errors and the final state are a function of the concatenated bytes, never of how they
/// were cut.
///
/// Every byte sequence is a valid stream (WHATWG HTML, section 9.2.6): there is no parse error, unknown fields are ignored,
/// invalid UTF-8 becomes U+FFFD. The one error there is, [`EventTooLarge`], concerns the memory and not the stream.
///
/// `S` is the memory for what a chunk leaves unfinished: [`Heap`], which grows up to a limit, or [`Fixed`](crate::Fixed), which is
/// the caller's.
///
/// ```
/// use sse_proto::Decoder;
///
/// let mut decoder = Decoder::new();
/// let mut data = Vec::new();
/// for chunk in ["data: one\n\ndata: t", "wo\r", "\n\r\n"] {
///     let mut events = decoder.feed(chunk.as_bytes());
///     while let Some(event) = events.next_event()? {
///         data.push(event.data.to_owned());
///     }
/// }
/// assert_eq!(data, ["one", "two"]);
/// # Ok::<(), sse_proto::EventTooLarge>(())
/// ```
#[derive(Debug, Clone)]
pub struct Decoder<S = Heap> {
    machine: Machine<S>,
}

#[cfg(feature = "alloc")]
impl Decoder<Heap> {
    /// A decoder whose memory grows as needed, for events of up to 16 MiB.
    ///
    /// It allocates nothing before an event straddles two chunks or has several data lines.
    pub const fn new() -> Self {
        Self::with_max_event_len(Heap::DEFAULT_LIMIT)
    }

    /// A decoder whose memory grows as needed, for events of up to `bytes` bytes of decoded text; [`Heap`] says what counts.
    ///
    /// `usize::MAX` switches the limit off.
    pub const fn with_max_event_len(bytes: usize) -> Self {
        Self::with_storage(Heap::with_limit(bytes))
    }
}

#[cfg(feature = "alloc")]
impl Default for Decoder<Heap> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Storage> Decoder<S> {
    /// A decoder over memory of the caller: see [`Fixed`](crate::Fixed).
    pub const fn with_storage(storage: S) -> Self {
        Self {
            machine: Machine::new(storage),
        }
    }

    /// Begins to read a chunk: the next bytes of the stream, any number of them.
    ///
    /// Nothing is read before the cursor is asked. Ask it until it says `Ok(None)`, then feed the next chunk; or leave it early and take
    /// care of [`rest`](Events::rest).
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let mut decoder = sse_proto::Decoder::new();
    /// let mut events = decoder.feed(b"data: 1\n\n");
    /// assert_eq!(events.next_event().unwrap().unwrap().data, "1");
    /// assert_eq!(events.next_event(), Ok(None));
    /// # }
    /// ```
    pub fn feed<'d, 'i>(&'d mut self, chunk: &'i [u8]) -> Events<'d, 'i, S> {
        Events {
            machine: &mut self.machine,
            chunk,
            position: 0,
            ends: LineEnds::default(),
            valid: Valid::default(),
            lent: Lent::default(),
        }
    }

    /// The standard's last event ID *string*: the last `id` that a blank line has committed, or the seed.
    ///
    /// This is what a reconnect sends as `Last-Event-ID`, unless it is empty.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let mut decoder = sse_proto::Decoder::new();
    /// while decoder.feed(b"id: 7\n").next_event().unwrap().is_some() {}
    /// assert_eq!(decoder.last_event_id(), "");
    /// while decoder.feed(b"\n").next_event().unwrap().is_some() {}
    /// assert_eq!(decoder.last_event_id(), "7");
    /// # }
    /// ```
    pub fn last_event_id(&self) -> &str {
        self.machine.storage.text(Region::LastEventId)
    }

    /// Seeds the last event ID string, before a stream that goes on where another one ended.
    ///
    /// Events carry it until an `id` line replaces it. The text is taken as it is; only a stream's own ids are known to be free of NUL, CR and
    /// LF.
    ///
    /// # Errors
    ///
    /// [`IdTooLong`] if the storage could not have held such an id of the stream; the old one stays.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let mut decoder = sse_proto::Decoder::with_max_event_len(5);
    /// decoder.set_last_event_id("41").unwrap();
    /// assert_eq!(decoder.feed(b"data: x\n\n").next_event().unwrap().unwrap().last_event_id, "41");
    /// assert_eq!(decoder.set_last_event_id("123456").unwrap_err().limit(), 5);
    /// # }
    /// ```
    pub fn set_last_event_id(&mut self, id: &str) -> Result<(), IdTooLong> {
        let storage = &mut self.machine.storage;
        let room = storage.room(Held::NOTHING, Region::LastEventId);
        if id.len() > room.bytes {
            return Err(IdTooLong { limit: room.limit });
        }
        storage.truncate(Region::LastEventId, 0);
        storage.push(Region::LastEventId, id);
        Ok(())
    }

    /// The reconnection time that the server last asked for with `retry`, in any stream; `None` if it never did.
    ///
    /// It counts from the end of the `retry` line on, and saturates at `u64::MAX` milliseconds.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let mut decoder = sse_proto::Decoder::new();
    /// while decoder.feed(b"retry: 2500\nretry: soon\n").next_event().unwrap().is_some() {}
    /// assert_eq!(decoder.reconnection_time().unwrap().as_millis(), 2500);
    /// # }
    /// ```
    pub fn reconnection_time(&self) -> Option<Duration> {
        self.machine.reconnection_time.map(Duration::from_millis)
    }

    /// The stream has ended and another one begins: drops what is incomplete, as the standard wants it, and expects a byte order
    /// mark again.
    ///
    /// The last event ID string, the reconnection time and the memory are kept.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let mut decoder = sse_proto::Decoder::new();
    /// while decoder.feed(b"id: 1\n\nid: 2\ndata: cut sh").next_event().unwrap().is_some() {}
    /// decoder.reset();
    /// let mut events = decoder.feed(b"\xEF\xBB\xBFdata: new\n\n");
    /// let event = events.next_event().unwrap().unwrap();
    /// assert_eq!((event.data, event.last_event_id), ("new", "1"));
    /// # }
    /// ```
    pub fn reset(&mut self) {
        self.machine.restart();
    }

    /// The stream has ended: hands over the event that the end cut short, as if the missing line end and blank line had come.
    ///
    /// The standard drops such an event ("Once the end of the file is reached, any pending data must be discarded"), and with
    /// it its id, because a reconnect brings it again. Call this instead of [`reset`](Decoder::reset) for servers that forget the last
    /// blank line. It does all that `reset` does, too.
    ///
    /// # Errors
    ///
    /// [`EventTooLarge`] if the end of the last line made the event too large: by U+FFFD for a sequence that breaks off, or by the LF that an
    /// empty `data` line adds.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let mut decoder = sse_proto::Decoder::new();
    /// assert_eq!(decoder.feed(b"data: [DONE]").next_event(), Ok(None));
    /// assert_eq!(decoder.finish().unwrap().unwrap().data, "[DONE]");
    /// assert_eq!(decoder.finish(), Ok(None));
    /// # }
    /// ```
    pub fn finish(&mut self) -> Result<Option<Event<'_>>, EventTooLarge> {
        let machine = &mut self.machine;
        machine.settle();
        let ended = match machine.line {
            Line::StreamStart(_) | Line::AfterCr | Line::Start => Ok(Outcome::Nothing),
            Line::Name | Line::Value(..) | Line::Ignored => machine.end_line(false),
        };
        let event = machine.blank_line();
        machine.line = Line::StreamStart(0);
        ended?;
        Ok(event.then(|| Event::new(machine, &Lent::default())))
    }
}

/// A cursor over one chunk, made by [`Decoder::feed`].
///
/// It lends: what it hands out lives until it is asked again, and may borrow from the chunk and from the decoder. So it is no
/// `Iterator`; the loop is `while let Some(event) = events.next_event()? { … }`, and `break`, `?` and `.await` in it
/// are safe.
///
/// Dropping the cursor before it said `Ok(None)` loses nothing but what [`rest`](Events::rest) still holds: feed that first,
/// then the next chunk.
#[derive(Debug)]
#[must_use = "a chunk is read only as far as its cursor is asked"]
pub struct Events<'d, 'i, S> {
    machine: &'d mut Machine<S>,
    chunk: &'i [u8],
    position: usize,
    ends: LineEnds,
    valid: Valid<'i>,
    lent: Lent<'i>,
}

/// Values that were whole in this chunk and are not stored.
#[derive(Debug, Default)]
struct Lent<'i> {
    data: Option<&'i str>,
    event_type: Option<&'i str>,
    comment: Option<&'i str>,
}

impl<'i, S: Storage> Events<'_, 'i, S> {
    /// The next event that the chunk completes, at its blank line.
    ///
    /// `Ok(None)` means that the whole chunk was read and no further event is complete: feed the next one.
    ///
    /// # Errors
    ///
    /// [`EventTooLarge`] once for each event that goes beyond the limit. Nothing ends: ask again, and the events behind it
    /// come.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let mut decoder = sse_proto::Decoder::new();
    /// let mut events = decoder.feed(b"event: price\ndata: YHOO\ndata: +2\nid: 9\n\n");
    /// let event = events.next_event().unwrap().unwrap();
    /// assert_eq!((event.event_type, event.data, event.last_event_id), ("price", "YHOO\n+2", "9"));
    /// # }
    /// ```
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, EventTooLarge> {
        Ok(match self.step(false)? {
            Outcome::Event => Some(Event::new(self.machine, &self.lent)),
            Outcome::Comment | Outcome::Retry | Outcome::Nothing => None,
        })
    }

    /// The next item that the chunk completes: an event, a comment, or a `retry` line.
    ///
    /// This is [`next_event`](Events::next_event) and more, for those who forward streams or watch heartbeats. Both may be called on the
    /// same stream. A comment is kept only while `next_item` reads it: if `next_event` read a part of it, it is not handed out.
    ///
    /// # Errors
    ///
    /// [`EventTooLarge`] as in `next_event`, and for a comment that has no room beside the event under way; the event itself goes on.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::Item;
    /// use std::time::Duration;
    ///
    /// let mut decoder = sse_proto::Decoder::new();
    /// let mut events = decoder.feed(b": heartbeat\nretry: 1500\n");
    /// assert_eq!(events.next_item(), Ok(Some(Item::Comment(" heartbeat"))));
    /// assert_eq!(events.next_item(), Ok(Some(Item::Retry(Duration::from_millis(1500)))));
    /// assert_eq!(events.next_item(), Ok(None));
    /// # }
    /// ```
    pub fn next_item(&mut self) -> Result<Option<Item<'_>>, EventTooLarge> {
        Ok(match self.step(true)? {
            Outcome::Event => Some(Item::Event(Event::new(self.machine, &self.lent))),
            Outcome::Comment => Some(Item::Comment(match self.lent.comment {
                Some(text) => text,
                None => self.machine.comment(),
            })),
            Outcome::Retry => self
                .machine
                .reconnection_time
                .map(|time| Item::Retry(Duration::from_millis(time))),
            Outcome::Nothing => None,
        })
    }

    /// What of the chunk was not read yet. Behind an event it begins with the next one.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let mut decoder = sse_proto::Decoder::new();
    /// let mut events = decoder.feed(b"data: upgrade\n\n\x16\x03\x01");
    /// assert_eq!(events.next_event().unwrap().unwrap().data, "upgrade");
    /// assert_eq!(events.rest(), b"\x16\x03\x01");
    /// # }
    /// ```
    pub fn rest(&self) -> &'i [u8] {
        self.chunk.get(self.position..).unwrap_or_default()
    }

    /// Reads on to the next thing to hand out, or to the end of the chunk (`Nothing`). Lends nothing itself, so that it may loop.
    #[inline]
    fn step(&mut self, items: bool) -> Result<Outcome, EventTooLarge> {
        self.machine.settle();
        self.lent = Lent::default();
        if self.position == 0 && self.machine.extend_data(self.chunk) {
            self.position = self.chunk.len();
            return Ok(Outcome::Nothing);
        }
        loop {
            if self.machine.idle {
                if let Some(data) = self.lone_data_line() {
                    self.lent.data = Some(data);
                    return Ok(Outcome::Event);
                }
                self.machine.idle = false;
            }
            if self.machine.line != Line::Start {
                match self.resume(items)? {
                    Outcome::Nothing if self.machine.line == Line::Start => {}
                    outcome => {
                        self.spill();
                        return Ok(outcome);
                    }
                }
            }
            let start = self.position;
            let Some(end) = self.ends.next(self.chunk, start) else {
                self.spill();
                self.position = self.chunk.len();
                let piece = self.chunk.get(start..).unwrap_or_default();
                if !piece.is_empty() {
                    self.machine.piece(piece, items)?;
                }
                return Ok(Outcome::Nothing);
            };
            if start == end {
                self.pass_line_end(end);
                if self.machine.blank_line() {
                    return Ok(Outcome::Event);
                }
                self.lent = Lent::default();
                continue;
            }
            let outcome = match self.lend(start, end, items) {
                Some(outcome) => {
                    self.pass_line_end(end);
                    outcome
                }
                None => {
                    self.spill();
                    self.position = end;
                    self.machine
                        .piece(self.chunk.get(start..end).unwrap_or_default(), items)?;
                    self.end_line(end, items)?
                }
            };
            if outcome != Outcome::Nothing {
                self.spill();
                return Ok(outcome);
            }
        }
    }

    /// The data of an event that is one `data` line and nothing else, whole in the chunk, with LF line ends: almost every
    /// event of most streams. Whatever is different is left as it is, for `step`.
    #[inline]
    fn lone_data_line(&mut self) -> Option<&'i str> {
        const NAME: &[u8] = b"data: ";
        let start = self.position;
        if !self.chunk.get(start..)?.starts_with(NAME) {
            return None;
        }
        let end = self.ends.next(self.chunk, start)?;
        if !self.chunk.get(end..)?.starts_with(b"\n\n") {
            return None;
        }
        let data = self.valid.get(self.chunk, start + NAME.len(), end)?;
        if data.len() > self.machine.storage.room(Held::NOTHING, Region::Text).bytes {
            return None;
        }
        self.position = end + 2;
        Some(data)
    }

    /// Goes on where the last chunk ended, or where an error came up. If a line is still under way afterwards, the chunk is read.
    #[cold]
    fn resume(&mut self, items: bool) -> Result<Outcome, EventTooLarge> {
        const BOM: [u8; 3] = *b"\xEF\xBB\xBF";
        if let Line::StreamStart(mut seen) = self.machine.line {
            for &expected in BOM.get(usize::from(seen)..).unwrap_or_default() {
                match self.rest().first() {
                    Some(&byte) if byte == expected => seen += 1,
                    // A part of the mark is the beginning of a name that no field has.
                    Some(_) => {
                        self.machine.line = if seen == 0 {
                            Line::Start
                        } else {
                            Line::Ignored
                        };
                        break;
                    }
                    None => {
                        self.machine.line = Line::StreamStart(seen);
                        return Ok(Outcome::Nothing);
                    }
                }
                self.position += 1;
            }
            if seen == 3 {
                self.machine.line = Line::Start;
            }
        }
        if self.machine.line == Line::AfterCr {
            match self.rest().first() {
                Some(&LF) => self.position += 1,
                Some(_) => {}
                None => return Ok(Outcome::Nothing),
            }
            self.machine.line = Line::Start;
        }
        if self.machine.line == Line::Start {
            return Ok(Outcome::Nothing);
        }
        let start = self.position;
        let end = self.ends.next(self.chunk, start);
        self.position = end.unwrap_or(self.chunk.len());
        self.machine.piece(
            self.chunk.get(start..self.position).unwrap_or_default(),
            items,
        )?;
        end.map_or(Ok(Outcome::Nothing), |end| self.end_line(end, items))
    }

    /// Ends the line that the machine has read, at `end`.
    fn end_line(&mut self, end: usize, items: bool) -> Result<Outcome, EventTooLarge> {
        let outcome = self.machine.end_line(items);
        self.pass_line_end(end);
        outcome
    }

    /// Moves behind the line end at `end`: a CR, an LF, or both.
    #[inline]
    fn pass_line_end(&mut self, end: usize) {
        self.position = end + 1;
        if self.chunk.get(end) == Some(&CR) {
            match self.chunk.get(end + 1) {
                Some(&LF) => self.position += 1,
                Some(_) => {}
                // CR ended the line; remember it only to swallow an LF that may start the next chunk.
                None => self.machine.line = Line::AfterCr,
            }
        }
    }

    /// Reads the whole line at `start..end` without storing it. `None`: this line needs the line machine, and nothing was done.
    #[inline]
    fn lend(&mut self, start: usize, end: usize, items: bool) -> Option<Outcome> {
        let line = self.chunk.get(start..end)?;
        let (field, value) = split(line);
        let Some(field) = field else {
            return Some(Outcome::Nothing);
        };
        match field {
            Field::Comment if !items => return Some(Outcome::Nothing),
            Field::Retry => {
                let mut digits = Digits::NONE;
                digits.push(value);
                return Some(self.machine.retry(digits, items));
            }
            _ => {}
        }
        let machine = &mut *self.machine;
        if machine.skipping {
            return None;
        }
        let text = self.valid.get(self.chunk, end - value.len(), end)?;
        let room = machine.storage.room(machine.held, field.region()).bytes;
        if text.len() > room {
            return None;
        }
        match field {
            Field::Data if machine.has_data => {
                if text.len() == room {
                    return None;
                }
                if let Some(first) = self.lent.data.take() {
                    machine.storage.push(Region::Text, first);
                }
                machine.storage.push(Region::Text, "\n");
                machine.storage.push(Region::Text, text);
                machine.held.data += 1 + text.len();
            }
            Field::Data => {
                machine.has_data = true;
                machine.held.data = text.len();
                self.lent.data = Some(text);
            }
            Field::EventType => {
                machine.held.event_type = text.len();
                self.lent.event_type = Some(text);
            }
            Field::Id => {
                if !text.contains('\0') {
                    machine.has_id = true;
                    machine.held.pending_id = text.len();
                    machine.storage.truncate(Region::PendingId, 0);
                    machine.storage.push(Region::PendingId, text);
                }
            }
            Field::Comment => {
                self.lent.comment = Some(text);
                machine.show_comment();
                return Some(Outcome::Comment);
            }
            Field::Retry => {}
        }
        Some(Outcome::Nothing)
    }

    /// Stores what is lent from the chunk, as the chunk may be gone before the event is complete.
    #[inline]
    fn spill(&mut self) {
        if self.lent.data.is_some() || self.lent.event_type.is_some() {
            self.store_lent();
        }
    }

    fn store_lent(&mut self) {
        let storage = &mut self.machine.storage;
        if let Some(data) = self.lent.data.take() {
            storage.push(Region::Text, data);
        }
        if let Some(event_type) = self.lent.event_type.take() {
            storage.truncate(Region::EventType, 0);
            storage.push(Region::EventType, event_type);
        }
    }
}

/// The field of a whole line, `None` if it is unknown, and its value: "If value starts with a U+0020 SPACE character, remove it".
#[inline]
fn split(line: &[u8]) -> (Option<Field>, &[u8]) {
    let (field, rest) = match line {
        [b'd', b'a', b't', b'a', rest @ ..] => (Field::Data, rest),
        [b'e', b'v', b'e', b'n', b't', rest @ ..] => (Field::EventType, rest),
        [b'i', b'd', rest @ ..] => (Field::Id, rest),
        [b'r', b'e', b't', b'r', b'y', rest @ ..] => (Field::Retry, rest),
        [b':', text @ ..] => return (Some(Field::Comment), text),
        _ => return (None, &[]),
    };
    match rest {
        [b':', b' ', value @ ..] | [b':', value @ ..] => (Some(field), value),
        [] => (Some(field), &[]),
        _ => (None, &[]),
    }
}

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
#[non_exhaustive]
pub struct Event<'e> {
    /// The event type; `message` if the stream names none. Never empty.
    ///
    /// A server may name an event `open` or `error`: it is an event like any other.
    pub event_type: &'e str,
    /// The data, its lines joined by LF.
    pub data: &'e str,
    /// The last event ID string when the event was dispatched: the `id` of this event, or of an earlier one.
    pub last_event_id: &'e str,
}

impl<'e> Event<'e> {
    #[inline]
    fn new<S: Storage>(machine: &'e Machine<S>, lent: &Lent<'e>) -> Self {
        let storage = &machine.storage;
        Self {
            event_type: match lent
                .event_type
                .unwrap_or_else(|| storage.text(Region::EventType))
            {
                "" => "message",
                event_type => event_type,
            },
            data: lent.data.unwrap_or_else(|| storage.text(Region::Text)),
            last_event_id: storage.text(Region::LastEventId),
        }
    }
}

/// What [`Events::next_item`] hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Item<'e> {
    /// A dispatched event.
    Event(Event<'e>),
    /// The text of a comment line: all that follows its colon, a leading space included.
    Comment(&'e str),
    /// A `retry` line has set the reconnection time, in milliseconds.
    Retry(Duration),
}

/// An event, or a comment, was larger than its storage may hold; it was dropped and decoding goes on behind it.
///
/// An `id` of such an event counts nevertheless, so that a reconnect does not ask for the same event for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventTooLarge {
    limit: usize,
}

impl EventTooLarge {
    /// The limit that was crossed, in bytes of decoded text: that of the [`Heap`], or the length of a region of
    /// [`Fixed`](crate::Fixed) memory.
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

/// An id is longer than the storage can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdTooLong {
    limit: usize,
}

impl IdTooLong {
    /// The longest id there is room for, in bytes.
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
