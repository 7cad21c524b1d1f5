//! Clients that count what they get, and see that nothing is missing.

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

/// Only a candidate that fails takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// All clients of one candidate.
pub(crate) struct Clients {
    received: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<()>>,
}

impl Clients {
    /// Connects so many clients, each with that id.
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
                    panic!("{name}: no event stream");
                };
                let mut events = pin!(events);
                let mut due = None;
                while let Some(event) = events.next().await {
                    let Ok(event) = event else { return };
                    // Those that are published at once have no order, but the ids have.
                    let number = match event.last_event_id().split_once('-') {
                        Some((_, number)) => number,
                        None => &event.data()[..10],
                    };
                    let number: u64 = number.parse().expect("a number");
                    assert_eq!(event.data().len(), 250);
                    assert_eq!(due.unwrap_or(number), number, "{name} leaves events out");
                    due = Some(number + 1);
                    received.fetch_add(1, Relaxed);
                }
            }));
        }
        Ok(Self { received, tasks })
    }

    /// Waits until they have received so many events, all together.
    pub(crate) async fn wait_for(&self, events: u64) -> Result<(), Failure> {
        let start = Instant::now();
        while self.received.load(Relaxed) < events {
            if let Some(ended) = self.tasks.iter().find(|task| task.is_finished()) {
                return Err(format!("a client has ended: {ended:?}").into());
            }
            if start.elapsed() > PATIENCE {
                return Err(
                    format!("{} of {events} events arrive", self.received.load(Relaxed)).into(),
                );
            }
            time::sleep(Duration::from_millis(2)).await;
        }
        if self.received.load(Relaxed) > events {
            return Err("events arrive twice".into());
        }
        Ok(())
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
