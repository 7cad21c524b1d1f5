//! A store in memory.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use sse_proto::Frame;
use tokio::sync::Notify;

use crate::{
    AppendError, Bounds, EventId, ReadAfter, Store, StoreError, Token, Topic, TopicError,
    log::{History, Log},
    token::{RecentTokens, TokenStatus},
    topics::{Evict, Topics},
};

/// Keeps the latest events of each topic in memory.
///
/// They are lost when the process ends: clients that reconnect to the next process get a gap. Use a
/// [`FileStore`](crate::FileStore) to keep events across restarts.
///
/// ```
/// use sse_proto_server::MemoryStore;
/// use std::time::Duration;
///
/// // At most 1 MiB per topic, 10,000 topics, and no events older than an hour.
/// let store = MemoryStore::with_history(1 << 20)
///     .max_age(Duration::from_secs(3600))
///     .max_topics(10_000);
/// # let _ = store;
/// ```
#[derive(Debug)]
pub struct MemoryStore {
    history: History,
    next_epoch: AtomicU64,
    topics: Topics<MemoryTopic>,
}

impl MemoryStore {
    /// The default number of bytes kept per topic: 1 MiB.
    pub const HISTORY: usize = 1 << 20;

    /// The default maximum number of topics.
    pub const MAX_TOPICS: usize = 100_000;

    /// Creates a store that keeps [`HISTORY`](Self::HISTORY) bytes per topic.
    pub fn new() -> Self {
        Self::with_history(Self::HISTORY)
    }

    /// Creates a store that keeps `bytes` encoded bytes per topic, and the newest event whatever
    /// its length.
    ///
    /// A topic uses up to 16 KiB more than that, and 4 bytes per event. A client that lacks older
    /// events gets a gap, so keep enough for what is published while a client reconnects.
    pub fn with_history(bytes: usize) -> Self {
        Self {
            history: History { bytes, age: None },
            next_epoch: AtomicU64::new(unix_micros()),
            topics: Topics::new(Self::MAX_TOPICS),
        }
    }

    /// Also limits the age of events. Expired events are removed when their topic is used.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.history.age = Some(age);
        self
    }

    /// Limits the number of topics: 100,000 by default. At the limit, a new topic replaces the
    /// least recently used one, preferably one without events, and never one that has clients.
    #[must_use]
    pub fn max_topics(mut self, topics: usize) -> Self {
        self.topics = Topics::new(topics);
        self
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Store for MemoryStore {
    type Topic = MemoryTopic;

    fn topic(&self, name: &str) -> Result<Arc<MemoryTopic>, TopicError> {
        self.topics.get_or_insert(name, || {
            // Each topic has its own epoch, so that ids are unique across topics.
            let epoch = self.next_epoch.fetch_add(1, Ordering::Relaxed);
            MemoryTopic::new(Log::new(self.history, EventId { epoch, number: 0 }))
        })
    }
}

/// A topic of a [`MemoryStore`].
#[derive(Debug)]
pub struct MemoryTopic {
    log: Mutex<State>,
    appended: Notify,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) log: Log,
    pub(crate) tokens: RecentTokens,
}

impl MemoryTopic {
    pub(crate) fn new(log: Log) -> Self {
        Self {
            log: Mutex::new(State {
                log,
                tokens: RecentTokens::default(),
            }),
            appended: Notify::new(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic leaves no inconsistent state that matters: a log is only ever appended to.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn current_bounds(&self) -> Bounds {
        let log = &mut self.lock().log;
        log.remove_expired(Instant::now);
        log.bounds()
    }

    /// Wakes all waiting readers.
    pub(crate) fn notify(&self) {
        self.appended.notify_waiters();
    }
}

impl Evict for MemoryTopic {
    fn is_empty(&self) -> bool {
        self.lock().log.event_count() == 0
    }
}

impl Topic for MemoryTopic {
    async fn append(&self, frame: Frame<'_>, token: &Token) -> Result<EventId, AppendError> {
        let id = {
            let state = &mut *self.lock();
            match state.tokens.get(token) {
                TokenStatus::Appended(id) => return Ok(id),
                TokenStatus::Forgotten => return Err(AppendError::forgotten()),
                TokenStatus::New => {}
            }
            let id = state.log.append(frame, Instant::now());
            state.tokens.insert(token, id);
            id
        };
        self.notify();
        Ok(id)
    }

    async fn read_after(&self, after: EventId, max_bytes: usize) -> Result<ReadAfter, StoreError> {
        let log = &mut self.lock().log;
        log.remove_expired(Instant::now);
        Ok(log.read_after(after, max_bytes))
    }

    async fn bounds(&self) -> Result<Bounds, StoreError> {
        Ok(self.current_bounds())
    }

    fn bounds_now(&self) -> Option<Bounds> {
        Some(self.current_bounds())
    }

    async fn wait(&self, after: EventId) {
        // Created before the check: it is notified of every append from here on, even if not
        // polled.
        let appended = self.appended.notified();
        if self.lock().log.newest() == after {
            appended.await;
        }
    }
}

/// Microseconds since 1970. Epochs start there, so that they differ between processes.
fn unix_micros() -> u64 {
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    time.map_or(0, |time| time.as_micros() as u64).max(1)
}
