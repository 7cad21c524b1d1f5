//! The content type check of a response, step by step as in the standards: "extract a MIME type" of
//! Fetch and "parse a MIME type" of MIME Sniffing. Slow, over the whole header at once.

/// Whether a response with these `Content-Type` values is an event stream.
pub(crate) fn is_event_stream(lines: &[impl AsRef<[u8]>]) -> bool {
    extract_mime_type(lines).as_deref() == Some("text/event-stream")
}

/// "To extract a MIME type from a header list headers": its essence.
fn extract_mime_type(lines: &[impl AsRef<[u8]>]) -> Option<String> {
    let mut mime_type = None;
    // "For each value of values: Let temporaryMimeType be the result of parsing value. If
    // temporaryMimeType is failure or its essence is "*/*", then continue. Set mimeType to
    // temporaryMimeType."
    for value in get_decode_and_split(lines)? {
        match parse_mime_type(&value) {
            Some(essence) if essence != "*/*" => mime_type = Some(essence),
            _ => {}
        }
    }
    mime_type
}

/// "To get, decode, and split a header value": "the values of all headers in list whose name is
/// [...] name, separated from each other by 0x2C 0x20, in order", isomorphic decoded.
fn get_decode_and_split(lines: &[impl AsRef<[u8]>]) -> Option<Vec<String>> {
    if lines.is_empty() {
        return None;
    }
    let lines: Vec<&[u8]> = lines.iter().map(AsRef::as_ref).collect();
    let input: Vec<char> = lines.join(&b", "[..]).into_iter().map(char::from).collect();

    let mut position = 0;
    let mut values = Vec::new();
    let mut temporary_value = String::new();
    loop {
        let not_quote_or_comma = |c| c != '"' && c != ',';
        temporary_value += &collect(&input, &mut position, not_quote_or_comma);
        if position < input.len() {
            if input[position] == '"' {
                temporary_value += &collect_quoted_string(&input, &mut position);
                if position < input.len() {
                    continue;
                }
            } else {
                assert_eq!(input[position], ',');
                position += 1;
            }
        }
        let tab_or_space = ['\t', ' '];
        values.push(temporary_value.trim_matches(tab_or_space).to_owned());
        temporary_value.clear();
        if position >= input.len() {
            return Some(values);
        }
    }
}

/// "To collect an HTTP quoted string", without extracting its value.
fn collect_quoted_string(input: &[char], position: &mut usize) -> String {
    let position_start = *position;
    assert_eq!(input[*position], '"');
    *position += 1;
    loop {
        collect(input, position, |c| c != '"' && c != '\\');
        if *position >= input.len() {
            break;
        }
        let quote_or_backslash = input[*position];
        *position += 1;
        if quote_or_backslash == '\\' {
            if *position >= input.len() {
                break;
            }
            *position += 1;
        } else {
            assert_eq!(quote_or_backslash, '"');
            break;
        }
    }
    input[position_start..*position].iter().collect()
}

/// "To parse a MIME type": its essence. The parameters after it cannot make parsing fail.
fn parse_mime_type(input: &str) -> Option<String> {
    let input = input.trim_matches(HTTP_WHITESPACE);
    let input: Vec<char> = input.chars().collect();
    let mut position = 0;
    let type_ = collect(&input, &mut position, |c| c != '/');
    if !is_token(&type_) || position >= input.len() {
        return None;
    }
    position += 1;
    let subtype = collect(&input, &mut position, |c| c != ';');
    let subtype = subtype.trim_end_matches(HTTP_WHITESPACE);
    is_token(subtype).then(|| format!("{type_}/{subtype}").to_ascii_lowercase())
}

const HTTP_WHITESPACE: [char; 4] = ['\n', '\r', '\t', ' '];

/// "is not the empty string" and "solely contains HTTP token code points".
fn is_token(text: &str) -> bool {
    let is_token_char = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.chars().all(is_token_char)
}

/// "To collect a sequence of code points meeting a condition"
fn collect(input: &[char], position: &mut usize, condition: impl Fn(char) -> bool) -> String {
    let start = *position;
    while *position < input.len() && condition(input[*position]) {
        *position += 1;
    }
    input[start..*position].iter().collect()
}
