//! Fast path for short pieces of lines: they are buffered undecoded, and decoded many at a time.
//!
//! Data is buffered in the storage, line after line, until the event ends or another field needs its
//! place; the other lines are collected whole in the [`LinePrefix`]. Only what is certain to be within the
//! limit is buffered: a byte becomes three at most when it is decoded, and three times as much has
//! room. Everything here may decline; the slow path then gives the same result.

use super::Decoder;
use super::field::{Field, LinePrefix, data_value, parse_line, starts_field};
use super::line::LineState;
use super::utf8::{REPLACEMENT, Validity};
use crate::counters;
use crate::scanner::{OPTIMIZE_FOR_SIZE, has_no_line_end};
use crate::storage::Storage;

impl<S: Storage> Decoder<S> {
    /// Takes the next piece of the stream, if that is cheap: it continues a line or starts one, and
    /// ends none (unless it is a single LF). `false`: it is not, and nothing was done that would not
    /// be done anyway.
    #[inline]
    pub(super) fn append_mid_line(&mut self, piece: &[u8]) -> bool {
        match piece {
            [b' '..=0xFF] if self.line.state == LineState::Value(Field::Data, false) => {
                self.builder.buffer(false, piece)
            }
            [byte] => self.append_byte(*byte),
            [.., b'\n'] => false,
            _ => self.append_piece(piece),
        }
    }

    /// Decides as `buffer_line_end` and [`append_to_line`](Self::append_to_line) do, but for a single
    /// byte: with chunks of one byte, calling those is a twentieth of all work.
    #[inline(never)]
    fn append_byte(&mut self, byte: u8) -> bool {
        counters::scanned(1);
        match self.line.state {
            _ if byte == b'\n' => self.buffer_line_end(&[]),
            _ if byte < b' ' => false,
            LineState::Prefix => self.extend_prefix(&[byte]),
            LineState::Ignored => true,
            LineState::Start if starts_field(&[byte]) => {
                self.builder.clear_dispatched();
                self.line.between_events = false;
                self.start_prefix();
                self.extend_prefix(&[byte])
            }
            _ => false,
        }
    }

    #[inline(never)]
    fn append_piece(&mut self, piece: &[u8]) -> bool {
        !self.utf8.checker.is_unread
            && has_no_line_end(piece)
            && if self.line.state == LineState::Value(Field::Data, false) {
                self.builder.buffer(false, piece) || self.append_data(piece)
            } else {
                self.append_to_line(piece)
            }
    }

    #[inline(never)]
    fn append_to_line(&mut self, piece: &[u8]) -> bool {
        match self.line.state {
            LineState::Prefix => self.extend_prefix(piece),
            LineState::Start if starts_field(piece) => {
                self.builder.clear_dispatched();
                self.buffer_line_start(piece, true)
            }
            state => state == LineState::Ignored,
        }
    }

    #[inline(never)]
    fn append_data(&mut self, piece: &[u8]) -> bool {
        self.flush_partial();
        if !self.utf8.is_complete() || !matches!(piece, [0..0x80] | [0..0x80, .., 0..0x80]) {
            return false;
        }
        let Ok(text) = self.utf8.checker.check(piece) else {
            return false;
        };
        let fits = text.len() <= self.builder.remaining(Field::Data).bytes;
        if fits {
            self.builder.push(Field::Data, text);
        }
        fits
    }

    /// Takes a short piece that starts a line, if that is cheap. `false`: it is not, and nothing was
    /// done.
    #[inline]
    pub(super) fn buffer_line_start(&mut self, piece: &[u8], items: bool) -> bool {
        self.line.between_events = false;
        match piece {
            _ if starts_field(piece) => {
                self.buffer_data_start(piece) || {
                    self.start_prefix();
                    self.extend_prefix(piece)
                }
            }
            [b':', ..] if items => false,
            _ => {
                self.line.state = LineState::Ignored;
                true
            }
        }
    }

    /// Takes the last piece of a line, if that is cheap. `false`: it is not, and nothing was done.
    #[inline]
    pub(super) fn buffer_line_end(&mut self, piece: &[u8]) -> bool {
        let taken = match self.line.state {
            // With nothing buffered, the text ends here, which takes more than this.
            LineState::Value(Field::Data, false) => {
                self.builder.buffer(false, piece) && self.builder.has_buffered()
            }
            state => state == LineState::Ignored,
        };
        if taken {
            self.line.state = LineState::Start;
        }
        taken
    }

    /// Buffers the value of a line of data that starts with `line`. `false`: it is none, or there is
    /// no room, and nothing was done.
    #[inline(always)]
    fn buffer_data_start(&mut self, line: &[u8]) -> bool {
        let Some(value) = data_value(line) else {
            return false;
        };
        let buffered =
            !self.builder.is_discarding() && self.builder.buffer(self.builder.has_data(), value);
        if buffered {
            self.builder.start_buffered_data();
            self.line.state = LineState::Value(Field::Data, false);
        }
        buffered
    }

