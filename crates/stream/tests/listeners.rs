//! What listeners are told, over a scripted network.

#[path = "support/network.rs"]
#[expect(dead_code, reason = "it serves the tests of the client, too")]
mod network;

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::Mutex,
    task::{Context, Waker},
};

use network::{Network, redirect, status, stream, text};
use sse_proto::{Decoder, Origin};
use sse_proto_stream::{EventSource, FinalUrl, Listeners};

#[test]
fn listeners_hear_their_type_and_some_hear_all() {
    let network = Network::new([
        stream(&[text("data: 1\n\nevent: add\ndata: 2\n\n")]),
        status(204),
    ]);
    let log = Mutex::new(vec![]);
    let say = |text: String| log.lock().unwrap().push(text);
    let mut listeners = Listeners::new()
        .on_event(|event| say(format!("any {}", event.data())))
        .on_message(|event| say(format!("message {}", event.data())))
        .add_event_listener("add", |event| say(format!("add {}", event.data())));
    let source = EventSource::get("http://a.example/", network.connect(), network.sleep());
    let mut source = pin!(source.unwrap());
    run(&network, pin!(listeners.listen(source.as_mut())));
    drop(listeners);
    let log = log.into_inner().unwrap();
    assert_eq!(log, ["message 1", "any 1", "add 2", "any 2"]);
}

#[test]
fn an_event_too_large_is_heard_by_those_who_want_to() {
    let network = Network::new([stream(&[text("data: 1234\n\ndata: 5\n\n")]), status(204)]);
    let log = Mutex::new(vec![]);
    let mut listeners = Listeners::new()
        .on_message(|event| log.lock().unwrap().push(event.data().to_owned()))
        .on_too_large(|error| log.lock().unwrap().push(error.to_string()));
    let request = http::Request::get("http://a.example/").body(bytes::Bytes::new());
    let (connect, sleep) = (network.connect(), network.sleep());
    let decoder = Decoder::with_max_event_len(3);
    let source = EventSource::with_decoder(request.unwrap(), decoder, connect, sleep);
    let mut source = pin!(source.unwrap());
    run(&network, pin!(listeners.listen(source.as_mut())));
    drop(listeners);
    let due = ["event exceeds the limit of 3 bytes", "5"];
    assert_eq!(log.into_inner().unwrap(), due);
}

#[test]
fn listeners_know_where_a_response_comes_from() {
    let network = Network::new([
        redirect(307, "https://b.example/events?x"),
        stream(&[]),
        stream(&[]),
        status(401),
    ]);
    let log = Mutex::new(vec![]);
    let say = |url: Option<&FinalUrl>| {
        let url = &url.unwrap().0;
        let origin = Origin::of(url).to_string();
        log.lock().unwrap().push((url.clone(), origin));
    };
    let mut listeners = Listeners::new()
        .on_open(|head| say(head.extensions.get()))
        .on_error(|lost| {
            lost.response()
                .into_iter()
                .for_each(|response| say(response.extensions().get()));
        });
    let source = EventSource::get("http://a.example/", network.connect(), network.sleep());
    let mut source = pin!(source.unwrap());
    run(&network, pin!(listeners.listen(source.as_mut())));
    drop(listeners);
    let log = log.into_inner().unwrap();
    let log: Vec<_> = log
        .iter()
        .map(|(url, origin)| (&**url, &**origin))
        .collect();
    let there = ("https://b.example/events?x", "https://b.example");
    let here = ("http://a.example/", "http://a.example");
    assert_eq!(log, [there, here, here]);
}

/// Polls it, in virtual time, until it is ready.
fn run(network: &Network, mut listening: Pin<&mut impl Future<Output = ()>>) {
    let mut context = Context::from_waker(Waker::noop());
    while listening.as_mut().poll(&mut context).is_pending() {
        assert!(network.go_on(u64::MAX), "it waits for nothing");
    }
}
