//! Tokens that were sent without a reply. An event with such a token may still be appended, so a
//! failed retry must not be reported as not appended.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crate::Token;

#[derive(Debug, Default)]
pub(super) struct UnansweredTokens(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    tokens: HashSet<Token>,
    /// In order of insertion; may contain tokens that have been removed from `tokens`.
    order: VecDeque<Token>,
    /// All tokens created up to then count as unanswered, because some of them were dropped from
    /// `tokens`.
    all_until: Option<Instant>,
}

impl UnansweredTokens {
    const MAX: usize = 4096;

    pub(super) fn contains(&self, token: &Token) -> bool {
        let state = self.lock();
        state.tokens.contains(token)
            || state
                .all_until
                .is_some_and(|until| created(token).0 <= until)
    }

    /// Adds a token that is about to be sent.
    pub(super) fn insert(&self, token: &Token) {
        let state = &mut *self.lock();
        if !state.tokens.insert(token.clone()) {
            return;
        }
        state.order.push_back(token.clone());
        while state.order.len() > Self::MAX {
            let Some(oldest) = state.order.pop_front() else {
                return;
            };
            if state.tokens.remove(&oldest) {
                state.all_until = state.all_until.max(Some(created(&oldest).1));
            }
        }
    }

    /// Removes a token whose outcome is known.
    pub(super) fn remove(&self, token: &Token) {
        let state = &mut *self.lock();
        state.tokens.remove(token);
        if state.order.back() == Some(token) {
            state.order.pop_back();
        }
        if state.tokens.is_empty() {
            state.order.clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A time range in which the token was created. Its age is read between two readings of the clock.
fn created(token: &Token) -> (Instant, Instant) {
    let earlier = Instant::now();
    let age = token.age();
    let later = Instant::now();
    let before = |now: Instant| now.checked_sub(age).unwrap_or(now);
    (before(earlier), before(later))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Publisher;

    #[test]
    fn an_unanswered_token_is_never_taken_for_a_new_one() {
        let (unanswered, publisher) = (UnansweredTokens::default(), Publisher::new());
        let answered = publisher.token();
        assert!(!unanswered.contains(&answered));
        unanswered.insert(&answered);
        assert!(unanswered.contains(&answered));
        unanswered.remove(&answered);
        assert!(!unanswered.contains(&answered));
        let sent: Vec<_> = (0..3 * UnansweredTokens::MAX)
            .map(|_| publisher.token())
            .collect();
        for token in &sent {
            unanswered.insert(token);
        }
        assert!(sent.iter().all(|token| unanswered.contains(token)));
        assert!(unanswered.lock().order.len() <= UnansweredTokens::MAX);
        std::thread::sleep(std::time::Duration::from_millis(5));
        assert!((0..100).any(|_| !unanswered.contains(&publisher.token())));
    }
}
