//! What clients read: order, gaps, bursts and the size of replies.

use super::*;

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
    // A later client gets the same events from the server.
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
async fn a_process_can_read_its_own_appends_immediately() {
    let server = Server::start();
    let store = store(&server.url()).await;
    let mut client = Client::at_head(&store).await;
    client.expect_nothing().await;
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
    client.expect_nothing().await;
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
        client.expect_nothing().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn a_topic_is_read_as_soon_as_a_client_waits_for_it() {
    let server = Server::start();
    let (near, far) = (store(&server.url()).await, store(&server.url()).await);
    for number in 0..30 {
        let name = format!("topic {number}");
        let (here, there) = (near.topic(&name).unwrap(), far.topic(&name).unwrap());
        let after = there.bounds().await.unwrap().newest;
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
async fn topics_are_added_while_others_are_being_added() {
    let server = Server::start();
    let store = Arc::new(store(&server.url()).await);
    // Ready when the reader has added the topic.
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
async fn many_topics_are_read_over_one_connection_that_ends_with_the_store() {
    let server = Server::start();
    let (near, far) = (store(&server.url()).await, store(&server.url()).await);
    let mut clients = Vec::new();
    for number in 0..300 {
        let topic = far.topic(&format!("topic {number}")).unwrap();
        clients.push(tokio::spawn(async move {
            let after = topic.bounds().await.unwrap().newest;
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
    // The stores' connections are closed; the one that sends this query remains.
    while server.query::<String>(&["CLIENT", "LIST"]).lines().count() > 1 {
        assert!(start.elapsed() < Duration::from_secs(3));
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn invalid_positions_are_distinguished() {
    let server = Server::start();
    let store = store(&server.url()).await;
    append(&topic(&store), "1").await;
    let last = append(&topic(&store), "2").await;
    for round in ["from the server", "from the cache"] {
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
async fn trimmed_events_are_reported_exactly() {
    let server = Server::start();
    let builder = RedisStore::builder(&server.url(), "test").max_len(100);
    let store = builder.connect().await.unwrap();
    let start = topic(&store).bounds().await.unwrap().newest;
    for number in 0..1000 {
        append(&topic(&store), &number.to_string()).await;
    }
    let bounds = topic(&store).bounds().await.unwrap();
    assert_eq!(bounds.newest, at(start.epoch, 1000));
    let kept = 1000 - bounds.oldest.number;
    assert!((100..=200).contains(&kept), "{kept}");
    assert_eq!(entries(&server), kept);
    let got = Client::new(&store, bounds.oldest)
        .read_to(bounds.newest)
        .await;
    assert_eq!(got.len() as u64, kept);
    let too_old = at(start.epoch, bounds.oldest.number - 1);
    assert_eq!(
        read_after(&store, too_old).await,
        gap(GapReason::TooOld, bounds.newest)
    );
    // Everything is trimmed from outside while a client waits.
    let mut client = Client::new(&store, bounds.newest);
    client.expect_nothing().await;
    server.query::<()>(&["XTRIM", "test:{news}:log", "MAXLEN", "0"]);
    assert_eq!(topic(&store).bounds().await.unwrap().oldest, bounds.newest);
    assert_eq!(
        read_after(&store, bounds.oldest).await,
        gap(GapReason::TooOld, bounds.newest)
    );
    let next = append(&topic(&store), "next").await;
    assert_eq!(next, at(start.epoch, 1001));
    assert_eq!(client.read_to(next).await, [event(next, "next")]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn a_client_that_missed_trimmed_events_is_told() {
    let server = Server::start();
    let proxy = Proxy::start(&server);
    let (near, far) = (store(&server.url()).await, store(&proxy.url()).await);
    let mut client = Client::at_head(&far).await;
    let first = append(&topic(&near), "1").await;
    client.read_to(first).await;
    proxy.refuse(true);
    proxy.close_all();
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
async fn reads_are_as_long_as_requested_and_at_least_one_event() {
    let server = Server::start();
    let store = store(&server.url()).await;
    let topic = topic(&store);
    let start = topic.bounds().await.unwrap().newest;
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
