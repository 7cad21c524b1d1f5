//! Publish and subscribe on top of a store.

mod builder;
mod client;
mod publish;
mod registry;
mod shutdown;
mod stats;
mod subscribe;

use std::{fmt, sync::Arc};

pub use builder::HubBuilder;
pub use publish::PublishError;
pub use stats::{Stats, TopicStats};
pub use subscribe::{SubscribeError, Subscription};

use crate::{EventId, MemoryStore, Publisher, Store};
use builder::Options;
use registry::Registry;
use shutdown::ShutdownState;

/// Publishes events to topics and returns the response body for each client.
///
/// Clones share the same hub.
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
/// // A client that has seen the first event reconnects.
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
    clients: Registry,
    shutdown: ShutdownState,
}

/// Where a client starts to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Position {
    /// At the events that are published from now on.
    Newest,
    /// At the oldest event that the store keeps.
    Oldest,
    /// After the event with this id.
    After(EventId),
}

impl<S: Store> Hub<S> {
    /// Creates a hub with the defaults of [`HubBuilder`].
    pub fn new(store: S) -> Self {
        HubBuilder::new().build(store)
    }

    /// Returns the store.
    pub fn store(&self) -> &S {
        &self.shared.store
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
