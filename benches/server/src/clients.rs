//! Clients that count their events and check that none is missing.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::StreamExt as _;
use sse_proto_stream::EventStream;
use tokio::{task::JoinHandle, time};

use crate::candidate::Candidate;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Only a failing candidate takes this long.
const TIMEOUT: Duration = Duration::from_secs(60);

/// All clients of one candidate.
pub(crate) struct Clients {
    received: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<()>>,
}

impl Clients {
    /// Connects `clients` clients with `last_event_id`.
    pub(crate) async fn connect(
        candidate: &Candidate,
        clients: usize,
        last_event_id: &str,
    ) -> Result<Self, Failure> {
        let received = Arc::new(AtomicU64::new(0));
        let mut tasks = Vec::new();
        for _ in 0..clients {
            let response = candidate.events(last_event_id).await?;
            let (received, name) = (received.clone(), candidate.name.clone());
            tasks.push(tokio::spawn(async move {
                let Ok(events) = EventStream::from_response(response) else {
                    panic!("{name}: not an event stream");
                };
                let mut events = pin!(events);
                let mut expected = None;
                while let Some(event) = events.next().await {
                    let Ok(event) = event else { return };
                    // Events published concurrently have no order, but their ids have.
                    let number = match event.last_event_id().split_once('-') {
                        Some((_, number)) => number,
                        None => &event.data()[..10],
                    };
                    let number: u64 = number.parse().expect("a number");
                    assert_eq!(event.data().len(), 250);
                    assert_eq!(expected.unwrap_or(number), number, "{name} skipped events");
                    expected = Some(number + 1);
                    received.fetch_add(1, Relaxed);
                }
            }));
        }
        Ok(Self { received, tasks })
    }

    /// Waits until all clients together have received `events` events.
    pub(crate) async fn wait_for(&self, events: u64) -> Result<(), Failure> {
        let start = Instant::now();
        while self.received.load(Relaxed) < events {
            if let Some(ended) = self.tasks.iter().find(|task| task.is_finished()) {
                return Err(format!("a client has ended: {ended:?}").into());
            }
            if start.elapsed() > TIMEOUT {
                return Err(format!(
                    "only {} of {events} events arrived",
                    self.received.load(Relaxed)
                )
                .into());
            }
            time::sleep(Duration::from_millis(2)).await;
        }
        if self.received.load(Relaxed) > events {
            return Err("events arrived twice".into());
        }
        Ok(())
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
