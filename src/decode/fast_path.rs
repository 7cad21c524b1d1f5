//! Fast paths of the cursor, for what most streams consist of: events of a single line, data of many
//! lines, comments between events, and short chunks.
//!
//! Each may decline, and has then done nothing; the general path (`events`) gives the same result.
//! Where the code has to be small, none is compiled.

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
    /// Takes the whole chunk, if it is part of a line and storing it is cheap.
    #[inline]
    pub(super) fn append_chunk(&mut self) -> bool {
        let taken =
            !OPTIMIZE_FOR_SIZE && self.position == 0 && self.decoder.append_mid_line(self.chunk);
        if taken {
            self.position = self.chunk.len();
        }
        taken
    }

    /// Whether the chunk is so short that its pieces of lines are better buffered than validated.
    #[inline]
    pub(super) fn is_short(&self) -> bool {
        const MAX_LEN: usize = 64;
        !OPTIMIZE_FOR_SIZE && self.chunk.len() <= MAX_LEN
    }

    /// After a line that an earlier chunk started: takes the rest of a short chunk, if it is the start
    /// of one more line.
    #[inline]
    pub(super) fn buffer_rest(&mut self, items: bool) -> bool {
        let rest = self.rest();
        let taken = self.is_short()
            && starts_field(rest)
            && has_no_line_end(rest)
            && self.decoder.buffer_line_start(rest, items);
        if taken {
            self.position = self.chunk.len();
        }
        taken
    }

    /// Between events, at the start of a line: skips comments and blank lines. Returns whether the
    /// chunk is read.
    #[inline]
    pub(super) fn skip_comments(&mut self) -> bool {
        !OPTIMIZE_FOR_SIZE
            && self.chunk.get(self.position) == Some(&b':')
            && self.skip_comment_lines()
    }

    #[inline(never)]
    fn skip_comment_lines(&mut self) -> bool {
        self.decoder.builder.set_recognized_line();
        while let Some(b':') = self.chunk.get(self.position) {
            match self.line_end(self.position) {
                Some(end) if self.chunk.get(end) == Some(&b'\n') => self.position = end + 1,
                Some(_) => break,
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
        self.is_read()
    }

    /// After a `data` line: reads the `data` lines that follow it, are whole in the chunk and end with
    /// LF.
    #[inline]
    pub(super) fn borrow_data_lines(&mut self, borrowed: &mut Borrowed<'i>) {
        // In longer lines, `find_line_end` is faster.
        const MAX_LEN: usize = 4096;
        let rest = self.rest();
        if OPTIMIZE_FOR_SIZE || !self.decoder.builder.has_data() || !rest.starts_with(DATA) {
            return;
        }
        self.decoder.flush();
        let before = self.position;
        let Decoder { utf8, builder, .. } = &mut *self.decoder;
        each_line_end(rest.get(..MAX_LEN).unwrap_or(rest), |end| {
            let (start, end) = (self.position + DATA.len(), before + end);
            match self.window.get(self.chunk, start, end, &mut utf8.checker) {
                Some(text)
                    if self.chunk.get(end) == Some(&b'\n')
                        && builder.add_data_line(borrowed, text) =>
                {
                    self.position = end + 1;
                    let rest = self.chunk.get(self.position..).unwrap_or_default();
                    rest.starts_with(DATA)
                }
                _ => false,
            }
        });
    }

    /// Reads an event that consists of one `data` line, whole in the chunk and with LF as line
    /// terminator, and returns its data. Most streams have hardly any other events.
    ///
    /// `None`: there is no such event here. If the chunk ends in such a line, the start of it is stored.
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
            // In practice most chunks are one event; no search is needed to see that.
            Some(value) if start == 0 && !utf8.checker.is_ahead() && is_single_line(value) => {
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

    /// Between events: stores the start of a `data` line, which is the rest of the chunk.
    #[inline(never)]
    fn store_line_start(&mut self, line: &'i [u8]) {
        let taken = if self.is_short() {
            self.decoder.buffer_line_start(line, true)
        } else {
            let value = line.get(DATA.len()..).unwrap_or_default();
            let start = self.chunk.len() - value.len();
            let validity = self.window.validity_of_rest(self.chunk, start);
            self.decoder.start_data_line(value, validity)
        };
        if taken {
            self.position = self.chunk.len();
        }
    }
}

/// Whether `value` certainly has no line terminator, if it is short enough to look.
#[inline]
fn is_single_line(value: &[u8]) -> bool {
    const MAX_LEN: usize = 4096;
    value.len() <= MAX_LEN && has_no_line_end(value)
}
