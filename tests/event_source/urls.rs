//! URLs: which are accepted, their origins, and where a reconnect goes after redirects.

use sse_proto::{Action, Decoder, Disconnect, EventSource, Fixed, Origin, ReconnectTo, Signal};

use super::{EVENT_STREAM, URL, open, source};

#[test]
fn an_origin_is_serialised_as_the_url_standard_says() {
    for (url, origin) in [
        ("http://a.example/", "http://a.example"),
        ("http://a.example", "http://a.example"),
        ("http://a.example?x", "http://a.example"),
        ("http://a.example#x", "http://a.example"),
        ("http://a.example\\x", "http://a.example"),
        ("HTTP://A.EXAMPLE/", "http://a.example"),
        ("https://a.example:443/", "https://a.example"),
        ("https://a.example:80/", "https://a.example:80"),
        ("http://a.example:80/", "http://a.example"),
        ("http://a.example:443/", "http://a.example:443"),
        ("http://a.example:/", "http://a.example"),
        ("http://a.example:0/", "http://a.example:0"),
        ("http://a.example:00080/", "http://a.example"),
        ("http://a.example:08080/", "http://a.example:8080"),
        ("http://a.example:65535/", "http://a.example:65535"),
        ("http://a.example:65536/", "null"),
        ("http://a.example:+80/", "null"),
        ("http://a.example:x/", "null"),
        ("ws://a.example:80/", "ws://a.example"),
        ("wss://a.example:443/", "wss://a.example"),
        ("ftp://a.example:21/", "ftp://a.example"),
        ("http://user:pass@a.example:81/", "http://a.example:81"),
        ("http://user@host@a.example/", "http://a.example"),
        ("http://a.example/@b.example/", "http://a.example"),
        ("http://a.example?@b.example/", "http://a.example"),
        ("http://a.example:8080@b.example/", "http://b.example"),
        ("http://[2001:DB8::1]/", "http://[2001:db8::1]"),
        ("http://[::1]:80/", "http://[::1]"),
        ("http://user:p@[::1]:8080/x:y", "http://[::1]:8080"),
        ("http://[::1]x/", "null"),
        ("http://[::1/", "null"),
        ("http://user@/", "null"),
        ("http://127.0.0.1:3000/", "http://127.0.0.1:3000"),
        (
            "http://xn--bcher-kva.example/",
            "http://xn--bcher-kva.example",
        ),
        ("http:///", "null"),
        ("http://:80/", "null"),
        ("http:a.example", "null"),
        ("http:/a.example", "null"),
        ("file:///tmp/x", "null"),
        ("data:text/event-stream,x", "null"),
        ("about:blank", "null"),
        ("custom://a.example/", "null"),
        ("blob:https://a.example:443/9a1", "https://a.example"),
        ("BLOB:http://a.example:8080/9a1", "http://a.example:8080"),
        ("blob:null/9a1", "null"),
        ("blob:ftp://a.example/9a1", "null"),
        ("blob:blob:http://a.example/9a1", "null"),
        ("", "null"),
        ("a.example", "null"),
        ("//a.example", "null"),
    ] {
        assert_eq!(Origin::of(url), origin, "{url}");
        assert_eq!(Origin::of(url).to_string(), origin, "{url}");
        assert_eq!(Origin::of(url), *origin, "{url}");
        assert_eq!(Origin::of(url).is_opaque(), origin == "null", "{url}");
        assert_eq!(format!("{:?}", Origin::of(url)), format!("{origin:?}"));
    }
    assert_eq!(Origin::of("http://A:80/x"), Origin::of("http://a/y"));
    assert_ne!(Origin::of("http://a/"), Origin::of("https://a/"));
    assert_ne!(Origin::of("http://a/"), "http://a/");
    assert_ne!(Origin::of("http://ab/"), "http://a");
}

#[test]
fn a_url_must_be_absolute_and_fit_into_a_request() {
    let check = |url: &str| {
        let decoder = Decoder::with_storage(Fixed::new([0; 64]));
        EventSource::with_decoder(url.to_owned(), decoder).map(|source| source.url().to_owned())
    };
    for url in [
        "http://a.example/stream",
        "https://user:pass@[::1]:8443/?x=y#z",
        "HTTP://A.EXAMPLE",
        "http://b\u{fc}cher.example/",
        "file:///tmp/x",
        "mailto:a@b",
        "a+b-c.9:",
    ] {
        assert_eq!(check(url).as_deref(), Ok(url));
    }
    for (url, why) in [
        ("", "absolute"),
        ("stream", "absolute"),
        ("/stream", "absolute"),
        ("//a.example/", "absolute"),
        (":x", "absolute"),
        ("1http://a/", "absolute"),
        ("b\u{e4}h:x", "absolute"),
        ("../x:y", "absolute"),
        ("http:", "host"),
        ("http://", "host"),
        ("http:///x", "host"),
        ("https://:443/", "host"),
        ("http:a.example", "host"),
        ("http://a:b/", "port"),
        ("http://a:65536/", "port"),
        (" http://a/", "space"),
        ("http://a/ ", "space"),
        ("http://a/x y", "space"),
        ("http://a/\r\nX: y", "control"),
        ("http://a/\t", "control"),
        ("http://a/\0", "control"),
        ("http://a/\x7F", "control"),
    ] {
        let error = check(url).unwrap_err();
        assert!(error.to_string().contains(why), "{url:?}: {error}");
    }
}

