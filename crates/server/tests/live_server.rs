//! Tests of the examples: `live-server` with many concurrent clients, killed and shut down, and
//! `hyper-server` with half-closed connections.

#[path = "../../../tests/support/program.rs"]
#[expect(dead_code, reason = "also used by the tests of other programs")]
mod program;

use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    path::Path,
    process::Command,
    sync::{Barrier, mpsc},
    thread,
    time::{Duration, Instant},
};

use program::{Interactive, PATIENCE};
use serde_json::{Value, json};
use sse_proto::{Decoder, Item};
use sse_proto_server::EventId;

const CLIENTS: usize = 200;
const EVENTS: usize = 60;

#[test]
fn each_of_many_clients_sees_every_event_once_even_if_streams_are_dropped() {
    let (_server, address) = start(&["--keep-alive", "0.01"]);
    let listening = Barrier::new(CLIENTS + 1);
    let (done, results) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            let (listening, done) = (&listening, done.clone());
            scope.spawn(move || {
                // A failure must not block the other clients.
                let stream = open(address, "");
                listening.wait();
                let _ = done.send(stream.and_then(|stream| watch(address, stream)));
            });
        }
        listening.wait();
        for number in 0..EVENTS {
            publish(address, &format!("{number}\r\n"));
            if number % 20 == 10 {
                let answer = post(address, "/streams", r#""drop""#).unwrap();
                assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
            }
        }
        let expected: Vec<_> = (0..EVENTS).map(|number| format!("{number}\n")).collect();
        for _ in 0..CLIENTS {
            let (seen, connections) = results.recv_timeout(PATIENCE).unwrap().unwrap();
            assert_eq!(seen, expected);
            assert!(connections > 1);
        }
    });
}

#[test]
fn a_killed_server_continues_with_its_stored_events() {
    let store = Path::new(env!("CARGO_TARGET_TMPDIR")).join("live-server-directory");
    let _ = fs::remove_dir_all(&store);
    let stored = ["--store", store.to_str().unwrap()];

    let (server, address) = start(&stored);
    let first = publish(address, "one\n\n1");
    let second = publish(address, "two");
    drop(server); // kills it

    // As if the server was killed during a write.
    let mut file = OpenOptions::new()
        .append(true)
        .open(store.join("live.sse"))
        .unwrap();
    file.write_all(b"event: note\nid: 7-7\ndata: half an event\n")
        .unwrap();

    let (_server, address) = start(&stored);
    let third = publish(address, "three");
    // The restarted server begins a new epoch, which continues the first one.
    let ids = [&first, &second, &third].map(|id| id.parse::<EventId>().unwrap());
    assert_eq!(ids.map(|id| id.number), [1, 2, 1]);
    assert_eq!(ids[0].epoch, ids[1].epoch);
    assert!(ids[1].epoch < ids[2].epoch);

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
    // There is no gap.
    assert_eq!(seen(&first.0, 2), [second.clone(), third.clone()]);
    assert_eq!(seen(&second.0, 1), std::slice::from_ref(&third));
    assert_eq!(seen("", 3), [first, second, third]);
}

#[cfg(unix)]
#[test]
fn a_shutdown_ends_all_streams_immediately_and_spreads_reconnects() {
    let (server, address) = start(&["--retry", "0.1", "--spread", "10"]);
    let mut streams: Vec<_> = (0..CLIENTS).map(|_| open(address, "").unwrap()).collect();
    let id = publish(address, "last");
    // Otherwise a stream may end without the event, which its client would get after reconnecting.
    wait_for_stats(address, &[("events_delivered", CLIENTS)]);

    let stop = Instant::now();
    server.signal("TERM");
    let mut retries = Vec::new();
    for stream in &mut streams {
        let mut body = Vec::new();
        stream.read_to_end(&mut body).unwrap();
        let mut decoder = Decoder::new();
        let mut items = decoder.feed(&body);
        let (mut seen, mut retry) = (Vec::new(), Duration::ZERO);
        while let Some(item) = items.next_item().unwrap() {
            match item {
                Item::Event(event) => seen.push(event.last_event_id.to_owned()),
                Item::Retry(time) => retry = time,
                _ => {}
            }
        }
        assert_eq!(seen, [id.as_str()]);
        assert_eq!(decoder.unfinished(), None);
        retries.push(retry.as_millis());
    }
    // Much less than the time limit for clients that do not read.
    assert!(stop.elapsed() < Duration::from_secs(4));
    assert_eq!(server.end(), [""; 0]);

    retries.sort_unstable();
    assert!((100..250).contains(&retries[0]), "{retries:?}");
    assert!(
        (9_950..=10_100).contains(&retries[CLIENTS - 1]),
        "{retries:?}"
    );
    let widest = retries.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(widest < Some(150), "{retries:?}");
}

