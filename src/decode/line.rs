//! The line machine: the standard's field rules over pieces of lines, and the event under way.
//!
//! It knows nothing of chunks: a line comes in any number of pieces ([`Machine::piece`]) and ends
//! once ([`Machine::end_line`]). What it is given it decodes and stores; short pieces are set aside
//! first (`aside`). The cursor above it lends whole lines from the chunk instead, and then does the
//! same bookkeeping here: `held` counts stored and lent text alike, so that the limit does not
//! depend on which way was taken.

mod aside;

use super::EventTooLarge;
use super::field::{Digits, Field, Head, NAME_LEN, may_be_field};
use super::utf8::{
    Continued, Incomplete, Known, Lookahead, REPLACEMENT, REPLACEMENTS, begins_nothing,
};
use crate::counters;
use crate::scanner::OPTIMIZE_FOR_SIZE;
use crate::storage::{Held, Region, Storage};
use core::mem;

/// What the stream is in the middle of, between two bytes. It is asked at every piece: a tag of its
/// own costs less than one that hides in `Field`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Line {
    /// The first line begins, and this many bytes of a byte order mark were seen.
    StreamStart(u8),
    /// A line begins behind a CR: an LF there belongs to the line before.
    AfterCr,
    /// A line begins.
    Start,
    /// In a line of which the [`Head`] has all bytes so far.
    Head,
    /// In a value. `true`: nothing of it was seen yet, so one space may have to go.
    Value(Field, bool),
    /// In a line that has no effect, whatever comes.
    Ignored,
}

/// What a finished line brings out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Nothing,
    Event,
    Comment,
    Retry,
}

/// Decoding state that lives across chunks.
#[derive(Debug, Clone)]
pub(super) struct Machine<S> {
    pub(super) storage: S,
    pub(super) line: Line,
    head: Head,
    pub(super) lookahead: Lookahead,
    pub(super) incomplete: Incomplete,
    digits: Digits,
    pub(super) held: Held,
    /// "If the data buffer is an empty string": the standard's buffer ends each line with an LF, so
    /// it is not after any `data` line.
    pub(super) has_data: bool,
    pub(super) has_id: bool,
    /// The event under way was too large: `data` and `event` lines are ignored up to its blank
    /// line.
    pub(super) skipping: bool,
    /// A line begins (`line` is `Start`), there is no event under way, and nothing was handed out:
    /// the machine has no state but what outlives events. May be false where it could be true.
    pub(super) idle: bool,
    /// An event or a comment was handed out; it is dropped before anything else happens.
    shown: Outcome,
    overflow: Option<EventTooLarge>,
    pub(super) reconnection_time: Option<u64>,
}

impl<S> Machine<S> {
    pub(super) const fn new(storage: S) -> Self {
        Self {
            storage,
            line: Line::StreamStart(0),
            head: Head::EMPTY,
            lookahead: Lookahead::NEW,
            incomplete: Incomplete::NONE,
            digits: Digits::NONE,
            held: Held::NOTHING,
            has_data: false,
            has_id: false,
            skipping: false,
            idle: false,
            shown: Outcome::Nothing,
            overflow: None,
            reconnection_time: None,
        }
    }
}

impl<S: Storage> Machine<S> {
    /// The next piece of the line under way: any part of it, without its line end.
    ///
    /// After an error the line is still under way.
    pub(super) fn piece(
        &mut self,
        mut piece: &[u8],
        known: Known<'_>,
        items: bool,
    ) -> Result<(), EventTooLarge> {
        if matches!(self.line, Line::Start | Line::Head) {
            piece = self.begin_line(piece, items);
        }
        self.ignore_unwanted(items);
        self.value(piece, known);
        self.overflow.take().map_or(Ok(()), Err)
    }

    /// The text has ended: a sequence that breaks off is U+FFFD.
    #[inline]
    fn end_text(&mut self, field: Field) {
        if !self.incomplete.is_none() {
            self.incomplete = Incomplete::NONE;
            self.append(field, REPLACEMENT);
        }
    }

    #[inline(always)]
    fn extend_data(&mut self, text: &str) -> bool {
        let fits = text.len() <= self.storage.room(self.held, Region::Text).bytes;
        if fits {
            self.push(Field::Data, text);
        }
        fits
    }

