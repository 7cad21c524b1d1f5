//! The reference encoder, with a switch for each mutation.

use sse_conformance::{Answer, Frame, Refusal};

use super::mutations::Mutation;

pub(crate) fn encode(frames: &[Frame], mutation: Mutation) -> Answer {
    let mut stream = String::new();
    if mutation.is("byte-order-mark-written") {
        stream.push('\u{FEFF}');
    }
    for (index, frame) in frames.iter().enumerate() {
        match write(frame, mutation) {
            Ok(text) => stream += &text,
            Err(field) => {
                let field = match mutation.name() {
                    "refusal-names-another-field" => "data",
                    _ => field,
                };
                return Answer::Refused(Refusal {
                    frame: if mutation.is("frames-numbered-from-one") {
                        index + 1
                    } else {
                        index
                    },
                    field: field.to_owned(),
                });
            }
        }
    }
    match mutation.name() {
        "blank-line-at-the-end-only" => stream.push('\n'),
        "nul-after-the-last-frame" => stream.push('\0'),
        _ => {}
    }
    if mutation.is("latin-1-written") {
        let bytes = stream
            .chars()
            .map(|char| u8::try_from(char).unwrap_or(b'?'));
        return Answer::Encode(bytes.collect());
    }
    Answer::Encode(stream.into_bytes())
}

fn write(frame: &Frame, mutation: Mutation) -> Result<String, &'static str> {
    let mut text = String::new();
    if let Some(comment) = &frame.comment {
        match mutation.name() {
            "comment-not-split" => text += &format!(":{comment}\n"),
            "comment-split-at-lf-only" => {
                for line in comment.split('\n') {
                    text += &format!(":{line}\n");
                }
            }
            "comment-without-colons" => text += &format!(":{}\n", lines(comment).join("\n")),
            "comment-with-two-spaces" => {
                for line in lines(comment) {
                    text += &format!(":  {line}\n");
                }
            }
            "comment-dropped" => {}
            _ => {
                for line in lines(comment) {
                    text += &format!(":{line}\n");
                }
            }
        }
    }
    if let Some(retry) = frame.retry {
        let retry = match mutation.name() {
            "retry-in-seconds" => (retry / 1000).to_string(),
            "retry-with-fraction" => format!("{retry}.0"),
            "retry-with-separators" => separated(retry),
            "retry-with-unit" => format!("{retry}ms"),
            "retry-of-32-bits" => (retry & u64::from(u32::MAX)).to_string(),
            "retry-of-zero-left-out" if retry == 0 => String::new(),
            _ => retry.to_string(),
        };
        if !retry.is_empty() {
            text += &format!("retry:{retry}\n");
        }
    }
    if let Some(event) = &frame.event {
        let event = match mutation.name() {
            "event-not-checked" => event.clone(),
            "event-checked-for-lf-only" if !event.contains('\n') => event.clone(),
            "event-sanitized" => event.replace(['\r', '\n'], ""),
            "event-in-lower-case" => event.to_lowercase(),
            "event-trimmed" => event.trim().to_owned(),
            "event-named-error-refused" if event == "error" => return Err("event"),
            _ if event.contains(['\r', '\n']) => return Err("event"),
            _ => event.clone(),
        };
        text += &field("event", &event, mutation);
    }
    if let Some(id) = &frame.id {
        let id = match mutation.name() {
            "id-not-checked" => id.clone(),
            "id-checked-for-lf-only" if !id.contains(['\n', '\0']) => id.clone(),
            "id-with-nul-written" if !id.contains(['\r', '\n']) => id.clone(),
            "id-sanitized" => id.replace(['\r', '\n', '\0'], ""),
            "id-trimmed" => id.trim().to_owned(),
            "id-empty-refused" if id.is_empty() => return Err("id"),
            _ if id.contains(['\r', '\n', '\0']) => return Err("id"),
            _ => id.clone(),
        };
        if !(id.is_empty() && mutation.is("id-empty-left-out")) {
            text += &field("id", &id, mutation);
        }
    }
    // A type without data stands for an event with empty data, or the type would have no effect.
    let data = frame
        .data
        .clone()
        .or_else(|| frame.event.as_ref().map(|_| String::new()));
    if let Some(data) = &data {
        if data.contains('\0') && mutation.is("data-with-nul-refused") {
            return Err("data");
        }
        if data.contains(['\r', '\n']) && mutation.is("data-with-line-ends-refused") {
            return Err("data");
        }
        for line in data_lines(data, mutation) {
            text += &field("data", &line, mutation);
        }
    }
    // A comment or a reconnection time by itself needs no blank line.
    let has_block = frame.data.is_some() || frame.id.is_some() || frame.event.is_some();
    if has_block
        && !mutation.is("blank-line-not-written")
        && !mutation.is("blank-line-at-the-end-only")
    {
        text.push('\n');
    }
    if has_block && mutation.is("event-without-data-gets-some") && frame.data.is_none() {
        text.insert_str(text.len() - 1, "data:\n");
    }
    if mutation.is("line-ends-are-cr") {
        text = text.replace('\n', "\r");
    }
    Ok(text)
}

