//! Event ids and their text form.

use std::{fmt, str::FromStr};

/// The id of an event: `EPOCH-NUMBER`, both decimal.
///
/// Within one epoch of a topic, numbers start at 1 and have no holes, so the number of events that
/// a client missed is a difference. A new epoch begins whenever the store may have lost an event
/// that it had acknowledged. No two events have the same id. Number 0 is the position before the
/// first event of its epoch.
///
/// ```
/// use sse_proto_server::EventId;
///
/// let id: EventId = "1764342000000000-7".parse()?;
/// assert_eq!((id.epoch, id.number), (1_764_342_000_000_000, 7));
/// assert_eq!(id.to_string(), "1764342000000000-7");
/// // Each id has exactly one spelling.
/// assert!("7".parse::<EventId>().is_err());
/// assert!("07-1".parse::<EventId>().is_err());
/// assert!("7- 1".parse::<EventId>().is_err());
/// # Ok::<(), sse_proto_server::InvalidId>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "an id is exactly these two numbers"
)]
pub struct EventId {
    /// The epoch: a sequence of events without losses.
    pub epoch: u64,
    /// The event's number in the epoch, starting at 1.
    pub number: u64,
}

impl EventId {
    /// The maximum length of an id as text, in bytes.
    pub(crate) const MAX_LEN: usize = 41;
    pub(crate) const ZERO: Self = Self {
        epoch: 0,
        number: 0,
    };

    /// Parses the value of a `Last-Event-ID` header. Leading and trailing spaces and tabs are
    /// ignored, as HTTP specifies.
    ///
    /// ```
    /// use sse_proto_server::EventId;
    ///
    /// assert_eq!(EventId::from_header(b" 3-14 "), Ok(EventId { epoch: 3, number: 14 }));
    /// assert!(EventId::from_header(b"$").is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidId`] unless the value is two numbers below 2^64, without sign or leading zeros,
    /// joined by one `-`.
    pub fn from_header(value: &[u8]) -> Result<Self, InvalidId> {
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
        let start = value.iter().position(|byte| !is_space(byte));
        let end = value.iter().rposition(|byte| !is_space(byte));
        let (Some(start), Some(end)) = (start, end) else {
            return Err(InvalidId);
        };
        let text = value.get(start..=end).unwrap_or_default();
        let dash = text.iter().position(|byte| *byte == b'-');
        let (epoch, number) = text.split_at(dash.ok_or(InvalidId)?);
        Ok(Self {
            epoch: decimal(epoch)?,
            number: decimal(number.get(1..).unwrap_or_default())?,
        })
    }
}

/// Parses a number in its only spelling.
fn decimal(digits: &[u8]) -> Result<u64, InvalidId> {
    match digits {
        [b'0'] => return Ok(0),
        [b'1'..=b'9', ..] => {}
        _ => return Err(InvalidId),
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| digit - b'0');
        number
            .checked_mul(10)
            .zip(digit)
            .and_then(|(number, digit)| number.checked_add(digit.into()))
            .ok_or(InvalidId)
    })
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.number)
    }
}

impl FromStr for EventId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text.starts_with([' ', '\t']) || text.ends_with([' ', '\t']) {
            return Err(InvalidId);
        }
        Self::from_header(text.as_bytes())
    }
}

/// The text is not a valid [`EventId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidId;

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an event id of the form EPOCH-NUMBER")
    }
}

impl std::error::Error for InvalidId {}

/// An id as text, stored without an allocation.
pub(crate) struct IdText {
    bytes: [u8; EventId::MAX_LEN],
    len: usize,
}

impl IdText {
    pub(crate) fn new(id: EventId) -> Self {
        use std::io::Write as _;

        let mut bytes = [0; EventId::MAX_LEN];
        let mut rest = bytes.as_mut_slice();
        // The buffer fits the two longest numbers.
        let _ = write!(rest, "{id}");
        let len = EventId::MAX_LEN - rest.len();
        Self { bytes, len }
    }

    pub(crate) fn as_str(&self) -> &str {
        let text = self.bytes.get(..self.len).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_id_has_one_spelling() {
        for (epoch, number) in [(0, 0), (1, 0), (7, 1), (10, 100), (u64::MAX, u64::MAX)] {
            let id = EventId { epoch, number };
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(IdText::new(id).as_str(), id.to_string());
        }
        // Each of these has a meaning to Redis or is a number to some parsers.
        let others = [
            "",
            "-",
            "7",
            "7-",
            "-7",
            "7-1-1",
            "007-1",
            "7-01",
            "00-1",
            "+7-1",
            "7-+1",
            " 7-1",
            "7-1 ",
            "7- 1",
            "7- -1",
            "7--1",
            "$",
            "+",
            ">",
            "*",
            "7-*",
            "0x7-1",
            "7-1\0",
            "7-1\n",
            "18446744073709551616-1",
            "1-18446744073709551616",
            "\u{0667}-1",
            "7\u{2010}1",
            "7_1",
        ];
        for text in others {
            assert_eq!(text.parse::<EventId>(), Err(InvalidId), "{text:?}");
            let seen = EventId::from_header(text.as_bytes()).is_ok();
            assert_eq!(seen, [" 7-1", "7-1 "].contains(&text), "{text:?}");
        }
    }
}
