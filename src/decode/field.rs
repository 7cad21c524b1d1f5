//! Field names and values, as the bytes of a line: the standard's rules for one line, without any
//! state but what a line needs that comes in pieces.

use crate::counters;
use crate::scanner::OPTIMIZE_FOR_SIZE;
use crate::storage::Region;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Data,
    EventType,
    Id,
    Retry,
    Comment,
}

impl Field {
    /// The field of this name, which is not empty: what that makes a comment is its colon. "Field names
    /// must be compared literally, with no case folding performed."
    #[inline]
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"data" => Some(Self::Data),
            b"event" => Some(Self::EventType),
            b"id" => Some(Self::Id),
            b"retry" => Some(Self::Retry),
            _ => None,
        }
    }

    /// The region that the value ends up in, if it is text.
    #[inline]
    pub(super) fn region(self) -> Region {
        match self {
            Self::Data | Self::Retry | Self::Comment => Region::Data,
            Self::EventType => Region::EventType,
            Self::Id => Region::PendingId,
        }
    }
}

/// No field has a longer name.
pub(super) const MAX_NAME_LEN: usize = 5;

/// Whether a line that starts with these bytes may be one of a field, as far as the first of them
/// says. Comments are none.
#[inline]
pub(super) fn starts_field(line: &[u8]) -> bool {
    matches!(line, [b'd' | b'e' | b'i' | b'r', ..])
}

/// What there is of the value of a line of data, once its first byte is known: a space may have to
/// go.
#[inline]
pub(super) fn data_value(line: &[u8]) -> Option<&[u8]> {
    match line {
        [b'd', b'a', b't', b'a', b':', b' ', value @ ..] => Some(value),
        [b'd', b'a', b't', b'a', b':', value @ ..] if !value.is_empty() => Some(value),
        _ => None,
    }
}

/// The field of a whole line, `None` if it is unknown, and its value: "If value starts with a
/// U+0020 SPACE character, remove it".
#[inline]
pub(super) fn parse_line(line: &[u8]) -> (Option<Field>, &[u8]) {
    let (field, rest) = match line {
        [b'd', b'a', b't', b'a', rest @ ..] => (Field::Data, rest),
        [b'e', b'v', b'e', b'n', b't', rest @ ..] => (Field::EventType, rest),
        [b'i', b'd', rest @ ..] => (Field::Id, rest),
        [b'r', b'e', b't', b'r', b'y', rest @ ..] => (Field::Retry, rest),
        [b':', text @ ..] => return (Some(Field::Comment), text),
        _ => return (None, &[]),
    };
    match rest {
        [b':', b' ', value @ ..] | [b':', value @ ..] => (Some(field), value),
        [] => (Some(field), &[]),
        _ => (None, &[]),
    }
}

/// The value of a `retry` line. "If the field value consists of only ASCII digits": as a number,
/// which saturates.
// Packed: the decoder is smaller by a word.
#[derive(Debug, Clone, Copy)]
#[repr(C, packed)]
pub(super) struct RetryParser {
    number: u64,
    /// Whether there were only digits; `None` before the first byte.
    valid: Option<bool>,
}

impl RetryParser {
    pub(super) const NEW: Self = Self {
        number: 0,
        valid: None,
    };

    pub(super) fn push(&mut self, bytes: &[u8]) {
        counters::scanned(bytes.len());
        for &byte in bytes {
            self.valid = Some(self.valid != Some(false) && byte.is_ascii_digit());
            self.number = self
                .number
                .saturating_mul(10)
                .saturating_add(u64::from(byte & 0x0F));
        }
    }

    pub(super) fn milliseconds(self) -> Option<u64> {
        (self.valid == Some(true)).then_some(self.number)
    }
}

/// The first bytes of a line that may be one of a field. Most lines that chunks cut are so short that
/// they are here as a whole once they end.
#[derive(Debug, Clone, Copy)]
pub(super) struct LinePrefix {
    bytes: [u8; Self::MAX_LEN],
    pub(super) len: u8,
    /// How many of them may be collected, so that the line is read as a whole; beyond that, only those
    /// of the name are.
    pub(super) max_len: u8,
}

impl LinePrefix {
    /// At least a name and its colon.
    pub(super) const MAX_LEN: usize = if OPTIMIZE_FOR_SIZE {
        MAX_NAME_LEN + 1
    } else {
        32
    };

    pub(super) const EMPTY: Self = Self {
        bytes: [0; Self::MAX_LEN],
        len: 0,
        max_len: 0,
    };

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Where its first colon is.
    pub(super) fn colon(&self) -> Option<usize> {
        self.bytes().iter().position(|&byte| byte == b':')
    }

    /// Appends `piece`, if there is room for it.
    #[inline(always)]
    pub(super) fn push(&mut self, piece: &[u8]) {
        let start = usize::from(self.len);
        if let Some(free) = self.bytes.get_mut(start..start + piece.len()) {
            counters::moved(piece.len());
            free.copy_from_slice(piece);
            self.len += piece.len() as u8;
        }
    }
}
