//! `RedisStore` against real servers, with connections that break: see redis.sh, which runs it.

#![cfg(feature = "redis")]

#[path = "support/redis.rs"]
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

/// What a client gets: data, or a gap.
#[derive(Debug, Clone, PartialEq)]
enum Got {
    Event(EventId, String),
    Gap(GapReason, EventId),
}

fn event(id: EventId, data: &str) -> Got {
    Got::Event(id, data.into())
}

/// A client at a position, as the hub has them.
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
        let after = topic(store).bounds().await.unwrap().head;
        Self::new(store, after)
    }

    /// What comes until `last` is there.
    async fn read_to(&mut self, last: EventId) -> Vec<Got> {
        let mut got = Vec::new();
        let reading = async {
            while self.after != last {
                got.extend(self.next().await);
            }
        };
        let done = timeout(Duration::from_secs(20), reading).await;
        assert!(done.is_ok(), "{last} has not come: {got:?}");
        got
    }

    /// Waits for a moment in which nothing happens.
    async fn wait_in_vain(&mut self) {
        let next = timeout(Duration::from_millis(300), self.next()).await;
        assert!(next.is_err(), "{next:?}");
    }

    /// Some events, or a gap.
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

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn events_of_all_processes_reach_each_client_in_order_and_without_holes() {
    let server = Server::start();
    let (one, two, three) = (
        store(&server.url()).await,
        store(&server.url()).await,
        store(&server.url()).await,
    );
    let mut client = Client::at_head(&three).await;
    let start = client.after;
    assert_eq!(start.number, 0);
    let publish = |store: &RedisStore, name: &'static str| {
        let (topic, publisher) = (topic(store), Publisher::new());
        tokio::spawn(async move {
            for number in 0..500 {
                let data = format!("{name}{number}");
                let frame = Frame::message(&data);
                topic.append(frame, &publisher.token()).await.unwrap();
            }
        })
    };
    let publishing = [publish(&one, "a"), publish(&two, "b")];
    let got = client.read_to(at(start.epoch, 1000)).await;
    for published in publishing {
        published.await.unwrap();
    }
    let of = |name| {
        got.iter().filter_map(move |got| match got {
            Got::Event(_, data) => data.strip_prefix(name).map(str::to_owned),
            Got::Gap(..) => None,
        })
    };
    let numbers = || (0..500).map(|number| number.to_string());
    assert!(of("a").eq(numbers()));
    assert!(of("b").eq(numbers()));
    for (place, got) in got.iter().enumerate() {
        let id = at(start.epoch, place as u64 + 1);
        assert!(matches!(got, Got::Event(got, _) if *got == id), "{got:?}");
    }
    // Who comes later gets the same, from the server.
    assert_eq!(
        Client::new(&one, start)
            .read_to(at(start.epoch, 1000))
            .await,
        got
    );
    assert_eq!(one.reconnects() + two.reconnects() + three.reconnects(), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn a_restart_ends_the_epoch_and_loses_nothing() {
    let mut server = Server::start();
    let store = store(&server.url()).await;
    let mut client = Client::at_head(&store).await;
    let start = client.after;
    let first = append(&topic(&store), "1").await;
    let mut late = Client::new(&store, first);
    assert_eq!(client.read_to(first).await, [event(first, "1")]);
    let second = append(&topic(&store), "2").await;
    // It is being written.
    sleep(Duration::from_millis(1200)).await;
    server.restart();
    let third = append(&topic(&store), "3").await;
    assert!(third.epoch > second.epoch);
    assert_eq!(third.number, 1);
    let new_start = at(third.epoch, 0);
    let rest = [
        event(second, "2"),
        Got::Gap(GapReason::EpochEnded, new_start),
        event(third, "3"),
    ];
    assert_eq!(client.read_to(third).await, rest);
    assert_eq!(late.read_to(third).await, rest);
    assert_eq!(
        read_after(&store, at(start.epoch, 3)).await,
        gap(GapReason::Ahead, third)
    );
    assert!(store.reconnects() >= 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn a_restart_is_told_to_those_who_wait_even_if_nobody_publishes() {
    let mut server = Server::start();
    let store = store(&server.url()).await;
    let mut client = Client::at_head(&store).await;
    let first = append(&topic(&store), "1").await;
    client.read_to(first).await;
    sleep(Duration::from_millis(1200)).await;
    let restarted = async {
        sleep(Duration::from_millis(300)).await;
        server.restart();
    };
    let (got, ()) = tokio::join!(timeout(Duration::from_secs(10), client.next()), restarted);
    let got = got.unwrap();
    assert!(
        matches!(got[..], [Got::Gap(GapReason::EpochEnded, id)] if id.epoch > first.epoch && id.number == 0),
        "{got:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn no_id_is_given_again_by_a_server_that_has_lost_everything() {
    let mut server = Server::start();
    let store = store(&server.url()).await;
    let mut client = Client::at_head(&store).await;
    let first = append(&topic(&store), "1").await;
    client.read_to(first).await;
    client.wait_in_vain().await;
    server.restart_empty();
    let second = append(&topic(&store), "2").await;
    assert!(second.epoch > first.epoch);
    let got = client.read_to(second).await;
    assert_eq!(
        got,
        [
            Got::Gap(GapReason::EpochEnded, at(second.epoch, 0)),
            event(second, "2")
        ]
    );
    // A process that was not there cannot know that epoch.
    let other = self::store(&server.url()).await;
    assert_eq!(
        read_after(&other, first).await,
        gap(GapReason::Unknown, second)
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn a_deleted_stream_is_told_to_those_who_wait_even_if_nobody_publishes() {
    let server = Server::start();
    let store = store(&server.url()).await;
    let mut client = Client::at_head(&store).await;
    let first = append(&topic(&store), "1").await;
    client.read_to(first).await;
    client.wait_in_vain().await;
    server.query::<()>(&["DEL", "test:{news}:log"]);
    let got = timeout(Duration::from_secs(17), client.next()).await;
    let got = got.unwrap();
    assert!(
        matches!(got[..], [Got::Gap(GapReason::EpochEnded, id)] if id.epoch > first.epoch),
        "{got:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn the_end_of_each_epoch_is_told_to_who_was_away() {
    let mut server = Server::start();
    let old = store(&server.url()).await;
    let empty = topic(&old).bounds().await.unwrap().head;
    // An epoch without events.
    sleep(Duration::from_millis(1200)).await;
    server.restart();
    let store = store(&server.url()).await;
    let mut ids = Vec::new();
    for data in ["1", "2", "3"] {
        ids.push(append(&topic(&store), data).await);
        if data == "1" {
            assert_eq!(
                read_after(&store, empty).await,
                gap(GapReason::EpochEnded, at(ids[0].epoch, 0))
            );
        }
        sleep(Duration::from_millis(1200)).await;
        server.restart();
    }
    // The newest one has no events, either.
    let bounds = topic(&store).bounds().await.unwrap();
    assert_eq!(bounds.head.number, 0);
    let start = at(ids[0].epoch, 0);
    assert_eq!(bounds.oldest, start);
    let ended = |epoch| Got::Gap(GapReason::EpochEnded, at(epoch, 0));
    assert_eq!(
        Client::new(&store, start).read_to(bounds.head).await,
        [
            event(ids[0], "1"),
            ended(ids[1].epoch),
            event(ids[1], "2"),
            ended(ids[2].epoch),
            event(ids[2], "3"),
            ended(bounds.head.epoch),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn an_epoch_is_greater_than_all_before_it_whatever_the_clock_says() {
    let mut server = Server::start();
    let hour = Duration::from_secs(3600);
    let later = std::time::SystemTime::now() + hour;
    let floor = later.duration_since(std::time::UNIX_EPOCH).unwrap();
    let floor = floor.as_micros() as u64;
    // As if the clock went back by an hour after that.
    let builder = RedisStore::builder(&server.url(), "test").epoch_floor(floor);
    let first = append(&topic(&builder.connect().await.unwrap()), "1").await;
    assert_eq!(first, at(floor, 1));
    sleep(Duration::from_millis(1200)).await;
    server.restart();
    let one = store(&server.url()).await;
    let second = append(&topic(&one), "2").await;
    assert_eq!(second, at(floor + 1, 1));
    // The stream tells it, too,
    server.query::<()>(&["DEL", "test:{news}:meta"]);
    let third = append(&topic(&store(&server.url()).await), "3").await;
    assert_eq!(third, at(floor + 2, 1));
    // and the hash, without the stream.
    server.query::<()>(&["DEL", "test:{news}:log"]);
    let fourth = append(&topic(&one), "4").await;
    assert_eq!(fourth, at(floor + 3, 1));
    // Numbers that Lua cannot count further are refused.
    let builder = RedisStore::builder(&server.url(), "test").epoch_floor(1 << 53);
    let high = builder.connect().await.unwrap();
    let token = Publisher::new().token();
    let refused = topic(&high).append(Frame::message("5"), &token).await;
    assert!(
        matches!(refused, Err(AppendError::NotDone(_))),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn what_was_appended_here_can_be_read_here_at_once() {
    let server = Server::start();
    let store = store(&server.url()).await;
    let mut client = Client::at_head(&store).await;
    client.wait_in_vain().await;
    for _ in 0..200 {
        let id = append(&topic(&store), "x").await;
        let answer = read_after(&store, client.after).await;
        assert!(
            matches!(answer, ReadAfter::Events { count: 1, last, .. } if last == id),
            "{answer:?}"
        );
        assert_eq!(client.read_to(id).await, [event(id, "x")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn a_burst_reaches_a_client_in_one_piece() {
    let server = Server::start();
    let store = store(&server.url()).await;
    let mut client = Client::at_head(&store).await;
    client.wait_in_vain().await;
    let id = format!("{}-*", client.after.epoch);
    for round in 0..10 {
        let mut burst = redis::pipe();
        for _ in 0..10 {
            let entry = burst.cmd("XADD").arg("test:{news}:log").arg(&id);
            entry.arg("d").arg("data: x\n\n");
        }
        let redis = redis::Client::open(server.url()).unwrap();
        let mut connection = redis.get_connection().unwrap();
        let adding = async {
            sleep(Duration::from_millis(100)).await;
            tokio::task::spawn_blocking(move || burst.exec(&mut connection)).await
        };
        let (got, added) = tokio::join!(client.next(), adding);
        added.unwrap().unwrap();
        assert_eq!(got.len(), 10, "{round}");
        client.wait_in_vain().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn a_master_that_has_become_a_replica_is_left() {
    let master = Server::start();
    let proxy = Proxy::start(&master);
    let store = store(&proxy.url()).await;
    let mut client = Client::at_head(&store).await;
    let first = append(&topic(&store), "1").await;
    client.read_to(first).await;
    client.wait_in_vain().await;
    let replica = master.start_replica();
    replica.query::<()>(&["REPLICAOF", "NO", "ONE"]);
    proxy.lead_to(&replica);
    // The old one lets the connection for commands live.
    let port = replica.port().to_string();
    master.query::<()>(&["REPLICAOF", "127.0.0.1", &port]);
    let token = Publisher::new().token();
    let refused = topic(&store).append(Frame::message("2"), &token).await;
    assert!(
        matches!(refused, Err(AppendError::NotDone(_))),
        "{refused:?}"
    );
    let second = append_as(&topic(&store), "2", &token).await;
    assert!(second.epoch > first.epoch);
    let ended = Got::Gap(GapReason::EpochEnded, at(second.epoch, 0));
    assert_eq!(client.read_to(second).await, [ended, event(second, "2")]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn a_topic_that_cannot_be_read_keeps_nobody_else_from_reading() {
    let server = Server::start();
    let store = store(&server.url()).await;
    let mut client = Client::at_head(&store).await;
    client.wait_in_vain().await;
    server.query::<()>(&["SET", "test:{bad}:log", "x"]);
    let bad = store.topic("bad").unwrap();
    assert!(bad.bounds().await.is_err());
    let waiting = tokio::spawn(async move { bad.wait(at(1, 0)).await });
    for _ in 0..20 {
        let start = Instant::now();
        let id = append(&topic(&store), "x").await;
        assert_eq!(client.read_to(id).await, [event(id, "x")]);
        assert!(
            start.elapsed() < Duration::from_secs(4),
            "{:?}",
            start.elapsed()
        );
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(store.reconnects(), 0);
    // One that has become so.
    server.query::<()>(&["SET", "test:{news}:log", "x"]);
    sleep(Duration::from_millis(500)).await;
    server.query::<()>(&["DEL", "test:{news}:log", "test:{bad}:log"]);
    timeout(Duration::from_secs(17), waiting)
        .await
        .unwrap()
        .unwrap();
    let id = append(&topic(&store), "y").await;
    let got = client.read_to(id).await;
    assert_eq!(got.last(), Some(&event(id, "y")));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn the_documented_permissions_suffice() {
    let server = Server::start();
    let commands = "evalsha script|load info time exists expire hget hmget hset xadd \
        xgroup|create xgroup|destroy xinfo|stream xrange xread xrevrange xsetid zadd zcard zrange \
        zrangebyscore zremrangebyrank client|id client|unblock";
    let allowed: Vec<_> = commands
        .split_whitespace()
        .map(|name| format!("+{name}"))
        .collect();
    let mut rule = vec!["ACL", "SETUSER", "app", "on", ">secret", "~test:*", "-@all"];
    rule.extend(allowed.iter().map(String::as_str));
    server.query::<()>(&rule);
    let url = format!("redis://app:secret@127.0.0.1:{}/", server.port());
    let store = store(&url).await;
    let mut client = Client::at_head(&store).await;
    let start = client.after;
    client.wait_in_vain().await;
    for number in 1..=300 {
        let started = Instant::now();
        let id = append(&topic(&store), "x").await;
        assert_eq!(id.number, number);
        assert_eq!(client.read_to(id).await, [event(id, "x")]);
        assert!(started.elapsed() < Duration::from_secs(4));
    }
    // Another epoch, and a position before it.
    server.query::<()>(&["DEL", "test:{news}:meta"]);
    let other = self::store(&url).await;
    let new = append(&topic(&other), "y").await;
    assert!(new.epoch > start.epoch);
    let got = Client::new(&other, start).read_to(new).await;
    assert_eq!(got.len(), 302);
    let cold = store.topic("cold").unwrap();
    let after = cold.bounds().await.unwrap().head;
    let mut client = Client {
        topic: cold.clone(),
        after,
    };
    let appending = async {
        sleep(Duration::from_millis(100)).await;
        append(&cold, "z").await
    };
    let started = Instant::now();
    let (got, id) = tokio::join!(client.next(), appending);
    assert_eq!(got, [event(id, "z")]);
    assert!(started.elapsed() < Duration::from_secs(4));
    let log: Vec<redis::Value> = server.query(&["ACL", "LOG"]);
    assert!(
        log.len() <= 1,
        "only CLIENT SETINFO may be refused: {log:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn scripts_that_the_server_has_forgotten_are_sent_again() {
    let server = Server::start();
    let store = store(&server.url()).await;
    for number in 1..=3 {
        server.query::<()>(&["SCRIPT", "FLUSH"]);
        assert_eq!(append(&topic(&store), "x").await.number, number);
        server.query::<()>(&["SCRIPT", "FLUSH"]);
        assert_eq!(topic(&store).bounds().await.unwrap().head.number, number);
    }
    assert_eq!(store.reconnects(), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn topics_are_added_while_others_are_being_added() {
    let server = Server::start();
    let store = Arc::new(store(&server.url()).await);
    // Ready when the topic is read.
    let wait = |name: String, micros| {
        let topic = store.topic(&name).unwrap();
        tokio::spawn(async move {
            sleep(Duration::from_micros(micros)).await;
            let waiting = timeout(Duration::from_secs(2), topic.wait(at(1, 0)));
            assert!(waiting.await.is_ok(), "{name}");
        })
    };
    for round in 0..150 {
        let waits =
            (0..4).map(|topic| wait(format!("{round} {topic}"), topic * (round * 37 % 400)));
        for waiting in waits.collect::<Vec<_>>() {
            waiting.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn a_stream_that_has_lost_its_newest_part_is_noticed() {
    let server = Server::start();
    let store = store(&server.url()).await;
    let mut client = Client::at_head(&store).await;
    for data in ["1", "2", "3"] {
        client.read_to(append(&topic(&store), data).await).await;
    }
    client.wait_in_vain().await;
    // As no server does by itself: nothing else tells that the epoch is over.
    let first = at(client.after.epoch, 1);
    server.query::<()>(&["DEL", "test:{news}:log"]);
    let id = first.to_string();
    server.query::<()>(&["XADD", "test:{news}:log", &id, "d", "data: 1\n\n"]);
    let got = timeout(Duration::from_secs(17), client.next()).await;
    assert_eq!(got.unwrap(), [Got::Gap(GapReason::Ahead, first)]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn many_topics_are_read_over_one_connection_which_ends_with_the_store() {
    let server = Server::start();
    let (near, far) = (store(&server.url()).await, store(&server.url()).await);
    let mut clients = Vec::new();
    for number in 0..300 {
        let topic = far.topic(&format!("topic {number}")).unwrap();
        clients.push(tokio::spawn(async move {
            let after = topic.bounds().await.unwrap().head;
            let mut client = Client { topic, after };
            let mut got = Vec::new();
            while got.len() < 3 {
                got.extend(client.next().await);
            }
            got
        }));
    }
    sleep(Duration::from_secs(1)).await;
    let mut ids = Vec::new();
    for round in 0..3 {
        for number in 0..300 {
            let topic = near.topic(&format!("topic {number}")).unwrap();
            ids.push(event(
                append(&topic, &round.to_string()).await,
                &round.to_string(),
            ));
        }
    }
    for (number, client) in clients.into_iter().enumerate() {
        let got = timeout(Duration::from_secs(10), client)
            .await
            .unwrap()
            .unwrap();
        let expected = ids.iter().skip(number).step_by(300).cloned();
        assert!(expected.eq(got.iter().cloned()), "{number}: {got:?}");
    }
    assert_eq!(near.reconnects() + far.reconnects(), 0);
    drop((near, far));
    let start = Instant::now();
    // Those of the stores are gone; this one asks.
    while server.query::<String>(&["CLIENT", "LIST"]).lines().count() > 1 {
        assert!(start.elapsed() < Duration::from_secs(3));
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn deleted_streams_begin_a_new_epoch_under_living_connections() {
    let server = Server::start();
    let store = store(&server.url()).await;
    let other = self::store(&server.url()).await;
    append(&topic(&other), "-").await;
    let mut client = Client::at_head(&store).await;
    let mut before = append(&topic(&store), "0").await;
    client.read_to(before).await;
    client.wait_in_vain().await;
    for command in [
        &["DEL", "test:{news}:log"][..],
        &["FLUSHALL"],
        &["FLUSHALL"],
    ] {
        server.query::<()>(command);
        let id = append(&topic(&store), "x").await;
        assert!(id.epoch > before.epoch, "{command:?}: {id} after {before}");
        assert_eq!(id.number, 1);
        let got = client.read_to(id).await;
        assert_eq!(
            got,
            [
                Got::Gap(GapReason::EpochEnded, at(id.epoch, 0)),
                event(id, "x")
            ]
        );
        // A publisher with the old epoch is refused by the stream.
        before = append(&topic(&other), "y").await;
        assert_eq!(before, at(id.epoch, 2), "{command:?}");
        assert_eq!(client.read_to(before).await, [event(before, "y")]);
    }
    // A reader alone makes the stream anew, too.
    server.query::<()>(&["FLUSHALL"]);
    let head = topic(&store).bounds().await.unwrap().head;
    assert!(head.epoch > before.epoch && head.number == 0);
    assert_eq!(store.reconnects(), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn what_was_trimmed_is_told_exactly() {
    let server = Server::start();
    let builder = RedisStore::builder(&server.url(), "test").max_len(100);
    let store = builder.connect().await.unwrap();
    let start = topic(&store).bounds().await.unwrap().head;
    for number in 0..1000 {
        append(&topic(&store), &number.to_string()).await;
    }
    let bounds = topic(&store).bounds().await.unwrap();
    assert_eq!(bounds.head, at(start.epoch, 1000));
    let kept = 1000 - bounds.oldest.number;
    assert!((100..=200).contains(&kept), "{kept}");
    assert_eq!(entries(&server), kept);
    let got = Client::new(&store, bounds.oldest)
        .read_to(bounds.head)
        .await;
    assert_eq!(got.len() as u64, kept);
    let too_old = at(start.epoch, bounds.oldest.number - 1);
    assert_eq!(
        read_after(&store, too_old).await,
        gap(GapReason::TooOld, bounds.head)
    );
    // All of it, behind our back, and under a client that waits.
    let mut client = Client::new(&store, bounds.head);
    client.wait_in_vain().await;
    server.query::<()>(&["XTRIM", "test:{news}:log", "MAXLEN", "0"]);
    assert_eq!(topic(&store).bounds().await.unwrap().oldest, bounds.head);
    assert_eq!(
        read_after(&store, bounds.oldest).await,
        gap(GapReason::TooOld, bounds.head)
    );
    let next = append(&topic(&store), "next").await;
    assert_eq!(next, at(start.epoch, 1001));
    assert_eq!(client.read_to(next).await, [event(next, "next")]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn a_client_that_missed_what_was_trimmed_is_told() {
    let server = Server::start();
    let proxy = Proxy::start(&server);
    let (near, far) = (store(&server.url()).await, store(&proxy.url()).await);
    let mut client = Client::at_head(&far).await;
    let first = append(&topic(&near), "1").await;
    client.read_to(first).await;
    proxy.refuse(true);
    proxy.cut();
    for data in ["2", "3", "4"] {
        append(&topic(&near), data).await;
    }
    server.query::<()>(&["XTRIM", "test:{news}:log", "MAXLEN", "1"]);
    proxy.refuse(false);
    let last = at(first.epoch, 4);
    assert_eq!(
        client.read_to(last).await,
        [Got::Gap(GapReason::TooOld, last)]
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn an_append_whose_answer_is_lost_happens_once() {
    let server = Server::start();
    let proxy = Proxy::start(&server);
    let store = store(&proxy.url()).await;
    let first = append(&topic(&store), "1").await;
    proxy.swallow_answers();
    let publisher = Publisher::new();
    let token = publisher.token();
    let second = append_as(&topic(&store), "2", &token).await;
    assert_eq!(second, at(first.epoch, 2));
    assert_eq!(entries(&server), 2);
    assert!(store.reconnects() >= 1);
    // Whenever it is asked for, and by whom.
    let third = append(&topic(&store), "3").await;
    assert_eq!(third.number, 3);
    let again = append_as(&topic(&store), "2", &token).await;
    assert_eq!(again, second);
    let other = self::store(&server.url()).await;
    assert_eq!(append_as(&topic(&other), "2", &token).await, second);
    assert_eq!(entries(&server), 3);
    // The same if the connection is closed in place of the answer.
    for round in 0..20 {
        let token = publisher.token();
        proxy.swallow_answers();
        let cutting = async {
            sleep(Duration::from_millis(20 + round)).await;
            proxy.cut();
        };
        let topic = topic(&store);
        let (id, ()) = tokio::join!(topic.append(Frame::message("x"), &token), cutting);
        assert_eq!(id.unwrap().number, 4 + round);
        assert_eq!(entries(&server), 4 + round);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn the_first_try_that_arrives_after_the_second_is_not_appended_again() {
    let server = Server::start();
    let proxy = Proxy::start(&server);
    let store = store(&proxy.url()).await;
    let first = append(&topic(&store), "1").await;
    proxy.hold_requests();
    let publisher = Publisher::new();
    let token = publisher.token();
    let second = append_as(&topic(&store), "2", &token).await;
    assert_eq!(second, at(first.epoch, 2));
    // Another event of this publisher in between.
    let later = publisher.token();
    let third = append_as(&topic(&store), "3", &later).await;
    proxy.release();
    sleep(Duration::from_millis(300)).await;
    assert_eq!(entries(&server), 3);
    let got = Client::new(&store, at(first.epoch, 0)).read_to(third).await;
    assert_eq!(
        got,
        [event(first, "1"), event(second, "2"), event(third, "3")]
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn an_append_that_takes_too_long_is_unknown_and_can_be_tried_again() {
    let server = Server::start();
    let proxy = Proxy::start(&server);
    let store = store_with_timeout(&proxy.url(), 700).await;
    let first = append(&topic(&store), "1").await;
    proxy.freeze();
    let token = Publisher::new().token();
    let start = Instant::now();
    let unknown = topic(&store).append(Frame::message("2"), &token).await;
    assert!(
        matches!(unknown, Err(AppendError::Unknown(_))),
        "{unknown:?}"
    );
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    // Still unknown where nothing is sent.
    proxy.refuse(true);
    proxy.cut();
    let unknown = topic(&store).append(Frame::message("2"), &token).await;
    assert!(
        matches!(unknown, Err(AppendError::Unknown(_))),
        "{unknown:?}"
    );
    proxy.refuse(false);
    proxy.release();
    let second = append_as(&topic(&store), "2", &token).await;
    assert_eq!(second, at(first.epoch, 2));
    sleep(Duration::from_millis(200)).await;
    assert_eq!(entries(&server), 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn a_dropped_append_happens_at_most_once() {
    let server = Server::start();
    let store = store(&server.url()).await;
    append(&topic(&store), "0").await;
    let publisher = Publisher::new();
    for round in 0..300_u64 {
        let token = publisher.token();
        let topic = topic(&store);
        let dropped = topic.append(Frame::message("x"), &token);
        let _ = timeout(Duration::from_micros(round), dropped).await;
        append_as(&topic, "x", &token).await;
    }
    sleep(Duration::from_millis(100)).await;
    assert_eq!(entries(&server), 301);
    assert_eq!(store.reconnects(), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn a_fail_over_to_a_replica_that_is_behind_ends_the_epoch() {
    let mut master = Server::start();
    let proxy = Proxy::start(&master);
    let store = store(&proxy.url()).await;
    let kept = append(&topic(&store), "kept").await;
    let replica = master.start_replica();
    let mut behind = Client::new(&store, kept);
    let mut ahead = Client::new(&store, kept);
    // No longer following: the rest is lost, though acknowledged and seen.
    replica.query::<()>(&["REPLICAOF", "NO", "ONE"]);
    let lost = append(&topic(&store), "lost").await;
    assert_eq!(lost.number, kept.number + 1);
    assert_eq!(ahead.read_to(lost).await, [event(lost, "lost")]);
    proxy.lead_to(&replica);
    master.kill();
    let new = append(&topic(&store), "new").await;
    assert!(new.epoch > lost.epoch);
    assert_eq!(new.number, 1);
    let got = ahead.read_to(new).await;
    let told = matches!(
        got.first(),
        Some(Got::Gap(GapReason::Ahead | GapReason::EpochEnded, _))
    );
    assert!(told, "{got:?}");
    let got = behind.read_to(new).await;
    assert!(
        got.contains(&Got::Gap(GapReason::EpochEnded, at(new.epoch, 0))),
        "{got:?}"
    );
    // The log itself does not have it.
    let other = self::store(&proxy.url()).await;
    assert_eq!(read_after(&other, lost).await, gap(GapReason::Ahead, new));
    assert_eq!(
        read_after(&other, kept).await,
        gap(GapReason::EpochEnded, at(new.epoch, 0))
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn a_server_that_was_demoted_and_promoted_again_begins_a_new_epoch() {
    let first = Server::start();
    let store = store(&first.url()).await;
    let replica = first.start_replica();
    let kept = append(&topic(&store), "kept").await;
    let synced: i64 = first.query(&["WAIT", "1", "5000"]);
    assert_eq!(synced, 1);
    replica.query::<()>(&["REPLICAOF", "NO", "ONE"]);
    let lost = append(&topic(&store), "lost").await;
    assert_eq!(lost, at(kept.epoch, 2));
    // It takes over the data of the other one, on which no epoch was claimed, and never restarts.
    let port = replica.port().to_string();
    first.query::<()>(&["REPLICAOF", "127.0.0.1", &port]);
    let start = Instant::now();
    while !first
        .query::<String>(&["INFO", "replication"])
        .contains("master_link_status:up")
    {
        assert!(start.elapsed() < Duration::from_secs(10));
        sleep(Duration::from_millis(50)).await;
    }
    first.query::<()>(&["REPLICAOF", "NO", "ONE"]);
    let other = self::store(&first.url()).await;
    let new = append(&topic(&other), "new").await;
    assert!(new.epoch > lost.epoch, "{new} after {lost}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn positions_that_are_not_of_this_log_are_told_from_each_other() {
    let server = Server::start();
    let store = store(&server.url()).await;
    append(&topic(&store), "1").await;
    let last = append(&topic(&store), "2").await;
    for round in ["from the server", "from the window"] {
        for (after, reason) in [
            (at(last.epoch, 3), GapReason::Ahead),
            (at(last.epoch, u64::MAX), GapReason::Ahead),
            (at(last.epoch + 1, 0), GapReason::Unknown),
            (at(u64::MAX, u64::MAX), GapReason::Unknown),
            (at(u64::MAX, 0), GapReason::Unknown),
            (at(7, 1), GapReason::Unknown),
            (at(0, 0), GapReason::Unknown),
            (at(0, u64::MAX), GapReason::Unknown),
        ] {
            assert_eq!(
                read_after(&store, after).await,
                gap(reason, last),
                "{after} {round}"
            );
        }
        assert_eq!(read_after(&store, last).await, ReadAfter::UpToDate);
        let topic = topic(&store);
        let waiting = timeout(Duration::from_millis(300), topic.wait(last));
        assert!(waiting.await.is_err(), "there is nothing to wait for");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn clients_outlast_a_server_that_is_away() {
    let mut server = Server::start();
    let store = store_with_timeout(&server.url(), 400).await;
    let mut client = Client::at_head(&store).await;
    let first = append(&topic(&store), "1").await;
    assert_eq!(client.read_to(first).await, [event(first, "1")]);
    sleep(Duration::from_millis(1200)).await;
    server.kill();
    {
        let waiting = timeout(Duration::from_millis(1500), client.next());
        assert!(waiting.await.is_err(), "nothing has happened");
    }
    // The first one may have been sent before the end of the connection was noticed.
    let _ = topic(&store)
        .append(Frame::message("-"), &Publisher::new().token())
        .await;
    let start = Instant::now();
    let away = topic(&store)
        .append(Frame::message("-"), &Publisher::new().token())
        .await;
    assert!(matches!(away, Err(AppendError::NotDone(_))), "{away:?}");
    assert!(start.elapsed() < Duration::from_secs(4));
    assert!(topic(&store).bounds().await.is_err());
    // Nor can a topic be read that was not read before, but waited for.
    let cold = store.topic("cold").unwrap();
    let waiting = tokio::spawn(async move { cold.wait(at(1, 0)).await });
    server.restart();
    timeout(Duration::from_secs(10), waiting)
        .await
        .unwrap()
        .unwrap();
    let second = append(&topic(&store), "2").await;
    let start = at(second.epoch, 0);
    let rest = [Got::Gap(GapReason::EpochEnded, start), event(second, "2")];
    assert_eq!(client.read_to(second).await, rest);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn a_server_cannot_be_connected_to_that_is_not_there() {
    let mut server = Server::start();
    let url = server.url();
    server.kill();
    assert!(RedisStore::connect(&url, "test").await.is_err());
    assert!(
        RedisStore::connect("http://127.0.0.1/", "test")
            .await
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn what_the_server_refuses_was_not_appended() {
    let server = Server::start();
    let proxy = Proxy::start(&server);
    let store = store_with_timeout(&proxy.url(), 600).await;
    let first = append(&topic(&store), "1").await;
    let token = Publisher::new().token();
    server.query::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = topic(&store).append(Frame::message("2"), &token).await;
    let error = match refused {
        Err(AppendError::NotDone(error)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(error.contains("OOM") || error.contains("memory"), "{error}");
    // If an earlier try may still arrive, the refusal of this one says nothing.
    let in_doubt = Publisher::new().token();
    proxy.freeze();
    let unknown = topic(&store).append(Frame::message("3"), &in_doubt).await;
    assert!(
        matches!(unknown, Err(AppendError::Unknown(_))),
        "{unknown:?}"
    );
    proxy.cut();
    proxy.release();
    let unknown = topic(&store).append(Frame::message("3"), &in_doubt).await;
    assert!(
        matches!(unknown, Err(AppendError::Unknown(_))),
        "{unknown:?}"
    );
    server.query::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(entries(&server), 1);
    let second = append_as(&topic(&store), "2", &token).await;
    assert_eq!(second, at(first.epoch, 2));
    // A key that somebody else has made is no stream.
    server.query::<()>(&["SET", "test:{other}:log", "x"]);
    let other = store.topic("other").unwrap();
    let refused = other
        .append(Frame::message("x"), &Publisher::new().token())
        .await;
    assert!(
        matches!(refused, Err(AppendError::NotDone(_))),
        "{refused:?}"
    );
    // The event is in the stream, and only its token is not remembered.
    let publisher = Publisher::new();
    let key = format!("test:{{news}}:tokens:{}", publisher.token().publisher());
    server.query::<()>(&["ACL", "SETUSER", "default", "-zadd"]);
    let unknown = topic(&store)
        .append(Frame::message("4"), &publisher.token())
        .await;
    assert!(
        matches!(unknown, Err(AppendError::Unknown(_))),
        "{unknown:?}"
    );
    assert_eq!(entries(&server), 3);
    assert!(!server.query::<bool>(&["EXISTS", &key]));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn tokens_are_remembered_up_to_a_number_and_a_time() {
    let server = Server::start();
    let store = store(&server.url()).await;
    let publisher = Publisher::new();
    let tokens: Vec<_> = (0..400).map(|_| publisher.token()).collect();
    let frame = Frame::message("x");
    let mut ids = Vec::new();
    for token in &tokens[1..] {
        ids.push(topic(&store).append(frame, token).await.unwrap());
    }
    for (place, token) in tokens.iter().enumerate() {
        let again = topic(&store).append(frame, token).await;
        if place < 400 - 256 {
            assert!(
                matches!(again, Err(AppendError::Unknown(_))),
                "{place} {again:?}"
            );
        } else {
            assert_eq!(again.unwrap(), ids[place - 1], "{place}");
        }
    }
    assert_eq!(entries(&server), 399);
    let key = format!("test:{{news}}:tokens:{}", tokens[0].publisher());
    assert_eq!(server.query::<u64>(&["ZCARD", &key]), 256);
    let ttl: i64 = server.query(&["TTL", &key]);
    assert!((3500..=3600).contains(&ttl), "{ttl}");
    // The last argument says that the token is so old that it may have expired.
    let script = include_str!("../src/redis/append.lua");
    let epoch = ids[0].epoch.to_string();
    let run = |count, is_old| {
        let log = "test:{news}:log";
        let command = [
            "EVAL", script, "2", log, &key, count, &epoch, "10000", "x", "256", "3600",
        ];
        server.query::<String>(&[&command[..], &[is_old]].concat())
    };
    let last = ids[398].to_string();
    assert_eq!(run("400", "1"), last);
    assert_eq!(run("401", "1"), "forgotten");
    assert_eq!(run("401", "0"), at(ids[0].epoch, 400).to_string());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn a_topic_is_read_as_soon_as_somebody_waits_for_it() {
    let server = Server::start();
    let (near, far) = (store(&server.url()).await, store(&server.url()).await);
    for number in 0..30 {
        let name = format!("topic {number}");
        let (here, there) = (near.topic(&name).unwrap(), far.topic(&name).unwrap());
        let after = there.bounds().await.unwrap().head;
        let mut client = Client {
            topic: there,
            after,
        };
        let start = Instant::now();
        let appending = async {
            sleep(Duration::from_millis(number)).await;
            append(&here, "x").await
        };
        let (got, id) = tokio::join!(client.next(), appending);
        assert_eq!(got, [event(id, "x")]);
        assert!(
            start.elapsed() < Duration::from_secs(4),
            "{number}: {:?}",
            start.elapsed()
        );
    }
    assert_eq!(near.reconnects() + far.reconnects(), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn answers_are_as_long_as_asked_for_and_one_event_at_least() {
    let server = Server::start();
    let store = store(&server.url()).await;
    let topic = topic(&store);
    let start = topic.bounds().await.unwrap().head;
    let sizes = [
        10, 10, 5000, 10, 300_000, 10, 10, 4000, 4000, 4000, 4000, 10,
    ];
    for size in sizes {
        append(&topic, &"x".repeat(size)).await;
    }
    for max_bytes in [0, 1, 500, 10_000, 400_000] {
        let mut after = start;
        let mut counts = Vec::new();
        while let ReadAfter::Events {
            frames,
            count,
            last,
        } = topic.read_after(after, max_bytes).await.unwrap()
        {
            let len = frames.as_bytes().len();
            assert!(count == 1 || len <= max_bytes, "{len} of {max_bytes}");
            counts.push(count);
            after = last;
        }
        assert_eq!(counts.iter().sum::<u64>(), sizes.len() as u64);
        let answers = counts.len();
        let expected = match max_bytes {
            0 | 1 => 12,
            500 => 10,
            10_000 => 6,
            _ => 1,
        };
        assert!(answers <= expected, "{counts:?} of {max_bytes}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn connections_that_are_closed_all_the_time_lose_and_double_nothing() {
    let server = Server::start();
    let proxy = Proxy::start(&server);
    let (near, far) = (store(&proxy.url()).await, store(&proxy.url()).await);
    let mut client = Client::at_head(&far).await;
    let start = client.after;
    let appending = tokio::spawn({
        let (topic, publisher) = (topic(&near), Publisher::new());
        async move {
            for number in 0..400 {
                let data = number.to_string();
                let token = publisher.token();
                topic.append(Frame::message(&data), &token).await.unwrap();
                sleep(Duration::from_millis(5)).await;
            }
        }
    });
    let cutting = async {
        for _ in 0..12 {
            sleep(Duration::from_millis(200)).await;
            proxy.cut();
        }
    };
    let last = at(start.epoch, 400);
    let (got, ()) = tokio::join!(client.read_to(last), cutting);
    appending.await.unwrap();
    for (number, got) in got.iter().enumerate() {
        assert_eq!(
            *got,
            event(at(start.epoch, number as u64 + 1), &number.to_string())
        );
    }
    assert_eq!(got.len(), 400);
    assert!(near.reconnects() > 5 && far.reconnects() > 5);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn a_reading_connection_that_says_nothing_is_replaced() {
    let server = Server::start();
    let proxy = Proxy::start(&server);
    let (near, far) = (store(&server.url()).await, store(&proxy.url()).await);
    let mut client = Client::at_head(&far).await;
    let first = append(&topic(&near), "1").await;
    client.read_to(first).await;
    // Let it block again.
    client.wait_in_vain().await;
    proxy.swallow_answers();
    let second = append(&topic(&near), "2").await;
    let start = Instant::now();
    assert_eq!(client.read_to(second).await, [event(second, "2")]);
    assert!(
        start.elapsed() < Duration::from_secs(12),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
#[ignore = "needs Redis: redis.sh"]
async fn an_append_waits_for_a_server_that_reads_its_data() {
    let mut server = Server::start();
    let store = store(&server.url()).await;
    let topic = topic(&store);
    append(&topic, "before").await;
    // It answers nothing but errors between two thousands of commands.
    let fill = "for n = 1, 5000 do redis.call('SET', 'other' .. n, n) end";
    server.query::<()>(&["EVAL", fill, "0"]);
    server.restart_loading();
    let id = append(&topic, "while it reads").await;
    assert_eq!(id.number, 1, "a new epoch");
}
