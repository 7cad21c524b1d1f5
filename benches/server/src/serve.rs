//! The servers: the hub, and the usual combination of axum and a broadcast channel.
//!
//! `POST /publish?COUNT` publishes that many events, one right after the other, and answers with the id
//! before the first of them. `GET /events` is the stream.

use std::{
    convert::Infallible,
    fmt::Write as _,
    io::Write as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use axum::{
    Router,
    extract::{RawQuery, State},
    http::HeaderMap,
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
    routing::{get, post},
    serve::ListenerExt as _,
};
use clap::ValueEnum;
use futures_util::{StreamExt as _, stream};
use sse_proto::Frame;
use sse_proto_server::{Hub, HubBuilder, MemoryStore, Publisher, Store, Topic as _};
use tokio::{net::TcpListener, sync::broadcast};
use tokio_stream::wrappers::BroadcastStream;

#[derive(clap::Args)]
pub(crate) struct Args {
    kind: Kind,
    /// URL of Redis, for `redis`
    #[arg(long)]
    redis: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// The hub in memory
    Hub,
    /// axum's `Sse` and a `tokio::sync::broadcast` of data, with a list of past data for returning clients
    Axum,
    /// The same with a broadcast of events
    AxumShared,
    /// The hub on Redis
    Redis,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// History for returning clients, in bytes: more than the measurement needs.
const HISTORY: usize = 64 << 20;

pub(crate) async fn serve(args: Args) -> Result<(), Failure> {
    let app = match args.kind {
        Kind::Hub => hub(MemoryStore::with_history(HISTORY)).await?,
        Kind::Axum => encoded_for_each_client(),
        Kind::AxumShared => encoded_once(),
        Kind::Redis => {
            #[cfg(feature = "redis")]
            {
                let url = args.redis.ok_or("--redis is missing")?;
                let store = sse_proto_server::RedisStore::builder(&url, "bench").max_len(100_000);
                hub(store.connect().await?).await?
            }
            #[cfg(not(feature = "redis"))]
            return Err("built without the feature redis".into());
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
    Ok(axum::serve(listener, app).await?)
}

/// Writes the data of an event: 250 bytes that begin with its number.
pub(crate) fn write_data(number: u64, text: &mut String) {
    text.clear();
    let _ = write!(text, "{number:010} ");
    text.extend(std::iter::repeat_n('x', 250 - text.len()));
}

fn count(query: Option<String>) -> u64 {
    query.and_then(|query| query.parse().ok()).unwrap_or(1)
}

struct Published<S: Store> {
    hub: Hub<S>,
    next: AtomicU64,
}

async fn hub<S: Store>(store: S) -> Result<Router, Failure> {
    // The first event costs more, and may arrive after the second: do it before the measurement.
    store.topic("bench")?.bounds().await?;
    let warm_up = (Frame::message("x"), Publisher::new().token());
    store.topic("other")?.append(warm_up.0, &warm_up.1).await?;
    let state = Arc::new(Published {
        hub: HubBuilder::new().build(store),
        next: AtomicU64::new(0),
    });
    Ok(Router::new()
        .route("/events", get(hub_events::<S>))
        .route("/publish", post(hub_publish::<S>))
        .with_state(state))
}

async fn hub_events<S: Store>(
    State(state): State<Arc<Published<S>>>,
    headers: HeaderMap,
) -> Response {
    state.hub.respond("bench", &headers).await.into_response()
}

async fn hub_publish<S: Store>(
    State(state): State<Arc<Published<S>>>,
    RawQuery(query): RawQuery,
) -> Response {
    let count = count(query);
    let first = state.next.fetch_add(count, Relaxed);
    let texts = (first..first + count).map(|number| {
        let mut text = String::new();
        write_data(number, &mut text);
        text
    });
    // Concurrently, as with a store across the network.
    let publishing = texts.map(|text| {
        let hub = &state.hub;
        async move { hub.publish("bench", Frame::message(&text)).await }
    });
    let ids = futures_util::future::join_all(publishing).await;
    match ids.into_iter().collect::<Result<Vec<_>, _>>() {
        Ok(ids) => {
            let before = ids
                .iter()
                .min()
                .map(|id| format!("{}-{}", id.epoch, id.number - 1));
            before.unwrap_or_default().into_response()
        }
        Err(error) => panic!("{error}: {:?}", std::error::Error::source(&error)),
    }
}

/// `T` is the type that the channel carries.
struct Broadcast<T> {
    sender: broadcast::Sender<(usize, T)>,
    history: Mutex<Vec<T>>,
    /// Called when an event is published.
    make: fn(usize, &str) -> T,
    /// Called for each client.
    event: fn(usize, T) -> Event,
}

fn event(number: usize, data: &str) -> Event {
    Event::default().id((number + 1).to_string()).data(data)
}

/// The usual way: the channel carries data, which becomes an event for each client.
fn encoded_for_each_client() -> Router {
    broadcast(
        |_, data| Arc::<str>::from(data),
        |number, data| event(number, &data),
    )
}

/// The channel carries events, which are cloned for each client.
fn encoded_once() -> Router {
    broadcast(event, |_, event| event)
}

fn broadcast<T: Clone + Send + Sync + 'static>(
    make: fn(usize, &str) -> T,
    event: fn(usize, T) -> Event,
) -> Router {
    let state = Arc::new(Broadcast {
        sender: broadcast::Sender::new(4096),
        history: Mutex::default(),
        make,
        event,
    });
    Router::new()
        .route("/events", get(broadcast_events::<T>))
        .route("/publish", post(broadcast_publish::<T>))
        .with_state(state)
}

async fn broadcast_events<T: Clone + Send + Sync + 'static>(
    State(state): State<Arc<Broadcast<T>>>,
    headers: HeaderMap,
) -> impl IntoResponse {
    let last = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse().ok());
    let receiver = BroadcastStream::new(state.sender.subscribe());
    let (missed, last, seen) = {
        let history = state.history.lock().unwrap();
        let last = last.unwrap_or(history.len());
        (
            history.get(last..).unwrap_or_default().to_vec(),
            last,
            history.len(),
        )
    };
    let missed = stream::iter((last..).zip(missed));
    let live = receiver
        .filter_map(move |event| async move { event.ok().filter(|(number, _)| *number >= seen) });
    let event = state.event;
    let events = missed
        .chain(live)
        .map(move |(number, data)| Ok::<_, Infallible>(event(number, data)));
    Sse::new(events).keep_alive(KeepAlive::default())
}

async fn broadcast_publish<T: Clone>(
    State(state): State<Arc<Broadcast<T>>>,
    RawQuery(query): RawQuery,
) -> String {
    let mut text = String::new();
    let before = state.history.lock().unwrap().len();
    for _ in 0..count(query) {
        let mut history = state.history.lock().unwrap();
        let number = history.len();
        write_data(number as u64, &mut text);
        let event = (state.make)(number, &text);
        history.push(event.clone());
        // Fails if there are no clients.
        let _ = state.sender.send((number, event));
    }
    before.to_string()
}
