//! The encoder: frames in, the bytes of an event stream out.
//!
//! [`Frame`] is validated text, constructed in `builder`. Only `pieces` knows its syntax, and
//! `write` builds every output on that. [`Encoder`] writes frames to one stream, and events whose
//! data is generated incrementally.
//!
//! Invariant: the event type of a frame contains no CR or LF, its ID no CR, LF or NUL, and a frame
//! with an event type has data.

mod builder;
mod encoder;
mod error;
mod pieces;
mod write;

use crate::Event;
use core::fmt;

pub use encoder::{Encoder, EventWriter};
pub use error::{BufferTooSmall, InvalidField};
pub use pieces::Pieces;

/// One block of an event stream, as a server writes it: an event, a comment, an ID, a reconnection
/// time, or several of them.
///
/// A frame borrows its text and can be built in constant expressions. Write it with:
///
/// | output | method |
/// |---|---|
/// | a byte buffer | [`encode_to_slice`](Self::encode_to_slice) |
/// | `Vec<u8>`, `String` | `encode_to_vec`, `encode_to_string` (feature `alloc`) |
/// | a [`core::fmt::Write`] | [`encode_to_fmt`](Self::encode_to_fmt), or `{}` in `write!` |
/// | vectored output, anything else | [`pieces`](Self::pieces) |
///
/// A decoder returns what was put in: each comment line, then the reconnection time, then exactly
/// one event if the frame has data, and none otherwise. Text cannot break out of its field (rules
/// of WHATWG HTML, section 9.2.5): an event type or ID that cannot be represented is rejected, and
/// data and comments are split into lines at CR, LF and CRLF.
///
/// Frames can be concatenated in any order. Frames with data or an ID end with the blank line that
/// dispatches the event and commits the ID. A frame with only a comment or a reconnection time does
/// not: no blank line is needed there, and some clients take one for an empty event.
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
    /// If empty, no `event` line is written: the type is the default.
    event: &'a str,
    id: Option<&'a str>,
    /// In milliseconds.
    retry: Option<u64>,
    data: Option<&'a str>,
}

/// Converts an event into a frame that decodes to exactly this event, whatever was sent before it:
/// for proxies and recorders.
///
/// The frame always has an `id` line, because [`last_event_id`](Event::last_event_id) may be
/// inherited from an earlier event, or may have been reset. A proxy that forwards a stream from its
/// beginning can omit the line while the ID is the same as in the previous event, with
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
/// [`InvalidField`] if the type or the ID cannot be written. No decoded stream has such a type or
/// ID, but an ID passed to [`Decoder::set_last_event_id`](crate::Decoder::set_last_event_id) may be
/// one.
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

/// Writes the encoded frame; width and precision are ignored.
impl fmt::Display for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.encode_to_fmt(f)
    }
}
