//! The Redis keys of a topic.

use crate::Token;

/// All keys of a topic use its name as hash tag, so that they are on the same node of a cluster.
#[derive(Debug)]
pub(super) struct Keys {
    /// The stream of events.
    pub(super) log: String,
    /// A hash: the epoch, the run of the server on which it began, and the last id before it.
    pub(super) meta: String,
    /// The prefix of the keys for the publishers' tokens.
    tokens_prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: &str, topic: &str) -> Self {
        let tagged = format!("{}:{{{}}}", escape(prefix), escape(topic));
        Self {
            log: format!("{tagged}:log"),
            meta: format!("{tagged}:meta"),
            tokens_prefix: format!("{tagged}:tokens:"),
        }
    }

    /// A sorted set: the ids of a publisher's latest events, scored by the counts of their tokens.
    pub(super) fn tokens(&self, token: &Token) -> String {
        format!("{}{}", self.tokens_prefix, token.publisher())
    }
}

/// Escapes braces, which delimit the hash tag.
fn escape(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for char in name.chars() {
        match char {
            '%' => escaped.push_str("%25"),
            '{' => escaped.push_str("%7B"),
            '}' => escaped.push_str("%7D"),
            _ => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topic_is_the_hash_tag_whatever_its_name() {
        assert_eq!(Keys::new("app", "news").log, "app:{news}:log");
        assert_eq!(Keys::new("a{}", "{x}%").meta, "a%7B%7D:{%7Bx%7D%25}:meta");
        assert_ne!(Keys::new("p", "%7B").log, Keys::new("p", "{").log);
    }
}
