//! What a request carries: `Last-Event-ID`, credentials mode and timeouts.

use sse_proto::{Action, Credentials, Decoder, Disconnect, EventSource, Fixed};

use super::{EVENT_STREAM, MS, URL, data, open, source};

/// The values of `Last-Event-ID` in a request with this ID, and whether the ID was omitted.
fn sent(id: &str) -> (Vec<Vec<u8>>, bool) {
    let mut source = source();
    source.set_last_event_id(id).unwrap();
    let Action::Connect(request) = source.action() else {
        panic!("{:?}", source.action());
    };
    let headers: Vec<_> = request.headers().collect();
    assert_eq!(headers[0], ("Accept", &b"text/event-stream"[..]));
    assert_eq!(headers[1], ("Cache-Control", &b"no-cache"[..]));
    assert!(
        headers[2..]
            .iter()
            .all(|(name, _)| *name == "Last-Event-ID")
    );
    let values: Vec<_> = headers[2..]
        .iter()
        .map(|(_, value)| value.to_vec())
        .collect();
    assert_eq!(
        values.first().map(Vec::as_slice),
        request.last_event_id.map(str::as_bytes)
    );
    assert_eq!(source.last_event_id(), id);
    assert_eq!(
        source.last_event_id_omitted(),
        request.last_event_id_omitted
    );
    (values, request.last_event_id_omitted)
}

#[test]
fn the_id_is_sent_as_utf_8_when_a_header_can_carry_it() {
    assert_eq!(sent(""), (vec![], false));
    for id in [
        "1",
        "\u{2026}",
        "a b",
        "a\tb",
        "\u{a0}",
        "\"",
        "~!,;",
        "\u{1F3EE}",
        "\u{80}",
    ] {
        assert_eq!(sent(id), (vec![id.as_bytes().to_vec()], false), "{id:?}");
    }
    // Spaces and tabs at both ends are removed, as HTTP does it in transit.
    for (id, value) in [
        (" ", ""),
        ("\t \t", ""),
        (" a", "a"),
        ("a\t", "a"),
        (" \ta b\t ", "a b"),
        ("\u{a0}a", "\u{a0}a"),
    ] {
        assert_eq!(sent(id), (vec![value.as_bytes().to_vec()], false), "{id:?}");
    }
    let controls = (0..0x20_u8).filter(|&byte| byte != b'\t').chain([0x7F]);
    let with_control = controls.map(|byte| format!("a{}b", char::from(byte)));
    for id in with_control {
        assert_eq!(sent(&id), (vec![], true), "{id:?}");
    }
    assert_eq!(sent("\u{2026}").0, [b"\xE2\x80\xA6"]);
}

#[test]
fn an_id_that_is_too_long_is_omitted() {
    let left_out = |len: usize, max: Option<usize>| {
        let decoder = Decoder::with_storage(Fixed::with_field_capacity(vec![0; 40_000], 10_000));
        let mut source = EventSource::with_decoder(URL, decoder).unwrap();
        if let Some(max) = max {
            source = source.max_last_event_id_len(max);
        }
        source.set_last_event_id(&"x".repeat(len)).unwrap();
        let Action::Connect(request) = source.action() else {
            panic!()
        };
        assert_eq!(
            request.last_event_id.is_none(),
            request.last_event_id_omitted
        );
        request.last_event_id_omitted
    };
    assert!(!left_out(4096, None));
    assert!(left_out(4097, None));
    assert!(!left_out(10_000, Some(usize::MAX)));
    assert!(left_out(1, Some(0)));
    // The length that counts is that of the value sent.
    let mut source = source().max_last_event_id_len(1);
    source.set_last_event_id(" 1 ").unwrap();
    assert!(
        matches!(source.action(), Action::Connect(request) if request.last_event_id == Some("1"))
    );
}

#[test]
fn the_last_event_id_header_follows_the_current_id() {
    let mut source = open();
    for (stream, header, left_out) in [
        (&b"id: 1\n\n"[..], Some("1"), false),
        (b"data: x\n\n", Some("1"), false),
        (b"id: 2\n", Some("1"), false),
        (b"id: \x0C\n\n", None, true),
        (b"id: 3\ndata: x\n\n", Some("3"), false),
        (b"id\n\n", None, false),
        (b"data: x\n\n", None, false),
        (b"id: 4\n\n", Some("4"), false),
    ] {
        let _messages = data(&mut source.feed(stream));
        let _error = source.handle_disconnect(Disconnect::EndOfBody);
        source.handle_wait_elapsed();
        let Action::Connect(request) = source.action() else {
            panic!()
        };
        assert_eq!(request.last_event_id, header);
        assert_eq!(request.last_event_id_omitted, left_out);
        let _open = source.handle_response(200, None, EVENT_STREAM);
    }
}

#[test]
fn each_request_carries_the_credentials_mode() {
    for credentials in [Credentials::SameOrigin, Credentials::Include] {
        let mut source = source().credentials(credentials);
        assert_eq!(
            source.with_credentials(),
            credentials == Credentials::Include
        );
        for _ in 0..2 {
            let Action::Connect(request) = source.action() else {
                panic!()
            };
            assert_eq!(request.credentials, credentials);
            let _error = source.handle_disconnect(Disconnect::Network);
            source.handle_wait_elapsed();
        }
    }
    assert_eq!(Credentials::default(), Credentials::SameOrigin);
}

#[test]
fn each_action_carries_its_timeout() {
    let mut source = source().response_timeout(MS(30)).read_timeout(MS(45));
    for _ in 0..2 {
        assert!(
            matches!(source.action(), Action::Connect(request) if request.timeout == Some(MS(30)))
        );
        let _open = source.handle_response(200, None, EVENT_STREAM);
        assert!(matches!(source.action(), Action::Read(read) if read.timeout == Some(MS(45))));
        let _error = source.handle_disconnect(Disconnect::Timeout);
        source.handle_wait_elapsed();
    }
    let source = self::source();
    assert!(matches!(source.action(), Action::Connect(request) if request.timeout.is_none()));
}
