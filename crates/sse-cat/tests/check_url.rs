//! `sse-cat --check` on a URL.

#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use std::{thread, time::Duration};

use flate2::{Compression, write::GzEncoder};
use std::io::Write as _;
use support::{Cat, NO_CONTENT, Server};

/// A head without findings.
const GOOD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n";
const DATA: &str = "data: a\n\n";
const NO_FINDINGS: &str =
    "checked bytes: 9, lines: 2, events: 1; found errors: 0, warnings: 0, infos: 0";

/// Starts a check and sends this head.
fn check(args: &[&str], head: &str) -> (Cat, support::Peer) {
    let server = Server::new();
    let cat = Cat::new(&[args, &["--check", &server.url("/")]].concat());
    let mut peer = server.accept();
    peer.send(head);
    (cat, peer)
}

#[track_caller]
fn finds(cat: &mut Cat, start: &str) {
    let line = cat.line();
    assert!(line.starts_with(start), "{line}");
}

#[test]
fn a_good_response_has_no_findings() {
    for head in [
        GOOD,
        &GOOD.replace("text/event-stream", "text/event-stream;charset=UTF-8"),
        &GOOD.replace(
            "text/event-stream",
            "Text/Event-Stream; x=y; Charset=\"utf-8\"",
        ),
        &GOOD.replace(
            "text/event-stream",
            "text/event-stream; x=\"a;charset=latin1\"",
        ),
        &GOOD.replace(
            "text/event-stream",
            "text/event-stream; x=\"\\\";charset=latin1\"; charset=utf-8",
        ),
        &GOOD.replace("no-store", "private, no-cache"),
        &GOOD.replace("no-store", "private"),
        &GOOD.replace("\r\n\r\n", "\r\nContent-Encoding: identity\r\n\r\n"),
    ] {
        let (mut cat, mut peer) = check(&[], head);
        assert_eq!(peer.header("Accept"), ["text/event-stream"]);
        peer.send(DATA).close();
        cat.reports(NO_FINDINGS);
        cat.ends(0);
    }
}

#[test]
fn a_refused_response_is_shown() {
    for (head, finding, of_type) in [
        (
            "404 Not Found\r\nContent-Type: application/json",
            "head: error: status: status 404: clients give up",
            "application/json",
        ),
        (
            "503 Busy",
            "head: error: status: status 503: clients give up",
            "without a content type",
        ),
        (
            "200 OK\r\nContent-Type: text/html",
            "head: error: content-type: text/html: clients give up",
            "text/html",
        ),
        (
            "200 OK",
            "head: error: content-type: without a content type: clients",
            "without a content type",
        ),
    ] {
        let (mut cat, mut peer) = check(&[], &format!("HTTP/1.1 {head}\r\n\r\n"));
        peer.send("{\"error\":1}\u{7}\nnot a finding\n").close();
        finds(&mut cat, finding);
        cat.reports(&format!("its body, {of_type}:"));
        cat.shows("    {\"error\":1}\\u{7}");
        cat.shows("    not a finding");
        cat.reports(
            "checked bytes: 0, lines: 0, events: 0; found errors: 1, warnings: 0, infos: 0",
        );
        cat.ends(4);
    }
    let (mut cat, mut peer) = check(&[], NO_CONTENT);
    peer.close();
    finds(
        &mut cat,
        "head: error: status: status 204: this tells clients not to connect again",
    );
    cat.error_line();
    cat.ends(4);
}

fn gzip(text: &str) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn the_body_of_a_refused_response_is_decompressed() {
    let head = "HTTP/1.1 401 No\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n\r\n";
    let body = gzip("missing key\n");
    for (body, shown, is_whole) in [
        (&body[..], "    missing key", true),
        // Its checksum is not complete.
        (&body[..body.len() - 1], "    missing key", false),
        (b"not gzip", "    not gzip", true),
    ] {
        let (mut cat, mut peer) = check(&[], head);
        peer.send(body).close();
        finds(&mut cat, "head: error: status: status 401");
        cat.reports("its body, text/plain:");
        cat.shows(shown);
        if !is_whole {
            cat.reports("these are its first 12 bytes");
        }
        cat.reports(
            "checked bytes: 0, lines: 0, events: 0; found errors: 1, warnings: 0, infos: 0",
        );
        cat.ends(4);
    }
    // Not all of a large body is decompressed.
    let (mut cat, mut peer) = check(&[], head);
    peer.send(gzip(&"x".repeat(10_000_000))).close();
    finds(&mut cat, "head: error: status: status 401");
    cat.reports("its body, text/plain:");
    cat.shows(&format!("    {}", "x".repeat(4096)));
    cat.reports("these are its first 4096 bytes");
    cat.error_line();
    cat.ends(4);
}

