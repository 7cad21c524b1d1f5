//! Fast path for short pieces of lines: they are buffered undecoded, and decoded in batches.
//!
//! Data lines are buffered one after another in the storage, until the event ends or a value of another
//! field has to be stored. Other lines are collected whole in the [`LinePrefix`]. Nothing is buffered that
//! could exceed the limit: decoding turns a byte into three at most, and three times as much has room.
//!
//! Each method returns `false` if it declines, and has then done nothing; the general path (`line`)
//! gives the same result.

use super::Decoder;
use super::field::{Field, LinePrefix, data_value, parse_line, starts_field};
use super::line::LineState;
use super::utf8::{REPLACEMENT, Validity};
use crate::counters;
use crate::scanner::{OPTIMIZE_FOR_SIZE, has_no_line_end};
use crate::storage::Storage;

impl<S: Storage> Decoder<S> {
    /// Takes a piece of the stream that has no line terminator, or is a single LF.
    // What was returned last may have been freed even if this declines; it would be freed anyway.
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

    /// What [`append_piece`](Self::append_piece) does, for one byte: with chunks of one byte, the calls
    /// would be a twentieth of the work.
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
        !self.utf8.checker.is_ahead()
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

    /// Takes a short piece that starts a line.
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
            _ if items => false,
            _ => {
                self.ignore_line(piece);
                true
            }
        }
    }

    /// Ignores the line that starts with `piece`.
    fn ignore_line(&mut self, piece: &[u8]) {
        match piece {
            [b':', ..] => self.builder.set_recognized_line(),
            _ => self.builder.set_ignored_line(),
        }
        self.line.state = LineState::Ignored;
    }

    /// Takes the last piece of a line.
    #[inline]
    pub(super) fn buffer_line_end(&mut self, piece: &[u8]) -> bool {
        let taken = match self.line.state {
            // With nothing buffered, the text of the value would have to be ended here.
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

    /// Takes the start of a line, if it is a `data` line.
    #[inline(always)]
    fn buffer_data_start(&mut self, line: &[u8]) -> bool {
        let Some(value) = data_value(line) else {
            return false;
        };
        let buffered =
            !self.builder.is_discarding() && self.builder.buffer(self.builder.has_data(), value);
        if buffered {
            self.builder.set_has_data();
            self.line.state = LineState::Value(Field::Data, false);
        }
        buffered
    }

    #[inline(never)]
    fn buffer_data_from_prefix(&mut self) {
        let prefix = self.line.prefix;
        self.buffer_data_start(prefix.bytes());
    }

    /// Starts a line, and finds out whether the prefix may hold all of it.
    pub(super) fn start_prefix(&mut self) {
        let whole = !OPTIMIZE_FOR_SIZE && self.has_room_for(LinePrefix::MAX_LEN);
        self.line.prefix.max_len = if whole { LinePrefix::MAX_LEN as u8 } else { 0 };
        self.line.prefix.len = 0;
    }

    /// Takes a piece of a line that the prefix may hold as a whole.
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

    /// Ends a line that the prefix holds as a whole: reads it, or starts its value.
    pub(super) fn end_prefix(&mut self, items: bool) {
        let prefix = self.line.prefix;
        if !OPTIMIZE_FOR_SIZE && !self.builder.is_discarding() {
            let (field, value) = parse_line(prefix.bytes());
            if let (Some(field @ (Field::EventType | Field::Id)), Ok(text)) =
                (field, self.utf8.checker.check(value))
            {
                if self.builder.store(field, text) {
                    self.line.state = LineState::Ignored;
                    return;
                }
            }
        }
        // "Otherwise, the string is not empty but does not contain a U+003A COLON": the value is empty.
        let colon = prefix.colon().unwrap_or(prefix.bytes().len());
        self.start_named_value(prefix.bytes(), colon, items);
    }

    /// Between events: starts a `data` line, with a long start of its value.
    #[inline]
    pub(super) fn start_data_line(&mut self, piece: &[u8], validity: Validity<'_>) -> bool {
        let room = self.builder.remaining(Field::Data).bytes;
        let fits = piece.len() < room / REPLACEMENT.len();
        if fits {
            self.line.state = LineState::Value(Field::Data, false);
            self.line.between_events = false;
            self.builder.set_has_data();
            // Of a `data` line, items make no difference.
            self.push_value(piece, validity, false);
        }
        fits
    }

    /// Ends a `data` line with a long piece of its value.
    #[inline(never)]
    pub(super) fn end_data_line(&mut self, text: &str) -> bool {
        let ends = !OPTIMIZE_FOR_SIZE
            && self.line.state == LineState::Value(Field::Data, false)
            && !self.builder.has_buffered()
            && text.len() <= self.builder.remaining(Field::Data).bytes;
        if ends {
            self.builder.push(Field::Data, text);
            self.line.state = LineState::Start;
        }
        ends
    }
}

// Decoding what is buffered.
impl<S: Storage> Decoder<S> {
    /// Decodes what is buffered and ends in the middle of a line.
    pub(super) fn flush_partial(&mut self) {
        if self.builder.has_buffered() {
            let buffered = self.builder.take_buffered();
            self.decode(Field::Data, buffered.as_ref(), Validity::Unknown);
            self.builder.restore_buffer(buffered);
        }
    }

    /// Decodes what is buffered and ends with a line.
    #[inline]
    pub(super) fn flush(&mut self) {
        if self.builder.has_buffered() {
            self.flush_buffer();
        }
    }

    #[inline(never)]
    fn flush_buffer(&mut self) {
        let buffered = self.builder.take_buffered();
        let is_complete = self.utf8.is_complete();
        match self.utf8.checker.check(buffered.as_ref()) {
            Ok(text) if is_complete => self.builder.push(Field::Data, text),
            checked => {
                let validity = match checked {
                    Err(_) if is_complete => Validity::Invalid,
                    _ => Validity::Unknown,
                };
                self.decode(Field::Data, buffered.as_ref(), validity);
                self.end_text(Field::Data);
            }
        }
        self.builder.restore_buffer(buffered);
    }

    /// Whether `len` bytes, besides what is buffered, will have room when they are decoded.
    #[inline]
    fn has_room_for(&self, len: usize) -> bool {
        let room = self.builder.remaining(Field::EventType).bytes;
        self.builder.buffered_len() + len < room / REPLACEMENT.len()
    }
}
