//! Field names and values: the standard's rules for the bytes of one line.

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
    /// A line that is neither a comment nor a field. Its value is the whole line.
    Unknown,
}

impl Field {
    /// The field with this name, which is not empty (a line that starts with a colon is a comment).
    /// "Field names must be compared literally, with no case folding performed."
    #[inline]
    pub(super) fn named(name: &[u8]) -> Self {
        match name {
            b"data" => Self::Data,
            b"event" => Self::EventType,
            b"id" => Self::Id,
            b"retry" => Self::Retry,
            _ => Self::Unknown,
        }
    }

    /// Whether a line of this field has an effect, whatever its value is.
    pub(super) fn is_always_recognized(self) -> bool {
        matches!(self, Self::Data | Self::EventType | Self::Comment)
    }

    /// The region in which the value ends up.
    #[inline]
    pub(super) fn region(self) -> Region {
        match self {
            Self::Data | Self::Retry | Self::Comment | Self::Unknown => Region::Data,
            Self::EventType => Region::EventType,
            Self::Id => Region::PendingId,
        }
    }
}

/// The length of the longest field name.
pub(super) const MAX_NAME_LEN: usize = 5;

/// Whether the first byte of a line is that of a field name.
#[inline]
pub(super) fn starts_field(line: &[u8]) -> bool {
    matches!(line, [b'd' | b'e' | b'i' | b'r', ..])
}

/// The value of a `data` line, if it is one and the byte after the colon is known, which may be a space
/// to remove.
#[inline]
pub(super) fn data_value(line: &[u8]) -> Option<&[u8]> {
    match line {
        [b'd', b'a', b't', b'a', b':', b' ', value @ ..] => Some(value),
        [b'd', b'a', b't', b'a', b':', value @ ..] if !value.is_empty() => Some(value),
        _ => None,
    }
}

/// The field of a whole line, or `None` if it is none, and its value. "If value starts with a U+0020
/// SPACE character, remove it from value."
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

/// Parses the value of a `retry` line, "if the field value consists of only ASCII digits". The number
/// saturates.
// `packed` makes the decoder two words smaller.
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

/// The first bytes of a line that may have a field name. Most lines that are cut by a chunk boundary are
/// short enough to be collected here as a whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct LinePrefix {
    bytes: [u8; Self::MAX_LEN],
    pub(super) len: u8,
    /// How many bytes may be collected if the line is to be read as a whole; 0 if only the name is
    /// collected.
    pub(super) max_len: u8,
}

impl LinePrefix {
    /// At least the length of a name and its colon.
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

    /// Whether the line certainly has an effect, whatever follows.
    pub(super) fn is_recognized(&self) -> bool {
        let (field, _) = parse_line(self.bytes());
        self.colon().is_some() && field.is_some_and(Field::is_always_recognized)
    }

    /// Whether the line certainly is no field, whatever follows.
    pub(super) fn is_unknown(&self) -> bool {
        match self.colon() {
            Some(_) => parse_line(self.bytes()).0.is_none(),
            None => !self.may_be_name(),
        }
    }

    /// Without a colon: whether the line may start with the name of a field.
    #[inline]
    pub(super) fn may_be_name(&self) -> bool {
        let name: &[u8] = match self.bytes() {
            [b'd', ..] => b"data",
            [b'e', ..] => b"event",
            [b'i', ..] => b"id",
            _ => b"retry",
        };
        name.starts_with(self.bytes())
    }

    /// The position of the first colon.
    pub(super) fn colon(&self) -> Option<usize> {
        self.bytes().iter().position(|&byte| byte == b':')
    }

    /// Appends `piece`, if it has room.
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
