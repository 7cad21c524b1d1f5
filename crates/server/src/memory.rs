//! A store in the memory of this process.

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
    token::{Known, Tokens},
    topics::{Kept, Topics},
};

/// Keeps the latest events of each topic in memory.
///
/// When the process ends, they are gone: clients that come back to the next one get a gap. See
/// [`FileStore`](crate::FileStore) for a log that outlives the process.
///
/// ```
/// use sse_proto_server::MemoryStore;
/// use std::time::Duration;
///
/// // One MiB of each of at most 10,000 topics, and nothing that is older than an hour.
/// let store = MemoryStore::with_history(1 << 20)
///     .max_age(Duration::from_secs(3600))
///     .max_topics(10_000);
/// # let _ = store;
/// ```
#[derive(Debug)]
pub struct MemoryStore {
    history: History,
    epochs: AtomicU64,
    topics: Topics<MemoryTopic>,
}

impl MemoryStore {
    /// How much is kept of each topic unless told otherwise: 1 MiB.
    pub const HISTORY: usize = 1 << 20;

    /// How many topics there may be unless told otherwise.
    pub const MAX_TOPICS: usize = 100_000;

    /// A store that keeps [`HISTORY`](Self::HISTORY) bytes of each topic.
    pub fn new() -> Self {
        Self::with_history(Self::HISTORY)
    }

    /// Keeps `bytes` of each topic, counted as they are sent, and the newest event whatever its length.
    ///
    /// It takes up to 16 KiB more than that, and 4 bytes an event. A client that is further behind gets a
    /// gap, so leave room for what is published while one reconnects.
    pub fn with_history(bytes: usize) -> Self {
        Self {
            history: History { bytes, age: None },
            epochs: AtomicU64::new(clock()),
            topics: Topics::new(Self::MAX_TOPICS),
        }
    }

    /// Keeps no event longer than `age`, either. Old events leave when somebody uses their topic.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.history.age = Some(age);
        self
    }

    /// Keeps at most `topics` topics, 100,000 by default. For one more, the topic that was not used for
    /// the longest time goes, one without events first, and never one that has clients.
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
            // One of its own for each topic, so that no id is one of another topic, too.
            let epoch = self.epochs.fetch_add(1, Ordering::Relaxed);
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
    pub(crate) tokens: Tokens,
}

impl MemoryTopic {
    pub(crate) fn new(log: Log) -> Self {
        Self {
            log: Mutex::new(State {
                log,
                tokens: Tokens::default(),
            }),
            appended: Notify::new(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in it is left half done by a panic that matters: a log is only ever added to.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn known_bounds(&self) -> Bounds {
        let log = &mut self.lock().log;
        log.forget_older(Instant::now);
        log.bounds()
    }

    /// Wakes all that wait.
    pub(crate) fn notify(&self) {
        self.appended.notify_waiters();
    }
}

impl Kept for MemoryTopic {
    fn is_empty(&self) -> bool {
        self.lock().log.kept().0 == 0
    }
}

impl Topic for MemoryTopic {
    async fn append(&self, frame: Frame<'_>, token: &Token) -> Result<EventId, AppendError> {
        let id = {
            let state = &mut *self.lock();
            match state.tokens.get(token) {
                Known::Appended(id) => return Ok(id),
                Known::Forgotten => return Err(AppendError::forgotten()),
                Known::No => {}
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
        log.forget_older(Instant::now);
        Ok(log.read_after(after, max_bytes))
    }

    async fn bounds(&self) -> Result<Bounds, StoreError> {
        Ok(self.known_bounds())
    }

    fn bounds_now(&self) -> Option<Bounds> {
        Some(self.known_bounds())
    }

    async fn wait(&self, after: EventId) {
        // Woken by whatever is appended from here on, polled or not.
        let appended = self.appended.notified();
        if self.lock().log.head() == after {
            appended.await;
        }
    }
}

/// Microseconds since 1970: where epochs start, so that those of another process differ.
pub(crate) fn clock() -> u64 {
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    time.map_or(0, |time| time.as_micros() as u64).max(1)
}
