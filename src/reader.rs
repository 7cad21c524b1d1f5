//! Events from a [`Read`]: a file, a socket, the body of a blocking HTTP client.

use crate::{Decoder, Event, EventTooLarge, OwnedEvent};
use core::fmt;
use core::iter::FusedIterator;
use core::ops::ControlFlow;
use core::time::Duration;
use std::boxed::Box;
use std::io::{self, Read};
use std::vec;

/// Reads events from a [`Read`]: a file, a socket, standard input, the body of a blocking HTTP
/// client.
///
/// It is an iterator over [`OwnedEvent`]s. [`for_each_event`](Self::for_each_event) passes borrowed
/// events instead, without allocating. Each event is returned as soon as its last byte was read. If
/// a read returns only part of an event, another read follows.
///
/// The iterator continues after an error: an event that is too large is skipped, and after an I/O
/// error the next call reads again. [`io::ErrorKind::Interrupted`] is handled internally. Once the
/// input has ended, the iterator is finished.
///
/// It has a buffer of 16 KiB, so wrapping the input in a `BufReader` has no benefit.
///
/// ```
/// use sse_proto::{ReadError, Reader};
///
/// let input: &[u8] = b"data: hello\n\nevent: add\ndata: 1\n\n"; // or a `File`, a `TcpStream`, ..
/// let mut seen = Vec::new();
/// for event in Reader::new(input) {
///     let event = event?;
///     seen.push((event.event_type().to_owned(), event.into_data()));
/// }
/// assert_eq!(seen, [("message".into(), "hello".into()), ("add".into(), "1".into())]);
/// # Ok::<(), ReadError>(())
/// ```
pub struct Reader<R> {
    inner: R,
    decoder: Decoder,
    buffer: Box<[u8]>,
    /// The part of the buffer that was read but not yet decoded is `start..end`.
    start: usize,
    end: usize,
    finish_at_end: bool,
    is_at_end: bool,
    /// At the end of the input, where the decoder forgets it.
    was_no_event_stream: bool,
}

const BUFFER_LEN: usize = 16 * 1024;

impl<R: Read> Reader<R> {
    /// Creates a reader for events of up to 16 MiB.
    ///
    /// ```
    /// let mut reader = sse_proto::Reader::new("data: x\n\n".as_bytes());
    /// assert_eq!(reader.next().unwrap()?.data(), "x");
    /// # Ok::<(), sse_proto::ReadError>(())
    /// ```
    pub fn new(inner: R) -> Self {
        Self::with_decoder(inner, Decoder::new())
    }

    /// Creates a reader with this decoder, to set a limit or a last event ID.
    ///
    /// ```
    /// use sse_proto::{Decoder, ReadError, Reader};
    ///
    /// let input = "data: too large\n\ndata: x\n\n".as_bytes();
    /// let mut reader = Reader::with_decoder(input, Decoder::with_max_event_len(4));
    /// let Some(Err(ReadError::TooLarge(error))) = reader.next() else { panic!() };
    /// assert_eq!(error.limit(), 4);
    /// assert_eq!(reader.next().unwrap()?.data(), "x");
    /// # Ok::<(), ReadError>(())
    /// ```
    pub fn with_decoder(inner: R, decoder: Decoder) -> Self {
        Self {
            inner,
            decoder,
            buffer: vec![0; BUFFER_LEN].into_boxed_slice(),
            start: 0,
            end: 0,
            finish_at_end: false,
            is_at_end: false,
            was_no_event_stream: false,
        }
    }

    /// Sets whether to return an event that is truncated by the end of the input, contrary to the
    /// standard; the default is `false`. This is for servers that omit the last blank line. See
    /// [`Decoder::finish`].
    ///
    /// ```
    /// let input = "data: no blank line".as_bytes();
    /// assert!(sse_proto::Reader::new(input).next().is_none());
    ///
    /// let mut reader = sse_proto::Reader::new(input).finish_at_end(true);
    /// assert_eq!(reader.next().unwrap()?.data(), "no blank line");
    /// assert!(reader.next().is_none());
    /// # Ok::<(), sse_proto::ReadError>(())
    /// ```
    pub fn finish_at_end(mut self, yes: bool) -> Self {
        self.finish_at_end = yes;
        self
    }

    /// Calls `each` with each event, without allocating, until the input ends (`Ok(None)`) or
    /// `each` breaks with a value (`Ok(Some(value))`).
    ///
    /// May be called repeatedly and mixed with iteration: it continues with the next event.
    ///
    /// # Errors
    ///
    /// I/O errors of the input. An event that is too large is passed to `each` as an error.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    ///
    /// let input = "data: 2\n\ndata: 3\n\ndata: stop\n\ndata: 4\n\n".as_bytes();
    /// let mut reader = sse_proto::Reader::new(input);
    /// let mut sum = 0;
    /// let stopped = reader.for_each_event(|event| match event {
    ///     Ok(event) if event.data == "stop" => ControlFlow::Break("on request"),
    ///     Ok(event) => {
    ///         sum += event.data.parse::<i32>().unwrap_or_default();
    ///         ControlFlow::Continue(())
    ///     }
    ///     Err(too_large) => panic!("{too_large}"),
    /// })?;
    /// assert_eq!((sum, stopped), (5, Some("on request")));
    /// assert_eq!(reader.next().unwrap()?.data(), "4");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn for_each_event<T>(
        &mut self,
        mut each: impl FnMut(Result<Event<'_>, EventTooLarge>) -> ControlFlow<T>,
    ) -> io::Result<Option<T>> {
        loop {
            let chunk = self.buffer.get(self.start..self.end).unwrap_or_default();
            let mut events = self.decoder.feed(chunk);
            while let Some(event) = events.next_event().transpose() {
                if let ControlFlow::Break(value) = each(event) {
                    self.start = self.end - events.rest().len();
                    return Ok(Some(value));
                }
            }
            if !self.fill_buffer()? {
                return Ok(match self.finish() {
                    Some(event) => each(event).break_value(),
                    None => None,
                });
            }
        }
    }

