//! The keys of a topic.

use crate::Token;

/// All keys of a topic have its name as their hash tag, so they are on one node of a cluster.
#[derive(Debug)]
pub(super) struct Keys {
    /// The stream.
    pub(super) log: String,
    /// A hash: the epoch, and on which run of the server it began.
    pub(super) meta: String,
    /// What the keys of the publishers' tokens start with.
    tokens: String,
}

impl Keys {
    pub(super) fn new(prefix: &str, topic: &str) -> Self {
        let tagged = format!("{}:{{{}}}", escape(prefix), escape(topic));
        Self {
            log: format!("{tagged}:log"),
            meta: format!("{tagged}:meta"),
            tokens: format!("{tagged}:tokens:"),
        }
    }

    /// A sorted set: the ids of a publisher's latest events, by the counts of their tokens.
    pub(super) fn tokens(&self, token: &Token) -> String {
        format!("{}{}", self.tokens, token.publisher())
    }
}

/// A brace would end the hash tag, or begin another one.
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
