//! `firmware` is a client for a microcontroller: one loop that never blocks, fixed memory, no
//! allocator.
//!
//! ```text
//! $ cargo run --example firmware
//! ```
//!
//! The code of the device is in [`device`]. This file is its test bench: a modem over a socket that
//! transfers a few bytes at a time, a server that drops the connection, and a check that nothing is
//! allocated.

mod device;

use std::{
    io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use device::{Client, Lost, Modem};
use sse_proto::{Message, ReadyState, Signal};

/// The memory for one event. (On a chip, use a `static_cell::ConstStaticCell`.)
static MEMORY: Mutex<[u8; 512]> = Mutex::new([0; 512]);

fn main() -> io::Result<()> {
    let (url, address) = serve()?;
    let mut memory = MEMORY.lock().unwrap();
    let (mut seen, mut too_large) = ([0; 4], 0);
    println!("connecting to {url}");

    let allocated = allocation_counter::measure(|| {
        let mut client = Client::new(&url, &mut memory[..], Socket::new(address)).unwrap();
        let start = Instant::now();
        let mut received = seen.iter_mut();
        loop {
            let millis = start.elapsed().as_millis() as u32;
            let random = millis.wrapping_mul(0x9E37_79B9); // a chip has a better source
            let signal = client.poll(millis, random, |message: Message<'_>| {
                println!("  {} {}", message.event_type, message.data);
                if let (Some(seen), Ok(value)) = (received.next(), message.data.parse()) {
                    *seen = value;
                }
            });
            match signal {
                None => {}
                Some(Signal::Open) => println!("open"),
                Some(Signal::Error {
                    ready_state,
                    reason,
                }) => {
                    println!("{ready_state:?}: {reason}");
                    if ready_state == ReadyState::Closed {
                        too_large = client.too_large();
                        break;
                    }
                }
            }
            // The rest of the firmware runs here.
            thread::sleep(Duration::from_micros(500));
        }
    });

    assert_eq!(seen, [20, 21, 22, 23]);
    assert_eq!(too_large, 1);
    assert_eq!(allocated.count_total, 0);
    println!("{} allocations", allocated.count_total);
    Ok(())
}

/// A modem that transfers at most seven bytes at a time.
struct Socket {
    address: SocketAddr,
    stream: Option<TcpStream>,
}

impl Socket {
    fn new(address: SocketAddr) -> Self {
        Self {
            address,
            stream: None,
        }
    }
}

impl Modem for Socket {
    fn open(&mut self, _address: &str) -> Result<(), Lost> {
        let stream = TcpStream::connect(self.address).map_err(|_| Lost)?;
        stream.set_nonblocking(true).map_err(|_| Lost)?;
        self.stream = Some(stream);
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<usize, Lost> {
        let mut stream = self.stream.as_ref().ok_or(Lost)?;
        match stream.write(&bytes[..bytes.len().min(7)]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            result => result.map_err(|_| Lost),
        }
    }

    fn receive(&mut self, bytes: &mut [u8]) -> Result<Option<usize>, Lost> {
        let mut stream = self.stream.as_ref().ok_or(Lost)?;
        let len = bytes.len().min(7);
        match stream.read(&mut bytes[..len]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            result => result.map(Some).map_err(|_| Lost),
        }
    }

    fn hang_up(&mut self) {
        self.stream = None;
    }
}

/// A thermometer's server: it drops the connection within an event, and then resumes after the last
/// complete one.
fn serve() -> io::Result<(String, SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || -> io::Result<()> {
        let head = "200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
        let long = "it has been warm, ".repeat(40);
        for (after, response) in [
            (
                "",
                format!(
                    "{head}retry: 100\n: a comment\nid: a\ndata: 20\n\n\
                    id: b\nevent: forecast\ndata: {long}\n\n\
                    id: c\ndata: 21\n\nid: d\ndata: 22"
                ),
            ),
            ("c", format!("{head}id: d\ndata: 22\n\nid: e\ndata: 23\n\n")),
            ("e", "204 No Content\r\n\r\n".to_owned()),
        ] {
            let (mut stream, _) = listener.accept()?;
            let mut last_event_id = String::new();
            for line in BufReader::new(&stream).lines() {
                let line = line?;
                if line.is_empty() {
                    break;
                }
                if let Some(id) = line.strip_prefix("Last-Event-ID: ") {
                    last_event_id = id.to_owned();
                }
            }
            assert_eq!(last_event_id, after);
            write!(stream, "HTTP/1.0 {response}")?;
        }
        Ok(())
    });
    Ok((format!("http://{address}/temperature"), address))
}
