//! The client over a scripted network, against bytes recorded from real servers: see
//! `recorded/README.md`.

#[allow(dead_code, reason = "this file uses only a part of it")]
#[path = "support/network.rs"]
mod network;

use std::{pin::pin, str};

use bytes::Bytes;
use network::{Answer, Network, Step, describe, log, next_until, status};
use sse_proto_stream::{EventSource, Received};

const URL: &str = "http://a.example/events";
const LATER: u64 = 1_000_000;

/// The `Content-Type` of a server, and its response bodies by the `Last-Event-ID` of the request.
/// The first one is for requests without an ID, and for IDs that are not listed.
struct Server(&'static str, &'static [(&'static str, &'static [u8])]);

macro_rules! server {
    ($type:literal, $name:literal $(, $id:literal)*) => {
        Server($type, &[
            ("", include_bytes!(concat!("recorded/", $name, ".sse"))),
            $(($id, include_bytes!(concat!("recorded/", $name, "-after-", $id, ".sse"))),)*
        ])
    };
}

const TRPC: Server = server!("text/event-stream", "trpc", "1", "2", "3", "4");
const TRPC_FAILS: Server = server!("text/event-stream", "trpc-fails");
/// It ignores `Last-Event-ID`: the responses were the same.
const NEST: Server = server!("text/event-stream", "nest");
const NEST_FAILS: Server = server!("text/event-stream", "nest-fails");
const FASTIFY: Server = server!("text/event-stream", "fastify", "1", "2", "3");
const FASTIFY_TEXTS: Server = server!("text/event-stream", "fastify-texts");
const LITESTAR: Server = server!(
    "text/event-stream; charset=utf-8",
    "litestar",
    "1",
    "2",
    "3",
    "4"
);
const LITESTAR_TEXTS: Server = server!("text/event-stream; charset=utf-8", "litestar-texts");

impl Server {
    fn recorded(&self, id: Option<&str>) -> &'static [u8] {
        let found = self.1.iter().find(|(its, _)| Some(*its) == id);
        found.unwrap_or(&self.1[0]).1
    }

    fn answer(&self, steps: &[Step]) -> Answer {
        let headers = vec![("content-type", self.0.to_owned())];
        Answer::Head(200, headers, steps.to_vec())
    }

    /// The response to a request with this ID.
    fn answer_to(&self, id: Option<&str>) -> Answer {
        match self.recorded(id) {
            // @fastify/sse sets no header before the first event.
            [] => Answer::Head(200, vec![("content-length", "0".to_owned())], vec![]),
            body => self.answer(&[chunk(body)]),
        }
    }
}

fn chunk(bytes: &[u8]) -> Step {
    Step::Chunk(Bytes::copy_from_slice(bytes))
}

/// Replays a complete response in chunks of several sizes. Asserts the items, including comments
/// and `retry` lines, and the `Last-Event-ID` of the next request.
#[track_caller]
fn assert_items(server: &Server, expected: &[&str], id: Option<&str>) {
    let body = server.recorded(None);
    for size in [body.len(), 1, 2, 3, 7] {
        let chunks: Vec<_> = body.chunks(size).map(chunk).collect();
        let network = Network::new([server.answer(&chunks), status(204)]);
        let source = EventSource::get(URL, network.connect(), network.sleep()).unwrap();
        let seen = log(&network, pin!(source.items(true)), LATER);
        let ends = ["failed Status(204)", "end"];
        assert_eq!(seen, [&["open 200"], expected, &ends].concat(), "{size}");
        assert_eq!(ids(&network), [None, id.map(str::to_owned)], "{size}");
    }
}

/// Cuts the connection after `at` bytes of the first response, and answers the next request with
/// the response recorded for its `Last-Event-ID`. Returns the items up to the end of the second
/// connection, and the IDs of the requests.
fn cut_at(server: &Server, at: usize, end: Option<&Step>) -> (Vec<String>, Vec<Option<String>>) {
    let mut steps = vec![chunk(&server.recorded(None)[..at])];
    steps.extend(end.cloned());
    let mut answers = vec![server.answer(&steps)];
    loop {
        let network = Network::new(answers.clone());
        let source = EventSource::get(URL, network.connect(), network.sleep()).unwrap();
        let mut source = pin!(source);
        let mut seen = vec![];
        while let Some(Some(item)) = next_until(&network, source.as_mut(), LATER) {
            // A program that stores the ID after each item can resume there.
            if let Ok(Received::Event(event)) = &item {
                assert_eq!(source.last_event_id(), event.last_event_id());
            }
            seen.push(describe(&item));
        }
        match (answers.len(), ids(&network).get(1)) {
            (1, Some(id)) => answers.push(server.answer_to(id.as_deref())),
            _ => return (seen, ids(&network)),
        }
    }
}

