//! A reference decoder for whole streams, which checks what encoders write. It follows the standard
//! step by step and is simple rather than fast; a test runs it on the decoder cases.

use crate::corpus::Item;

/// Decodes a whole stream to its items.
pub(crate) fn decode(bytes: &[u8]) -> Vec<Item> {
    // "UTF-8 decode": one byte order mark is removed, and invalid bytes become U+FFFD.
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = String::from_utf8_lossy(bytes)
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let mut lines: Vec<&str> = text.split('\n').collect();
    lines.pop(); // the last line, which has no terminator

    let (mut items, mut data, mut event, mut id) =
        (Vec::new(), String::new(), String::new(), String::new());
    for line in lines {
        if line.is_empty() {
            if let Some(data) = data.strip_suffix('\n') {
                let event = if event.is_empty() { "message" } else { &event };
                items.push(Item::Event {
                    event: event.to_owned(),
                    data: data.to_owned(),
                    last_event_id: id.clone(),
                });
            }
            data.clear();
            event.clear();
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let trimmed = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "" => items.push(Item::Comment {
                comment: value.to_owned(),
            }),
            "data" => data.extend([trimmed, "\n"]),
            "event" => trimmed.clone_into(&mut event),
            "id" if !trimmed.contains('\0') => trimmed.clone_into(&mut id),
            "retry" if !trimmed.is_empty() && trimmed.bytes().all(|byte| byte.is_ascii_digit()) => {
                // A4: a number beyond 64 bits saturates.
                let retry = trimmed.parse().unwrap_or(u64::MAX);
                items.push(Item::Retry { retry });
            }
            _ => {}
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::{Body, cases};

    #[test]
    fn it_passes_the_decoder_cases() {
        let mut checked = 0;
        for case in cases() {
            if let Body::Decode(decode) = &case.body {
                let is_plain = decode.limit.is_none() && !decode.details;
                if is_plain && decode.last_event_id.is_none() {
                    let expected: Vec<Item> = decode
                        .steps
                        .iter()
                        .flat_map(|step| step.items.clone())
                        .collect();
                    assert_eq!(super::decode(&decode.input()), expected, "{}", case.id);
                    checked += 1;
                }
            }
        }
        assert!(checked > 400, "{checked}");
    }
}
