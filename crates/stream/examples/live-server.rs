//! `live-server` streams events to any number of clients, with axum.
//!
//! ```text
//! $ cargo run --example live-server          # and open http://127.0.0.1:3000 in a browser or two
//! $ curl -N http://127.0.0.1:3000/events
//! $ curl --json '{"data":"hello"}' http://127.0.0.1:3000/messages
//! $ curl --json '{"event":"note","data":"two\nlines"}' http://127.0.0.1:3000/messages
//! $ curl -H 'Content-Type: image/png' --data-binary @cat.png http://127.0.0.1:3000/pictures
//! $ curl --json '"drop"' http://127.0.0.1:3000/streams   # ends all streams; the clients come back
//! $ curl --json '"stop"' http://127.0.0.1:3000/streams   # and now they stay away
//! ```
//!
//! All that is sent stands in one [`Log`], each event encoded once, and a client is no more than a
//! position in it: how a client starts, goes on after a lost connection and falls behind is one
//! thing, and a slow one costs no memory. With `--store FILE` the log outlives the server, and so
//! does the position of each client. Begin reading at [`events`] and [`Client::next`].

use std::{
    collections::VecDeque,
    convert::Infallible,
    fs::{self, File},
    io::{self, ErrorKind, Seek as _, SeekFrom, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    str,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
    serve::ListenerExt as _,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use clap::Parser;
use futures_util::stream;
use serde::Deserialize;
use sse_proto::{Frame, decode_all};
use sse_proto_stream::{EncodedFrame, SseBody};
use tokio::{net::TcpListener, sync::watch, time};

/// Streams events to any number of clients.
///
/// Prints its address once it can be reached. It has no access control: whoever reaches that
/// address reads along and publishes.
#[derive(Parser)]
#[command(name = "live-server", version)]
struct Args {
    /// Where to listen; with port 0 the system chooses one
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,

    /// After how much silence a stream gets a heartbeat
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = seconds)]
    heartbeat: Duration,

    /// How long clients are told to wait before they connect again
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    retry: Duration,

    /// How much is kept for those who come late or come back
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 20)]
    history: usize,

    /// Keep it in this file, too, and when started again go on where it ends
    #[arg(long, value_name = "FILE", conflicts_with = "run")]
    store: Option<PathBuf>,

    /// How often the server has something to say of itself; 0 for never
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    demo: Duration,

    /// What the ids begin with: must differ each time the server starts [default: the time]
    #[arg(long)]
    run: Option<String>,

    /// A page to serve in place of the one that is built in
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map_err(|_| "not a number of seconds")?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[tokio::main]
async fn main() -> ExitCode {
    match serve(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "live-server: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(args: Args) -> io::Result<()> {
    let page = match &args.page {
        Some(path) => std::fs::read_to_string(path)?,
        None => include_str!("data/live.html").to_owned(),
    };
    let run = args.run.unwrap_or_else(|| {
        let time = SystemTime::now().duration_since(UNIX_EPOCH);
        format!("{:x}", time.unwrap_or_default().as_millis())
    });
    // An id travels back in a header: one that no header can carry would lock its client out.
    if HeaderValue::from_str(&run).is_err() || run.starts_with([' ', '\t']) {
        return Err(io::Error::other("no header can carry that --run"));
    }
    let mut log = Log::new(run, args.history);
    if let Some(path) = &args.store {
        log.restore(path)?;
    }
    let server = Arc::new(Server {
        log: watch::Sender::new(log),
        heartbeat: args.heartbeat,
        retry: args.retry,
    });
    if !args.demo.is_zero() {
        tokio::spawn(demo(server.clone(), args.demo));
    }

    let app = Router::new()
        .route("/", get(async || Html(page)))
        .route("/events", get(events))
        .route("/messages", post(message))
        .route("/pictures", post(picture))
        .route("/streams", post(streams))
        .with_state(server);
    let listener = TcpListener::bind(args.listen).await?;
    writeln!(io::stdout(), "http://{}", listener.local_addr()?)?;
    // Events are small. They must not wait until the client has acknowledged the one before.
    let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
    axum::serve(listener, app).await
}

/// What all handlers share.
struct Server {
    /// Lock and bell in one: whoever changes the log wakes every client.
    log: watch::Sender<Log>,
    heartbeat: Duration,
    retry: Duration,
}

impl Server {
    /// Sends an event to all clients and returns its id.
    fn publish(&self, event: &str, data: &str) -> io::Result<String> {
        let mut result = Ok(String::new());
        self.log.send_modify(|log| result = log.push(event, data));
        result
    }
}

/// What was sent, as far as it is kept.
struct Log {
    /// "RUN-NUMBER" is the id of an event. Numbers start at 1 in every run of the server, so
    /// without the run an id of an earlier one would be mistaken for one of this.
    run: String,
    /// The oldest event that is kept, or the next one to come.
    first: u64,
    events: VecDeque<EncodedFrame>,
    /// The length of all events together.
    bytes: usize,
    max_bytes: usize,
    /// The same events, in the format of the stream.
    file: Option<File>,
    /// How often all streams were ended.
    drops: u64,
    stopped: bool,
}

impl Log {
    fn new(run: String, max_bytes: usize) -> Self {
        Self {
            run,
            first: 1,
            events: VecDeque::new(),
            bytes: 0,
            max_bytes,
            file: None,
            drops: 0,
            stopped: false,
        }
    }

    /// Goes on with the run that a file holds, if it does, and keeps the events there from now on.
    fn restore(&mut self, path: &Path) -> io::Result<()> {
        let stored = match fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            stored => stored?,
        };
        // If the server was stopped while it wrote, the last event lacks its end: it does not come.
        for event in decode_all(&stored) {
            let event = event.as_event();
            let (run, number) =
                (event.last_event_id.rsplit_once('-')).ok_or(ErrorKind::InvalidData)?;
            if self.events.is_empty() {
                self.run = run.to_owned();
                self.first = number.parse().map_err(io::Error::other)?;
            }
            self.keep(Frame::try_from(event).map_err(io::Error::other)?.into());
        }
        // The new file takes the place of the old one in whole or not at all.
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let mut file = File::create(&new)?;
        self.events
            .iter()
            .try_for_each(|event| file.write_all(event.as_bytes()))?;
        fs::rename(new, path)?;
        self.file = Some(file);
        Ok(())
    }

    /// Encodes an event, once for all clients.
    fn push(&mut self, event: &str, data: &str) -> io::Result<String> {
        let refused = |error| io::Error::new(ErrorKind::InvalidInput, error);
        let id = self.id(self.end());
        let frame = Frame::message(data).event(event).map_err(refused)?;
        let event = EncodedFrame::from(frame.id(&id).map_err(refused)?);
        // Written before it is sent: what a client has seen outlives the server, if not a power cut.
        if let Some(file) = &mut self.file {
            let end = file.stream_position()?;
            if let Err(error) = file.write_all(event.as_bytes()) {
                file.set_len(end)?;
                file.seek(SeekFrom::Start(end))?;
                return Err(error);
            }
        }
        self.keep(event);
        Ok(id)
    }

    fn keep(&mut self, event: EncodedFrame) {
        self.bytes += event.as_bytes().len();
        self.events.push_back(event);
        while self.bytes > self.max_bytes {
            let Some(oldest) = self.events.pop_front() else {
                break;
            };
            self.bytes -= oldest.as_bytes().len();
            self.first += 1;
        }
    }

    fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.run)
    }

    /// The number of the next event to come.
    fn end(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    fn get(&self, number: u64) -> Option<EncodedFrame> {
        let index = number.checked_sub(self.first)?;
        self.events.get(usize::try_from(index).ok()?).cloned()
    }

    /// The number after the one in `id`; `None` if this run of the server never sent that id.
    fn after(&self, id: &[u8]) -> Option<u64> {
        let number: u64 = str::from_utf8(id)
            .ok()?
            .strip_prefix(&self.run)?
            .strip_prefix('-')?
            .parse()
            .ok()?;
        (number < self.end()).then_some(number + 1)
    }
}