    /// The line under way has ended; what it brings out is to be looked at before the next call.
    pub(super) fn end_line(&mut self, items: bool) -> Result<Outcome, EventTooLarge> {
        if self.line == Line::Head {
            self.end_head(items);
        }
        self.ignore_unwanted(items);
        let mut outcome = Outcome::Nothing;
        if let Line::Value(field, _) = self.line {
            // With data set aside, this waits until that is decoded.
            if !self.storage.has_staged() {
                self.end_text(field);
            }
            // What did not fit is no line any more.
            if self.line != Line::Ignored {
                outcome = self.end_value(field, items);
            }
        }
        self.line = Line::Start;
        self.overflow.take().map_or(Ok(outcome), Err)
    }

    /// "If the line is empty (a blank line): dispatch the event." `true` if there is an event.
    #[inline]
    pub(super) fn blank_line(&mut self) -> bool {
        self.flush_data();
        // "Set the last event ID string of the event source to the value of the last event ID
        // buffer", event or not.
        if self.has_id {
            self.storage.commit_id();
            self.has_id = false;
            self.held.pending_id = 0;
        }
        if self.has_data {
            self.shown = Outcome::Event;
        } else {
            self.skipping = false;
            self.drop_event();
            self.idle = self.line == Line::Start;
        }
        self.has_data
    }

    /// An event has begun: it has data, a type or an id, or was too large. What was handed out is
    /// none any more.
    pub(super) fn is_in_event(&self) -> bool {
        let has_type = self.held.event_type > 0;
        self.shown != Outcome::Event && (self.has_data || has_type || self.has_id || self.skipping)
    }

    /// Drops what was handed out last.
    #[inline]
    pub(super) fn settle(&mut self) {
        if self.shown == Outcome::Nothing {
            return;
        }
        if self.shown == Outcome::Event {
            self.drop_event();
            self.idle = self.line == Line::Start;
        } else {
            self.drop_value();
        }
        self.shown = Outcome::Nothing;
    }

    /// Back to the start of a stream: only the last event ID string and the reconnection time
    /// outlive it.
    pub(super) fn restart(&mut self) {
        let staged = self.storage.take_staged();
        self.storage.put_back(staged);
        self.drop_event();
        self.storage.truncate(Region::PendingId, 0);
        self.held = Held::NOTHING;
        self.has_id = false;
        self.skipping = false;
        self.idle = false;
        self.shown = Outcome::Nothing;
        self.incomplete = Incomplete::NONE;
        self.line = Line::StreamStart(0);
    }

    /// A whole `retry` line, or the end of one.
    pub(super) fn retry(&mut self, digits: Digits, items: bool) -> Outcome {
        match digits.milliseconds() {
            Some(time) => {
                self.reconnection_time = Some(time);
                if items {
                    Outcome::Retry
                } else {
                    Outcome::Nothing
                }
            }
            None => Outcome::Nothing,
        }
    }

    /// The comment that was handed out last, if it is stored.
    pub(super) fn comment(&self) -> &str {
        self.storage.text_from(Region::Text, self.held.data)
    }

