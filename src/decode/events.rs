//! The cursor over one chunk: it reads whole lines and borrows their values from the chunk.
//!
//! A line that the end of the chunk cuts goes through the pending line (`line`), and so does one that
//! is not valid UTF-8 or has no room; these are stored. Invariant: whenever the cursor returns in the
//! middle of an event, nothing is borrowed and all is stored (`commit`), so it may be dropped at any
//! time.

use super::builder::{Borrowed, Outcome};
use super::field::{Field, RetryParser, parse_line};
use super::line::LineState;
use super::utf8::Validity;
use super::window::ValidatedWindow;
use super::{Decoder, Event, EventTooLarge, Item};
use crate::scanner::{OPTIMIZE_FOR_SIZE, find_line_end};
use crate::storage::Storage;

/// A cursor over one chunk, made by [`Decoder::feed`](crate::Decoder::feed).
///
/// It lends: what it hands out lives until it is asked again, and may borrow from the chunk and
/// from the decoder. So it is no `Iterator`; `Events::owned` (feature `alloc`) makes one of it. The
/// loop is `while let Some(event) = events.next_event().transpose() { … }`.
///
/// **A cursor that is dropped before it said `Ok(None)` loses what [`rest`](Events::rest) still
/// holds**, be it by `break`, `return` or `?`: feed that first, then the next chunk. To do so after
/// each event is fine; it costs no more than twice the time of one cursor for the whole chunk.
#[derive(Debug)]
#[must_use = "a chunk is read only as far as its cursor is asked"]
pub struct Events<'d, 'i, S> {
    pub(super) decoder: &'d mut Decoder<S>,
    pub(super) chunk: &'i [u8],
    pub(super) position: usize,
    pub(super) window: ValidatedWindow<'i>,
}

impl<'d, 'i, S> Events<'d, 'i, S> {
    #[inline]
    pub(super) fn new(decoder: &'d mut Decoder<S>, chunk: &'i [u8]) -> Self {
        Self {
            decoder,
            chunk,
            position: 0,
            window: ValidatedWindow::default(),
        }
    }
}

