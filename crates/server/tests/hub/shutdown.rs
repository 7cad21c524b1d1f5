//! `shutdown`, `disconnect_all` and `close`.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_all_bodies_at_an_event_boundary_and_spreads_reconnects() {
    let hub = HubBuilder::new()
        .retry(Duration::from_secs(1))
        .build(MemoryStore::new());
    let mut bodies: Vec<_> = (0..1000)
        .map(|_| hub.subscribe_at("t", Position::Oldest).unwrap())
        .collect();
    publish(&hub, "before").await;
    let bodies = bodies.iter_mut().map(|body| body.collect());
    let ending = futures_util::future::join_all(bodies);
    let begin = Instant::now();
    let (bodies, ()) = tokio::join!(ending, async {
        sleep(Duration::from_secs(1)).await;
        hub.shutdown(Duration::from_secs(10));
    });
    assert_eq!(begin.elapsed().as_secs(), 1, "they end immediately");
    let mut returns = Vec::new();
    for body in bodies {
        let body = body.unwrap().to_bytes();
        assert!(body.ends_with(b"\n\n"));
        let mut decoder = sse_proto::Decoder::new();
        let mut events = decoder.feed(&body);
        let mut retries = Vec::new();
        while let Some(item) = events.next_item().unwrap() {
            match item {
                Item::Event(event) => assert_eq!(event.data, "before"),
                Item::Retry(time) => retries.push(time),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(retries.len(), 2);
        returns.push(retries[1].as_millis() as usize);
    }
    // One tenth of the clients returns in each of the ten seconds.
    let mut seconds = [0; 12];
    for time in &returns {
        seconds[time / 1000] += 1;
    }
    assert_eq!((seconds[0], seconds[11]), (0, 0), "{seconds:?}");
    assert!(
        seconds[1..11]
            .iter()
            .all(|clients| (95..=105).contains(clients)),
        "{seconds:?}"
    );
    assert_eq!(hub.stats().clients, 0);

    // A new client is only told when to come back.
    let response = hub.respond("t", &HeaderMap::new()).await;
    assert_eq!(response.status(), StatusCode::OK);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body = str::from_utf8(&body).unwrap();
    assert!(
        body.starts_with("retry: ") && body.ends_with("\n\n") && body.lines().count() == 2,
        "{body:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn events_published_before_a_shutdown_are_sent_before_the_end() {
    let hub = Hub::new(MemoryStore::new());
    let mut body = hub.subscribe_at("t", Position::Oldest).unwrap();
    let first = publish(&hub, "first").await;
    let mut returning = subscribe(&hub, &first.to_string()).await;
    for body in [&mut body, &mut returning] {
        let _ = all_now(body);
    }
    let last = publish(&hub, "last").await;
    let more = publish(&hub, &"x".repeat(20_000)).await;
    hub.shutdown(Duration::ZERO);
    for body in [&mut body, &mut returning] {
        let mut sent = next(body).await.unwrap();
        // Later events do not keep the stream open.
        publish(&hub, "too late").await;
        while let Some(frames) = next(body).await {
            sent += &frames;
        }
        let events = decode_all(sent.as_bytes());
        let ids: Vec<_> = events
            .map(|event| event.last_event_id().to_owned())
            .collect();
        assert_eq!(ids[..2], [last, more].map(|id| id.to_string()));
        assert!(
            ids.len() < 5 && sent.ends_with("\n\nretry: 2000\n\n"),
            "{ids:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn disconnected_clients_return_and_closed_ones_do_not() {
    let hub = Hub::new(MemoryStore::new());
    let id = publish(&hub, "x").await;
    let mut body = subscribe(&hub, &id.to_string()).await;
    assert_eq!(next(&mut body).await.unwrap(), "retry: 2000\n");
    hub.disconnect_all(Duration::ZERO);
    assert_eq!(next(&mut body).await.unwrap(), "retry: 2000\n\n");
    assert_eq!(next(&mut body).await, None);
    assert!(body.is_end_stream());

    let mut body = subscribe(&hub, &id.to_string()).await;
    let after = publish(&hub, "y").await;
    assert_eq!(
        all_now(&mut body),
        format!("retry: 2000\nid: {after}\ndata: y\n\n")
    );
    hub.close();
    assert_eq!(next(&mut body).await.unwrap(), "retry: 2000\n\n");
    assert_eq!(next(&mut body).await, None);
    assert_eq!(
        hub.respond("t", &HeaderMap::new()).await.status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        hub.subscribe("t", &HeaderMap::new()).await.unwrap_err(),
        SubscribeError::Closed
    );
}
