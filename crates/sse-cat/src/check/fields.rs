//! What a line means, by the standard, and what clients make of the values of ids and `retry`.

use super::{finding::Code, stream::shown};

/// A line of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Field<'a> {
    Blank,
    Comment,
    Data,
    Event(&'a str),
    Id(&'a str),
    Retry(&'a str),
    /// Clients ignore the line, because of this.
    Ignored(Code, String),
}

impl<'a> Field<'a> {
    pub(super) fn parse(line: &'a str) -> Self {
        let (name, value) = match line.split_once(':') {
            None if line.is_empty() => return Self::Blank,
            Some(("", _)) => return Self::Comment,
            None => (line, None),
            Some((name, value)) => (name, Some(value.strip_prefix(' ').unwrap_or(value))),
        };
        match (name, value.unwrap_or_default()) {
            ("data", _) => Self::Data,
            ("event", value) => Self::Event(value),
            ("id", value) => Self::Id(value),
            ("retry", value) => Self::Retry(value),
            _ if value.is_none() => {
                let why = format!("a line without a colon, which is no field: {}", shown(line));
                Self::Ignored(Code::NoColon, why)
            }
            _ => Self::Ignored(Code::UnknownField, unknown_field(name)),
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

/// What clients cannot send back in the header `Last-Event-ID`.
pub(super) fn check_id(id: &str) -> Vec<(Code, String)> {
    /// nginx, Apache and others refuse header lines of more than 8 KB, unless configured otherwise.
    const MAX_LEN: usize = 4096;
    let mut found = Vec::new();
    if id.contains('\0') {
        let why = format!("an id with NUL is ignored: {}", shown(id));
        return vec![(Code::NulInId, why)];
    }
    let is_control = |char: char| char.is_ascii_control() && char != '\t';
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

/// What clients ignore or cannot wait for.
pub(super) fn check_retry(value: &str) -> Option<(Code, String)> {
    const DAY: u128 = 24 * 60 * 60 * 1000;
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        let value = shown(value);
        let why =
            format!("retry must consist of ASCII digits (milliseconds), so it is ignored: {value}");
        return Some((Code::InvalidRetry, why));
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
                "retry: {digits} is more than a day in milliseconds; above 2147483647, the timers of some clients \
 overflow, and they do not wait at all"
            );
            Some((Code::RetryTooLong, why))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sse_proto::{Decoder, Item, OwnedEvent};

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
            let lines = format!("{line}\ndata: next\nid: next\nevent: next\n\n");
            let mut decoder = Decoder::new();
            let start = format!("{line}\n");
            let mut items = decoder.feed(start.as_bytes());
            let is_comment = matches!(items.next_item(), Ok(Some(Item::Comment(_))));
            assert_eq!(field == Field::Comment, is_comment, "{line:?}");
            let time = decoder.reconnection_time();
            let is_valid_retry = |value| check_retry(value).is_none();
            assert_eq!(
                matches!(field, Field::Retry(value) if is_valid_retry(value)),
                time.is_some(),
                "{line:?}"
            );
            let is_data = first_event(&format!("\n{lines}")).data() != "next";
            assert_eq!(field == Field::Data, is_data, "{line:?}");

            let event = first_event(&format!("\ndata: next\n{line}\n\n"));
            let expected = match field {
                Field::Event(value) if !value.is_empty() => (value, ""),
                Field::Id(value) if !value.contains('\0') => ("message", value),
                _ => ("message", ""),
            };
            assert_eq!(
                (event.event_type(), event.last_event_id()),
                expected,
                "{line:?}"
            );
        }
    }

    fn first_event(stream: &str) -> OwnedEvent {
        sse_proto::decode_all(stream.as_bytes()).next().unwrap()
    }
}
