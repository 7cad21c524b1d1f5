//! `sse-cat record` and `sse-cat replay`.

#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Output,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use support::{Cat, STREAM, Server, file, objects, program, sse_cat, text};

/// Returns the path of a recording that does not exist yet.
fn new_path(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_file(&path);
    path
}

fn run(args: &[&str], path: &Path, rest: &[&str], input: &[u8]) -> Output {
    program::run(sse_cat(args).arg(path).args(rest), input)
}

/// Returns a recording without its times, which must not decrease.
#[track_caller]
fn recorded(path: &Path) -> Vec<Value> {
    let mut lines = objects(&fs::read_to_string(path).unwrap());
    let mut last = 0.0;
    for line in &mut lines {
        let at = line.as_object_mut().unwrap().remove("at").unwrap();
        let at = at.as_f64().unwrap();
        assert!(at >= last, "{at} after {last}");
        last = at;
    }
    lines
}

/// Serves a recording.
fn serve(path: &Path, args: &[&str]) -> (Cat, String) {
    let path = path.to_str().unwrap();
    let mut cat = Cat::new(&[&["replay", path, "--serve", "127.0.0.1:0"], args].concat());
    let line = cat.error_line();
    let url = line.strip_prefix("serving ").unwrap().to_owned();
    (cat, url)
}

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Twice: a\r\n\
    X-Twice: \u{E9}\r\nSet-Cookie: secret=1\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Cut inside a line, a line terminator, and a character.
const CHUNKS: [&[u8]; 6] = [
    b"id: 1\ndata: a\r",
    b"\n\r\n",
    b": \xF0\x9F",
    b"\x8F\xAE \xFF\n",
    b"data: b\n\n",
    b"data: half",
];

/// Records the chunks from a live server.
fn record_live(path: &Path, last: &str) -> Cat {
    let server = Server::new();
    let url = server.url("/secret?key=secret");
    let path = path.to_str().unwrap();
    let mut cat = Cat::new(&["record", path, "-H", "X-Key: secret", &url]);
    let mut peer = server.accept();
    assert_eq!(peer.header("X-Key"), ["secret"]);
    peer.send(HEAD);
    for chunk in CHUNKS {
        peer.send(format!("{:x}\r\n", chunk.len()))
            .send(chunk)
            .send("\r\n");
    }
    peer.send(last).close();
    cat.reports("status 200, text/event-stream");
    cat
}

#[track_caller]
fn is_expected(recorded: &[Value], end: &str) {
    let texts = [
        json!({ "text": "id: 1\ndata: a\r" }),
        json!({ "text": "\n\r\n" }),
        json!({ "base64": "OiDwnw==" }),
        json!({ "base64": "j64g/wo=" }),
        json!({ "text": "data: b\n\n" }),
        json!({ "text": "data: half" }),
    ];
    assert_eq!(recorded[1..7], texts);
    assert_eq!(recorded[7]["end"], end);
    assert_eq!(recorded.len(), 8);
}

#[test]
fn a_live_stream_is_recorded_served_and_recorded_again_with_the_same_bytes_and_chunks() {
    let path = new_path("record_live.jsonl");
    let mut cat = record_live(&path, "0\r\n\r\n");
    let done = cat.error_line();
    let start = "the input ended; recorded chunks: 6, bytes: 45, seconds: ";
    assert!(done.starts_with(start), "{done}");
    cat.ends(0);
    let first = recorded(&path);
    is_expected(&first, "complete");
    let expected = json!({ "recording": 1, "status": 200, "headers": [
        ["content-type", "text/event-stream"], ["x-twice", "a"], ["x-twice", "\u{C3}\u{A9}"],
        ["transfer-encoding", "chunked"],
    ]});
    assert_eq!(first[0], expected);
    assert!(!fs::read_to_string(&path).unwrap().contains("secret"));

    for speed in ["1", "10", "max"] {
        let (mut server, url) = serve(&path, &["--speed", speed]);
        let again = new_path("record_again.jsonl");
        let output = run(&["record", "--last-event-id", "7"], &again, &[&url], b"");
        assert!(output.status.success());
        server.reports("GET /, after id 7");
        let second = recorded(&again);
        is_expected(&second, "complete");
        let headers = &second[0]["headers"].as_array().unwrap()[..3];
        assert_eq!(headers, &expected["headers"].as_array().unwrap()[..3]);
        assert_eq!(second[0]["status"], 200);
    }

    // The bytes on standard output.
    let output = run(&["replay"], &path, &["--speed", "max"], b"");
    assert_eq!(output.stdout, CHUNKS.concat());
    assert_eq!(text(&output.stderr), "");
    assert!(output.status.success());
}

