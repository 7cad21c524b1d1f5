//! How a frame is spelt: the one place that knows.
//!
//! [`Pieces`] goes through a frame step by step, [`each`] in a straight line, in which names and
//! line ends are constants. Both take them from the same table.

use super::Frame;
use crate::scanner::{self, OPTIMIZE_FOR_SIZE};
use core::iter::FusedIterator;
use core::num::NonZeroU64;

/// What stands before the first line of a field, between two lines, and behind the last one.
///
/// With the space always: a decoder takes one away, and another one belongs to the value.
type Spelling = [&'static str; 3];

const COMMENT: Spelling = [":", "\n:", "\n"];
const EVENT: Spelling = ["event: ", "", "\n"];
const ID: Spelling = ["id: ", "", "\n"];
const RETRY: Spelling = ["retry: ", "", "\n"];
/// The blank line is part of it, as data comes last.
pub(super) const DATA: Spelling = ["data: ", "\ndata: ", "\n\n"];
const BLANK_LINE: &str = "\n";

/// Hands the text of `frame` to `put`, piece by piece. `one_line` says that comment and data are
/// known to have no line end.
///
/// The order is that of [`Pieces::begin`]: a decoder hands out comments and the reconnection time
/// where they stand, and the event at the blank line.
#[inline(always)]
pub(super) fn each<'a>(frame: &Frame<'a>, one_line: bool, mut put: impl FnMut(&'a str)) {
    if OPTIMIZE_FOR_SIZE || !one_line || frame.comment.is_some() || frame.retry.is_some() {
        each_of_any(*frame, one_line, put);
        return;
    }
    // Whatever `put` holds stays in registers here: nothing is called that is given it.
    each_name(frame, &mut put);
    each_end(frame, &mut put);
}

/// The frame as a value: so the caller needs it in memory only if it comes here.
#[inline(never)]
fn each_of_any<'a>(frame: Frame<'a>, one_line: bool, mut put: impl FnMut(&'a str)) {
    each_before_data(&frame, one_line, &mut put);
    match frame.data {
        Some(data) if !one_line && OPTIMIZE_FOR_SIZE => {
            each_line(Lines::Many(data), DATA, &mut put)
        }
        Some(data) if !one_line => each_data_line(data, &mut put),
        _ => each_end(&frame, &mut put),
    }
}

/// What stands before the name of the data.
#[inline(always)]
pub(super) fn each_before_data<'a>(
    frame: &Frame<'a>,
    one_line: bool,
    put: &mut impl FnMut(&'a str),
) {
    if let Some(comment) = frame.comment {
        each_line(Lines::new(comment, one_line), COMMENT, put);
    }
    each_name(frame, put);
    if let Some(retry) = frame.retry {
        each_line(Lines::digits(retry), RETRY, put);
    }
}

#[inline(always)]
fn each_name<'a>(frame: &Frame<'a>, put: &mut impl FnMut(&'a str)) {
    if !frame.event.is_empty() {
        put(EVENT[0]);
        put(frame.event);
        put(EVENT[2]);
    }
    if let Some(id) = frame.id {
        put(ID[0]);
        put(id);
        put(ID[2]);
    }
}

/// Data of one line, or what a frame without data ends with.
#[inline(always)]
fn each_end<'a>(frame: &Frame<'a>, put: &mut impl FnMut(&'a str)) {
    match frame.data {
        Some(data) => {
            put(DATA[0]);
            put(data);
            put(DATA[2]);
        }
        None if frame.needs_blank_line() => put(BLANK_LINE),
        None => {}
    }
}

/// Apart from [`each_line`], so that the names are constants here too.
#[inline(never)]
fn each_data_line<'a>(data: &'a str, put: &mut impl FnMut(&'a str)) {
    let mut start = 0;
    put(DATA[0]);
    scanner::each_line_end(data.as_bytes(), |end| {
        // The LF of a CRLF: its CR has ended the line.
        let is_second = end == start && end > 0 && data.get(end - 1..=end) == Some("\r\n");
        if !is_second {
            put(data.get(start..end).unwrap_or_default());
            put(DATA[1]);
        }
        start = end + 1;
        true
    });
    put(data.get(start..).unwrap_or_default());
    put(DATA[2]);
}

#[cold]
#[inline(never)]
fn each_line<'a>(lines: Lines<'a>, spelling: Spelling, put: &mut impl FnMut(&'a str)) {
    let [mut before, between, end] = spelling;
    for line in lines {
        put(before);
        put(line);
        before = between;
    }
    put(end);
}

/// The text of a frame, piece by piece, made by [`Frame::pieces`].
///
/// Put together, the pieces are the frame. None is empty; where one ends and the next begins is
/// not promised.
///
/// ```
/// let pieces = sse_proto::Frame::message("a\nb").pieces();
/// assert_eq!(pieces.collect::<String>(), "data: a\ndata: b\n\n");
/// ```
#[derive(Debug, Clone)]
#[must_use = "iterators do nothing unless they are consumed"]
pub struct Pieces<'a> {
    frame: Frame<'a>,
    one_line: bool,
    /// The next field to begin.
    field: usize,
    spelling: Spelling,
    /// What is left of the field under way.
    lines: Option<Lines<'a>>,
    /// The line whose name was just handed out.
    line: Option<&'a str>,
}