#[test]
fn the_url_is_kept_and_the_origin_is_that_of_the_last_response() {
    let mut source = source();
    for (url, origin) in [
        (Some("http://b.example/"), "http://b.example"),
        (None, "http://a.example"),
        (Some("https://c.example/"), "https://c.example"),
    ] {
        let _open = source.handle_response(200, url, EVENT_STREAM);
        assert_eq!(source.origin(), origin);
        let mut messages = source.feed(b"data\n\n");
        assert_eq!(messages.next_message().unwrap().unwrap().origin, origin);
        let _error = source.handle_disconnect(Disconnect::EndOfBody);
        source.handle_wait_elapsed();
        assert_eq!(source.url(), URL);
        assert!(matches!(source.action(), Action::Connect(request) if request.url == URL));
    }
}

/// The URL of the next request, and the origin, after a stream that was reached through these
/// redirects.
fn after(to: ReconnectTo, redirects: &[(u16, &'static str)]) -> [String; 2] {
    let mut source = source().reconnect_to(to);
    for (status, url) in redirects {
        source.handle_redirect(*status, url);
    }
    let _open = source.handle_response(200, None, EVENT_STREAM);
    let origin = source.origin().to_string();
    let _error = source.handle_disconnect(Disconnect::EndOfBody);
    assert_eq!(source.origin(), &origin[..]);
    source.handle_wait_elapsed();
    let Action::Connect(request) = source.action() else {
        panic!()
    };
    assert_eq!(source.url(), URL);
    [request.url.to_owned(), origin]
}

#[test]
fn a_reconnect_uses_the_url_chosen_with_reconnect_to() {
    use ReconnectTo::{FinalUrl, OriginalUrl, PermanentUrl};
    const B: &str = "http://b.example";
    const C: &str = "http://c.example";
    for (to, redirects, expected) in [
        (OriginalUrl, &[][..], [URL, "http://a.example"]),
        (OriginalUrl, &[(301, B)], [URL, B]),
        (OriginalUrl, &[(308, B), (302, C)], [URL, C]),
        (FinalUrl, &[], [URL, "http://a.example"]),
        (FinalUrl, &[(302, B)], [B, B]),
        (FinalUrl, &[(301, B), (307, C)], [C, C]),
        (PermanentUrl, &[], [URL, "http://a.example"]),
        (PermanentUrl, &[(301, B)], [B, B]),
        (PermanentUrl, &[(308, B)], [B, B]),
        (PermanentUrl, &[(302, B)], [URL, B]),
        (PermanentUrl, &[(303, B)], [URL, B]),
        (PermanentUrl, &[(307, B)], [URL, B]),
        (PermanentUrl, &[(301, B), (308, C)], [C, C]),
        (PermanentUrl, &[(301, B), (302, C)], [B, C]),
        (PermanentUrl, &[(302, B), (301, C)], [URL, C]),
    ] {
        assert_eq!(after(to, redirects), expected, "{to:?} {redirects:?}");
    }
}

#[test]
fn set_url_applies_from_the_next_request_on() {
    let mut source = open().reconnect_to(ReconnectTo::FinalUrl);
    assert!(source.set_url("/relative").is_err());
    assert_eq!(source.url(), URL);
    source.set_url("http://b.example/2").unwrap();
    assert_eq!(source.url(), "http://b.example/2");
    // The current stream keeps its origin.
    assert_eq!(source.origin(), "http://a.example");
    assert!(matches!(source.reconnect_now(), Some(Signal::Error { .. })));
    let Action::Connect(request) = source.action() else {
        panic!()
    };
    assert_eq!(request.url, "http://b.example/2");
    let _open = source.handle_response(200, None, EVENT_STREAM);
    assert_eq!(source.origin(), "http://b.example");
    // The same after redirects.
    let _error = source.reconnect_now();
    source.handle_redirect(302, "http://c.example");
    let _open = source.handle_response(200, None, EVENT_STREAM);
    assert_eq!(source.origin(), "http://c.example");
    source.set_url("http://d.example/").unwrap();
    assert_eq!(source.origin(), "http://c.example");
    let _error = source.reconnect_now();
    assert!(
        matches!(source.action(), Action::Connect(request) if request.url == "http://d.example/")
    );
}
