//! Frames into one stream, and events whose data is made on the fly.
//!
//! A begun event cannot be taken back: whatever follows it in the stream would become a part of it.
//! So [`Encoder`] is `Open` from the first byte of a frame to the last, and refuses everything once
//! a frame was left like that.

use super::Frame;
use super::pieces::{self, DATA, Lines};
use crate::scanner;
use core::fmt::{self, Write};

/// Writes one event stream into a [`core::fmt::Write`], frame by frame, or event by event while its
/// data is being made.
///
/// The format has no way to take back a part of an event. So if a frame could not be written to its
/// end, or an [`EventWriter`] was not finished, the encoder is *broken*: it writes nothing any
/// more, and the stream has to end, upon which clients drop the unfinished event ("any pending data
/// must be discarded"). Were it to go on, the next event would be taken for the rest of that one.
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
    /// Between two frames.
    Ready,
    /// Within a frame.
    Open,
    /// Within a frame, and the sink has failed.
    Failed,
}

impl<W> Encoder<W> {
    /// An encoder of a stream into `sink`, which is at the start of the stream or between two
    /// frames.
    ///
    /// ```
    /// let encoder = sse_proto::Encoder::new(String::new());
    /// assert!(!encoder.is_broken());
    /// ```
    pub const fn new(sink: W) -> Self {
        Self {
            sink,
            state: State::Ready,
        }
    }

    /// Whether a frame was left unfinished, so that the stream has to end.
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
        !matches!(self.state, State::Ready)
    }

    /// The sink, to be looked at.
    ///
    /// ```
    /// let encoder = sse_proto::Encoder::new(String::new());
    /// assert_eq!(encoder.sink(), "");
    /// ```
    pub const fn sink(&self) -> &W {
        &self.sink
    }

    /// Gives the sink back. If the encoder [is broken](Self::is_broken), it ends within a frame.
    ///
    /// A buffer can be cut where that frame begins, and used by another encoder:
    ///
    /// ```
    /// use sse_proto::{Encoder, Frame};
    ///
    /// let mut encoder = Encoder::new(String::from(":\n"));
    /// let start = encoder.sink().len();
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
    /// Those of the sink, which break the encoder; and always, if it [is broken](Self::is_broken).
    ///
    /// ```
    /// use sse_proto::{Encoder, Frame};
    ///
    /// let mut encoder = Encoder::new(String::new());
    /// encoder.write_frame(&Frame::message("x"))?;
    /// assert_eq!(encoder.sink(), "data: x\n\n");
    /// # Ok::<(), std::fmt::Error>(())
    /// ```
    pub fn write_frame(&mut self, frame: &Frame<'_>) -> fmt::Result {
        self.open()?;
        frame.encode_to_fmt(&mut self.sink)?;
        self.state = State::Ready;
        Ok(())
    }

    /// Begins an event: writes the fields of `head`, and leaves its data open. What is written to
    /// the [`EventWriter`] is appended to the data that `head` has, if any.
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
    /// assert_eq!(encoder.sink(), "event: log\ndata: a\ndata: b\n\n");
    /// # Ok::<(), std::fmt::Error>(())
    /// ```
    pub fn begin_event(&mut self, head: Frame<'_>) -> Result<EventWriter<'_, W>, fmt::Error> {
        self.open()?;
        let mut result = Ok(());
        pieces::each_before_data(&head, false, &mut |piece| {
            if result.is_ok() {
                result = self.put(piece);
            }
        });
        result?;
        self.put(DATA[0])?;
        let mut event = EventWriter {
            encoder: self,
            after_cr: false,
        };
        event.write_str(head.data.unwrap_or_default())?;
        Ok(event)
    }

    fn open(&mut self) -> fmt::Result {
        if self.is_broken() {
            return Err(fmt::Error);
        }
        self.state = State::Open;
        Ok(())
    }

    fn put(&mut self, text: &str) -> fmt::Result {
        let result = match self.state {
            State::Failed => Err(fmt::Error),
            // A sink may take an empty write for the end.
            _ if text.is_empty() => Ok(()),
            State::Ready | State::Open => self.sink.write_str(text),
        };
        if result.is_err() {
            self.state = State::Failed;
        }
        result
    }
}

/// The data of an event while it is being made, for `write!` and whatever else writes text: begun
/// by [`Encoder::begin_event`], ended by [`finish`](Self::finish).
///
/// The text goes to the sink at once, line by line; nothing is held back. As in [`Frame::message`],
/// CR and CRLF come back as LF, also a CRLF that falls between two writes.
///
/// **Only `finish` writes the blank line** that makes a client dispatch the event. If the writer is
/// dropped without it, or forgotten, or the sink fails, the [`Encoder`] is broken and refuses what
/// would follow. So there is never half an event that looks like a whole one, provided that nothing
/// else writes to the stream.
///
/// Writers of bytes, such as `serde_json::to_writer`, need a small adapter:
///
/// ```
/// use sse_proto::{Encoder, Frame};
/// use std::{fmt, io, str};
///
/// /// Writes text, in whole characters: serde_json never cuts one.
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
/// assert_eq!(encoder.sink(), "event: delta\ndata: [\"a\",\"b\\n\"]\n\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "an event that is not finished breaks its encoder"]
pub struct EventWriter<'e, W> {
    encoder: &'e mut Encoder<W>,
    /// CR already ended the line; remembered only to swallow an LF that may start the next write.
    after_cr: bool,
}

impl<W: Write> EventWriter<'_, W> {
    /// Ends the event: clients dispatch it.
    ///
    /// # Errors
    ///
    /// Those of the sink; and if an earlier write to it failed, because a part of the data is
    /// missing.
    ///
    /// ```
    /// use sse_proto::{Encoder, Frame};
    ///
    /// let mut encoder = Encoder::new(String::new());
    /// encoder.begin_event(Frame::new())?.finish()?;
    /// assert_eq!(encoder.sink(), "data: \n\n");
    /// # Ok::<(), std::fmt::Error>(())
    /// ```
    pub fn finish(self) -> fmt::Result {
        self.encoder.put(DATA[2])?;
        self.encoder.state = State::Ready;
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
            return self.encoder.put(rest);
        }
        let mut lines = Lines::Many(rest);
        self.encoder.put(lines.next().unwrap_or_default())?;
        lines.try_for_each(|line| {
            self.encoder.put(DATA[1])?;
            self.encoder.put(line)
        })
    }
}
