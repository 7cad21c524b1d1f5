//! The decoder: bytes in, in any pieces; events out, lent from the chunk where they can be.
//!
//! Here is what users see; the work is done by the cursor over one chunk (`cursor`), with its
//! validation (`utf8`), and by the line machine (`line`) for what outlives a chunk. What a line says
//! they both ask of `field`.

mod builder;
mod events;
mod fast_path;
mod field;
mod line;
mod line_buffer;
mod utf8;
mod window;

use crate::storage::{Heap, Storage};
use builder::{Borrowed, EventBuilder, Outcome};
use core::fmt;
use core::time::Duration;
use line::{LineState, PendingLine};
use utf8::Utf8Decoder;

pub use events::Events;

/// An incremental decoder of one event stream after another.
///
/// It is given the bytes of a response body in whatever pieces they arrive, and hands out each
/// event in the call that is given its last byte. Events, errors and the final state are a function
/// of the concatenated bytes, never of how they were cut.
///
/// Every byte sequence is a valid stream (WHATWG HTML, section 9.2.6): there is no parse error,
/// unknown fields are ignored, invalid UTF-8 becomes U+FFFD. The one error there is,
/// [`EventTooLarge`], concerns the memory and not the stream.
///
/// `S` is the memory for what a chunk leaves unfinished: [`Heap`], which grows up to a limit, or
/// [`Fixed`](crate::Fixed), which is the caller's.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use sse_proto::Decoder;
///
/// let mut decoder = Decoder::new();
/// let mut data = Vec::new();
/// for chunk in ["data: one\n\ndata: t", "wo\r", "\n\r\n"] {
///     let mut events = decoder.feed(chunk.as_bytes());
///     while let Some(event) = events.next_event().unwrap() {
///         data.push(event.data.to_owned());
///     }
/// }
/// assert_eq!(data, ["one", "two"]);
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Decoder<S = Heap> {
    line: PendingLine,
    utf8: Utf8Decoder,
    builder: EventBuilder<S>,
}

#[cfg(feature = "alloc")]
impl Decoder<Heap> {
    /// A decoder whose memory grows as needed, for events of up to 16 MiB.
    ///
    /// It allocates nothing before an event straddles two chunks, has several data lines, or an id.
    ///
    /// ```
    /// let mut decoder = sse_proto::Decoder::new();
    /// let mut events = decoder.feed(b"data: x\n\n");
    /// assert_eq!(events.next_event().unwrap().unwrap().data, "x");
    /// ```
    pub const fn new() -> Self {
        Self::with_max_event_len(Heap::DEFAULT_LIMIT)
    }

    /// A decoder whose memory grows as needed, for events of up to `bytes` bytes of decoded text;
    /// [`Heap`] says what counts.
    ///
    /// `usize::MAX` switches the limit off.
    ///
    /// ```
    /// let mut decoder = sse_proto::Decoder::with_max_event_len(3);
    /// let mut events = decoder.feed(b"data: abc\n\ndata: abcd\n\n");
    /// assert_eq!(events.next_event().unwrap().unwrap().data, "abc");
    /// assert_eq!(events.next_event().unwrap_err().limit(), 3);
    /// ```
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
    ///
    /// ```
    /// use sse_proto::{Decoder, Fixed};
    ///
    /// let mut decoder = Decoder::with_storage(Fixed::new([0; 64]));
    /// assert_eq!(decoder.feed(b"data: in two").next_event(), Ok(None));
    /// let mut events = decoder.feed(b" pieces\n\n");
    /// assert_eq!(events.next_event().unwrap().unwrap().data, "in two pieces");
    /// ```
    pub const fn with_storage(storage: S) -> Self {
        Self {
            line: PendingLine::new(),
            utf8: Utf8Decoder::new(),
            builder: EventBuilder::new(storage),
        }
    }

    /// Begins to read a chunk: the next bytes of the stream, any number of them.
    ///
    /// Nothing is read before the cursor is asked. Ask it until it says `Ok(None)`, then feed the
    /// next chunk; or leave it early and take care of [`rest`](Events::rest).
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let mut decoder = sse_proto::Decoder::new();
    /// let mut events = decoder.feed(b"data: 1\n\n");
    /// assert_eq!(events.next_event().unwrap().unwrap().data, "1");
    /// assert_eq!(events.next_event(), Ok(None));
    /// # }
    /// ```
    #[inline]
    pub fn feed<'d, 'i>(&'d mut self, chunk: &'i [u8]) -> Events<'d, 'i, S> {
        Events::new(self, chunk)
    }