#[test]
fn a_body_that_broke_off_breaks_off_again() {
    let path = new_path("record_broken.jsonl");
    let mut cat = record_live(&path, "9\r\ndata");
    cat.error_line(); // the error of reqwest
    let done = cat.error_line();
    assert!(
        done.starts_with("the input broke off; recorded chunks: 7, "),
        "{done}"
    );
    cat.ends(1);
    let lines = recorded(&path);
    assert_eq!(lines[7], json!({ "text": "data" }));
    assert_eq!(lines[8]["end"], "failed");
    assert!(
        lines[8]["error"]
            .as_str()
            .is_some_and(|error| !error.is_empty())
    );

    for speed in ["1", "max"] {
        let (_server, url) = serve(&path, &["--speed", speed]);
        let again = new_path("record_broken_again.jsonl");
        let output = run(&["record"], &again, &[&url], b"");
        assert_eq!(output.status.code(), Some(1));
        let lines = recorded(&again);
        assert_eq!((&lines[8]["end"], lines.len()), (&json!("failed"), 9));
    }

    let output = run(&["replay"], &path, &[], b"");
    assert!(text(&output.stderr).starts_with("sse-cat: here the recorded input broke off: "));
    assert!(output.status.success());
}

#[test]
fn any_response_is_recorded_and_served_with_its_status() {
    let path = new_path("record_refused.jsonl");
    let server = Server::new();
    let mut cat = Cat::new(&["record", path.to_str().unwrap(), &server.url("/")]);
    let head = "HTTP/1.1 429 Slow\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nno";
    server.accept().send(head);
    cat.reports("status 429, text/plain");
    cat.error_line();
    cat.ends(0);
    let (mut server, url) = serve(&path, &[]);
    let mut cat = Cat::new(&[&format!("{url}x")]);
    cat.reports("closed: status 429");
    cat.reports("its body, text/plain:");
    cat.shows("    no");
    cat.ends(1);
    server.reports("GET /x");
}

#[test]
fn a_recording_of_standard_input_is_served_as_an_event_stream() {
    let path = new_path("record_pipe.jsonl");
    let output = run(&["record"], &path, &["-"], b"data: a\n\n");
    assert!(output.status.success());
    let [head, chunk, end] = &recorded(&path)[..] else {
        panic!("three lines");
    };
    assert_eq!(*head, json!({ "recording": 1 }));
    assert_eq!(*chunk, json!({ "text": "data: a\n\n" }));
    assert_eq!(*end, json!({ "end": "complete" }));
    let (_server, url) = serve(&path, &[]);
    for _ in 0..2 {
        // To each request from the start.
        let mut cat = Cat::new(&["--check", &url]);
        cat.reports(
            "checked bytes: 9, lines: 2, events: 1; found errors: 0, warnings: 0, infos: 0",
        );
        cat.ends(0);
    }
}

#[test]
fn headers_of_the_connection_are_not_served() {
    let lines = "{\"recording\":1,\"status\":200,\"headers\":[[\"content-type\",\"text/event-stream\"],\
        [\"cache-control\",\"no-store\"],[\"content-length\",\"1000\"],[\"connection\",\"upgrade\"],\
        [\"transfer-encoding\",\"gzip\"]]}\n{\"text\":\"data: a\\n\\n\"}\n{\"end\":\"complete\"}\n";
    let path = file("record_connection.jsonl", lines.as_bytes());
    let (_server, url) = serve(&path, &[]);
    let mut cat = Cat::new(&["--check", &url]);
    cat.reports("checked bytes: 9, lines: 2, events: 1; found errors: 0, warnings: 0, infos: 0");
    cat.ends(0);
    let again = new_path("record_connection_again.jsonl");
    assert!(run(&["record"], &again, &[&url], b"").status.success());
    let headers = recorded(&again)[0]["headers"].to_string();
    assert!(
        !headers.contains("content-length") && !headers.contains("upgrade"),
        "{headers}"
    );
    assert!(!headers.contains("gzip"), "{headers}");
}

