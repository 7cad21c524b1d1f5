//! Publish and subscribe over a store.

mod audience;
mod client;
mod phase;
mod publish;
mod subscribe;

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use http::{HeaderMap, StatusCode};
use sse_proto::Frame;

pub use audience::{Stats, TopicStats};
pub use publish::PublishError;
pub use subscribe::{SubscribeError, Subscription};

use crate::{EventId, MemoryStore, Publisher, Store};
use audience::Audience;
use phase::{Admission, Phase};

/// Publishes events to topics, and gives each client the body of its stream.
///
/// A clone is another handle to the same hub.
///
/// ```
/// use http::HeaderMap;
/// use http_body_util::BodyExt as _;
/// use sse_proto::Frame;
/// use sse_proto_server::{Hub, MemoryStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::new(MemoryStore::new());
/// let first = hub.publish("prices", Frame::message("17.20").event("tick")?).await?;
/// let second = hub.publish("prices", Frame::message("17.25").event("tick")?).await?;
///
/// // A client comes back that has seen the first one.
/// let mut headers = HeaderMap::new();
/// headers.insert("last-event-id", first.to_string().parse()?);
/// let response = hub.respond("prices", &headers).await;
/// assert_eq!(response.headers()["content-type"], "text/event-stream");
///
/// let mut body = response.into_body();
/// assert_eq!(body.frame().await.unwrap()?.into_data().unwrap(), "retry: 2000\n");
/// let replay = body.frame().await.unwrap()?.into_data().unwrap();
/// assert_eq!(replay, format!("event: tick\nid: {second}\ndata: 17.25\n\n"));
/// # Ok(())
/// # }
/// ```
pub struct Hub<S: Store = MemoryStore> {
    shared: Arc<Shared<S>>,
}

struct Shared<S> {
    store: S,
    options: Options,
    publisher: Publisher,
    audience: Audience,
    phase: Phase,
}

/// Where a client begins to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Position {
    /// With what is published from now on.
    Head,
    /// With the oldest event that is kept.
    Oldest,
    /// With what follows this event.
    After(EventId),
}

/// How a hub serves its clients.
struct Options {
    retry: Duration,
    keep_alive: Duration,
    start: Position,
    gap_event: Box<str>,
    max_clients: usize,
    max_clients_per_topic: usize,
    max_event_len: usize,
    authorize: Option<Authorize>,
}

type Authorize = Box<
    dyn Fn(&str, &HeaderMap) -> Pin<Box<dyn Future<Output = Result<(), StatusCode>> + Send>>
        + Send
        + Sync,
>;

impl<S: Store> Hub<S> {
    /// A hub with the defaults of [`HubBuilder`].
    pub fn new(store: S) -> Self {
        HubBuilder::new().build(store)
    }

    /// The store.
    pub fn store(&self) -> &S {
        &self.shared.store
    }

    /// Ends all streams, each between two events, and lets their clients reconnect: to rebalance them
    /// over several servers, or to check permissions again.
    ///
    /// Each client is told to wait for the usual time plus its share of `spread`, evenly distributed.
    pub fn disconnect_all(&self, spread: Duration) {
        self.end_all(spread, None);
    }

    /// Does the same as [`disconnect_all`](Self::disconnect_all), and also tells clients that connect
    /// from now on to come back later. Call it when this server is about to stop.
    ///
    /// A store in memory or in files is read to its end first. Streams end as soon as their connections
    /// take what is due; one whose client reads nothing stays. So limit the time that your server's
    /// graceful shutdown may take.
    ///
    /// The last bytes are `retry` and a blank line, without which some clients do not obey it. The SDK of
    /// OpenAI for Python takes that for an event without data, and raises.
    pub fn shutdown(&self, spread: Duration) {
        self.end_all(spread, Some(Admission::Later));
    }

    /// Ends all streams and answers all clients that come from now on with 204, after which an
    /// `EventSource` does not come back.
    pub fn close(&self) {
        self.end_all(Duration::ZERO, Some(Admission::Never));
    }

    fn end_all(&self, spread: Duration, admission: Option<Admission>) {
        self.shared.phase.end_all(spread, admission);
        self.shared.audience.wake_all();
    }
}

impl<S: Store> Clone for Hub<S> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<S: Store> fmt::Debug for Hub<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// Makes a [`Hub`] that is not the default one.
///
/// ```
/// use sse_proto_server::{HubBuilder, MemoryStore, Position};
/// use std::time::Duration;
///
/// let hub = HubBuilder::new()
///     .retry(Duration::from_secs(5))
///     .keep_alive(Duration::from_secs(8))
///     .start(Position::Oldest)
///     .max_clients(10_000)
///     .build(MemoryStore::with_history(4 << 20));
/// assert_eq!(hub.stats().clients, 0);
/// ```
#[must_use = "a builder does nothing until `build`"]
pub struct HubBuilder {
    options: Options,
}