/// `GET /events`: the stream.
///
/// A client without an id gets all that is kept, and one that comes back what it has not seen. If
/// that cannot be told (the id is of another run, or broken) or is kept no longer, the stream
/// starts with an event `gap`, which the client is to act on, and goes on with the oldest event.
async fn events(State(server): State<Arc<Server>>, headers: HeaderMap) -> Response {
    let log = server.log.subscribe();
    let (next, drops) = {
        let log = log.borrow();
        if log.stopped {
            // The one answer after which a client does not connect again.
            return StatusCode::NO_CONTENT.into_response();
        }
        // Any bytes may stand in it: UTF-8 is usual, nothing is certain.
        let next = match headers.get("last-event-id").map(HeaderValue::as_bytes) {
            None | Some(b"") => log.first,
            Some(id) => log.after(id).unwrap_or(0),
        };
        (next, log.drops)
    };
    let client = Client {
        log,
        next,
        drops,
        // Sent at once: some proxies hold the head back until the body begins.
        hello: Some(Frame::new().retry(server.retry).into()),
    };
    let frames = stream::unfold(client, async |mut client| {
        Some((Ok::<_, Infallible>(client.next().await?), client))
    });
    let body = SseBody::new(frames).heartbeat(server.heartbeat, time::sleep);
    body.into_response().into_response()
}

