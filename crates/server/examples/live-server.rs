//! `live-server` streams events to any number of clients, with axum.
//!
//! ```text
//! $ cargo run -p sse-proto-server --example live-server    # then open http://127.0.0.1:3000
//! $ curl -N http://127.0.0.1:3000/events
//! $ curl --json '{"data":"hello"}' http://127.0.0.1:3000/messages
//! $ curl --json '{"event":"note","data":"two\nlines"}' http://127.0.0.1:3000/messages
//! $ curl -H 'Content-Type: image/png' --data-binary @cat.png http://127.0.0.1:3000/pictures
//! $ curl --json '"drop"' http://127.0.0.1:3000/streams     # ends all streams; clients reconnect
//! $ curl --json '"stop"' http://127.0.0.1:3000/streams     # ends all streams for good
//! $ curl http://127.0.0.1:3000/stats
//! ```
//!
//! Start with [`events`] and [`publish`]. The [`Hub`] does the rest.

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
/// Prints its address when it is ready. There is no access control: everyone who can reach the
/// address can read and publish.
#[derive(Parser)]
#[command(name = "live-server", version)]
struct Args {
    /// The address to listen on; port 0 lets the system choose a port
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,

    /// The silence after which a stream sends a keep-alive comment
    #[arg(
        long,
        alias = "heartbeat",
        value_name = "SECONDS",
        default_value = "15",
        value_parser = seconds
    )]
    keep_alive: Duration,

    /// How long clients wait before they reconnect
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    retry: Duration,

    /// The period over which clients reconnect after the server is stopped
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    spread: Duration,

    /// How many bytes of events are kept for clients that connect late or reconnect
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 20)]
    history: usize,

    /// Keep events in this directory, so that they survive a restart
    #[arg(long, value_name = "DIRECTORY")]
    store: Option<PathBuf>,

    /// Keep events on this Redis server, which several servers can share; ignores --history
    #[cfg(feature = "redis")]
    #[arg(long, value_name = "URL", conflicts_with = "store")]
    redis: Option<String>,

    /// How often the server publishes demo events; 0 for never
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    demo: Duration,

    /// A page to serve instead of the built-in one
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map_err(|_| "not a number of seconds")?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// The only topic. A server with several topics would take the topic from the path.
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
        .keep_alive(args.keep_alive)
        .retry(args.retry)
        .start_position(Position::Oldest)
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
    let server = axum::serve(listener.tap_io(|connection| set_options(connection)), app)
        .with_graceful_shutdown(async { drop(stopped.await) });
    let mut server = pin!(server.into_future());
    tokio::select! {
        result = &mut server => return Ok(result?),
        result = stop_signal() => result?,
    }
    // Ends all streams and tells each client when to reconnect, including clients that send a request
    // on an open connection in the meantime.
    hub.shutdown(args.spread);
    drop(stop);
    Ok(time::timeout(GRACE, server).await.unwrap_or(Ok(()))?)
}

/// `GET /events`: the stream. A new client gets all kept events. A client that reconnects gets the
/// events that it missed, or an event `gap` if they are no longer available.
async fn events<S: Store>(State(hub): State<Hub<S>>, headers: HeaderMap) -> Response {
    hub.respond(TOPIC, &headers).await.into_response()
}

/// Publishes an event to all clients and responds with its id.
async fn publish<S: Store>(hub: &Hub<S>, event: &str, data: &str) -> Response {
    let frame = match Frame::message(data).event(event) {
        Ok(frame) => frame,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    match hub.publish(TOPIC, frame).await {
        Ok(id) => id.to_string().into_response(),
        Err(error) => (error.status(), error.to_string()).into_response(),
    }
}

// Each POST handler requires a content type that pages of other sites cannot send without
// permission. Otherwise any web page could publish through its visitors' browsers.

/// `POST /messages`: publishes an event.
async fn message<S: Store>(State(hub): State<Hub<S>>, Json(message): Json<Message>) -> Response {
    publish(&hub, &message.event, &message.data).await
}

#[derive(Deserialize)]
struct Message {
    /// The event type; empty for the default, `message`.
    #[serde(default)]
    event: String,
    data: String,
}

/// `POST /pictures`: publishes an event `picture`. An event stream is text, so the picture is sent as
/// a base64 data URL, which an `<img>` accepts as its source.
async fn picture<S: Store>(State(hub): State<Hub<S>>, headers: HeaderMap, body: Bytes) -> Response {
    let content_type = headers.get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    match content_type.filter(|value| value.starts_with("image/")) {
        Some(image) => publish(&hub, "picture", &data_url(image, &body)).await,
        None => StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response(),
    }
}

fn data_url(content_type: &str, bytes: &[u8]) -> String {
    format!(
        "data:{content_type};base64,{}",
        BASE64_STANDARD.encode(bytes)
    )
}

/// `POST /streams`: ends all streams.
async fn streams<S: Store>(State(hub): State<Hub<S>>, Json(action): Json<String>) -> StatusCode {
    match &*action {
        // The clients reconnect and miss nothing.
        "drop" => hub.disconnect_all(Duration::ZERO),
        // Clients that reconnect are told to stop doing so.
        "stop" => hub.close(),
        _ => return StatusCode::BAD_REQUEST,
    }
    StatusCode::OK
}

/// `GET /stats`: statistics as JSON.
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

/// Publishes a moving dot and the number of clients.
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

fn set_options(connection: &TcpStream) {
    // Send small events immediately, without waiting for the client to acknowledge the previous one.
    let _ = connection.set_nodelay(true);
    // Limit the unsent data per connection, which may otherwise be some megabytes for each client that
    // does not read. Further events stay in the hub's log, which all clients share.
    #[cfg(any(target_os = "android", target_os = "linux"))]
    let _ = socket2::SockRef::from(connection).set_tcp_notsent_lowat(32 << 10);
}

/// Waits for Ctrl-C or SIGTERM.
async fn stop_signal() -> io::Result<()> {
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
