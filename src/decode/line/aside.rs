//! The short way for short pieces: they are set aside as they are, and decoded many at a time.
//!
//! Data collects in the storage, line after line, until the event ends or something else needs its
//! place; other lines collect in the [`Head`]. Nothing is set aside that could cross a
//! limit: a byte becomes three at most when it is decoded, and three times as much has room. Whatever
//! is declined here goes the long way, to the same result.

use super::{Line, Machine};
use crate::counters;
use crate::decode::field::{Field, Head, data_value, may_be_field, split};
use crate::decode::utf8::Known;
use crate::scanner::{OPTIMIZE_FOR_SIZE, has_no_line_end};
use crate::storage::{Region, Storage};

impl<S: Storage> Machine<S> {
    /// Takes the next piece of the stream, if that is cheap: it goes on with a line or begins one, and
    /// ends none (but for an LF that is all of it). `false`: it is not, and nothing was done that
    /// would not be done anyway.
    #[inline]
    pub(in crate::decode) fn go_on(&mut self, piece: &[u8]) -> bool {
        match piece {
            [b' '..=0xFF] if self.line == Line::Value(Field::Data, false) => {
                self.stage(false, piece)
            }
            [byte] => self.continue_byte(*byte),
            [.., b'\n'] => false,
            _ => self.continue_line(piece),
        }
    }

    /// Decides as `end` and [`continue_head`](Self::continue_head) do, but for one byte alone: with chunks
    /// of a byte, a call of those is a twentieth of all work.
    #[inline(never)]
    fn continue_byte(&mut self, byte: u8) -> bool {
        counters::scanned(1);
        match self.line {
            _ if byte == b'\n' => self.end(&[]),
            _ if byte < b' ' => false,
            Line::Head => self.extend_head(&[byte]),
            Line::Ignored => true,
            Line::Start if may_be_field(&[byte]) => {
                self.settle();
                self.idle = false;
                self.begin_head();
                self.extend_head(&[byte])
            }
            _ => false,
        }
    }

    #[inline(never)]
    fn continue_line(&mut self, piece: &[u8]) -> bool {
        !self.lookahead.is_unread
            && has_no_line_end(piece)
            && if self.line == Line::Value(Field::Data, false) {
                self.stage(false, piece) || self.continue_data(piece)
            } else {
                self.continue_head(piece)
            }
    }

    #[inline(never)]
    fn continue_head(&mut self, piece: &[u8]) -> bool {
        match self.line {
            Line::Head => self.extend_head(piece),
            Line::Start if may_be_field(piece) => {
                self.settle();
                self.begin(piece, true)
            }
            line => line == Line::Ignored,
        }
    }

    #[inline(never)]
    fn continue_data(&mut self, piece: &[u8]) -> bool {
        self.decode_staged();
        if !self.incomplete.is_none() || !matches!(piece, [0..0x80] | [0..0x80, .., 0..0x80]) {
            return false;
        }
        let text = self.lookahead.find(piece);
        text.is_ok_and(|text| self.extend_data(text))
    }

    /// Takes a short piece from the start of a line, if that is cheap. `false`: it is not, and nothing
    /// was done.
    #[inline]
    pub(in crate::decode) fn begin(&mut self, piece: &[u8], items: bool) -> bool {
        self.idle = false;
        match piece {
            _ if may_be_field(piece) => {
                self.begin_data(piece) || {
                    self.begin_head();
                    self.extend_head(piece)
                }
            }
            [b':', ..] if items => false,
            _ => {
                self.line = Line::Ignored;
                true
            }
        }
    }

    /// Takes the last piece of a line, if that is cheap. `false`: it is not, and nothing was done.
    #[inline]
    pub(in crate::decode) fn end(&mut self, piece: &[u8]) -> bool {
        let taken = match self.line {
            // With nothing set aside the text ends here, which takes more than this.
            Line::Value(Field::Data, false) => {
                self.stage(false, piece) && self.storage.has_staged()
            }
            line => line == Line::Ignored,
        };
        if taken {
            self.line = Line::Start;
        }
        taken
    }

