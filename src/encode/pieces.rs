//! The syntax of a frame: field names, separators and the order of the fields.
//!
//! There are two traversals over the same constants. [`Pieces`] is an iterator, and
//! [`for_each_piece`] is straight-line code, in which the compiler sees the names and line
//! terminators as constants. Both visit the fields in the order of [`Pieces::field`].

use super::Frame;
use crate::scanner::{self, OPTIMIZE_FOR_SIZE};
use core::iter::FusedIterator;
use core::num::NonZeroU64;

/// What is written around the lines of a field.
///
/// The prefix always ends in a space, except for comments: a decoder removes one space, so that a
/// space at the start of the value is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Syntax {
    /// Before the first line.
    pub(super) prefix: &'static str,
    /// Between two lines.
    pub(super) separator: &'static str,
    /// After the last line.
    pub(super) suffix: &'static str,
}

impl Syntax {
    const fn new(prefix: &'static str, separator: &'static str, suffix: &'static str) -> Self {
        Self {
            prefix,
            separator,
            suffix,
        }
    }
}

const COMMENT: Syntax = Syntax::new(":", "\n:", "\n");
const EVENT: Syntax = Syntax::new("event: ", "", "\n");
const ID: Syntax = Syntax::new("id: ", "", "\n");
const RETRY: Syntax = Syntax::new("retry: ", "", "\n");
/// Data comes last, so that its suffix includes the blank line.
pub(super) const DATA: Syntax = Syntax::new("data: ", "\ndata: ", "\n\n");
const BLANK_LINE: Syntax = Syntax::new("", "", "\n");

/// Passes the text of `frame` to `put`, piece by piece; pieces may be empty. With `single_line`,
/// the caller guarantees that neither comment nor data contains a CR or an LF.
#[inline(always)]
pub(super) fn for_each_piece<'a>(
    frame: &Frame<'a>,
    single_line: bool,
    mut put: impl FnMut(&'a str),
) {
    if OPTIMIZE_FOR_SIZE || !single_line || frame.comment.is_some() || frame.retry.is_some() {
        for_each_piece_of_any(*frame, single_line, put);
        return;
    }
    // Fast path. `put` is not passed to any function call here, so that what it captures stays in
    // registers.
    put_event_and_id(frame, &mut put);
    put_data_line_or_end(frame, &mut put);
}

/// [`for_each_piece`] for any frame. It takes the frame by value, so that the caller has to store
/// the frame in memory only on this path.
#[inline(never)]
fn for_each_piece_of_any<'a>(frame: Frame<'a>, single_line: bool, mut put: impl FnMut(&'a str)) {
    put_fields_before_data(&frame, single_line, &mut put);
    match frame.data {
        Some(data) if !single_line && OPTIMIZE_FOR_SIZE => {
            put_lines(FieldLines::Text(data), DATA, &mut put)
        }
        Some(data) if !single_line => put_data_lines(data, &mut put),
        _ => put_data_line_or_end(&frame, &mut put),
    }
}

#[inline(always)]
pub(super) fn put_fields_before_data<'a>(
    frame: &Frame<'a>,
    single_line: bool,
    put: &mut impl FnMut(&'a str),
) {
    if let Some(comment) = frame.comment {
        put_lines(FieldLines::new(comment, single_line), COMMENT, put);
    }
    put_event_and_id(frame, put);
    if let Some(retry) = frame.retry {
        put_lines(FieldLines::digits(retry), RETRY, put);
    }
}

#[inline(always)]
fn put_event_and_id<'a>(frame: &Frame<'a>, put: &mut impl FnMut(&'a str)) {
    if !frame.event.is_empty() {
        put(EVENT.prefix);
        put(frame.event);
        put(EVENT.suffix);
    }
    if let Some(id) = frame.id {
        put(ID.prefix);
        put(id);
        put(ID.suffix);
    }
}

/// Single-line data, or the end of a frame without data.
#[inline(always)]
fn put_data_line_or_end<'a>(frame: &Frame<'a>, put: &mut impl FnMut(&'a str)) {
    match frame.data {
        Some(data) => {
            put(DATA.prefix);
            put(data);
            put(DATA.suffix);
        }
        None if frame.needs_blank_line() => put(BLANK_LINE.suffix),
        None => {}
    }
}

/// [`put_lines`] specialised for data, so that prefix and separator are constants here too.
#[inline(never)]
fn put_data_lines<'a>(data: &'a str, put: &mut impl FnMut(&'a str)) {
    let mut start = 0;
    put(DATA.prefix);
    scanner::each_line_end(data.as_bytes(), |end| {
        // The LF of a CRLF, whose CR has already ended the line.
        let is_lf_of_crlf = end == start && end > 0 && data.get(end - 1..=end) == Some("\r\n");
        if !is_lf_of_crlf {
            put(data.get(start..end).unwrap_or_default());
            put(DATA.separator);
        }
        start = end + 1;
        true
    });
    put(data.get(start..).unwrap_or_default());
    put(DATA.suffix);
}

#[cold]
#[inline(never)]
fn put_lines<'a>(lines: FieldLines<'a>, syntax: Syntax, put: &mut impl FnMut(&'a str)) {
    let Syntax {
        prefix: mut before,
        separator,
        suffix,
    } = syntax;
    for line in lines {
        put(before);
        put(line);
        before = separator;
    }
    put(suffix);
}