fn data_lines(data: &str, mutation: Mutation) -> Vec<String> {
    let mut lines = lines(data);
    let split = |pattern: &[char]| data.split(pattern).map(str::to_owned).collect();
    match mutation.name() {
        "data-not-split" => return vec![data.to_owned()],
        "data-split-at-lf-only" => return split(&['\n']),
        "data-split-at-lf-and-crlf" => {
            return data
                .replace("\r\n", "\n")
                .split('\n')
                .map(str::to_owned)
                .collect();
        }
        "data-split-at-cr-and-lf-apart" => return split(&['\r', '\n']),
        "data-split-at-separators-too" => {
            return split(&['\r', '\n', '\x0B', '\x0C', '\u{85}', '\u{2028}', '\u{2029}']);
        }
        "data-with-line-ends-escaped" => {
            return vec![data.replace('\r', "\\r").replace('\n', "\\n")];
        }
        "data-sanitized" => return vec![data.replace(['\r', '\n'], "")],
        "data-on-one-line" => return vec![lines.join(" ")],
        "data-second-line-without-name" => return vec![lines.join("\n")],
        "data-as-json" => {
            return vec![serde_json::to_string(data).expect("a string can be written")];
        }
        "data-trimmed" => return self::lines(data.trim()),
        "data-empty-left-out" if data.is_empty() => return Vec::new(),
        "data-without-its-last-empty-line" if data.ends_with(['\r', '\n']) => drop(lines.pop()),
        "data-without-empty-lines" if lines.len() > 1 => lines.retain(|line| !line.is_empty()),
        "data-without-nul" => lines
            .iter_mut()
            .for_each(|line| *line = line.replace('\0', "")),
        "data-as-html" => lines
            .iter_mut()
            .for_each(|line| *line = line.replace('<', "&lt;")),
        _ => {}
    }
    lines
}

/// Writes a field, with a space after the colon, as a decoder drops the first space of a value.
fn field(name: &str, value: &str, mutation: Mutation) -> String {
    let space = match mutation.name() {
        "space-never-written" => "",
        "space-written-twice" => "  ",
        "space-not-written-before-a-space" if value.starts_with(' ') => "",
        "space-is-a-tab" => "\t",
        "empty-value-without-colon" if value.is_empty() => return format!("{name}\n"),
        "space-before-the-colon" => return format!("{name} : {value}\n"),
        "name-with-capital" => {
            return format!("{}{}: {value}\n", name[..1].to_uppercase(), &name[1..]);
        }
        _ => " ",
    };
    format!("{name}:{space}{value}\n")
}

/// Splits text at CR, LF and CRLF. There is always one line more than terminators.
fn lines(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.split('\n').map(str::to_owned).collect()
}

fn separated(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