    /// Returns whether the input so far is no event stream: see [`Decoder::is_no_event_stream`].
    ///
    /// ```
    /// let mut reader = sse_proto::Reader::new("{\"error\":413}".as_bytes());
    /// assert!(reader.next().is_none());
    /// assert!(reader.is_no_event_stream());
    /// # Ok::<(), sse_proto::ReadError>(())
    /// ```
    pub fn is_no_event_stream(&self) -> bool {
        self.was_no_event_stream || self.decoder.is_no_event_stream()
    }

    /// The last event ID string after the events returned so far and the blank lines before them:
    /// what a request sends as `Last-Event-ID` to resume here.
    ///
    /// ```
    /// let mut reader = sse_proto::Reader::new("id: 1\ndata: x\n\nid: 2\ndata: y\n\n".as_bytes());
    /// assert_eq!(reader.next().unwrap()?.data(), "x");
    /// assert_eq!(reader.last_event_id(), "1");
    /// # Ok::<(), sse_proto::ReadError>(())
    /// ```
    pub fn last_event_id(&self) -> &str {
        self.decoder.last_event_id()
    }

    /// The reconnection time that the server last asked for: see
    /// [`Decoder::reconnection_time`].
    ///
    /// ```
    /// let mut reader = sse_proto::Reader::new("retry: 500\n".as_bytes());
    /// assert!(reader.next().is_none());
    /// assert_eq!(reader.reconnection_time().unwrap().as_millis(), 500);
    /// ```
    pub fn reconnection_time(&self) -> Option<Duration> {
        self.decoder.reconnection_time()
    }

    /// Returns the input. Bytes that were read but not yet decoded are lost.
    ///
    /// ```
    /// let reader = sse_proto::Reader::new("data: x\n\n".as_bytes());
    /// assert_eq!(reader.into_inner(), b"data: x\n\n");
    /// ```
    pub fn into_inner(self) -> R {
        self.inner
    }

    /// Refills the buffer, whose contents were all decoded. Returns `false` at the end of the
    /// input.
    fn fill_buffer(&mut self) -> io::Result<bool> {
        (self.start, self.end) = (0, 0);
        while !self.is_at_end {
            match self.inner.read(&mut self.buffer) {
                Ok(0) => self.is_at_end = true,
                Ok(len) => {
                    self.end = len.min(self.buffer.len());
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Ends the stream, and returns the truncated event if `finish_at_end` is set.
    fn finish(&mut self) -> Option<Result<Event<'_>, EventTooLarge>> {
        self.was_no_event_stream = self.is_no_event_stream();
        if !self.finish_at_end {
            self.decoder.reset();
            return None;
        }
        let event = self.decoder.finish().transpose();
        // An unterminated `data` counts as soon as it is the end.
        self.was_no_event_stream &= event.is_none();
        event
    }
}

impl<R: fmt::Debug> fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("inner", &self.inner)
            .field("undecoded", &(self.end - self.start))
            .finish_non_exhaustive()
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<OwnedEvent, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let chunk = self.buffer.get(self.start..self.end).unwrap_or_default();
            let mut events = self.decoder.feed(chunk).owned();
            if let Some(event) = events.next() {
                self.start = self.end - events.rest().len();
                return Some(event.map_err(ReadError::TooLarge));
            }
            match self.fill_buffer() {
                Ok(true) => {}
                Ok(false) => {
                    let event = self.finish()?;
                    return Some(event.map(OwnedEvent::from).map_err(ReadError::TooLarge));
                }
                Err(error) => return Some(Err(ReadError::Io(error))),
            }
        }
    }
}

impl<R: Read> FusedIterator for Reader<R> {}

/// The error of a [`Reader`].
///
/// ```
/// use sse_proto::{ReadError, Reader};
/// use std::io::{self, Read};
///
/// let input = "data: x\n\n".as_bytes().chain(Broken);
/// let error = Reader::new(input).find_map(Result::err).unwrap();
/// assert_eq!(error.to_string(), "the cable is out");
/// assert_eq!(io::Error::from(error).kind(), io::ErrorKind::Other);
/// #
/// # struct Broken;
/// # impl Read for Broken {
/// #     fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
/// #         Err(io::Error::other("the cable is out"))
/// #     }
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// Reading from the input failed. The next call reads again.
    Io(io::Error),
    /// An event was larger than the limit. It was skipped; the next call returns the one after it.
    TooLarge(EventTooLarge),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::TooLarge(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Io(error) => error.source(),
            Self::TooLarge(error) => error.source(),
        }
    }
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => error,
            ReadError::TooLarge(error) => Self::new(io::ErrorKind::InvalidData, error),
        }
    }
}
