//! [`Encoder`] writes frames to one stream; [`EventWriter`] writes an event whose data is generated
//! incrementally.
//!
//! An event that was begun cannot be taken back: whatever followed it in the stream would become
//! part of it. The state is therefore `InFrame` from the first byte of a frame to the last, and
//! the encoder refuses further output if a frame was left in that state.

use super::Frame;
use super::pieces::{self, DATA, FieldLines};
use crate::scanner;
use core::fmt::{self, Write};

/// Writes one event stream to a [`core::fmt::Write`], as whole frames, or as events whose data is
/// generated incrementally.
///
/// The format has no way to take back part of an event. If a frame could not be written completely,
/// or an [`EventWriter`] was not finished, the encoder is *broken*: it writes nothing more, because
/// a client would take the next event for the rest of the unfinished one. The stream has to end,
/// and clients then drop the unfinished event ("any pending data must be discarded").
///
/// Use one encoder for the whole stream, or write each event into a buffer and send it when it is
/// [finished](EventWriter::finish).
///
/// ```
/// use sse_proto::{Encoder, Frame};
/// use std::fmt::Write;
///
/// let mut encoder = Encoder::new(String::new());
/// encoder.write_frame(&Frame::keep_alive())?;
/// let mut event = encoder.begin_event(Frame::new().id("7").unwrap())?;
/// write!(event, "{} + {}\n= {}", 1, 2, 1 + 2)?;
/// event.finish()?;
/// assert_eq!(encoder.into_inner(), ":\nid: 7\ndata: 1 + 2\ndata: = 3\n\n");
/// # Ok::<(), std::fmt::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Encoder<W> {
    sink: W,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    BetweenFrames,
    InFrame,
    /// The sink has failed within a frame.
    Failed,
}

impl<W> Encoder<W> {
    /// Creates an encoder that writes to `sink`. The output so far must be empty or end with a
    /// complete frame.
    ///
    /// ```
    /// let encoder = sse_proto::Encoder::new(String::new());
    /// assert!(!encoder.is_broken());
    /// ```
    pub const fn new(sink: W) -> Self {
        Self {
            sink,
            state: State::BetweenFrames,
        }
    }

    /// Whether a frame was left unfinished, in which case the stream has to end.
    ///
    /// ```
    /// use sse_proto::{Encoder, Frame};
    ///
    /// let mut encoder = Encoder::new(String::new());
    /// drop(encoder.begin_event(Frame::message("half"))?);
    /// assert!(encoder.is_broken());
    /// assert!(encoder.write_frame(&Frame::message("another")).is_err());
    /// assert_eq!(encoder.into_inner(), "data: half");
    /// # Ok::<(), std::fmt::Error>(())
    /// ```
    pub const fn is_broken(&self) -> bool {
        !matches!(self.state, State::BetweenFrames)
    }

    /// Borrows the sink.
    ///
    /// ```
    /// let encoder = sse_proto::Encoder::new(String::new());
    /// assert_eq!(encoder.get_ref(), "");
    /// ```
    pub const fn get_ref(&self) -> &W {
        &self.sink
    }

    /// Returns the sink. If the encoder [is broken](Self::is_broken), the output ends within a
    /// frame.
    ///
    /// A buffer can be truncated to where that frame begins, and passed to another encoder:
    ///
    /// ```
    /// use sse_proto::{Encoder, Frame};
    ///
    /// let mut encoder = Encoder::new(String::from(":\n"));
    /// let start = encoder.get_ref().len();
    /// drop(encoder.begin_event(Frame::message("half"))?);
    /// let mut buffer = encoder.into_inner();
    /// buffer.truncate(start);
    /// assert_eq!(buffer, ":\n");
    /// # Ok::<(), std::fmt::Error>(())
    /// ```
    pub fn into_inner(self) -> W {
        self.sink
    }
}

impl<W: Write> Encoder<W> {
    /// Writes a whole frame.
    ///
    /// # Errors
    ///
    /// Errors of the sink, which break the encoder; and always if it [is broken](Self::is_broken).
    ///
    /// ```
    /// use sse_proto::{Encoder, Frame};
    ///
    /// let mut encoder = Encoder::new(String::new());
    /// encoder.write_frame(&Frame::message("x"))?;
    /// assert_eq!(encoder.get_ref(), "data: x\n\n");
    /// # Ok::<(), std::fmt::Error>(())
    /// ```
    pub fn write_frame(&mut self, frame: &Frame<'_>) -> fmt::Result {
        self.start_frame()?;
        frame.encode_to_fmt(&mut self.sink)?;
        self.state = State::BetweenFrames;
        Ok(())
    }

