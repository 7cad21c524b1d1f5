//! The program in a child process, and servers that each test scripts byte by byte.

#[path = "../../../../tests/support/program.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
pub(crate) mod program;

use std::{
    fs,
    io::{self, BufRead, BufReader, ErrorKind, Read, Write},
    iter,
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Output},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use program::PATIENCE;
use serde_json::Value;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_sse-cat");

/// The head of a response whose body ends with the connection.
pub(crate) const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
pub(crate) const NO_CONTENT: &str = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";

/// Runs `sse-cat ARGS -` with this standard input.
pub(crate) fn cat(args: &[&str], input: impl AsRef<[u8]>) -> Output {
    program::run(sse_cat(args).arg("-"), input.as_ref())
}

#[track_caller]
pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

pub(crate) fn objects(lines: &str) -> Vec<Value> {
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Creates a file for one test.
pub(crate) fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// The program, from the perspective of its user.
pub(crate) struct Cat {
    pub(crate) child: Child,
    pub(crate) output: Receiver<String>,
    pub(crate) complaints: Receiver<String>,
}

impl Cat {
    pub(crate) fn new(args: &[&str]) -> Self {
        let mut child = program::spawn(&mut sse_cat(args));
        let output = lines(child.stdout.take().unwrap());
        let complaints = lines(child.stderr.take().unwrap());
        Self {
            child,
            output,
            complaints,
        }
    }

    /// Writes this to standard input and closes it.
    pub(crate) fn gets_input(&mut self, text: &str) {
        let mut stdin = self.child.stdin.take().unwrap();
        stdin.write_all(text.as_bytes()).unwrap();
    }

    /// Asserts the next lines on standard output.
    #[track_caller]
    pub(crate) fn prints(&mut self, expected: &str) {
        let lines = expected
            .lines()
            .map(|_| self.output.recv_timeout(PATIENCE).unwrap());
        assert_eq!(lines.collect::<Vec<_>>().join("\n"), expected);
    }

    /// Returns the next line on standard output.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        self.output.recv_timeout(PATIENCE).unwrap()
    }

    /// Returns the next line on standard error.
    #[track_caller]
    pub(crate) fn error_line(&mut self) -> String {
        let line = self.complaints.recv_timeout(PATIENCE).unwrap();
        line.strip_prefix("sse-cat: ").unwrap().to_owned()
    }

    #[track_caller]
    pub(crate) fn reports(&mut self, expected: &str) {
        assert_eq!(self.error_line(), expected);
    }

    /// Asserts the next line on standard error, which is not a message of the program, but a text.
    #[track_caller]
    pub(crate) fn shows(&mut self, expected: &str) {
        assert_eq!(self.complaints.recv_timeout(PATIENCE).unwrap(), expected);
    }

    /// Asserts that it reports a wait of this time plus jitter.
    #[track_caller]
    pub(crate) fn waits(&mut self, millis: u32, after: &str) {
        let line = self.error_line();
        let time = line.strip_prefix("next request in ").unwrap();
        let time = time.strip_suffix(after).unwrap();
        let wait = match (time.strip_suffix("ms"), time.strip_suffix("s")) {
            (Some(millis), _) => millis.parse::<f64>().unwrap(),
            (None, seconds) => seconds.unwrap().parse::<f64>().unwrap() * 1000.0,
        };
        let least = f64::from(millis);
        assert!((least..=least * 1.21).contains(&wait), "{line}");
    }

    /// Asserts that it ends with this exit code, and without further output.
    #[track_caller]
    pub(crate) fn ends(&mut self, code: i32) {
        let rest: Vec<_> = self.output.iter().chain(self.complaints.iter()).collect();
        assert_eq!(rest, [""; 0]);
        assert_eq!(self.child.wait().unwrap().code(), Some(code));
    }

    #[cfg(unix)]
    pub(crate) fn interrupt(&self) {
        interrupt(&self.child);
    }
}

impl Drop for Cat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn sse_cat(args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(args);
    for name in ["ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command
}

#[cfg(unix)]
pub(crate) fn interrupt(child: &Child) {
    let mut kill = Command::new("kill");
    kill.args(["-INT", &child.id().to_string()]);
    assert!(kill.status().unwrap().success());
}

pub(crate) fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            let _ = sender.send(line.unwrap());
        }
    });
    receiver
}

/// A server that the test scripts.
pub(crate) struct Server {
    pub(crate) listener: TcpListener,
}

impl Server {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { listener }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.listener.local_addr().unwrap())
    }

    /// Accepts a connection and reads its request.
    #[track_caller]
    pub(crate) fn accept(&self) -> Peer {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.try_accept() {
                Ok(stream) => return Peer::new(stream).unwrap(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    assert!(Instant::now() < deadline, "a request");
                    thread::sleep(Duration::from_millis(1));
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Asserts that there is no further connection.
    #[track_caller]
    pub(crate) fn has_no_more_requests(&self) {
        let error = self.try_accept().expect_err("no other request");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }

    pub(crate) fn try_accept(&self) -> io::Result<TcpStream> {
        self.listener.set_nonblocking(true)?;
        let stream = self.listener.accept();
        self.listener.set_nonblocking(false)?;
        let (stream, _) = stream?;
        stream.set_nonblocking(false)?;
        Ok(stream)
    }
}

/// A connection and its request.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Peer {
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(&stream);
        let mut head = iter::from_fn(|| {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            Some(line.trim_end().to_owned()).filter(|line| !line.is_empty())
        });
        let line = head.next().unwrap_or_default();
        let headers: Vec<(String, String)> = head
            .map(|line| {
                let (name, value) = line.split_once(": ").unwrap();
                (name.to_owned(), value.to_owned())
            })
            .collect();
        let mut peer = Self {
            line,
            headers,
            body: String::new(),
            stream: stream.try_clone()?,
        };
        if let [len] = peer.header("Content-Length")[..] {
            let mut body = vec![0; len.parse().unwrap()];
            reader.read_exact(&mut body)?;
            peer.body = String::from_utf8(body).unwrap();
        }
        Ok(peer)
    }

    /// Returns the values of all headers with this name.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        let named = |header: &&(String, String)| header.0.eq_ignore_ascii_case(name);
        let values = self.headers.iter().filter(named);
        values.map(|(_, value)| &**value).collect()
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        // The client may have disconnected.
        let _ = self.stream.write_all(bytes.as_ref());
        self
    }

    pub(crate) fn close(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}
