//! A client that switches to the other server at each connection attempt.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::StreamExt as _;
use sse_proto::RetryPolicy;
use sse_proto_server::{EventId, GapReason};
use sse_proto_stream::{EventSource, HyperUtil, Received};
use tokio::time;

use crate::{
    observations::Observation,
    publisher::{Http, Ledger},
};

#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) connections: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) gaps: AtomicU64,
    /// Microseconds from the publish request to the event, for every hundredth event.
    pub(crate) latencies: std::sync::Mutex<Vec<u64>>,
}

/// Reads up to the event whose data starts with "the end".
pub(crate) async fn watch(
    http: Http,
    urls: [String; 2],
    number: usize,
    ledger: Arc<Ledger>,
    tally: Arc<Tally>,
) -> Result<Vec<Observation>, String> {
    let mut attempt = number;
    let source = EventSource::get(&urls[number % 2], HyperUtil::from(http), time::sleep)
        .map_err(|error| error.to_string())?
        .retry_policy(RetryPolicy::new().jitter(100))
        .response_timeout(Duration::from_secs(10))
        .read_timeout(Duration::from_secs(10))
        .prepare_request(move |request| {
            if let Ok(url) = urls[attempt % 2].parse() {
                *request.uri_mut() = url;
            }
            attempt += 1;
        });
    let mut source = pin!(source);
    let mut observations = Vec::new();
    let mut position = None;
    while let Some(received) = source.next().await {
        let event = match received.map_err(|error| error.to_string())? {
            Received::Open(_) => {
                tally.connections.fetch_add(1, Relaxed);
                continue;
            }
            Received::Event(event) => event,
            _ => continue,
        };
        let id: EventId = event
            .last_event_id()
            .parse()
            .map_err(|_| format!("{event:?} has no id"))?;
        // The stream starts with the oldest event.
        let before = *position.get_or_insert_with(|| {
            let start = if event.event_type() == "gap" {
                id
            } else {
                EventId {
                    number: id.number - 1,
                    ..id
                }
            };
            observations.push(Observation::Start(start));
            start
        });
        position = Some(id);
        if event.event_type() == "gap" {
            let reason = match event.data() {
                "too-old" => GapReason::TooOld,
                "ahead" => GapReason::Ahead,
                "unknown" => GapReason::Unknown,
                "epoch-ended" => GapReason::EpochEnded,
                other => return Err(format!("a gap with the reason {other:?}")),
            };
            tally.gaps.fetch_add(1, Relaxed);
            observations.push(Observation::Gap {
                after: before,
                reason,
                resume: id,
            });
            continue;
        }
        ledger.record(id, event.data())?;
        observations.push(Observation::Event(id));
        if tally.delivered.fetch_add(1, Relaxed) % 100 == 0 {
            let sent = ledger.sent_at.lock().unwrap().get(event.data()).copied();
            let latency = sent.map_or(Duration::ZERO, |sent| Instant::now() - sent);
            tally
                .latencies
                .lock()
                .unwrap()
                .push(latency.as_micros() as u64);
        }
        if event.data().starts_with("the end") {
            return Ok(observations);
        }
    }
    Err("the client has given up".to_owned())
}
