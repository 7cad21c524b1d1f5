//! Who publishes: one event after the other, each once, though the answer may be lost.

use std::{error::Error, time::Duration};

use crate::feed::{Event, Feed};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, StatusCode,
    body::{Bytes, Incoming},
};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use serde_json::{Value, json};
use sse_proto::{Decoder, Item};
use sse_proto_server::EventId;
use tokio::time;

pub(crate) type Http = Client<HttpConnector, Full<Bytes>>;

pub(crate) struct Publisher {
    http: Http,
    /// As "127.0.0.2:1234".
    address: String,
}

/// What became of an event.
enum Posted {
    Done(EventId),
    NotDone,
    Unknown,
    Refused(StatusCode),
}

impl Publisher {
    pub(crate) fn new(http: Http, address: &str) -> Self {
        Self {
            http,
            address: address.to_owned(),
        }
    }

    /// Publishes event `number`. Those before it must be published.
    pub(crate) async fn publish(&self, feed: &Feed, number: u64) -> Result<(), String> {
        let Some(event) = feed.get(number) else {
            return Err("the feed is shorter than the load".to_owned());
        };
        let before = feed.get(number - 1).and_then(Event::id);
        let id = 'id: loop {
            event.set_sent(feed.now());
            match self.post(event).await {
                Posted::Done(id) => break id,
                Posted::NotDone => {
                    time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
                Posted::Refused(status) => return Err(format!("event {number}: {status}")),
                // Killed before it could answer: it may have come to write the event, or not.
                Posted::Unknown => {}
            }
            let before = before.ok_or("the first event was lost")?;
            loop {
                time::sleep(Duration::from_millis(20)).await;
                match self.next_after(before).await {
                    Some(Some(id)) => break 'id id,
                    Some(None) => break,
                    None => {} // it is not back yet, or gone again
                }
            }
        };
        if event.has_id(id) {
            Ok(())
        } else {
            Err(format!("event {number} has two ids"))
        }
    }

    async fn post(&self, event: &Event) -> Posted {
        let message = json!({ "event": event.event_type, "data": event.data }).to_string();
        let request = Request::post(format!("http://{}/messages", self.address))
            .header("Content-Type", "application/json")
            .body(message.into())
            .expect("a path");
        let Ok(response) = self.http.request(request).await else {
            return Posted::Unknown;
        };
        match response.status() {
            StatusCode::OK => {}
            StatusCode::SERVICE_UNAVAILABLE => return Posted::NotDone,
            StatusCode::GATEWAY_TIMEOUT => return Posted::Unknown,
            status => return Posted::Refused(status),
        }
        let text = text(response.into_body()).await.unwrap_or_default();
        text.parse().map_or(Posted::Unknown, Posted::Done)
    }

    /// The event after `before`, or whether there is none: a stream that starts there brings it, or
    /// after a while a heartbeat.
    async fn next_after(&self, before: EventId) -> Option<Option<EventId>> {
        let request = Request::get(format!("http://{}/events", self.address))
            .header("Last-Event-ID", before.to_string())
            .body(Full::default())
            .expect("a path");
        let mut body = self.http.request(request).await.ok()?.into_body();
        let mut decoder = Decoder::new();
        while let Some(frame) = body.frame().await {
            let chunk = frame.ok()?.into_data().unwrap_or_default();
            let mut events = decoder.feed(&chunk);
            while let Ok(Some(item)) = events.next_item() {
                match item {
                    Item::Event(event) => return event.last_event_id.parse().ok().map(Some),
                    Item::Comment(_) => return Some(None),
                    _ => {}
                }
            }
        }
        None
    }

    /// The numbers that the server tells of itself.
    pub(crate) async fn stats(&self) -> Result<Value, Box<dyn Error>> {
        let url = format!("http://{}/stats", self.address).parse()?;
        let response = self.http.get(url).await?;
        Ok(serde_json::from_str(&text(response.into_body()).await?)?)
    }
}

async fn text(body: Incoming) -> Result<String, Box<dyn Error>> {
    Ok(String::from_utf8(body.collect().await?.to_bytes().into())?)
}
