//! Each event is appended once, even if replies are lost.

use super::*;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn an_append_whose_reply_is_lost_happens_once() {
    let server = Server::start();
    let proxy = Proxy::start(&server);
    let store = store(&proxy.url()).await;
    let first = append(&topic(&store), "1").await;
    proxy.discard_replies();
    let publisher = Publisher::new();
    let token = publisher.token();
    let second = append_as(&topic(&store), "2", &token).await;
    assert_eq!(second, at(first.epoch, 2));
    assert_eq!(entries(&server), 2);
    assert!(store.reconnects() >= 1);
    // The same token returns the same id later, and from another process.
    let third = append(&topic(&store), "3").await;
    assert_eq!(third.number, 3);
    let again = append_as(&topic(&store), "2", &token).await;
    assert_eq!(again, second);
    let other = self::store(&server.url()).await;
    assert_eq!(append_as(&topic(&other), "2", &token).await, second);
    assert_eq!(entries(&server), 3);
    // The same holds if the connection is closed instead of a reply.
    for round in 0..20 {
        let token = publisher.token();
        proxy.discard_replies();
        let cutting = async {
            sleep(Duration::from_millis(20 + round)).await;
            proxy.close_all();
        };
        let topic = topic(&store);
        let (id, ()) = tokio::join!(topic.append(Frame::message("x"), &token), cutting);
        assert_eq!(id.unwrap().number, 4 + round);
        assert_eq!(entries(&server), 4 + round);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn a_first_attempt_that_arrives_after_the_second_is_not_appended_again() {
    let server = Server::start();
    let proxy = Proxy::start(&server);
    let store = store(&proxy.url()).await;
    let first = append(&topic(&store), "1").await;
    proxy.hold_requests();
    let publisher = Publisher::new();
    let token = publisher.token();
    let second = append_as(&topic(&store), "2", &token).await;
    assert_eq!(second, at(first.epoch, 2));
    // Another event of this publisher arrives in between.
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
async fn an_append_that_times_out_is_unknown_and_can_be_retried() {
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
    // The outcome stays unknown if nothing can be sent.
    proxy.refuse(true);
    proxy.close_all();
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
async fn an_event_that_the_server_refuses_was_not_appended() {
    let server = Server::start();
    let proxy = Proxy::start(&server);
    let store = store_with_timeout(&proxy.url(), 600).await;
    let first = append(&topic(&store), "1").await;
    let token = Publisher::new().token();
    server.query::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = topic(&store).append(Frame::message("2"), &token).await;
    let error = match refused {
        Err(AppendError::NotAppended(error)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(error.contains("OOM") || error.contains("memory"), "{error}");
    // While an earlier attempt may still arrive, an error reply does not determine the outcome.
    let in_doubt = Publisher::new().token();
    proxy.freeze();
    let unknown = topic(&store).append(Frame::message("3"), &in_doubt).await;
    assert!(
        matches!(unknown, Err(AppendError::Unknown(_))),
        "{unknown:?}"
    );
    proxy.close_all();
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
    // The key exists and is not a stream.
    server.query::<()>(&["SET", "test:{other}:log", "x"]);
    let other = store.topic("other").unwrap();
    let refused = other
        .append(Frame::message("x"), &Publisher::new().token())
        .await;
    assert!(
        matches!(refused, Err(AppendError::NotAppended(_))),
        "{refused:?}"
    );
    // The event is in the stream, but its token is not remembered.
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

#[tokio::test]
#[ignore = "needs a server: tests/redis.sh"]
async fn an_append_waits_for_a_server_that_is_loading_its_data() {
    let mut server = Server::start();
    let store = store(&server.url()).await;
    let topic = topic(&store);
    append(&topic, "before").await;
    // While loading, the server replies with errors, and only after every thousand commands.
    let fill = "for n = 1, 5000 do redis.call('SET', 'other' .. n, n) end";
    server.query::<()>(&["EVAL", fill, "0"]);
    server.restart_loading();
    let id = append(&topic, "while it loads").await;
    assert_eq!(id.number, 1, "a new epoch");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn tokens_are_remembered_up_to_a_number_and_an_age() {
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
    // The last argument says whether the token may have expired.
    let script = include_str!("../../src/redis/append.lua");
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
