//! What clients receive from a hub, in virtual time.

use std::{
    error::Error,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use sse_proto::{Frame, Item, decode_all};
use sse_proto_server::{
    AppendError, Bounds, EventId, Hub, HubBuilder, MemoryStore, Position, PublishError, ReadAfter,
    Store, StoreError, SubscribeError, Subscription, Token, Topic, TopicError,
};
use tokio::time::{Instant, sleep};

fn headers(last_event_id: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(
        "last-event-id",
        HeaderValue::from_str(last_event_id).unwrap(),
    );
    headers
}

async fn publish<S: Store>(hub: &Hub<S>, data: &str) -> EventId {
    hub.publish("t", Frame::message(data)).await.unwrap()
}

/// The next frame of a body, as text; `None` at its end.
async fn next(body: &mut Subscription) -> Option<String> {
    let frame = body.frame().await?.unwrap();
    Some(String::from_utf8(frame.into_data().unwrap().into()).unwrap())
}

/// The next frame, if it is available without waiting.
fn now(body: &mut Subscription) -> Option<String> {
    let mut context = Context::from_waker(Waker::noop());
    match Pin::new(body).poll_frame(&mut context) {
        Poll::Ready(Some(frame)) => {
            let data = frame.unwrap().into_data().unwrap();
            Some(String::from_utf8(data.into()).unwrap())
        }
        Poll::Ready(None) => panic!("the body has ended"),
        Poll::Pending => None,
    }
}

/// Everything that is available without waiting, joined.
fn all_now(body: &mut Subscription) -> String {
    std::iter::from_fn(|| now(body)).collect()
}

async fn subscribe<S: Store>(hub: &Hub<S>, last_event_id: &str) -> Subscription {
    hub.subscribe("t", &headers(last_event_id)).await.unwrap()
}

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
        .start(Position::Oldest)
        .build(MemoryStore::new());
    let id = publish(&hub, "old").await;
    let event = format!("id: {id}\ndata: old\n\n");
    // An empty id counts as no id.
    for headers in [HeaderMap::new(), headers("")] {
        let mut body = hub.subscribe("t", &headers).await.unwrap();
        assert_eq!(all_now(&mut body), format!("retry: 2000\n{event}"));
    }
    let mut body = hub.subscribe_at("t", Position::Head).unwrap();
    assert_eq!(all_now(&mut body), format!("retry: 2000\nid: {id}\n\n"));
    let start = EventId { number: 0, ..id };
    let mut body = hub.subscribe_at("t", Position::After(start)).unwrap();
    assert_eq!(all_now(&mut body), format!("retry: 2000\n{event}"));
}

