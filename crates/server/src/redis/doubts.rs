//! The tokens that were sent and not answered: an event with such a token may still be appended, so
//! an append that fails must not be reported as not done.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crate::Token;

#[derive(Debug, Default)]
pub(super) struct Doubts(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    tokens: HashSet<Token>,
    /// In order of insertion; may contain tokens that are no longer in doubt.
    order: VecDeque<Token>,
    /// All tokens made up to then are in doubt, as some of them had to be dropped from the set.
    before: Option<Instant>,
}

impl Doubts {
    const MAX: usize = 4096;

    pub(super) fn contains(&self, token: &Token) -> bool {
        let state = self.lock();
        state.tokens.contains(token) || state.before.is_some_and(|before| made(token).0 <= before)
    }

    /// The token is sent.
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
                state.before = state.before.max(Some(made(&oldest).1));
            }
        }
    }

    /// The server has said what became of it.
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

/// Between which moments the token was made. Its age is taken between two looks at the clock.
fn made(token: &Token) -> (Instant, Instant) {
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
    fn a_token_in_doubt_is_never_taken_for_a_new_one() {
        let (doubts, publisher) = (Doubts::default(), Publisher::new());
        let answered = publisher.token();
        assert!(!doubts.contains(&answered));
        doubts.insert(&answered);
        assert!(doubts.contains(&answered));
        doubts.remove(&answered);
        assert!(!doubts.contains(&answered));
        let sent: Vec<_> = (0..3 * Doubts::MAX).map(|_| publisher.token()).collect();
        for token in &sent {
            doubts.insert(token);
        }
        assert!(sent.iter().all(|token| doubts.contains(token)));
        assert!(doubts.lock().order.len() <= Doubts::MAX);
        std::thread::sleep(std::time::Duration::from_millis(5));
        assert!((0..100).any(|_| !doubts.contains(&publisher.token())));
    }
}
