//! The latest events of one topic in this process, as the reading task has read them.
//!
//! There is a window as long as somebody waits for the topic, and some time longer. Everything in
//! it came from the stream in its order, without holes: where one is met, the window starts anew
//! after it, and clients that are before it have to ask the server what they missed.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{sync::Notify, time};

use super::{
    keys::Keys,
    look::{before, follows},
    reader::Reader,
    reply::Entry,
};
use crate::{
    EventId, GapReason, ReadAfter,
    log::{History, Log},
};

/// How long a topic is read after the last client has left.
const LINGER: Duration = Duration::from_secs(30);
/// How soon a client asks the server that knows more, or less, than the window.
const BEHIND: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Window {
    pub(super) keys: Keys,
    history: History,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    /// None until the reading task has found out where the stream ends.
    log: Option<Log>,
    /// The reading task has this window, or is about to.
    watched: bool,
    waiting: usize,
    /// When the last client stopped waiting.
    idle_since: Instant,
    /// The newest event that this process has appended.
    appended: Option<EventId>,
    /// Since when the server says that it does not know, or has lost, a position that the window
    /// has.
    lost_since: Option<Instant>,
    /// The epoch in which to append, and on which connection it was claimed.
    claim: Option<(u64, u64)>,
}

impl State {
    fn read_after(&mut self, after: EventId, max_bytes: usize) -> Option<ReadAfter> {
        match self.log.as_mut()?.read_after(after, max_bytes) {
            ReadAfter::Gap { reason, .. } if reason != GapReason::EpochEnded => None,
            answer => Some(answer),
        }
    }

    fn head(&self) -> Option<EventId> {
        self.log.as_ref().map(Log::head)
    }

    fn is_behind(&self) -> bool {
        self.appended > self.head()
    }
}

