//! Which responses open a connection: status and content type.

use super::Client;

/// What a response does to the connection.
pub(super) enum Outcome {
    Open,
    Fail,
    /// The options make it a lost connection.
    Lost,
    /// It is a lost connection, in violation of the standard.
    Reestablish,
}

impl Client {
    pub(super) fn check_response(&self, status: u16, headers: &[(String, String)]) -> Outcome {
        let mutation = self.mutation;
        if self.policy.retries_status(status) {
            return Outcome::Lost;
        }
        let is_right_status = match mutation.name() {
            "status-of-200-to-299-opens" => (200..300).contains(&status),
            "status-ignored" => true,
            "status-204-opens" => status == 200 || status == 204,
            "status-of-500-to-599-is-retried" if status >= 500 => {
                return Outcome::Reestablish;
            }
            "status-429-is-retried" if status == 429 => return Outcome::Reestablish,
            "status-204-is-retried" if status == 204 => return Outcome::Reestablish,
            "status-other-than-200-is-retried" if status != 200 => {
                return Outcome::Reestablish;
            }
            "status-below-400-opens" => status < 400,
            "retry-after-is-honoured" if headers.iter().any(|(name, _)| name == "Retry-After") => {
                return Outcome::Reestablish;
            }
            _ => status == 200,
        };
        let same = |name: &str| match mutation.name() {
            "header-name-in-one-case" => name == "Content-Type",
            _ => name.eq_ignore_ascii_case("content-type"),
        };
        let lines: Vec<&str> = headers
            .iter()
            .filter(|(name, _)| same(name))
            .map(|(_, value)| &**value)
            .collect();
        match (is_right_status, self.is_right_type(&lines)) {
            (true, true) => Outcome::Open,
            (true, false) if self.policy.retries_type() => Outcome::Lost,
            _ => Outcome::Fail,
        }
    }

    fn is_right_type(&self, lines: &[&str]) -> bool {
        const RIGHT: &str = "text/event-stream";
        let first = lines.first().copied().unwrap_or_default();
        match self.mutation.name() {
            "type-ignored" => true,
            "type-missing-is-right" if lines.is_empty() => true,
            "type-by-its-beginning" => first.to_lowercase().starts_with(RIGHT),
            "type-by-what-it-contains" => lines.join(", ").to_lowercase().contains(RIGHT),
            "type-in-lower-case-only" => {
                extracted(lines).is_some_and(|(essence, _)| essence == RIGHT)
            }
            "type-without-parameters-only" => lines.join(", ").eq_ignore_ascii_case(RIGHT),
            "type-of-the-first-line" => is_type(extracted(&lines[..lines.len().min(1)]), RIGHT),
            "type-of-the-first-element" => {
                is_type(element(first.split(',').next().unwrap_or_default()), RIGHT)
            }
            "type-of-the-last-element-valid-or-not" => {
                let all = lines.join(", ");
                is_type(element(all.rsplit(',').next().unwrap_or_default()), RIGHT)
            }
            "type-split-in-quotes" => is_type(
                lines
                    .join(", ")
                    .split(',')
                    .filter_map(element)
                    .rfind(|(essence, _)| essence != "*/*"),
                RIGHT,
            ),
            "type-any-counts" => {
                lines.join(", ").contains("*/*") || is_type(extracted(lines), RIGHT)
            }
            "type-with-another-charset-is-wrong" => {
                let charset = |parameters: &str| {
                    parameters.to_lowercase().contains("charset=")
                        && !parameters.to_lowercase().contains("charset=utf-8")
                };
                extracted(lines)
                    .is_some_and(|found| !charset(&found.1) && is_type(Some(found), RIGHT))
            }
            "type-with-suffix-is-right" => extracted(lines)
                .is_some_and(|(essence, _)| essence.to_lowercase().starts_with(RIGHT)),
            "type-html-is-right" => extracted(lines)
                .is_some_and(|(essence, _)| essence == "text/html" || essence == RIGHT),
            "old-type-is-right" => {
                let old = "application/x-dom-event-stream";
                is_type(extracted(lines), RIGHT) || is_type(extracted(lines), old)
            }
            _ => is_type(extracted(lines), RIGHT),
        }
    }
}

/// Fetch, "extract a MIME type": essence and parameters of the last valid type that is not `*/*`.
fn extracted(lines: &[&str]) -> Option<(String, String)> {
    let all = lines.join(", ");
    let (mut elements, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for char in all.chars() {
        match char {
            ',' if !quoted => {
                elements.push(String::new());
                continue;
            }
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = quoted && char == '\\' && !escaped;
        elements.last_mut().expect("there is one").push(char);
    }
    let mut types = elements.iter().filter_map(|text| element(text));
    types.rfind(|(essence, _)| essence != "*/*")
}

/// MIME Sniffing, "parse a MIME type": essence and parameters.
fn element(text: &str) -> Option<(String, String)> {
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
    let (kind, subtype) = essence.trim_end_matches([' ', '\t']).split_once('/')?;
    let is_token = |text: &str| {
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !text.is_empty() && text.bytes().all(is_token)
    };
    (is_token(kind) && is_token(subtype))
        .then(|| (format!("{kind}/{subtype}"), parameters.to_owned()))
}

fn is_type(found: Option<(String, String)>, right: &str) -> bool {
    found.is_some_and(|(essence, _)| essence.eq_ignore_ascii_case(right))
}
