//! Who listens to what, and how far each one is.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::Waker,
};

use crate::{EventId, Hub, Store, StoreError, Topic as _};

use super::Options;

/// All clients of a hub.
#[derive(Debug, Default)]
pub(crate) struct Audience {
    clients: Mutex<Clients>,
    published: AtomicU64,
}

#[derive(Debug, Default)]
struct Clients {
    /// Only topics with clients.
    topics: HashMap<Arc<str>, HashMap<u64, Arc<Progress>>>,
    count: usize,
    /// How many there were, which numbers them.
    admitted: u64,
    /// What was delivered to those that have left.
    left: Stats,
}

/// How far one client is.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    epoch: AtomicU64,
    number: AtomicU64,
    events: AtomicU64,
    bytes: AtomicU64,
    gaps: AtomicU64,
    /// Its task, while it waits.
    waker: Mutex<Option<Waker>>,
}

/// Numbers of a hub, in this process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Open streams.
    pub clients: usize,
    /// Topics with an open stream.
    pub topics: usize,
    /// Streams since the hub was made.
    pub clients_admitted: u64,
    /// Events published by this hub.
    pub events_published: u64,
    /// Events handed to connections: one for each client.
    pub events_delivered: u64,
    /// Their bytes.
    pub bytes_delivered: u64,
    /// How often a client was told that it missed events.
    pub gaps: u64,
}

/// Numbers of a topic, in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicStats {
    /// Open streams.
    pub clients: usize,
    /// The newest event.
    pub head: EventId,
    /// How many events the slowest client has yet to be given: all of them, if it is in an earlier
    /// epoch. What was handed to a connection is not counted, though the client may not have it yet:
    /// the sockets of both sides hold up to some megabytes.
    pub max_lag: u64,
    /// The same, for all clients together.
    pub total_lag: u64,
}

impl<S: Store> Hub<S> {
    /// The numbers of this hub. Takes time in proportion to the clients.
    pub fn stats(&self) -> Stats {
        self.shared.audience.stats()
    }

    /// The numbers of a topic that has clients; `None` if it has none.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be reached.
    pub async fn topic_stats(&self, topic: &str) -> Result<Option<TopicStats>, StoreError> {
        let positions = self.shared.audience.positions(topic);
        if positions.is_empty() {
            return Ok(None);
        }
        let head = self.shared.store.topic(topic)?.bounds().await?.head;
        let lags = positions.iter().map(|position| {
            let seen = if position.epoch == head.epoch {
                position.number
            } else {
                0
            };
            head.number.saturating_sub(seen)
        });
        Ok(Some(TopicStats {
            clients: positions.len(),
            head,
            max_lag: lags.clone().max().unwrap_or(0),
            total_lag: lags.sum(),
        }))
    }
}

impl Audience {
    /// Takes in one more client, if there is room for it.
    pub(crate) fn admit(&self, topic: &str, options: &Options) -> Option<Seat> {
        let clients = &mut *self.lock();
        let (name, of_topic) = match clients.topics.get_key_value(topic) {
            Some((name, clients)) => (name.clone(), clients.len()),
            None => (topic.into(), 0),
        };
        if clients.count >= options.max_clients || of_topic >= options.max_clients_per_topic {
            return None;
        }
        let number = clients.admitted;
        let progress = Arc::new(Progress::default());
        let of_topic = clients.topics.entry(name.clone()).or_default();
        of_topic.insert(number, progress.clone());
        clients.count += 1;
        clients.admitted += 1;
        Some(Seat {
            topic: name,
            number,
            progress,
        })
    }

    pub(crate) fn leave(&self, seat: &Seat) {
        let clients = &mut *self.lock();
        let Some(of_topic) = clients.topics.get_mut(&seat.topic) else {
            return;
        };
        if of_topic.remove(&seat.number).is_some() {
            clients.count -= 1;
            seat.progress.add_to(&mut clients.left);
        }
        if of_topic.is_empty() {
            clients.topics.remove(&seat.topic);
        }
    }

    /// Wakes all clients that wait.
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

    fn stats(&self) -> Stats {
        let clients = self.lock();
        let mut stats = Stats {
            clients: clients.count,
            topics: clients.topics.len(),
            clients_admitted: clients.admitted,
            events_published: self.published.load(Relaxed),
            ..clients.left
        };
        for progress in clients.topics.values().flat_map(HashMap::values) {
            progress.add_to(&mut stats);
        }
        stats
    }

    fn positions(&self, topic: &str) -> Vec<EventId> {
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

/// A client's place in the audience.
#[derive(Debug)]
pub(crate) struct Seat {
    topic: Arc<str>,
    pub(crate) number: u64,
    pub(crate) progress: Arc<Progress>,
}

impl Progress {
    pub(crate) fn move_to(&self, position: EventId) {
        // A look in between sees a wrong lag for once.
        self.number.store(position.number, Relaxed);
        self.epoch.store(position.epoch, Relaxed);
    }

    pub(crate) fn delivered(&self, events: u64, bytes: usize) {
        self.events.fetch_add(events, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn gap(&self) {
        self.gaps.fetch_add(1, Relaxed);
    }

    /// Has that task woken when all streams end.
    pub(crate) fn wake_at_end(&self, waker: &Waker) {
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
