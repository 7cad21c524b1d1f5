//! The encode group of the conformance corpus: frames in, and what a decoder makes of the bytes, or
//! a refusal.

use core::time::Duration;
use serde::Deserialize;
use sse_proto::{Decoder, Fixed, Frame, InvalidField, Item};
use std::collections::BTreeSet;
use std::str;

#[path = "support/groups.rs"]
mod groups;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    rule: Vec<String>,
    why: String,
    flags: BTreeSet<String>,
    verdict: String,
    frames: Vec<Fields>,
    items: Option<Vec<Expected>>,
    bytes: Option<String>,
    refused: Option<Refused>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    event: Option<String>,
    data: Option<String>,
    id: Option<String>,
    retry: Option<u64>,
    comment: Option<String>,
}

#[derive(Deserialize, Debug, Clone, PartialEq)]
#[serde(untagged, deny_unknown_fields)]
enum Expected {
    Event {
        event: String,
        data: String,
        #[serde(rename = "lastEventId")]
        last_event_id: String,
    },
    Retry {
        retry: u64,
    },
    Comment {
        comment: String,
    },
}

#[derive(Deserialize, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
struct Refused {
    frame: usize,
    field: String,
}

impl Fields {
    fn frame(&self) -> Result<Frame<'_>, InvalidField> {
        let mut frame = self.data.as_deref().map_or(Frame::new(), Frame::message);
        if let Some(event) = &self.event {
            frame = frame.event(event)?;
        }
        if let Some(id) = &self.id {
            frame = frame.id(id)?;
        }
        if let Some(retry) = self.retry {
            frame = frame.retry(Duration::from_millis(retry));
        }
        if let Some(comment) = &self.comment {
            frame = frame.comment(comment);
        }
        Ok(frame)
    }
}

fn encode(frames: &[Fields]) -> Result<String, Refused> {
    let mut stream = String::new();
    for (index, fields) in frames.iter().enumerate() {
        let frame = fields.frame().map_err(|error| Refused {
            frame: index,
            field: error.field().to_owned(),
        })?;
        stream.extend(frame.pieces());
    }
    Ok(stream)
}

fn decode<'i>(chunks: impl IntoIterator<Item = &'i [u8]>) -> Vec<Expected> {
    let memory = Fixed::with_field_len(vec![0; 1 << 15], 1 << 12);
    let mut decoder = Decoder::with_storage(memory);
    let mut items = Vec::new();
    for chunk in chunks {
        let mut events = decoder.feed(chunk);
        while let Some(item) = events.next_item().expect("there is room") {
            items.push(match item {
                Item::Event(event) => Expected::Event {
                    event: event.event_type.to_owned(),
                    data: event.data.to_owned(),
                    last_event_id: event.last_event_id.to_owned(),
                },
                Item::Retry(time) => Expected::Retry {
                    retry: time.as_millis().try_into().unwrap(),
                },
                Item::Comment(comment) => Expected::Comment {
                    comment: comment.to_owned(),
                },
                other => panic!("{other:?}"),
            });
        }
    }
    items
}

fn cases() -> Vec<Case> {
    groups::groups("encode")
        .into_iter()
        .flat_map(|(_, group)| group.cases)
        .collect()
}

#[test]
fn every_file_keeps_to_the_format() {
    let flags = groups::flags();
    let mut ids = BTreeSet::new();
    for (name, group) in groups::groups::<Case>("encode") {
        assert_eq!(group.group, name);
        assert_eq!(group.schema, "../schema/encode.schema.json");
        assert!(!group.about.is_empty());
        for case in group.cases {
            let id = &case.id;
            assert!(id.starts_with("encode-"), "{id}");
            assert!(ids.insert(id.clone()), "{id} is there twice");
            assert!(!case.why.is_empty(), "{id}");
            assert!(["must", "may"].contains(&&case.verdict[..]), "{id}");
            assert!(case.items.is_some() != case.refused.is_some(), "{id}");
            assert!(case.bytes.is_none() || case.items.is_some(), "{id}");
            assert!(
                case.rule.iter().any(|rule| rule.starts_with(['E', 'S'])),
                "{id}"
            );
            assert!(
                case.flags.iter().all(|flag| flags.contains_key(flag)),
                "{id}"
            );
        }
    }
}

#[test]
fn every_rule_for_bytes_has_a_case_that_must_pass() {
    let mut cases = cases();
    cases.retain(|case| case.verdict == "must");
    // E11 and E13 are about servers.
    for rule in [
        "E1", "E2", "E3", "E4", "E5", "E6", "E7", "E8", "E9", "E10", "E12", "S1",
    ] {
        assert!(
            cases
                .iter()
                .any(|case| case.rule.iter().any(|cited| cited == rule)),
            "no case for {rule}"
        );
    }
}

#[test]
fn the_encoder_passes_every_case() {
    let next = Expected::Event {
        event: "message".to_owned(),
        data: "next".to_owned(),
        last_event_id: String::new(),
    };
    for case in cases() {
        let about = format!("{} {:?}: {}", case.id, case.rule, case.why);
        let (stream, items) = match (encode(&case.frames), case.items) {
            (Ok(stream), Some(items)) => (stream, items),
            (encoded, _) => {
                assert_eq!(encoded.err(), case.refused, "{about}");
                continue;
            }
        };
        if let Some(bytes) = case.bytes {
            assert_eq!(stream, bytes, "{about}");
        }
        let bytes = stream.as_bytes();
        assert_eq!(decode([bytes]), items, "{about}");
        assert_eq!(decode(bytes.chunks(1)), items, "{about}, byte by byte");
        for at in 0..bytes.len() {
            let (head, tail) = bytes.split_at(at);
            assert_eq!(decode([head, tail]), items, "{about}, cut at {at}");
        }
        // Nothing is left open: what follows is an event of its own.
        let mut more = decode([bytes, b"id\ndata: next\n\n"]);
        assert_eq!(more.pop(), Some(next.clone()), "{about}, and another event");
        assert_eq!(more, items, "{about}, and another event");
    }
}