    /// The standard's last event ID *string*: the last `id` that a blank line has committed, or the
    /// seed.
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
        self.builder.last_event_id()
    }

    /// Seeds the last event ID string, before a stream that goes on where another one ended.
    ///
    /// Events carry it until an `id` line replaces it. The text is taken as it is; only a stream's
    /// own ids are known to be free of NUL, CR and LF.
    ///
    /// # Errors
    ///
    /// [`IdTooLong`] if the memory is [`Fixed`](crate::Fixed) and its region for an id is shorter; the
    /// old one stays. On the heap there is no error: the limit is for what streams send.
    ///
    /// ```
    /// use sse_proto::{Decoder, Fixed};
    ///
    /// let mut decoder = Decoder::with_storage(Fixed::with_field_capacity([0; 32], 4));
    /// decoder.set_last_event_id("41").unwrap();
    /// let mut events = decoder.feed(b"data: x\n\n");
    /// assert_eq!(events.next_event().unwrap().unwrap().last_event_id, "41");
    /// assert_eq!(decoder.set_last_event_id("12345").unwrap_err().limit(), 4);
    /// ```
    pub fn set_last_event_id(&mut self, id: &str) -> Result<(), IdTooLong> {
        let set = self.builder.set_last_event_id(id);
        set.map_err(|limit| IdTooLong { limit })
    }

    /// The reconnection time that the server last asked for with `retry`, in any stream; `None` if
    /// it never did.
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
        self.builder.reconnection_time()
    }

    /// What the bytes so far have left unfinished: what an end here would cut off.
    ///
    /// It is about the chunks as far as they were read; ask when the cursor has said `Ok(None)`. A
    /// line without effect does not make an event, so that a stream may end with a comment.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Decoder, Unfinished};
    ///
    /// let unfinished_after = |bytes: &[u8]| {
    ///     let mut decoder = Decoder::new();
    ///     let mut events = decoder.feed(bytes);
    ///     while events.next_event().unwrap().is_some() {}
    ///     decoder.unfinished()
    /// };
    /// assert_eq!(unfinished_after(b"data: one\n\n: ping\n"), None);
    /// assert_eq!(unfinished_after(b"data: one\n\ndata: tw"), Some(Unfinished::Line));
    /// assert_eq!(unfinished_after(b"data: one\n\nid: 2\n"), Some(Unfinished::Event));
    /// # }
    /// ```
    pub fn unfinished(&self) -> Option<Unfinished> {
        match self.line.state {
            LineState::StreamStart(0) | LineState::AfterCr | LineState::Start => {
                self.builder.is_in_event().then_some(Unfinished::Event)
            }
            LineState::StreamStart(_)
            | LineState::Prefix
            | LineState::Value(..)
            | LineState::Ignored => Some(Unfinished::Line),
        }
    }

    /// The stream has ended and another one begins: drops what is incomplete, as the standard wants
    /// it, and expects a byte order mark again.
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
        self.line.reset();
        self.utf8.clear();
        self.builder.reset();
    }

    /// The stream has ended: hands over the event that the end cut short, as if the missing line
    /// end and blank line had come.
    ///
    /// The standard drops such an event ("Once the end of the file is reached, any pending data
    /// must be discarded"), and with it its id, because a reconnect brings it again. Call this
    /// instead of [`reset`](Decoder::reset) for servers that forget the last blank line. It does
    /// all that `reset` does, too.
    ///
    /// # Errors
    ///
    /// [`EventTooLarge`] if the end of the last line made the event too large: by U+FFFD for a
    /// sequence that breaks off, or by the LF that an empty `data` line adds.
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
        self.clear_dispatched();
        let ended = match self.line.state {
            LineState::StreamStart(_) | LineState::AfterCr | LineState::Start => {
                Ok(Outcome::Nothing)
            }
            LineState::Prefix | LineState::Value(..) | LineState::Ignored => self.end_line(false),
        };
        let has_event = self.dispatch();
        self.line.state = LineState::StreamStart(0);
        self.line.between_events = false;
        ended?;
        Ok(has_event.then(|| self.builder.event(&Borrowed::default())))
    }

    /// Frees the event or comment that was returned last. `true`: it was an event, and the next
    /// one may start.
    #[inline]
    fn clear_dispatched(&mut self) -> bool {
        let cleared = self.builder.clear_dispatched() && self.line.state == LineState::Start;
        if cleared {
            self.line.between_events = true;
        }
        cleared
    }

    /// Reads a blank line. `true` if it dispatches an event.
    #[inline]
    fn dispatch(&mut self) -> bool {
        self.flush();
        let has_event = self.builder.dispatch();
        if !has_event {
            self.line.between_events = self.line.state == LineState::Start;
        }
        has_event
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
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Event<'e> {
    /// The event type; `message` if the stream names none. Never empty.
    ///
    /// A server may name an event `open` or `error`: it is an event like any other.
    pub event_type: &'e str,
    /// The data, its lines joined by LF.
    pub data: &'e str,
    /// The last event ID string when the event was dispatched: the `id` of this event, or of an
    /// earlier one.
    pub last_event_id: &'e str,
}

/// What [`Events::next_item`] hands out.
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
    /// The text of a comment line: all that follows its colon, a leading space included.
    Comment(&'e str),
    /// A `retry` line has set the reconnection time, in milliseconds.
    Retry(Duration),
}

/// An event, or a comment, was larger than its storage may hold; it was dropped and decoding goes
/// on behind it.
///
/// An `id` of such an event counts nevertheless, so that a reconnect does not ask for the same
/// event for ever.
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
    limit: usize,
}

impl EventTooLarge {
    /// The limit that was crossed, in bytes of decoded text: that of the [`Heap`], or the length of
    /// a region of [`Fixed`](crate::Fixed) memory.
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

/// An id is longer than the region that [`Fixed`](crate::Fixed) memory has for it.
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

/// What a stream is in the middle of: [`Decoder::unfinished`].
///
/// Exhaustive: a stream has lines, and lines make events.
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
    /// A line whose end has not come; whether there is an event before it is not said.
    Line,
    /// An event whose blank line has not come: it has data, a type or an id, or was too large.
    Event,
}
