//! The line machine: the standard's field rules over pieces of lines, and the event under way.
//!
//! It knows nothing of chunks: a line comes in any number of pieces ([`Machine::piece`]) and ends
//! once ([`Machine::end_line`]). What it is given it decodes and stores. The cursor above it lends
//! whole lines from the chunk instead, and then does the same bookkeeping here: `held` counts
//! stored and lent text alike, so that the limit does not depend on which way was taken.

use super::{
    EventTooLarge,
    utf8::{Continued, Incomplete, Known, REPLACEMENT, REPLACEMENTS, begins_nothing, from_utf8},
};
use crate::gate::is_one_line;
use crate::storage::{Held, Region, Storage};
use crate::work;
use core::mem;

/// What the stream is in the middle of, between two bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// The first line begins, and this many bytes of a byte order mark were seen.
    StreamStart(u8),
    /// A line begins behind a CR: an LF there belongs to the line before.
    AfterCr,
    /// A line begins.
    Start,
    /// In a field name, as much of it as [`Name`] holds.
    Name,
    /// In a value. `true`: nothing of it was seen yet, so one space may have to go.
    Value(Field, bool),
    /// In a line that has no effect, whatever comes.
    Ignored,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Data,
    EventType,
    Id,
    Retry,
    Comment,
}

impl Field {
    /// The field of this name. "Field names must be compared literally, with no case folding
    /// performed."
    #[inline]
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"data" => Some(Self::Data),
            b"event" => Some(Self::EventType),
            b"id" => Some(Self::Id),
            b"retry" => Some(Self::Retry),
            b"" => Some(Self::Comment),
            _ => None,
        }
    }

    /// The region that the value ends up in, if it is text.
    #[inline]
    pub(super) fn region(self) -> Region {
        match self {
            Self::Data | Self::Retry | Self::Comment => Region::Text,
            Self::EventType => Region::EventType,
            Self::Id => Region::PendingId,
        }
    }
}

/// The first bytes of a field name; no field has more than five.
#[derive(Debug, Clone, Copy)]
struct Name {
    bytes: [u8; 5],
    len: u8,
}

impl Name {
    const EMPTY: Self = Self {
        bytes: [0; 5],
        len: 0,
    };

    fn field(&self) -> Option<Field> {
        Field::named(self.bytes.get(..usize::from(self.len)).unwrap_or_default())
    }

    /// `false`: the name is too long for any field.
    fn push(&mut self, byte: u8) -> bool {
        match self.bytes.get_mut(usize::from(self.len)) {
            Some(free) => {
                *free = byte;
                self.len += 1;
                true
            }
            None => false,
        }
    }
}

/// The value of a `retry` line. "If the field value consists of only ASCII digits": as a number,
/// which saturates.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digits {
    number: u64,
    /// Whether there were only digits; `None` before the first byte.
    valid: Option<bool>,
}

impl Digits {
    pub(super) const NONE: Self = Self {
        number: 0,
        valid: None,
    };

    pub(super) fn push(&mut self, bytes: &[u8]) {
        work::scanned(bytes.len());
        for &byte in bytes {
            self.valid = Some(self.valid != Some(false) && byte.is_ascii_digit());
            self.number = self
                .number
                .saturating_mul(10)
                .saturating_add(u64::from(byte & 0x0F));
        }
    }

