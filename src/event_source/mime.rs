//! The content type check of a response: Fetch's "extract a MIME type", limited to the essence.
//!
//! Header lines are processed one at a time and never joined in memory. The state is the position
//! within the current list element, and how much of its essence matches each of the two essences
//! that matter.

const EVENT_STREAM: &[u8] = b"text/event-stream";
const ANY: &[u8] = b"*/*";

/// Whether a response with these `Content-Type` lines is an event stream.
///
/// Like browsers, this looks only at the essence of the MIME type and ignores its parameters. The
/// algorithm is Fetch's "extract a MIME type": the last valid type of all lines counts. Without a
/// line the result is `false`.
///
/// [`EventSource::handle_response`](crate::EventSource::handle_response) does the same check; this
/// function is for clients that do not reconnect.
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
    let mut parser = ContentType::new();
    for line in content_type {
        parser.push_line(line.as_ref());
    }
    parser.finish()
}

/// Incremental parser for the `Content-Type` lines of one response.
#[derive(Debug, Clone)]
pub(super) struct ContentType {
    is_first_line: bool,
    quoting: Quoting,
    position: Position,
    /// The length of the current element's essence so far.
    essence_len: usize,
    /// The essence so far is a prefix of `text/event-stream`.
    matches_event_stream: bool,
    /// The essence so far is a prefix of `*/*`.
    matches_any: bool,
    /// The last valid element was `text/event-stream`.
    is_event_stream: bool,
}

/// A comma inside a quoted string does not end the element.
#[derive(Debug, Clone, Copy)]
enum Quoting {
    Unquoted,
    Quoted,
    /// After a backslash in a quoted string.
    Escape,
}

/// The position of the last byte within an element.
#[derive(Debug, Clone, Copy)]
enum Position {
    Start,
    Type,
    Slash,
    Subtype,
    /// White space after the subtype.
    AfterSubtype,
    Parameters,
    /// The element is not a valid MIME type.
    Invalid,
}

impl ContentType {
    pub(super) const fn new() -> Self {
        Self {
            is_first_line: true,
            quoting: Quoting::Unquoted,
            position: Position::Start,
            essence_len: 0,
            matches_event_stream: true,
            matches_any: true,
            is_event_stream: false,
        }
    }

    /// Parses the value of the next header line.
    pub(super) fn push_line(&mut self, value: &[u8]) {
        // Lines with the same name are joined with ", " before anything else, so that a quoted
        // string left open by one line continues in the next.
        if !self.is_first_line {
            self.push_byte(b',');
            self.push_byte(b' ');
        }
        self.is_first_line = false;
        for &byte in value {
            self.push_byte(byte);
        }
    }

    /// Ends the last line. Returns whether the type is `text/event-stream`.
    pub(super) fn finish(mut self) -> bool {
        self.end_element();
        self.is_event_stream
    }

    fn push_byte(&mut self, byte: u8) {
        use Position::{AfterSubtype, Invalid, Parameters, Slash, Start, Subtype, Type};

        match (self.quoting, byte) {
            (Quoting::Unquoted, b',') => return self.end_element(),
            (Quoting::Unquoted, b'"') => self.quoting = Quoting::Quoted,
            (Quoting::Unquoted, _) => {}
            (Quoting::Quoted, b'"') => self.quoting = Quoting::Unquoted,
            (Quoting::Quoted, b'\\') => self.quoting = Quoting::Escape,
            (Quoting::Quoted, _) => {}
            (Quoting::Escape, _) => self.quoting = Quoting::Quoted,
        }
        self.position = match (self.position, byte) {
            (Start, _) if is_white_space(byte) => Start,
            (Start | Type, _) if is_token(byte) => self.push_essence(byte, Type),
            (Type, b'/') => self.push_essence(byte, Slash),
            (Slash | Subtype, _) if is_token(byte) => self.push_essence(byte, Subtype),
            (Subtype | AfterSubtype, _) if is_white_space(byte) => AfterSubtype,
            (Subtype | AfterSubtype, b';') | (Parameters, _) => Parameters,
            _ => Invalid,
        };
    }

    /// Compares the next byte of the essence, and returns `position`.
    fn push_essence(&mut self, byte: u8, position: Position) -> Position {
        let byte = byte.to_ascii_lowercase();
        self.matches_event_stream &= EVENT_STREAM.get(self.essence_len) == Some(&byte);
        self.matches_any &= ANY.get(self.essence_len) == Some(&byte);
        self.essence_len += 1;
        position
    }

    /// "If temporaryMimeType is failure or its essence is "*/*", then continue": the last of the
    /// other elements counts.
    fn end_element(&mut self) {
        let is_mime_type = matches!(
            self.position,
            Position::Subtype | Position::AfterSubtype | Position::Parameters
        );
        let is_any = self.matches_any && self.essence_len == ANY.len();
        if is_mime_type && !is_any {
            self.is_event_stream =
                self.matches_event_stream && self.essence_len == EVENT_STREAM.len();
        }
        *self = Self {
            is_first_line: false,
            is_event_stream: self.is_event_stream,
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
            content_type.push_line(line);
        }
        content_type.finish()
    }

    /// The steps of the standard, one by one, over the joined text.
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
    fn header_lines_are_parsed_as_the_standard_parses_them() {
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
    fn without_a_value_there_is_no_type() {
        assert!(!accepts(&[]));
        assert!(!accepts(&[b""]));
        assert!(!accepts(&[b"", b""]));
    }
}
