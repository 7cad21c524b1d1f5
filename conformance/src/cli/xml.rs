//! What the XML documents have in common.

use std::{borrow::Cow, io};

use quick_xml::Writer;

pub(crate) type Xml = Writer<Vec<u8>>;

/// The document that `write` writes.
pub(crate) fn document(write: impl FnOnce(&mut Xml) -> io::Result<()>) -> String {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    write(&mut xml).expect("a vector can be written to");
    String::from_utf8(xml.into_inner()).expect("all that was written is UTF-8")
}

/// Escapes what XML 1.0 cannot hold or its parsers change, as in a string of Rust. The writer only
/// escapes what has a meaning in XML.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    let needs_escape = |char: char| match char {
        '\n' | '\t' => false,
        '\u{FFFE}' | '\u{FFFF}' => true,
        _ => char.is_control(),
    };
    if !text.contains(needs_escape) {
        return Cow::Borrowed(text);
    }
    let mut visible = String::new();
    for char in text.chars() {
        if needs_escape(char) {
            visible.extend(char.escape_default());
        } else {
            visible.push(char);
        }
    }
    Cow::Owned(visible)
}