    /// Sets the value of a line of data aside that starts with `line`, where its next piece will
    /// follow. `false`: it is none, or there is no room, and nothing was done.
    #[inline(always)]
    fn begin_data(&mut self, line: &[u8]) -> bool {
        let Some(value) = data_value(line) else {
            return false;
        };
        let staged = !self.skipping && self.stage(self.has_data, value);
        if staged {
            self.has_data = true;
            self.line = Line::Value(Field::Data, false);
        }
        staged
    }

    #[inline(never)]
    fn begin_data_from_head(&mut self) {
        let head = self.head;
        self.begin_data(head.bytes());
    }

    /// Asks once for the whole line whether it has room.
    pub(super) fn begin_head(&mut self) {
        let whole = !OPTIMIZE_FOR_SIZE && self.has_room_for(Head::MOST);
        self.head.most = if whole { Head::MOST as u8 } else { 0 };
        self.head.len = 0;
    }

    /// Takes a piece of a line that is to be read as a whole. `false`: it is too long for that, and
    /// nothing was done.
    #[inline(always)]
    pub(super) fn extend_head(&mut self, piece: &[u8]) -> bool {
        let fits = !OPTIMIZE_FOR_SIZE
            && self.head.bytes().len() + piece.len() <= usize::from(self.head.most);
        if fits {
            self.line = Line::Head;
            self.head.push(piece);
            if data_value(self.head.bytes()).is_some() {
                self.begin_data_from_head();
            }
        }
        fits
    }

    /// Whether so many bytes of a line, behind what is set aside, are certain to fit as text. Decoded,
    /// a byte becomes three at most.
    #[inline]
    fn has_room_for(&self, len: usize) -> bool {
        let room = self.storage.room(self.held, Region::EventType).bytes;
        self.storage.staged_len() + len < room / 3
    }

    /// The line has ended that the head holds as a whole: reads it, or begins its value.
    pub(super) fn end_head(&mut self, items: bool) {
        let head = self.head;
        if !OPTIMIZE_FOR_SIZE && !self.skipping {
            let (field, value) = split(head.bytes());
            if let (Some(field @ (Field::EventType | Field::Id)), Ok(text)) =
                (field, self.lookahead.find(value))
            {
                self.store(field, text);
                self.line = Line::Ignored;
                return;
            }
        }
        // "Otherwise, the string is not empty but does not contain a U+003A COLON": the value is empty.
        let colon = head.colon().unwrap_or(head.bytes().len());
        self.open(head.bytes(), colon, items);
    }

    #[inline]
    pub(super) fn stage(&mut self, join: bool, piece: &[u8]) -> bool {
        const MOST: usize = 256;
        let room = self.storage.room(self.held, Region::Text).bytes;
        piece.len() <= MOST && self.storage.stage(join, piece, room)
    }

    /// Decodes what was set aside, up to the middle of a line.
    pub(super) fn decode_staged(&mut self) {
        if self.storage.has_staged() {
            let staged = self.storage.take_staged();
            self.decode(Field::Data, staged.as_ref(), Known::Nothing);
            self.storage.put_back(staged);
        }
    }

    /// Decodes what was set aside, up to the end of a line.
    #[inline]
    pub(in crate::decode) fn flush_data(&mut self) {
        if self.storage.has_staged() {
            self.flush_staged();
        }
    }

    #[inline(never)]
    fn flush_staged(&mut self) {
        let staged = self.storage.take_staged();
        match self.lookahead.find(staged.as_ref()) {
            Ok(text) if self.incomplete.is_none() => {
                self.push(Field::Data, text);
            }
            _ => {
                self.decode(Field::Data, staged.as_ref(), Known::Nothing);
                self.end_text(Field::Data);
            }
        }
        self.storage.put_back(staged);
    }
}