#[test]
fn a_compressed_body_may_have_several_members_or_no_byte() {
    let head = GOOD.replace("\r\n\r\n", "\r\nContent-Encoding: gzip\r\n\r\n");
    let members = [gzip("data: a\n"), gzip("\n: c\n")].concat();
    for (body, sum) in [
        (members, "checked bytes: 13, lines: 3, events: 1;"),
        (Vec::new(), "checked bytes: 0, lines: 0, events: 0;"),
    ] {
        let (mut cat, mut peer) = check(&[], &head);
        peer.send(body).close();
        finds(&mut cat, "head: warning: compressed: ");
        let line = cat.error_line();
        assert_eq!(
            line,
            format!("{sum} found errors: 0, warnings: 1, infos: 0")
        );
        cat.ends(4);
    }
}

#[test]
fn what_is_unusual_in_a_head_is_reported() {
    for (head, finding, code) in [
        (
            GOOD.replace("stream\r", "stream;charset=utf8\r"),
            "head: error: charset: charset=utf8: Chromium closes the stream",
            4,
        ),
        (
            GOOD.replace("stream\r", "stream; charset=\"iso-8859-1\"\r"),
            "head: error: charset: charset=iso-8859-1: Chromium",
            4,
        ),
        (
            GOOD.replace(
                "stream\r",
                "stream; x=\"a;charset=utf-8\"; charset=latin1\r",
            ),
            "head: error: charset: charset=latin1: Chromium",
            4,
        ),
        (
            GOOD.replace("no-store", "max-age=60"),
            "head: info: cache-control: without no-store, no-cache and private, ",
            0,
        ),
        (
            GOOD.replace("Cache-Control: no-store\r\n", ""),
            "head: info: cache-control: without no-store, no-cache and private, ",
            0,
        ),
    ] {
        let (mut cat, mut peer) = check(&[], &head);
        peer.send(DATA).close();
        finds(&mut cat, finding);
        cat.error_line();
        cat.ends(code);
    }
}

#[test]
fn a_compressed_stream_is_reported_and_checked_if_it_is_gzip() {
    let head = |encoding| {
        GOOD.replace(
            "\r\n\r\n",
            &format!("\r\nContent-Encoding: {encoding}\r\n\r\n"),
        )
    };
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(b"data: a\n\nx\n").unwrap();
    gzip.flush().unwrap();
    let first = gzip.get_ref().clone();
    let (mut cat, mut peer) = check(&[], &head("GZip"));
    peer.send(&first);
    finds(
        &mut cat,
        "head: warning: compressed: Content-Encoding: gzip, although",
    );
    finds(&mut cat, "3:9: warning: no-colon: "); // at once
    gzip.write_all(b": end\n").unwrap();
    peer.send(&gzip.finish().unwrap()[first.len()..]).close();
    cat.reports("checked bytes: 17, lines: 4, events: 1; found errors: 0, warnings: 2, infos: 0");
    cat.ends(4);

    let (mut cat, mut peer) = check(&[], &head("gzip"));
    peer.send(&first).close();
    finds(&mut cat, "head: warning: compressed: ");
    finds(&mut cat, "3:9: warning: no-colon: ");
    finds(&mut cat, "4:11: error: connection-lost: ");
    cat.error_line();
    cat.ends(4);

    let (mut cat, mut peer) = check(&[], &head("br"));
    peer.send(DATA).close();
    finds(
        &mut cat,
        "head: warning: compressed: Content-Encoding: br, although",
    );
    cat.reports("checked bytes: 0, lines: 0, events: 0; found errors: 0, warnings: 1, infos: 0");
    cat.ends(4);

    let (mut cat, mut peer) = check(&[], &head("x-gzip"));
    peer.send("data: not gzip\n\n").close();
    finds(&mut cat, "head: warning: compressed: ");
    finds(
        &mut cat,
        "1:0: error: connection-lost: the body broke off after this byte: ",
    );
    cat.error_line();
    cat.ends(4);
}

#[test]
fn a_body_that_breaks_off_is_reported() {
    let head = GOOD.replace("\r\n\r\n", "\r\nContent-Length: 1000\r\n\r\n");
    let (mut cat, mut peer) = check(&[], &head);
    peer.send("data: a\n\ndata: b\n").close();
    finds(
        &mut cat,
        "4:17: error: connection-lost: the body broke off after this byte: ",
    );
    finds(&mut cat, "3:9: error: unfinished-event: ");
    cat.error_line();
    cat.ends(4);
}

#[test]
fn a_body_without_any_event_stream_line_is_reported() {
    let (mut cat, mut peer) = check(&[], GOOD);
    peer.send("{\"choices\":[]}").close();
    finds(&mut cat, "1:0: error: no-event-stream: ");
    cat.error_line();
    cat.ends(4);
}