    #[inline(never)]
    fn buffer_data_from_prefix(&mut self) {
        let prefix = self.line.prefix;
        self.buffer_data_start(prefix.bytes());
    }

    /// Asks once for the whole line whether it has room.
    pub(super) fn start_prefix(&mut self) {
        let whole = !OPTIMIZE_FOR_SIZE && self.has_room_for(LinePrefix::MAX_LEN);
        self.line.prefix.max_len = if whole { LinePrefix::MAX_LEN as u8 } else { 0 };
        self.line.prefix.len = 0;
    }

    /// Takes a piece of a line that is to be read as a whole. `false`: it is too long for that, and
    /// nothing was done.
    #[inline(always)]
    pub(super) fn extend_prefix(&mut self, piece: &[u8]) -> bool {
        let fits = !OPTIMIZE_FOR_SIZE
            && self.line.prefix.bytes().len() + piece.len()
                <= usize::from(self.line.prefix.max_len);
        if fits {
            self.line.state = LineState::Prefix;
            self.line.prefix.push(piece);
            if data_value(self.line.prefix.bytes()).is_some() {
                self.buffer_data_from_prefix();
            }
        }
        fits
    }

    /// The line has ended that the prefix holds as a whole: reads it, or starts its value.
    pub(super) fn finish_prefix(&mut self, items: bool) {
        let prefix = self.line.prefix;
        if !OPTIMIZE_FOR_SIZE && !self.builder.is_discarding() {
            let (field, value) = parse_line(prefix.bytes());
            if let (Some(field @ (Field::EventType | Field::Id)), Ok(text)) =
                (field, self.utf8.checker.check(value))
            {
                self.builder.store(field, text);
                self.line.state = LineState::Ignored;
                return;
            }
        }
        // "Otherwise, the string is not empty but does not contain a U+003A COLON": the value is empty.
        let colon = prefix.colon().unwrap_or(prefix.bytes().len());
        self.start_named_value(prefix.bytes(), colon, items);
    }

    /// Between events: starts a line of data with the value `piece`. `false`: it is not certain to
    /// fit, and nothing was done.
    #[inline]
    pub(super) fn start_data(&mut self, piece: &[u8], validity: Validity<'_>) -> bool {
        let room = self.builder.remaining(Field::Data).bytes;
        let fits = piece.len() < room / REPLACEMENT.len();
        if fits {
            self.line.state = LineState::Value(Field::Data, false);
            self.line.between_events = false;
            self.builder.start_buffered_data();
            let is_unknown = matches!(validity, Validity::Unknown);
            if !is_unknown || !self.builder.buffer(false, piece) {
                self.decode(Field::Data, piece, validity);
            }
        }
        fits
    }

    /// Ends a line of data with `text`. `false`: the line is not one, or has no room, and nothing was
    /// done.
    #[inline(never)]
    pub(super) fn end_data(&mut self, text: &str) -> bool {
        let ends = self.line.state == LineState::Value(Field::Data, false)
            && !self.builder.has_buffered()
            && text.len() <= self.builder.remaining(Field::Data).bytes;
        if ends {
            self.builder.push(Field::Data, text);
            self.line.state = LineState::Start;
        }
        ends
    }

    /// Decodes what is buffered, up to the middle of a line.
    pub(super) fn flush_partial(&mut self) {
        if self.builder.has_buffered() {
            let buffered = self.builder.take_buffered();
            self.decode(Field::Data, buffered.as_ref(), Validity::Unknown);
            self.builder.restore_buffer(buffered);
        }
    }

    /// Decodes what is buffered, up to the end of a line.
    #[inline]
    pub(super) fn flush(&mut self) {
        if self.builder.has_buffered() {
            self.flush_buffer();
        }
    }

    #[inline(never)]
    fn flush_buffer(&mut self) {
        let buffered = self.builder.take_buffered();
        match self.utf8.checker.check(buffered.as_ref()) {
            Ok(text) if self.utf8.is_complete() => self.builder.push(Field::Data, text),
            _ => {
                self.decode(Field::Data, buffered.as_ref(), Validity::Unknown);
                self.end_text(Field::Data);
            }
        }
        self.builder.restore_buffer(buffered);
    }

    /// Whether `len` bytes of a line, besides what is buffered, are certain to fit as text.
    // Decoded, a byte becomes three at most.
    #[inline]
    fn has_room_for(&self, len: usize) -> bool {
        let room = self.builder.remaining(Field::EventType).bytes;
        self.builder.buffered_len() + len < room / 3
    }
}