    pub(super) fn milliseconds(self) -> Option<u64> {
        (self.valid == Some(true)).then_some(self.number)
    }
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
    name: Name,
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
            name: Name::EMPTY,
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
        if matches!(self.line, Line::Start | Line::Name) {
            piece = self.field_name(piece, items);
        }
        self.ignore_unwanted(items);
        if let Line::Value(field, first) = self.line {
            if let (true, Some((&byte, rest))) = (first, piece.split_first()) {
                self.line = Line::Value(field, false);
                if byte == b' ' {
                    piece = rest;
                }
            }
            match field {
                Field::Retry => self.digits.push(piece),
                Field::Data if matches!(known, Known::Nothing) && self.stage(piece) => {}
                _ => {
                    self.decode_staged();
                    self.decode(field, piece, known);
                }
            }
        }
        self.overflow.take().map_or(Ok(()), Err)
    }

    /// Takes a piece from the middle of a `data` value, or a byte of a field name, if that is cheap.
    /// `false`: it is not, or `piece` is something else, and nothing was done.
    #[inline]
    pub(super) fn go_on(&mut self, piece: &[u8]) -> bool {
        if self.line != Line::Value(Field::Data, false) {
            return self.line == Line::Name && self.continue_name(piece);
        }
        match piece {
            [b' '..=0xFF] if self.stage(piece) => true,
            _ => self.continue_data(piece),
        }
    }

    #[inline(never)]
    fn continue_name(&mut self, piece: &[u8]) -> bool {
        matches!(piece, [byte @ b'a'..=b'z'] if self.name.push(*byte))
    }

    #[inline(never)]
    fn continue_data(&mut self, piece: &[u8]) -> bool {
        work::scanned(piece.len());
        if !is_one_line(piece) {
            return false;
        }
        if self.stage(piece) {
            return true;
        }
        self.decode_staged();
        if !self.incomplete.is_none() || !matches!(piece, [0..0x80] | [0..0x80, .., 0..0x80]) {
            return false;
        }
        from_utf8(piece).is_some_and(|text| self.extend_data(text))
    }

    #[inline]
    fn stage(&mut self, piece: &[u8]) -> bool {
        const SMALL: usize = 256;
        let room = self.storage.room(self.held, Region::Text).bytes;
        piece.len() <= SMALL && self.storage.stage(piece, room)
    }

    /// Decodes what was set aside, up to the middle of a line.
    fn decode_staged(&mut self) {
        if self.storage.has_staged() {
            let staged = self.storage.take_staged();
            self.decode(Field::Data, staged.as_ref(), Known::Nothing);
            self.storage.put_back(staged);
        }
    }

    /// Decodes what was set aside, up to the end of a line.
    #[inline]
    pub(super) fn flush_data(&mut self) {
        if self.storage.has_staged() {
            self.flush_staged();
        }
    }

    #[inline(never)]
    fn flush_staged(&mut self) {
        self.decode_staged();
        self.end_text(Field::Data);
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
            self.storage.push(Region::Text, text);
            self.held.data += text.len();
        }
        fits
    }

    /// The line under way has ended; what it brings out is to be looked at before the next call.
    pub(super) fn end_line(&mut self, items: bool) -> Result<Outcome, EventTooLarge> {
        if self.line == Line::Name {
            // "Otherwise, the string is not empty but does not contain a U+003A COLON": the value
            // is empty.
            self.begin_value(self.name.field(), items);
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

    /// Drops what was handed out last.
    #[inline]
    pub(super) fn settle(&mut self) {
        match self.shown {
            Outcome::Event => {
                self.drop_event();
                self.idle = self.line == Line::Start;
            }
            Outcome::Comment => self.drop_value(),
            Outcome::Nothing | Outcome::Retry => return,
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

    /// Reads a field name, or what is left of it; returns what follows the colon.
    fn field_name<'b>(&mut self, piece: &'b [u8], items: bool) -> &'b [u8] {
        if self.line == Line::Start {
            if let Some(value) = piece.strip_prefix(b"data:") {
                self.begin_value(Some(Field::Data), items);
                return value;
            }
            self.name = Name::EMPTY;
        }
        let mut bytes = piece.iter();
        for &byte in &mut bytes {
            if byte == b':' {
                self.begin_value(self.name.field(), items);
                break;
            }
            self.line = Line::Name;
            if !self.name.push(byte) {
                self.line = Line::Ignored;
                break;
            }
        }
        bytes.as_slice()
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
            if self.has_data && !self.stage(b"\n") {
                self.flush_data();
                self.append(Field::Data, "\n");
            }
            // Unless the LF was too much.
            self.has_data = self.line != Line::Ignored;
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
            Known::Nothing => from_utf8(bytes),
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
        work::scanned(bytes.len());
        let mut rest = bytes;
        while let Some(chunk) = rest.utf8_chunks().next() {
            self.append(field, chunk.valid());
            let invalid = chunk.invalid().len();
            rest = rest
                .get(chunk.valid().len() + invalid..)
                .unwrap_or_default();
            let lone = rest
                .windows(2)
                .take_while(|pair| begins_nothing(pair))
                .count();
            if invalid > 0 {
                self.append(field, REPLACEMENT);
            }
            self.append_replacements(field, lone);
            rest = rest.get(lone..).unwrap_or_default();
        }
    }

    fn append_replacements(&mut self, field: Field, mut count: usize) {
        while count > 0 {
            let some = count.min(REPLACEMENTS.len() / REPLACEMENT.len());
            let text = REPLACEMENTS.get(..some * REPLACEMENT.len());
            self.append(field, text.unwrap_or_default());
            count -= some;
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
                work::scanned(value.len());
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