impl<'a> Pieces<'a> {
    #[inline]
    pub(super) fn new(frame: Frame<'a>) -> Self {
        Self {
            frame,
            one_line: frame.has_no_line_end(),
            field: 0,
            spelling: COMMENT,
            lines: None,
            line: None,
        }
    }

    /// The field of this number, if the frame has it; the last one is the blank line that a frame
    /// without data may need.
    fn begin(&self, field: usize) -> Option<(Spelling, Lines<'a>)> {
        let frame = &self.frame;
        let (spelling, lines) = match field {
            0 => (COMMENT, Lines::new(frame.comment?, self.one_line)),
            1 if frame.event.is_empty() => return None,
            1 => (EVENT, Lines::One(frame.event)),
            2 => (ID, Lines::One(frame.id?)),
            3 => (RETRY, Lines::digits(frame.retry?)),
            4 => (DATA, Lines::new(frame.data?, self.one_line)),
            _ if frame.data.is_some() || !frame.needs_blank_line() => return None,
            _ => (["", "", BLANK_LINE], Lines::One("")),
        };
        Some((spelling, lines))
    }

    fn step(&mut self) -> Option<&'a str> {
        if let Some(line) = self.line.take() {
            return Some(line);
        }
        if let Some(lines) = &mut self.lines {
            self.line = lines.next();
            let [_, between, end] = self.spelling;
            if self.line.is_some() {
                return Some(between);
            }
            self.lines = None;
            return Some(end);
        }
        while self.field <= 5 {
            let field = self.begin(self.field);
            self.field += 1;
            if let Some((spelling, mut lines)) = field {
                self.spelling = spelling;
                self.line = lines.next();
                self.lines = Some(lines);
                return Some(spelling[0]);
            }
        }
        None
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let piece = self.step()?;
            if !piece.is_empty() {
                return Some(piece);
            }
        }
    }
}

impl FusedIterator for Pieces<'_> {}

/// What stands on the lines of a field: at least one line.
#[derive(Debug, Clone)]
pub(super) enum Lines<'a> {
    One(&'a str),
    /// The lines of a text, or of what is left of it.
    Many(&'a str),
    /// A number, digit by digit, which takes no memory.
    Digits {
        number: u64,
        /// The power of ten that the next digit stands for.
        power: NonZeroU64,
    },
    End,
}

impl<'a> Lines<'a> {
    /// The lines of `text`, cut at CR, LF and CRLF. `one_line` says that there is none of them.
    #[inline]
    pub(super) fn new(text: &'a str, one_line: bool) -> Self {
        if one_line {
            return Self::One(text);
        }
        Self::Many(text)
    }

    fn digits(number: u64) -> Self {
        let power = 10_u64.pow(number.checked_ilog10().unwrap_or_default());
        Self::Digits {
            number,
            power: NonZeroU64::new(power).unwrap_or(NonZeroU64::MIN),
        }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    #[inline]
    fn next(&mut self) -> Option<&'a str> {
        match self {
            Self::One(line) => {
                let line = *line;
                *self = Self::End;
                Some(line)
            }
            Self::Many(text) => {
                let (line, next) = match split_line(text) {
                    Some((line, rest)) => (line, Self::Many(rest)),
                    None => (*text, Self::End),
                };
                *self = next;
                Some(line)
            }
            Self::Digits { number, power } => {
                let digit = *number / *power % 10;
                match NonZeroU64::new(power.get() / 10) {
                    Some(next) => *power = next,
                    None => *self = Self::End,
                }
                let start = digit as usize;
                "0123456789".get(start..=start)
            }
            Self::End => None,
        }
    }
}

/// The first line of `text` and what stands behind its CR, LF or CRLF, if it has one.
#[inline]
fn split_line(text: &str) -> Option<(&str, &str)> {
    let (line, end) = text.split_at_checked(scanner::find_line_end_from(text.as_bytes(), 0)?)?;
    let rest = end.strip_prefix("\r\n").or_else(|| end.get(1..))?;
    Some((line, rest))
}
