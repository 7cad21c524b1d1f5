//! The decoder: bytes in, in any pieces; events out, borrowed from the chunk where possible.
//!
//! ```text
//!  chunk ---> Events (events), the cursor
//!               |
//!               |-- whole line ---> ValidatedWindow (window) ---------- borrow ----+
//!               |                                                                 |
//!               `-- piece of a line ---> PendingLine (line)                       v
//!                                          |                              EventBuilder (builder):
//!                                          `--> Utf8Decoder (utf8) -- append --> limit, dispatch
//!                                                                                 |
//!  Event <-------- borrowed from the chunk, or from the Storage <-----------------+
//! ```
//!
//! Both ways ask `field` what a line means. `fast_path` and `line_buffer` only make them faster: without
//! these two files, the decoder would return the same.

mod builder;
mod error;
mod event;
mod events;
mod fast_path;
mod field;
mod line;
mod line_buffer;
mod utf8;
mod window;

use crate::scanner::OPTIMIZE_FOR_SIZE;
use crate::storage::{Heap, Storage};
use builder::{Borrowed, EventBuilder, Outcome};
use core::time::Duration;
use line::{LineState, PendingLine};
use utf8::Utf8Decoder;

pub use error::{EventTooLarge, IdTooLong, Part};
pub(crate) use event::IdLine;
pub use event::{Event, Ignored, IgnoredReason, Item, Unfinished};
pub use events::Events;

/// An incremental decoder of one event stream after another.
///
/// It takes the bytes of a response body in whatever pieces they arrive, and returns each event as soon
/// as its last byte is there. Events, errors and the final state are a function of the concatenated
/// bytes, never of how they were split into chunks.
///
/// Every byte sequence is a valid stream (WHATWG HTML, section 9.2.6): there are no parse errors,
/// unknown fields are ignored, invalid UTF-8 becomes U+FFFD. The only error, [`EventTooLarge`], is about
/// memory.
///
/// `S` is the memory for what a chunk leaves unfinished: [`Heap`], which grows up to a limit, or
/// [`Fixed`](crate::Fixed), which the caller provides.
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
    /// Creates a decoder whose memory grows as needed, for events of up to 16 MiB.
    ///
    /// It allocates nothing until an event spans two chunks, has several data lines, or has an id.
    ///
    /// ```
    /// let mut decoder = sse_proto::Decoder::new();
    /// let mut events = decoder.feed(b"data: x\n\n");
    /// assert_eq!(events.next_event().unwrap().unwrap().data, "x");
    /// ```
    pub const fn new() -> Self {
        Self::with_max_event_len(Heap::DEFAULT_LIMIT)
    }

    /// Creates a decoder whose memory grows as needed, for events of up to `bytes` bytes of decoded text
    /// ([`Heap`] lists what counts). `usize::MAX` disables the limit.
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
    /// Creates a decoder over the given memory: see [`Fixed`](crate::Fixed).
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

    /// Sets what happens to an event whose ID has no room: it is an error ([`EventTooLarge`], the
    /// default), or it is returned without its ID (`true`).
    ///
    /// In the second case, the last event ID stays that of an earlier event, so a reconnect may receive
    /// events again. [`Event::is_id_too_long`] tells it, and [`next_item`](Events::next_item) returns the
    /// `id` line as [`Item::Ignored`]. For small [`Fixed`](crate::Fixed) memory and for programs that do
    /// not resume.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let mut decoder = sse_proto::Decoder::with_max_event_len(10).skip_long_ids(true);
    /// let mut events = decoder.feed(b"data: reading\nid: 0123456789\n\n");
    /// let event = events.next_event().unwrap().unwrap();
    /// assert_eq!((event.data, event.last_event_id), ("reading", ""));
    /// assert!(event.is_id_too_long());
    /// # }
    /// ```
    pub fn skip_long_ids(mut self, yes: bool) -> Self {
        self.builder.set_skip_long_ids(yes);
        self
    }

    /// Returns a cursor over a chunk: the next bytes of the stream, any number of them.
    ///
    /// Nothing is read until the cursor is asked. Call it until it returns `Ok(None)`, then feed the next
    /// chunk; or stop earlier and feed [`rest`](Events::rest) again.
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

    /// Returns the standard's last event ID *string*: the `id` of the last block that ended with a blank
    /// line and had one, or what [`set_last_event_id`](Decoder::set_last_event_id) was given.
    ///
    /// A reconnect sends it as `Last-Event-ID`, unless it is empty.
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

    /// Sets the last event ID string, before a stream that continues where another one ended.
    ///
    /// Events have this ID until an `id` line replaces it. The text is not checked: unlike IDs from a
    /// stream, it may contain NUL, CR or LF.
    ///
    /// # Errors
    ///
    /// [`IdTooLong`] if the memory is [`Fixed`](crate::Fixed) and its region for an ID is too short; the
    /// old ID stays. On the heap there is no error: the limit is for what streams send.
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

    /// Returns the reconnection time of the last valid `retry` line, in any stream; `None` if there was
    /// none.
    ///
    /// It is set at the end of the `retry` line, without waiting for a blank line, and saturates at
    /// `u64::MAX` milliseconds.
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
}

