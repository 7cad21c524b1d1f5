//! `live-server` streams events to any number of clients, with axum.
//!
//! ```text
//! $ cargo run -p sse-proto-server --example live-server   # and open http://127.0.0.1:3000 in a browser or two
//! $ curl -N http://127.0.0.1:3000/events
//! $ curl --json '{"data":"hello"}' http://127.0.0.1:3000/messages
//! $ curl --json '{"event":"note","data":"two\nlines"}' http://127.0.0.1:3000/messages
//! $ curl -H 'Content-Type: image/png' --data-binary @cat.png http://127.0.0.1:3000/pictures
//! $ curl --json '"drop"' http://127.0.0.1:3000/streams   # ends all streams; the clients come back
//! $ curl --json '"stop"' http://127.0.0.1:3000/streams   # and now they stay away
//! $ curl http://127.0.0.1:3000/stats
//! ```
//!
//! The [`Hub`] does all that has to do with streams: see [`events`] and [`publish`].

use std::{
    future::IntoFuture as _,
    io::{self, Write as _},
    net::SocketAddr,
    path::PathBuf,
    pin::pin,
    process::ExitCode,
    time::Duration,
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
    serve::ListenerExt as _,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use clap::Parser;
use serde::Deserialize;
use serde_json::{Value, json};
use sse_proto::Frame;
use sse_proto_server::{FileStore, Hub, HubBuilder, MemoryStore, Position, Store, StoreError};
use tokio::{
    net::{TcpListener, TcpStream},
    signal,
    sync::oneshot,
    time,
};

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

    /// Over how much time the return of all clients is spread when the server is stopped
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    spread: Duration,

    /// How much is kept for those who come late or come back
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 20)]
    history: usize,

    /// Keep it in the files of this directory, too, and when started again go on where they end
    #[arg(long, value_name = "DIRECTORY")]
    store: Option<PathBuf>,

    /// Keep it on this Redis server, by its own measure, for all servers that use it
    #[cfg(feature = "redis")]
    #[arg(long, value_name = "URL", conflicts_with = "store")]
    redis: Option<String>,

    /// How often the server has something to say of itself; 0 for never
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    demo: Duration,

    /// A page to serve in place of the one that is built in
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map_err(|_| "not a number of seconds")?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// A server with more than one stream would take the topic from the path.
const TOPIC: &str = "live";

/// How long a shutdown waits for clients that do not read.
const GRACE: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "live-server: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<(), StoreError> {
    #[cfg(feature = "redis")]
    if let Some(url) = &args.redis {
        let store = sse_proto_server::RedisStore::connect(url, "live-server").await?;
        return serve(args, store).await;
    }
    match &args.store {
        Some(directory) => serve(args, FileStore::open(directory, args.history)?).await,
        None => serve(args, MemoryStore::with_history(args.history)).await,
    }
}

async fn serve<S: Store>(args: &Args, store: S) -> Result<(), StoreError> {
    let page = match &args.page {
        Some(path) => std::fs::read_to_string(path)?,
        None => include_str!("data/live.html").to_owned(),
    };
    let hub = HubBuilder::new()
        .keep_alive(args.heartbeat)
        .retry(args.retry)
        .start(Position::Oldest)
        .build(store);
    if !args.demo.is_zero() {
        tokio::spawn(demo(hub.clone(), args.demo));
    }
    let app = Router::new()
        .route("/", get(async || Html(page)))
        .route("/events", get(events))
        .route("/messages", post(message))
        .route("/pictures", post(picture))
        .route("/streams", post(streams))
        .route("/stats", get(stats))
        .with_state(hub.clone());
    let listener = TcpListener::bind(args.listen).await?;
    writeln!(io::stdout(), "http://{}", listener.local_addr()?)?;

    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(listener.tap_io(|connection| tune(connection)), app)
        .with_graceful_shutdown(async { drop(stopped.await) });
    let mut server = pin!(server.into_future());
    tokio::select! {
        result = &mut server => return Ok(result?),
        result = asked_to_stop() => result?,
    }
    // Each stream ends with the time at which its client is to be back. Those that come meanwhile, on
    // connections that are open, are told the same.
    hub.shutdown(args.spread);
    drop(stop);
    Ok(time::timeout(GRACE, server).await.unwrap_or(Ok(()))?)
}

