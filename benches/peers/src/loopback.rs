//! A loopback server with prepared responses, for the clients in docs/migrating.md.

use std::{
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

const EVENT_STREAM: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
const NO_CONTENT: &str = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";

/// Answers one connection after another with the next body, as an event stream that ends after it. After the last body,
/// connections get status 204.
pub struct Server {
    /// The URL that it listens on.
    pub url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts a thread that lives as long as the process.
    pub fn new(bodies: &'static [&'static str]) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}/", listener.local_addr()?);
        let requests = Arc::new(Mutex::new(vec![]));
        let log = Arc::clone(&requests);
        thread::spawn(move || {
            let mut bodies = bodies.iter();
            for connection in listener.incoming() {
                let answer = bodies
                    .next()
                    .map_or(NO_CONTENT.to_owned(), |body| EVENT_STREAM.to_owned() + body);
                // A client that is gone gets no answer.
                let _ = connection.and_then(|connection| answer_with(connection, &answer, &log));
            }
        });
        Ok(Self { url, requests })
    }

    /// Returns the requests so far: head in lower case, and body.
    pub fn requests(&self) -> Vec<String> {
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn answer_with(
    mut connection: TcpStream,
    answer: &str,
    log: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let mut received = vec![];
    let mut chunk = [0; 4096];
    let request = loop {
        let read = connection.read(&mut chunk)?;
        received.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&received);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let body_len = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0);
            if body.len() >= body_len {
                break format!("{head}\n\n{body}");
            }
        }
        if read == 0 {
            return Ok(());
        }
    };
    log.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(request);
    connection.write_all(answer.as_bytes())
}
