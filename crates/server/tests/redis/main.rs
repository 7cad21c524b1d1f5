//! `RedisStore` on real servers, over connections that break. Run by `tests/redis.sh`.

#![cfg(feature = "redis")]

mod appends;
mod connections;
mod epochs;
mod reads;
#[path = "../support/redis.rs"]
mod support;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sse_proto::Frame;
use sse_proto_server::{
    AppendError, EventId, GapReason, Publisher, ReadAfter, RedisStore, RedisTopic, Store as _,
    Token, Topic as _,
};
use support::{Proxy, Server};
use tokio::time::{sleep, timeout};

async fn store(url: &str) -> RedisStore {
    RedisStore::connect(url, "test").await.unwrap()
}

async fn store_with_timeout(url: &str, millis: u64) -> RedisStore {
    let builder = RedisStore::builder(url, "test").append_timeout(Duration::from_millis(millis));
    builder.connect().await.unwrap()
}

fn topic(store: &RedisStore) -> Arc<RedisTopic> {
    store.topic("news").unwrap()
}

async fn append(topic: &RedisTopic, data: &str) -> EventId {
    append_as(topic, data, &Publisher::new().token()).await
}

async fn append_as(topic: &RedisTopic, data: &str, token: &Token) -> EventId {
    topic.append(Frame::message(data), token).await.unwrap()
}

/// What a client received.
#[derive(Debug, Clone, PartialEq)]
enum Got {
    Event(EventId, String),
    Gap(GapReason, EventId),
}

fn event(id: EventId, data: &str) -> Got {
    Got::Event(id, data.into())
}

/// A client that reads like those of a hub.
struct Client {
    topic: Arc<RedisTopic>,
    after: EventId,
}

impl Client {
    fn new(store: &RedisStore, after: EventId) -> Self {
        let topic = topic(store);
        Self { topic, after }
    }

    async fn at_head(store: &RedisStore) -> Self {
        let after = topic(store).bounds().await.unwrap().newest;
        Self::new(store, after)
    }

    /// Reads until `last` has arrived.
    async fn read_to(&mut self, last: EventId) -> Vec<Got> {
        let mut got = Vec::new();
        let reading = async {
            while self.after != last {
                got.extend(self.next().await);
            }
        };
        let done = timeout(Duration::from_secs(20), reading).await;
        assert!(done.is_ok(), "{last} did not arrive: {got:?}");
        got
    }

    /// Waits for a moment and asserts that nothing arrives.
    async fn expect_nothing(&mut self) {
        let next = timeout(Duration::from_millis(300), self.next()).await;
        assert!(next.is_err(), "{next:?}");
    }

    /// Waits for the next events or gap.
    async fn next(&mut self) -> Vec<Got> {
        loop {
            match self.topic.read_after(self.after, 1 << 16).await {
                Ok(ReadAfter::Events {
                    frames,
                    count,
                    last,
                }) => {
                    let got = events(std::str::from_utf8(frames.as_bytes()).unwrap());
                    assert_eq!(got.len() as u64, count);
                    assert!(matches!(got.last(), Some(Got::Event(id, _)) if *id == last));
                    self.after = last;
                    return got;
                }
                Ok(ReadAfter::Gap { reason, resume }) => {
                    self.after = resume;
                    return vec![Got::Gap(reason, resume)];
                }
                Ok(_) => self.topic.wait(self.after).await,
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

fn events(text: &str) -> Vec<Got> {
    let frames = text.split_terminator("\n\n").map(|frame| {
        let lines = frame.strip_prefix("id: ").unwrap();
        let (id, data) = lines.split_once("\ndata: ").unwrap();
        event(id.parse().unwrap(), data)
    });
    frames.collect()
}

async fn read_after(store: &RedisStore, after: EventId) -> ReadAfter {
    topic(store).read_after(after, 1 << 16).await.unwrap()
}

fn gap(reason: GapReason, resume: EventId) -> ReadAfter {
    ReadAfter::Gap { reason, resume }
}

fn entries(server: &Server) -> u64 {
    server.query(&["XLEN", "test:{news}:log"])
}

fn at(epoch: u64, number: u64) -> EventId {
    EventId { epoch, number }
}
