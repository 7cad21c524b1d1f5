//! What a line means, by the standard, and what clients make of the values of ids and `retry`.

use super::{finding::Code, stream::shown};
use sse_proto::{Ignored, IgnoredReason};

/// A line of a stream. Whether it has an effect is for the decoder to say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Field<'a> {
    Blank,
    Comment,
    Data,
    Event(&'a str),
    Id(&'a str),
    Retry(&'a str),
    Other,
}

impl<'a> Field<'a> {
    pub(super) fn parse(line: &'a str) -> Self {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "" if line.is_empty() => Self::Blank,
            "" => Self::Comment,
            "data" => Self::Data,
            "event" => Self::Event(value),
            "id" => Self::Id(value),
            "retry" => Self::Retry(value),
            _ => Self::Other,
        }
    }
}

/// What to report of a line that the decoder has ignored.
pub(super) fn ignored(line: Ignored<'_>) -> (Code, String) {
    let text = shown(line.text);
    match line.reason {
        IgnoredReason::NoColon => {
            let why = format!("a line without a colon, which is no field: {text}");
            (Code::NoColon, why)
        }
        IgnoredReason::InvalidRetry => {
            let why = "retry must consist of ASCII digits (milliseconds), so it is ignored";
            (Code::InvalidRetry, format!("{why}: {text}"))
        }
        IgnoredReason::NulInId => (Code::NulInId, format!("an id with NUL is ignored: {text}")),
        IgnoredReason::TypeWithoutData => {
            let why = "has no data line, so clients ignore it";
            let why = format!("the block of this event type, {text}, {why}");
            (Code::TypeWithoutData, why)
        }
        // And the reasons that a later version adds.
        _ => {
            let name = line.text.split(':').next().unwrap_or_default();
            let why = format!("{}: {text}", unknown_field(name));
            (Code::UnknownField, why)
        }
    }
}

fn unknown_field(name: &str) -> String {
    let hint = if name.contains('\u{FEFF}') {
        ": it contains a byte order mark, which is removed only at the start of the stream"
    } else if ["data", "event", "id", "retry"].contains(&&*name.trim().to_lowercase()) {
        ": field names are in lower case and without blanks"
    } else {
        ""
    };
    format!("unknown field {}{hint}", shown(name))
}

/// What clients cannot send back in the header `Last-Event-ID`. An id with NUL is ignored anyway.
pub(super) fn check_id(id: &str) -> Vec<(Code, String)> {
    /// nginx, Apache and others refuse header lines of more than 8 KB, unless configured otherwise.
    const MAX_LEN: usize = 4096;
    let mut found = Vec::new();
    let is_control = |char: char| char.is_ascii_control() && !matches!(char, '\0' | '\t');
    if let Some(control) = id.chars().find(|&char| is_control(char)) {
        let (id, control) = (shown(id), u32::from(control));
        let why = format!(
            "no header can contain U+{control:04X}, so clients cannot send this id as Last-Event-ID: {id}"
        );
        found.push((Code::IdNotSendable, why));
    }
    if id.len() > MAX_LEN {
        let len = id.len();
        let why =
            format!("an id of {len} bytes: servers refuse long headers, many of more than 8 KB");
        found.push((Code::IdTooLong, why));
    }
    if !id.is_ascii() {
        let id = shown(id);
        let why = format!("an id that is not ASCII is sent as UTF-8 in Last-Event-ID: {id}");
        found.push((Code::IdNotAscii, why));
    }
    if id.trim_matches([' ', '\t']) != id {
        let id = shown(id);
        let why = format!("a server receives this id without the blanks at its ends: {id}");
        found.push((Code::IdBlanks, why));
    }
    found
}

/// What clients cannot wait for. A value that is not a number is ignored anyway.
pub(super) fn check_retry(value: &str) -> Option<(Code, String)> {
    const DAY: u128 = 24 * 60 * 60 * 1000;
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match value.parse::<u128>().unwrap_or(u128::MAX) {
        0 => {
            let why = "Chromium and WebKit reconnect without a pause, more than 100 times a \
                       second; react-native-sse never reconnects";
            Some((Code::RetryZero, why.into()))
        }
        millis if millis > DAY => {
            let digits: String = value.chars().take(40).collect();
            let why = format!(
                "retry: {digits} is more than a day in milliseconds; above 2147483647, the timers of \
                 some clients overflow, and they do not wait at all"
            );
            Some((Code::RetryTooLong, why))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sse_proto::{Decoder, Item};

    /// Lines at the limits of each rule.
    const LINES: &[&str] = &[
        "",
        ":",
        ": x",
        "data",
        "data:",
        "data: x",
        "data:x:y",
        "Data: x",
        "data : x",
        " data: x",
        "\u{FEFF}data: x",
        "dat",
        "event",
        "event: e",
        "event:",
        "id",
        "id: 1",
        "id:\0",
        "id: a\0b",
        "retry",
        "retry:",
        "retry: 10",
        "retry:10",
        "retry:  10",
        "retry: 10 ",
        "retry: -1",
        "retry: 1.5",
        "retry: 1e3",
        "retry: ١",
        "{\"a\": 1}",
        "<p>",
        "data_x: 1",
        "x:",
    ];

    #[test]
    fn the_decoder_agrees_what_each_line_means() {
        for line in LINES {
            let field = Field::parse(line);
            let mut decoder = Decoder::new();
            let text = format!(":\n{line}\n\n");
            let mut items = decoder.feed(text.as_bytes());
            assert_eq!(items.next_item(), Ok(Some(Item::Comment(""))));
            let is_expected = match items.next_item().unwrap() {
                None => matches!(field, Field::Blank | Field::Event("")),
                Some(Item::Comment(_)) => field == Field::Comment,
                Some(Item::Event(_)) => field == Field::Data,
                Some(Item::Id(id)) => field == Field::Id(id),
                Some(Item::Retry(_)) => matches!(field, Field::Retry(_)),
                Some(Item::Ignored(ignored)) => match ignored.reason {
                    IgnoredReason::TypeWithoutData => field == Field::Event(ignored.text),
                    IgnoredReason::InvalidRetry => field == Field::Retry(ignored.text),
                    IgnoredReason::NulInId => field == Field::Id(ignored.text),
                    _ => field == Field::Other && ignored.text == *line,
                },
                _ => false,
            };
            assert!(is_expected, "{line:?}: {field:?}");
        }
    }
}
