//! A client that holds each event against what is due.

use std::{
    error::Error,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::{
    client::{Client, Handle},
    feed::Feed,
};
use reqwest::{Url, header::HeaderMap};
use sse_proto::{EventSource, Message, Reason, RetryPolicy};
use tokio::task::JoinHandle;

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
    task: JoinHandle<Option<Reason>>,
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
        let source = EventSource::new(url)?.retry_policy(RETRY_POLICY);
        let mut client = Client::new(source, HeaderMap::new(), PATIENCE)?;
        let seen = Arc::new(Mutex::new(Seen::default()));

        let (shared, its_feed, its_tally) = (seen.clone(), feed.clone(), tally.clone());
        client.on_open(move |_| {
            let mut seen = lock(&shared);
            seen.open_since = Some(its_feed.now());
            seen.connections += 1;
            its_tally.open.fetch_add(1, Relaxed);
            its_tally.opened.fetch_add(1, Relaxed);
            its_tally
                .reopened
                .fetch_add(u64::from(seen.connections > 1), Relaxed);
        });

        let (shared, its_tally) = (seen.clone(), tally.clone());
        client.on_error(move |_, _, _| {
            if lock(&shared).open_since.take().is_some() {
                its_tally.open.fetch_sub(1, Relaxed);
            }
        });

        let (shared, its_feed, its_tally) = (seen.clone(), feed.clone(), tally.clone());
        let before_number = format!("{run}-");
        client.on_any(move |message| {
            lock(&shared).message(message, &before_number, &its_feed, &its_tally);
        });

        let shared = seen.clone();
        client.on_warning(move |warning| lock(&shared).faults.push(warning.to_string()));

        let handle = client.handle();
        let task = tokio::spawn(async move { client.run().await });
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
        match stopped {
            Ok(None) => {}
            Ok(Some(reason)) => seen.faults.push(format!("stopped: {reason}")),
            Err(panic) => seen.faults.push(panic.to_string()),
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
    fn message(&mut self, message: Message<'_>, before_number: &str, feed: &Feed, tally: &Tally) {
        let now = feed.now();
        let (id, due) = (message.last_event_id, self.last + 1);
        let number = id
            .strip_prefix(before_number)
            .and_then(|number| number.parse().ok());
        let Some((number, event)) = number.and_then(|number| Some((number, feed.get(number)?)))
        else {
            let of_type = message.event_type;
            self.faults.push(format!(
                "event {due} was due, and there came {of_type:?} with id {id:?}"
            ));
            return;
        };
        if number != due {
            self.faults
                .push(format!("event {due} was due, and {number} came"));
        }
        if !event.is(message.event_type, message.data) {
            self.faults
                .push(format!("event {number} is not what was published"));
        }
        self.last = number;
        tally.delivered.fetch_add(1, Relaxed);
        tally.bytes.fetch_add(message.data.len() as u64, Relaxed);
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
