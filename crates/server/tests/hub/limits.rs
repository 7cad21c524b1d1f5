//! Limits, eviction and `authorize`.

use super::*;

#[tokio::test(start_paused = true)]
async fn limits_are_enforced_and_a_client_that_leaves_makes_room() {
    let hub = HubBuilder::new()
        .max_clients(3)
        .max_clients_per_topic(2)
        .max_event_len(100)
        .build(MemoryStore::new().max_topics(2));
    let first = hub.subscribe_at("a", Position::Newest).unwrap();
    let second = hub.subscribe_at("a", Position::Newest).unwrap();
    assert_eq!(
        hub.subscribe_at("a", Position::Newest).unwrap_err(),
        SubscribeError::TooManyClients
    );
    let third = hub.subscribe_at("b", Position::Newest).unwrap();
    let error = hub.subscribe_at("b", Position::Newest).unwrap_err();
    assert_eq!(error, SubscribeError::TooManyClients);
    let response = error.into_response();
    assert_eq!(
        (response.status(), &response.headers()["retry-after"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"10".parse().unwrap())
    );
    let stats = hub.stats();
    assert_eq!(
        (stats.clients, stats.topics, stats.clients_admitted),
        (3, 2, 3)
    );
    // Both topics have clients.
    let error = hub.publish("c", Frame::message("x")).await.unwrap_err();
    assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        matches!(
            error,
            PublishError::Topic(TopicError::TooMany { limit: 2, .. })
        ),
        "{error:?}"
    );
    drop((first, third));
    assert_eq!((hub.stats().clients, hub.stats().topics), (1, 1));
    hub.publish("c", Frame::message("x")).await.unwrap();
    // `c` has an event and no clients, `a` has a client: `d` replaces `c`.
    drop(hub.subscribe_at("d", Position::Newest).unwrap());
    drop(second);
    assert_eq!((hub.stats().clients, hub.stats().topics), (0, 0));

    let error = hub
        .publish("a", Frame::message(&"x".repeat(93)))
        .await
        .unwrap_err();
    assert_eq!(error.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(
        matches!(
            error,
            PublishError::TooLong {
                len: 101,
                limit: 100,
                ..
            }
        ),
        "{error:?}"
    );
    hub.publish("a", Frame::message(&"x".repeat(92)))
        .await
        .unwrap();
    for frame in [
        Frame::new(),
        Frame::keep_alive(),
        Frame::new().retry(Duration::ZERO),
        Frame::new().id("7").unwrap(),
    ] {
        let error = hub.publish("a", frame).await.unwrap_err();
        assert!(matches!(error, PublishError::NotAnEvent), "{error:?}");
    }
    assert!(matches!(
        hub.publish("", Frame::message("x")).await,
        Err(PublishError::Topic(TopicError::InvalidName))
    ));
    assert_eq!(
        hub.respond("", &HeaderMap::new()).await.status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test(start_paused = true)]
async fn the_least_recently_used_topic_is_evicted_at_the_limit() {
    let hub = Hub::new(MemoryStore::new().max_topics(3));
    let mut ids = Vec::new();
    for topic in ["a", "b", "c"] {
        ids.push(hub.publish(topic, Frame::message("x")).await.unwrap());
    }
    hub.publish("a", Frame::message("y")).await.unwrap();
    hub.publish("d", Frame::message("x")).await.unwrap();
    // Topic `b` was evicted.
    let mut body = hub
        .subscribe("a", &headers(&ids[0].to_string()))
        .await
        .unwrap();
    assert!(all_now(&mut body).ends_with("data: y\n\n"));
    let mut body = hub
        .subscribe("c", &headers(&ids[2].to_string()))
        .await
        .unwrap();
    assert_eq!(all_now(&mut body), "retry: 2000\n");
    drop(body);
    let mut body = hub
        .subscribe("b", &headers(&ids[1].to_string()))
        .await
        .unwrap();
    assert!(all_now(&mut body).contains("data: unknown"));
}

#[tokio::test(start_paused = true)]
async fn authorize_decides_who_may_subscribe_to_what() {
    let hub = HubBuilder::new()
        .authorize(|topic, headers| {
            let (topic, user) = (topic.to_owned(), headers.get("user").cloned());
            async move {
                sleep(Duration::from_secs(1)).await;
                match user {
                    None => Err(StatusCode::UNAUTHORIZED),
                    Some(user) if user == *topic => Ok(()),
                    Some(_) => Err(StatusCode::FORBIDDEN),
                }
            }
        })
        .build(MemoryStore::new());
    let mut headers = HeaderMap::new();
    assert_eq!(
        hub.respond("ann", &headers).await.status(),
        StatusCode::UNAUTHORIZED
    );
    headers.insert("user", HeaderValue::from_static("ann"));
    assert_eq!(
        hub.respond("bob", &headers).await.status(),
        StatusCode::FORBIDDEN
    );
    let error = hub.subscribe("bob", &headers).await.unwrap_err();
    assert_eq!(error, SubscribeError::Refused(StatusCode::FORBIDDEN));
    assert_eq!(hub.stats().clients_admitted, 0);
    assert_eq!(hub.respond("ann", &headers).await.status(), StatusCode::OK);
}
