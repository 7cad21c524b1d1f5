//! The topics of a store, by name, up to a limit.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::TopicError;

/// What a map of topics has to know of them.
pub(crate) trait Kept {
    /// Nothing is lost if it goes.
    fn is_empty(&self) -> bool;

    /// Whether it may be forgotten for another one when nobody has it.
    fn may_go(&self) -> bool {
        true
    }
}

#[derive(Debug)]
pub(crate) struct Topics<T> {
    limit: usize,
    map: Mutex<Map<T>>,
}

#[derive(Debug)]
struct Map<T> {
    topics: HashMap<Box<str>, Slot<T>>,
    /// Counts the uses.
    used: u64,
}

#[derive(Debug)]
struct Slot<T> {
    topic: Arc<T>,
    used: u64,
}

impl<T: Kept> Topics<T> {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            map: Mutex::new(Map {
                topics: HashMap::new(),
                used: 0,
            }),
        }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Topics above the limit stay, until there is to be another one.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// The topic of that name, if there is one.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<T>> {
        let map = &mut *self.lock();
        map.used += 1;
        let slot = map.topics.get_mut(name)?;
        slot.used = map.used;
        Some(slot.topic.clone())
    }

    /// The topic of that name. If there is none, and no room for one more, the one goes that nobody
    /// has and that was not used for the longest time; one without events before all others.
    pub(crate) fn get_or_insert(
        &self,
        name: &str,
        new: impl FnOnce() -> T,
    ) -> Result<Arc<T>, TopicError> {
        if name.is_empty() {
            return Err(TopicError::InvalidName);
        }
        let map = &mut *self.lock();
        map.used += 1;
        if let Some(slot) = map.topics.get_mut(name) {
            slot.used = map.used;
            return Ok(slot.topic.clone());
        }
        if map.topics.len() >= self.limit {
            let unused = map
                .topics
                .iter()
                .filter(|(_, slot)| Arc::strong_count(&slot.topic) == 1 && slot.topic.may_go());
            let least = unused.min_by_key(|(_, slot)| (!slot.topic.is_empty(), slot.used));
            let Some(least) = least.map(|(name, _)| name.clone()) else {
                return Err(TopicError::too_many(self.limit));
            };
            map.topics.remove(&least);
        }
        let topic = Arc::new(new());
        let slot = Slot {
            topic: topic.clone(),
            used: map.used,
        };
        map.topics.insert(name.into(), slot);
        Ok(topic)
    }

    fn lock(&self) -> MutexGuard<'_, Map<T>> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
