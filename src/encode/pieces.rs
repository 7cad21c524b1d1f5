//! How a frame is spelt: the one place that knows.
//!
//! [`Pieces`] goes through the [`FIELDS`]: `next` step by step, `fold` in a straight line, in which
//! names and line ends are constants.

use super::{Frame, gate};
use crate::decode::scan::LineEnds;
use core::iter::FusedIterator;
use core::mem;

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
    comment_is_one_line: bool,
    data_is_one_line: bool,
    /// Index of the field under way, or of the next one.
    field: usize,
    /// What is left of the field under way.
    lines: Option<Lines<'a>>,
    /// The line whose name was just handed out.
    line: Option<&'a str>,
}

/// What is written of a frame, in this order: a decoder hands out comments and the reconnection time
/// where they stand, and the event at the blank line.
const FIELDS: [Field; 6] = {
    use Kind::{BlankLine, Comment, Data, Event, Id, Retry};
    // With the space always: a decoder takes one away, and another one belongs to the value.
    [
        Field(Comment, [":", "\n:", "\n"]),
        Field(Event, ["event: ", "", "\n"]),
        Field(Id, ["id: ", "", "\n"]),
        Field(Retry, ["retry: ", "", "\n"]),
        Field(Data, ["data: ", DATA_LINE, DATA_END]),
        Field(BlankLine, ["", "", "\n"]),
    ]
};

/// Between two lines of data.
pub(super) const DATA_LINE: &str = "\ndata: ";
/// Ends the last line of data, and the frame.
pub(super) const DATA_END: &str = "\n\n";

/// A field, and what stands before its first line, between two lines, and behind the last one.
struct Field(Kind, [&'static str; 3]);

#[derive(Clone, Copy)]
enum Kind {
    Comment,
    Event,
    Id,
    Retry,
    Data,
    /// That of a frame without data.
    BlankLine,
}

impl<'a> Pieces<'a> {
    #[inline]
    pub(super) fn new(frame: Frame<'a>) -> Self {
        let is_one_line = |text: Option<&str>| match text {
            Some(text) => gate::is_one_line(text.as_bytes()),
            None => true,
        };
        Self {
            frame,
            comment_is_one_line: is_one_line(frame.comment),
            data_is_one_line: is_one_line(frame.data),
            field: 0,
            lines: None,
            line: None,
        }
    }

    /// The length of all that is left.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        self.clone()
            .fold(0, |len: usize, piece| len.saturating_add(piece.len()))
    }

    /// The length if there were no line ends in comment and data: more of them make it longer.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(super) fn least_bytes(&self) -> usize {
        Self {
            comment_is_one_line: true,
            data_is_one_line: true,
            ..self.clone()
        }
        .bytes()
    }

    #[inline(always)]
    fn lines_of(&self, kind: Kind) -> Option<Lines<'a>> {
        let frame = &self.frame;
        match kind {
            Kind::Comment => Some(Lines::new(frame.comment?, self.comment_is_one_line)),
            Kind::Event if frame.event.is_empty() => None,
            Kind::Event => Some(Lines::One(frame.event)),
            Kind::Id => frame.id.map(Lines::One),
            Kind::Retry => frame.retry.map(Lines::digits),
            Kind::Data => Some(Lines::new(frame.data?, self.data_is_one_line)),
            Kind::BlankLine if frame.data.is_some() => None,
            Kind::BlankLine => Some(Lines::One("")),
        }
    }

    #[inline]
    fn step(&mut self) -> Option<&'a str> {
        if let Some(line) = self.line.take() {
            return Some(line);
        }
        loop {
            let Field(kind, [name, between, end]) = FIELDS.get(self.field)?;
            if let Some(lines) = &mut self.lines {
                self.line = lines.next();
                if self.line.is_some() {
                    return Some(between);
                }
                self.lines = None;
                self.field += 1;
                return Some(end);
            }
            self.lines = self.lines_of(*kind);
            if let Some(lines) = &mut self.lines {
                self.line = lines.next();
                return Some(name);
            }
            self.field += 1;
        }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    #[inline]
    fn next(&mut self) -> Option<&'a str> {
        loop {
            let piece = self.step()?;
            if !piece.is_empty() {
                return Some(piece);
            }
        }
    }

    #[inline]
    fn fold<B, F: FnMut(B, &'a str) -> B>(mut self, init: B, mut put: F) -> B {
        let mut put = |so_far, piece: &'a str| {
            if piece.is_empty() {
                so_far
            } else {
                put(so_far, piece)
            }
        };
        let mut so_far = init;
        while self.lines.is_some() {
            match self.step() {
                Some(piece) => so_far = put(so_far, piece),
                None => return so_far,
            }
        }
        for (index, Field(kind, [name, between, end])) in FIELDS.iter().enumerate() {
            if index < self.field {
                continue;
            }
            match self.lines_of(*kind) {
                None => {}
                Some(Lines::One(line)) => {
                    so_far = put(so_far, name);
                    so_far = put(so_far, line);
                    so_far = put(so_far, end);
                }
                Some(lines) => {
                    let mut before = name;
                    for line in lines {
                        so_far = put(so_far, before);
                        so_far = put(so_far, line);
                        before = between;
                    }
                    so_far = put(so_far, end);
                }
            }
        }
        so_far
    }
}

impl FusedIterator for Pieces<'_> {}

/// What stands on the lines of a field: at least one line.
#[derive(Debug, Clone)]
pub(super) enum Lines<'a> {
    One(&'a str),
    /// The lines of a text, from `start` on.
    Many {
        text: &'a str,
        start: usize,
        ends: LineEnds,
    },
    /// A number, digit by digit, which takes no memory.
    Digits {
        number: u64,
        power: u64,
    },
    End,
}

impl<'a> Lines<'a> {
    /// The lines of `text`, cut at CR, LF and CRLF.
    #[inline]
    pub(super) fn new(text: &'a str, is_one_line: bool) -> Self {
        if is_one_line {
            return Self::One(text);
        }
        Self::Many {
            text,
            start: 0,
            ends: LineEnds::default(),
        }
    }

    fn digits(number: u64) -> Self {
        let power = 10_u64.pow(number.checked_ilog10().unwrap_or_default());
        Self::Digits { number, power }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    #[inline]
    fn next(&mut self) -> Option<&'a str> {
        match self {
            Self::One(_) => match mem::replace(self, Self::End) {
                Self::One(line) => Some(line),
                _ => None,
            },
            Self::Many { text, start, ends } => {
                let bytes = text.as_bytes();
                let Some(end) = ends.next(bytes, *start) else {
                    let last = text.get(*start..);
                    *self = Self::End;
                    return last;
                };
                let line = text.get(*start..end);
                let crlf = bytes
                    .get(end..)
                    .is_some_and(|rest| rest.starts_with(b"\r\n"));
                *start = end + 1 + usize::from(crlf);
                line
            }
            Self::Digits { number, power } => {
                let digit = *number / *power % 10;
                *power /= 10;
                if *power == 0 {
                    *self = Self::End;
                }
                let start = digit as usize;
                "0123456789".get(start..=start)
            }
            Self::End => None,
        }
    }
}
