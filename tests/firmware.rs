//! `examples/firmware/device.rs` in virtual time, with a modem that does as it is told.

#[path = "../examples/firmware/device.rs"]
mod device;

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use allocation_counter::{measure, opt_out};
use device::{Client, Lost, Modem};

/// What happens, in order.
type Log = Rc<RefCell<Vec<String>>>;

/// One connection: the request is taken, then these are given, one a call.
type Connection = VecDeque<Give>;

#[derive(Clone, Copy)]
enum Give {
    Bytes(&'static str),
    /// As much as there is room for, but one byte at a time.
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
        opt_out(|| {
            let len = bytes.len().min(5);
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
                self.log.borrow_mut().push(format!("> {}", lines[4..].join("|")));
            }
            Ok(len)
        })
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

/// Polls a client once a second, from just before its clock wraps, until there are no connections
/// left or for so many seconds, and says what happened.
fn run(seconds: u32, connections: &[&[Give]]) -> Vec<String> {
    let log = Log::default();
    let script = Script {
        connections: connections.iter().map(|give| give.iter().copied().collect()).collect(),
        current: None,
        request: String::new(),
        log: log.clone(),
    };
    let mut memory = [0; 160];
    let allocated = measure(|| {
        let mut client = Client::new("http://10.0.0.1:80/a?b", &mut memory, script).unwrap();
        let mut too_large = 0;
        for second in 0..seconds {
            let now = (second * 1000).wrapping_sub(5_000);
            let on_message = |message: sse_proto::Message<'_>| {
                opt_out(|| log.borrow_mut().push(format!("{} {}", message.event_type, message.data)));
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

#[test]
fn bytes_come_as_they_like() {
    let whole = run(300, &[&[Bytes(HEAD), Bytes("id: 1\ndata: a\n\ndata: b\n\n"), End]]);
    let slow = run(
        300,
        &[&[Nothing, Slowly(HEAD), Nothing, Slowly("id: 1\ndata: a\n\ndata: b\n\n"), End]],
    );
    println!("{whole:#?}{slow:#?}");
}