/// One open stream.
struct Client {
    log: watch::Receiver<Log>,
    /// The number of the event to send next.
    next: u64,
    drops: u64,
    /// The first frame, until it is sent.
    hello: Option<EncodedFrame>,
}

impl Client {
    /// Waits for the next frame; `None` ends the body. Called when the connection has room.
    async fn next(&mut self) -> Option<EncodedFrame> {
        if self.hello.is_some() {
            return self.hello.take();
        }
        loop {
            {
                let log = self.log.borrow_and_update();
                if log.drops != self.drops {
                    return None;
                }
                if self.next < log.first {
                    self.next = log.first;
                    let id = log.id(log.first - 1);
                    let gap = Frame::new().event("gap").and_then(|gap| gap.id(&id));
                    return gap.ok().map(EncodedFrame::from);
                }
                if let Some(event) = log.get(self.next) {
                    self.next += 1;
                    return Some(event);
                }
            }
            self.log.changed().await.ok()?; // or the server is gone
        }
    }
}

// Each POST has a content type that a page of another site cannot send unasked, so that no page on
// the web can publish by way of its visitors.

/// `POST /messages`: an event for everybody. Answers with its id.
async fn message(State(server): State<Arc<Server>>, Json(message): Json<Message>) -> Response {
    published(server.publish(&message.event, &message.data))
}

#[derive(Deserialize)]
struct Message {
    /// Empty for the default, `message`.
    #[serde(default)]
    event: String,
    data: String,
}

/// `POST /pictures`: the event `picture`. An event stream is text, so bytes go as base64, here in
/// the form that an `<img>` takes as its source.
async fn picture(State(server): State<Arc<Server>>, headers: HeaderMap, body: Bytes) -> Response {
    let of_type = headers.get(header::CONTENT_TYPE);
    match of_type.and_then(|of_type| of_type.to_str().ok()) {
        Some(of_type) if of_type.starts_with("image/") => {
            published(server.publish("picture", &data_url(of_type, &body)))
        }
        _ => StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response(),
    }
}

fn data_url(of_type: &str, bytes: &[u8]) -> String {
    format!("data:{of_type};base64,{}", BASE64_STANDARD.encode(bytes))
}

fn published(id: io::Result<String>) -> Response {
    let error = match id {
        Ok(id) => return id.into_response(),
        Err(error) => error,
    };
    let status = match error.kind() {
        ErrorKind::InvalidInput => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, error.to_string()).into_response()
}

/// `POST /streams`: ends them all.
async fn streams(State(server): State<Arc<Server>>, Json(end): Json<End>) {
    server.log.send_modify(|log| {
        log.drops += 1;
        log.stopped |= matches!(end, End::Stop);
    });
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum End {
    /// As before a restart, or to spread clients anew: they connect again, and miss nothing.
    Drop,
    /// For good: who comes back is told to stay away.
    Stop,
}

/// Something to look at: how many clients there are, and a moving picture.
async fn demo(server: Arc<Server>, period: Duration) {
    let mut ticks = time::interval(period);
    for time in 0.. {
        ticks.tick().await;
        let clients = server.log.receiver_count().to_string();
        let picture = data_url("image/bmp", &waves(time));
        for (event, data) in [("clients", &clients), ("picture", &picture)] {
            // Both names are free of line ends, and what the disk has no room for is only a demo.
            let _ = server.publish(event, data);
        }
    }
}

/// A picture of waves, as a BMP file.
fn waves(time: u32) -> Vec<u8> {
    const SIDE: u8 = 32;
    let side = u32::from(SIDE);
    let size = side * side * 3;
    let file = 54 + size;
    // How long the file is, where its pixels begin; 40 bytes with the sides and 24 bits a pixel.
    let header = [file, 0, 54, 40, side, side, 0x18_0001, 0, size, 0, 0, 0, 0];
    let mut bmp = b"BM".to_vec();
    bmp.extend(header.into_iter().flat_map(u32::to_le_bytes));
    let wave = |phase: f32| (127.5 + 127.5 * phase.sin()) as u8;
    for y in 0..SIDE {
        for x in 0..SIDE {
            let (x, y, time) = (f32::from(x) / 6.0, f32::from(y) / 6.0, time as f32 / 3.0);
            bmp.extend([wave(x + time), wave(y - time), wave(x.hypot(y) + time)]);
        }
    }
    bmp
}
