//! Where clients start and resume, and the gaps they get.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_new_client_gets_its_first_bytes_immediately_and_an_id_to_resume_from() {
    let hub = Hub::new(MemoryStore::new());
    let old = publish(&hub, "old").await;
    let mut body = hub.subscribe("t", &HeaderMap::new()).await.unwrap();
    assert_eq!(now(&mut body).unwrap(), "retry: 2000\n");
    assert_eq!(now(&mut body).unwrap(), format!("id: {old}\n\n"));
    assert_eq!(now(&mut body), None);
    let new = publish(&hub, "new").await;
    let event = format!("id: {new}\ndata: new\n\n");
    assert_eq!(next(&mut body).await.unwrap(), event);

    // A client that was disconnected before its first event.
    let mut body = subscribe(&hub, &old.to_string()).await;
    assert_eq!(all_now(&mut body), format!("retry: 2000\n{event}"));
}

#[tokio::test(start_paused = true)]
async fn events_published_between_the_subscription_and_the_first_byte_are_new() {
    let hub = Hub::new(MemoryStore::new());
    let old = publish(&hub, "old").await;
    let mut body = hub.subscribe("t", &HeaderMap::new()).await.unwrap();
    let new = publish(&hub, "new").await;
    assert_eq!(
        all_now(&mut body),
        format!("retry: 2000\nid: {old}\n\nid: {new}\ndata: new\n\n")
    );
}

#[tokio::test(start_paused = true)]
async fn the_start_of_a_client_without_an_id_is_configurable() {
    let hub = HubBuilder::new()
        .start_position(Position::Oldest)
        .build(MemoryStore::new());
    let id = publish(&hub, "old").await;
    let event = format!("id: {id}\ndata: old\n\n");
    // An empty id counts as no id.
    for headers in [HeaderMap::new(), headers("")] {
        let mut body = hub.subscribe("t", &headers).await.unwrap();
        assert_eq!(all_now(&mut body), format!("retry: 2000\n{event}"));
    }
    let mut body = hub.subscribe_at("t", Position::Newest).unwrap();
    assert_eq!(all_now(&mut body), format!("retry: 2000\nid: {id}\n\n"));
    let start = EventId { number: 0, ..id };
    let mut body = hub.subscribe_at("t", Position::After(start)).unwrap();
    assert_eq!(all_now(&mut body), format!("retry: 2000\n{event}"));
}

#[tokio::test(start_paused = true)]
async fn an_id_that_cannot_be_resumed_causes_one_gap_and_the_stream_continues_from_the_head() {
    let hub = Hub::new(MemoryStore::with_history(100));
    let first = publish(&hub, "first").await;
    let mut newest = first;
    for _ in 0..20 {
        newest = publish(&hub, "more").await;
    }
    let ahead = EventId {
        number: newest.number + 1,
        ..newest
    }
    .to_string();
    for (id, reason) in [
        (first.to_string().as_str(), "too-old"),
        (ahead.as_str(), "ahead"),
        ("7-1", "unknown"),
        ("$", "unknown"),
        ("+", "unknown"),
        ("0", "unknown"),
        ("not an id", "unknown"),
        ("\t", "unknown"),
        (&"9".repeat(10_000), "unknown"),
    ] {
        let mut body = subscribe(&hub, id).await;
        let gap = format!("event: gap\nid: {newest}\ndata: {reason}\n\n");
        assert_eq!(all_now(&mut body), format!("retry: 2000\n{gap}"), "{id:?}");
        // With the id of the gap event, there is no further gap.
        let mut body = subscribe(&hub, &newest.to_string()).await;
        assert_eq!(all_now(&mut body), "retry: 2000\n");
    }
    let mut two = headers(&newest.to_string());
    two.append(
        "last-event-id",
        HeaderValue::from_str(&first.to_string()).unwrap(),
    );
    two.insert("other", HeaderValue::from_static("x"));
    let mut body = hub.subscribe("t", &two).await.unwrap();
    assert!(all_now(&mut body).contains("data: unknown\n"));
    let mut not_utf8 = HeaderMap::new();
    not_utf8.insert("last-event-id", HeaderValue::from_bytes(b"\xff-1").unwrap());
    let mut body = hub.subscribe("t", &not_utf8).await.unwrap();
    assert!(all_now(&mut body).contains("data: unknown\n"));
    assert_eq!(hub.stats().gaps, 11);

    // The stream continues with new events.
    let new = publish(&hub, "new").await;
    assert_eq!(all_now(&mut body), format!("id: {new}\ndata: new\n\n"));
}

#[tokio::test(start_paused = true)]
async fn spaces_around_an_id_are_ignored() {
    let hub = Hub::new(MemoryStore::new());
    let id = publish(&hub, "x").await;
    let mut body = subscribe(&hub, &format!(" {id}\t")).await;
    assert_eq!(all_now(&mut body), "retry: 2000\n");
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_gets_a_gap_and_uses_no_memory() {
    let hub = Hub::new(MemoryStore::with_history(10_000));
    let mut slow = hub.subscribe_at("t", Position::Oldest).unwrap();
    let mut quick = hub.subscribe_at("t", Position::Oldest).unwrap();
    let data = "x".repeat(1000);
    assert_eq!(now(&mut slow).unwrap(), "retry: 2000\n");
    let mut seen = 0;
    for _ in 0..1000 {
        publish(&hub, &data).await;
        seen += decode_all(all_now(&mut quick).as_bytes()).count();
    }
    assert_eq!(seen, 1000);
    let stats = hub.topic_stats("t").await.unwrap().unwrap();
    assert_eq!(
        (stats.clients, stats.max_lag, stats.total_lag),
        (2, 1000, 1000)
    );
    let newest = stats.newest;
    assert_eq!(
        all_now(&mut slow),
        format!("event: gap\nid: {newest}\ndata: too-old\n\n")
    );
    assert_eq!(hub.topic_stats("t").await.unwrap().unwrap().max_lag, 0);
}
