//! `sse-cat` on a URL.

#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use std::{
    io::{Read, Write},
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use support::{Cat, NO_CONTENT, STREAM, Server, interrupt, program, sse_cat};

#[test]
fn a_lost_connection_is_opened_again_and_resumes_after_the_last_event() {
    let server = Server::new();
    let mut cat = Cat::new(&["--last-event-id", "č0", &server.url("/stream?all")]);

    let mut first = server.accept();
    assert_eq!(first.line, "GET /stream?all HTTP/1.1");
    assert_eq!(first.header("Accept"), ["text/event-stream"]);
    assert_eq!(first.header("Cache-Control"), ["no-cache"]);
    assert_eq!(first.header("Last-Event-ID"), ["č0"]);
    first.send(STREAM);
    cat.reports(&format!("open, from {}", server.url("")));
    first.send("retry: 250\n\nid: 1\nevent: e\ndata: a\n\n");
    cat.prints("e  (id 1)\n    a"); // while the connection is open
    first.send("id: 2\ndata: cut off\n").close();
    cat.reports("lost: the body ended inside an event");
    let start = Instant::now();
    cat.waits(250, ", after id 1");

    let mut second = server.accept();
    assert!(start.elapsed() >= Duration::from_millis(245));
    assert_eq!(second.header("Last-Event-ID"), ["1"]);
    second.send(STREAM).send("id\ndata: b\n\n").close();
    cat.reports(&format!("open, from {}", server.url("")));
    cat.reports("lost: the body ended");
    cat.waits(250, "");

    let mut third = server.accept();
    assert_eq!(third.header("Last-Event-ID"), [""; 0]);
    third.send(NO_CONTENT).close();
    cat.prints("message\n    b");
    cat.reports("closed: status 204");
    cat.ends(0);
    server.has_no_more_requests();
}

#[test]
fn a_missing_response_and_a_body_that_is_cut_off_are_lost_connections() {
    let server = Server::new();
    let mut cat = Cat::new(&[&server.url("/")]);

    server.accept().close();
    let cause = cat.error_line();
    assert!(
        cause.ends_with("connection closed before message completed"),
        "{cause}"
    );
    cat.reports("lost: network error");
    cat.waits(3000, ""); // the standard's "few seconds", until the server asks for less
    let mut peer = server.accept();
    peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 1000\r\n\r\n")
        .send("retry: 0\ndata: a\n\n")
        .close();
    cat.prints("message\n    a");
    cat.reports(&format!("open, from {}", server.url("")));
    cat.error_line(); // the error of reqwest
    cat.reports("lost: network error");
    cat.waits(100, "");

    let mut peer = server.accept();
    peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        .send("Transfer-Encoding: chunked\r\n\r\n9\r\ndata: b\n\n\r\n9\r\ndata")
        .close();
    cat.prints("message\n    b");
    cat.reports(&format!("open, from {}", server.url("")));
    cat.error_line();
    cat.reports("lost: network error");
    cat.waits(100, "");

    // No event was received: this is the second failure in a row.
    server.accept().close();
    cat.error_line();
    cat.reports("lost: network error");
    cat.waits(200, "");
    server.accept().send(NO_CONTENT).close();
    cat.reports("closed: status 204");
    cat.ends(0);
}

#[test]
fn any_other_status_or_content_type_ends_the_program() {
    for (head, reason) in [
        ("404 Not Found", "status 404"),
        ("503 Busy\r\nRetry-After: 0", "status 503"),
        ("302 Where to?", "status 302"),
        ("206 Part\r\nContent-Type: text/event-stream", "status 206"),
        (
            "200 OK\r\nContent-Type: text/html",
            "the content type is not text/event-stream",
        ),
        (
            "200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: br",
            "the request failed permanently",
        ),
    ] {
        let server = Server::new();
        let mut cat = Cat::new(&[&server.url("/")]);
        server
            .accept()
            .send(format!("HTTP/1.1 {head}\r\n\r\ndata: a\n\n"))
            .close();
        if reason.contains("permanently") {
            cat.reports("the response is compressed");
        }
        cat.reports(&format!("closed: {reason}"));
        if !reason.contains("permanently") {
            let of_type = head.split_once("Type: ");
            let of_type = of_type.map_or("without a content type", |(_, of_type)| of_type);
            cat.reports(&format!("its body, {of_type}:"));
            cat.shows("    data: a");
        }
        cat.ends(1);
        server.has_no_more_requests();
    }
}