#[tokio::test(start_paused = true)]
async fn an_id_that_cannot_be_resumed_causes_one_gap_and_the_stream_continues_from_the_head() {
    let hub = Hub::new(MemoryStore::with_history(100));
    let first = publish(&hub, "first").await;
    let mut head = first;
    for _ in 0..20 {
        head = publish(&hub, "more").await;
    }
    let ahead = EventId {
        number: head.number + 1,
        ..head
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
        let gap = format!("event: gap\nid: {head}\ndata: {reason}\n\n");
        assert_eq!(all_now(&mut body), format!("retry: 2000\n{gap}"), "{id:?}");
        // With the id of the gap event, there is no further gap.
        let mut body = subscribe(&hub, &head.to_string()).await;
        assert_eq!(all_now(&mut body), "retry: 2000\n");
    }
    let mut two = headers(&head.to_string());
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
async fn pending_events_are_sent_in_one_frame() {
    let hub = Hub::new(MemoryStore::new());
    let mut body = hub.subscribe_at("t", Position::Oldest).unwrap();
    assert_eq!(now(&mut body).unwrap(), "retry: 2000\n");
    assert_eq!(now(&mut body), None);
    for number in 0..20 {
        publish(&hub, &number.to_string()).await;
    }
    let frame = next(&mut body).await.unwrap();
    assert_eq!(decode_all(frame.as_bytes()).count(), 20);
    assert_eq!(now(&mut body), None);
}

#[tokio::test(start_paused = true)]
async fn all_clients_get_the_same_bytes() {
    let hub = Hub::new(MemoryStore::new());
    let mut bodies: Vec<_> = (0..3)
        .map(|_| hub.subscribe_at("t", Position::Oldest).unwrap())
        .collect();
    publish(&hub, &"x".repeat(1000)).await;
    let mut addresses = Vec::new();
    for body in &mut bodies {
        assert_eq!(now(body).unwrap(), "retry: 2000\n");
        let event = body.frame().await.unwrap().unwrap().into_data().unwrap();
        addresses.push(event.as_ptr());
    }
    assert!(addresses.iter().all(|address| *address == addresses[0]));
}

#[tokio::test(start_paused = true)]
async fn a_keep_alive_comment_is_sent_only_after_silence() {
    let hub = HubBuilder::new()
        .keep_alive(Duration::from_secs(8))
        .build(MemoryStore::new());
    let mut body = hub.subscribe_at("t", Position::Oldest).unwrap();
    assert_eq!(next(&mut body).await.unwrap(), "retry: 2000\n");
    let mut last = Instant::now();
    for _ in 0..5 {
        assert_eq!(next(&mut body).await.unwrap(), ":\n");
        let silence = last.elapsed().as_secs_f32();
        assert!((4.0..8.1).contains(&silence), "{silence}");
        last = Instant::now();
    }
    // No comment is sent between events that are 3 seconds apart.
    let publishing = tokio::spawn({
        let hub = hub.clone();
        async move {
            for _ in 0..10 {
                publish(&hub, "x").await;
                sleep(Duration::from_secs(3)).await;
            }
        }
    });
    for _ in 0..10 {
        assert!(next(&mut body).await.unwrap().ends_with("data: x\n\n"));
    }
    publishing.await.unwrap();
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
    let head = stats.head;
    assert_eq!(
        all_now(&mut slow),
        format!("event: gap\nid: {head}\ndata: too-old\n\n")
    );
    assert_eq!(hub.topic_stats("t").await.unwrap().unwrap().max_lag, 0);
}

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

#[tokio::test(start_paused = true)]
async fn limits_are_enforced_and_a_client_that_leaves_makes_room() {
    let hub = HubBuilder::new()
        .max_clients(3)
        .max_clients_per_topic(2)
        .max_event_len(100)
        .build(MemoryStore::new().max_topics(2));
    let first = hub.subscribe_at("a", Position::Head).unwrap();
    let second = hub.subscribe_at("a", Position::Head).unwrap();
    assert_eq!(
        hub.subscribe_at("a", Position::Head).unwrap_err(),
        SubscribeError::TooManyClients
    );
    let third = hub.subscribe_at("b", Position::Head).unwrap();
    let error = hub.subscribe_at("b", Position::Head).unwrap_err();
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
    drop(hub.subscribe_at("d", Position::Head).unwrap());
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

#[tokio::test(start_paused = true)]
async fn stats_include_clients_that_have_left() {
    let hub = Hub::new(MemoryStore::new());
    let mut stays = hub.subscribe_at("t", Position::Oldest).unwrap();
    let mut leaves = hub.subscribe_at("t", Position::Oldest).unwrap();
    let mut bytes = 0;
    for number in 0..10 {
        publish(&hub, &number.to_string()).await;
    }
    for body in [&mut stays, &mut leaves] {
        bytes += all_now(body).len() - "retry: 2000\n".len();
    }
    for _ in 0..2 {
        let stats = hub.stats();
        assert_eq!((stats.events_published, stats.events_delivered), (10, 20));
        assert_eq!(stats.bytes_delivered as usize, bytes);
        leaves = hub.subscribe_at("t", Position::Head).unwrap();
    }
    drop(leaves);
    assert_eq!(hub.topic_stats("t").await.unwrap().unwrap().clients, 1);
    assert!(hub.topic_stats("other").await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn an_id_set_on_the_frame_is_not_sent() {
    let hub = Hub::new(MemoryStore::new());
    let mut body = hub.subscribe_at("t", Position::Oldest).unwrap();
    let frame = Frame::message("x")
        .id("own-id")
        .unwrap()
        .comment("c")
        .retry(Duration::from_secs(9));
    let id = hub.publish("t", frame).await.unwrap();
    let sent = all_now(&mut body);
    let event = decode_all(sent.as_bytes()).next().unwrap();
    assert_eq!(event.last_event_id(), id.to_string());
    assert!(sent.contains("retry: 9000\n") && sent.contains(":c\n") && !sent.contains("own-id"));
}

/// A store that can be made unreachable.
struct Flaky {
    memory: MemoryStore,
    is_down: Arc<AtomicBool>,
}

struct FlakyTopic {
    memory: Arc<<MemoryStore as Store>::Topic>,
    is_down: Arc<AtomicBool>,
}

impl FlakyTopic {
    fn check(&self) -> Result<(), StoreError> {
        if self.is_down.load(Relaxed) {
            Err("down".into())
        } else {
            Ok(())
        }
    }
}

impl Store for Flaky {
    type Topic = FlakyTopic;

    fn topic(&self, name: &str) -> Result<Arc<FlakyTopic>, TopicError> {
        let (memory, is_down) = (self.memory.topic(name)?, self.is_down.clone());
        Ok(Arc::new(FlakyTopic { memory, is_down }))
    }
}

impl Topic for FlakyTopic {
    async fn append(&self, frame: Frame<'_>, token: &Token) -> Result<EventId, AppendError> {
        // The event arrives, but the reply does not.
        let id = self.memory.append(frame, token).await?;
        self.check().map_err(AppendError::Unknown)?;
        Ok(id)
    }

    async fn read_after(&self, after: EventId, max_bytes: usize) -> Result<ReadAfter, StoreError> {
        self.check()?;
        self.memory.read_after(after, max_bytes).await
    }

    async fn bounds(&self) -> Result<Bounds, StoreError> {
        self.check()?;
        self.memory.bounds().await
    }

    fn wait(&self, after: EventId) -> impl Future<Output = ()> + Send {
        self.memory.wait(after)
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_down_streams_stay_open_and_the_outcome_of_publishing_is_unknown() {
    let is_down = Arc::new(AtomicBool::new(true));
    let store = Flaky {
        memory: MemoryStore::new(),
        is_down: is_down.clone(),
    };
    let hub = HubBuilder::new()
        .keep_alive(Duration::from_secs(4))
        .build(store);
    let mut new = hub.subscribe("t", &HeaderMap::new()).await.unwrap();
    let mut returning = subscribe(&hub, "7-7").await;
    for body in [&mut new, &mut returning] {
        assert_eq!(next(body).await.unwrap(), "retry: 2000\n");
        assert_eq!(next(body).await.unwrap(), ":\n");
        assert_eq!(next(body).await.unwrap(), ":\n");
    }
    let frame = Frame::message("x");
    let error = hub.publish("t", frame).await.unwrap_err();
    assert_eq!(error.status(), StatusCode::GATEWAY_TIMEOUT);
    let PublishError::Unknown { token, error, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!(error.to_string(), "down");
    let again = hub.publish_again("t", frame, &token).await.unwrap_err();
    assert_eq!(
        again.to_string(),
        "the event may have been published or not"
    );
    assert_eq!(again.source().unwrap().to_string(), "down");

    is_down.store(false, Relaxed);
    let id = hub.publish_again("t", frame, &token).await.unwrap();
    assert_eq!(id.number, 1, "it is in the log once");
    assert_eq!(next(&mut new).await.unwrap(), format!("id: {id}\n\n"));
    assert_eq!(
        next(&mut returning).await.unwrap(),
        format!("event: gap\nid: {id}\ndata: unknown\n\n")
    );

    // A shutdown does not wait for the store.
    is_down.store(true, Relaxed);
    let _ = hub.publish("t", Frame::message("y")).await;
    hub.shutdown(Duration::ZERO);
    assert_eq!(next(&mut new).await.unwrap(), "retry: 2000\n\n");
    assert_eq!(next(&mut new).await, None);
}

#[tokio::test]
async fn hubs_and_bodies_can_be_sent_between_threads() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    fn is_sync<T: Sync>(_: &T) {}
    let hub = is_send(Hub::new(MemoryStore::new()));
    is_sync(&hub);
    let body = is_send(hub.subscribe_at("t", Position::Head).unwrap());
    let headers = HeaderMap::new();
    drop((is_send(hub.respond("t", &headers)), body));
}
