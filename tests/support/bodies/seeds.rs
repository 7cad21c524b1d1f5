//! The conformance corpus as inputs of the fuzz targets.

use std::{collections::BTreeMap, fs, path::Path};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bodies::event_source::url_and_origin;
use crate::bodies::frames::Owned;
use crate::bodies::input::{Bytes, List, Put, Rest, Text};
use crate::bodies::reading::{NO_SECOND_STREAM, Reading};
use crate::bodies::{event_source, limits, mime_origin, round_trip, writer};
use crate::support::connection::{Op, Response};

/// An input, and the ID of the case that it was made from.
pub(crate) struct Seed {
    pub(crate) id: String,
    pub(crate) input: Vec<u8>,
}

/// The seeds of each target.
pub(crate) fn seeds() -> BTreeMap<&'static str, Vec<Seed>> {
    let mut seeds = BTreeMap::<_, Vec<Seed>>::new();
    let mut add = |target, case: &Value, input| {
        let id = field(case, "id");
        seeds.entry(target).or_default().push(Seed { id, input });
    };
    for case in cases("decode") {
        let reading = reading(&case);
        add("decode", &case, input(&reading));
        let limit = case["limit"]
            .as_u64()
            .and_then(|limit| limit.try_into().ok());
        let limit = limit.unwrap_or(LARGEST_SIZE).min(LARGEST_SIZE);
        let limits = limits::Case {
            heap: limit,
            data_capacity: limit,
            field_capacity: limit,
            reading,
        };
        add("limits", &case, input(&limits));
    }
    for case in cases("encode") {
        let frames: Vec<Owned> = items(&case, "frames").iter().map(frame).collect();
        let round_trip = round_trip::Case {
            sizes: [3, 0, 1, 64],
            frames: List(frames.clone()),
            ..round_trip::Case::default()
        };
        add("round_trip", &case, input(&round_trip));
        let writer = writer::Case {
            fails_at: u16::MAX,
            taken: 0,
            ops: List(frames.into_iter().map(in_two_writes).collect()),
        };
        add("writer", &case, input(&writer));
    }
    for case in cases("connect") {
        let script = connection(&case);
        add("event_source", &case, input(&script));
        add(
            "event_source",
            &case,
            input(&with_all_options(&script.ops.0)),
        );
        // With backoff and jitter, and with some statuses to retry.
        let stubborn = event_source::Case {
            flags: event_source::BACKOFF | 1 << 6,
            backoff: 60_000,
            jitter_percent: 20,
            ..script
        };
        add("event_source", &case, input(&stubborn));
        for (url, lines) in responses(&case) {
            let mime_origin = mime_origin::Case { url, lines };
            add("mime_origin", &case, input(&mime_origin));
        }
    }
    seeds
}

/// Returns the case as an input, and checks that reading it returns the case.
fn input<C: Put + PartialEq + core::fmt::Debug + for<'a> arbitrary::Arbitrary<'a>>(
    case: &C,
) -> Vec<u8> {
    let input = case.to_input();
    assert_eq!(crate::bodies::case::<C>(&input), *case);
    input
}

/// The largest size that is stored exactly in an input.
const LARGEST_SIZE: u16 = 0x1FFF;

/// The stream of a decode case, cut as in the case, as far as an input has sizes.
fn reading(case: &Value) -> Reading {
    let pieces: Vec<Vec<u8>> = items(case, "steps").iter().map(bytes).collect();
    let mut sizes = [u8::MAX; 6];
    for (size, piece) in sizes.iter_mut().zip(&pieces) {
        *size = piece.len().try_into().unwrap_or(u8::MAX);
    }
    Reading {
        sizes,
        end: NO_SECOND_STREAM,
        stream: Rest(pieces.concat()),
        ..Reading::default()
    }
}

fn frame(fields: &Value) -> Owned {
    Owned {
        comment: optional(fields, "comment"),
        event: optional(fields, "event"),
        id: optional(fields, "id"),
        retry: optional(fields, "retry"),
        data: optional(fields, "data"),
    }
}

/// The frame, with its data written in two pieces.
fn in_two_writes(mut frame: Owned) -> writer::Op {
    let Some(data) = frame.data.take() else {
        return writer::Op::Frame(frame);
    };
    let half = (0..=data.len() / 2).rfind(|&at| data.is_char_boundary(at));
    let (first, second) = data.split_at(half.unwrap_or_default());
    writer::Op::Event {
        head: frame,
        writes: vec![first.to_owned(), second.to_owned()],
        is_finished: true,
    }
}

