//! The options of a hub.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use http::{HeaderMap, StatusCode};
use sse_proto::Frame;

use crate::{EventId, Hub, Position, Publisher, Store};

use super::{Shared, registry::Registry, shutdown::ShutdownState};

/// What [`HubBuilder`] sets.
pub(super) struct Options {
    pub(super) retry: Duration,
    pub(super) keep_alive: Duration,
    pub(super) start_position: Position,
    pub(super) gap_event: Box<str>,
    pub(super) max_clients: usize,
    pub(super) max_clients_per_topic: usize,
    pub(super) max_event_len: usize,
    pub(super) authorize: Option<Authorize>,
}

pub(super) type Authorize = Box<
    dyn Fn(&str, &HeaderMap) -> Pin<Box<dyn Future<Output = Result<(), StatusCode>> + Send>>
        + Send
        + Sync,
>;

/// Configures and creates a [`Hub`].
///
/// ```
/// use sse_proto_server::{HubBuilder, MemoryStore, Position};
/// use std::time::Duration;
///
/// let hub = HubBuilder::new()
///     .retry(Duration::from_secs(5))
///     .keep_alive(Duration::from_secs(8))
///     .start_position(Position::Oldest)
///     .max_clients(10_000)
///     .build(MemoryStore::with_history(4 << 20));
/// assert_eq!(hub.stats().clients, 0);
/// ```
#[must_use = "a builder does nothing until `build`"]
pub struct HubBuilder {
    options: Options,
}

impl HubBuilder {
    /// A builder with the defaults, which are documented at each method.
    pub fn new() -> Self {
        Self {
            options: Options {
                retry: Duration::from_secs(2),
                keep_alive: Duration::from_secs(15),
                start_position: Position::Newest,
                gap_event: "gap".into(),
                max_clients: 100_000,
                max_clients_per_topic: usize::MAX,
                max_event_len: 1 << 20,
                authorize: None,
            },
        }
    }

    /// Sets how long clients wait before they reconnect: 2 seconds by default.
    ///
    /// Sent as `retry` immediately at the start of each stream, which also makes proxies forward
    /// the response head. Limited to between 1 ms and about 24 days, because some clients interpret
    /// 0 as "never" or cannot represent larger values.
    pub fn retry(mut self, time: Duration) -> Self {
        self.options.retry = clamp_retry(time);
        self
    }

    /// Sets the silence after which a stream sends a keep-alive comment (`:\n`): 15 seconds by
    /// default.
    ///
    /// A comment may be sent early, but not before half of the interval has passed. Some proxies
    /// and servers close connections after less than 15 seconds. The frame itself cannot be changed:
    /// for a keep-alive that a page can see, publish an event.
    pub fn keep_alive(mut self, interval: Duration) -> Self {
        self.options.keep_alive = interval;
        self
    }

    /// Sets where clients without a `Last-Event-ID` start: at [`Position::Newest`] by default.
    ///
    /// A client that starts at `Newest` is sent the id of its position, so it misses nothing even
    /// if it is disconnected before its first event.
    pub fn start_position(mut self, position: Position) -> Self {
        self.options.start_position = position;
        self
    }

    /// Sets the type of the event that tells a client that it missed events: `gap` by default.
    ///
    /// # Errors
    ///
    /// [`InvalidField`](sse_proto::InvalidField) if the type contains CR or LF.
    pub fn gap_event(mut self, event_type: &str) -> Result<Self, sse_proto::InvalidField> {
        let _ = Frame::new().event(event_type)?;
        self.options.gap_event = event_type.into();
        Ok(self)
    }

    /// Limits the number of concurrent clients: 100,000 by default.
    pub fn max_clients(mut self, clients: usize) -> Self {
        self.options.max_clients = clients;
        self
    }

    /// Limits the number of concurrent clients per topic: no limit by default.
    pub fn max_clients_per_topic(mut self, clients: usize) -> Self {
        self.options.max_clients_per_topic = clients;
        self
    }

    /// Limits the encoded length of an event, in bytes: 1 MiB by default, 4 GiB at most.
    pub fn max_event_len(mut self, bytes: usize) -> Self {
        self.options.max_event_len = bytes.min(u32::MAX as usize - EventId::MAX_LEN - 5);
        self
    }

    /// Calls `may_subscribe` with the topic and the request headers before each subscription. An
    /// error refuses the client with that status. By default, every client may subscribe.
    ///
    /// The `EventSource` of a page cannot set headers. It sends cookies; a token in the URL has to
    /// be checked before the hub is called.
    ///
    /// ```
    /// use http::{HeaderMap, StatusCode, header};
    /// use sse_proto_server::{HubBuilder, MemoryStore};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let hub = HubBuilder::new()
    ///     .authorize(|topic, headers| {
    ///         let token = headers.get(header::AUTHORIZATION);
    ///         let is_allowed = token.is_some_and(|token| token == "Bearer 42");
    ///         let is_public = topic == "news";
    ///         async move { // query a database here
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

    /// Creates the hub.
    pub fn build<S: Store>(self, store: S) -> Hub<S> {
        Hub {
            shared: Arc::new(Shared {
                store,
                options: self.options,
                publisher: Publisher::new(),
                clients: Registry::default(),
                shutdown: ShutdownState::default(),
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
            .field("start_position", &self.options.start_position)
            .finish_non_exhaustive()
    }
}

/// Limits the time to what all clients understand: some interpret 0 as "never" or store
/// milliseconds in 31 bits.
pub(super) fn clamp_retry(time: Duration) -> Duration {
    time.clamp(
        Duration::from_millis(1),
        Duration::from_millis(i32::MAX as u64),
    )
}
