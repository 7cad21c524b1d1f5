//! Publishes through one of the servers and records the outcomes.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use sse_proto_server::EventId;
use tokio::time;

use crate::Failure;

pub(crate) type Http = Client<HttpConnector, Full<Bytes>>;

/// What is known about all events, from publishers and clients.
#[derive(Default)]
pub(crate) struct Ledger {
    /// The data of each id.
    events: Mutex<BTreeMap<EventId, String>>,
    /// The id of each data.
    ids: Mutex<HashMap<String, EventId>>,
    pub(crate) acknowledged: Mutex<BTreeMap<EventId, String>>,
    pub(crate) sent_at: Mutex<HashMap<String, Instant>>,
    pub(crate) not_published: Mutex<Vec<String>>,
    pub(crate) unknown: AtomicU64,
    pub(crate) is_over: AtomicBool,
    /// The engine was restarted without its data.
    pub(crate) was_emptied: AtomicBool,
}

impl Ledger {
    /// Records an event. No id names two events, and no event has two ids, unless the first was
    /// lost with the engine's data before its publisher got a reply.
    pub(crate) fn record(&self, id: EventId, data: &str) -> Result<(), String> {
        let mut events = self.events.lock().unwrap();
        let known = events.entry(id).or_insert_with(|| data.to_owned());
        if known != data {
            return Err(format!("{id} is {known} and {data}"));
        }
        let mut ids = self.ids.lock().unwrap();
        let known = ids.entry(data.to_owned()).or_insert(id);
        if *known != id && !(self.was_emptied.load(Relaxed) && known.epoch != id.epoch) {
            return Err(format!("{data} is {known} and {id}"));
        }
        Ok(())
    }

    pub(crate) fn was_seen(&self, data: &str) -> bool {
        self.ids.lock().unwrap().contains_key(data)
    }

    pub(crate) fn ids(&self) -> Vec<EventId> {
        self.events.lock().unwrap().keys().copied().collect()
    }
}

/// Publishes one event after the other until the run is over.
pub(crate) async fn publish(
    http: Http,
    url: String,
    name: &'static str,
    ledger: Arc<Ledger>,
) -> Result<(), Failure> {
    for number in 0.. {
        if ledger.is_over.load(Relaxed) {
            break;
        }
        let data = format!("{name} {number} {}", "x".repeat(number % 300));
        publish_one(&http, &url, &data, &ledger).await?;
        time::sleep(Duration::from_millis(8)).await;
    }
    Ok(())
}

/// Publishes an event. Returns its id if it was acknowledged.
pub(crate) async fn publish_one(
    http: &Http,
    url: &str,
    data: &str,
    ledger: &Ledger,
) -> Result<Option<EventId>, Failure> {
    let request = Request::post(url).body(Full::from(data.to_owned()))?;
    ledger
        .sent_at
        .lock()
        .unwrap()
        .insert(data.to_owned(), Instant::now());
    let Ok(response) = http.request(request).await else {
        // The server was killed during the request, or is down.
        ledger.unknown.fetch_add(1, Relaxed);
        return Ok(None);
    };
    match response.status() {
        StatusCode::OK => {
            let Ok(body) = response.into_body().collect().await else {
                ledger.unknown.fetch_add(1, Relaxed);
                return Ok(None);
            };
            let id = std::str::from_utf8(&body.to_bytes())?.parse()?;
            ledger.record(id, data)?;
            ledger
                .acknowledged
                .lock()
                .unwrap()
                .insert(id, data.to_owned());
            Ok(Some(id))
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            ledger.not_published.lock().unwrap().push(data.to_owned());
            Ok(None)
        }
        StatusCode::GATEWAY_TIMEOUT => {
            ledger.unknown.fetch_add(1, Relaxed);
            Ok(None)
        }
        other => Err(format!("{other} for an event").into()),
    }
}