// What is known of a stream, and its end.
impl<S: Storage> Decoder<S> {
    /// Returns what would be lost if the stream ended here; `None` if nothing.
    ///
    /// Call it when the cursor has returned `Ok(None)`: it looks at what was read of the chunks. A stream
    /// may end with comments and other lines without effect, but a line without its terminator is
    /// unfinished, whatever it is.
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
            | LineState::Ignored
            | LineState::LongId => Some(Unfinished::Line),
        }
    }

    /// Returns whether any line of the stream so far was one that the standard knows: a comment, or a
    /// `data`, `event`, `id` or `retry` line that was not ignored, or had no room. The unfinished line
    /// counts if its effect is certain.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let mut decoder = sse_proto::Decoder::new();
    /// assert_eq!(decoder.feed(b"<html>\n<body>Bad Gateway").next_event(), Ok(None));
    /// assert!(!decoder.has_recognized_line() && decoder.has_ignored_line());
    ///
    /// decoder.reset();
    /// assert_eq!(decoder.feed(b": ping\n").next_event(), Ok(None));
    /// assert!(decoder.has_recognized_line() && !decoder.has_ignored_line());
    /// # }
    /// ```
    pub fn has_recognized_line(&self) -> bool {
        self.builder.has_recognized_line()
            || self.builder.is_in_event()
            || match self.line.state {
                LineState::Value(field, _) => field.is_always_recognized(),
                LineState::Prefix => self.line.prefix.is_recognized(),
                _ => false,
            }
    }

    /// Returns whether any line of the stream so far was ignored: see [`Ignored`]. The unfinished line
    /// counts as soon as no field can start like it, whatever its value is.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let mut decoder = sse_proto::Decoder::new();
    /// assert_eq!(decoder.feed(b"data: x\nretry: 1 s\n").next_event(), Ok(None));
    /// assert!(decoder.has_ignored_line());
    /// # }
    /// ```
    pub fn has_ignored_line(&self) -> bool {
        self.builder.has_ignored_line()
            || self.line.state == LineState::Prefix && self.line.prefix.is_unknown()
    }

    /// Returns whether the stream so far has lines, all of which were ignored: it is no event stream, but
    /// an error in JSON or HTML, for example.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let mut decoder = sse_proto::Decoder::new();
    /// assert!(!decoder.is_no_event_stream());
    /// assert_eq!(decoder.feed(b"{\"error\":413}").next_event(), Ok(None));
    /// assert!(decoder.is_no_event_stream());
    /// # }
    /// ```
    pub fn is_no_event_stream(&self) -> bool {
        self.has_ignored_line() && !self.has_recognized_line()
    }

    /// Prepares for the next stream: drops what is incomplete, as the standard requires, and expects a
    /// byte order mark again.
    ///
    /// The last event ID string, the reconnection time and the allocated memory are kept.
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

    /// Ends the stream and returns the event that its end cut off, as if the missing line terminators
    /// had been sent. Otherwise does what [`reset`](Decoder::reset) does.
    ///
    /// The standard drops such an event ("Once the end of the file is reached, any pending data
    /// must be discarded"), and its ID with it, because a reconnect asks for it again. Call this instead
    /// of `reset` for servers that omit the last blank line.
    ///
    /// # Errors
    ///
    /// [`EventTooLarge`] if ending the last line makes the event too large: by the U+FFFD for an
    /// incomplete sequence, or by the LF that an empty `data` line adds.
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
            LineState::Prefix | LineState::Value(..) | LineState::Ignored | LineState::LongId => {
                self.end_line(false)
            }
        };
        let has_event = self.dispatch(false) == Outcome::Event;
        self.line.reset();
        self.builder.reset_recognition();
        if ended.is_err() {
            return self.builder.overflow();
        }
        Ok(has_event.then(|| self.builder.event(&Borrowed::default())))
    }

    /// Clears what was returned last. Returns whether that leaves the decoder between events.
    #[inline]
    fn clear_dispatched(&mut self) -> bool {
        let cleared = self.builder.clear_dispatched() && self.line.state == LineState::Start;
        if cleared {
            self.line.between_events = true;
        }
        cleared
    }

    /// Reads a blank line. Returns what it dispatches.
    #[inline]
    fn dispatch(&mut self, items: bool) -> Outcome {
        self.flush();
        let outcome = self.builder.dispatch(items);
        if let Outcome::Nothing | Outcome::Id = outcome {
            // Only after a recognized line: the fast paths do not record that there was one.
            self.line.between_events = !OPTIMIZE_FOR_SIZE
                && self.line.state == LineState::Start
                && self.builder.has_recognized_line();
        }
        outcome
    }
}
