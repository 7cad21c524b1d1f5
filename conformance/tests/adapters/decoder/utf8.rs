//! Bytes to characters: the UTF-8 decoder.

use std::iter;

use super::{super::mutations::Mutation, REPLACEMENT};

/// The UTF-8 decoder of the Encoding standard, section 8.1.1.
pub(super) struct Utf8 {
    pub(super) mutation: Mutation,
    pub(super) code_point: u32,
    pub(super) seen: usize,
    pub(super) needed: usize,
    pub(super) lower: u8,
    pub(super) upper: u8,
    /// Whether the last U+FFFD replaces invalid bytes.
    pub(super) broke: bool,
}

impl Utf8 {
    pub(super) fn new(mutation: Mutation) -> Self {
        Self {
            mutation,
            code_point: 0,
            seen: 0,
            needed: 0,
            lower: 0x80,
            upper: 0xBF,
            broke: false,
        }
    }

    /// The characters that a byte completes: replacements for a sequence that it interrupts, and
    /// its own.
    pub(super) fn byte(&mut self, byte: u8) -> impl Iterator<Item = char> + use<> {
        let mut broken = iter::repeat_n(REPLACEMENT, 0);
        let mut own = None;
        self.broke = false;
        if self.needed > 0 && !(self.lower..=self.upper).contains(&byte) {
            let count = if self.mutation.is("utf8-one-for-each-byte") {
                1 + self.seen
            } else {
                1
            };
            *self = Self::new(self.mutation);
            if let Some(char) = self.invalid(byte) {
                broken = iter::repeat_n(char, count);
            }
            if self.mutation.is("utf8-swallows-the-breaking-byte") {
                return broken.chain(own);
            }
        }
        if self.needed == 0 {
            own = self.lead(byte);
            return broken.chain(own);
        }
        (self.lower, self.upper) = (0x80, 0xBF);
        self.code_point = self.code_point << 6 | u32::from(byte & 0x3F);
        self.seen += 1;
        if self.seen == self.needed {
            own = Some(char::from_u32(self.code_point).unwrap_or('?'));
            *self = Self::new(self.mutation);
        }
        broken.chain(own)
    }

    pub(super) fn lead(&mut self, byte: u8) -> Option<char> {
        let mutation = self.mutation;
        match byte {
            0..=0x7F => return Some(char::from(byte)),
            0xC0..=0xC1 if !mutation.is("utf8-overlong-of-two-bytes") => return self.invalid(byte),
            0xC0..=0xDF => (self.needed, self.code_point) = (1, u32::from(byte & 0x1F)),
            0xE0..=0xEF => {
                match byte {
                    0xE0 if !mutation.is("utf8-overlong-of-three-bytes") => self.lower = 0xA0,
                    0xED if !mutation.is("utf8-surrogates") => self.upper = 0x9F,
                    _ => {}
                }
                (self.needed, self.code_point) = (2, u32::from(byte & 0xF));
            }
            0xF0..=0xF4 => {
                match byte {
                    0xF0 if !mutation.is("utf8-overlong-of-four-bytes") => self.lower = 0x90,
                    0xF4 if !mutation.is("utf8-beyond-unicode") => self.upper = 0x8F,
                    _ => {}
                }
                (self.needed, self.code_point) = (3, u32::from(byte & 0x7));
            }
            0xF5..=0xF7 if mutation.is("utf8-beyond-unicode-by-lead") => {
                (self.needed, self.code_point) = (3, u32::from(byte & 0x7));
            }
            _ => return self.invalid(byte),
        }
        None
    }

    pub(super) fn invalid(&mut self, byte: u8) -> Option<char> {
        self.broke = true;
        match self.mutation.name() {
            "utf8-bad-bytes-dropped" => None,
            "utf8-bad-bytes-are-latin-1" => Some(char::from(byte)),
            "utf8-bad-bytes-are-question-marks" => Some('?'),
            _ => Some(REPLACEMENT),
        }
    }
}
