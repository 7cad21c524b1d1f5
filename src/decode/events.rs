//! The cursor over one chunk: reads whole lines and borrows their values from the chunk.
//!
//! This is the first of two ways through the decoder. A line that a chunk boundary cuts takes the
//! other one, the pending line (`line`), and so does a line that is not valid UTF-8 or has no room; the
//! values of those are stored. Invariant: when the cursor returns in the middle of an event, nothing
//! is borrowed and everything is stored, so it can be dropped at any time.

use super::builder::{Borrowed, Outcome, Overflow};
use super::field::{Field, RetryParser, parse_line};
use super::line::LineState;
use super::utf8::Validity;
use super::window::ValidatedWindow;
use super::{Decoder, Event, EventTooLarge, Item};
use crate::scanner::find_line_end;
use crate::storage::Storage;

/// A cursor over one chunk, made by [`Decoder::feed`](crate::Decoder::feed).
///
/// An event borrows from the chunk and from the decoder, and is valid until the next call. The cursor
/// is therefore not an `Iterator`; `Events::owned` (feature `alloc`) turns it into one. The loop is
/// `while let Some(event) = events.next_event().transpose() { … }`.
///
/// **Dropping the cursor before it has returned `Ok(None)` loses the bytes in
/// [`rest`](Events::rest)**, also by `break`, `return` or `?`: feed those first, then the next chunk.
/// Doing so after each event takes at most twice the time of one cursor for the whole chunk.
#[derive(Debug)]
#[must_use = "a chunk is decoded only as far as its cursor is read"]
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
    /// Returns the next event that the chunk completes.
    ///
    /// `Ok(None)` means that the whole chunk has been read and completes no further event: feed the
    /// next chunk.
    ///
    /// # Errors
    ///
    /// [`EventTooLarge`], once for each event that exceeds the limit. Decoding continues: the next
    /// call returns the event after it.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let mut decoder = sse_proto::Decoder::new();
    /// let mut events = decoder.feed(b"event: price\ndata: YHOO\ndata: +2\nid: 9\n\n");
    /// let event = events.next_event().unwrap().unwrap();
    /// assert_eq!((event.event_type, event.data, event.last_event_id), ("price", "YHOO\n+2", "9"));
    /// # }
    /// ```
    // With chunks of one byte, and with events of a few bytes, one more call is a tenth of the work.
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

    /// Returns the next item that the chunk completes: an event, a comment, a `retry` line, an ID
    /// without an event, or a line without effect.
    ///
    /// This is [`next_event`](Events::next_event) for programs that forward streams, watch for
    /// keep-alive comments or look for mistakes of a server. Both may be called on the same stream. A
    /// comment or ignored line is certainly returned if `next_item` reads all of it; one that `next_event`
    /// has read a part of may be skipped.
    ///
    /// # Errors
    ///
    /// [`EventTooLarge`] as in `next_event`, and for a comment or ignored line that does not fit beside
    /// the unfinished event; the event itself is kept.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::Item;
    /// use std::time::Duration;
    ///
    /// let mut decoder = sse_proto::Decoder::new();
    /// let mut events = decoder.feed(b": keep-alive\nretry: 1500\n");
    /// assert_eq!(events.next_item(), Ok(Some(Item::Comment(" keep-alive"))));
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

    /// Returns the part of the chunk that has not been read; after an event, it starts at the next one.
    ///
    /// So the bytes of an item are those by which `rest` got shorter, and together they are all bytes of
    /// the stream, in order:
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let chunk = b": hi\r\nid: 1\n\ndata: x\n\n\ndata: cut";
    /// let mut decoder = sse_proto::Decoder::new();
    /// let mut events = decoder.feed(chunk);
    /// let mut pieces = Vec::new();
    /// let mut rest = &chunk[..];
    /// while events.next_item().unwrap().is_some() {
    ///     pieces.push(&rest[..rest.len() - events.rest().len()]);
    ///     rest = events.rest();
    /// }
    /// assert_eq!(pieces, [&b": hi\r\n"[..], b"id: 1\n\n", b"data: x\n\n"]);
    /// assert_eq!(rest, b"\ndata: cut"); // the start of the next item's bytes
    /// # }
    /// ```
    ///
    /// The example `proxy` of `sse-proto-stream` passes streams on in this way. A comment or a `retry` line
    /// can be inside an event, whose first bytes are then in the piece of that item;
    /// [`Decoder::unfinished`](crate::Decoder::unfinished) tells it. An LF after the CR that ends an item
    /// belongs to the next piece if it is in the next chunk.
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
}