/// Cuts the connection after the first occurrence of `text`. Asserts the items, and the
/// `Last-Event-ID` of the second request.
#[track_caller]
fn assert_cut_after(server: &Server, text: &str, expected: &[&str], id: Option<&str>) {
    let body = str::from_utf8(server.recorded(None)).unwrap();
    let at = body.find(text).unwrap() + text.len();
    let (seen, ids) = cut_at(server, at, None);
    assert_eq!(seen, expected);
    assert_eq!(ids[1].as_deref(), id);
}

/// The `Last-Event-ID` of each request.
fn ids(network: &Network) -> Vec<Option<String>> {
    network
        .urls_and_ids()
        .into_iter()
        .map(|(_, id)| id)
        .collect()
}

// ---- At every byte

/// A naive parser: the last event ID, the reconnection time and the reason of the loss after a body
/// with these bytes.
fn parse_naively(bytes: &[u8]) -> (Option<String>, u64, &'static str) {
    let text = String::from_utf8_lossy(bytes);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let (lines, rest) = text.rsplit_once('\n').unwrap_or(("", &text));
    let (mut id, mut retry, mut block) = (None, 3000, (None, false));
    for line in lines.split('\n') {
        match line.split_once(": ") {
            None => id = std::mem::take(&mut block).0.or(id),
            Some(("retry", time)) => retry = time.parse().unwrap(),
            Some(("id", value)) => block = (Some(value.to_owned()), true),
            Some(("data" | "event", _)) => block.1 = true,
            Some((name, _)) => assert_eq!(name, ""),
        }
    }
    let reason = match (rest, block.1) {
        ("", false) => "EndOfBody",
        ("", true) => "Truncated(Event)",
        _ => "Truncated(Line)",
    };
    (id.filter(|id| !id.is_empty()), retry, reason)
}

/// Returns the numbers in the data of numbered events.
fn numbers(seen: &[String]) -> Vec<u32> {
    let is_numbered = |line: &&String| line.contains("žluť") || line.starts_with("count");
    let digit = |line: &String| line.chars().find_map(|character| character.to_digit(10));
    seen.iter().filter(is_numbered).filter_map(digit).collect()
}

/// Cuts the connection after each byte, by a proper end and by a network error. Numbered events
/// must arrive once and in order, unless the server replays all of them: returns the number of cuts
/// after which it does although some had been received.
fn cut_everywhere(server: &Server) -> usize {
    let body = server.recorded(None);
    let (whole, _) = cut_at(server, body.len(), None);
    let lost = whole.iter().position(|line| line.starts_with("lost"));
    let all = numbers(&whole[..lost.unwrap()]);
    let mut replays = 0;
    for at in 0..=body.len() {
        let (id, retry, reason) = parse_naively(&body[..at]);
        for (end, reason) in [(None, reason), (Some(Step::Break), "Network")] {
            let (seen, ids) = cut_at(server, at, end.as_ref());
            let lost = seen.iter().position(|line| line.starts_with("lost"));
            let (before, after) = seen.split_at(lost.unwrap());
            assert_eq!(before, &whole[..before.len()], "{at}");
            assert_eq!(after[0], format!("lost {reason} {retry}"), "{at}");
            assert_eq!(ids[1], id, "{at}");
            let (before, after) = (numbers(before), numbers(after));
            match before.is_empty() || after != all {
                true => assert_eq!([before, after].concat(), all, "{at}"),
                false => replays += 1,
            }
        }
    }
    replays / 2
}

// ---- tRPC

/// The description of `connected` with the ID of the previous connection.
fn connected(id: &str) -> String {
    format!(
        "connected {:?} {id:?}",
        r#"{"reconnectAfterInactivityMs":5000}"#
    )
}

