//! What clients receive from a hub, in virtual time.

mod limits;
mod replay;
mod shutdown;
mod store_down;

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
        leaves = hub.subscribe_at("t", Position::Newest).unwrap();
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

#[tokio::test]
async fn hubs_and_bodies_can_be_sent_between_threads() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    fn is_sync<T: Sync>(_: &T) {}
    let hub = is_send(Hub::new(MemoryStore::new()));
    is_sync(&hub);
    let body = is_send(hub.subscribe_at("t", Position::Newest).unwrap());
    let headers = HeaderMap::new();
    drop((is_send(hub.respond("t", &headers)), body));
}
