//! The file names of topics.
//!
//! Lower-case letters, digits, `-`, `_` and dots other than the first character are kept; every
//! other byte is replaced by `%` and two lower-case hexadecimal digits. Therefore two topics never
//! share a file, even on case-insensitive file systems, and no name refers to another directory.

/// The extension of a topic's file.
pub(super) const EXTENSION: &str = ".sse";
/// The extension of a file that is renamed once it is complete.
pub(super) const TEMPORARY: &str = ".tmp";
/// The maximum length of a file name on common file systems, in bytes.
const MAX_LEN: usize = 255;

/// Returns the file name of a topic, or `None` if it would be too long or the topic's name is
/// empty.
pub(super) fn file_name(topic: &str) -> Option<String> {
    let mut name = String::with_capacity(topic.len() + EXTENSION.len());
    for (place, byte) in topic.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            b'.' if place > 0 => name.push('.'),
            _ => {
                name.push('%');
                for digit in [byte >> 4, byte & 15] {
                    name.extend(char::from_digit(digit.into(), 16));
                }
            }
        }
        if name.len() > MAX_LEN {
            return None;
        }
    }
    name.push_str(EXTENSION);
    (!topic.is_empty() && name.len() + TEMPORARY.len() <= MAX_LEN).then_some(name)
}

/// Returns the topic whose file has that name.
pub(super) fn topic(file: &str) -> Option<String> {
    let mut bytes = file.strip_suffix(EXTENSION)?.bytes();
    let mut topic = Vec::new();
    while let Some(byte) = bytes.next() {
        topic.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high << 4 | low).ok()?
            }
            byte => byte,
        });
    }
    let topic = String::from_utf8(topic).ok()?;
    // Each topic has only one spelling.
    (file_name(&topic)? == file).then_some(topic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_topic_has_one_file_name_and_each_file_name_one_topic() {
        for (name, file) in [
            ("prices", "prices.sse"),
            ("Prices", "%50rices.sse"),
            ("a/../b", "a%2f..%2fb.sse"),
            ("..", "%2e..sse"),
            (".hidden", "%2ehidden.sse"),
            ("a.tmp", "a.tmp.sse"),
            ("a%2fb", "a%252fb.sse"),
            ("a b\0\n\\:", "a%20b%00%0a%5c%3a.sse"),
            ("\u{e9}", "%c3%a9.sse"),
        ] {
            assert_eq!(file_name(name).as_deref(), Some(file));
            assert_eq!(topic(file).as_deref(), Some(name));
        }
        for file in [
            "prices",
            "Prices.sse",
            ".sse",
            "a b.sse",
            "%.sse",
            "%4.sse",
            "%zz.sse",
            "%+1.sse",
            "%61.sse",
            "%2F.sse",
            "%ff.sse",
            "a%2",
            ".a.sse",
        ] {
            assert_eq!(topic(file), None, "{file}");
        }
    }

    #[test]
    fn a_file_name_has_at_most_255_bytes_including_extensions() {
        let longest = "a".repeat(247);
        assert_eq!(file_name(&longest).map(|name| name.len()), Some(251));
        assert_eq!(file_name(&"a".repeat(248)), None);
        assert_eq!(file_name(&"/".repeat(82)).map(|name| name.len()), Some(250));
        assert_eq!(file_name(&"/".repeat(83)), None);
        assert_eq!(file_name(&"a".repeat(1 << 20)), None);
        assert_eq!(file_name(""), None);
    }
}
