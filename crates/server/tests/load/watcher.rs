//! A client that holds each event against what is due.

use std::{
    error::Error,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::feed::Feed;
use futures_util::StreamExt as _;
use reqwest::Url;
use sse_proto::{OwnedEvent, RetryPolicy};
use sse_proto_stream::{Error as Failure, EventSource, Handle, Lost, Received, Reqwest};
use tokio::{task::JoinHandle, time};

const RETRY_POLICY: RetryPolicy = RetryPolicy::new()
    .backoff(Duration::from_secs(2))
    .jitter(100);

/// After so much silence a connection counts as lost.
const PATIENCE: Duration = Duration::from_secs(20);

/// What all clients together have seen.
#[derive(Default)]
pub(crate) struct Tally {
    /// How many are connected now.
    pub(crate) open: AtomicU64,
    /// How many connections there were.
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

    /// In microseconds, of each event that was sent while its client was connected.
    pub(crate) fn latencies(&self) -> Vec<u32> {
        std::mem::take(&mut lock(&self.latencies))
    }
}

pub(crate) struct Watcher {
    seen: Arc<Mutex<Seen>>,
    handle: Handle,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    /// The number of the last event.
    last: u64,
    /// When the connection was opened, if it is open.
    open_since: Option<u64>,
    connections: u64,
    faults: Vec<String>,
}

impl Watcher {
    /// Connects, in a task of the runtime that the caller has entered.
    pub(crate) fn start(
        url: Url,
        run: &str,
        feed: &Arc<Feed>,
        tally: &Arc<Tally>,
    ) -> Result<Self, Box<dyn Error>> {
        let source = EventSource::get(url.as_str(), Reqwest::new()?, time::sleep)?
            .retry_policy(RETRY_POLICY)
            .response_timeout(PATIENCE)
            .read_timeout(PATIENCE);
        let handle = source.handle();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (shared, feed, tally) = (seen.clone(), feed.clone(), tally.clone());
        let before_number = format!("{run}-");
        let task = tokio::spawn(async move {
            let mut source = pin!(source);
            while let Some(received) = source.next().await {
                lock(&shared).receive(received, &before_number, &feed, &tally);
            }
        });
        Ok(Self { seen, handle, task })
    }

    /// The number of the last event that was seen.
    pub(crate) fn seen(&self) -> u64 {
        lock(&self.seen).last
    }

    /// Closes the client. What was wrong with what it has seen of so many events, through so many
    /// kills?
    pub(crate) async fn end(self, published: u64, kills: u32) -> Result<(), Vec<String>> {
        self.handle.close();
        let stopped = self.task.await;
        let mut seen = lock(&self.seen);
        if let Err(panic) = stopped {
            seen.faults.push(panic.to_string());
        }
        if seen.last != published {
            let last = seen.last;
            seen.faults
                .push(format!("the last event was {last} of {published}"));
        }
        if seen.connections <= kills.into() {
            let connections = seen.connections;
            seen.faults.push(format!(
                "there were {connections} connections and {kills} kills"
            ));
        }
        if seen.faults.is_empty() {
            Ok(())
        } else {
            Err(std::mem::take(&mut seen.faults))
        }
    }
}

impl Seen {
    fn receive(
        &mut self,
        received: Result<Received, Failure<Lost>>,
        before_number: &str,
        feed: &Feed,
        tally: &Tally,
    ) {
        match received {
            Ok(Received::Open(_)) => {
                self.open_since = Some(feed.now());
                self.connections += 1;
                tally.open.fetch_add(1, Relaxed);
                tally.opened.fetch_add(1, Relaxed);
                let is_again = self.connections > 1;
                tally.reopened.fetch_add(u64::from(is_again), Relaxed);
            }
            Ok(Received::Event(event)) => self.event(&event, before_number, feed, tally),
            Ok(Received::Lost(_)) => self.lost(tally),
            Err(error) => {
                self.lost(tally);
                self.faults.push(error.to_string());
            }
            Ok(_) => {}
        }
    }

    fn lost(&mut self, tally: &Tally) {
        if self.open_since.take().is_some() {
            tally.open.fetch_sub(1, Relaxed);
        }
    }

    fn event(&mut self, event: &OwnedEvent, before_number: &str, feed: &Feed, tally: &Tally) {
        let now = feed.now();
        let (of_type, data) = (event.event_type(), event.data());
        let (id, due) = (event.last_event_id(), self.last + 1);
        let number = id
            .strip_prefix(before_number)
            .and_then(|number| number.parse().ok());
        let Some((number, event)) = number.and_then(|number| Some((number, feed.get(number)?)))
        else {
            self.faults.push(format!(
                "event {due} was due, and there came {of_type:?} with id {id:?}"
            ));
            return;
        };
        if number != due {
            self.faults
                .push(format!("event {due} was due, and {number} came"));
        }
        if !event.is(of_type, data) {
            self.faults
                .push(format!("event {number} is not what was published"));
        }
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
