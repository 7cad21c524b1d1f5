//! Any `Content-Type` values, compared with the steps of the standards, and the origin of any URL,
//! compared with the package `url`.

use sse_proto::{Decoder, EventSource, Fixed, Origin, Signal};
use url::Url;

use super::input::{Bytes, List, Text, case};
use crate::support::mime;

case! {
    struct Case {
        url: Text,
        lines: List<Bytes>,
    }
}

pub(crate) fn check(case: &Case) {
    let lines: Vec<&[u8]> = case.lines.0.iter().map(|line| &line.0[..]).collect();
    check_type(&lines);
    check_origin(&case.url.0);
}

/// Checks that a response with these values opens the connection if and only if the type is right.
fn check_type(lines: &[&[u8]]) {
    let mut source = source("http://a.example/").expect("a URL");
    let names = ["Content-Type", "content-type", "CONTENT-TYPE"].iter();
    let signal = source.handle_response(200, None, names.cycle().zip(lines));
    let opens = signal == Some(Signal::Open);
    assert_eq!(opens, mime::is_event_stream(lines), "{:?}", signal);
}

fn check_origin(text: &str) {
    let origin = Origin::of(text);
    let serialised = origin.to_string();
    assert_eq!(origin, serialised.as_str());
    assert_eq!(origin.is_opaque(), serialised == "null");
    assert_eq!(Origin::of(&serialised), serialised.as_str());
    let accepted = source(text).is_some();

    let Ok(url) = Url::parse(text) else {
        return;
    };
    let expected = url.origin().ascii_serialization();
    let is_http = ["http", "https"].contains(&url.scheme());
    if url.scheme() != "blob" {
        assert_eq!(Origin::of(url.as_str()), expected.as_str(), "{url}");
    }
    if is_http {
        assert!(source(url.as_str()).is_some(), "{url}");
        assert_eq!(Origin::of(&format!("blob:{url}")), expected.as_str());
    }
    // The origins may only differ if the package normalises the host.
    if accepted && is_http && origin != expected.as_str() {
        let host = |origin: &str| {
            let (_, host) = origin.split_once("://").expect("a scheme");
            let port = host.rfind(':').filter(|&at| !host[at..].contains(']'));
            host[..port.unwrap_or(host.len())].to_owned()
        };
        assert_ne!(host(&serialised), host(&expected), "{text}");
        let is_plain = |c: char| c.is_ascii_alphabetic() || "-.".contains(c);
        assert!(
            !host(&serialised).chars().all(is_plain),
            "{text}: {expected}"
        );
    }
}

fn source(url: &str) -> Option<EventSource<&str, Fixed<[u8; 64]>>> {
    let decoder = Decoder::with_storage(Fixed::new([0; 64]));
    EventSource::with_decoder(url, decoder).ok()
}