fn tune(connection: &TcpStream) {
    // Events are small. They must not wait until the client has acknowledged the one before.
    let _ = connection.set_nodelay(true);
    // Of what cannot be sent yet the system takes little: without a limit, up to some megabytes for
    // each client that does not read. The rest waits in the log, where it is shared.
    #[cfg(any(target_os = "android", target_os = "linux"))]
    let _ = socket2::SockRef::from(connection).set_tcp_notsent_lowat(32 << 10);
}

async fn asked_to_stop() -> io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate())?;
        tokio::select! {
            result = signal::ctrl_c() => result,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    signal::ctrl_c().await
}

/// `GET /events`: the stream. A client without an id gets all that is kept, and one that comes back
/// what it has not seen, or an event `gap` if that is not to be had.
async fn events<S: Store>(State(hub): State<Hub<S>>, headers: HeaderMap) -> Response {
    hub.respond(TOPIC, &headers).await.into_response()
}

/// An event for everybody. Answers with its id.
async fn publish<S: Store>(hub: &Hub<S>, event: &str, data: &str) -> Response {
    let frame = match Frame::message(data).event(event) {
        Ok(frame) => frame,
        Err(refused) => return (StatusCode::BAD_REQUEST, refused.to_string()).into_response(),
    };
    match hub.publish(TOPIC, frame).await {
        Ok(id) => id.to_string().into_response(),
        Err(error) => (error.status(), error.to_string()).into_response(),
    }
}

// Each POST has a content type that a page of another site cannot send unasked, so that no page on
// the web can publish by way of its visitors.

/// `POST /messages`
async fn message<S: Store>(State(hub): State<Hub<S>>, Json(message): Json<Message>) -> Response {
    publish(&hub, &message.event, &message.data).await
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
async fn picture<S: Store>(State(hub): State<Hub<S>>, headers: HeaderMap, body: Bytes) -> Response {
    let of_type = headers.get(header::CONTENT_TYPE);
    let of_type = of_type.and_then(|of_type| of_type.to_str().ok());
    match of_type.filter(|of_type| of_type.starts_with("image/")) {
        Some(of_type) => publish(&hub, "picture", &data_url(of_type, &body)).await,
        None => StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response(),
    }
}

fn data_url(of_type: &str, bytes: &[u8]) -> String {
    format!("data:{of_type};base64,{}", BASE64_STANDARD.encode(bytes))
}

/// `POST /streams`: ends them all.
async fn streams<S: Store>(State(hub): State<Hub<S>>, Json(end): Json<String>) -> StatusCode {
    match &*end {
        // The clients connect again, and miss nothing.
        "drop" => hub.disconnect_all(Duration::ZERO),
        // For good: who comes back is told to stay away.
        "stop" => hub.close(),
        _ => return StatusCode::BAD_REQUEST,
    }
    StatusCode::OK
}

/// `GET /stats`
async fn stats<S: Store>(State(hub): State<Hub<S>>) -> Json<Value> {
    let stats = hub.stats();
    let topic = hub.topic_stats(TOPIC).await.ok().flatten();
    Json(json!({
        "clients": stats.clients, "clients_admitted": stats.clients_admitted,
        "events_published": stats.events_published, "events_delivered": stats.events_delivered,
        "bytes_delivered": stats.bytes_delivered, "gaps": stats.gaps,
        "max_lag": topic.map_or(0, |topic| topic.max_lag),
    }))
}

/// Something to look at: how many clients there are, and a dot that moves.
async fn demo<S: Store>(hub: Hub<S>, period: Duration) {
    let mut ticks = time::interval(period);
    for time in 0.. {
        ticks.tick().await;
        let (size, x) = (r#"width="32" height="32""#, time % 33);
        let dot = format!(r#"<circle cx="{x}" cy="16" r="5"/>"#);
        let svg = format!(r#"<svg xmlns="http://www.w3.org/2000/svg" {size}>{dot}</svg>"#);
        publish(&hub, "picture", &data_url("image/svg+xml", svg.as_bytes())).await;
        publish(&hub, "clients", &hub.stats().clients.to_string()).await;
    }
}