#[test]
fn the_body_of_a_refused_response_is_shown_without_control_characters() {
    let server = Server::new();
    let mut cat = Cat::new(&[&server.url("/")]);
    let json = r#"{"error":{"message":"who are you? \u001b žluť"}}"#;
    let body = format!("{json}\r\n\u{1B}[31m\u{7}\r\n\r\n");
    let len = body.len();
    server
        .accept()
        .send("HTTP/1.1 401 No\r\nContent-Type: application/json\r\n")
        .send(format!("Content-Length: {len}\r\n\r\n{body}"));
    cat.reports("closed: status 401");
    cat.reports("its body, application/json:");
    cat.shows(&format!("    {json}"));
    cat.shows("    \\u{1b}[31m\\u{7}");
    cat.ends(1);
}

#[test]
fn only_the_start_of_the_body_of_a_refused_response_is_shown() {
    let server = Server::new();
    let mut cat = Cat::new(&[&server.url("/")]);
    let mut peer = server.accept();
    peer.send("HTTP/1.1 500 No\r\nContent-Type: text/plain\r\n\r\n")
        .send("x".repeat(5000))
        .close();
    cat.reports("closed: status 500");
    cat.reports("its body, text/plain:");
    cat.shows(&format!("    {}", "x".repeat(4096)));
    cat.reports("these are its first 4096 bytes");
    cat.ends(1);

    // A response without a body, and the end of a stream, are not followed by anything.
    for (head, why) in [
        (
            "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
            "closed: status 500",
        ),
        (NO_CONTENT, "closed: status 204"),
    ] {
        let server = Server::new();
        let mut cat = Cat::new(&[&server.url("/")]);
        server.accept().send(head).close();
        cat.reports(why);
        cat.ends(i32::from(why.contains("500")));
    }
}

#[test]
fn a_body_that_is_no_event_stream_is_a_failure() {
    let server = Server::new();
    let mut cat = Cat::new(&["--once", &server.url("/")]);
    server.accept().send(STREAM).send("{\"error\":1}").close();
    cat.reports(&format!("open, from {}", server.url("")));
    cat.reports("closed: the body was no event stream");
    cat.reports("it was:");
    cat.shows("    {\"error\":1}");
    cat.ends(1);
}

#[test]
fn it_ends_after_the_given_time() {
    let server = Server::new();
    let mut cat = Cat::new(&["--for", "3", &server.url("/")]);
    let mut peer = server.accept();
    peer.send(STREAM).send("id: 7\ndata: a\n\ndata: half\n");
    cat.prints("message  (id 7)\n    a");
    cat.reports(&format!("open, from {}", server.url("")));
    cat.reports("the time of --for has elapsed, after id 7");
    cat.ends(0);
}

#[test]
fn a_silent_connection_counts_as_lost() {
    let server = Server::new();
    let mut cat = Cat::new(&["--timeout", "0.3", &server.url("/")]);

    let mut first = server.accept();
    first.send(STREAM).send("retry: 0\n\nid: 1\ndata: a\n\n");
    cat.reports(&format!("open, from {}", server.url("")));
    for _ in 0..4 {
        thread::sleep(Duration::from_millis(150)); // in total, twice the timeout
        first.send(": keep-alive\n");
    }
    first.send("data: b\n\n");
    cat.prints("message  (id 1)\n    a\nmessage  (id 1)\n    b");
    cat.reports("lost: timeout");
    cat.waits(100, ", after id 1");
    drop(first);

    let _no_answer = server.accept();
    cat.reports("lost: timeout");
    cat.waits(200, ", after id 1"); // no event in between
    server.accept().send(NO_CONTENT).close();
    cat.reports("closed: status 204");
    cat.ends(0);
}