#[test]
fn a_body_that_arrives_at_once_after_a_silence_is_reported() {
    let (mut cat, mut peer) = check(&[], GOOD);
    thread::sleep(Duration::from_millis(2200));
    peer.send(DATA.repeat(12)).close();
    let line = cat.line();
    assert!(
        line.starts_with(
            "1:0: warning: body-at-once: the whole body, 12 events in 108 bytes, arrived in one burst after "
        ),
        "{line}"
    );
    cat.error_line();
    cat.ends(4);

    // A single event is complete when it is complete. Comments at the start may be padding.
    let (mut cat, mut peer) = check(&[], GOOD);
    thread::sleep(Duration::from_millis(2200));
    peer.send(": padding\n".repeat(3) + DATA).close();
    cat.reports("checked bytes: 39, lines: 5, events: 1; found errors: 0, warnings: 0, infos: 0");
    cat.ends(0);
}

#[test]
fn several_events_or_heartbeats_that_arrive_at_once_after_a_silence_are_reported() {
    let (mut cat, mut peer) = check(&[], GOOD);
    peer.send(DATA.repeat(12));
    thread::sleep(Duration::from_millis(2200));
    peer.send(DATA.repeat(4)); // few
    thread::sleep(Duration::from_millis(2200));
    peer.send(DATA.repeat(5));
    let burst = cat.line(); // at once
    let start = "33:144: info: burst: 5 events arrived in one burst after ";
    assert!(burst.starts_with(start), "{burst}");
    thread::sleep(Duration::from_millis(2200));
    peer.send(": ping\n\n".repeat(2) + DATA);
    thread::sleep(Duration::from_millis(2200));
    peer.send(": ping\n\n").close();
    let comments = cat.line();
    let start =
        "43:189: warning: comments-at-once: 2 comments and 1 event arrived in one burst after ";
    assert!(comments.starts_with(start), "{comments}");
    cat.reports(
        "checked bytes: 222, lines: 50, events: 22; found errors: 0, warnings: 1, infos: 1",
    );
    cat.ends(4);
}

#[test]
fn silence_is_reported_once() {
    let (mut cat, mut peer) = check(&["--heartbeat", "1"], GOOD);
    peer.send(DATA);
    finds(
        &mut cat,
        "3:9: warning: silence: nothing arrived for 1 s after this byte",
    );
    thread::sleep(Duration::from_millis(1500));
    peer.send(": late\n").close();
    cat.reports("checked bytes: 16, lines: 3, events: 1; found errors: 0, warnings: 1, infos: 0");
    cat.ends(4);
}

#[test]
fn a_head_that_does_not_come_is_silence_too() {
    let server = Server::new();
    let mut cat = Cat::new(&[
        "--check",
        "--heartbeat",
        "1",
        "--for",
        "3",
        &server.url("/"),
    ]);
    let _peer = server.accept();
    finds(
        &mut cat,
        "1:0: warning: silence: nothing arrived for 1 s since the start",
    );
    finds(&mut cat, "head: error: no-response: ");
    cat.error_line();
    cat.ends(4);
}

#[test]
fn a_response_that_does_not_come_is_a_finding() {
    let server = Server::new();
    let mut cat = Cat::new(&["--check", "--for", "2", &server.url("/")]);
    let _peer = server.accept();
    finds(
        &mut cat,
        "head: error: no-response: the server did not respond before the check ended",
    );
    cat.reports("checked bytes: 0, lines: 0, events: 0; found errors: 1, warnings: 0, infos: 0");
    cat.ends(4);
}

#[test]
fn the_check_of_an_endless_stream_ends_after_the_given_time() {
    let (mut cat, mut peer) = check(&["--for", "3"], GOOD);
    peer.send("data: a\n\ndata: half\nhalf a li");
    cat.reports("checked bytes: 29, lines: 3, events: 1; found errors: 0, warnings: 0, infos: 0");
    cat.ends(0);
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_check_with_its_result() {
    let (mut cat, mut peer) = check(&[], GOOD);
    peer.send("data: a\n\nData: b\n");
    finds(&mut cat, "3:9: warning: unknown-field: ");
    cat.interrupt();
    cat.error_line();
    cat.ends(4);

    let (mut cat, mut peer) = check(&[], &GOOD.replace("no-store", "x"));
    peer.send("data: a\n\n");
    finds(&mut cat, "head: info: cache-control");
    cat.interrupt();
    cat.error_line();
    cat.ends(0);
}

#[test]
fn redirects_are_followed_and_a_request_without_a_response_fails() {
    let (server, other) = (Server::new(), Server::new());
    let mut cat = Cat::new(&["-H", "X-Key: secret", "--check", &server.url("/")]);
    let location = format!(
        "HTTP/1.1 302 There\r\nLocation: {}\r\n\r\n",
        other.url("/b")
    );
    let mut peer = server.accept();
    assert_eq!(peer.header("X-Key"), ["secret"]);
    peer.send(location).close();
    let mut peer = other.accept();
    assert_eq!(peer.header("X-Key"), [""; 0]);
    peer.send(GOOD).send(DATA).close();
    cat.reports(NO_FINDINGS);
    cat.ends(0);

    let url = server.url("/");
    drop(server);
    let mut cat = Cat::new(&["--check", &url]);
    let line = cat.error_line();
    assert!(
        line.starts_with("request: ") && line.contains("refused"),
        "{line}"
    );
    cat.ends(1);
}
