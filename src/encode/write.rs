//! Writing a [`Frame`]: as pieces, to slices, to growable buffers and to [`fmt::Write`].

use super::Frame;
use super::error::BufferTooSmall;
use super::pieces::{self, Pieces};
#[cfg(feature = "alloc")]
use crate::reserve;
use crate::scanner;
use core::fmt;
use core::mem;

impl<'a> Frame<'a> {
    /// Returns the text of the frame in pieces: for vectored writes, and for any other output.
    ///
    /// The pieces borrow from the text that the frame was made of, not from the frame.
    ///
    /// ```
    /// use sse_proto::Frame;
    /// use std::io::{IoSlice, Write};
    ///
    /// let slices: Vec<_> = Frame::message("hello")
    ///     .pieces()
    ///     .map(|piece| IoSlice::new(piece.as_bytes()))
    ///     .collect();
    /// let mut socket = Vec::new();
    /// let written = socket.write_vectored(&slices)?; // Like any write, it may be partial.
    /// assert_eq!(socket, b"data: hello\n\n");
    /// assert_eq!(written, Frame::message("hello").encoded_len());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    pub fn pieces(&self) -> Pieces<'a> {
        Pieces::new(*self)
    }

    /// The length of the encoded frame in bytes, or `usize::MAX` if it would be greater.
    ///
    /// ```
    /// assert_eq!(sse_proto::Frame::message("hello").encoded_len(), "data: hello\n\n".len());
    /// ```
    #[inline]
    pub fn encoded_len(&self) -> usize {
        self.len(self.is_single_line())
    }

    /// Writes the whole frame to the start of `out` and returns its length in bytes.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] if the frame does not fit. The error says how many bytes it needs, and
    /// nothing is written.
    ///
    /// ```
    /// use sse_proto::Frame;
    ///
    /// let mut buffer = [0; 16];
    /// let len = Frame::message("hello").encode_to_slice(&mut buffer)?;
    /// assert_eq!(&buffer[..len], b"data: hello\n\n");
    /// let error = Frame::message("good evening").encode_to_slice(&mut buffer).unwrap_err();
    /// assert_eq!(error.needed(), 20);
    /// # Ok::<(), sse_proto::BufferTooSmall>(())
    /// ```
    // `inline(always)` here and below: the caller usually knows at compile time which fields are
    // set. Checking that at run time takes half of the time for a short frame.
    #[inline(always)]
    pub fn encode_to_slice(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let single_line = self.is_single_line();
        let needed = self.len(single_line);
        let Some(mut remaining) = out.get_mut(..needed) else {
            return Err(BufferTooSmall { needed });
        };
        pieces::for_each_piece(self, single_line, move |piece| {
            if let Some((target, rest)) =
                mem::take(&mut remaining).split_at_mut_checked(piece.len())
            {
                target.copy_from_slice(piece.as_bytes());
                remaining = rest;
            }
        });
        Ok(needed)
    }

    /// Appends the frame to `out`.
    ///
    /// ```
    /// let mut body = Vec::new();
    /// sse_proto::Frame::message("one").encode_to_vec(&mut body);
    /// sse_proto::Frame::message("two").encode_to_vec(&mut body);
    /// assert_eq!(body, b"data: one\n\ndata: two\n\n");
    /// ```
    #[cfg(feature = "alloc")]
    #[inline(always)]
    pub fn encode_to_vec(&self, out: &mut alloc::vec::Vec<u8>) {
        let single_line = self.is_single_line();
        // A lower bound if there are several lines: an exact count costs more than it saves.
        reserve::reserve(out, self.single_line_len());
        pieces::for_each_piece(self, single_line, |piece| reserve::push(out, piece));
    }

    /// Appends the frame to `out`.
    ///
    /// ```
    /// let mut body = String::new();
    /// sse_proto::Frame::message("one").encode_to_string(&mut body);
    /// assert_eq!(body, "data: one\n\n");
    /// ```
    #[cfg(feature = "alloc")]
    #[inline(always)]
    pub fn encode_to_string(&self, out: &mut alloc::string::String) {
        let single_line = self.is_single_line();
        reserve::reserve(out, self.single_line_len());
        pieces::for_each_piece(self, single_line, |piece| reserve::push(out, piece));
    }

    /// Writes the frame to `out`, as `write!(out, "{frame}")` does, but without the overhead of a
    /// formatter.
    ///
    /// # Errors
    ///
    /// Those of `out`. Part of the frame may have been written by then. End the stream in that
    /// case: whatever follows would become part of the same event. [`Encoder`](crate::Encoder)
    /// enforces this.
    ///
    /// ```
    /// let mut body = String::new();
    /// sse_proto::Frame::message("one").encode_to_fmt(&mut body)?;
    /// assert_eq!(body, "data: one\n\n");
    /// # Ok::<(), core::fmt::Error>(())
    /// ```
    pub fn encode_to_fmt<W: fmt::Write + ?Sized>(&self, out: &mut W) -> fmt::Result {
        let mut result = Ok(());
        pieces::for_each_piece(self, self.is_single_line(), |piece| {
            // A sink may interpret an empty write as the end.
            if result.is_ok() && !piece.is_empty() {
                result = out.write_str(piece);
            }
        });
        result
    }

    /// `true` if neither comment nor data contains a CR or an LF. May be `false` although there is
    /// none.
    #[inline(always)]
    pub(super) fn is_single_line(&self) -> bool {
        let is_single_line = |text: &str| scanner::has_no_line_end(text.as_bytes());
        self.comment.is_none_or(is_single_line) && self.data.is_none_or(is_single_line)
    }

    /// Whether a frame without data ends with a blank line. The empty frame does: see
    /// [`new`](Self::new).
    #[inline(always)]
    pub(super) fn needs_blank_line(&self) -> bool {
        self.id.is_some() || (self.comment.is_none() && self.retry.is_none())
    }

    /// The exact length if comment and data are single lines, a lower bound if not.
    #[inline(always)]
    fn single_line_len(&self) -> usize {
        let mut len = 0_usize;
        pieces::for_each_piece(self, true, |piece| len = len.saturating_add(piece.len()));
        len
    }

    #[inline(always)]
    fn len(&self, single_line: bool) -> usize {
        if single_line {
            self.single_line_len()
        } else {
            self.multi_line_len()
        }
    }

    #[inline(never)]
    fn multi_line_len(self) -> usize {
        if let (None, Some(data)) = (self.comment, self.data) {
            // Each LF is written as the separator of two lines. `count_lf` returns `None` if there
            // is a CR, which may be half of a line terminator.
            if let Some(count) = scanner::count_lf(data.as_bytes()) {
                let added_per_line = pieces::DATA.separator.len() - 1;
                return count
                    .saturating_mul(added_per_line)
                    .saturating_add(self.single_line_len());
            }
        }
        let mut len = 0_usize;
        pieces::for_each_piece(&self, false, |piece| len = len.saturating_add(piece.len()));
        len
    }
}
