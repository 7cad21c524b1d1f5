//! Fast paths of the cursor, for what most streams consist of.
//!
//! Each may decline, and then has done nothing; the general path (`events`, `line`) gives the same
//! result. None is compiled where size counts for more than speed.

use super::Decoder;
use super::builder::Borrowed;
use super::events::Events;
use super::field::starts_field;
use super::line::LineState;
use crate::scanner::{OPTIMIZE_FOR_SIZE, each_line_end, find_line_end, has_no_line_end};
use crate::storage::Storage;

/// What most lines begin with.
const DATA: &[u8] = b"data: ";

impl<'i, S: Storage> Events<'_, 'i, S> {
    /// Takes the whole chunk, if it is a plain piece from the middle of a line. `false`: it is not,
    /// and nothing was done.
    #[inline]
    pub(super) fn append_chunk(&mut self) -> bool {
        let whole =
            !OPTIMIZE_FOR_SIZE && self.position == 0 && self.decoder.append_mid_line(self.chunk);
        if whole {
            self.position = self.chunk.len();
        }
        whole
    }

    /// Whether pieces of the chunk go straight to the line buffer, and nothing is found out about the
    /// chunk as a whole.
    #[inline]
    pub(super) fn is_short(&self) -> bool {
        const LONGEST: usize = 64;
        !OPTIMIZE_FOR_SIZE && self.chunk.len() <= LONGEST
    }

    /// After the end of a line that an earlier chunk began, takes the rest of the chunk if that is
    /// the start of another one. `false`: it is not, and nothing was done.
    #[inline]
    pub(super) fn start_next_line(&mut self, items: bool) -> bool {
        let rest = self.rest();
        let starts = self.is_short()
            && starts_field(rest)
            && has_no_line_end(rest)
            && self.decoder.buffer_line_start(rest, items);
        if starts {
            self.position = self.chunk.len();
        }
        starts
    }

    /// Between events, at the start of a line: skips comments, which nobody asked for, and blank
    /// lines.
    #[inline(never)]
    pub(super) fn skip_comments(&mut self) {
        while let Some(b':') = self.chunk.get(self.position) {
            match self.line_end(self.position) {
                Some(end) if self.chunk.get(end) == Some(&b'\n') => self.position = end + 1,
                Some(_) => return,
                None => {
                    self.decoder.line.state = LineState::Ignored;
                    self.decoder.line.between_events = false;
                    self.position = self.chunk.len();
                }
            }
            while let Some(b'\n') = self.chunk.get(self.position) {
                self.position += 1;
            }
        }
    }

    /// After a `data` line: takes further ones that are whole in the chunk and end with LF.
    #[inline]
    pub(super) fn lend_data_lines(&mut self, borrowed: &mut Borrowed<'i>) {
        let rest = self.rest();
        if OPTIMIZE_FOR_SIZE || !self.decoder.builder.has_data() || !rest.starts_with(DATA) {
            return;
        }
        // Of lines this long the end is found faster in another way.
        const FAR: usize = 4096;
        let before = self.position;
        self.decoder.flush();
        let Decoder { utf8, builder, .. } = &mut *self.decoder;
        each_line_end(rest.get(..FAR).unwrap_or(rest), |end| {
            let (start, end) = (self.position + DATA.len(), before + end);
            let checker = &mut utf8.checker;
            match self.window.get(self.chunk, start, end, checker) {
                Some(text)
                    if self.chunk.get(end) == Some(&b'\n') && builder.add_line(borrowed, text) =>
                {
                    self.position = end + 1;
                    let rest = self.chunk.get(self.position..).unwrap_or_default();
                    rest.starts_with(DATA)
                }
                _ => false,
            }
        });
    }

    /// Reads an event that is one `data` line and nothing else, whole in the chunk, with LF line
    /// terminators: almost every event of most streams. Returns its data.
    ///
    /// `None`: there is none here. Then nothing was done, unless the chunk ends in such a line; that
    /// is stored, and the chunk is read.
    #[inline(always)]
    pub(super) fn single_line_event(&mut self) -> Option<&'i str> {
        let Decoder {
            line,
            utf8,
            builder,
        } = &mut *self.decoder;
        if OPTIMIZE_FOR_SIZE || !line.between_events {
            return None;
        }
        let start = self.position;
        let rest = self.chunk.get(start..)?;
        let value = rest.strip_prefix(DATA)?;
        let end = match value.strip_suffix(b"\n\n") {
            // In practice one chunk is one event, and then it is seen without a search.
            Some(value) if start == 0 && !utf8.checker.is_unread && is_single_line(value) => {
                DATA.len() + value.len()
            }
            _ => match find_line_end(rest) {
                Some(end) => start + end,
                None => {
                    self.store_line_start(rest);
                    return None;
                }
            },
        };
        if !self.chunk.get(end..)?.starts_with(b"\n\n") {
            return None;
        }
        let data = self
            .window
            .get(self.chunk, start + DATA.len(), end, &mut utf8.checker)?;
        if !builder.fits_alone(data) {
            return None;
        }
        self.position = end + 2;
        Some(data)
    }

    /// Between events: stores the start of a line of data, which is the rest of the chunk.
    #[inline(never)]
    fn store_line_start(&mut self, line: &'i [u8]) {
        let stored = if self.is_short() {
            self.decoder.buffer_line_start(line, true)
        } else {
            let value = line.get(DATA.len()..).unwrap_or_default();
            let validity = self.window.tail(self.chunk, self.chunk.len() - value.len());
            self.decoder.start_data(value, validity)
        };
        if stored {
            self.position = self.chunk.len();
        }
    }
}

/// Whether there is certainly no line end in `value`, as far as it is worth a guess.
#[inline]
fn is_single_line(value: &[u8]) -> bool {
    const LONGEST: usize = 4096;
    value.len() <= LONGEST && has_no_line_end(value)
}