    /// Reads the start of a line, or more of it; returns what is left for the value.
    fn begin_line<'b>(&mut self, piece: &'b [u8], items: bool) -> &'b [u8] {
        if self.line == Line::Start {
            match piece {
                [b'd', b'a', b't', b'a', b':', value @ ..] if !OPTIMIZE_FOR_SIZE => {
                    self.begin_value(Some(Field::Data), items);
                    return value;
                }
                [b':', text @ ..] => {
                    self.begin_value(Some(Field::Comment), items);
                    return text;
                }
                _ if may_be_field(piece) => {
                    self.begin_head();
                    self.line = Line::Head;
                }
                _ => {
                    self.line = Line::Ignored;
                    return &[];
                }
            }
        }
        if self.extend_head(piece) {
            return &[];
        }
        // The name alone, which has room.
        let missing = (NAME_LEN + 1).saturating_sub(self.head.bytes().len());
        let (name, rest) = piece.split_at_checked(missing).unwrap_or((piece, &[]));
        self.head.push(name);
        let head = self.head;
        match head.colon() {
            Some(colon) => self.open(head.bytes(), colon, items),
            None if head.bytes().len() > NAME_LEN => self.line = Line::Ignored,
            None => {}
        }
        rest
    }

    /// Stores the whole value of an event type or an id, for which there is room.
    #[inline]
    pub(super) fn store(&mut self, field: Field, text: &str) {
        let region = field.region();
        if field == Field::Id {
            // "If the field value does not contain U+0000 NULL"; otherwise "ignore the field".
            counters::scanned(text.len());
            if text.contains('\0') {
                return;
            }
            self.has_id = true;
            self.held.pending_id = text.len();
        } else {
            self.held.event_type = text.len();
        }
        self.storage.truncate(region, 0);
        self.storage.push(region, text);
    }

    /// Begins the value of a line that starts with `head`, whose name ends at `colon`.
    fn open(&mut self, head: &[u8], colon: usize, items: bool) {
        let (name, value) = head.split_at_checked(colon).unwrap_or_default();
        self.begin_value(Field::named(name), items);
        self.value(value.get(1..).unwrap_or_default(), Known::Nothing);
    }

    /// The name is complete.
    fn begin_value(&mut self, field: Option<Field>, items: bool) {
        self.line = match field {
            Some(Field::Data | Field::EventType) if self.skipping => Line::Ignored,
            Some(Field::Comment) if !items => Line::Ignored,
            // The text of a comment is what follows the colon, a space included.
            Some(field) => Line::Value(field, field != Field::Comment),
            None => Line::Ignored,
        };
        self.digits = Digits::NONE;
        if self.line != Line::Ignored && field != Some(Field::Data) {
            self.flush_data();
        }
        if let Line::Value(Field::Data, _) = self.line {
            let staged = self.storage.has_staged() && self.stage(true, &[]);
            if self.has_data && !staged {
                self.flush_data();
                self.append(Field::Data, "\n");
            }
            // Unless the LF was too much.
            self.has_data = self.line != Line::Ignored;
        }
    }

    /// Takes a piece of the value of the line under way, if it has one.
    fn value(&mut self, mut piece: &[u8], known: Known<'_>) {
        let Line::Value(field, first) = self.line else {
            return;
        };
        if let (true, Some((&byte, rest))) = (first, piece.split_first()) {
            self.line = Line::Value(field, false);
            if byte == b' ' {
                piece = rest;
            }
        }
        match field {
            Field::Retry => self.digits.push(piece),
            Field::Data if matches!(known, Known::Nothing) && self.stage(false, piece) => {}
            _ => {
                self.decode_staged();
                self.decode(field, piece, known);
            }
        }
    }

    /// Appends `bytes`, decoded, to the value of the line under way.
    fn decode(&mut self, field: Field, mut bytes: &[u8], known: Known<'_>) {
        while !self.incomplete.is_none() {
            let Some((&byte, rest)) = bytes.split_first() else {
                return;
            };
            match self.incomplete.push(byte) {
                Continued::Complete => {
                    let whole = mem::replace(&mut self.incomplete, Incomplete::NONE);
                    self.append(field, whole.text());
                    bytes = rest;
                }
                Continued::Incomplete => bytes = rest,
                Continued::Broken => {
                    self.append(field, REPLACEMENT);
                    self.incomplete = Incomplete::NONE;
                }
            }
        }
        let (bytes, incomplete) = Incomplete::split_from(bytes);
        let text = match known {
            Known::Nothing => self.lookahead.find(bytes).ok(),
            // What is left of it: a name and a colon may be gone.
            Known::Text(text) => text.get(text.len().wrapping_sub(bytes.len())..),
            Known::Faulty => None,
        };
        match text {
            Some(text) => self.append(field, text),
            None => self.decode_faulty(field, bytes),
        }
        // Of a value that is ignored by now, nothing may be left over for the next one.
        if self.line != Line::Ignored {
            self.incomplete = incomplete;
        }
    }

    fn decode_faulty(&mut self, field: Field, bytes: &[u8]) {
        if self.line == Line::Ignored {
            return;
        }
        counters::scanned(bytes.len());
        let longest = bytes.len().saturating_mul(REPLACEMENT.len());
        let fits =
            !OPTIMIZE_FOR_SIZE && longest <= self.storage.room(self.held, field.region()).bytes;
        let mut put = |text: &str| {
            if fits {
                self.push(field, text);
            } else {
                self.append(field, text);
            }
        };
        let mut rest = bytes;
        while let Some(chunk) = rest.utf8_chunks().next() {
            put(chunk.valid());
            let invalid = chunk.invalid().len();
            if invalid > 0 {
                put(REPLACEMENT);
            }
            rest = rest
                .get(chunk.valid().len() + invalid..)
                .unwrap_or_default();
            if OPTIMIZE_FOR_SIZE {
                continue;
            }
            let pairs = rest.windows(2);
            let lone = pairs.take_while(|pair| begins_nothing(pair)).count();
            let (faults, behind) = rest.split_at_checked(lone).unwrap_or_default();
            for some in faults.chunks(REPLACEMENTS.len() / REPLACEMENT.len()) {
                let text = REPLACEMENTS.get(..some.len() * REPLACEMENT.len());
                put(text.unwrap_or_default());
            }
            rest = behind;
        }
    }

    /// Appends to the value of the line under way, if it has room; without room the line is ignored
    /// from here on.
    fn append(&mut self, field: Field, text: &str) {
        if self.line == Line::Ignored || text.is_empty() {
            return;
        }
        if text.len() > self.storage.room(self.held, field.region()).bytes
            && !self.make_room(field, text.len())
        {
            self.ignore_line();
            return;
        }
        self.push(field, text);
    }

    #[inline(always)]
    fn push(&mut self, field: Field, text: &str) {
        self.storage.push(Region::Text, text);
        match field {
            Field::Data => self.held.data += text.len(),
            _ => self.held.line += text.len(),
        }
    }

    /// The byte was read that crosses the limit. `true`: the value fits after all, now that the
    /// event is dropped.
    fn make_room(&mut self, field: Field, len: usize) -> bool {
        let room = self.storage.room(self.held, field.region());
        // One error for each event and for each comment.
        if field == Field::Comment || !self.skipping {
            self.overflow = Some(EventTooLarge { limit: room.limit });
        }
        match field {
            Field::Comment | Field::Retry => {}
            Field::Data | Field::EventType => {
                self.drop_event();
                self.skipping = true;
            }
            Field::Id => {
                // The id counts nevertheless: a reconnect must not ask for this event again.
                self.storage.discard_front(self.held.data);
                self.storage.truncate(Region::EventType, 0);
                self.held.data = 0;
                self.held.event_type = 0;
                self.has_data = false;
                self.skipping = true;
                return len <= self.storage.room(self.held, field.region()).bytes;
            }
        }
        false
    }

    fn end_value(&mut self, field: Field, items: bool) -> Outcome {
        match field {
            Field::Data => {}
            Field::EventType => {
                self.held.event_type = self.held.line;
                self.storage.move_tail(self.held.data, Region::EventType);
            }
            Field::Id => {
                let value = self.storage.text_from(Region::Text, self.held.data);
                // "If the field value does not contain U+0000 NULL"; otherwise "ignore the field".
                counters::scanned(value.len());
                if value.contains('\0') {
                    self.drop_value();
                } else {
                    self.has_id = true;
                    self.held.pending_id = self.held.line;
                    self.storage.move_tail(self.held.data, Region::PendingId);
                }
            }
            Field::Retry => return self.retry(self.digits, items),
            Field::Comment => {
                self.shown = Outcome::Comment;
                return Outcome::Comment;
            }
        }
        self.held.line = 0;
        Outcome::Nothing
    }

    /// A comment whose beginning was asked for, and whose end is not.
    fn ignore_unwanted(&mut self, items: bool) {
        if !items && matches!(self.line, Line::Value(Field::Comment, _)) {
            self.ignore_line();
        }
    }

    /// The line under way has no effect any more, whatever comes.
    fn ignore_line(&mut self) {
        self.drop_value();
        self.incomplete = Incomplete::NONE;
        self.line = Line::Ignored;
    }

    /// The value of the line under way, where it is not data, is behind the data: drops it.
    fn drop_value(&mut self) {
        self.storage.truncate(Region::Text, self.held.data);
        self.held.line = 0;
    }

    /// Empties the data and event type buffers.
    #[inline]
    fn drop_event(&mut self) {
        self.storage.truncate(Region::Text, 0);
        self.storage.truncate(Region::EventType, 0);
        self.has_data = false;
        self.held.data = 0;
        self.held.event_type = 0;
        self.held.line = 0;
    }
}
