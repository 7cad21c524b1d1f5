//! The example `proxy`: what it does not change is passed on byte for byte, whatever the chunks are.

#[path = "../examples/proxy/rewrite.rs"]
mod rewrite;

use std::pin::pin;

use futures_util::{FutureExt as _, StreamExt as _, stream};
use proptest::prelude::*;
use rewrite::Rewriter;
use sse_conformance::{Body, cases};
use sse_proto::{Decoder, Event, Item, OwnedEvent};

/// Passes the chunks through a proxy. Returns the output after each chunk, and at the end.
fn pass(chunks: &[&[u8]], change: impl FnMut(&Event<'_>) -> Option<String>) -> Vec<Vec<u8>> {
    let mut rewriter = Rewriter::new(change);
    let mut outputs: Vec<Vec<u8>> = Vec::new();
    for chunk in chunks {
        let mut output = Vec::new();
        rewriter.push(chunk, &mut output);
        outputs.push(output);
    }
    outputs.push(rewriter.finish());
    outputs
}

fn events(stream: &[u8]) -> Vec<(OwnedEvent, Option<String>)> {
    let events = sse_proto::decode_all(stream);
    events
        .map(|event| (event.clone(), event.own_id().map(str::to_owned)))
        .collect()
}

fn streams_of_the_corpus() -> impl Iterator<Item = Vec<u8>> {
    cases().iter().filter_map(|case| match &case.body {
        Body::Decode(decode) => {
            let stream = decode.steps.iter().flat_map(|step| step.bytes.clone());
            let stream: Vec<u8> = stream.collect();
            (stream.len() < 4096).then_some(stream)
        }
        _ => None,
    })
}

#[test]
fn every_stream_of_the_corpus_is_passed_on_byte_for_byte_under_every_cut() {
    let mut count = 0;
    for stream in streams_of_the_corpus() {
        for at in 0..=stream.len() {
            let (head, tail) = stream.split_at(at);
            assert_eq!(pass(&[head, tail], |_| None).concat(), stream);
        }
        let singly: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(pass(&singly, |_| None).concat(), stream);
        count += 1;
    }
    assert!(count > 400, "{count} streams");
}

/// Also if the data that replaces it is the same.
#[test]
fn changed_events_keep_their_types_ids_and_reconnection_times() {
    for stream in streams_of_the_corpus() {
        for size in [1, 7, usize::MAX] {
            let chunks: Vec<&[u8]> = stream.chunks(size).collect();
            let output = pass(&chunks, |event| Some(event.data.to_owned())).concat();
            assert_eq!(events(&output), events(&stream));
            assert_eq!(state(&output), state(&stream));
        }
    }
}

/// Last event ID and reconnection time.
fn state(stream: &[u8]) -> (String, Option<std::time::Duration>) {
    let mut decoder = Decoder::new();
    assert!(decoder.feed(stream).owned().all(|event| event.is_ok()));
    (
        decoder.last_event_id().to_owned(),
        decoder.reconnection_time(),
    )
}

#[test]
fn only_the_data_lines_of_events_that_change_are_replaced() {
    let stream: &[u8] = b"\xEF\xBB\xBF:hi\r\ndata:tick\r\n\r\nid\nevent: e\n:in\nretry:7\ndata:tick\nx\ndata:2\n\ndata:tack\rid:\n\r";
    let output = pass(&[stream], |event| {
        (event.data != "tack").then(|| event.data.replace("tick", "tock"))
    });
    assert_eq!(
        String::from_utf8_lossy(&output.concat()),
        "\u{FEFF}:hi\r\ndata: tock\n\r\nid\nevent: e\n:in\nretry:7\ndata: tock\ndata: 2\nx\n\ndata:tack\rid:\n\r"
    );
}

/// The CR ends the line with the ID, and the LF is the blank line.
#[test]
fn a_removed_data_line_leaves_no_crlf_behind() {
    let stream: &[u8] = b"data: 1\nid: 7\rdata: 2\n\n";
    let output = pass(&[stream], |event| Some(event.data.to_owned())).concat();
    assert_eq!(events(&output), events(stream));
}

/// The server gets the time to send it.
#[tokio::test]
async fn what_was_held_back_is_passed_on_before_the_body_breaks_off() {
    let chunks = [Ok(": ping\ndata: on"), Ok("e\nda"), Err("reset")];
    let mut output = pin!(Rewriter::new(|_| None).rewrite(stream::iter(chunks)));
    for expected in [": ping\n", "data: one\nda"] {
        let chunk = output.next().now_or_never().unwrap();
        assert_eq!(chunk, Some(Ok(expected.as_bytes().to_vec())));
    }
    assert_eq!(output.next().now_or_never(), None);
    assert_eq!(output.next().await, Some(Err("reset")));
    assert_eq!(output.next().await, None);
}

#[test]
fn whatever_is_complete_is_passed_on_at_once() {
    let chunks: [&[u8]; 6] = [
        b": ping\n",
        b"data: a\n",
        b"\nda",
        b"ta: b\n\n",
        b"id: 1\n\n",
        b"data: cut",
    ];
    let output = pass(&chunks, |_| None);
    let expected: [&[u8]; 7] = [
        b": ping\n",
        b"",
        b"data: a\n\n",
        b"data: b\n\n",
        b"id: 1\n\n",
        b"",
        b"data: cut",
    ];
    assert_eq!(output, expected);
}

#[test]
fn an_event_that_is_too_large_is_passed_on_as_it_arrives() {
    let long = "x".repeat(700_000);
    let long = long.as_bytes();
    let chunks = [b"data: ", long, long, long, b"\n\n", b"data: tick\n\n"];
    let output = pass(&chunks, |_| Some("tock".into()));
    let lens: Vec<usize> = output.iter().map(Vec::len).collect();
    assert_eq!(lens, [0, 0, 1_400_006, 700_000, 2, 12, 0]);
    assert_eq!(output[5], b"data: tock\n\n");
}

proptest! {
    #[test]
    fn any_bytes_are_passed_on_byte_for_byte(
        tokens in prop::collection::vec(prop::sample::select(vec![
            "data: x", "data", "id: 1", "id", "event: e", "retry: 5", "retry: x", ": c", "x", "\n", "\r", "\r\n",
            "\n\n", "\u{FEFF}", "\0", ":",
        ]), 0..30),
        cut in any::<prop::sample::Index>(),
    ) {
        let stream = tokens.concat().into_bytes();
        let (head, tail) = stream.split_at(cut.index(stream.len() + 1));
        prop_assert_eq!(pass(&[head, tail], |_| None).concat(), stream.clone());

        let output = pass(&[head, tail], |event| Some(event.data.to_owned())).concat();
        prop_assert_eq!(events(&output), events(&stream));
        prop_assert_eq!(comments(&output), comments(&stream));
        let whole = pass(&[&stream], |event| Some(event.data.to_owned())).concat();
        prop_assert_eq!(output, whole);
    }
}

fn comments(stream: &[u8]) -> Vec<String> {
    let mut decoder = Decoder::new();
    let mut items = decoder.feed(stream);
    let mut comments = Vec::new();
    while let Some(item) = items.next_item().unwrap() {
        if let Item::Comment(text) = item {
            comments.push(text.to_owned());
        }
    }
    comments
}
