//! The pending line: the standard's field rules for a line that arrives in pieces.
//!
//! This is the second of two ways through the decoder, and takes any line: its pieces one after another
//! ([`Decoder::push_piece`]), then its end ([`Decoder::end_line`]). The value is decoded piece by piece
//! and stored in the [`EventBuilder`].

use super::Decoder;
use super::builder::{EventBuilder, Outcome, Overflow};
use super::event::IgnoredReason;
use super::field::{Field, LinePrefix, MAX_NAME_LEN, RetryParser, starts_field};
use super::utf8::{REPLACEMENT, Validity};
use crate::scanner::OPTIMIZE_FOR_SIZE;
use crate::storage::Storage;

/// Where in a line the next byte is.
// `repr(u8)`: the state is compared for every piece, and a tag of its own is cheaper than one that is
// packed into `Field`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum LineState {
    /// At the start of the stream, after this many bytes of a byte order mark.
    StreamStart(u8),
    /// At the start of a line, after a CR: an LF here belongs to the line before.
    AfterCr,
    /// At the start of a line.
    Start,
    /// In a line whose bytes so far are all in the [`LinePrefix`].
    Prefix,
    /// In a value. `true`: at its start, where a space is removed.
    Value(Field, bool),
    /// In a line that has no effect, whatever follows.
    Ignored,
    /// In an `id` line that has no room, which is skipped.
    LongId,
}

/// What is kept of a `retry` line, for the case that it is not a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RetryText {
    /// Nothing: items are not asked for.
    Unwanted,
    Stored,
    TooLarge,
}

/// The line that the next byte belongs to.
#[derive(Debug, Clone)]
pub(super) struct PendingLine {
    pub(super) state: LineState,
    /// The state is `Start` and no event is unfinished. May be false although this is so.
    pub(super) between_events: bool,
    pub(super) prefix: LinePrefix,
    retry: RetryParser,
    retry_text: RetryText,
}

impl PendingLine {
    pub(super) const fn new() -> Self {
        Self {
            state: LineState::StreamStart(0),
            between_events: false,
            prefix: LinePrefix::EMPTY,
            retry: RetryParser::NEW,
            retry_text: RetryText::Unwanted,
        }
    }

    /// Back to the start of a stream.
    pub(super) fn reset(&mut self) {
        self.state = LineState::StreamStart(0);
        self.between_events = false;
    }

    /// Whether the value is dropped, of which an earlier part had no room.
    fn is_dropped(&self, field: Field) -> bool {
        match self.state {
            LineState::Ignored | LineState::LongId => true,
            _ => field == Field::Retry && self.retry_text != RetryText::Stored,
        }
    }

    /// Appends to the value. If it has no room, the rest of the line is ignored.
    fn append<S: Storage>(&mut self, field: Field, text: &str, builder: &mut EventBuilder<S>) {
        if self.is_dropped(field) || text.is_empty() || builder.append(field, text) {
            return;
        }
        match field {
            // The digits may still be valid, which takes no memory.
            Field::Retry => self.retry_text = RetryText::TooLarge,
            Field::Id if builder.skips_long_id() => self.state = LineState::LongId,
            _ => self.state = LineState::Ignored,
        }
    }
}

impl<S: Storage> Decoder<S> {
    /// Takes the next piece of the line, without its terminator.
    ///
    /// After an error, the line is still pending.
    pub(super) fn push_piece(
        &mut self,
        mut piece: &[u8],
        validity: Validity<'_>,
        items: bool,
    ) -> Result<(), Overflow> {
        if matches!(self.line.state, LineState::Start | LineState::Prefix) {
            piece = self.start_line(piece, items);
        }
        self.ignore_unwanted(items);
        self.push_value(piece, validity, items);
        self.builder.check_overflow()
    }

    /// Ends the line.
    pub(super) fn end_line(&mut self, items: bool) -> Result<Outcome, Overflow> {
        if self.line.state == LineState::Prefix {
            self.end_prefix(items);
        }
        self.ignore_unwanted(items);
        let mut outcome = Outcome::Nothing;
        if let LineState::Value(field, _) = self.line.state {
            // Buffered data is decoded later, together with its end.
            if !self.builder.has_buffered() {
                self.end_text(field);
            }
            // Ending the text can exceed the limit.
            if let LineState::Value(..) = self.line.state {
                outcome = self.end_value(field, items);
            }
        }
        if self.line.state == LineState::LongId {
            outcome = self.builder.ignored(IgnoredReason::IdTooLong, items);
        }
        self.line.state = LineState::Start;
        self.builder.check_overflow().map(|()| outcome)
    }

    /// Ends the value.
    fn end_value(&mut self, field: Field, items: bool) -> Outcome {
        let mut items = items;
        if field == Field::Retry {
            let set = self.builder.set_reconnection_time(self.line.retry, items);
            if let Some(outcome) = set {
                self.builder.drop_value();
                return outcome;
            }
            if items && self.line.retry_text == RetryText::TooLarge {
                self.builder.report_overflow(field);
            }
            items = items && self.line.retry_text == RetryText::Stored;
        }
        self.builder.end_value(field, items)
    }

