//! Who publishes: one event after the other, each once, though the answer may be lost.

use std::time::Duration;

use crate::feed::Feed;
use reqwest::{Client, Response, Url};
use serde_json::json;
use sse_proto::{Decoder, Item};
use tokio::time;

pub(crate) struct Publisher {
    http: Client,
    url: Url,
}

impl Publisher {
    pub(crate) fn new(http: Client, url: Url) -> Self {
        Self { http, url }
    }

    /// Publishes the first event and returns what all ids begin with.
    pub(crate) async fn first(&self, feed: &Feed) -> Result<String, String> {
        let id = self
            .post(feed, 1)
            .await
            .map_err(|error| error.to_string())?;
        let run = id
            .strip_suffix("-1")
            .ok_or(format!("the first event has the id {id}"))?;
        Ok(run.to_owned())
    }

    /// Publishes event `number`, behind that with the id `run`-(`number` - 1).
    pub(crate) async fn publish(&self, feed: &Feed, run: &str, number: u64) -> Result<(), String> {
        loop {
            match self.post(feed, number).await {
                Ok(id) if id == format!("{run}-{number}") => return Ok(()),
                Ok(id) => return Err(format!("event {number} was given the id {id}")),
                Err(error) if error.is_status() => return Err(error.to_string()),
                // Killed before it could answer: it may have come to write the event, or not.
                Err(_) => {}
            }
            loop {
                time::sleep(Duration::from_millis(20)).await;
                match self.is_published(run, number).await {
                    Some(true) => return Ok(()),
                    Some(false) => break,
                    None => {} // it is not back yet, or gone again
                }
            }
        }
    }

    async fn post(&self, feed: &Feed, number: u64) -> reqwest::Result<String> {
        let Some(event) = feed.get(number) else {
            unreachable!("the feed is as long as the load");
        };
        let message = json!({ "event": event.event_type, "data": event.data }).to_string();
        let request = self.http.post(self.url.join("/messages").expect("a path"));
        let request = request
            .header("Content-Type", "application/json")
            .body(message);
        event.set_sent(feed.now());
        request
            .send()
            .await
            .and_then(Response::error_for_status)?
            .text()
            .await
    }

    /// Whether there is an event `number`: a stream that starts behind the one before brings it, or
    /// after a while a heartbeat.
    async fn is_published(&self, run: &str, number: u64) -> Option<bool> {
        let request = self.http.get(self.url.join("/events").expect("a path"));
        let before = format!("{run}-{}", number - 1);
        let response = request.header("Last-Event-ID", before).send().await;
        let mut response = response.ok()?;
        let id = format!("{run}-{number}");
        let mut decoder = Decoder::new();
        while let Some(chunk) = response.chunk().await.ok()? {
            let mut events = decoder.feed(&chunk);
            while let Ok(Some(item)) = events.next_item() {
                match item {
                    Item::Event(event) if event.last_event_id == id => return Some(true),
                    Item::Comment(_) => return Some(false),
                    _ => {}
                }
            }
        }
        None
    }
}
