//! Tokens, which make it safe to retry a publication whose outcome is unknown.

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

/// Identifies one event of one publisher, so that it is not appended twice.
///
/// Tokens come from a [`Publisher`]; each [`Hub`](crate::Hub) has one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Token {
    publisher: Arc<str>,
    count: u64,
    created: Instant,
}

impl Token {
    /// The number of tokens per publisher that a store remembers for each topic. Older ones are
    /// refused.
    pub const REMEMBERED: usize = 256;

    /// The publisher's name, which consists of letters and digits.
    pub fn publisher(&self) -> &str {
        &self.publisher
    }

    /// The number of tokens that the publisher had created, including this one.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The time since the token was created. Remote stores forget the tokens of a publisher that
    /// has not published for some time.
    pub fn age(&self) -> Duration {
        self.created.elapsed()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} {})", self.publisher, self.count)
    }
}

/// Creates tokens.
///
/// Its name is random. If a name were used again with counts from 1, the store would return the ids
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
    /// Creates a publisher with a new name.
    pub fn new() -> Self {
        // The standard library seeds each `RandomState` from the system's random numbers, or
        // increments the previous seed.
        let half = |salt: u8| RandomState::new().hash_one(salt);
        Self {
            name: format!("{:016x}{:016x}", half(0), half(1)).into(),
            count: AtomicU64::new(0),
        }
    }

    /// Returns the token for the next event.
    pub fn token(&self) -> Token {
        Token {
            publisher: self.name.clone(),
            count: self.count.fetch_add(1, Ordering::Relaxed) + 1,
            created: Instant::now(),
        }
    }
}

impl Default for Publisher {
    fn default() -> Self {
        Self::new()
    }
}

/// The tokens of the latest appends to a topic, for stores that remember them in this process.
#[derive(Debug, Default)]
pub(crate) struct RecentTokens(HashMap<Arc<str>, BTreeMap<u64, EventId>>);

/// What a store knows about a token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TokenStatus {
    New,
    Appended(EventId),
    /// It is too old to know whether it was used.
    Forgotten,
}

impl RecentTokens {
    /// There is one publisher per hub on this store. Publishers end without notice.
    const MAX_PUBLISHERS: usize = 64;

    pub(crate) fn get(&self, token: &Token) -> TokenStatus {
        let Some(appended) = self.0.get(&token.publisher) else {
            return TokenStatus::New;
        };
        // Forgotten tokens have lower counts than all remembered ones.
        match (appended.get(&token.count), appended.first_key_value()) {
            (Some(id), _) => TokenStatus::Appended(*id),
            (None, Some((lowest, _)))
                if token.count < *lowest && appended.len() >= Token::REMEMBERED =>
            {
                TokenStatus::Forgotten
            }
            _ => TokenStatus::New,
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
            let idle = self.0.iter().min_by_key(|(_, appended)| newest(appended));
            if let Some(idle) = idle.map(|(name, _)| name.clone()) {
                self.0.remove(&idle);
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
    fn a_token_is_new_appended_or_forgotten() {
        let publisher = Publisher::new();
        let created: Vec<_> = (0..600).map(|_| publisher.token()).collect();
        let id = |token: &Token| EventId {
            epoch: 1,
            number: token.count,
        };
        let mut tokens = RecentTokens::default();
        // Every second token, out of order.
        for pair in created.chunks(4) {
            for token in [&pair[2], &pair[0]] {
                assert_eq!(tokens.get(token), TokenStatus::New);
                tokens.insert(token, id(token));
            }
        }
        for (place, token) in created.iter().enumerate() {
            let known = match (place / 2 >= 300 - Token::REMEMBERED, place % 2 == 0) {
                (true, true) => TokenStatus::Appended(id(token)),
                (true, false) => TokenStatus::New,
                (false, _) => TokenStatus::Forgotten,
            };
            assert_eq!(tokens.get(token), known, "{place}");
        }
        assert_eq!(tokens.get(&Publisher::new().token()), TokenStatus::New);
    }

    #[test]
    fn idle_publishers_are_forgotten() {
        let mut tokens = RecentTokens::default();
        for number in 1..=1000 {
            tokens.insert(&Publisher::new().token(), EventId { epoch: 1, number });
            assert!(tokens.0.len() <= RecentTokens::MAX_PUBLISHERS);
        }
    }
}