/// The script of a connect case, as operations.
fn connection(case: &Value) -> event_source::Case {
    let mut ops = Vec::new();
    for response in items(case, "responses") {
        match response["failure"].as_str() {
            Some("network") => ops.push(Op::NetworkError),
            Some(_) => ops.push(Op::PermanentError),
            None => {
                ops.push(Op::Response(Response {
                    status: optional(&response, "status").expect("a status"),
                    content_type: content_type(&response),
                    final_url: optional(&response, "url")
                        .and_then(|url: String| url_and_origin(&url)),
                    retry_after: None,
                }));
                for chunk in items(&response, "chunks") {
                    let mut bytes = bytes(&chunk);
                    // 0xFF would end the field in the input; 0xFE is invalid UTF-8 as well.
                    bytes
                        .iter_mut()
                        .filter(|byte| **byte == 0xFF)
                        .for_each(|byte| *byte = 0xFE);
                    let closes = case["closeOn"]["data"].is_string();
                    let close_at = closes.then_some(0);
                    ops.push(Op::Bytes { bytes, close_at });
                }
                match response["end"].as_str() {
                    Some("eof") => ops.push(Op::EndOfBody),
                    Some("error") => ops.push(Op::NetworkError),
                    _ => {}
                }
            }
        }
        ops.push(Op::Advance(u64::MAX));
    }
    event_source::Case {
        time: 3000,
        limit: LARGEST_SIZE,
        field_capacity: LARGEST_SIZE,
        url: Text(field(case, "url")),
        id: Text(optional(case, "lastEventId").unwrap_or_default()),
        ops: List(ops),
        ..event_source::Case::default()
    }
}

/// The same operations with every option and, between them, operations that no case of the corpus
/// has.
fn with_all_options(ops: &[Op]) -> event_source::Case {
    let url = || url_and_origin("http://b.example:8080/x").expect("a URL");
    let more = [
        Op::Redirect(301, url()),
        Op::Redirect(307, url()),
        Op::ExpectEnd,
        Op::ReconnectNow,
        Op::SetUrl(url()),
        Op::Advance(60),
    ];
    let pairs = ops.iter().zip(more.iter().cycle());
    event_source::Case {
        flags: event_source::MAX_FAILURES | 1 << 6,
        more: u8::MAX,
        time: 50,
        stable_after: 40,
        response_timeout: 30,
        read_timeout: 60,
        limit: LARGEST_SIZE,
        field_capacity: LARGEST_SIZE,
        ops: List(
            pairs
                .flat_map(|(op, more)| [more.clone(), op.clone()])
                .collect(),
        ),
        ..event_source::Case::default()
    }
}

/// The URLs of a connect case, each with its `Content-Type` values.
fn responses(case: &Value) -> Vec<(Text, List<Bytes>)> {
    let responses = items(case, "responses");
    let response = |response: &Value| {
        let url = optional(response, "url").unwrap_or_else(|| field(case, "url"));
        let lines = content_type(response).into_iter().map(Bytes).collect();
        (Text(url), List(lines))
    };
    responses.iter().map(response).collect()
}

fn content_type(response: &Value) -> Vec<Vec<u8>> {
    let headers: Vec<(String, String)> = optional(response, "headers").unwrap_or_default();
    let lines = headers.into_iter();
    lines
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        .map(|(_, value)| value.into_bytes())
        .take(3)
        .collect()
}

/// The cases as JSON, read from the files, so that the fuzz targets do not depend on the package of
/// the corpus.
fn cases(kind: &str) -> Vec<Value> {
    // In this package or in a parent folder.
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut folders = packages.map(|package| package.join("conformance").join(kind));
    let folder = folders.find(|folder| folder.is_dir()).expect("the corpus");
    let files = fs::read_dir(folder)
        .expect("a folder")
        .map(|file| file.expect("a file").path());
    let mut files: Vec<_> = files.collect();
    files.sort();
    let cases = files.iter().flat_map(|file| {
        let text = fs::read_to_string(file).expect("text");
        let group: Value = serde_json::from_str(&text).expect("JSON");
        items(&group, "cases")
    });
    cases.collect()
}

/// The bytes of a piece: text, hex, or one of both repeated.
fn bytes(piece: &Value) -> Vec<u8> {
    if let Some(text) = piece["text"].as_str() {
        return text.as_bytes().to_vec();
    }
    if let Some(hex) = piece["hex"].as_str() {
        let byte = |byte| u8::from_str_radix(byte, 16).expect("a byte in hex");
        return hex.split(' ').map(byte).collect();
    }
    let times: usize = optional(&piece["repeat"], "times").expect("one of three");
    // A fraction of the repetitions in the corpus is enough for a long input.
    bytes(&piece["repeat"]).repeat(times.min(500))
}

fn items(value: &Value, key: &str) -> Vec<Value> {
    field(value, key)
}

fn field<T: DeserializeOwned>(value: &Value, key: &str) -> T {
    optional(value, key).unwrap_or_else(|| panic!("{key} is missing in {value}"))
}

fn optional<T: DeserializeOwned>(value: &Value, key: &str) -> Option<T> {
    let value = value.get(key)?.clone();
    Some(serde_json::from_value(value).expect("the schema says what it is"))
}