#[test]
fn the_recorded_times_are_kept_and_the_speed_changes_them() {
    let slow = "{\"recording\":1,\"at\":0}\n{\"at\":1.5,\"text\":\"data: a\\n\\n\"}\n\
        {\"at\":3,\"end\":\"complete\"}\n";
    let path = file("record_slow.jsonl", slow.as_bytes());
    let start = Instant::now();
    let output = run(&["replay"], &path, &[], b"");
    assert!(start.elapsed() >= Duration::from_secs(3));
    assert_eq!(text(&output.stdout), "data: a\n\n");

    let (_server, url) = serve(&path, &["--speed", "2"]);
    let start = Instant::now();
    let output = sse_cat(&["--once", &url]).output().unwrap();
    assert!(start.elapsed() >= Duration::from_millis(1500));
    assert_eq!(text(&output.stdout), "message\n    a\n");

    let hours = slow.replace("1.5", "7200").replace("3,", "9e9,");
    let path = file("record_hours.jsonl", hours.as_bytes());
    let output = run(&["replay"], &path, &["--speed", "max"], b"");
    assert_eq!(text(&output.stdout), "data: a\n\n");
    // While it waits, what has arrived is not held back.
    let (_server, url) = serve(&path, &["--speed", "7200"]);
    let mut cat = Cat::new(&[&url]);
    cat.prints("message\n    a");
}

