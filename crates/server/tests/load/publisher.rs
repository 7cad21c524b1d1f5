//! Publishes one event after the other, each once, even if responses are lost.

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
    /// For example "127.0.0.2:1234".
    address: String,
}

/// The outcome of a POST request.
enum Posted {
    Done(EventId),
    NotPublished,
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

    /// Publishes the event `number`. All previous events must have been published.
    pub(crate) async fn publish(&self, feed: &Feed, number: u64) -> Result<(), String> {
        let Some(event) = feed.get(number) else {
            return Err("the feed has no more events".to_owned());
        };
        let previous = feed.get(number - 1).and_then(Event::id);
        let id = 'id: loop {
            event.set_sent(feed.now());
            match self.post(event).await {
                Posted::Done(id) => break id,
                Posted::NotPublished => {
                    time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
                Posted::Refused(status) => return Err(format!("event {number}: {status}")),
                // The server was killed before it responded. The event may have been written.
                Posted::Unknown => {}
            }
            let previous = previous.ok_or("the first event was lost")?;
            loop {
                time::sleep(Duration::from_millis(20)).await;
                match self.next_after(previous).await {
                    Some(Some(id)) => break 'id id,
                    Some(None) => break,
                    None => {} // it is not up yet, or was killed again
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
            StatusCode::SERVICE_UNAVAILABLE => return Posted::NotPublished,
            StatusCode::GATEWAY_TIMEOUT => return Posted::Unknown,
            status => return Posted::Refused(status),
        }
        let text = text(response.into_body()).await.unwrap_or_default();
        text.parse().map_or(Posted::Unknown, Posted::Done)
    }

    /// Reads the stream after `previous`. Returns `Some(Some(_))` for an event, `Some(None)` if a
    /// keep-alive comment arrives instead, and `None` if the server cannot be reached.
    async fn next_after(&self, previous: EventId) -> Option<Option<EventId>> {
        let request = Request::get(format!("http://{}/events", self.address))
            .header("Last-Event-ID", previous.to_string())
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

    /// Requests the server's statistics.
    pub(crate) async fn stats(&self) -> Result<Value, Box<dyn Error>> {
        let url = format!("http://{}/stats", self.address).parse()?;
        let response = self.http.get(url).await?;
        Ok(serde_json::from_str(&text(response.into_body()).await?)?)
    }
}

async fn text(body: Incoming) -> Result<String, Box<dyn Error>> {
    Ok(String::from_utf8(body.collect().await?.to_bytes().into())?)
}
