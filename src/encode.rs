//! The encoder: frames in, the bytes of an event stream out, and nothing that was not put in.
//!
//! [`Frame`] is checked text. How it is spelt only the module `pieces` knows; every way out is a few
//! lines over that. [`Encoder`] writes frames into one stream, and events whose data is made on the
//! fly.
//!
//! Invariant: the event type of a frame is free of CR and LF, its id of CR, LF and NUL, and it has
//! data if it has an event type.

mod pieces;
mod writer;

use crate::Event;
#[cfg(feature = "alloc")]
use crate::reserve;
use crate::scanner;
use core::fmt;
use core::mem;
use core::time::Duration;

pub use pieces::Pieces;
pub use writer::{Encoder, EventWriter};

/// One block of an event stream, as a server writes it: an event, a comment, an id, a reconnection
/// time, or several of them.
///
/// It borrows its text, is made in constant expressions too, and is written in any of these ways:
///
/// | into | with |
/// |---|---|
/// | a byte buffer | [`encode_to_slice`](Self::encode_to_slice) |
/// | `Vec<u8>`, `String` | `encode_to_vec`, `encode_to_string` (feature `alloc`) |
/// | a [`core::fmt::Write`] | [`encode_to_fmt`](Self::encode_to_fmt), or `{}` in `write!` |
/// | vectored output, anything else | [`pieces`](Self::pieces) |
///
/// A decoder makes of it what was put in: each comment line, then the reconnection time, then
/// exactly one event if there is data, and none if not. Text cannot break out of its field (rules
/// of WHATWG HTML, section 9.2.5): an event type or an id that cannot be written is refused, and
/// data and comments are cut into lines at CR, LF and CRLF. Frames may be written one after another
/// in any order: those with data or an id end with the blank line that dispatches the one and
/// commits the other. A comment or a reconnection time needs none, and gets none: there are clients
/// that make an empty event of it.
///
/// ```
/// use sse_proto::Frame;
///
/// let frame = Frame::message("first\nsecond").event("news")?.id("7")?;
/// assert_eq!(
///     frame.to_string(),
///     "event: news\nid: 7\ndata: first\ndata: second\n\n"
/// );
/// assert!(Frame::message("x").event("news\rdata: forged\r\r").is_err());
/// # Ok::<(), sse_proto::InvalidField>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[must_use = "a frame does nothing until it is written"]
pub struct Frame<'a> {
    comment: Option<&'a str>,
    /// Empty: the default, and no line for it.
    event: &'a str,
    id: Option<&'a str>,
    /// In milliseconds.
    retry: Option<u64>,
    data: Option<&'a str>,
}

impl<'a> Frame<'a> {
    /// A frame with nothing in it yet: for frames without data.
    ///
    /// As it is, it is written as a blank line alone: were it written as nothing, it would end a
    /// body that goes out in HTTP chunks, a chunk for each frame. Clients ignore it if the stream
    /// has no ids; once an id was sent, a few take a blank line for an empty event.
    ///
    /// ```
    /// use sse_proto::Frame;
    /// use std::time::Duration;
    ///
    /// assert_eq!(Frame::new().retry(Duration::from_secs(5)).to_string(), "retry: 5000\n");
    /// assert_eq!(Frame::new().id("41")?.to_string(), "id: 41\n\n");
    /// assert_eq!(Frame::new().comment(" at work").to_string(), ": at work\n");
    /// assert_eq!(Frame::new().to_string(), "\n");
    /// # Ok::<(), sse_proto::InvalidField>(())
    /// ```
    #[inline]
    pub const fn new() -> Self {
        Self {
            comment: None,
            event: "",
            id: None,
            retry: None,
            data: None,
        }
    }

    /// An event with this data, of the default type `message`.
    ///
    /// The data is written line by line. A decoder joins the lines by LF: **a CR or a CRLF in the
    /// data comes back as an LF**. Everything else comes back as it is: a leading space, a line end
    /// at the end, control characters, NUL, U+FEFF. Empty data is data, and is dispatched.
    ///
    /// ```
    /// use sse_proto::Frame;
    ///
    /// let frame = Frame::message("a\r\n b\rc\n").to_string();
    /// assert_eq!(frame, "data: a\ndata:  b\ndata: c\ndata: \n\n");
    /// assert_eq!(Frame::message("").to_string(), "data: \n\n");
    /// ```
    #[inline]
    pub const fn message(data: &'a str) -> Self {
        Self {
            data: Some(data),
            ..Self::new()
        }
    }

