//! A server that is measured: its address and its use of resources.

use std::{fs, io, path::PathBuf, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) name: String,
    address: String,
    /// The processes whose time is counted.
    processes: Vec<u32>,
}

impl Candidate {
    /// Parses `NAME,ADDRESS,PROCESS[,PROCESS...]`; a semicolon in the name becomes a comma.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',');
        let (Some(name), Some(address)) = (parts.next(), parts.next()) else {
            return Err("expected NAME,ADDRESS,PROCESS".to_owned());
        };
        let processes = parts.map(|part| {
            part.parse()
                .map_err(|_| format!("{part} is not a process id"))
        });
        Ok(Self {
            name: name.replace(';', ","),
            address: address.to_owned(),
            processes: processes.collect::<Result<_, _>>()?,
        })
    }

    /// Nchan publishes one event per request, and `/oldest` starts at the oldest event without an id.
    pub(crate) fn is_nchan(&self) -> bool {
        self.name == "nchan"
    }

    async fn connect(&self) -> Result<http1::SendRequest<Full<Bytes>>, Failure> {
        let socket = TcpStream::connect(&self.address).await?;
        socket.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }

    /// Opens a stream on its own connection.
    pub(crate) async fn events(&self, last_event_id: &str) -> Result<Response<Incoming>, Failure> {
        let mut request = Request::get(if self.is_nchan() && !last_event_id.is_empty() {
            "/oldest"
        } else {
            "/events"
        })
        .header("host", "localhost")
        .header("accept", "text/event-stream");
        if !last_event_id.is_empty() && !self.is_nchan() {
            request = request.header("last-event-id", last_event_id);
        }
        let mut sender = self.connect().await?;
        let response = sender.send_request(request.body(Full::default())?).await?;
        if response.status() != 200 {
            return Err(format!("{}: {}", self.name, response.status()).into());
        }
        Ok(response)
    }

    /// Connects a publisher, which uses one connection.
    pub(crate) async fn publisher(&self) -> Result<Publisher, Failure> {
        Ok(Publisher {
            is_nchan: self.is_nchan(),
            sender: self.connect().await?,
            next: 0,
        })
    }

    /// Processor time so far.
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        let mut nanoseconds = 0;
        for process in &self.processes {
            for task in fs::read_dir(format!("/proc/{process}/task"))? {
                let stat = fs::read_to_string(task?.path().join("schedstat"))?;
                let time = stat
                    .split(' ')
                    .next()
                    .and_then(|time| time.parse::<u64>().ok());
                nanoseconds += time.ok_or(io::ErrorKind::InvalidData)?;
            }
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Current anonymous memory, in bytes.
    pub(crate) fn memory(&self) -> io::Result<u64> {
        let mut bytes = 0;
        for process in &self.processes {
            let status = fs::read_to_string(PathBuf::from(format!("/proc/{process}/status")))?;
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("RssAnon:"));
            let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
            bytes += kib.ok_or(io::ErrorKind::InvalidData)? << 10;
        }
        Ok(bytes)
    }
}

pub(crate) struct Publisher {
    is_nchan: bool,
    sender: http1::SendRequest<Full<Bytes>>,
    next: u64,
}

impl Publisher {
    /// Publishes `count` events and returns the id before the first of them.
    pub(crate) async fn publish(&mut self, count: u64) -> Result<String, Failure> {
        if !self.is_nchan {
            return self.send(&format!("/publish?{count}"), Bytes::new()).await;
        }
        let mut text = String::new();
        for _ in 0..count {
            crate::serve::write_data(self.next, &mut text);
            self.next += 1;
            self.send("/publish", text.clone().into()).await?;
        }
        Ok("oldest".to_owned())
    }

    async fn send(&mut self, path: &str, body: Bytes) -> Result<String, Failure> {
        self.sender.ready().await?;
        let request = Request::post(path)
            .header("host", "localhost")
            .body(Full::new(body))?;
        let response = self.sender.send_request(request).await?;
        if !response.status().is_success() {
            return Err(response.status().to_string().into());
        }
        let body = response.into_body().collect().await?.to_bytes();
        Ok(String::from_utf8(body.into())?)
    }
}
