//! Listeners, over a scripted network.

#[path = "support/network.rs"]
#[expect(dead_code, reason = "the tests of the client use the rest")]
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
fn listeners_are_called_for_their_event_type_or_for_every_type() {
    let network = Network::new([
        stream(&[text("data: 1\n\nevent: add\ndata: 2\n\n")]),
        status(204),
    ]);
    let log = Mutex::new(vec![]);
    let record = |text: String| log.lock().unwrap().push(text);
    let mut listeners = Listeners::new()
        .on_event(|event| record(format!("any {}", event.data())))
        .on_message(|event| record(format!("message {}", event.data())))
        .add_event_listener("add", |event| record(format!("add {}", event.data())));
    let source = EventSource::get("http://a.example/", network.connect(), network.sleep());
    let mut source = pin!(source.unwrap());
    run(&network, pin!(listeners.listen(source.as_mut())));
    drop(listeners);
    let log = log.into_inner().unwrap();
    assert_eq!(log, ["message 1", "any 1", "add 2", "any 2"]);
}

#[test]
fn an_event_too_large_is_passed_to_its_listeners() {
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
    let expected = ["event exceeds the limit of 3 bytes in its data", "5"];
    assert_eq!(log.into_inner().unwrap(), expected);
}

#[test]
fn listeners_get_the_final_url_of_a_response() {
    let network = Network::new([
        redirect(307, "https://b.example/events?x"),
        stream(&[]),
        stream(&[]),
        status(401),
    ]);
    let log = Mutex::new(vec![]);
    let record = |url: Option<&FinalUrl>| {
        let url = &url.unwrap().0;
        let origin = Origin::of(url).to_string();
        log.lock().unwrap().push((url.clone(), origin));
    };
    let mut listeners = Listeners::new()
        .on_open(|head| record(head.extensions.get()))
        .on_error(|lost| {
            lost.response()
                .into_iter()
                .for_each(|response| record(response.extensions().get()));
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

/// Polls the future in virtual time until it is ready.
fn run(network: &Network, mut listening: Pin<&mut impl Future<Output = ()>>) {
    let mut context = Context::from_waker(Waker::noop());
    while listening.as_mut().poll(&mut context).is_pending() {
        assert!(network.advance(u64::MAX), "no timer to wait for");
    }
}