impl<'i, S: Storage> Events<'_, 'i, S> {
    /// The next event that the chunk completes, at its blank line.
    ///
    /// `Ok(None)` means that the whole chunk was read and no further event is complete: feed the
    /// next one.
    ///
    /// # Errors
    ///
    /// [`EventTooLarge`] once for each event that goes beyond the limit. Nothing ends: ask again,
    /// and the events behind it come.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let mut decoder = sse_proto::Decoder::new();
    /// let mut events = decoder.feed(b"event: price\ndata: YHOO\ndata: +2\nid: 9\n\n");
    /// let event = events.next_event().unwrap().unwrap();
    /// assert_eq!((event.event_type, event.data, event.last_event_id), ("price", "YHOO\n+2", "9"));
    /// # }
    /// ```
    // Always: with chunks of a byte, and with events of a few, a call more is a tenth of all work.
    #[inline(always)]
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, EventTooLarge> {
        if self.is_at_end() || self.append_chunk() {
            return Ok(None);
        }
        if let Some(data) = self.single_line_event() {
            return Ok(Some(self.decoder.builder.data_event(data)));
        }
        self.read_event()
    }

    /// The next item that the chunk completes: an event, a comment, or a `retry` line.
    ///
    /// This is [`next_event`](Events::next_event) and more, for those who forward streams or watch
    /// heartbeats. Both may be called on the same stream. A comment is kept only while `next_item`
    /// reads it: if `next_event` read a part of it, it is not handed out.
    ///
    /// # Errors
    ///
    /// [`EventTooLarge`] as in `next_event`, and for a comment that has no room beside the event
    /// under way; the event itself goes on.
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
    #[inline(always)]
    pub fn next_item(&mut self) -> Result<Option<Item<'_>>, EventTooLarge> {
        if self.is_at_end() || self.append_chunk() {
            return Ok(None);
        }
        self.read_item()
    }

    /// The part of the chunk that was not read yet; after an event, it begins with the next one.
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

    #[inline]
    pub(super) fn is_read(&self) -> bool {
        self.position == self.chunk.len()
    }

    /// Whether the chunk is read; then whatever was found out ahead was of use.
    #[inline(always)]
    fn is_at_end(&mut self) -> bool {
        let is_read = self.is_read();
        if is_read {
            self.decoder.utf8.checker.is_unread = false;
        }
        is_read
    }

    /// Where the line that begins at `start`, or the rest of one, ends in this chunk.
    #[inline]
    pub(super) fn line_end(&self, start: usize) -> Option<usize> {
        Some(start + find_line_end(self.chunk.get(start..)?)?)
    }

    fn read_event(&mut self) -> Result<Option<Event<'_>>, EventTooLarge> {
        if self.decoder.clear_dispatched() {
            if let Some(data) = self.single_line_event() {
                return Ok(Some(self.decoder.builder.data_event(data)));
            }
        }
        let (outcome, borrowed) = self.step(false)?;
        Ok(match outcome {
            Outcome::Event => Some(self.decoder.builder.event(&borrowed)),
            Outcome::Comment | Outcome::Retry | Outcome::Nothing => {
                self.decoder.utf8.checker.is_unread = false;
                None
            }
        })
    }

    fn read_item(&mut self) -> Result<Option<Item<'_>>, EventTooLarge> {
        self.decoder.clear_dispatched();
        if let Some(data) = self.single_line_event() {
            return Ok(Some(Item::Event(self.decoder.builder.data_event(data))));
        }
        let (outcome, borrowed) = self.step(true)?;
        let builder = &self.decoder.builder;
        Ok(match outcome {
            Outcome::Event => Some(Item::Event(builder.event(&borrowed))),
            Outcome::Comment => Some(Item::Comment(builder.comment(&borrowed))),
            Outcome::Retry => builder.reconnection_time().map(Item::Retry),
            Outcome::Nothing => {
                self.decoder.utf8.checker.is_unread = false;
                None
            }
        })
    }

    /// Reads up to the next thing to return, or to the end of the chunk (`Nothing`).
    // It returns no reference into the decoder, so it may loop.
    #[inline]
    fn step(&mut self, items: bool) -> Result<(Outcome, Borrowed<'i>), EventTooLarge> {
        let mut borrowed = Borrowed::default();
        loop {
            if self.decoder.line.state != LineState::Start {
                match self.resume_line(items)? {
                    Outcome::Nothing if self.decoder.line.state == LineState::Start => {
                        if self.start_next_line(items) {
                            return Ok((Outcome::Nothing, borrowed));
                        }
                    }
                    outcome => {
                        self.decoder.builder.commit(&mut borrowed);
                        return Ok((outcome, borrowed));
                    }
                }
            }
            let start = self.position;
            match self.chunk.get(start) {
                Some(b'\n' | b'\r') => {
                    self.consume_line_end(start);
                    if self.decoder.dispatch() {
                        return Ok((Outcome::Event, borrowed));
                    }
                    borrowed = Borrowed::default();
                    if !OPTIMIZE_FOR_SIZE && !items && self.chunk.get(self.position) == Some(&b':')
                    {
                        self.skip_comments();
                        if self.is_read() {
                            return Ok((Outcome::Nothing, borrowed));
                        }
                    }
                    continue;
                }
                Some(_) => {}
                None => {
                    self.decoder.builder.commit(&mut borrowed);
                    return Ok((Outcome::Nothing, borrowed));
                }
            }
            self.decoder.line.between_events = false;
            let Some(end) = self.line_end(start) else {
                self.decoder.builder.commit(&mut borrowed);
                self.position = self.chunk.len();
                let piece = self.chunk.get(start..).unwrap_or_default();
                let is_short = self.is_short();
                if !is_short || !self.decoder.buffer_line_start(piece, items) {
                    let validity = self.window.tail(self.chunk, start);
                    self.decoder.push_piece(piece, validity, items)?;
                }
                return Ok((Outcome::Nothing, borrowed));
            };
            let outcome = match self.lend_line(&mut borrowed, start, end, items) {
                Some(outcome) => {
                    self.consume_line_end(end);
                    if outcome == Outcome::Nothing {
                        self.lend_data_lines(&mut borrowed);
                    }
                    outcome
                }
                None => {
                    self.position = end;
                    let piece = self.chunk.get(start..end).unwrap_or_default();
                    let validity = self.window.line(start, end);
                    self.decoder.builder.commit(&mut borrowed);
                    self.decoder.push_piece(piece, validity, items)?;
                    self.finish_line(end, items)?
                }
            };
            if outcome != Outcome::Nothing {
                self.decoder.builder.commit(&mut borrowed);
                return Ok((outcome, borrowed));
            }
        }
    }

    /// Continues where the last chunk ended, or where an error occurred. If a line is still pending
    /// afterwards, the chunk is read.
    #[inline(never)]
    fn resume_line(&mut self, items: bool) -> Result<Outcome, EventTooLarge> {
        const BOM: [u8; 3] = *b"\xEF\xBB\xBF";
        if self.is_read() {
            return Ok(Outcome::Nothing);
        }
        if let LineState::StreamStart(mut seen) = self.decoder.line.state {
            for &expected in BOM.get(usize::from(seen)..).unwrap_or_default() {
                match self.rest().first() {
                    Some(&byte) if byte == expected => seen += 1,
                    // A part of the mark starts a name that no field has.
                    Some(_) => {
                        self.decoder.line.state = if seen == 0 {
                            LineState::Start
                        } else {
                            LineState::Ignored
                        };
                        break;
                    }
                    None => {
                        self.decoder.line.state = LineState::StreamStart(seen);
                        return Ok(Outcome::Nothing);
                    }
                }
                self.position += 1;
            }
            if seen == 3 {
                self.decoder.line.state = LineState::Start;
            }
        }
        if self.decoder.line.state == LineState::AfterCr {
            match self.rest().first() {
                Some(b'\n') => self.position += 1,
                Some(_) => {}
                None => return Ok(Outcome::Nothing),
            }
            self.decoder.line.state = LineState::Start;
        }
        if self.decoder.line.state == LineState::Start {
            return Ok(Outcome::Nothing);
        }
        let start = self.position;
        let end = self.line_end(start);
        self.position = end.unwrap_or(self.chunk.len());
        let piece = self.chunk.get(start..self.position).unwrap_or_default();
        let is_short = self.is_short();
        if let Some(end) = end {
            if is_short && self.decoder.buffer_line_end(piece) {
                self.consume_line_end(end);
                return Ok(Outcome::Nothing);
            }
        }
        let validity = match end {
            Some(end) if !is_short && self.decoder.utf8.is_complete() => {
                let checker = &mut self.decoder.utf8.checker;
                match self.window.get(self.chunk, start, end, checker) {
                    Some(text) if self.decoder.end_data(text) => {
                        self.consume_line_end(end);
                        return Ok(Outcome::Nothing);
                    }
                    Some(text) => Validity::Valid(text),
                    None => Validity::Invalid,
                }
            }
            _ => Validity::Unknown,
        };
        self.decoder.push_piece(piece, validity, items)?;
        end.map_or(Ok(Outcome::Nothing), |end| self.finish_line(end, items))
    }

    /// Ends the pending line at `end`.
    fn finish_line(&mut self, end: usize, items: bool) -> Result<Outcome, EventTooLarge> {
        let outcome = self.decoder.end_line(items);
        self.consume_line_end(end);
        outcome
    }

    /// Moves past the line end at `end`: a CR, an LF, or both.
    #[inline]
    fn consume_line_end(&mut self, end: usize) {
        self.position = end + 1;
        if self.chunk.get(end) == Some(&b'\r') {
            match self.chunk.get(end + 1) {
                Some(b'\n') => self.position += 1,
                Some(_) => {}
                // CR ended the line; remember it only to swallow an LF that may start the next
                // chunk.
                None => self.decoder.line.state = LineState::AfterCr,
            }
        }
    }

    /// Reads the whole line at `start..end` without storing it. `None`: the pending line must read
    /// it, and nothing was done.
    #[inline]
    fn lend_line(
        &mut self,
        borrowed: &mut Borrowed<'i>,
        start: usize,
        end: usize,
        items: bool,
    ) -> Option<Outcome> {
        let bytes = self.chunk.get(start..end)?;
        let (field, value) = parse_line(bytes);
        let Some(field) = field else {
            return Some(Outcome::Nothing);
        };
        match field {
            Field::Comment if !items => return Some(Outcome::Nothing),
            Field::Retry => {
                let mut retry = RetryParser::NEW;
                retry.push(value);
                return Some(self.decoder.builder.retry(retry, items));
            }
            _ => {}
        }
        self.decoder.flush();
        let Decoder { utf8, builder, .. } = &mut *self.decoder;
        if builder.is_discarding() {
            return None;
        }
        let text = self
            .window
            .get(self.chunk, end - value.len(), end, &mut utf8.checker)?;
        builder.lend(borrowed, field, text)
    }
}
