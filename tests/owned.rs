//! Owned events equal the borrowed events of the decoder, and so do the frames made from them.
#![cfg(feature = "alloc")]

#[path = "support/bodies/mod.rs"]
mod bodies;
#[path = "support/streams.rs"]
#[expect(dead_code, reason = "it serves tests with other limits, too")]
mod streams;
mod support;

use proptest::prelude::*;
use sse_proto::{Decoder, Event, Frame, OwnedEvent, decode_all};
use streams::{cuts, short_stream, stream};
use support::model::{Ask, Item, Limit, Model};
use support::run::{write_error, write_event};

fn expected(stream: &[u8], limit: usize) -> Vec<Item> {
    let model = Model::new(Limit::Heap(limit), Ask::Events);
    model.after(stream).items
}

fn item(event: Event<'_>) -> Item {
    write_event(&event)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn owned_events_and_errors_match_the_model_under_any_cut(
        stream in stream(),
        cuts in cuts(),
        limit in prop_oneof![0..40_usize, Just(usize::MAX)],
    ) {
        let mut decoder = Decoder::with_max_event_len(limit);
        let mut items = Vec::new();
        for chunk in cuts.apply(&stream) {
            let mut events = decoder.feed(chunk).owned();
            for event in events.by_ref() {
                items.push(match event {
                    Ok(event) => item(event.as_event()),
                    Err(error) => write_error(error),
                });
            }
            prop_assert!(events.next().is_none() && events.rest().is_empty());
        }
        prop_assert_eq!(items, expected(&stream, limit));
    }

    #[test]
    fn decode_all_returns_all_events_of_a_body(stream in stream()) {
        let items: Vec<_> = decode_all(&stream).map(|event| item(event.as_event())).collect();
        prop_assert_eq!(items, expected(&stream, usize::MAX));
    }

    #[test]
    fn a_frame_made_from_an_event_decodes_to_that_event_after_any_stream(stream in stream()) {
        let events: Vec<_> = decode_all(&stream).collect();
        let (mut whole, mut sparing, mut sent_id) = (String::new(), String::new(), "");
        for event in &events {
            let frame = Frame::try_from(event.as_event()).unwrap();
            let mut alone = Decoder::new();
            alone.set_last_event_id("of something else").unwrap();
            let got: Vec<_> = alone.feed(frame.to_string().as_bytes()).owned().collect();
            prop_assert_eq!(got, [Ok(event.clone())]);

            frame.encode_to_string(&mut whole);
            let is_known = event.last_event_id() == sent_id;
            let frame = if is_known { frame.without_id() } else { frame };
            frame.encode_to_string(&mut sparing);
            sent_id = event.last_event_id();
        }
        prop_assert_eq!(&decode_all(whole.as_bytes()).collect::<Vec<_>>(), &events);
        prop_assert_eq!(&decode_all(sparing.as_bytes()).collect::<Vec<_>>(), &events);
    }

    #[test]
    fn owned_events_are_equal_if_their_fields_are(a in short_stream(), b in short_stream()) {
        use std::hash::{BuildHasher, RandomState};

        let hash = RandomState::new();
        for a in decode_all(&a) {
            for b in decode_all(&b) {
                prop_assert_eq!(a == b, a.as_event() == b.as_event());
                prop_assert!(a != b || hash.hash_one(&a) == hash.hash_one(&b));
            }
        }
    }
}

#[test]
fn the_explicit_type_message_equals_the_default() {
    let named = decode_all(b"event: message\ndata: x\n\n").next().unwrap();
    let unnamed = decode_all(b"data: x\n\n").next().unwrap();
    assert_eq!(named, unnamed);
    assert_eq!(named.event_type(), "message");
}

#[test]
fn debug_output_shows_the_fields() {
    let event = decode_all(b"event: e\nid: 1\ndata: x\n\n").next().unwrap();
    assert_eq!(
        format!("{event:?}"),
        r#"OwnedEvent { event_type: "e", data: "x", last_event_id: "1" }"#
    );
}

#[test]
fn into_data_moves_the_data_without_copying() {
    let event = decode_all("event: delta\nid: 1\ndata: caf\u{E9}\n\n".as_bytes());
    let event: OwnedEvent = { event }.next().unwrap();
    let before = event.data().as_ptr();
    let data = event.into_data();
    assert_eq!((data.as_str(), data.as_ptr()), ("caf\u{E9}", before));
}

#[test]
fn an_event_whose_id_cannot_be_encoded_is_refused_as_a_frame() {
    let mut decoder = Decoder::new();
    decoder.set_last_event_id("7\ndata: forged").unwrap();
    let mut events = decoder.feed(b"data: x\n\n");
    let event = events.next_event().unwrap().unwrap();
    let error = Frame::try_from(event).unwrap_err();
    assert_eq!((error.field(), error.position()), ("id", 1));
}

#[test]
#[cfg(feature = "serde")]
fn events_serialize_to_json_objects_of_three_strings() {
    let event = decode_all(b"id: 7\ndata: \"a\"\ndata: b\n\n")
        .next()
        .unwrap();
    let json = r#"{"event_type":"message","data":"\"a\"\nb","last_event_id":"7"}"#;
    assert_eq!(serde_json::to_string(&event).unwrap(), json);
    assert_eq!(serde_json::to_string(&event.as_event()).unwrap(), json);
    assert_eq!(serde_json::from_str::<OwnedEvent>(json).unwrap(), event);

    // An event that was not decoded may contain line terminators in its ID; they must not get into
    // a stream.
    let forged = r#"{"event_type":"a\rdata: b","data":"","last_event_id":""}"#;
    let forged: OwnedEvent = serde_json::from_str(forged).unwrap();
    assert!(Frame::try_from(forged.as_event()).is_err());
}