#[test]
fn redirects_are_followed_but_headers_of_the_user_are_not_sent_to_other_origins() {
    let (server, other) = (Server::new(), Server::new());
    let mut cat = Cat::new(&[
        "-H",
        "Authorization: Bearer secret",
        "--header",
        "X-Api-Key:secret",
        "--last-event-id=7",
        &server.url("/a"),
    ]);

    for _ in 0..2 {
        let mut peer = server.accept();
        assert_eq!(peer.line, "GET /a HTTP/1.1");
        assert_eq!(peer.header("Authorization"), ["Bearer secret"]);
        peer.send("HTTP/1.1 307 Here\r\nLocation: b?c\r\nContent-Length: 0\r\n\r\n")
            .close();
        let mut peer = server.accept();
        assert_eq!(peer.line, "GET /b?c HTTP/1.1");
        assert_eq!(peer.header("Authorization"), ["Bearer secret"]);
        assert_eq!(peer.header("X-Api-Key"), ["secret"]);
        let url = other.url("/d");
        peer.send(format!(
            "HTTP/1.1 301 There\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n"
        ))
        .close();

        let mut peer = other.accept();
        assert_eq!(peer.header("Authorization"), [""; 0]);
        assert_eq!(peer.header("X-Api-Key"), [""; 0]);
        assert_eq!(peer.header("Accept"), ["text/event-stream"]);
        assert_eq!(peer.header("Last-Event-ID"), ["7"]);
        // They are not sent after a redirect back to the first origin, either.
        let url = server.url("/e");
        peer.send(format!(
            "HTTP/1.1 302 Home\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n"
        ))
        .close();
        let mut peer = server.accept();
        assert_eq!(peer.header("Authorization"), [""; 0]);
        let url = other.url("/f");
        peer.send(format!(
            "HTTP/1.1 303 There\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n"
        ))
        .close();
        let mut peer = other.accept();
        peer.send(STREAM).send("retry: 0\n\n").close();
        cat.reports(&format!("open, from {}", other.url("")));
        cat.reports("lost: the body ended");
        cat.error_line(); // the wait
    }
    server.accept().send(NO_CONTENT).close();
    cat.reports("closed: status 204");
    cat.ends(0);
}

#[test]
fn invalid_redirects_end_the_program() {
    for (location, why) in [
        ("http://", "redirect to an invalid or non-HTTP URL"),
        (
            "file:///etc/passwd",
            "redirect to an invalid or non-HTTP URL",
        ),
        (
            "//me:secret@127.0.0.1/",
            "redirect to a URL with credentials and another origin",
        ),
        ("/", "too many redirects"),
    ] {
        let server = Server::new();
        let mut cat = Cat::new(&[&server.url("/")]);
        let times = if location == "/" { 21 } else { 1 };
        for _ in 0..times {
            server
                .accept()
                .send(format!(
                    "HTTP/1.1 302 There\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
                ))
                .close();
        }
        cat.reports(why);
        cat.reports("closed: the request failed permanently");
        cat.ends(1);
        server.has_no_more_requests();
    }
}

#[test]
fn a_body_is_posted_once() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("a_body_is_posted.json");
    std::fs::write(&path, "{\"file\":1}").unwrap();
    for (data, expected) in [
        ("{}", "{}"),
        ("@-", "from standard input"),
        (&format!("@{}", path.display()), "{\"file\":1}"),
    ] {
        let server = Server::new();
        let mut cat = Cat::new(&["--data", data, &server.url("/")]);
        cat.gets_input("from standard input");
        let mut peer = server.accept();
        assert_eq!(peer.line, "POST / HTTP/1.1");
        assert_eq!(peer.header("Content-Type"), ["application/json"]);
        assert_eq!(peer.body, expected);
        peer.send(STREAM).send("retry: 0\ndata: [DONE]\n\n").close();
        cat.prints("message\n    [DONE]");
        cat.reports(&format!("open, from {}", server.url("")));
        cat.reports("closed: the body ended");
        cat.ends(0);
        server.has_no_more_requests();
    }
}

#[test]
fn a_request_with_a_body_is_not_repeated_after_a_failure() {
    let server = Server::new();
    let mut cat = Cat::new(&["-d", "{}", "-X", "PUT", &server.url("/")]);
    let mut peer = server.accept();
    assert_eq!(peer.line, "PUT / HTTP/1.1");
    peer.close();
    let cause = cat.error_line();
    assert!(
        cause.ends_with("connection closed before message completed"),
        "{cause}"
    );
    cat.reports("closed: network error");
    cat.ends(1);
    server.has_no_more_requests();
}

