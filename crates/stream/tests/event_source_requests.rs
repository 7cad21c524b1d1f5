//! Requests that a client does not send, over a scripted network.

#[path = "support/network.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod network;

use std::{error::Error as _, pin::pin};

use network::{Network, Step, log, next_until, redirect, stream};
use sse_proto::Reason;
use sse_proto_stream::{Error, EventSource};

#[test]
fn a_redirect_with_credentials_to_another_origin_is_not_followed() {
    let network = Network::new([redirect(307, "//me:secret@b.example/")]);
    let source = EventSource::get("http://a.example/", network.connect(), network.sleep());
    let mut source = pin!(source.unwrap());
    let Some(Some(Err(Error::Source(lost)))) = next_until(&network, source.as_mut(), 0) else {
        panic!()
    };
    assert_eq!(lost.reason(), Reason::Permanent);
    let why = lost.source().unwrap().to_string();
    assert_eq!(why, "redirect to a URL with credentials and another origin");
    assert_eq!(network.requests().len(), 1);

    // To the same origin it is.
    let network = Network::new([
        redirect(307, "//me:secret@a.example:80/"),
        stream(&[Step::Hang]),
    ]);
    let source = EventSource::get("http://a.example/", network.connect(), network.sleep());
    assert_eq!(log(&network, pin!(source.unwrap()), 0), ["open 200"]);
}
