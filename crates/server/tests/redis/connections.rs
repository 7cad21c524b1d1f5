//! Lost connections, unavailable servers and permissions.

use super::*;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn clients_survive_a_server_that_is_down() {
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
    // The first append may have been sent before the closed connection was noticed.
    let _ = topic(&store)
        .append(Frame::message("-"), &Publisher::new().token())
        .await;
    let start = Instant::now();
    let away = topic(&store)
        .append(Frame::message("-"), &Publisher::new().token())
        .await;
    assert!(matches!(away, Err(AppendError::NotAppended(_))), "{away:?}");
    assert!(start.elapsed() < Duration::from_secs(4));
    assert!(topic(&store).bounds().await.is_err());
    // A topic that was never read cannot be read, but clients can wait for it.
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
async fn connecting_to_a_missing_server_fails() {
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
async fn connections_that_are_closed_repeatedly_lose_and_duplicate_nothing() {
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
            proxy.close_all();
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
async fn a_reading_connection_without_replies_is_replaced() {
    let server = Server::start();
    let proxy = Proxy::start(&server);
    let (near, far) = (store(&server.url()).await, store(&proxy.url()).await);
    let mut client = Client::at_head(&far).await;
    let first = append(&topic(&near), "1").await;
    client.read_to(first).await;
    // Wait until it blocks again.
    client.expect_nothing().await;
    proxy.discard_replies();
    let second = append(&topic(&near), "2").await;
    let start = Instant::now();
    assert_eq!(client.read_to(second).await, [event(second, "2")]);
    assert!(
        start.elapsed() < Duration::from_secs(12),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn a_topic_that_cannot_be_read_does_not_affect_others() {
    let server = Server::start();
    let store = store(&server.url()).await;
    let mut client = Client::at_head(&store).await;
    client.expect_nothing().await;
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
    // A topic that becomes unreadable.
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
async fn scripts_that_the_server_forgot_are_loaded_again() {
    let server = Server::start();
    let store = store(&server.url()).await;
    for number in 1..=3 {
        server.query::<()>(&["SCRIPT", "FLUSH"]);
        assert_eq!(append(&topic(&store), "x").await.number, number);
        server.query::<()>(&["SCRIPT", "FLUSH"]);
        assert_eq!(topic(&store).bounds().await.unwrap().newest.number, number);
    }
    assert_eq!(store.reconnects(), 0);
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
    client.expect_nothing().await;
    for number in 1..=300 {
        let started = Instant::now();
        let id = append(&topic(&store), "x").await;
        assert_eq!(id.number, number);
        assert_eq!(client.read_to(id).await, [event(id, "x")]);
        assert!(started.elapsed() < Duration::from_secs(4));
    }
    // A new epoch, and a position before it.
    server.query::<()>(&["DEL", "test:{news}:meta"]);
    let other = self::store(&url).await;
    let new = append(&topic(&other), "y").await;
    assert!(new.epoch > start.epoch);
    let got = Client::new(&other, start).read_to(new).await;
    assert_eq!(got.len(), 302);
    let cold = store.topic("cold").unwrap();
    let after = cold.bounds().await.unwrap().newest;
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