    /// Reads the field name, as far as `piece` contains it; returns what follows it.
    fn start_line<'b>(&mut self, piece: &'b [u8], items: bool) -> &'b [u8] {
        if self.line.state == LineState::Start {
            match piece {
                [b'd', b'a', b't', b'a', b':', value @ ..] if !OPTIMIZE_FOR_SIZE => {
                    self.start_value(Field::Data, items);
                    return value;
                }
                [b':', text @ ..] => {
                    self.start_value(Field::Comment, items);
                    return text;
                }
                _ if starts_field(piece) => {
                    self.start_prefix();
                    self.line.state = LineState::Prefix;
                }
                _ => {
                    self.start_value(Field::Unknown, items);
                    return piece;
                }
            }
        }
        if self.extend_prefix(piece) {
            return &[];
        }
        // The prefix has room for the name at least.
        let missing = (MAX_NAME_LEN + 1).saturating_sub(self.line.prefix.bytes().len());
        let (name, rest) = piece.split_at_checked(missing).unwrap_or((piece, &[]));
        self.line.prefix.push(name);
        let prefix = self.line.prefix;
        match prefix.colon() {
            Some(colon) => self.start_named_value(prefix.bytes(), colon, items),
            None if !prefix.may_be_name() => {
                self.start_named_value(prefix.bytes(), usize::MAX, items);
            }
            None => {}
        }
        rest
    }

    /// Starts the value of a line that starts with `prefix`, which has its first colon at `colon`.
    pub(super) fn start_named_value(&mut self, prefix: &[u8], colon: usize, items: bool) {
        let (name, value) = prefix.split_at_checked(colon).unwrap_or_default();
        let field = Field::named(name);
        self.start_value(field, items);
        let value = match field {
            Field::Unknown => prefix,
            _ => value.get(1..).unwrap_or_default(),
        };
        self.push_value(value, Validity::Unknown, items);
    }

    /// Starts the value of a field, or ignores the line.
    fn start_value(&mut self, field: Field, items: bool) {
        self.line.state = match field {
            Field::Data | Field::EventType if self.builder.is_discarding() => LineState::Ignored,
            Field::Comment | Field::Unknown if !items => LineState::Ignored,
            // All of a comment or an ignored line is its text, a space at the start included.
            _ => LineState::Value(field, !matches!(field, Field::Comment | Field::Unknown)),
        };
        match field {
            Field::Comment => self.builder.set_recognized_line(),
            Field::Unknown => self.builder.set_ignored_line(),
            _ => {}
        }
        self.line.retry = RetryParser::NEW;
        self.line.retry_text = match items {
            true => RetryText::Stored,
            false => RetryText::Unwanted,
        };
        if self.line.state != LineState::Ignored && field != Field::Data {
            self.flush();
        }
        if let LineState::Value(Field::Data, _) = self.line.state {
            if self.builder.has_buffered() && self.builder.buffer(true, &[]) {
                self.builder.set_has_data();
            } else {
                self.flush();
                if !self.builder.start_data_line() {
                    self.ignore();
                }
            }
        }
    }

    /// Takes a piece of the value, if the line has one.
    pub(super) fn push_value(&mut self, mut piece: &[u8], validity: Validity<'_>, items: bool) {
        let LineState::Value(field, at_start) = self.line.state else {
            return;
        };
        if let (true, Some((&byte, rest))) = (at_start, piece.split_first()) {
            self.line.state = LineState::Value(field, false);
            if byte == b' ' {
                piece = rest;
            }
        }
        let is_taken = match field {
            Field::Retry => {
                self.line.retry.push(piece);
                if !items {
                    self.line.retry_text = RetryText::Unwanted;
                }
                !items || self.line.retry_text != RetryText::Stored
            }
            Field::Data => {
                matches!(validity, Validity::Unknown) && self.builder.buffer(false, piece)
            }
            _ => false,
        };
        if !is_taken {
            self.flush_partial();
            self.decode(field, piece, validity);
        }
    }

    /// Appends `bytes`, decoded, to the value.
    pub(super) fn decode(&mut self, field: Field, bytes: &[u8], validity: Validity<'_>) {
        let Self {
            line,
            utf8,
            builder,
        } = self;
        // A byte becomes three at most, and so does an incomplete sequence before it.
        let longest = bytes
            .len()
            .saturating_add(1)
            .saturating_mul(REPLACEMENT.len());
        if !OPTIMIZE_FOR_SIZE && longest <= builder.remaining(field).bytes {
            utf8.decode(bytes, validity, |text| builder.push(field, text));
            return;
        }
        utf8.decode(bytes, validity, |text| line.append(field, text, builder));
        // The incomplete sequence of a value that is dropped must not reach the next value.
        if line.is_dropped(field) {
            utf8.clear();
        }
    }

    /// Ends the text of the value.
    #[inline]
    pub(super) fn end_text(&mut self, field: Field) {
        let Self {
            line,
            utf8,
            builder,
        } = self;
        utf8.end(|text| line.append(field, text, builder));
    }

    /// Ignores a text of which `next_item` has read the start and `next_event` reads the rest.
    fn ignore_unwanted(&mut self, items: bool) {
        match self.line.state {
            LineState::Value(Field::Comment | Field::Unknown, _) if !items => self.ignore(),
            _ => {}
        }
    }

    /// Ignores the rest of the line, and drops its value.
    fn ignore(&mut self) {
        self.builder.drop_value();
        self.utf8.clear();
        self.line.state = LineState::Ignored;
    }
}