    /// An empty comment, two bytes long: what keeps a silent connection open.
    ///
    /// Browsers ignore it. Some client SDKs do not: those for Gemini raise an error or lose the
    /// next event; send them [`Frame::new()`](Self::new) instead. `docs/frames-against-clients.md`
    /// lists which client accepts which frame.
    ///
    /// The standard suggests a comment "every 15 seconds or so". That is too long in some places:
    /// `Bun.serve` may cut a connection after 8 seconds of silence. `docs/silence.md` has more.
    ///
    /// ```
    /// assert_eq!(sse_proto::Frame::keep_alive().to_string(), ":\n");
    /// ```
    #[inline]
    pub const fn keep_alive() -> Self {
        Self::new().comment("")
    }

    /// Sets the event type.
    ///
    /// It makes the frame an event: without data, the data is empty. (With no data at all, a
    /// decoder would drop the type, and nothing would arrive.) The empty type is the default,
    /// `message`, and no line is written for it. Browsers fire events of the types `open` and
    /// `error` themselves, too.
    ///
    /// # Errors
    ///
    /// [`InvalidField`] if the type has a CR or an LF: the format cannot express it.
    ///
    /// ```
    /// use sse_proto::Frame;
    ///
    /// const PING: Frame<'_> = match Frame::new().event("ping") {
    ///     Ok(frame) => frame,
    ///     Err(_) => panic!("no event type"),
    /// };
    /// assert_eq!(PING.to_string(), "event: ping\ndata: \n\n");
    ///
    /// let error = Frame::message("x").event("two\nlines").unwrap_err();
    /// assert_eq!((error.field(), error.byte(), error.position()), ("event", b'\n', 3));
    /// ```
    #[inline]
    pub const fn event(mut self, event: &'a str) -> Result<Self, InvalidField> {
        if let Some(error) = InvalidField::find("event", event.as_bytes(), false) {
            return Err(error);
        }
        self.event = event;
        if self.data.is_none() {
            self.data = Some("");
        }
        Ok(self)
    }

    /// Sets the id: what a client sends as `Last-Event-ID` when it connects again.
    ///
    /// It holds for this event and for those after it. The empty id is written, and resets it to
    /// none. A frame with an id alone moves the position without an event (not in every browser).
    ///
    /// Avoid blanks at the edges of an id: HTTP strips them from the header, so they come back from
    /// no client unchanged, and some clients cannot send such an id at all.
    ///
    /// # Errors
    ///
    /// [`InvalidField`] if the id has a CR or an LF, or a NUL, with which a decoder would ignore
    /// it.
    ///
    /// ```
    /// use sse_proto::Frame;
    ///
    /// assert_eq!(Frame::message("x").id("7")?.to_string(), "id: 7\ndata: x\n\n");
    /// assert_eq!(Frame::message("x").id("")?.to_string(), "id: \ndata: x\n\n");
    /// let error = Frame::message("x").id("7\0").unwrap_err();
    /// assert_eq!(error.to_string(), "id: NUL at byte 1");
    /// # Ok::<(), sse_proto::InvalidField>(())
    /// ```
    #[inline]
    pub const fn id(mut self, id: &'a str) -> Result<Self, InvalidField> {
        if let Some(error) = InvalidField::find("id", id.as_bytes(), true) {
            return Err(error);
        }
        self.id = Some(id);
        Ok(self)
    }

