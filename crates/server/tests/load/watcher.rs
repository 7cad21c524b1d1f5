//! A client that compares each event with the expected one.

use std::{
    error::Error,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::{feed::Feed, publisher::Http};
use futures_util::StreamExt as _;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use sse_proto::{OwnedEvent, Reason, RetryPolicy};
use sse_proto_server::EventId;
use sse_proto_stream::{Error as Failure, EventSource, Handle, HyperUtil, Lost, Received};
use tokio::{task::JoinHandle, time};

/// Without jitter, because the server is expected to spread reconnects.
const RETRY_POLICY: RetryPolicy = RetryPolicy::new().backoff(Duration::from_secs(2));

/// The timeout for responses, and for silence.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The totals of all clients.
#[derive(Default)]
pub(crate) struct Tally {
    /// Clients connected now.
    pub(crate) open: AtomicU64,
    /// Connections opened so far.
    pub(crate) opened: AtomicU64,
    reopened: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) bytes: AtomicU64,
    latencies: Mutex<Vec<u32>>,
}

impl Tally {
    pub(crate) fn reopened(&self) -> u64 {
        self.reopened.load(Relaxed)
    }

    /// The latencies in microseconds of all events sent while the client was connected.
    pub(crate) fn latencies(&self) -> Vec<u32> {
        std::mem::take(&mut lock(&self.latencies))
    }
}

pub(crate) struct Watcher {
    seen: Arc<Mutex<Seen>>,
    handle: Handle,
    task: JoinHandle<()>,
}

/// How the latest connection ended.
#[derive(Clone, Copy)]
pub(crate) struct End {
    /// When, as [`Feed::now`].
    pub(crate) at: u64,
    pub(crate) reason: Reason,
    /// The server's latest reconnection time.
    pub(crate) retry: Duration,
}

#[derive(Default)]
struct Seen {
    /// The number of the last event.
    last: u64,
    last_id: Option<EventId>,
    /// When the connection was opened, if it is open.
    open_since: Option<u64>,
    connections: u64,
    /// The server's latest reconnection time.
    retry: Duration,
    ended: Option<End>,
    errors: Vec<String>,
}

impl Watcher {
    /// Connects in a task of the current runtime.
    pub(crate) fn start(
        url: &str,
        feed: &Arc<Feed>,
        tally: &Arc<Tally>,
    ) -> Result<Self, Box<dyn Error>> {
        // A separate HTTP client, so that no connections are shared.
        let http: Http = Client::builder(TokioExecutor::new()).build_http();
        let source = EventSource::get(url, HyperUtil::from(http), time::sleep)?
            .retry_policy(RETRY_POLICY)
            .items(true)
            .response_timeout(TIMEOUT)
            .read_timeout(TIMEOUT);
        let handle = source.handle();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (shared, feed, tally) = (seen.clone(), feed.clone(), tally.clone());
        let task = tokio::spawn(async move {
            let mut source = pin!(source);
            while let Some(received) = source.next().await {
                lock(&shared).receive(received, &feed, &tally);
            }
        });
        Ok(Self { seen, handle, task })
    }

    /// The number of the last event that was seen.
    pub(crate) fn seen(&self) -> u64 {
        lock(&self.seen).last
    }

    /// When its connection was opened, if it is open, as [`Feed::now`].
    pub(crate) fn open_since(&self) -> Option<u64> {
        lock(&self.seen).open_since
    }

    pub(crate) fn last_end(&self) -> Option<End> {
        lock(&self.seen).ended
    }

    /// Closes the client. Returns errors in what it has received, given the number of published
    /// events and of restarts.
    pub(crate) async fn end(self, published: u64, restarts: u32) -> Result<(), Vec<String>> {
        self.handle.close();
        let stopped = self.task.await;
        let mut seen = lock(&self.seen);
        if let Err(panic) = stopped {
            seen.errors.push(panic.to_string());
        }
        if seen.last != published {
            let last = seen.last;
            seen.errors
                .push(format!("the last event was {last} of {published}"));
        }
        if seen.connections <= restarts.into() {
            let connections = seen.connections;
            seen.errors.push(format!(
                "there were {connections} connections and {restarts} restarts"
            ));
        }
        if seen.errors.is_empty() {
            Ok(())
        } else {
            Err(std::mem::take(&mut seen.errors))
        }
    }
}

impl Seen {
    fn receive(&mut self, received: Result<Received, Failure<Lost>>, feed: &Feed, tally: &Tally) {
        match received {
            Ok(Received::Open(_)) => {
                self.open_since = Some(feed.now());
                self.connections += 1;
                tally.open.fetch_add(1, Relaxed);
                tally.opened.fetch_add(1, Relaxed);
                let is_again = self.connections > 1;
                tally.reopened.fetch_add(u64::from(is_again), Relaxed);
            }
            Ok(Received::Event(event)) => self.event(&event, feed, tally),
            Ok(Received::Retry(time)) => self.retry = time,
            Ok(Received::Lost(lost)) => self.lost(lost.reason(), feed, tally),
            Err(error) => {
                self.lost(Reason::Permanent, feed, tally);
                self.errors.push(error.to_string());
            }
            Ok(_) => {}
        }
    }

    fn lost(&mut self, reason: Reason, feed: &Feed, tally: &Tally) {
        if self.open_since.take().is_some() {
            tally.open.fetch_sub(1, Relaxed);
            let (at, retry) = (feed.now(), self.retry);
            self.ended = Some(End { at, reason, retry });
        }
    }

    fn event(&mut self, event: &OwnedEvent, feed: &Feed, tally: &Tally) {
        let now = feed.now();
        let (of_type, data) = (event.event_type(), event.data());
        let number = self.last + 1;
        let id = event.last_event_id();
        let is_next = |id: &EventId| match self.last_id {
            Some(last) if last.epoch == id.epoch => id.number == last.number + 1,
            // The first event, or the first one after a restart.
            last => id.number == 1 && last.is_none_or(|last| last.epoch < id.epoch),
        };
        let next = id.parse().ok().filter(is_next);
        let (Some(id), Some(event)) = (next, feed.get(number)) else {
            self.errors.push(format!(
                "expected event {number} after {:?}, but received {of_type:?} with id {id:?}",
                self.last_id
            ));
            return;
        };
        if !event.is(of_type, data) {
            self.errors
                .push(format!("event {number} differs from what was published"));
        }
        if !event.has_id(id) {
            self.errors.push(format!(
                "event {number} has a different id for other clients"
            ));
        }
        self.last_id = Some(id);
        self.last = number;
        tally.delivered.fetch_add(1, Relaxed);
        tally.bytes.fetch_add(data.len() as u64, Relaxed);
        let sent = event.sent();
        if self.open_since.is_some_and(|since| since < sent) {
            let latency = now.saturating_sub(sent);
            lock(&tally.latencies).push(u32::try_from(latency).unwrap_or(u32::MAX));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
