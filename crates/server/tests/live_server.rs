//! `examples/live-server.rs` with many clients at once, each with a decoder of its own, and killed.

#[path = "../../../tests/support/program.rs"]
#[expect(dead_code, reason = "it serves the tests of other programs, too")]
mod program;

use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Command,
    sync::{Barrier, mpsc},
    thread,
};

use program::{PATIENCE, Talk};
use serde_json::json;
use sse_proto::Decoder;

const CLIENTS: usize = 200;
const EVENTS: usize = 60;

#[test]
fn each_of_many_clients_sees_every_event_once_whatever_is_dropped() {
    let mut server = Command::new(program::build("live-server"));
    server.args([
        "--listen",
        "127.0.0.1:0",
        "--demo",
        "0",
        "--heartbeat",
        "0.01",
    ]);
    let mut server = Talk::with(&mut server);
    let address = server.hear();
    let address: SocketAddr = address.strip_prefix("http://").unwrap().parse().unwrap();

    let listening = Barrier::new(CLIENTS + 1);
    let (done, results) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            let (listening, done) = (&listening, done.clone());
            scope.spawn(move || {
                // A failure must not keep the others waiting.
                let stream = open(address, "");
                listening.wait();
                let _ = done.send(stream.and_then(|stream| watch(address, stream)));
            });
        }
        listening.wait();
        for number in 0..EVENTS {
            let event = format!(r#"{{"event":"note","data":"{number}\r\n"}}"#);
            assert!(
                post(address, "/messages", &event)
                    .unwrap()
                    .starts_with("HTTP/1.0 200")
            );
            if number % 20 == 10 {
                assert!(
                    post(address, "/streams", r#""drop""#)
                        .unwrap()
                        .starts_with("HTTP/1.0 200")
                );
            }
        }
        let due: Vec<_> = (0..EVENTS).map(|number| format!("{number}\n")).collect();
        for _ in 0..CLIENTS {
            let (seen, connections) = results.recv_timeout(PATIENCE).unwrap().unwrap();
            assert_eq!(seen, due);
            assert!(connections > 1);
        }
    });
}

#[test]
fn a_killed_server_goes_on_with_what_it_stored() {
    let store = Path::new(env!("CARGO_TARGET_TMPDIR")).join("live-server-store");
    let _ = fs::remove_file(&store);
    let start = || {
        let mut server = Command::new(program::build("live-server"));
        server.args(["--listen", "127.0.0.1:0", "--demo", "0", "--store"]);
        let mut server = Talk::with(server.arg(&store));
        let address = server.hear();
        let address = address.strip_prefix("http://").unwrap().parse().unwrap();
        (server, address)
    };
    let publish = |address, data: &str| {
        let event = json!({ "event": "note", "data": data }).to_string();
        let answer = post(address, "/messages", &event).unwrap();
        answer.rsplit("\r\n").next().unwrap().to_owned()
    };

    let (server, address) = start();
    let first = publish(address, "one\n\n1");
    let second = publish(address, "two");
    drop(server); // this kills it

    // As it may be if that happens within a write.
    let mut file = OpenOptions::new().append(true).open(&store).unwrap();
    file.write_all(b"event: note\nid: 7-7\ndata: half an event\n")
        .unwrap();

    let (_server, address) = start();
    let third = publish(address, "three");
    let run = first.strip_suffix("-1").unwrap();
    assert_eq!(second, format!("{run}-2"));
    assert_eq!(third, format!("{run}-3"));

    let seen = |last_event_id, len| {
        let mut stream = open(address, last_event_id).unwrap();
        let mut decoder = Decoder::new();
        let (mut seen, mut buffer) = (Vec::new(), [0; 1024]);
        while seen.len() < len {
            let read = stream.read(&mut buffer).unwrap();
            let mut events = decoder.feed(&buffer[..read]);
            while let Some(event) = events.next_event().unwrap() {
                seen.push((event.last_event_id.to_owned(), event.data.to_owned()));
            }
        }
        seen
    };
    let [first, second, third] = [(first, "one\n\n1"), (second, "two"), (third, "three")]
        .map(|(id, data)| (id, data.to_owned()));
    let after_first = [second.clone(), third.clone()];
    assert_eq!(seen(&first.0, 2), after_first);
    assert_eq!(seen("", 3), [first, second, third]);
}

/// The data of all events, in the order of their arrival, and how many connections that took.
fn watch(address: SocketAddr, mut stream: TcpStream) -> io::Result<(Vec<String>, usize)> {
    let mut decoder = Decoder::new();
    let mut seen = Vec::new();
    let mut buffer = [0; 1024];
    for connections in 1.. {
        loop {
            let len = stream.read(&mut buffer)?;
            let mut events = decoder.feed(&buffer[..len]);
            while let Some(event) = events.next_event().map_err(io::Error::other)? {
                assert_eq!(event.event_type, "note");
                seen.push(event.data.to_owned());
            }
            if seen.len() >= EVENTS {
                return Ok((seen, connections));
            }
            if len == 0 {
                break;
            }
        }
        decoder.reset();
        stream = open(address, decoder.last_event_id())?;
    }
    unreachable!("endless")
}

/// Opens a stream, and reads up to where its body begins.
fn open(address: SocketAddr, last_event_id: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // An answer to HTTP/1.0 is not chunked: it ends with the connection.
    write!(
        stream,
        "GET /events HTTP/1.0\r\nLast-Event-ID: {last_event_id}\r\n\r\n"
    )?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    if !head.starts_with(b"HTTP/1.0 200") {
        return Err(io::Error::other(String::from_utf8_lossy(&head)));
    }
    Ok(stream)
}

fn post(address: SocketAddr, path: &str, json: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "POST {path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{json}",
        json.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
