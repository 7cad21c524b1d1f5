//! The open streams of a hub, by topic, and the progress of each.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::Waker,
};

use crate::{EventId, Stats};

use super::Options;

/// All clients of a hub.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    clients: Mutex<Clients>,
    published: AtomicU64,
}

#[derive(Debug, Default)]
struct Clients {
    /// Only topics that have clients.
    topics: HashMap<Arc<str>, HashMap<u64, Arc<Progress>>>,
    count: usize,
    /// The number of clients ever registered, which is also the number of the next one.
    registered: u64,
    /// What was delivered to clients that have left.
    past: Stats,
}

/// The progress of one client.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    epoch: AtomicU64,
    number: AtomicU64,
    events: AtomicU64,
    bytes: AtomicU64,
    gaps: AtomicU64,
    /// The client's task while it waits.
    waker: Mutex<Option<Waker>>,
}

impl Registry {
    /// Adds a client, unless a limit is reached.
    pub(crate) fn register(&self, topic: &str, options: &Options) -> Option<Registration> {
        let clients = &mut *self.lock();
        let (name, of_topic) = match clients.topics.get_key_value(topic) {
            Some((name, clients)) => (name.clone(), clients.len()),
            None => (topic.into(), 0),
        };
        if clients.count >= options.max_clients || of_topic >= options.max_clients_per_topic {
            return None;
        }
        let number = clients.registered;
        let progress = Arc::new(Progress::default());
        let of_topic = clients.topics.entry(name.clone()).or_default();
        of_topic.insert(number, progress.clone());
        clients.count += 1;
        clients.registered += 1;
        Some(Registration {
            topic: name,
            number,
            progress,
        })
    }

    pub(crate) fn remove(&self, client: &Registration) {
        let clients = &mut *self.lock();
        let Some(of_topic) = clients.topics.get_mut(&client.topic) else {
            return;
        };
        if of_topic.remove(&client.number).is_some() {
            clients.count -= 1;
            client.progress.add_to(&mut clients.past);
        }
        if of_topic.is_empty() {
            clients.topics.remove(&client.topic);
        }
    }

    /// Wakes all waiting clients.
    pub(crate) fn wake_all(&self) {
        let clients = self.lock();
        for progress in clients.topics.values().flat_map(HashMap::values) {
            if let Some(waker) = progress.lock_waker().take() {
                waker.wake();
            }
        }
    }

    pub(crate) fn count_published(&self) {
        self.published.fetch_add(1, Relaxed);
    }

    pub(crate) fn stats(&self) -> Stats {
        let clients = self.lock();
        let mut stats = Stats {
            clients: clients.count,
            topics: clients.topics.len(),
            clients_admitted: clients.registered,
            events_published: self.published.load(Relaxed),
            ..clients.past
        };
        for progress in clients.topics.values().flat_map(HashMap::values) {
            progress.add_to(&mut stats);
        }
        stats
    }

    /// The positions of all clients of a topic.
    pub(crate) fn positions(&self, topic: &str) -> Vec<EventId> {
        let clients = self.lock();
        let of_topic = clients.topics.get(topic);
        of_topic
            .into_iter()
            .flatten()
            .map(|(_, progress)| progress.position())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client's entry in the registry.
#[derive(Debug)]
pub(crate) struct Registration {
    topic: Arc<str>,
    pub(crate) number: u64,
    pub(crate) progress: Arc<Progress>,
}

impl Progress {
    pub(crate) fn move_to(&self, position: EventId) {
        // A reader between the two stores sees a wrong lag once, which is acceptable.
        self.number.store(position.number, Relaxed);
        self.epoch.store(position.epoch, Relaxed);
    }

    pub(crate) fn count_delivered(&self, events: u64, bytes: usize) {
        self.events.fetch_add(events, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn count_gap(&self) {
        self.gaps.fetch_add(1, Relaxed);
    }

    /// Sets the task that [`Registry::wake_all`] wakes.
    pub(crate) fn set_waker(&self, waker: &Waker) {
        let mut slot = self.lock_waker();
        if !slot.as_ref().is_some_and(|slot| slot.will_wake(waker)) {
            *slot = Some(waker.clone());
        }
    }

    fn lock_waker(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn position(&self) -> EventId {
        EventId {
            epoch: self.epoch.load(Relaxed),
            number: self.number.load(Relaxed),
        }
    }

    fn add_to(&self, stats: &mut Stats) {
        stats.events_delivered += self.events.load(Relaxed);
        stats.bytes_delivered += self.bytes.load(Relaxed);
        stats.gaps += self.gaps.load(Relaxed);
    }
}
