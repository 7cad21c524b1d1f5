//! The cursor over one chunk: it takes whole lines as they are and remembers where they stand.
//!
//! Lines that are cut by the chunk's end, or are anything but simple, go piece by piece through the
//! line machine, which stores them. Invariant: whenever the cursor gives back control in the middle
//! of an event, nothing is lent, all is stored (`spill`); so it may be dropped at any time.

use super::field::{Digits, Field, may_be_field, split};
use super::line::{Line, Machine, Outcome};
use super::utf8::{Known, Valid};
use super::{Event, EventTooLarge, Item};
use crate::scanner::{OPTIMIZE_FOR_SIZE, each_line_end, find_line_end, has_no_line_end};
use crate::storage::{Held, Region, Storage};
use core::time::Duration;

/// What most lines begin with.
const DATA: &[u8] = b"data: ";

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
    machine: &'d mut Machine<S>,
    chunk: &'i [u8],
    position: usize,
    valid: Valid<'i>,
}

/// Values that were whole in this chunk and are not stored.
#[derive(Debug, Default)]
pub(super) struct Lent<'i> {
    pub(super) data: Option<&'i str>,
    pub(super) event_type: Option<&'i str>,
    comment: Option<&'i str>,
}

impl<'d, 'i, S> Events<'d, 'i, S> {
    #[inline]
    pub(super) fn new(machine: &'d mut Machine<S>, chunk: &'i [u8]) -> Self {
        Self {
            machine,
            chunk,
            position: 0,
            valid: Valid::default(),
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
        if self.is_at_end() || self.goes_on() {
            return Ok(None);
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
        if self.is_at_end() || self.goes_on() {
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
    fn is_read(&self) -> bool {
        self.position == self.chunk.len()
    }

    /// Whether the chunk is read; then whatever was found out ahead was of use.
    #[inline(always)]
    fn is_at_end(&mut self) -> bool {
        let is_read = self.is_read();
        if is_read {
            self.machine.lookahead.is_unread = false;
        }
        is_read
    }

    /// Where the line that begins at `start`, or the rest of one, ends in this chunk.
    #[inline]
    fn line_end(&self, start: usize) -> Option<usize> {
        Some(start + find_line_end(self.chunk.get(start..)?)?)
    }

    /// Takes the whole chunk, if it is a plain piece from the middle of a line. `false`: it is not,
    /// and nothing was done.
    #[inline]
    fn goes_on(&mut self) -> bool {
        let whole = !OPTIMIZE_FOR_SIZE && self.position == 0 && self.machine.go_on(self.chunk);
        if whole {
            self.position = self.chunk.len();
        }
        whole
    }

    fn read_event(&mut self) -> Result<Option<Event<'_>>, EventTooLarge> {
        self.machine.settle();
        if let Some(data) = self.lone_data_line() {
            return Ok(Some(Event::lone(self.machine, data)));
        }
        let (outcome, lent) = self.step(false)?;
        Ok(match outcome {
            Outcome::Event => Some(Event::new(self.machine, &lent)),
            Outcome::Comment | Outcome::Retry | Outcome::Nothing => {
                self.machine.lookahead.is_unread = false;
                None
            }
        })
    }

    fn read_item(&mut self) -> Result<Option<Item<'_>>, EventTooLarge> {
        self.machine.settle();
        if let Some(data) = self.lone_data_line() {
            return Ok(Some(Item::Event(Event::lone(self.machine, data))));
        }
        let (outcome, lent) = self.step(true)?;
        Ok(match outcome {
            Outcome::Event => Some(Item::Event(Event::new(self.machine, &lent))),
            Outcome::Comment => Some(Item::Comment(match lent.comment {
                Some(text) => text,
                None => self.machine.comment(),
            })),
            Outcome::Retry => self
                .machine
                .reconnection_time
                .map(|time| Item::Retry(Duration::from_millis(time))),
            Outcome::Nothing => {
                self.machine.lookahead.is_unread = false;
                None
            }
        })
    }

    /// Reads on to the next thing to hand out, or to the end of the chunk (`Nothing`). Lends
    /// nothing itself, so that it may loop.
    #[inline]
    fn step(&mut self, items: bool) -> Result<(Outcome, Lent<'i>), EventTooLarge> {
        let mut lent = Lent::default();
        loop {
            if self.machine.line != Line::Start {
                match self.resume(items)? {
                    Outcome::Nothing if self.machine.line == Line::Start => {
                        if self.begins(items) {
                            return Ok((Outcome::Nothing, lent));
                        }
                    }
                    outcome => {
                        self.spill(&mut lent);
                        return Ok((outcome, lent));
                    }
                }
            }
            let start = self.position;
            match self.chunk.get(start) {
                Some(b'\n' | b'\r') => {
                    self.pass_line_end(start);
                    if self.machine.blank_line() {
                        return Ok((Outcome::Event, lent));
                    }
                    lent = Lent::default();
                    if !OPTIMIZE_FOR_SIZE && !items && self.chunk.get(self.position) == Some(&b':')
                    {
                        self.pass_quiet_lines();
                        if self.is_read() {
                            return Ok((Outcome::Nothing, lent));
                        }
                    }
                    continue;
                }
                Some(_) => {}
                None => {
                    self.spill(&mut lent);
                    return Ok((Outcome::Nothing, lent));
                }
            }
            self.machine.idle = false;
            let Some(end) = self.line_end(start) else {
                self.spill(&mut lent);
                self.position = self.chunk.len();
                let piece = self.chunk.get(start..).unwrap_or_default();
                if !self.is_short() || !self.machine.begin(piece, items) {
                    let known = self.valid.tail(self.chunk, start);
                    self.machine.piece(piece, known, items)?;
                }
                return Ok((Outcome::Nothing, lent));
            };
            let outcome = match self.lend(&mut lent, start, end, items) {
                Some(outcome) => {
                    self.pass_line_end(end);
                    if outcome == Outcome::Nothing {
                        self.lend_more_data(&mut lent);
                    }
                    outcome
                }
                None => {
                    self.spill(&mut lent);
                    self.position = end;
                    let line = self.chunk.get(start..end).unwrap_or_default();
                    self.machine
                        .piece(line, self.valid.line(start, end), items)?;
                    self.end_line(end, items)?
                }
            };
            if outcome != Outcome::Nothing {
                self.spill(&mut lent);
                return Ok((outcome, lent));
            }
        }
    }

    /// Whether pieces of the chunk go straight to what the machine sets aside, and nothing is found out
    /// about the chunk as a whole.
    #[inline]
    fn is_short(&self) -> bool {
        const LONGEST: usize = 64;
        !OPTIMIZE_FOR_SIZE && self.chunk.len() <= LONGEST
    }

    /// Behind the end of a line that a chunk before began, takes what is left of the chunk if that is
    /// the start of another one. `false`: it is not, and nothing was done.
    #[inline]
    fn begins(&mut self, items: bool) -> bool {
        let rest = self.rest();
        let begins = self.is_short()
            && may_be_field(rest)
            && is_piece(rest)
            && self.machine.begin(rest, items);
        if begins {
            self.position = self.chunk.len();
        }
        begins
    }

    /// Between events, and at the start of a line: comments that nobody asked for, and blank lines.
    #[inline(never)]
    fn pass_quiet_lines(&mut self) {
        while let Some(b':') = self.chunk.get(self.position) {
            match self.line_end(self.position) {
                Some(end) if self.chunk.get(end) == Some(&b'\n') => self.position = end + 1,
                Some(_) => return,
                None => {
                    self.machine.line = Line::Ignored;
                    self.machine.idle = false;
                    self.position = self.chunk.len();
                }
            }
            while let Some(b'\n') = self.chunk.get(self.position) {
                self.position += 1;
            }
        }
    }

    /// Behind a `data` line: further ones that are whole in the chunk and end with LF.
    #[inline]
    fn lend_more_data(&mut self, lent: &mut Lent<'i>) {
        let rest = self.rest();
        if OPTIMIZE_FOR_SIZE || !self.machine.has_data || !rest.starts_with(DATA) {
            return;
        }
        // Of lines this long the end is found faster in another way.
        const FAR: usize = 4096;
        let before = self.position;
        each_line_end(rest.get(..FAR).unwrap_or(rest), |end| {
            let (start, end) = (self.position + DATA.len(), before + end);
            let lookahead = &mut self.machine.lookahead;
            match self.valid.get(self.chunk, start, end, lookahead) {
                Some(text) if self.chunk.get(end) == Some(&b'\n') && self.lend_data(lent, text) => {
                    self.position = end + 1;
                    self.rest().starts_with(DATA)
                }
                _ => false,
            }
        });
    }

    /// Takes a further line of data. `false`: it needs the line machine, and nothing was done.
    #[inline(always)]
    fn lend_data(&mut self, lent: &mut Lent<'i>, text: &str) -> bool {
        let machine = &mut *self.machine;
        machine.flush_data();
        let fits = text.len() < machine.storage.room(machine.held, Region::Text).bytes;
        if fits {
            if let Some(first) = lent.data.take() {
                machine.storage.push(Region::Text, first);
            }
            machine.storage.push_line(text);
            machine.held.data += 1 + text.len();
        }
        fits
    }

    /// The data of an event that is one `data` line and nothing else, whole in the chunk, with LF
    /// line ends: almost every event of most streams. Whatever is different is left as it is, for
    /// `step`.
    #[inline]
    fn lone_data_line(&mut self) -> Option<&'i str> {
        if OPTIMIZE_FOR_SIZE || !self.machine.idle {
            return None;
        }
        let start = self.position;
        let line = self.chunk.get(start..)?.strip_prefix(DATA)?;
        let end = match line.strip_suffix(b"\n\n") {
            // In practice one chunk is one event, and then it is seen without a search.
            Some(value)
                if start == 0 && !self.machine.lookahead.is_unread && is_short_line(value) =>
            {
                DATA.len() + value.len()
            }
            _ => self.line_end(start)?,
        };
        if !self.chunk.get(end..)?.starts_with(b"\n\n") {
            return None;
        }
        let data = self.valid.get(
            self.chunk,
            start + DATA.len(),
            end,
            &mut self.machine.lookahead,
        )?;
        if data.len() > self.machine.storage.room(Held::NOTHING, Region::Text).bytes {
            return None;
        }
        self.position = end + 2;
        Some(data)
    }

    /// Goes on where the last chunk ended, or where an error came up. If a line is still under way
    /// afterwards, the chunk is read.
    #[inline(never)]
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
                Some(b'\n') => self.position += 1,
                Some(_) => {}
                None => return Ok(Outcome::Nothing),
            }
            self.machine.line = Line::Start;
        }
        if self.machine.line == Line::Start {
            return Ok(Outcome::Nothing);
        }
        let start = self.position;
        let end = self.line_end(start);
        self.position = end.unwrap_or(self.chunk.len());
        let piece = self.chunk.get(start..self.position).unwrap_or_default();
        if let Some(end) = end {
            if self.is_short() && self.machine.end(piece) {
                self.pass_line_end(end);
                return Ok(Outcome::Nothing);
            }
        }
        let known = match end {
            Some(end) if !self.is_short() && self.machine.incomplete.is_none() => {
                let text = self
                    .valid
                    .get(self.chunk, start, end, &mut self.machine.lookahead);
                text.map_or(Known::Faulty, Known::Text)
            }
            _ => Known::Nothing,
        };
        self.machine.piece(piece, known, items)?;
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
        if self.chunk.get(end) == Some(&b'\r') {
            match self.chunk.get(end + 1) {
                Some(b'\n') => self.position += 1,
                Some(_) => {}
                // CR ended the line; remember it only to swallow an LF that may start the next
                // chunk.
                None => self.machine.line = Line::AfterCr,
            }
        }
    }

    /// Reads the whole line at `start..end` without storing it. `None`: this line needs the line
    /// machine, and nothing was done.
    #[inline]
    fn lend(
        &mut self,
        lent: &mut Lent<'i>,
        start: usize,
        end: usize,
        items: bool,
    ) -> Option<Outcome> {
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
        machine.flush_data();
        if machine.skipping {
            return None;
        }
        let text = self
            .valid
            .get(self.chunk, end - value.len(), end, &mut machine.lookahead)?;
        let room = machine.storage.room(machine.held, field.region()).bytes;
        if text.len() > room {
            return None;
        }
        match field {
            Field::Data if machine.has_data => {
                return self.lend_data(lent, text).then_some(Outcome::Nothing);
            }
            Field::Data => {
                machine.has_data = true;
                machine.held.data = text.len();
                lent.data = Some(text);
            }
            Field::EventType => {
                machine.held.event_type = text.len();
                lent.event_type = Some(text);
            }
            Field::Id => machine.store(field, text),
            Field::Comment => {
                lent.comment = Some(text);
                return Some(Outcome::Comment);
            }
            Field::Retry => {}
        }
        Some(Outcome::Nothing)
    }

    /// Stores what is lent from the chunk, as the chunk may be gone before the event is complete.
    #[inline]
    fn spill(&mut self, lent: &mut Lent<'i>) {
        if lent.data.is_some() || lent.event_type.is_some() {
            self.store_lent(lent);
        }
    }

    fn store_lent(&mut self, lent: &mut Lent<'i>) {
        let storage = &mut self.machine.storage;
        if let Some(data) = lent.data.take() {
            storage.push(Region::Text, data);
        }
        if let Some(event_type) = lent.event_type.take() {
            storage.truncate(Region::EventType, 0);
            storage.push(Region::EventType, event_type);
        }
    }
}

/// Whether there is certainly no line end in `rest`.
fn is_piece(rest: &[u8]) -> bool {
    has_no_line_end(rest)
}

/// Whether there is certainly no line end in `value`, as far as it is worth a guess.
#[inline]
fn is_short_line(value: &[u8]) -> bool {
    const LONGEST: usize = 4096;
    value.len() <= LONGEST && has_no_line_end(value)
}