    /// Sets the reconnection time: how long a client waits before it connects again.
    ///
    /// It is written in whole milliseconds, rounded up so that no client comes sooner than asked,
    /// and at most `u64::MAX` of them.
    ///
    /// Keep it between 1 and 2147483647 ms: with 0, or with more than that, some clients reconnect
    /// without any wait, or never. And set it on a frame with data: some clients ignore a `retry`
    /// line in a block without an event.
    ///
    /// ```
    /// use sse_proto::Frame;
    /// use std::time::Duration;
    ///
    /// let frame = Frame::new().retry(Duration::from_micros(1_500_001));
    /// assert_eq!(frame.to_string(), "retry: 1501\n");
    /// ```
    #[inline]
    pub const fn retry(mut self, time: Duration) -> Self {
        let begun = time.subsec_nanos() % 1_000_000 != 0;
        let millis = time.as_millis() + begun as u128;
        self.retry = Some(if millis > u64::MAX as u128 {
            u64::MAX
        } else {
            millis as u64
        });
        self
    }

    /// Sets the comment, which stands before the fields. Clients ignore it, with the exceptions
    /// named at [`heartbeat`](Self::heartbeat); people and tools that read along see it.
    ///
    /// The text stands right behind the colon. **Each line of it is a comment of its own**: where
    /// it has a CR, an LF or a CRLF, decoders that hand out comments give several.
    ///
    /// ```
    /// use sse_proto::Frame;
    ///
    /// assert_eq!(Frame::message("x").comment(" a\rb").to_string(), ": a\n:b\ndata: x\n\n");
    /// ```
    #[inline]
    pub const fn comment(mut self, comment: &'a str) -> Self {
        self.comment = Some(comment);
        self
    }

    /// Whether a decoder hands out an event for it: whether the frame has data, empty data included.
    ///
    /// ```
    /// use sse_proto::Frame;
    ///
    /// assert!(Frame::message("").is_event() && Frame::new().event("ping")?.is_event());
    /// assert!(!Frame::keep_alive().is_event() && !Frame::new().id("7")?.is_event());
    /// # Ok::<(), sse_proto::InvalidField>(())
    /// ```
    #[inline]
    pub const fn is_event(&self) -> bool {
        self.data.is_some()
    }

    /// The same without its id: no `id` line is written.
    ///
    /// For proxies that have just sent an event with the same id: see the conversion of an [`Event`]
    /// into a frame.
    ///
    /// ```
    /// use sse_proto::Frame;
    ///
    /// assert_eq!(Frame::message("x").id("7")?.without_id(), Frame::message("x"));
    /// # Ok::<(), sse_proto::InvalidField>(())
    /// ```
    #[inline]
    pub const fn without_id(mut self) -> Self {
        self.id = None;
        self
    }

