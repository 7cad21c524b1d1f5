//! The type check of a response: Fetch's "extract a MIME type", as far as its essence goes.
//!
//! Header lines come one after another and are never joined in memory. What is kept is where in an
//! element of the list the last byte stood, and how far its essence agrees with the two that
//! matter.

const EVENT_STREAM: &[u8] = b"text/event-stream";
const ANY: &[u8] = b"*/*";

/// The `Content-Type` lines of one response, read so far.
#[derive(Debug, Clone)]
pub(super) struct ContentType {
    no_line_yet: bool,
    quoted: Quoted,
    at: At,
    /// Length of the essence of this element so far.
    len: usize,
    is_event_stream: bool,
    is_any: bool,
    /// What the last element that counts said.
    accepted: bool,
}

/// Whether a response with these `Content-Type` lines is an event stream, as browsers decide: by the
/// essence of the MIME type, whatever its parameters are.
///
/// The algorithm is Fetch's "extract a MIME type": the last valid type of all lines counts. Without a
/// line there is none.
///
/// [`EventSource::handle_response`](crate::EventSource::handle_response) asks the same; this is for
/// clients that do not reconnect.
///
/// ```
/// use sse_proto::is_event_stream;
///
/// assert!(is_event_stream(["text/event-stream"]));
/// assert!(is_event_stream(["Text/Event-Stream; charset=utf-8"]));
/// assert!(is_event_stream(["application/json, text/event-stream"]));
/// assert!(!is_event_stream(["application/json"]));
/// assert!(!is_event_stream([""; 0]));
/// ```
pub fn is_event_stream<V: AsRef<[u8]>>(content_type: impl IntoIterator<Item = V>) -> bool {
    let mut all = ContentType::new();
    for line in content_type {
        all.line(line.as_ref());
    }
    all.end()
}

/// Inside a quoted string a comma does not end the element.
#[derive(Debug, Clone, Copy)]
enum Quoted {
    No,
    Yes,
    /// Behind a backslash.
    Escape,
}

/// What of an element was read last.
#[derive(Debug, Clone, Copy)]
enum At {
    Start,
    Type,
    Slash,
    Subtype,
    /// White space behind the subtype.
    Behind,
    Parameters,
    /// It is no MIME type.
    Broken,
}

impl ContentType {
    pub(super) const fn new() -> Self {
        Self {
            no_line_yet: true,
            quoted: Quoted::No,
            at: At::Start,
            len: 0,
            is_event_stream: true,
            is_any: true,
            accepted: false,
        }
    }

    /// Reads the value of the next header line.
    pub(super) fn line(&mut self, value: &[u8]) {
        // Lines of one name are joined by ", " before anything else, so that a quoted string that
        // one line leaves open goes on in the next.
        if !self.no_line_yet {
            self.byte(b',');
            self.byte(b' ');
        }
        self.no_line_yet = false;
        for &byte in value {
            self.byte(byte);
        }
    }

    /// There are no more lines: whether the type is `text/event-stream`.
    pub(super) fn end(mut self) -> bool {
        self.end_element();
        self.accepted
    }

    fn byte(&mut self, byte: u8) {
        match (self.quoted, byte) {
            (Quoted::No, b',') => return self.end_element(),
            (Quoted::No, b'"') => self.quoted = Quoted::Yes,
            (Quoted::No, _) => {}
            (Quoted::Yes, b'"') => self.quoted = Quoted::No,
            (Quoted::Yes, b'\\') => self.quoted = Quoted::Escape,
            (Quoted::Yes, _) => {}
            (Quoted::Escape, _) => self.quoted = Quoted::Yes,
        }
        self.at = match (self.at, byte) {
            (At::Start, _) if is_white_space(byte) => At::Start,
            (At::Start | At::Type, _) if is_token(byte) => self.essence(byte, At::Type),
            (At::Type, b'/') => self.essence(byte, At::Slash),
            (At::Slash | At::Subtype, _) if is_token(byte) => self.essence(byte, At::Subtype),
            (At::Subtype | At::Behind, _) if is_white_space(byte) => At::Behind,
            (At::Subtype | At::Behind, b';') | (At::Parameters, _) => At::Parameters,
            _ => At::Broken,
        };
    }