#[cfg(unix)]
#[test]
fn a_client_that_reads_nothing_delays_a_shutdown_only_for_some_seconds() {
    let (server, address) = start(&[]);
    let _idle = open(address, "").unwrap();
    // More than the system buffers. The rest stays in the log.
    for _ in 0..100 {
        publish(address, &"x".repeat(16 << 10));
    }
    assert!(stats(address)["max_lag"].as_u64() > Some(50));
    let stop = Instant::now();
    server.signal("TERM");
    assert_eq!(server.end(), [""; 0]);
    let seconds = stop.elapsed().as_secs();
    assert!((5..10).contains(&seconds), "{seconds}");
}

#[test]
fn invalid_events_are_refused_and_stats_are_reported() {
    let (_server, address) = start(&[]);
    let _stream = open(address, "").unwrap();
    for _ in 0..3 {
        publish(address, "x");
    }
    let refused = post(address, "/messages", r#"{"event":"a\rb","data":""}"#).unwrap();
    assert!(refused.starts_with("HTTP/1.0 400 "), "{refused}");
    assert!(refused.ends_with("\r\nevent: CR at byte 1"), "{refused}");
    let long = json!({ "data": "x".repeat(1 << 20) }).to_string();
    let refused = post(address, "/messages", &long).unwrap();
    assert!(refused.starts_with("HTTP/1.0 413 "), "{refused}");

    let expected = [
        ("clients", 1),
        ("clients_admitted", 1),
        ("events_published", 3),
        ("events_delivered", 3),
        ("gaps", 0),
        ("max_lag", 0),
    ];
    wait_for_stats(address, &expected);
}

#[test]
fn on_hyper_a_client_that_closes_its_half_of_the_connection_gets_its_stream() {
    let mut server = Command::new(program::build("hyper-server"));
    let mut server = Interactive::start(server.arg("127.0.0.1:0"));
    let address = server.read_line();
    let address = address.strip_prefix("http://").unwrap().parse().unwrap();
    let publish = |price: &str| {
        let answer = post(address, "/prices", price).unwrap();
        assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    };

    publish("17.20");
    // A content type that other sites may send is not accepted.
    let head = "POST /prices HTTP/1.0\r\nContent-Type:";
    let answer = request(
        address,
        &format!("{head} text/plain\r\nContent-Length: 1\r\n\r\n7"),
    );
    assert!(answer.unwrap().starts_with("HTTP/1.0 415"));

    let mut stream = open_at(address, "/prices", "").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    thread::sleep(Duration::from_millis(100));
    publish("17.25");
    let mut text = String::new();
    let mut buffer = [0; 1024];
    while !text.ends_with("\ndata: 17.25\n\n") {
        let len = stream.read(&mut buffer).unwrap();
        assert!(len > 0, "the stream ended: {text}");
        text += str::from_utf8(&buffer[..len]).unwrap();
    }
    // It starts at `Newest`, so earlier events are not sent.
    assert!(!text.contains("17.20"));

    // Ctrl-C shuts the server down gracefully.
    #[cfg(unix)]
    {
        server.signal("INT");
        text.clear();
        stream.read_to_string(&mut text).unwrap();
        assert!(
            text.starts_with("retry: ") && text.ends_with("\n\n"),
            "{text}"
        );
        assert_eq!(server.end(), [""; 0]);
    }
}

/// Starts live-server with these arguments.
fn start(args: &[&str]) -> (Interactive, SocketAddr) {
    let mut server = Command::new(program::build("live-server"));
    server.args(["--listen", "127.0.0.1:0", "--demo", "0"]);
    let mut server = Interactive::start(server.args(args));
    let address = server.read_line();
    let address = address.strip_prefix("http://").unwrap().parse().unwrap();
    (server, address)
}

/// Reads all events. Returns their data in order of arrival, and the number of connections.
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
    unreachable!()
}

/// Publishes an event of the type `note` and returns its id.
fn publish(address: SocketAddr, data: &str) -> String {
    let event = json!({ "event": "note", "data": data }).to_string();
    let answer = post(address, "/messages", &event).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    answer.rsplit("\r\n").next().unwrap().to_owned()
}

/// Waits until the server reports these statistics.
fn wait_for_stats(address: SocketAddr, expected: &[(&str, usize)]) {
    let begin = Instant::now();
    loop {
        let stats = stats(address);
        if expected.iter().all(|(name, value)| stats[name] == *value) {
            break;
        }
        assert!(begin.elapsed() < PATIENCE, "{stats}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn stats(address: SocketAddr) -> Value {
    let answer = request(address, "GET /stats HTTP/1.0\r\n\r\n").unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap()
}

fn open(address: SocketAddr, last_event_id: &str) -> io::Result<TcpStream> {
    open_at(address, "/events", last_event_id)
}

/// Opens a stream and reads up to the start of its body.
fn open_at(address: SocketAddr, path: &str, last_event_id: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // A response to HTTP/1.0 is not chunked: it ends with the connection.
    write!(
        stream,
        "GET {path} HTTP/1.0\r\nLast-Event-ID: {last_event_id}\r\n\r\n"
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
    let head = "Content-Type: application/json\r\nContent-Length:";
    let len = json.len();
    request(
        address,
        &format!("POST {path} HTTP/1.0\r\n{head} {len}\r\n\r\n{json}"),
    )
}

fn request(address: SocketAddr, request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