    /// The text of the frame, piece by piece: for vectored writes, and for output of any other
    /// kind.
    ///
    /// The pieces borrow from the text that the frame was made of, and not from the frame.
    ///
    /// ```
    /// use sse_proto::Frame;
    /// use std::io::{IoSlice, Write};
    ///
    /// let slices: Vec<_> = Frame::message("hello")
    ///     .pieces()
    ///     .map(|piece| IoSlice::new(piece.as_bytes()))
    ///     .collect();
    /// let mut socket = Vec::new();
    /// let written = socket.write_vectored(&slices)?; // As every write, it may be a short one.
    /// assert_eq!(socket, b"data: hello\n\n");
    /// assert_eq!(written, Frame::message("hello").encoded_len());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    pub fn pieces(&self) -> Pieces<'a> {
        Pieces::new(*self)
    }

    /// How many bytes the frame is when it is written; `usize::MAX` if they are more than that.
    ///
    /// ```
    /// assert_eq!(sse_proto::Frame::message("hello").encoded_len(), "data: hello\n\n".len());
    /// ```
    #[inline]
    pub fn encoded_len(&self) -> usize {
        self.len(self.has_no_line_end())
    }

    /// Writes the whole frame to the start of `out` and says how many bytes that was.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] if there is not enough room: it says how much is needed, and nothing is
    /// written.
    ///
    /// ```
    /// use sse_proto::Frame;
    ///
    /// let mut buffer = [0; 16];
    /// let len = Frame::message("hello").encode_to_slice(&mut buffer)?;
    /// assert_eq!(&buffer[..len], b"data: hello\n\n");
    /// let error = Frame::message("good evening").encode_to_slice(&mut buffer).unwrap_err();
    /// assert_eq!(error.needed(), 20);
    /// # Ok::<(), sse_proto::BufferTooSmall>(())
    /// ```
    // Always, here and below: which fields there are is known where the frame was made, and half of
    // the time of a short one would go into asking.
    #[inline(always)]
    pub fn encode_to_slice(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let one_line = self.has_no_line_end();
        let needed = self.len(one_line);
        let Some(mut room) = out.get_mut(..needed) else {
            return Err(BufferTooSmall { needed });
        };
        pieces::each(self, one_line, move |piece| {
            if let Some((target, rest)) = mem::take(&mut room).split_at_mut_checked(piece.len()) {
                target.copy_from_slice(piece.as_bytes());
                room = rest;
            }
        });
        Ok(needed)
    }

    /// Appends the frame to `out`.
    ///
    /// ```
    /// let mut body = Vec::new();
    /// sse_proto::Frame::message("one").encode_to_vec(&mut body);
    /// sse_proto::Frame::message("two").encode_to_vec(&mut body);
    /// assert_eq!(body, b"data: one\n\ndata: two\n\n");
    /// ```
    #[cfg(feature = "alloc")]
    #[inline(always)]
    pub fn encode_to_vec(&self, out: &mut alloc::vec::Vec<u8>) {
        let one_line = self.has_no_line_end();
        // More lines make it longer, which is not worth a count.
        reserve::reserve(out, self.one_line_len());
        pieces::each(self, one_line, |piece| reserve::push(out, piece));
    }

    /// Appends the frame to `out`.
    ///
    /// ```
    /// let mut body = String::new();
    /// sse_proto::Frame::message("one").encode_to_string(&mut body);
    /// assert_eq!(body, "data: one\n\n");
    /// ```
    #[cfg(feature = "alloc")]
    #[inline(always)]
    pub fn encode_to_string(&self, out: &mut alloc::string::String) {
        let one_line = self.has_no_line_end();
        reserve::reserve(out, self.one_line_len());
        pieces::each(self, one_line, |piece| reserve::push(out, piece));
    }

    /// Writes the frame to `out`, as `write!(out, "{frame}")` does, without the formatter in
    /// between.
    ///
    /// # Errors
    ///
    /// Those of `out`. A part of the frame may have been written then: end the stream, as whatever
    /// follows would become a part of the same event. [`Encoder`] sees to that.
    ///
    /// ```
    /// let mut body = String::new();
    /// sse_proto::Frame::message("one").encode_to_fmt(&mut body)?;
    /// assert_eq!(body, "data: one\n\n");
    /// # Ok::<(), core::fmt::Error>(())
    /// ```
    pub fn encode_to_fmt<W: fmt::Write + ?Sized>(&self, out: &mut W) -> fmt::Result {
        let mut result = Ok(());
        pieces::each(self, self.has_no_line_end(), |piece| {
            // A sink may take an empty write for the end.
            if result.is_ok() && !piece.is_empty() {
                result = out.write_str(piece);
            }
        });
        result
    }

    /// Whether comment and data have no line end, for certain.
    #[inline(always)]
    fn has_no_line_end(&self) -> bool {
        let has_no_line_end = |text: &str| scanner::has_no_line_end(text.as_bytes());
        self.comment.is_none_or(has_no_line_end) && self.data.is_none_or(has_no_line_end)
    }

    /// Of a frame without data. The empty one is a blank line: see [`new`](Self::new).
    #[inline(always)]
    fn needs_blank_line(&self) -> bool {
        self.id.is_some() || (self.comment.is_none() && self.retry.is_none())
    }

    /// The length of the frame if comment and data have no line end, and too little if they have.
    #[inline(always)]
    fn one_line_len(&self) -> usize {
        let mut len = 0_usize;
        pieces::each(self, true, |piece| len = len.saturating_add(piece.len()));
        len
    }

    #[inline(always)]
    fn len(&self, one_line: bool) -> usize {
        if one_line {
            self.one_line_len()
        } else {
            self.lines_len()
        }
    }

    #[inline(never)]
    fn lines_len(self) -> usize {
        if let (None, Some(data)) = (self.comment, self.data) {
            // An LF is written as what stands between two lines; a CR may be half of a line end.
            if let Some(count) = scanner::count_lf(data.as_bytes()) {
                let more = pieces::DATA[1].len() - 1;
                return count
                    .saturating_mul(more)
                    .saturating_add(self.one_line_len());
            }
        }
        let mut len = 0_usize;
        pieces::each(&self, false, |piece| len = len.saturating_add(piece.len()));
        len
    }
}

