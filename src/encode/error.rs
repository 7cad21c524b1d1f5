//! The errors of the encoder.

use crate::scanner;
use core::fmt;

/// An event type or an ID contains a byte that its field cannot carry.
///
/// ```
/// let error = sse_proto::Frame::message("x").event("a\rdata: b").unwrap_err();
/// assert_eq!(error.to_string(), "event: CR at byte 1");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidField {
    field: &'static str,
    byte: u8,
    position: usize,
}

impl InvalidField {
    /// Returns the error if `text` contains a CR or an LF, or, with `forbid_nul`, a NUL.
    #[inline(always)]
    pub(super) const fn find(field: &'static str, text: &[u8], forbid_nul: bool) -> Option<Self> {
        if scanner::has_no_line_end_const(text) {
            return None;
        }
        match scanner::find_forbidden(text, forbid_nul) {
            Some((position, byte)) => Some(Self {
                field,
                byte,
                position,
            }),
            None => None,
        }
    }

    /// The name of the field: `event` or `id`.
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// The first byte that cannot be written: a CR, an LF, or (in an ID) a NUL.
    pub const fn byte(&self) -> u8 {
        self.byte
    }

    /// The offset of that byte in the given text, in bytes from 0.
    pub const fn position(&self) -> usize {
        self.position
    }
}

impl fmt::Display for InvalidField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let byte = match self.byte {
            b'\r' => "CR",
            b'\n' => "LF",
            _ => "NUL",
        };
        write!(f, "{}: {byte} at byte {}", self.field, self.position)
    }
}

impl core::error::Error for InvalidField {}

/// A buffer is too small for the whole frame; nothing was written to it.
///
/// ```
/// let error = sse_proto::Frame::message("x").encode_to_slice(&mut []).unwrap_err();
/// assert_eq!(error.to_string(), "frame needs a buffer of 9 bytes");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BufferTooSmall {
    pub(super) needed: usize,
}

impl BufferTooSmall {
    /// The [`encoded_len`](crate::Frame::encoded_len) of the frame, in bytes.
    pub const fn needed(&self) -> usize {
        self.needed
    }
}

impl fmt::Display for BufferTooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frame needs a buffer of {} bytes", self.needed)
    }
}

impl core::error::Error for BufferTooSmall {}