impl Window {
    pub(super) fn new(keys: Keys, bytes: usize) -> Self {
        Self {
            keys,
            history: History { bytes, age: None },
            state: Mutex::new(State {
                log: None,
                watched: false,
                waiting: 0,
                idle_since: Instant::now(),
                appended: None,
                lost_since: None,
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

    /// The epoch that was claimed on this connection.
    pub(super) fn epoch(&self, generation: u64) -> Option<u64> {
        let claim = self.lock().claim;
        claim.and_then(|(of, epoch)| (of == generation).then_some(epoch))
    }

    pub(super) fn set_epoch(&self, generation: u64, epoch: u64) {
        self.lock().claim = Some((generation, epoch));
    }

    /// That epoch is over.
    pub(super) fn unset_epoch(&self, epoch: u64) {
        let state = &mut *self.lock();
        if state.claim.is_some_and(|(_, claimed)| claimed == epoch) {
            state.claim = None;
        }
    }

    /// Notes what this process has appended: its own readers have to see it even if the window does
    /// not have it yet.
    pub(super) fn set_appended(&self, id: EventId) {
        let state = &mut *self.lock();
        state.appended = state.appended.max(Some(id));
    }

    /// The answer, if the window has it. That nothing follows is left to the server to say while
    /// the window lacks what this process has appended.
    pub(super) fn read_after(&self, after: EventId, max_bytes: usize) -> Option<ReadAfter> {
        let state = &mut *self.lock();
        match state.read_after(after, max_bytes)? {
            ReadAfter::UpToDate if state.is_behind() => None,
            answer => Some(answer),
        }
    }

    /// The answer after the server has said that it does not know the position, or has lost it.
    ///
    /// The window may know where that epoch ended, or is about to learn it; the client then need
    /// not skip what follows. This is limited in time, as the reading connection may still lead to
    /// a server that is no longer the master.
    pub(super) fn read_after_lost(&self, after: EventId, max_bytes: usize) -> Option<ReadAfter> {
        let state = &mut *self.lock();
        let answer = state.read_after(after, max_bytes)?;
        let since = *state.lost_since.get_or_insert_with(Instant::now);
        (since.elapsed() < BEHIND).then_some(answer)
    }

    /// Waits until there may be something after that position.
    pub(super) async fn wait(self: &Arc<Self>, after: EventId, reader: &Reader) {
        let _waiting = Waiting::new(self, reader);
        loop {
            // Woken by whatever is read from here on, polled or not.
            let changed = self.changed.notified();
            let (head, is_lost) = {
                let state = self.lock();
                (state.head(), state.lost_since.is_some())
            };
            if head > Some(after) {
                return;
            }
            if is_lost || head.is_some_and(|head| head < after) {
                let _ = time::timeout(BEHIND, changed).await;
                return;
            }
            changed.await;
        }
    }

    /// Ends the window if nobody has waited for some time.
    pub(super) fn is_unused(&self) -> bool {
        let state = &mut *self.lock();
        if state.waiting > 0 || state.idle_since.elapsed() < LINGER {
            return false;
        }
        (state.watched, state.log) = (false, None);
        true
    }

    /// The position after which to read on.
    pub(super) fn head(&self) -> Option<EventId> {
        self.lock().head()
    }

    /// The stream ends at `last` now. Returns whether the window has changed.
    pub(super) fn begin(&self, last: EventId) -> bool {
        let state = &mut *self.lock();
        match &state.log {
            // What is between is read next.
            Some(log) if log.head() <= last => false,
            _ => {
                state.log = Some(Log::new(self.history, last));
                state.lost_since = None;
                state.appended = state.appended.filter(|id| *id <= last);
                true
            }
        }
    }

    /// The stream cannot be read for now.
    pub(super) fn end(&self) {
        self.lock().log = None;
    }

    /// All that was in the stream when it ended at `last` was read. Returns whether the window has
    /// changed.
    pub(super) fn settle(&self, last: EventId) -> bool {
        let state = &mut *self.lock();
        match &mut state.log {
            Some(log) if log.head() < last => {
                state.lost_since = None;
                if log.head().epoch < last.epoch && last.number == 0 {
                    log.begin_epoch(last.epoch, false);
                } else {
                    *log = Log::new(self.history, last);
                }
                true
            }
            _ => false,
        }
    }

    /// Appends what was read after the head.
    pub(super) fn append(&self, entries: &[Entry]) {
        let state = &mut *self.lock();
        let Some(log) = &mut state.log else { return };
        state.lost_since = None;
        let now = Instant::now();
        let mut encoded = Vec::new();
        for entry in entries {
            let (id, head) = (entry.id, log.head());
            if id <= head {
                continue;
            }
            if !follows(head, id) {
                if head.epoch < id.epoch && id.number == 1 {
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

/// Somebody who waits.
struct Waiting<'w>(&'w Window);

impl<'w> Waiting<'w> {
    fn new(window: &'w Arc<Window>, reader: &Reader) -> Self {
        let state = &mut *window.lock();
        state.waiting += 1;
        if !state.watched {
            state.watched = true;
            reader.add(window.clone());
        }
        Self(window)
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
    use crate::redis::link::Link;

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

    fn window(last: &str) -> Window {
        let window = Window::new(Keys::new("p", "t"), 1 << 10);
        assert!(window.begin(id(last)));
        window
    }

    fn read(window: &Window, after: &str) -> String {
        match window.read_after(id(after), 1 << 10) {
            None => "ask".into(),
            Some(ReadAfter::UpToDate) => "up to date".into(),
            Some(ReadAfter::Gap { resume, .. }) => format!("ended, {resume}"),
            Some(ReadAfter::Events { count, last, .. }) => format!("{count} to {last}"),
        }
    }

    #[test]
    fn what_is_read_joins_without_holes_or_the_window_starts_anew() {
        let window = window("5-3");
        // Some of it for the second time.
        window.append(&entries(&["5-3", "5-4", "5-5"]));
        window.append(&entries(&["5-5", "5-6"]));
        assert_eq!(read(&window, "5-3"), "3 to 5-6");
        assert_eq!(read(&window, "5-6"), "up to date");
        for unknown in ["5-2", "5-7", "6-0", "4-1"] {
            assert_eq!(read(&window, unknown), "ask");
        }
        window.append(&entries(&["7-1", "7-2"]));
        assert_eq!(read(&window, "5-4"), "2 to 5-6");
        assert_eq!(read(&window, "5-6"), "ended, 7-0");
        assert_eq!(read(&window, "7-0"), "2 to 7-2");
        window.append(&entries(&["7-4"]));
        assert_eq!(read(&window, "7-2"), "ask");
        assert_eq!(read(&window, "7-3"), "1 to 7-4");
        // The start of that epoch was not seen.
        window.append(&entries(&["9-2"]));
        assert_eq!(read(&window, "7-4"), "ask");
        assert_eq!(read(&window, "9-1"), "1 to 9-2");
    }

    #[test]
    fn the_end_of_the_stream_is_followed_where_no_entries_tell_it() {
        let ends = |last, end| {
            let window = window(last);
            let changed = window.begin(id(end)) | window.settle(id(end));
            assert_eq!(window.head(), Some(id(end)));
            (changed, read(&window, last))
        };
        assert_eq!(ends("5-3", "5-3"), (false, "up to date".into()));
        assert_eq!(ends("5-3", "7-0"), (true, "ended, 7-0".into()));
        // All that was in between is trimmed.
        assert_eq!(ends("5-3", "5-4"), (true, "ask".into()));
        assert_eq!(ends("5-3", "7-1"), (true, "ask".into()));
        // Lost, without a new epoch.
        assert_eq!(ends("5-3", "5-2"), (true, "ask".into()));
    }

    #[test]
    fn a_window_that_lacks_what_was_appended_is_not_asked_for_what_is_new() {
        let window = window("5-3");
        window.set_appended(id("5-4"));
        assert_eq!(read(&window, "5-3"), "ask");
        window.append(&entries(&["5-4"]));
        assert_eq!(read(&window, "5-3"), "1 to 5-4");
        assert_eq!(read(&window, "5-4"), "up to date");
    }

    #[tokio::test]
    async fn a_window_is_kept_while_somebody_waits_and_some_time_longer() {
        let client = ::redis::Client::open("redis://127.0.0.1/").unwrap();
        let link = Arc::new(Link::new(client.clone()));
        let reader = Reader::new(client, link, ::redis::Script::new(""), 0);
        let window = Arc::new(window("5-3"));
        let long_ago = || window.lock().idle_since = Instant::now() - 2 * LINGER;
        {
            let mut waiting = pin!(window.wait(id("5-3"), &reader));
            let waited = time::timeout(Duration::from_millis(1), waiting.as_mut()).await;
            assert!(waited.is_err());
            long_ago();
            assert!(!window.is_unused());
        }
        assert!(!window.is_unused());
        long_ago();
        assert!(window.is_unused());
        assert_eq!(window.head(), None);
    }
}
