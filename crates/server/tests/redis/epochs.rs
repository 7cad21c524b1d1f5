//! New epochs: restarts, data loss, deleted streams and fail-overs.

use super::*;

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
    // The append-only file is synced every second.
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
async fn waiting_clients_are_told_of_a_restart_even_if_nobody_publishes() {
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
async fn a_server_that_lost_everything_reuses_no_id() {
    let mut server = Server::start();
    let store = store(&server.url()).await;
    let mut client = Client::at_head(&store).await;
    let first = append(&topic(&store), "1").await;
    client.read_to(first).await;
    client.expect_nothing().await;
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
    // A process that started later cannot know that epoch.
    let other = self::store(&server.url()).await;
    assert_eq!(
        read_after(&other, first).await,
        gap(GapReason::Unknown, second)
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn waiting_clients_are_told_of_a_deleted_stream_even_if_nobody_publishes() {
    let server = Server::start();
    let store = store(&server.url()).await;
    let mut client = Client::at_head(&store).await;
    let first = append(&topic(&store), "1").await;
    client.read_to(first).await;
    client.expect_nothing().await;
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
async fn a_deleted_stream_begins_a_new_epoch_on_open_connections() {
    let server = Server::start();
    let store = store(&server.url()).await;
    let other = self::store(&server.url()).await;
    append(&topic(&other), "-").await;
    let mut client = Client::at_head(&store).await;
    let mut before = append(&topic(&store), "0").await;
    client.read_to(before).await;
    client.expect_nothing().await;
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
        // The stream refuses a publisher that still uses the old epoch.
        before = append(&topic(&other), "y").await;
        assert_eq!(before, at(id.epoch, 2), "{command:?}");
        assert_eq!(client.read_to(before).await, [event(before, "y")]);
    }
    // Reading alone also creates the stream again.
    server.query::<()>(&["FLUSHALL"]);
    let newest = topic(&store).bounds().await.unwrap().newest;
    assert!(newest.epoch > before.epoch && newest.number == 0);
    assert_eq!(store.reconnects(), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn a_stream_that_lost_its_newest_entries_is_detected() {
    let server = Server::start();
    let store = store(&server.url()).await;
    let mut client = Client::at_head(&store).await;
    for data in ["1", "2", "3"] {
        client.read_to(append(&topic(&store), data).await).await;
    }
    client.expect_nothing().await;
    // No server does this by itself. Nothing else indicates that the epoch has ended.
    let first = at(client.after.epoch, 1);
    server.query::<()>(&["DEL", "test:{news}:log"]);
    let id = first.to_string();
    server.query::<()>(&["XADD", "test:{news}:log", &id, "d", "data: 1\n\n"]);
    let got = timeout(Duration::from_secs(17), client.next()).await;
    assert_eq!(got.unwrap(), [Got::Gap(GapReason::Ahead, first)]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn a_returning_client_is_told_the_end_of_each_epoch() {
    let mut server = Server::start();
    let old = store(&server.url()).await;
    let empty = topic(&old).bounds().await.unwrap().newest;
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
    // The newest epoch has no events, either.
    let bounds = topic(&store).bounds().await.unwrap();
    assert_eq!(bounds.newest.number, 0);
    let start = at(ids[0].epoch, 0);
    assert_eq!(bounds.oldest, start);
    let ended = |epoch| Got::Gap(GapReason::EpochEnded, at(epoch, 0));
    assert_eq!(
        Client::new(&store, start).read_to(bounds.newest).await,
        [
            event(ids[0], "1"),
            ended(ids[1].epoch),
            event(ids[1], "2"),
            ended(ids[2].epoch),
            event(ids[2], "3"),
            ended(bounds.newest.epoch),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: tests/redis.sh"]
async fn an_epoch_is_greater_than_all_previous_ones_whatever_the_clock_says() {
    let mut server = Server::start();
    let hour = Duration::from_secs(3600);
    let later = std::time::SystemTime::now() + hour;
    let floor = later.duration_since(std::time::UNIX_EPOCH).unwrap();
    let floor = floor.as_micros() as u64;
    // As if the clock went back by an hour afterwards.
    let builder = RedisStore::builder(&server.url(), "test").epoch_floor(floor);
    let first = append(&topic(&builder.connect().await.unwrap()), "1").await;
    assert_eq!(first, at(floor, 1));
    sleep(Duration::from_millis(1200)).await;
    server.restart();
    let one = store(&server.url()).await;
    let second = append(&topic(&one), "2").await;
    assert_eq!(second, at(floor + 1, 1));
    // The stream alone is sufficient to know the epoch,
    server.query::<()>(&["DEL", "test:{news}:meta"]);
    let third = append(&topic(&store(&server.url()).await), "3").await;
    assert_eq!(third, at(floor + 2, 1));
    // and so is the hash.
    server.query::<()>(&["DEL", "test:{news}:log"]);
    let fourth = append(&topic(&one), "4").await;
    assert_eq!(fourth, at(floor + 3, 1));
    // Epochs that Lua numbers cannot represent exactly are refused.
    let builder = RedisStore::builder(&server.url(), "test").epoch_floor(1 << 53);
    let high = builder.connect().await.unwrap();
    let token = Publisher::new().token();
    let refused = topic(&high).append(Frame::message("5"), &token).await;
    assert!(
        matches!(refused, Err(AppendError::NotAppended(_))),
        "{refused:?}"
    );
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
    // The replica no longer follows: later events are lost, although acknowledged and read.
    replica.query::<()>(&["REPLICAOF", "NO", "ONE"]);
    let lost = append(&topic(&store), "lost").await;
    assert_eq!(lost.number, kept.number + 1);
    assert_eq!(ahead.read_to(lost).await, [event(lost, "lost")]);
    proxy.set_target(&replica);
    master.kill();
    let new = append(&topic(&store), "new").await;
    assert!(new.epoch > lost.epoch);
    assert_eq!(new.number, 1);
    let got = ahead.read_to(new).await;
    let has_gap = matches!(
        got.first(),
        Some(Got::Gap(GapReason::Ahead | GapReason::EpochEnded, _))
    );
    assert!(has_gap, "{got:?}");
    let got = behind.read_to(new).await;
    assert!(
        got.contains(&Got::Gap(GapReason::EpochEnded, at(new.epoch, 0))),
        "{got:?}"
    );
    // The event is not in the log.
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
    // The first server takes over the data of the other one, on which no epoch was claimed. It
    // never restarts.
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
async fn a_master_that_became_a_replica_is_disconnected_from() {
    let master = Server::start();
    let proxy = Proxy::start(&master);
    let store = store(&proxy.url()).await;
    let mut client = Client::at_head(&store).await;
    let first = append(&topic(&store), "1").await;
    client.read_to(first).await;
    client.expect_nothing().await;
    let replica = master.start_replica();
    replica.query::<()>(&["REPLICAOF", "NO", "ONE"]);
    proxy.set_target(&replica);
    // The old master keeps the connection for commands open.
    let port = replica.port().to_string();
    master.query::<()>(&["REPLICAOF", "127.0.0.1", &port]);
    let token = Publisher::new().token();
    let refused = topic(&store).append(Frame::message("2"), &token).await;
    assert!(
        matches!(refused, Err(AppendError::NotAppended(_))),
        "{refused:?}"
    );
    let second = append_as(&topic(&store), "2", &token).await;
    assert!(second.epoch > first.epoch);
    let ended = Got::Gap(GapReason::EpochEnded, at(second.epoch, 0));
    assert_eq!(client.read_to(second).await, [ended, event(second, "2")]);
}