// The loop over the chunk.
impl<'i, S: Storage> Events<'_, 'i, S> {
    #[inline]
    pub(super) fn is_read(&self) -> bool {
        self.position == self.chunk.len()
    }

    /// Like [`is_read`](Self::is_read), and tells the checker.
    #[inline(always)]
    fn is_at_end(&mut self) -> bool {
        let is_read = self.is_read();
        if is_read {
            self.decoder.utf8.checker.chunk_is_read();
        }
        is_read
    }

    /// Where the line that contains `start` ends in this chunk.
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
        let Ok((outcome, borrowed)) = self.advance(false) else {
            return self.decoder.builder.overflow();
        };
        Ok(match outcome {
            Outcome::Event => Some(self.decoder.builder.event(&borrowed)),
            _ => {
                self.decoder.utf8.checker.chunk_is_read();
                None
            }
        })
    }

    fn read_item(&mut self) -> Result<Option<Item<'_>>, EventTooLarge> {
        self.decoder.clear_dispatched();
        if let Some(data) = self.single_line_event() {
            return Ok(Some(Item::Event(self.decoder.builder.data_event(data))));
        }
        let Ok((outcome, borrowed)) = self.advance(true) else {
            return self.decoder.builder.overflow();
        };
        let builder = &self.decoder.builder;
        Ok(match outcome {
            Outcome::Event => Some(Item::Event(builder.event(&borrowed))),
            Outcome::Comment => Some(Item::Comment(builder.text(&borrowed))),
            Outcome::Retry => builder.reconnection_time().map(Item::Retry),
            Outcome::Id => Some(Item::Id(builder.last_event_id())),
            Outcome::Ignored => Some(Item::Ignored(builder.ignored_line(&borrowed))),
            Outcome::Nothing => {
                self.decoder.utf8.checker.chunk_is_read();
                None
            }
        })
    }

    /// Reads until there is something to return, or the chunk ends (`Nothing`). `items` tells whether
    /// anything but events is to be returned, too.
    // It returns no reference into the decoder, so it may loop.
    #[inline]
    fn advance(&mut self, items: bool) -> Result<(Outcome, Borrowed<'i>), Overflow> {
        let mut borrowed = Borrowed::default();
        loop {
            if self.decoder.line.state != LineState::Start {
                if self.is_read() {
                    self.decoder.builder.commit(&mut borrowed);
                    return Ok((Outcome::Nothing, borrowed));
                }
                match self.resume_line(items)? {
                    Outcome::Nothing if self.decoder.line.state == LineState::Start => {
                        if self.buffer_rest(items) {
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
                    if items && self.decoder.builder.has_type_and_id_only() {
                        return Ok((self.decoder.builder.dispatch_type(), borrowed));
                    }
                    self.consume_line_end(start);
                    let outcome = self.decoder.dispatch(items);
                    if outcome != Outcome::Nothing {
                        return Ok((outcome, borrowed));
                    }
                    borrowed = Borrowed::default();
                    if !items && self.skip_comments() {
                        return Ok((Outcome::Nothing, borrowed));
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
                self.start_line(start, items)?;
                return Ok((Outcome::Nothing, borrowed));
            };
            let outcome = match self.borrow_line(&mut borrowed, start, end, items) {
                Some(outcome) => {
                    self.consume_line_end(end);
                    if outcome == Outcome::Nothing {
                        self.borrow_data_lines(&mut borrowed);
                    }
                    outcome
                }
                None => {
                    self.decoder.builder.commit(&mut borrowed);
                    self.store_line(start, end, items)?
                }
            };
            if outcome != Outcome::Nothing {
                self.decoder.builder.commit(&mut borrowed);
                return Ok((outcome, borrowed));
            }
        }
    }
}

// Whole lines, and the start of the last one.
impl<'i, S: Storage> Events<'_, 'i, S> {
    /// Reads the whole line at `start..end` without storing its value. `None`: the value has to be
    /// stored, and nothing was done.
    #[inline]
    fn borrow_line(
        &mut self,
        borrowed: &mut Borrowed<'i>,
        start: usize,
        end: usize,
        items: bool,
    ) -> Option<Outcome> {
        let (field, value) = parse_line(self.chunk.get(start..end)?);
        let field = match field {
            None => return self.borrow_text(borrowed, Field::Unknown, start, end, items),
            Some(field @ (Field::Comment | Field::Retry)) => {
                return self.borrow_text(borrowed, field, end - value.len(), end, items);
            }
            Some(field) => field,
        };
        self.decoder.flush();
        let Decoder { utf8, builder, .. } = &mut *self.decoder;
        if builder.is_discarding() {
            return None;
        }
        let text = self
            .window
            .get(self.chunk, end - value.len(), end, &mut utf8.checker)?;
        builder.borrow(borrowed, field, text, items)
    }

    /// Reads a comment, a `retry` line or an ignored line, whose value is at `start..end`, without
    /// storing it. `None`: it has to be stored, and nothing was done.
    #[inline]
    fn borrow_text(
        &mut self,
        borrowed: &mut Borrowed<'i>,
        field: Field,
        start: usize,
        end: usize,
        items: bool,
    ) -> Option<Outcome> {
        if field == Field::Retry {
            let mut retry = RetryParser::NEW;
            retry.push(self.chunk.get(start..end)?);
            let set = self.decoder.builder.set_reconnection_time(retry, items);
            if set.is_some() {
                return set;
            }
        }
        if items {
            self.decoder.flush();
            let Decoder { utf8, builder, .. } = &mut *self.decoder;
            let text = self.window.get(self.chunk, start, end, &mut utf8.checker)?;
            if text.len() > builder.remaining(field).bytes {
                return None;
            }
            borrowed.set_text(text);
        }
        Some(self.decoder.builder.end_text(field, items))
    }

    /// Stores the value of the whole line at `start..end`.
    fn store_line(&mut self, start: usize, end: usize, items: bool) -> Result<Outcome, Overflow> {
        self.position = end;
        let line = self.chunk.get(start..end).unwrap_or_default();
        let validity = self.window.validity(start, end);
        self.decoder.push_piece(line, validity, items)?;
        self.end_line(end, items)
    }

    /// Stores the start of a line, which is the rest of the chunk.
    fn start_line(&mut self, start: usize, items: bool) -> Result<(), Overflow> {
        self.position = self.chunk.len();
        let piece = self.chunk.get(start..).unwrap_or_default();
        if self.is_short() && self.decoder.buffer_line_start(piece, items) {
            return Ok(());
        }
        let validity = self.window.validity_of_rest(self.chunk, start);
        self.decoder.push_piece(piece, validity, items)
    }
}

// The pending line.
impl<'i, S: Storage> Events<'_, 'i, S> {
    /// Continues the pending line, in a chunk that is not read. If the line is still pending afterwards,
    /// the chunk is.
    #[inline(never)]
    fn resume_line(&mut self, items: bool) -> Result<Outcome, Overflow> {
        if self.is_at_line_start(items)? {
            return Ok(Outcome::Nothing);
        }
        let start = self.position;
        let Some(end) = self.line_end(start) else {
            self.position = self.chunk.len();
            let piece = self.chunk.get(start..).unwrap_or_default();
            self.decoder.push_piece(piece, Validity::Unknown, items)?;
            return Ok(Outcome::Nothing);
        };
        self.position = end;
        let piece = self.chunk.get(start..end).unwrap_or_default();
        let validity = if self.is_short() {
            if self.decoder.buffer_line_end(piece) {
                self.consume_line_end(end);
                return Ok(Outcome::Nothing);
            }
            Validity::Unknown
        } else if !self.decoder.utf8.is_complete() {
            Validity::Unknown
        } else {
            let checker = &mut self.decoder.utf8.checker;
            match self.window.get(self.chunk, start, end, checker) {
                Some(text) if self.decoder.end_data_line(text) => {
                    self.consume_line_end(end);
                    return Ok(Outcome::Nothing);
                }
                Some(text) => Validity::Valid(text),
                None => Validity::Invalid,
            }
        };
        self.decoder.push_piece(piece, validity, items)?;
        self.end_line(end, items)
    }

    /// Whether a line starts here, in a chunk that is not read. First skips a byte order mark, and an LF
    /// after the CR that ended the last chunk.
    #[inline]
    fn is_at_line_start(&mut self, items: bool) -> Result<bool, Overflow> {
        if let LineState::StreamStart(seen) = self.decoder.line.state {
            self.skip_bom(seen, items)?;
        }
        if self.decoder.line.state == LineState::AfterCr {
            if self.rest().starts_with(b"\n") {
                self.position += 1;
            }
            self.decoder.line.state = LineState::Start;
        }
        let state = self.decoder.line.state;
        Ok(matches!(
            state,
            LineState::Start | LineState::StreamStart(_)
        ))
    }

    /// Skips a byte order mark, of which `seen` bytes were in earlier chunks.
    #[cold]
    fn skip_bom(&mut self, seen: u8, items: bool) -> Result<(), Overflow> {
        const BOM: [u8; 3] = *b"\xEF\xBB\xBF";
        let mut seen = usize::from(seen);
        while let Some(expected) = BOM.get(seen) {
            match self.rest().first() {
                Some(byte) if byte == expected => seen += 1,
                Some(_) => {
                    // Part of the mark starts a name that no field has.
                    self.decoder.line.state = LineState::Start;
                    let part = BOM.get(..seen).unwrap_or_default();
                    return match part {
                        [] => Ok(()),
                        _ => self.decoder.push_piece(part, Validity::Unknown, items),
                    };
                }
                None => {
                    self.decoder.line.state = LineState::StreamStart(seen as u8);
                    return Ok(());
                }
            }
            self.position += 1;
        }
        self.decoder.line.state = LineState::Start;
        Ok(())
    }

    /// Ends the pending line at `end`.
    fn end_line(&mut self, end: usize, items: bool) -> Result<Outcome, Overflow> {
        let outcome = self.decoder.end_line(items);
        self.consume_line_end(end);
        outcome
    }

    /// Moves past the line terminator at `end`: a CR, an LF, or both.
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
}
