//! Messages of a stream: closing in the middle, the state kept for the next stream, and memory.

use sse_proto::{
    Action, Decoder, Disconnect, Event, EventSource, EventTooLarge, Fixed, Origin, ReadyState,
};

use super::{EVENT_STREAM, URL, data, open, source, wait};

#[test]
fn after_close_in_a_handler_no_message_of_the_chunk_is_returned() {
    let mut source = open();
    let mut messages = source.feed(b"data: 1\n\ndata: 2\n\n:c\nretry: 5\ndata: 3\n\n");
    assert_eq!(messages.next_message().unwrap().unwrap().data, "1");
    messages.close();
    messages.close();
    assert_eq!(messages.next_message(), Ok(None));
    assert_eq!(messages.next_item(), Ok(None));
    assert_eq!(messages.rest(), b"data: 2\n\n:c\nretry: 5\ndata: 3\n\n");
    assert_eq!(data(&mut source.feed(b"data: 4\n\n")), [""; 0]);
    assert_eq!(source.handle_disconnect(Disconnect::EndOfBody), None);
    assert_eq!(source.action(), Action::Stop(None));
}

#[test]
fn after_close_an_event_that_is_too_large_is_not_reported() {
    let decoder = Decoder::with_storage(Fixed::with_field_capacity([0; 20], 5));
    let mut source = EventSource::with_decoder(URL, decoder).unwrap();
    let _open = source.handle_response(200, None, EVENT_STREAM);
    let mut messages = source.feed(b"data: 1\n\ndata: 123456\n\n");
    assert!(messages.next_message().unwrap().is_some());
    messages.close();
    assert_eq!(messages.next_message(), Ok(None));
}

#[test]
fn an_event_that_is_too_large_is_reported_and_the_stream_continues() {
    let decoder = Decoder::with_storage(Fixed::with_field_capacity([0; 20], 5));
    let mut source = EventSource::with_decoder(URL, decoder).unwrap();
    let _open = source.handle_response(200, None, EVENT_STREAM);
    let mut messages = source.feed(b"data: 123456\nid: 7\n\ndata: 1\n\n");
    assert_eq!(
        messages
            .next_message()
            .map_err(|e: EventTooLarge| e.limit()),
        Err(5)
    );
    let message = messages.next_message().unwrap().unwrap();
    assert_eq!((message.data, message.last_event_id), ("1", "7"));
    assert_eq!(source.ready_state(), ReadyState::Open);
}

#[test]
fn a_message_is_an_event_with_an_origin() {
    let mut source = source();
    let url = Some("https://b.example:8443/x?y#z");
    let _open = source.handle_response(200, url, EVENT_STREAM);
    assert_eq!(source.origin(), "https://b.example:8443");
    let mut messages = source.feed(b"event: e\nid: 1\ndata: x\n\n");
    let message = messages.next_message().unwrap().unwrap();
    assert_eq!(message.origin, Origin::of("https://b.example:8443"));
    let event = Event::from(message);
    assert_eq!(
        (event.event_type, event.data, event.last_event_id),
        ("e", "x", "1")
    );
}

#[test]
fn an_incomplete_stream_does_not_affect_the_next_one() {
    for rest in [
        &b"data: a\r"[..],
        b"event: e\ndata: x\n",
        b"event: e\ndata: x",
        b"id: lost\n",
        b"id: lost",
        b"data: \xE2\x80",
        b"\xEF\xBB",
        b": comm",
        b"data: 123456",
        b"data",
        b"retry: 1",
    ] {
        for by_error in [false, true] {
            let mut source = open();
            assert_eq!(data(&mut source.feed(b"id: 1\nretry: 77\n\n")), [""; 0]);
            assert_eq!(data(&mut source.feed(rest)), [""; 0]);
            let cause = if by_error {
                Disconnect::Network
            } else {
                Disconnect::EndOfBody
            };
            assert!(source.handle_disconnect(cause).is_some());
            assert_eq!(wait(&source).delay.as_millis(), 77);
            source.handle_wait_elapsed();
            assert_eq!(source.last_event_id(), "1");
            let _open = source.handle_response(200, None, EVENT_STREAM);
            // This LF must not be taken for the second half of a CRLF that started in the previous
            // stream.
            assert_eq!(data(&mut source.feed(b"\n")), [""; 0]);
            let mut messages = source.feed(b"data: b\n\n");
            let message = messages.next_message().unwrap().unwrap();
            assert_eq!((message.event_type, message.data), ("message", "b"));
            assert_eq!(message.last_event_id, "1");
            assert_eq!(messages.next_message(), Ok(None));
        }
    }
}

#[test]
fn each_stream_may_begin_with_a_byte_order_mark() {
    let mut source = open();
    for _ in 0..3 {
        let mut messages = source.feed(b"\xEF\xBB\xBFdata: x\n\n");
        assert_eq!(data(&mut messages), ["x"]);
        let _error = source.handle_disconnect(Disconnect::EndOfBody);
        source.handle_wait_elapsed();
        let _open = source.handle_response(200, None, EVENT_STREAM);
    }
}

#[test]
fn the_caller_can_complete_an_event_without_its_final_blank_line() {
    for end in [&b"data: x"[..], b"data: x\n", b"data: x\r", b"data: x\r\n"] {
        let mut source = open();
        assert_eq!(data(&mut source.feed(end)), [""; 0]);
        assert_eq!(data(&mut source.feed(b"\n\n")), ["x"]);
    }
}

#[test]
fn the_event_source_needs_no_allocator() {
    let mut memory = [0; 256];
    let decoder = Decoder::with_storage(Fixed::new(&mut memory[..]));
    let mut source = EventSource::with_decoder(URL, decoder).unwrap();
    let mut chunk = Vec::new();
    chunk.extend_from_slice(b"id: 1\nretry: 5\ndata: x\n\n");
    let info = allocation_counter::measure(|| {
        for _ in 0..3 {
            let Action::Connect(request) = source.action() else {
                panic!()
            };
            assert_eq!(
                request.headers().count(),
                2 + usize::from(request.last_event_id.is_some())
            );
            let _open = source.handle_response(200, Some("http://b.example/"), EVENT_STREAM);
            let mut messages = source.feed(&chunk);
            let message = messages.next_message().unwrap().unwrap();
            assert!(message.origin == "http://b.example");
            let _error = source.handle_disconnect(Disconnect::EndOfBody);
            assert_eq!(wait(&source).with_jitter(1).as_millis(), 5);
            source.handle_wait_elapsed();
        }
    });
    assert_eq!(info.count_total, 0);
}