#[test]
fn a_redirect_keeps_or_drops_the_body_as_in_browsers() {
    for (status, line, body) in [
        (301, "GET /b HTTP/1.1", ""),
        (302, "GET /b HTTP/1.1", ""),
        (303, "GET /b HTTP/1.1", ""),
        (307, "POST /b HTTP/1.1", "text"),
        (308, "POST /b HTTP/1.1", "text"),
    ] {
        let server = Server::new();
        let of_type = "Content-Type: text/plain";
        let mut cat = Cat::new(&["-H", of_type, "-d", "text", &server.url("/a")]);
        let mut peer = server.accept();
        assert_eq!(peer.body, "text");
        peer.send(format!(
            "HTTP/1.1 {status} There\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"
        ))
        .close();
        let mut peer = server.accept();
        assert_eq!((&*peer.line, &*peer.body), (line, body));
        assert_eq!(peer.header("Content-Type").is_empty(), body.is_empty());
        peer.send(NO_CONTENT).close();
        cat.reports("closed: status 204");
        cat.ends(0);
    }
}

#[test]
fn a_body_is_not_sent_to_another_origin() {
    let (server, other) = (Server::new(), Server::new());
    let mut cat = Cat::new(&["-d", "secret", &server.url("/")]);
    let mut peer = server.accept();
    assert_eq!(peer.body, "secret");
    let url = other.url("/");
    peer.send(format!(
        "HTTP/1.1 307 There\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n"
    ))
    .close();
    cat.reports("redirect that would send the request body to another origin");
    cat.reports("closed: the request failed permanently");
    cat.ends(1);
    other.has_no_more_requests();
}

#[test]
fn without_reconnecting_the_program_ends_with_the_body() {
    for (args, printed, end) in [
        (
            &["--once"][..],
            "message\n    a",
            "the body ended inside a line",
        ),
        (
            &["--no-reconnect", "--finish"],
            "message\n    a\nmessage  (id 2)\n    b",
            "the body ended",
        ),
    ] {
        let server = Server::new();
        let mut cat = Cat::new(&[args, &[&server.url("/")]].concat());
        let mut peer = server.accept();
        peer.send(STREAM).send("data: a\n\nid: 2\ndata: b").close();
        cat.prints(printed);
        cat.reports(&format!("open, from {}", server.url("")));
        cat.reports(&format!("closed: {end}"));
        cat.ends(0);
        server.has_no_more_requests();
    }
}

#[test]
fn items_are_printed_like_those_of_a_file() {
    let stream = "retry: 5\n: note\nid: 1\ndata: \u{1F3EE}\r\ndata: x\r\n\r\ndata: too large\n\n";
    let server = Server::new();
    let mut cat = Cat::new(&[
        "--json",
        "--comments",
        "--max-event=8",
        "--chunk=1",
        "--once",
        &server.url("/"),
    ]);
    let mut peer = server.accept();
    peer.send("HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream;x\r\n")
        .send("Transfer-Encoding: chunked\r\n\r\n");
    // Split everywhere, even inside characters and line terminators.
    for byte in stream.as_bytes() {
        peer.send("1\r\n").send([*byte]).send("\r\n");
    }
    peer.send("0\r\n\r\n").close();
    cat.prints(
        "{\"retry\":5}\n{\"comment\":\" note\"}\n\
         {\"event\":\"message\",\"data\":\"\u{1F3EE}\\nx\",\"lastEventId\":\"1\"}",
    );
    cat.reports(&format!("open, from {}", server.url("")));
    cat.reports("event exceeds the limit of 8 bytes in its data");
    cat.reports("closed: the body ended");
    cat.ends(3);
}

#[test]
fn events_of_a_compressed_stream_are_not_delayed() {
    /// An uncompressed block of a deflate stream.
    fn block(text: &str) -> Vec<u8> {
        let len = text.len() as u16;
        let mut block = vec![0];
        block.extend(len.to_le_bytes());
        block.extend((!len).to_le_bytes());
        block.extend(text.as_bytes());
        block
    }
    let server = Server::new();
    let mut cat = Cat::new(&["--once", &server.url("/")]);
    let mut peer = server.accept();
    assert_eq!(peer.header("Accept-Encoding"), ["identity"]);
    // A server that compresses nevertheless is supported.
    peer.send(STREAM.replace("\r\n\r\n", "\r\nContent-Encoding: gzip\r\n\r\n"))
        .send([31, 139, 8, 0, 0, 0, 0, 0, 0, 255]);
    for text in ["a", "b"] {
        peer.send(block(&format!("data: {text}\n\n")));
        cat.prints(&format!("message\n    {text}"));
    }
    peer.close();
    cat.reports(&format!("open, from {}", server.url("")));
    cat.error_line();
    cat.reports("closed: network error"); // its last block is missing
    cat.ends(1);
}