/// Iterator over the text of a frame in pieces, returned by [`Frame::pieces`].
///
/// Concatenated, the pieces are the encoded frame. No piece is empty. Where one ends and the next
/// begins is unspecified.
///
/// ```
/// let pieces = sse_proto::Frame::message("a\nb").pieces();
/// assert_eq!(pieces.collect::<String>(), "data: a\ndata: b\n\n");
/// ```
#[derive(Debug, Clone)]
#[must_use = "iterators do nothing unless they are consumed"]
pub struct Pieces<'a> {
    frame: Frame<'a>,
    single_line: bool,
    /// The index of the next field.
    next_field: usize,
    /// The syntax of the current field.
    syntax: Syntax,
    /// The remaining lines of the current field.
    lines: Option<FieldLines<'a>>,
    /// The line whose prefix or separator was just returned.
    line: Option<&'a str>,
}

impl<'a> Pieces<'a> {
    #[inline]
    pub(super) fn new(frame: Frame<'a>) -> Self {
        Self {
            frame,
            single_line: frame.is_single_line(),
            next_field: 0,
            syntax: COMMENT,
            lines: None,
            line: None,
        }
    }

    /// The field with this index, if the frame has it.
    ///
    /// A decoder reports comments and the reconnection time where they occur, and the event at the
    /// blank line. The last index is the blank line that a frame without data may need.
    fn field(&self, index: usize) -> Option<(Syntax, FieldLines<'a>)> {
        let frame = &self.frame;
        let (syntax, lines) = match index {
            0 => (COMMENT, FieldLines::new(frame.comment?, self.single_line)),
            1 if frame.event.is_empty() => return None,
            1 => (EVENT, FieldLines::SingleLine(frame.event)),
            2 => (ID, FieldLines::SingleLine(frame.id?)),
            3 => (RETRY, FieldLines::digits(frame.retry?)),
            4 => (DATA, FieldLines::new(frame.data?, self.single_line)),
            _ if frame.data.is_some() || !frame.needs_blank_line() => return None,
            _ => (BLANK_LINE, FieldLines::SingleLine("")),
        };
        Some((syntax, lines))
    }

    /// The next piece, which may be empty.
    fn next_piece(&mut self) -> Option<&'a str> {
        if let Some(line) = self.line.take() {
            return Some(line);
        }
        if let Some(lines) = &mut self.lines {
            self.line = lines.next();
            if self.line.is_some() {
                return Some(self.syntax.separator);
            }
            self.lines = None;
            return Some(self.syntax.suffix);
        }
        while self.next_field <= 5 {
            let field = self.field(self.next_field);
            self.next_field += 1;
            if let Some((syntax, mut lines)) = field {
                self.syntax = syntax;
                self.line = lines.next();
                self.lines = Some(lines);
                return Some(syntax.prefix);
            }
        }
        None
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let piece = self.next_piece()?;
            if !piece.is_empty() {
                return Some(piece);
            }
        }
    }
}

impl FusedIterator for Pieces<'_> {}

/// Iterator over the lines of a field's value; there is at least one. The digits of a number count
/// as lines here: their separator is empty.
#[derive(Debug, Clone)]
pub(super) enum FieldLines<'a> {
    SingleLine(&'a str),
    /// A text, or what remains of it, to be split at CR, LF and CRLF.
    Text(&'a str),
    /// A number, formatted digit by digit without a buffer.
    Digits {
        number: u64,
        /// The power of ten of the next digit.
        power: NonZeroU64,
    },
    Done,
}

impl<'a> FieldLines<'a> {
    /// The lines of `text`. With `single_line`, the caller guarantees that it has no CR or LF.
    #[inline]
    pub(super) fn new(text: &'a str, single_line: bool) -> Self {
        if single_line {
            return Self::SingleLine(text);
        }
        Self::Text(text)
    }

    fn digits(number: u64) -> Self {
        let power = 10_u64.pow(number.checked_ilog10().unwrap_or_default());
        Self::Digits {
            number,
            power: NonZeroU64::new(power).unwrap_or(NonZeroU64::MIN),
        }
    }
}

impl<'a> Iterator for FieldLines<'a> {
    type Item = &'a str;

    #[inline]
    fn next(&mut self) -> Option<&'a str> {
        match self {
            Self::SingleLine(line) => {
                let line = *line;
                *self = Self::Done;
                Some(line)
            }
            Self::Text(text) => {
                let (line, next) = match split_line(text) {
                    Some((line, rest)) => (line, Self::Text(rest)),
                    None => (*text, Self::Done),
                };
                *self = next;
                Some(line)
            }
            Self::Digits { number, power } => {
                let digit = *number / *power % 10;
                match NonZeroU64::new(power.get() / 10) {
                    Some(next) => *power = next,
                    None => *self = Self::Done,
                }
                let start = digit as usize;
                "0123456789".get(start..=start)
            }
            Self::Done => None,
        }
    }
}

/// Splits `text` after its first CR, LF or CRLF, and removes that terminator. `None` if there is
/// none.
#[inline]
fn split_line(text: &str) -> Option<(&str, &str)> {
    let (line, end) = text.split_at_checked(scanner::find_line_end_from(text.as_bytes(), 0)?)?;
    let rest = end.strip_prefix("\r\n").or_else(|| end.get(1..))?;
    Some((line, rest))
}
