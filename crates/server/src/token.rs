//! What makes it safe to publish again an event of which nobody knows whether it was published.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::EventId;

/// Names one event of one publisher, so that it is not appended twice.
///
/// Get one from a [`Publisher`]; each [`Hub`](crate::Hub) has one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Token {
    publisher: Arc<str>,
    count: u64,
    made: Instant,
}

impl Token {
    /// How many tokens of a publisher a store remembers for each topic. One that is older is refused.
    pub const REMEMBERED: usize = 256;

    /// The publisher's name: letters and digits.
    pub fn publisher(&self) -> &str {
        &self.publisher
    }

    /// How many tokens the publisher has made so far, this one included.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How long ago it was made: stores on other machines forget the tokens of a publisher that has
    /// not published for some time.
    pub fn age(&self) -> Duration {
        self.made.elapsed()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} {})", self.publisher, self.count)
    }
}

/// Makes tokens.
///
/// Its name is random: if it were used again with counts from 1, the store would answer with the ids
/// of old events.
///
/// ```
/// use sse_proto_server::Publisher;
///
/// let publisher = Publisher::new();
/// assert_eq!(publisher.token().count(), 1);
/// assert_eq!(publisher.token().count(), 2);
/// assert_ne!(publisher.token().publisher(), Publisher::new().token().publisher());
/// ```
#[derive(Debug)]
pub struct Publisher {
    name: Arc<str>,
    count: AtomicU64,
}

impl Publisher {
    /// A publisher with a new name.
    pub fn new() -> Self {
        // The standard library seeds each of these from the system's random numbers, or adds to the
        // seed of the one before.
        let half = |salt: u8| RandomState::new().hash_one(salt);
        Self {
            name: format!("{:016x}{:016x}", half(0), half(1)).into(),
            count: AtomicU64::new(0),
        }
    }

    /// The token of the next event.
    pub fn token(&self) -> Token {
        Token {
            publisher: self.name.clone(),
            count: self.count.fetch_add(1, Ordering::Relaxed) + 1,
            made: Instant::now(),
        }
    }
}

impl Default for Publisher {
    fn default() -> Self {
        Self::new()
    }
}

/// The tokens of the latest appends to a topic, for stores that keep them in this process.
#[derive(Debug, Default)]
pub(crate) struct Tokens(HashMap<Arc<str>, BTreeMap<u64, EventId>>);

/// What is known of a token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// It is new.
    No,
    Appended(EventId),
    /// It is too old to tell.
    Forgotten,
}

impl Tokens {
    /// Publishers end without a word. There are as many as hubs on this store.
    const MAX_PUBLISHERS: usize = 64;

    pub(crate) fn get(&self, token: &Token) -> Known {
        let Some(appended) = self.0.get(&token.publisher) else {
            return Known::No;
        };
        // Those that were forgotten had lower counts than all that are left.
        match (appended.get(&token.count), appended.first_key_value()) {
            (Some(id), _) => Known::Appended(*id),
            (None, Some((lowest, _)))
                if token.count < *lowest && appended.len() >= Token::REMEMBERED =>
            {
                Known::Forgotten
            }
            _ => Known::No,
        }
    }

    pub(crate) fn insert(&mut self, token: &Token, id: EventId) {
        if let Some(appended) = self.0.get_mut(&token.publisher) {
            appended.insert(token.count, id);
            if appended.len() > Token::REMEMBERED {
                appended.pop_first();
            }
            return;
        }
        if self.0.len() >= Self::MAX_PUBLISHERS {
            let newest = |appended: &BTreeMap<_, EventId>| appended.values().next_back().copied();
            let silent = self.0.iter().min_by_key(|(_, appended)| newest(appended));
            if let Some(silent) = silent.map(|(name, _)| name.clone()) {
                self.0.remove(&silent);
            }
        }
        let appended = BTreeMap::from([(token.count, id)]);
        self.0.insert(token.publisher.clone(), appended);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_new_known_or_too_old_to_tell() {
        let publisher = Publisher::new();
        let made: Vec<_> = (0..600).map(|_| publisher.token()).collect();
        let id = |token: &Token| EventId {
            epoch: 1,
            number: token.count,
        };
        let mut tokens = Tokens::default();
        // Every other one, and not in their order.
        for pair in made.chunks(4) {
            for token in [&pair[2], &pair[0]] {
                assert_eq!(tokens.get(token), Known::No);
                tokens.insert(token, id(token));
            }
        }
        for (place, token) in made.iter().enumerate() {
            let known = match (place / 2 >= 300 - Token::REMEMBERED, place % 2 == 0) {
                (true, true) => Known::Appended(id(token)),
                (true, false) => Known::No,
                (false, _) => Known::Forgotten,
            };
            assert_eq!(tokens.get(token), known, "{place}");
        }
        assert_eq!(tokens.get(&Publisher::new().token()), Known::No);
    }

    #[test]
    fn publishers_that_have_ended_are_forgotten() {
        let mut tokens = Tokens::default();
        for number in 1..=1000 {
            tokens.insert(&Publisher::new().token(), EventId { epoch: 1, number });
            assert!(tokens.0.len() <= Tokens::MAX_PUBLISHERS);
        }
    }
}
