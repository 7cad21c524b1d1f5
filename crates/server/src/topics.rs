//! The topics of a store by name, with a maximum number and eviction of unused ones.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::TopicError;

/// What [`Topics`] needs to know to evict a topic.
pub(crate) trait Evict {
    /// Whether evicting it loses no events.
    fn is_empty(&self) -> bool;

    /// Whether it may be evicted while nothing else refers to it.
    fn can_evict(&self) -> bool {
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
    /// The number of lookups so far, used as a clock for [`Slot::last_used`].
    lookups: u64,
}

#[derive(Debug)]
struct Slot<T> {
    topic: Arc<T>,
    last_used: u64,
}

impl<T: Evict> Topics<T> {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            map: Mutex::new(Map {
                topics: HashMap::new(),
                lookups: 0,
            }),
        }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Existing topics above the limit stay until another one is inserted.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Returns the topic with that name, if it exists.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<T>> {
        let map = &mut *self.lock();
        map.lookups += 1;
        let slot = map.topics.get_mut(name)?;
        slot.last_used = map.lookups;
        Some(slot.topic.clone())
    }

    /// Returns the topic with that name, creating it if necessary. At the limit, the least recently
    /// used topic without other references is evicted, preferably one without events.
    pub(crate) fn get_or_insert(
        &self,
        name: &str,
        new: impl FnOnce() -> T,
    ) -> Result<Arc<T>, TopicError> {
        if name.is_empty() {
            return Err(TopicError::InvalidName);
        }
        let map = &mut *self.lock();
        map.lookups += 1;
        if let Some(slot) = map.topics.get_mut(name) {
            slot.last_used = map.lookups;
            return Ok(slot.topic.clone());
        }
        if map.topics.len() >= self.limit {
            let unused = map
                .topics
                .iter()
                .filter(|(_, slot)| Arc::strong_count(&slot.topic) == 1 && slot.topic.can_evict());
            let evicted = unused.min_by_key(|(_, slot)| (!slot.topic.is_empty(), slot.last_used));
            let Some(evicted) = evicted.map(|(name, _)| name.clone()) else {
                return Err(TopicError::too_many(self.limit));
            };
            map.topics.remove(&evicted);
        }
        let topic = Arc::new(new());
        let slot = Slot {
            topic: topic.clone(),
            last_used: map.lookups,
        };
        map.topics.insert(name.into(), slot);
        Ok(topic)
    }

    fn lock(&self) -> MutexGuard<'_, Map<T>> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
