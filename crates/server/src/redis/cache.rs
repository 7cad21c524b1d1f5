//! The cache of a topic: its newest events, kept in this process by the reader task.
//!
//! A cache is filled while clients wait for the topic, and for some time longer. Its events come
//! from the stream in order and without holes. If the reader encounters a hole, the cache restarts
//! after it, and clients before it must ask the server for the events that they missed.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{sync::Notify, time};

use super::{
    keys::Keys,
    reader::Reader,
    reply::Entry,
    snapshot::{before, follows},
};
use crate::{
    EventId, GapReason, ReadAfter,
    log::{History, Log},
};

/// How long a topic is still read after the last client has left.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the cache may differ from the server before clients rely on the server.
const MAX_DISAGREEMENT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Cache {
    pub(super) keys: Keys,
    history: History,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    /// `None` until the reader task has determined where the stream ends.
    log: Option<Log>,
    /// The cache has been passed to the reader task.
    is_read: bool,
    waiting: usize,
    /// When the last client stopped waiting.
    idle_since: Instant,
    /// The newest event that this process has appended.
    appended: Option<EventId>,
    /// Since when the server has reported a position that is in the cache as lost or unknown.
    disputed_since: Option<Instant>,
    /// The generation of the connection on which the epoch was claimed, and the epoch.
    claim: Option<(u64, u64)>,
}

impl State {
    fn read_after(&mut self, after: EventId, max_bytes: usize) -> Option<ReadAfter> {
        match self.log.as_mut()?.read_after(after, max_bytes) {
            ReadAfter::Gap { reason, .. } if reason != GapReason::EpochEnded => None,
            read => Some(read),
        }
    }

    fn newest(&self) -> Option<EventId> {
        self.log.as_ref().map(Log::newest)
    }

    fn is_behind(&self) -> bool {
        self.appended > self.newest()
    }
}