impl HubBuilder {
    /// The defaults, each named at its method.
    pub fn new() -> Self {
        Self {
            options: Options {
                retry: Duration::from_secs(2),
                keep_alive: Duration::from_secs(15),
                start: Position::Head,
                gap_event: "gap".into(),
                max_clients: 100_000,
                max_clients_per_topic: usize::MAX,
                max_event_len: 1 << 20,
                authorize: None,
            },
        }
    }

    /// How long clients wait before they connect again: 2 seconds by default.
    ///
    /// Sent as `retry` at the start of each stream, at once, so that proxies pass the head on. Between
    /// 1 ms and about 24 days, as some clients take 0 for never, or cannot count further.
    pub fn retry(mut self, time: Duration) -> Self {
        self.options.retry = clamp_retry(time);
        self
    }

    /// After how much silence a stream gets a heartbeat (`:\n`): 15 seconds by default, and at least
    /// half of it. Some proxies and servers cut a connection after less.
    pub fn keep_alive(mut self, interval: Duration) -> Self {
        self.options.keep_alive = interval;
        self
    }

    /// Where clients begin that send no `Last-Event-ID`: at [`Position::Head`] by default.
    ///
    /// They are sent the id of their position then, so that one that is cut off before its first event
    /// misses nothing either.
    pub fn start(mut self, position: Position) -> Self {
        self.options.start = position;
        self
    }

    /// The type of the event that tells a client that it has missed others: `gap` by default.
    ///
    /// # Errors
    ///
    /// [`InvalidField`](sse_proto::InvalidField) if it has a CR or LF.
    pub fn gap_event(mut self, event_type: &str) -> Result<Self, sse_proto::InvalidField> {
        let _ = Frame::new().event(event_type)?;
        self.options.gap_event = event_type.into();
        Ok(self)
    }

    /// How many clients there may be at once: 100,000 by default.
    pub fn max_clients(mut self, clients: usize) -> Self {
        self.options.max_clients = clients;
        self
    }

    /// How many clients one topic may have at once: as many as there may be by default.
    pub fn max_clients_per_topic(mut self, clients: usize) -> Self {
        self.options.max_clients_per_topic = clients;
        self
    }

    /// How long an event may be, in bytes as it is sent: 1 MiB by default, 4 GiB at most.
    pub fn max_event_len(mut self, bytes: usize) -> Self {
        self.options.max_event_len = bytes.min(u32::MAX as usize - EventId::MAX_LEN - 5);
        self
    }

    /// Asks `may_subscribe`, with the topic and the request's headers, before each subscription. It
    /// refuses with the status to answer. By default everybody may.
    ///
    /// ```
    /// use http::{HeaderMap, StatusCode, header};
    /// use sse_proto_server::{HubBuilder, MemoryStore};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let hub = HubBuilder::new()
    ///     .authorize(|topic, headers| {
    ///         let is_allowed = headers.get(header::AUTHORIZATION).is_some_and(|value| value == "Bearer 42");
    ///         let is_public = topic == "news";
    ///         async move { // a look into a database, say
    ///             if is_allowed || is_public { Ok(()) } else { Err(StatusCode::UNAUTHORIZED) }
    ///         }
    ///     })
    ///     .build(MemoryStore::new());
    /// assert_eq!(hub.respond("news", &HeaderMap::new()).await.status(), 200);
    /// assert_eq!(hub.respond("prices", &HeaderMap::new()).await.status(), 401);
    /// # }
    /// ```
    pub fn authorize<F, R>(mut self, may_subscribe: F) -> Self
    where
        F: Fn(&str, &HeaderMap) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), StatusCode>> + Send + 'static,
    {
        let authorize: Authorize =
            Box::new(move |topic, headers| Box::pin(may_subscribe(topic, headers)));
        self.options.authorize = Some(authorize);
        self
    }

    /// The hub.
    pub fn build<S: Store>(self, store: S) -> Hub<S> {
        Hub {
            shared: Arc::new(Shared {
                store,
                options: self.options,
                publisher: Publisher::new(),
                audience: Audience::default(),
                phase: Phase::default(),
            }),
        }
    }
}

impl Default for HubBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for HubBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubBuilder")
            .field("retry", &self.options.retry)
            .field("keep_alive", &self.options.keep_alive)
            .field("start", &self.options.start)
            .finish_non_exhaustive()
    }
}

/// What all clients understand: some take 0 for never, or count milliseconds in 31 bits.
fn clamp_retry(time: Duration) -> Duration {
    time.clamp(
        Duration::from_millis(1),
        Duration::from_millis(i32::MAX as u64),
    )
}
