//! Splits a stream into lines, and knows where each is.
//!
//! It owns places. What a line means is not its concern.

use super::finding::Place;

/// A line without its terminator.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) place: Place,
    /// The start of the line, up to the limit of the splitter.
    pub(super) bytes: &'a [u8],
    /// Whether there is more of it, or the stream has ended inside it.
    pub(super) is_cut: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Terminator {
    Lf,
    CrLf,
    Cr,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A line, as soon as its first terminating byte has arrived.
    Line(Line<'a>),
    /// The terminator of the line that starts there. It is known later than the line if it is or
    /// starts with a CR.
    Terminator(Place, Terminator),
}

#[derive(Debug)]
pub(super) struct Lines {
    /// The most bytes of a line that are kept.
    limit: usize,
    /// Where the current line starts.
    place: Place,
    /// The start of the current line, if it started in an earlier chunk.
    buffer: Vec<u8>,
    /// Total length of the chunks.
    position: u64,
    /// The previous line, if its CR was the last byte.
    after_cr: Option<Place>,
}

impl Lines {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            place: Place { line: 1, offset: 0 },
            buffer: Vec::new(),
            position: 0,
            after_cr: None,
        }
    }

    /// Splits the next chunk.
    pub(super) fn feed<E>(
        &mut self,
        chunk: &[u8],
        mut each: impl FnMut(Piece<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.position;
        self.position += chunk.len() as u64;
        let mut line_start = 0;
        for (index, &byte) in chunk.iter().enumerate() {
            let next_offset = start + index as u64 + 1;
            if let Some(place) = self.after_cr.take() {
                if byte == b'\n' {
                    line_start = index + 1;
                    self.place.offset = next_offset;
                    each(Piece::Terminator(place, Terminator::CrLf))?;
                    continue;
                }
                each(Piece::Terminator(place, Terminator::Cr))?;
            }
            if byte != b'\n' && byte != b'\r' {
                continue;
            }
            let place = self.place;
            let bytes = self.complete(&chunk[line_start..index]);
            let is_cut = place.offset + (bytes.len() as u64) < next_offset - 1;
            each(Piece::Line(Line {
                place,
                bytes,
                is_cut,
            }))?;
            self.buffer.clear();
            match byte {
                b'\r' => self.after_cr = Some(place),
                _ => each(Piece::Terminator(place, Terminator::Lf))?,
            }
            line_start = index + 1;
            self.place = Place {
                line: place.line + 1,
                offset: next_offset,
            };
        }
        self.keep(&chunk[line_start..]);
        Ok(())
    }

    /// Returns the whole line, whose last part this is.
    fn complete<'a>(&'a mut self, last: &'a [u8]) -> &'a [u8] {
        if self.buffer.is_empty() {
            return &last[..last.len().min(self.limit)];
        }
        self.keep(last);
        &self.buffer
    }

    fn keep(&mut self, part: &[u8]) {
        let capacity = self.limit - self.buffer.len();
        self.buffer.extend(&part[..part.len().min(capacity)]);
    }

    /// Returns the place after the last byte.
    pub(super) fn end(&self) -> Place {
        Place {
            line: self.place.line,
            offset: self.position,
        }
    }

    /// Returns the terminator that the end of the stream decides.
    pub(super) fn last_terminator(&self) -> Option<(Place, Terminator)> {
        self.after_cr.map(|place| (place, Terminator::Cr))
    }

    /// Returns the line that the end of the stream cuts off.
    pub(super) fn unfinished(&self) -> Option<Line<'_>> {
        let line = Line {
            place: self.place,
            bytes: &self.buffer,
            is_cut: true,
        };
        (!line.bytes.is_empty()).then_some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str;

    /// The lines of `text` with their places and terminators, fed in chunks of `len` bytes.
    fn split(text: &str, len: usize) -> (Vec<String>, Vec<(u64, Terminator)>, Option<String>) {
        let mut lines = Lines::new(100);
        let (mut found, mut terminators) = (Vec::new(), Vec::new());
        for chunk in text.as_bytes().chunks(len) {
            let split = lines.feed(chunk, |piece| {
                match piece {
                    Piece::Line(Line { place, bytes, .. }) => {
                        let text = str::from_utf8(bytes).unwrap();
                        found.push(format!("{}:{} {text}", place.line, place.offset));
                    }
                    Piece::Terminator(place, terminator) => {
                        terminators.push((place.line, terminator));
                    }
                }
                Ok::<_, ()>(())
            });
            split.unwrap();
        }
        let last = lines.last_terminator();
        terminators.extend(last.map(|(place, terminator)| (place.line, terminator)));
        let unfinished = lines.unfinished().map(|line| {
            let text = str::from_utf8(line.bytes).unwrap();
            format!("{}:{} {text}", line.place.line, line.place.offset)
        });
        assert_eq!(lines.end().offset, text.len() as u64);
        (found, terminators, unfinished)
    }

    #[test]
    fn places_and_terminators_do_not_depend_on_chunks() {
        use Terminator::*;
        let text = "a\r\nbc\r\rd\n\n\r\n\n\re\r";
        for len in 1..=text.len() {
            let (lines, terminators, unfinished) = split(text, len);
            assert_eq!(
                lines,
                [
                    "1:0 a", "2:3 bc", "3:6 ", "4:7 d", "5:9 ", "6:10 ", "7:12 ", "8:13 ", "9:14 e"
                ],
                "{len}"
            );
            assert_eq!(
                terminators.iter().map(|found| found.1).collect::<Vec<_>>(),
                [CrLf, Cr, Cr, Lf, Lf, CrLf, Lf, Cr, Cr]
            );
            assert!(terminators.iter().map(|found| found.0).eq(1..=9));
            assert_eq!(unfinished, None);
        }
    }

    #[test]
    fn the_unfinished_line_is_kept() {
        for len in 1..9 {
            assert_eq!(split("a\r\nbcd", len).2.as_deref(), Some("2:3 bcd"));
        }
    }

    #[test]
    fn a_long_line_is_cut_off_but_counted() {
        for len in [1, 7, 1000] {
            let mut lines = Lines::new(10);
            let mut found = Vec::new();
            for chunk in "x"
                .repeat(300)
                .into_bytes()
                .into_iter()
                .chain(*b"\na\n")
                .collect::<Vec<_>>()
                .chunks(len)
            {
                let fed = lines.feed(chunk, |piece| {
                    if let Piece::Line(line) = piece {
                        found.push((line.bytes.len(), line.place.offset));
                    }
                    Ok::<_, ()>(())
                });
                fed.unwrap();
            }
            assert_eq!(found, [(10, 0), (1, 301)]);
        }
    }
}
