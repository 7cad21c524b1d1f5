//! Runs `examples/firmware/device.rs` in virtual time, with a scripted modem.

#[path = "../examples/firmware/device.rs"]
mod device;

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use allocation_counter::{measure, opt_out};
use device::{Client, Lost, Modem};

/// The log of what happened, in order.
type Log = Rc<RefCell<Vec<String>>>;

/// One connection: after the request, each call of `receive` returns the next of these.
type Connection = VecDeque<Give>;

#[derive(Clone, Copy)]
enum Give {
    Bytes(&'static str),
    /// Bytes, returned one per call.
    Slowly(&'static str),
    Nothing,
    End,
    Loss,
}
use Give::{Bytes, End, Loss, Nothing, Slowly};

struct Script {
    connections: VecDeque<Connection>,
    current: Option<Connection>,
    request: String,
    log: Log,
}

impl Modem for Script {
    fn open(&mut self, address: &str) -> Result<(), Lost> {
        assert_eq!(address, "10.0.0.1:80");
        assert!(self.current.is_none(), "one at a time");
        self.current = self.connections.pop_front();
        self.request.clear();
        self.current.is_some().then_some(()).ok_or(Lost)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<usize, Lost> {
        let len = bytes.len().min(5);
        opt_out(|| {
            self.request += std::str::from_utf8(&bytes[..len]).unwrap();
            if let Some(head) = self.request.strip_suffix("\r\n\r\n") {
                let lines: Vec<_> = head.split("\r\n").collect();
                assert_eq!(
                    lines[..4],
                    [
                        "GET /a?b HTTP/1.0",
                        "Host: 10.0.0.1:80",
                        "Accept: text/event-stream",
                        "Cache-Control: no-cache",
                    ]
                );
                self.log
                    .borrow_mut()
                    .push(format!("> {}", lines[4..].join("|")));
            }
        });
        Ok(len)
    }

    fn receive(&mut self, bytes: &mut [u8]) -> Result<Option<usize>, Lost> {
        let connection = self.current.as_mut().ok_or(Lost)?;
        let (text, most) = match connection.front_mut() {
            None | Some(Nothing) => {
                connection.pop_front();
                return Ok(None);
            }
            Some(End) => return Ok(Some(0)),
            Some(Loss) => return Err(Lost),
            Some(Bytes(text)) => (text, bytes.len()),
            Some(Slowly(text)) => (text, 1),
        };
        let len = text.len().min(most);
        bytes[..len].copy_from_slice(&text.as_bytes()[..len]);
        *text = &text[len..];
        if text.is_empty() {
            connection.pop_front();
        }
        Ok(Some(len))
    }

    fn hang_up(&mut self) {
        self.current = None;
    }
}

/// Polls a client once a second, with a clock that wraps after 40 seconds, until all connections
/// are used up or `seconds` have passed. Returns the log.
fn run(seconds: u32, connections: &[&[Give]]) -> Vec<String> {
    let log = Log::default();
    let script = Script {
        connections: connections
            .iter()
            .map(|give| give.iter().copied().collect())
            .collect(),
        current: None,
        request: String::new(),
        log: log.clone(),
    };
    let mut memory = [0; 160];
    let allocated = measure(|| {
        let mut client = Client::new("http://10.0.0.1:80/a?b", &mut memory, script).unwrap();
        let mut too_large = 0;
        for second in 0..seconds {
            let now = (second * 1000).wrapping_sub(40_000);
            let on_message = |message: sse_proto::Message<'_>| {
                opt_out(|| {
                    log.borrow_mut()
                        .push(format!("{} {}", message.event_type, message.data))
                });
            };
            let signal = client.poll(now, 0, on_message);
            opt_out(|| {
                if let Some(signal) = signal {
                    log.borrow_mut().push(format!("{second} s: {signal:?}"));
                }
                if client.too_large() != too_large {
                    too_large = client.too_large();
                    log.borrow_mut().push(format!("{too_large} too large"));
                }
            });
        }
    });
    assert_eq!(allocated.count_total, 0);
    log.take()
}

const HEAD: &str = "HTTP/1.1 200 OK\r\nServer: x\r\ncontent-type:text/event-stream\r\n\r\n";

const OPEN: &str = "s: Open";
const LOST: &str = "s: Error { ready_state: Connecting, reason: ";
const FAILED: &str = "s: Error { ready_state: Closed, reason: ";

/// The log without the times.
#[track_caller]
fn assert_log(log: &[String], expected: &[&str]) {
    let log: Vec<_> = log
        .iter()
        .map(|line| line.trim_start_matches(|char: char| char.is_ascii_digit() || char == ' '))
        .collect();
    assert_eq!(log, expected);
}

#[test]
fn bytes_arrive_in_any_pieces() {
    const BODY: &str = "id: 1\r\ndata: a\r\n\r\nretry: 1000\r\ndata: b\r\n\r\ndata: cut off\r\n";
    let expected = [
        "> ",
        OPEN,
        "message a",
        "message b",
        &format!("{LOST}Truncated(Event) }}"),
        "> Last-Event-ID: 1",
        &format!("{FAILED}Status(204) }}"),
    ];
    let last = &[Bytes("HTTP/1.0 204\r\n\r\n")][..];
    assert_log(
        &run(300, &[&[Bytes(HEAD), Bytes(BODY), End], last]),
        &expected,
    );
    let slowly = &[Nothing, Slowly(HEAD), Nothing, Slowly(BODY), Nothing, End];
    assert_log(&run(300, &[slowly, last]), &expected);
    let at_once = format!("{HEAD}{BODY}").leak();
    assert_log(&run(300, &[&[Bytes(at_once), End], last]), &expected);
}

#[test]
fn a_silent_or_broken_connection_is_dropped_and_the_delay_grows() {
    let log = run(
        300,
        &[
            &[Bytes(HEAD), Bytes("id: 1\ndata: a\n\nretry: 5000\n")], // then silence
            &[Loss],
            &[End],
            &[Bytes("HTTP/1.1 200"), End],
            &[Bytes("HTTP/1.1 403 No\r\n\r\n")],
        ],
    );
    assert_log(
        &log,
        &[
            "> ",
            OPEN,
            "message a",
            &format!("{LOST}Timeout }}"),
            "> Last-Event-ID: 1",
            &format!("{LOST}Network }}"),
            "> Last-Event-ID: 1",
            &format!("{LOST}Network }}"),
            "> Last-Event-ID: 1",
            &format!("{LOST}Network }}"),
            "> Last-Event-ID: 1",
            &format!("{FAILED}Status(403) }}"),
        ],
    );
    let seconds: Vec<u32> = log
        .iter()
        .filter_map(|line| line.split_once(" s: Error")?.0.parse().ok())
        .collect();
    let waits: Vec<u32> = seconds.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // Sending takes less than a minute each, at five bytes a second.
    let sending = waits[0] - 5;
    assert_eq!(waits, [5, 10, 20, 40].map(|wait| wait + sending));
}

#[test]
fn a_response_head_may_be_long_but_must_be_valid() {
    let long = format!(
        "HTTP/1.1 200 OK\r\nX-Long: {0}\r\nContent-Type: text/event-stream\r\nX: {0}\r\n\r\n",
        "x".repeat(1000)
    )
    .leak();
    assert_log(&run(150, &[&[Bytes(long)]])[..2], &["> ", OPEN]);
    for (head, reason) in [
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "Permanent",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n",
            "Permanent",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n",
            "ContentType",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Type: Text/Event-Stream\r\n\r\n",
            "open",
        ),
        (long.replace("X-Long", "Content-Type").leak(), "Permanent"),
    ] {
        let log = run(150, &[&[Bytes(head)]]);
        match reason {
            "open" => assert_log(&log[..2], &["> ", OPEN]),
            reason => assert_log(&log, &["> ", &format!("{FAILED}{reason} }}")]),
        }
    }
}

#[test]
fn an_event_that_is_too_large_is_counted_and_the_next_one_is_read() {
    let body = format!("data: {}\n\ndata: a\n\n", "x".repeat(200)).leak();
    assert_log(
        &run(60, &[&[Bytes(HEAD), Bytes(body)]])[..4],
        &["> ", OPEN, "too large", "message a"],
    );
}