impl Cache {
    pub(super) fn new(keys: Keys, bytes: usize) -> Self {
        Self {
            keys,
            history: History { bytes, age: None },
            state: Mutex::new(State {
                log: None,
                is_read: false,
                waiting: 0,
                idle_since: Instant::now(),
                appended: None,
                disputed_since: None,
                claim: None,
            }),
            changed: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn notify(&self) {
        self.changed.notify_waiters();
    }

    /// Returns the epoch that was claimed on this connection.
    pub(super) fn epoch(&self, generation: u64) -> Option<u64> {
        let claim = self.lock().claim;
        claim.and_then(|(of, epoch)| (of == generation).then_some(epoch))
    }

    pub(super) fn set_epoch(&self, generation: u64, epoch: u64) {
        self.lock().claim = Some((generation, epoch));
    }

    /// Forgets that epoch, which has ended.
    pub(super) fn unset_epoch(&self, epoch: u64) {
        let state = &mut *self.lock();
        if state.claim.is_some_and(|(_, claimed)| claimed == epoch) {
            state.claim = None;
        }
    }

    /// Records what this process has appended. Its own readers must see it even if the cache does
    /// not contain it yet.
    pub(super) fn set_appended(&self, id: EventId) {
        let state = &mut *self.lock();
        state.appended = state.appended.max(Some(id));
    }

    /// Reads from the cache. `None` means that the server must be asked: the cache does not
    /// contain the position, or lacks events that this process has appended.
    pub(super) fn read_after(&self, after: EventId, max_bytes: usize) -> Option<ReadAfter> {
        let state = &mut *self.lock();
        match state.read_after(after, max_bytes)? {
            ReadAfter::UpToDate if state.is_behind() => None,
            read => Some(read),
        }
    }

    /// Reads a position that the server has reported as lost or unknown.
    ///
    /// The cache may know where that epoch ended, or learn it soon, so that the client need not
    /// skip the following events. Limited in time, because the reader's connection may still lead
    /// to a server that is no longer the master.
    pub(super) fn read_disputed(&self, after: EventId, max_bytes: usize) -> Option<ReadAfter> {
        let state = &mut *self.lock();
        let read = state.read_after(after, max_bytes)?;
        let since = *state.disputed_since.get_or_insert_with(Instant::now);
        (since.elapsed() < MAX_DISAGREEMENT).then_some(read)
    }

    /// Waits until there may be events after that position.
    pub(super) async fn wait(self: &Arc<Self>, after: EventId, reader: &Reader) {
        let _waiting = Waiting::new(self, reader);
        loop {
            // Created before the check: it is notified of every read from here on, even if not
            // polled.
            let changed = self.changed.notified();
            let (newest, is_disputed) = {
                let state = self.lock();
                (state.newest(), state.disputed_since.is_some())
            };
            if newest > Some(after) {
                return;
            }
            if is_disputed || newest.is_some_and(|newest| newest < after) {
                let _ = time::timeout(MAX_DISAGREEMENT, changed).await;
                return;
            }
            changed.await;
        }
    }

    /// Clears the cache if no client has waited for some time, and returns whether it did.
    pub(super) fn clear_if_unused(&self) -> bool {
        let state = &mut *self.lock();
        if state.waiting > 0 || state.idle_since.elapsed() < IDLE_TIMEOUT {
            return false;
        }
        (state.is_read, state.log) = (false, None);
        true
    }

    /// The position from which to continue reading.
    pub(super) fn newest(&self) -> Option<EventId> {
        self.lock().newest()
    }

    /// Starts or continues the cache of a stream that currently ends at `last`. Returns whether
    /// the cache has changed.
    pub(super) fn start_at(&self, last: EventId) -> bool {
        let state = &mut *self.lock();
        match &state.log {
            // The entries in between are read next.
            Some(log) if log.newest() <= last => false,
            _ => {
                state.log = Some(Log::new(self.history, last));
                state.disputed_since = None;
                state.appended = state.appended.filter(|id| *id <= last);
                true
            }
        }
    }

    /// Clears the cache, because the stream cannot be read at present.
    pub(super) fn clear(&self) {
        self.lock().log = None;
    }

    /// Moves the cache to `last`, up to which all entries of the stream have been read. Returns
    /// whether the cache has changed.
    pub(super) fn set_end(&self, last: EventId) -> bool {
        let state = &mut *self.lock();
        match &mut state.log {
            Some(log) if log.newest() < last => {
                state.disputed_since = None;
                if log.newest().epoch < last.epoch && last.number == 0 {
                    log.begin_epoch(last.epoch, false);
                } else {
                    *log = Log::new(self.history, last);
                }
                true
            }
            _ => false,
        }
    }

    /// Appends entries that were read after the newest event.
    pub(super) fn append(&self, entries: &[Entry]) {
        let state = &mut *self.lock();
        let Some(log) = &mut state.log else { return };
        state.disputed_since = None;
        let now = Instant::now();
        let mut encoded = Vec::new();
        for entry in entries {
            let (id, newest) = (entry.id, log.newest());
            if id <= newest {
                continue;
            }
            if !follows(newest, id) {
                if newest.epoch < id.epoch && id.number == 1 {
                    log.begin_epoch(id.epoch, false);
                } else {
                    *log = Log::new(self.history, before(id));
                }
            }
            if id.number == 0 {
                continue;
            }
            encoded.clear();
            entry.encode_to(&mut encoded);
            log.append_encoded(&encoded, now);
        }
    }
}

/// Counts a waiting client, until it is dropped.
struct Waiting<'c>(&'c Cache);

impl<'c> Waiting<'c> {
    fn new(cache: &'c Arc<Cache>, reader: &Reader) -> Self {
        let state = &mut *cache.lock();
        state.waiting += 1;
        if !state.is_read {
            state.is_read = true;
            reader.add(cache.clone());
        }
        Self(cache)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let state = &mut *self.0.lock();
        state.waiting -= 1;
        state.idle_since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;
    use crate::redis::connection::ConnectionManager;

    fn id(text: &str) -> EventId {
        text.parse().unwrap()
    }

    fn entries(ids: &[&str]) -> Vec<Entry> {
        let event = b"data: x\n\n".to_vec();
        let entry = |text: &&str| Entry {
            id: id(text),
            event: event.clone(),
        };
        ids.iter().map(entry).collect()
    }

    fn cache(last: &str) -> Cache {
        let cache = Cache::new(Keys::new("p", "t"), 1 << 10);
        assert!(cache.start_at(id(last)));
        cache
    }

    fn read(cache: &Cache, after: &str) -> String {
        match cache.read_after(id(after), 1 << 10) {
            None => "ask the server".into(),
            Some(ReadAfter::UpToDate) => "up to date".into(),
            Some(ReadAfter::Gap { resume, .. }) => format!("ended, {resume}"),
            Some(ReadAfter::Events { count, last, .. }) => format!("{count} to {last}"),
        }
    }

    #[test]
    fn entries_continue_the_window_or_restart_it_after_a_hole() {
        let cache = cache("5-3");
        // Some entries are read twice.
        cache.append(&entries(&["5-3", "5-4", "5-5"]));
        cache.append(&entries(&["5-5", "5-6"]));
        assert_eq!(read(&cache, "5-3"), "3 to 5-6");
        assert_eq!(read(&cache, "5-6"), "up to date");
        for unknown in ["5-2", "5-7", "6-0", "4-1"] {
            assert_eq!(read(&cache, unknown), "ask the server");
        }
        cache.append(&entries(&["7-1", "7-2"]));
        assert_eq!(read(&cache, "5-4"), "2 to 5-6");
        assert_eq!(read(&cache, "5-6"), "ended, 7-0");
        assert_eq!(read(&cache, "7-0"), "2 to 7-2");
        cache.append(&entries(&["7-4"]));
        assert_eq!(read(&cache, "7-2"), "ask the server");
        assert_eq!(read(&cache, "7-3"), "1 to 7-4");
        // The start of that epoch was not read.
        cache.append(&entries(&["9-2"]));
        assert_eq!(read(&cache, "7-4"), "ask the server");
        assert_eq!(read(&cache, "9-1"), "1 to 9-2");
    }

    #[test]
    fn the_window_follows_the_end_of_the_stream_without_entries() {
        let ends = |last, end| {
            let cache = cache(last);
            let changed = cache.start_at(id(end)) | cache.set_end(id(end));
            assert_eq!(cache.newest(), Some(id(end)));
            (changed, read(&cache, last))
        };
        assert_eq!(ends("5-3", "5-3"), (false, "up to date".into()));
        assert_eq!(ends("5-3", "7-0"), (true, "ended, 7-0".into()));
        // All entries in between were trimmed.
        assert_eq!(ends("5-3", "5-4"), (true, "ask the server".into()));
        assert_eq!(ends("5-3", "7-1"), (true, "ask the server".into()));
        // Entries were lost without a new epoch.
        assert_eq!(ends("5-3", "5-2"), (true, "ask the server".into()));
    }

    #[test]
    fn a_window_that_lacks_an_appended_event_does_not_report_up_to_date() {
        let cache = cache("5-3");
        cache.set_appended(id("5-4"));
        assert_eq!(read(&cache, "5-3"), "ask the server");
        cache.append(&entries(&["5-4"]));
        assert_eq!(read(&cache, "5-3"), "1 to 5-4");
        assert_eq!(read(&cache, "5-4"), "up to date");
    }

    #[tokio::test]
    async fn a_window_is_kept_while_clients_wait_and_some_time_longer() {
        let client = ::redis::Client::open("redis://127.0.0.1/").unwrap();
        let connections = Arc::new(ConnectionManager::new(client.clone()));
        let reader = Reader::new(client, connections, ::redis::Script::new(""), 0);
        let cache = Arc::new(cache("5-3"));
        let long_ago = || cache.lock().idle_since = Instant::now() - 2 * IDLE_TIMEOUT;
        {
            let mut waiting = pin!(cache.wait(id("5-3"), &reader));
            let waited = time::timeout(Duration::from_millis(1), waiting.as_mut()).await;
            assert!(waited.is_err());
            long_ago();
            assert!(!cache.clear_if_unused());
        }
        assert!(!cache.clear_if_unused());
        long_ago();
        assert!(cache.clear_if_unused());
        assert_eq!(cache.newest(), None);
    }
}