    fn essence(&mut self, byte: u8, at: At) -> At {
        let byte = byte.to_ascii_lowercase();
        self.is_event_stream &= EVENT_STREAM.get(self.len) == Some(&byte);
        self.is_any &= ANY.get(self.len) == Some(&byte);
        self.len += 1;
        at
    }

    /// "If temporaryMimeType is failure or its essence is "*/*", then continue": the last of the
    /// others counts.
    fn end_element(&mut self) {
        let is_mime_type = matches!(self.at, At::Subtype | At::Behind | At::Parameters);
        let is_any = self.is_any && self.len == ANY.len();
        if is_mime_type && !is_any {
            self.accepted = self.is_event_stream && self.len == EVENT_STREAM.len();
        }
        *self = Self {
            no_line_yet: false,
            accepted: self.accepted,
            ..Self::new()
        };
    }
}

/// "HTTP whitespace"
fn is_white_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r' | b' ')
}

/// "HTTP token code point"
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::ContentType;
    use std::string::String;
    use std::vec::Vec;

    fn accepts(lines: &[&[u8]]) -> bool {
        let mut content_type = ContentType::new();
        for line in lines {
            content_type.line(line);
        }
        content_type.end()
    }

    /// The standard's steps, one after another, over the joined text.
    fn naive(lines: &[&[u8]]) -> bool {
        let joined = lines.join(&b", "[..]);
        let text: Vec<char> = joined.iter().map(|&byte| char::from(byte)).collect();
        let mut elements = Vec::new();
        let (mut element, mut i) = (String::new(), 0);
        loop {
            while i < text.len() && text[i] != '"' && text[i] != ',' {
                element.push(text[i]);
                i += 1;
            }
            if i < text.len() && text[i] == '"' {
                element.push(text[i]);
                i += 1;
                while i < text.len() {
                    let char = text[i];
                    element.push(char);
                    i += 1;
                    if char == '\\' && i < text.len() {
                        element.push(text[i]);
                        i += 1;
                    } else if char == '"' {
                        break;
                    }
                }
                if i < text.len() {
                    continue;
                }
            }
            i += 1;
            elements.push(core::mem::take(&mut element));
            if i > text.len() {
                break;
            }
        }
        let mut essences = elements.iter().filter_map(|element| {
            let white_space = ['\t', '\n', '\r', ' '];
            let (main, rest) = element.trim_matches(white_space).split_once('/')?;
            let sub = rest.split(';').next()?.trim_end_matches(white_space);
            let is_token = |text: &str| {
                let char = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
                !text.is_empty() && text.chars().all(char)
            };
            let essence = [main, "/", sub].concat().to_ascii_lowercase();
            (is_token(main) && is_token(sub) && essence != "*/*").then_some(essence)
        });
        essences.next_back().as_deref() == Some("text/event-stream")
    }

    #[test]
    fn lines_of_a_few_tokens_are_read_as_the_standard_reads_them() {
        const TOKENS: [&[u8]; 11] = [
            b"text/event-stream",
            b"text/html",
            b"*/*",
            b",",
            b";a=",
            b"\"",
            b"\\",
            b" ",
            b"x",
            b"/",
            b"\xE9",
        ];
        let mut lines: Vec<Vec<u8>> = std::vec![Vec::new()];
        let mut begin = 0;
        for _ in 0..4 {
            for i in begin..lines.len() {
                lines.extend(TOKENS.map(|token| [&lines[i], token].concat()));
            }
            begin = lines.len() - (lines.len() - begin) / 12 * 11;
        }
        assert!(lines.len() > 11 * 11 * 11 * 11);
        for line in &lines {
            let with = |first: &[u8], last: &[u8]| {
                let lines = [first, line, last];
                assert_eq!(accepts(&lines), naive(&lines), "{}", line.escape_ascii());
            };
            assert_eq!(accepts(&[line]), naive(&[line]), "{}", line.escape_ascii());
            with(b"text/event-stream", b"bogus");
            with(b"text/html;a=\"", b"text/event-stream");
        }
    }

    #[test]
    fn no_line_is_no_type() {
        assert!(!accepts(&[]));
        assert!(!accepts(&[b""]));
        assert!(!accepts(&[b"", b""]));
    }
}