fn numbered(n: u32) -> String {
    let data = format!(r#"{{"n":{n},"text":"žluť\n🏮"}}"#);
    format!("message {data:?} \"{n}\"")
}

const TYPING: &str = r#"message "{\"typing\":true}" """#;

/// An event without an ID sends an empty one, and the next event restores the previous ID.
#[test]
fn trpc_events_without_an_id_reset_it_and_it_is_restored() {
    let connected = connected("");
    let [one, two, three, four] = [1, 2, 3, 4].map(numbered);
    let expected = [
        &connected,
        &one,
        TYPING,
        r#"restore-id "" "1""#,
        &two,
        &three,
        TYPING,
        r#"restore-id "" "3""#,
        r#"ping "" "3""#,
        &four,
        r#"return "" "4""#,
        "lost EndOfBody 3000",
    ];
    assert_items(&TRPC, &expected, Some("4"));
}

#[test]
fn trpc_resumes_after_each_cut_except_before_an_id_is_restored() {
    // There are two such events. While the ID is empty, a request has no `Last-Event-ID`, and the
    // server replays everything.
    let restore = "\nevent: restore-id\ndata: \nid: 1\n\n";
    assert_eq!(cut_everywhere(&TRPC), 2 * restore.len());
}

#[test]
fn trpc_cut_inside_the_event_that_restores_the_id_restarts() {
    let connected = connected("");
    let [one, two, three, four] = [1, 2, 3, 4].map(numbered);
    let expected = [
        "open 200",
        &connected,
        &one,
        TYPING,
        "lost Truncated(Event) 3000",
        "open 200",
        &connected,
        &one,
        TYPING,
        r#"restore-id "" "1""#,
        &two,
        &three,
        TYPING,
        r#"restore-id "" "3""#,
        r#"ping "" "3""#,
        &four,
        r#"return "" "4""#,
        "lost EndOfBody 3000",
    ];
    assert_cut_after(&TRPC, "event: restore-id\ndata: \nid: 1\n", &expected, None);
}

#[test]
fn trpc_cut_inside_a_tracked_event_sends_it_again() {
    let start = connected("");
    let [one, two, three, four] = [1, 2, 3, 4].map(numbered);
    let again = connected("1");
    let expected = [
        "open 200",
        &start,
        &one,
        TYPING,
        r#"restore-id "" "1""#,
        "lost Truncated(Line) 3000",
        "open 200",
        &again,
        &two,
        &three,
        TYPING,
        r#"restore-id "" "3""#,
        r#"ping "" "3""#,
        &four,
        r#"return "" "4""#,
        "lost EndOfBody 3000",
    ];
    assert_cut_after(&TRPC, "id: 2", &expected, Some("1"));
}

/// `return` means that the subscription is complete. A client that does not close then reconnects
/// and receives it again.
#[test]
fn trpc_sends_return_again_to_a_client_that_reconnects() {
    let end = TRPC.recorded(None).len();
    let (seen, ids) = cut_at(&TRPC, end, None);
    let again = connected("4");
    let expected = [
        r#"return "" "4""#,
        "lost EndOfBody 3000",
        "open 200",
        &again,
        r#"return "" "4""#,
        "lost EndOfBody 3000",
    ];
    assert!(seen.ends_with(&expected.map(str::to_owned)));
    assert_eq!(
        ids,
        [None, Some("4"), Some("4")].map(|id| id.map(str::to_owned))
    );
}

/// The recorded request had `Last-Event-ID: 3`.
#[test]
fn trpc_sends_an_error_as_an_event_and_ends_properly() {
    let (connected, four) = (connected(""), numbered(4));
    let error = r#"{"message":"no more","code":-32600,"data":{"code":"BAD_REQUEST","httpStatus":400,"path":"events"}}"#;
    let error = format!("serialized-error {error:?} \"4\"");
    let expected = [&connected, &four, &error, "lost EndOfBody 3000"];
    assert_items(&TRPC_FAILS, &expected, Some("4"));
}

// ---- NestJS

/// The last block has a type but no data, so it is not an event, but its ID counts.
#[test]
fn nest_numbers_events_without_an_id_whatever_came_before() {
    let expected = [
        r#"message "{\"n\":1,\"text\":\"žluť\\n🏮\"}" "1""#,
        "retry 500",
        r#"note "two\nlines" "2""#,
        ": still here",
        r#"message "own id" "own-7""#,
        r#"message "after an own id" "3""#,
        r#"message "" "4""#,
        r#"event type without data: "ping""#,
        r#"id "5""#,
        "lost EndOfBody 500",
    ];
    assert_items(&NEST, &expected, Some("5"));
}

/// The client sends the ID; the server ignores it and counts from 1 on each connection.
#[test]
fn nest_restarts_after_each_cut() {
    let body = str::from_utf8(NEST.recorded(None)).unwrap();
    let first = body.find("\n\nevent").unwrap() + 2;
    assert_eq!(cut_everywhere(&NEST), body.len() + 1 - first);
    let expected = [
        "open 200",
        r#"message "{\"n\":1,\"text\":\"žluť\\n🏮\"}" "1""#,
        "lost Truncated(Event) 500",
        "open 200",
        r#"message "{\"n\":1,\"text\":\"žluť\\n🏮\"}" "1""#,
        r#"note "two\nlines" "2""#,
        r#"message "own id" "own-7""#,
        r#"message "after an own id" "3""#,
        r#"message "" "4""#,
        "lost EndOfBody 500",
    ];
    // The ID of the event that was cut off does not count, but its `retry` does.
    assert_cut_after(
        &NEST,
        "id: 2\nretry: 500\ndata: two\n",
        &expected,
        Some("1"),
    );
}

#[test]
fn nest_sends_an_error_as_an_event_and_ends_properly() {
    let expected = [
        r#"message "before" "1""#,
        r#"error "Internal server error" "2""#,
        "lost EndOfBody 3000",
    ];
    assert_items(&NEST_FAILS, &expected, Some("2"));
}

// ---- @fastify/sse

#[test]
fn fastify_drops_the_id_0_and_quotes_text() {
    let expected = [
        r#"count "\"no. 0\\n🏮\"" """#,
        "retry 500",
        r#"count "\"no. 1\\n🏮\"" "1""#,
        "retry 1000",
        r#"count "{\"n\":2}" "2""#,
        "retry 1500",
        r#"count "\"no. 3\\n🏮\"" "3""#,
        "lost EndOfBody 1500",
    ];
    assert_items(&FASTIFY, &expected, Some("3"));
}

#[test]
fn fastify_resumes_after_each_cut_except_after_the_event_without_its_id_0() {
    // Before the ID 1 has arrived, a request has no ID, and the server replays everything.
    let body = str::from_utf8(FASTIFY.recorded(None)).unwrap();
    let one = "id: 1\nevent: count\ndata: \"no. 1\\n🏮\"\nretry: 500\n\n";
    assert!(body.contains(one));
    assert_eq!(cut_everywhere(&FASTIFY), one.len());
}

/// The server sets `Content-Type` with the first event, so a response without events has none. By
/// the standard, the client does not reconnect after that.
#[test]
fn fastify_without_an_event_is_not_an_event_stream() {
    let expected = [
        "open 200",
        r#"count "\"no. 0\\n🏮\"" """#,
        r#"count "\"no. 1\\n🏮\"" "1""#,
        r#"count "{\"n\":2}" "2""#,
        r#"count "\"no. 3\\n🏮\"" "3""#,
        "lost EndOfBody 1500",
        "failed ContentType",
    ];
    assert_cut_after(&FASTIFY, "retry: 1500\n\n", &expected, Some("3"));
}

/// A CR in a string is sent unchanged and ends the line: the text up to the next line terminator is
/// lost.
#[test]
fn fastify_cuts_text_at_a_cr() {
    let expected = [
        "retry 700",
        r#"message "\"x\"" "a""#,
        r#"message "plain\ntext" "a""#,
        r#"no colon: "lf""#,
        r#"message "cr\nend" "a""#,
        r#"message "0" "a""#,
        r#"message "\"\"" "a""#,
        "lost EndOfBody 700",
    ];
    assert_items(&FASTIFY_TEXTS, &expected, Some("a"));
}

// ---- Litestar

#[test]
fn litestar_fields_that_are_sent_twice_count_once() {
    let expected = [
        ": hello",
        ": world",
        "retry 500",
        "retry 500",
        r#"note "one\ntwo" "7""#,
        "retry 500",
        r#"note "three" "7""#,
        "lost EndOfBody 500",
    ];
    assert_items(&LITESTAR_TEXTS, &expected, Some("7"));
}

/// The fields of the response precede those of the first message, which has an own ID, but takes
/// the type of the response.
#[test]
fn litestar_fields_of_the_response_apply_to_the_first_message() {
    let expected = [
        "retry 900",
        r#"typed "1 žluť\n🏮" "1""#,
        ": still here",
        "retry 0",
        r#"even "2 žluť\n🏮" "2""#,
        ": still here",
        r#"message "3 žluť\n🏮" "3""#,
        ": still here",
        r#"even "4 žluť\n🏮" "4""#,
        ": still here",
        "lost EndOfBody 0",
    ];
    assert_items(&LITESTAR, &expected, Some("4"));
}

#[test]
fn litestar_resumes_after_each_cut() {
    assert_eq!(cut_everywhere(&LITESTAR), 0);
}

/// After a reconnect, the third message is the first of its response, so it has the type and the
/// `retry` of the response.
#[test]
fn litestar_cut_between_cr_and_lf_resumes() {
    let expected = [
        "open 200",
        r#"typed "1 žluť\n🏮" "1""#,
        r#"even "2 žluť\n🏮" "2""#,
        "lost EndOfBody 0",
        "open 200",
        r#"typed "3 žluť\n🏮" "3""#,
        r#"even "4 žluť\n🏮" "4""#,
        "lost EndOfBody 900",
    ];
    assert_cut_after(&LITESTAR, "retry: 0\r\n\r", &expected, Some("2"));
}

/// After the last message, a response contains only its own fields without a blank line: no event,
/// and the ID does not count.
#[test]
fn litestar_without_a_message_does_not_change_the_id() {
    let (seen, ids) = cut_at(&LITESTAR, LITESTAR.recorded(None).len(), None);
    let expected = ["lost EndOfBody 0", "open 200", "lost Truncated(Event) 900"];
    assert!(seen.ends_with(&expected.map(str::to_owned)));
    assert_eq!(ids[1..], [Some("4".to_owned()), Some("4".to_owned())]);
}