    /// Begins an event: writes the fields of `head` and leaves the data open. Text written to the
    /// [`EventWriter`] is appended to the data of `head`, if any.
    ///
    /// # Errors
    ///
    /// As for [`write_frame`](Self::write_frame).
    ///
    /// ```
    /// use sse_proto::{Encoder, Frame};
    /// use std::fmt::Write;
    ///
    /// let mut encoder = Encoder::new(String::new());
    /// let mut event = encoder.begin_event(Frame::message("a\r").event("log").unwrap())?;
    /// event.write_str("\nb")?;
    /// event.finish()?;
    /// assert_eq!(encoder.get_ref(), "event: log\ndata: a\ndata: b\n\n");
    /// # Ok::<(), std::fmt::Error>(())
    /// ```
    pub fn begin_event(&mut self, head: Frame<'_>) -> Result<EventWriter<'_, W>, fmt::Error> {
        self.start_frame()?;
        let mut result = Ok(());
        pieces::put_fields_before_data(&head, false, &mut |piece| {
            if result.is_ok() {
                result = self.write(piece);
            }
        });
        result?;
        self.write(DATA.prefix)?;
        let mut event = EventWriter {
            encoder: self,
            after_cr: false,
        };
        event.write_str(head.data.unwrap_or_default())?;
        Ok(event)
    }

    fn start_frame(&mut self) -> fmt::Result {
        if self.is_broken() {
            return Err(fmt::Error);
        }
        self.state = State::InFrame;
        Ok(())
    }

    fn write(&mut self, text: &str) -> fmt::Result {
        let result = match self.state {
            State::Failed => Err(fmt::Error),
            // A sink may interpret an empty write as the end.
            _ if text.is_empty() => Ok(()),
            State::BetweenFrames | State::InFrame => self.sink.write_str(text),
        };
        if result.is_err() {
            self.state = State::Failed;
        }
        result
    }
}

/// Writes the data of one event incrementally, with `write!` or anything else that writes text.
/// Begin it with [`Encoder::begin_event`] and end it with [`finish`](Self::finish).
///
/// The text goes to the sink immediately, line by line, without buffering. As in
/// [`Frame::message`], CR and CRLF are decoded as LF, including a CRLF that spans two writes.
///
/// **Only `finish` writes the blank line** that makes a client dispatch the event. If the writer is
/// dropped or forgotten without it, or the sink fails, the [`Encoder`] is broken and refuses
/// further output. So an incomplete event never looks like a complete one, provided that nothing
/// else writes to the stream.
///
/// Byte-oriented code such as `serde_json::to_writer` needs a small adapter:
///
/// ```
/// use sse_proto::{Encoder, Frame};
/// use std::{fmt, io, str};
///
/// /// Each write must be valid UTF-8: serde_json never splits a character.
/// struct Text<W>(W);
///
/// impl<W: fmt::Write> io::Write for Text<W> {
///     fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
///         let text = str::from_utf8(bytes)
///             .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
///         self.0.write_str(text).map_err(io::Error::other)?;
///         Ok(bytes.len())
///     }
///
///     fn flush(&mut self) -> io::Result<()> {
///         Ok(())
///     }
/// }
///
/// let mut encoder = Encoder::new(String::new());
/// let mut event = encoder.begin_event(Frame::new().event("delta")?)?;
/// serde_json::to_writer(Text(&mut event), &["a", "b\n"])?;
/// event.finish()?;
/// assert_eq!(encoder.get_ref(), "event: delta\ndata: [\"a\",\"b\\n\"]\n\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "an event that is not finished breaks its encoder"]
pub struct EventWriter<'e, W> {
    encoder: &'e mut Encoder<W>,
    /// CR already ended the line; remembered only to ignore an LF at the start of the next write.
    after_cr: bool,
}

impl<W: Write> EventWriter<'_, W> {
    /// Ends the event, so that clients dispatch it.
    ///
    /// # Errors
    ///
    /// Errors of the sink; and always if an earlier write failed, because part of the data is
    /// missing then.
    ///
    /// ```
    /// use sse_proto::{Encoder, Frame};
    ///
    /// let mut encoder = Encoder::new(String::new());
    /// encoder.begin_event(Frame::new())?.finish()?;
    /// assert_eq!(encoder.get_ref(), "data: \n\n");
    /// # Ok::<(), std::fmt::Error>(())
    /// ```
    pub fn finish(self) -> fmt::Result {
        self.encoder.write(DATA.suffix)?;
        self.encoder.state = State::BetweenFrames;
        Ok(())
    }
}

impl<W: Write> Write for EventWriter<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let Some(last) = text.as_bytes().last() else {
            return Ok(());
        };
        let rest = match text.strip_prefix('\n') {
            Some(rest) if self.after_cr => rest,
            _ => text,
        };
        self.after_cr = *last == b'\r';
        if scanner::has_no_line_end(rest.as_bytes()) {
            return self.encoder.write(rest);
        }
        let mut lines = FieldLines::Text(rest);
        self.encoder.write(lines.next().unwrap_or_default())?;
        lines.try_for_each(|line| {
            self.encoder.write(DATA.separator)?;
            self.encoder.write(line)
        })
    }
}