#[test]
fn the_recording_of_an_endless_stream_is_stopped() {
    let path = new_path("record_for.jsonl");
    let server = Server::new();
    let url = server.url("/");
    let mut cat = Cat::new(&["record", path.to_str().unwrap(), "--for", "3", &url]);
    let mut peer = server.accept();
    peer.send(STREAM).send("data: a\n\n");
    cat.reports("status 200, text/event-stream");
    let done = cat.error_line();
    assert!(
        done.starts_with("stopped; recorded chunks: 1, bytes: 9, seconds: 3."),
        "{done}"
    );
    cat.ends(0);
    assert_eq!(recorded(&path)[2], json!({ "end": "stopped" }));
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_recording_normally() {
    let path = new_path("record_ctrl_c.jsonl");
    let server = Server::new();
    let mut cat = Cat::new(&["record", path.to_str().unwrap(), &server.url("/")]);
    let mut peer = server.accept();
    peer.send(STREAM);
    cat.reports("status 200, text/event-stream");
    cat.interrupt();
    cat.error_line();
    cat.ends(0);
    assert_eq!(recorded(&path)[1], json!({ "end": "stopped" }));
}

#[test]
fn a_recording_whose_recorder_was_killed_is_valid() {
    let lines = "{\"recording\":1}\n{\"text\":\"data: a\\n\\n\"}\n";
    for end in [
        &b""[..],
        b"{\"at\":5",
        b"{\"at\":0,\"te",
        // Inside a character.
        b"{\"at\":0,\"text\":\"\xC5",
    ] {
        let path = file("record_killed.jsonl", &[lines.as_bytes(), end].concat());
        let output = run(&["replay"], &path, &[], b"");
        assert_eq!(text(&output.stdout), "data: a\n\n");
        assert_eq!(text(&output.stderr), "");
        assert!(output.status.success());
    }
}

#[test]
fn what_is_no_recording_is_rejected() {
    for (lines, why) in [
        ("data: a\n\n", "line 1: "),
        ("", "line 1: not a recording"),
        ("{}\n", "line 1: not a recording"),
        (
            "{\"recording\":2}\n",
            "line 1: not a recording of sse-cat, version 1",
        ),
        ("{\"recording\":1,\"at\":-1}\n", "line 1: "),
        (
            "{\"recording\":1,\"status\":99}\n",
            "line 1: invalid status code",
        ),
        (
            "{\"recording\":1,\"status\":200,\"headers\":[[\"a b\",\"\"]]}\n",
            "line 1: invalid header a b",
        ),
        (
            "{\"recording\":1,\"status\":200,\"headers\":[[\"a\",\"\u{17E}\"]]}\n",
            "line 1: invalid header a",
        ),
        (
            "{\"recording\":1}\n{}\n",
            "line 2: neither a chunk nor an end",
        ),
        ("{\"recording\":1}\n\n", "line 2: "),
        ("{\"recording\":1}\n{\"base64\":\"!\"}\n", "line 2: "),
        (
            "{\"recording\":1}\n{\"text\":\"\",\"at\":1e99}\n",
            "line 2: ",
        ),
    ] {
        let path = file("record_invalid.jsonl", lines.as_bytes());
        for serve in [&[][..], &["--serve", "0"]] {
            let output = run(&["replay"], &path, serve, b"");
            let message = format!("sse-cat: {}: {why}", path.display());
            assert!(
                text(&output.stderr).starts_with(&message),
                "{lines}: {output:?}"
            );
            assert_eq!(output.status.code(), Some(1));
            assert_eq!(text(&output.stdout), "");
        }
    }
}

#[test]
fn an_existing_file_is_only_overwritten_by_force() {
    let path = file("record_exists.jsonl", b"precious");
    let output = run(&["record"], &path, &["-"], b"data: a\n\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("record_exists.jsonl: "));
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    let output = run(&["record", "--force"], &path, &["-"], b"data: a\n\n");
    assert!(output.status.success());
    assert_eq!(recorded(&path).len(), 3);
}

#[test]
fn without_a_response_there_is_no_recording() {
    let path = new_path("record_nothing.jsonl");
    let server = Server::new();
    let url = server.url("/");
    drop(server);
    let output = run(&["record"], &path, &[&url], b"");
    assert!(text(&output.stderr).starts_with("sse-cat: request: "));
    assert_eq!(output.status.code(), Some(1));
    assert!(!path.exists());
}

/// Returns a URL that refuses connections.
fn refusing_url() -> String {
    Server::new().url("/")
}

#[test]
fn an_old_recording_is_kept_until_there_is_something_to_record() {
    let old = b"an old recording, longer than the new one: ".repeat(10);
    let path = file("record_old.jsonl", &old);
    for input in [&*refusing_url(), "no/such/file"] {
        let output = run(&["record", "--force"], &path, &[input], b"");
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(fs::read(&path).unwrap(), old);
    }
    let output = run(&["record", "--force"], &path, &["-"], b"data: a\n\n");
    assert!(output.status.success());
    assert_eq!(recorded(&path).len(), 3);
}

#[cfg(unix)]
#[test]
fn only_a_new_file_is_removed_if_nothing_was_recorded() {
    let path = file("record_linked.jsonl", b"precious");
    let link = new_path("record_link.jsonl");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let output = run(&["record", "--force"], &link, &[&refusing_url()], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(link.is_symlink());
    assert_eq!(fs::read(&path).unwrap(), b"precious");

    let path = new_path("record_forced.jsonl");
    let output = run(&["record", "--force"], &path, &[&refusing_url()], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(!path.exists());
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_can_be_recorded_into() {
    // A device cannot be truncated. It is behind a link, so that no fault of the program deletes it.
    let link = new_path("record_device.jsonl");
    std::os::unix::fs::symlink("/dev/null", &link).unwrap();
    let output = run(&["record", "--force"], &link, &["-"], b"data: a\n\n");
    assert!(output.status.success(), "{output:?}");
    assert!(link.is_symlink());
}

#[test]
fn an_input_that_cannot_be_read_does_not_block_the_next_try() {
    let path = new_path("record_unreadable.jsonl");
    // A directory can be opened on some systems, but not read.
    for input in ["no/such/file", env!("CARGO_TARGET_TMPDIR")] {
        let output = run(&["record"], &path, &[input], b"");
        assert_eq!(output.status.code(), Some(1));
        assert!(!path.exists(), "{input}");
    }
    let input = file("record_readable.sse", b"");
    let output = run(&["record"], &path, &[input.to_str().unwrap()], b"");
    assert!(output.status.success());
    assert_eq!(recorded(&path)[1], json!({ "end": "complete" }));
}

#[test]
fn a_recording_is_replayed_from_standard_input() {
    let lines = b"{\"recording\":1}\n{\"text\":\"data: a\\n\\n\"}\n{\"end\":\"complete\"}\n";
    let output = program::run(&mut sse_cat(&["replay", "-"]), lines);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(text(&output.stdout), "data: a\n\n");
    let output = program::run(&mut sse_cat(&["replay", "-"]), b"data: a\n\n");
    let why = "sse-cat: standard input: line 1: ";
    assert!(text(&output.stderr).starts_with(why), "{output:?}");
}

#[cfg(unix)]
#[test]
fn each_recorded_chunk_is_one_write_to_standard_output() {
    use std::{
        os::{fd::OwnedFd, unix::net::UnixDatagram},
        process::Stdio,
    };
    let chunks = ["data: a\n\ndata: b", "\n\n", "data", ": c\nid: 1\n\n: d"];
    let mut lines = String::from("{\"recording\":1}\n");
    for chunk in chunks {
        lines += &format!("{}\n", json!({ "text": chunk }));
    }
    let path = file("record_writes.jsonl", lines.as_bytes());
    // Each write is a datagram.
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    ours.set_read_timeout(Some(program::PATIENCE)).unwrap();
    let mut command = sse_cat(&["replay", path.to_str().unwrap()]);
    let mut child = command
        .stdout(Stdio::from(OwnedFd::from(theirs)))
        .spawn()
        .unwrap();
    for chunk in chunks {
        let mut buffer = [0; 100];
        let len = ours.recv(&mut buffer).unwrap();
        assert_eq!(text(&buffer[..len]), chunk);
    }
    assert!(child.wait().unwrap().success());
}

#[cfg(target_os = "linux")]
#[test]
fn the_time_of_a_request_does_not_include_the_reading_of_certificates() {
    const DELAY: Duration = Duration::from_secs(4);
    let path = new_path("record_certificates.jsonl");
    // A file of certificates that takes long to read.
    let pipe = new_path("certificates");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let server = Server::new();
    let mut command = sse_cat(&["record", path.to_str().unwrap(), &server.url("/")]);
    let mut child = program::spawn(command.env("SSL_CERT_FILE", &pipe));
    // In a thread, because it blocks until the program opens the pipe.
    std::thread::spawn(move || {
        std::thread::sleep(DELAY);
        File::options().write(true).open(&pipe)
    });
    server.accept().send(STREAM).close();
    assert!(child.wait().unwrap().success());
    let lines = objects(&fs::read_to_string(&path).unwrap());
    let at = lines[0]["at"].as_f64().unwrap();
    assert!(at < DELAY.as_secs_f64(), "{at}");
}

#[test]
fn files_that_are_named_like_a_command_can_be_read() {
    let dir = new_path("named_like_a_command");
    let _ = fs::create_dir(&dir);
    for name in ["record", "replay", "help"] {
        fs::write(dir.join(name), "data: a\n\n").unwrap();
        let of_dir = |path: &str| {
            let output = sse_cat(&[path]).current_dir(&dir).output().unwrap();
            text(&output.stdout).to_owned()
        };
        assert_eq!(of_dir(&format!("./{name}")), "message\n    a\n");
        assert_eq!(of_dir(name).is_empty(), name != "help");
        // After an option, it is a file.
        let output = sse_cat(&["--json", name])
            .current_dir(&dir)
            .output()
            .unwrap();
        assert!(text(&output.stdout).starts_with("{\"event\""));
    }
}

#[test]
fn a_command_after_an_option_is_explained() {
    for args in [
        &["--json", "record", "a", "b"][..],
        &["--json", "replay", "a"],
        &["one", "two"],
    ] {
        let output = program::run(&mut sse_cat(args), b"");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let why = text(&output.stderr);
        assert!(
            why.contains("record and replay must be the first argument"),
            "{why}"
        );
        assert!(!why.contains("subcommand"), "{why}");
    }
}

#[test]
fn wrong_arguments_are_rejected() {
    for args in [
        &["record"][..],
        &["record", "file"],
        &["record", "file", "--for", "1", "file"],
        &["record", "file", "-H", "a: b", "-"],
        &["record", "file", "--last-event-id", "7", "-"],
        &["record", "file", "http://a:b@a.example/"],
        &["replay"],
        &["replay", "file", "--speed", "0"],
        &["replay", "file", "--speed", "fast"],
    ] {
        let output = program::run(&mut sse_cat(args), b"");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert_eq!(text(&output.stdout), "");
    }
    assert!(!Path::new("file").exists());
}
