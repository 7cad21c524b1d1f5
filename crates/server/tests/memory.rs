//! Memory and allocations used by clients and logs.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

use allocation_counter::measure;
use http_body::Body as _;
use sse_proto::Frame;
use sse_proto_server::{
    Hub, MemoryStore, Position, Publisher, Store as _, Subscription, Topic as _,
};

/// Polls until the body is pending, and returns the number of bytes.
fn drain(body: &mut Subscription) -> usize {
    let mut bytes = 0;
    let mut context = Context::from_waker(Waker::noop());
    while let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(&mut context) {
        bytes += frame.unwrap().unwrap().into_data().unwrap().len();
    }
    bytes
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.unwrap().block_on(future)
}

#[test]
fn an_idle_client_uses_less_than_2_kib() {
    const CLIENTS: usize = 1000;
    run(async {
        let hub = Hub::new(MemoryStore::new());
        let mut bodies = Vec::with_capacity(CLIENTS);
        let cost = measure(|| {
            for _ in 0..CLIENTS {
                let mut body = hub.subscribe_at("t", Position::Newest).unwrap();
                drain(&mut body);
                bodies.push(body);
            }
        });
        let bytes = cost.bytes_current as usize / CLIENTS;
        println!(
            "{bytes} bytes, {} allocations",
            cost.count_total / CLIENTS as u64
        );
        assert!(bytes <= 2048, "{bytes}");
        // Dropping the clients frees the memory.
        let cost = measure(|| drop(bodies));
        assert!(
            cost.bytes_current <= -((bytes * CLIENTS * 9 / 10) as i64),
            "{cost:?}"
        );
    });
}

#[test]
fn an_event_takes_the_same_allocations_for_one_client_and_a_thousand() {
    run(async {
        let publish = |hub: &Hub| {
            let publishing = hub.publish("t", Frame::message("some data"));
            let mut publishing = std::pin::pin!(publishing);
            let polled = publishing
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(polled, Poll::Ready(Ok(_))));
        };
        let mut counts = Vec::new();
        for clients in [1, 1000] {
            let hub = Hub::new(MemoryStore::new());
            let mut bodies: Vec<_> = (0..clients)
                .map(|_| hub.subscribe_at("t", Position::Newest).unwrap())
                .collect();
            for _ in 0..300 {
                publish(&hub);
                bodies.iter_mut().for_each(|body| assert!(drain(body) > 0));
            }
            let cost = measure(|| {
                for _ in 0..100 {
                    publish(&hub);
                    bodies.iter_mut().for_each(|body| assert!(drain(body) > 0));
                }
            });
            println!("{clients} clients: {cost:?}");
            counts.push(cost.count_total);
        }
        assert!(counts[1] <= counts[0] + 100, "{counts:?}");
    });
}

#[test]
fn a_client_that_reads_nothing_uses_no_additional_memory() {
    run(async {
        let store = MemoryStore::with_history(100_000);
        let topic = store.topic("t").unwrap();
        let hub = Hub::new(store);
        let mut body = hub.subscribe_at("t", Position::Newest).unwrap();
        drain(&mut body);
        let publisher = Publisher::new();
        let data = "x".repeat(1000);
        let append = |times: usize| {
            for _ in 0..times {
                let token = publisher.token();
                let appending = topic.append(Frame::message(&data), &token);
                let polled =
                    std::pin::pin!(appending).poll(&mut Context::from_waker(Waker::noop()));
                assert!(matches!(polled, Poll::Ready(Ok(_))));
            }
        };
        let full = measure(|| append(1000));
        // The history, two blocks and the tokens.
        assert!(
            full.bytes_current < 100_000 + 2 * (16 << 10) + 40_000,
            "{full:?}"
        );
        let more = measure(|| append(10_000));
        assert!(more.bytes_current.abs() < 20_000, "{more:?}");
    });
}

#[test]
fn a_thousand_small_topics_use_little_memory() {
    run(async {
        let hub = Hub::new(MemoryStore::new());
        let cost = measure(|| {
            for number in 0..1000 {
                let name = number.to_string();
                let publishing = hub.publish(&name, Frame::message("some data"));
                let polled =
                    std::pin::pin!(publishing).poll(&mut Context::from_waker(Waker::noop()));
                assert!(matches!(polled, Poll::Ready(Ok(_))));
            }
        });
        let bytes = cost.bytes_current / 1000;
        println!("{bytes} bytes per topic");
        assert!(bytes <= 1800, "{bytes}");
    });
}