/// The frame that decodes to exactly this event, whatever was sent before it: for proxies and
/// recorders.
///
/// It always has an `id` line, as [`last_event_id`](Event::last_event_id) may be inherited from an
/// earlier event or have been reset. A proxy that forwards a stream from its beginning can leave the
/// line out where the id is still that of the event before, with
/// [`without_id`](Frame::without_id):
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use sse_proto::{Decoder, Frame};
///
/// let stream = "id: 7\ndata: a\n\nevent: add\ndata: b\n\nid\ndata: c\n\n";
/// let mut forwarded = String::new();
/// let mut sent_id = String::new();
///
/// let mut decoder = Decoder::new();
/// let mut events = decoder.feed(stream.as_bytes());
/// while let Some(event) = events.next_event().unwrap() {
///     let mut frame = Frame::try_from(event)?;
///     if event.last_event_id == sent_id {
///         frame = frame.without_id();
///     }
///     frame.encode_to_string(&mut forwarded);
///     sent_id = event.last_event_id.to_owned();
/// }
/// assert_eq!(
///     forwarded,
///     "id: 7\ndata: a\n\nevent: add\ndata: b\n\nid: \ndata: c\n\n"
/// );
/// # }
/// # Ok::<(), sse_proto::InvalidField>(())
/// ```
///
/// # Errors
///
/// [`InvalidField`] if the type or the id cannot be written. No stream has such ones; an id given to
/// [`Decoder::set_last_event_id`](crate::Decoder::set_last_event_id) may be one.
impl<'a> TryFrom<Event<'a>> for Frame<'a> {
    type Error = InvalidField;

    fn try_from(event: Event<'a>) -> Result<Self, InvalidField> {
        let frame = Self::message(event.data).id(event.last_event_id)?;
        match event.event_type {
            "message" => Ok(frame),
            event_type => frame.event(event_type),
        }
    }
}

/// The frame as it is written; width and precision are ignored.
impl fmt::Display for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.encode_to_fmt(f)
    }
}

/// An event type or an id has a byte that its field cannot carry.
///
/// ```
/// let error = sse_proto::Frame::message("x").event("a\rdata: b").unwrap_err();
/// assert_eq!(error.to_string(), "event: CR at byte 1");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidField {
    field: &'static str,
    byte: u8,
    position: usize,
}

impl InvalidField {
    #[inline(always)]
    const fn find(field: &'static str, text: &[u8], nul: bool) -> Option<Self> {
        if scanner::has_no_line_end_const(text) {
            return None;
        }
        match scanner::find_forbidden(text, nul) {
            Some((position, byte)) => Some(Self {
                field,
                byte,
                position,
            }),
            None => None,
        }
    }

    /// The name of the field: `event` or `id`.
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// The first byte that cannot be written: a CR, an LF, or (in an id) a NUL.
    pub const fn byte(&self) -> u8 {
        self.byte
    }

    /// Where that byte stands in the text that was given, in bytes from 0.
    pub const fn position(&self) -> usize {
        self.position
    }
}

impl fmt::Display for InvalidField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let byte = match self.byte {
            b'\r' => "CR",
            b'\n' => "LF",
            _ => "NUL",
        };
        write!(f, "{}: {byte} at byte {}", self.field, self.position)
    }
}

impl core::error::Error for InvalidField {}

/// A buffer has no room for the whole frame; nothing was written to it.
///
/// ```
/// let error = sse_proto::Frame::message("x").encode_to_slice(&mut []).unwrap_err();
/// assert_eq!(error.to_string(), "frame needs a buffer of 9 bytes");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BufferTooSmall {
    needed: usize,
}

impl BufferTooSmall {
    /// The [`encoded_len`](Frame::encoded_len) of the frame, in bytes.
    pub const fn needed(&self) -> usize {
        self.needed
    }
}

impl fmt::Display for BufferTooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frame needs a buffer of {} bytes", self.needed)
    }
}

impl core::error::Error for BufferTooSmall {}