#[test]
fn an_id_that_no_header_can_contain_does_not_prevent_a_connection() {
    let server = Server::new();
    let mut cat = Cat::new(&["--last-event-id", "a\u{1B}", &server.url("/")]);
    let mut peer = server.accept();
    assert_eq!(peer.header("Last-Event-ID"), [""; 0]);
    peer.send(NO_CONTENT).close();
    cat.reports("no header can contain the last event ID, so it is not sent");
    cat.reports("closed: status 204");
    cat.ends(0);
}

#[test]
fn a_server_without_tls_ends_the_program() {
    let server = Server::new();
    let url = server.url("/").replace("http:", "https:");
    let mut cat = Cat::new(&[&url]);
    let (mut peer, _) = server.listener.accept().unwrap();
    peer.write_all(b"I do not speak TLS\r\n").unwrap();
    cat.error_line();
    cat.reports("closed: the request failed permanently");
    cat.ends(1);
}

#[test]
fn a_refused_connection_is_tried_again_unless_once_is_set() {
    let server = Server::new();
    let url = server.url("/");
    drop(server);
    let mut cat = Cat::new(&[&url]);
    assert!(cat.error_line().contains("Connection refused"));
    cat.reports("lost: network error");
    cat.waits(3000, "");
    drop(cat);
    let mut cat = Cat::new(&["--once", &url]);
    cat.error_line();
    cat.reports("closed: network error");
    cat.ends(1);
}

#[test]
fn wrong_arguments_are_rejected() {
    for (args, why) in [
        (&["--once"][..], "cannot be used with a file"),
        (&["-H", "a: b", "-"], "cannot be used with a file"),
        (&["--timeout=1", "file"], "cannot be used with a file"),
        (&["-H", "a", "http://a.example/"], "no colon after the name"),
        (
            &["-H", "last-event-id: 1", "http://a.example/"],
            "use --last-event-id",
        ),
        (&["http://"], "empty host"),
        (&["http://a:b@a.example/"], "the URL contains credentials"),
    ] {
        let output = program::run(&mut sse_cat(args), b"");
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains(why), "{args:?}: {message}");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert_eq!(output.stdout, b"");
    }
}

#[test]
fn it_ends_when_standard_output_is_closed() {
    let server = Server::new();
    let mut command = sse_cat(&[&server.url("/")]);
    let mut child = program::spawn(&mut command);
    drop(child.stdout.take());
    let mut peer = server.accept();
    peer.send(STREAM);
    // Another test that starts a child at this moment may keep it open a little longer.
    while child.try_wait().unwrap().is_none() {
        peer.send("data: a\n\n");
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_in_every_state() {
    // A request without a response.
    let server = Server::new();
    let mut cat = Cat::new(&[&server.url("/")]);
    let _peer = server.accept();
    cat.interrupt();
    cat.reports("interrupted");
    cat.ends(130);

    // A silent body of a request that is not repeated.
    let server = Server::new();
    let mut cat = Cat::new(&["-XPOST", &server.url("/")]);
    let mut peer = server.accept();
    peer.send(STREAM).send("id: 7\ndata: a\n\ndata: half\n");
    cat.prints("message  (id 7)\n    a");
    cat.reports(&format!("open, from {}", server.url("")));
    cat.interrupt();
    cat.reports("interrupted, after id 7");
    cat.ends(130);

    // A wait.
    let server = Server::new();
    let mut cat = Cat::new(&[&server.url("/")]);
    server.accept().send(STREAM).send("retry:60000\n").close();
    cat.reports(&format!("open, from {}", server.url("")));
    cat.reports("lost: the body ended");
    cat.waits(60_000, "");
    cat.interrupt();
    cat.reports("interrupted");
    cat.ends(130);

    // A reader that does not read standard output.
    let server = Server::new();
    let mut command = sse_cat(&[&server.url("/")]);
    let mut child = program::spawn(&mut command);
    let mut peer = server.accept();
    peer.send(STREAM).send("data: a\n\n");
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    let mut event = vec![b'x'; 1 << 20];
    event[..5].copy_from_slice(b"data:");
    peer.send(event).send("\n\n");
    thread::sleep(Duration::from_millis(200));
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
