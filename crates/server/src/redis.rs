//! A store on a Redis or Valkey server.

mod append;
mod cache;
mod claim_epoch;
mod connection;
mod keys;
mod read_connection;
mod reader;
mod reply;
mod snapshot;
mod topic;
mod unanswered;

use std::{fmt, future::Future, sync::Arc, time::Duration};

use ::redis::{Client, Script};
use tokio::task::AbortHandle;

pub use topic::RedisTopic;

use crate::{Store, StoreError, TopicError, topics::Topics};
use connection::{CommandError, ConnectionManager};
use reader::Reader;
use unanswered::UnansweredTokens;

/// Keeps events on a Redis or Valkey server, in one stream per topic, for any number of processes.
///
/// All processes append to the same topics, and their clients see the same events in the same
/// order. Requires the feature `redis`, Rust 1.88 (that of the `redis` crate), tokio, and Redis 7.0
/// or Valkey.
///
/// ```no_run
/// use sse_proto_server::{Hub, RedisStore};
///
/// # async fn example() -> Result<(), sse_proto_server::StoreError> {
/// let store = RedisStore::connect("redis://127.0.0.1/", "events").await?;
/// let hub = Hub::new(store);
/// # let _ = hub;
/// # Ok(())
/// # }
/// ```
///
/// # Failures
///
/// - **The server is unreachable.** An append is retried until the
///   [append timeout](RedisStoreBuilder::append_timeout). Clients stay connected and continue when
///   the server is back.
/// - **A reply is lost.** The append is repeated with the same token over a new connection. The
///   server executes it once, whichever attempt arrives first. It remembers the 256 newest tokens
///   of a publisher per topic, and they are valid for half an hour.
/// - **The server replies with an error** (out of memory, loading its data, no permission). The
///   event was not appended, unless an earlier attempt got no reply.
/// - **The server restarts, or a replica is promoted.** A new epoch begins, whether or not events
///   were lost. Clients get a gap event at the end of the old epoch, and then all later events.
/// - **A stream is deleted.** The same happens, within 10 seconds if nobody publishes.
///
/// # Server settings
///
/// - Set `appendonly yes`. With `appendfsync everysec` (the default) no event is lost if the server
///   process is killed, and about a second of events if the machine fails. With snapshots only,
///   all events since the last snapshot are lost.
/// - Set `maxmemory-policy noeviction`, and provide memory: each event takes 14 to 150 bytes in
///   addition to its length. Do not set expiry times on keys of this store, and do not delete
///   entries.
/// - Synchronize the server's clock with NTP. Ids can only repeat if all data is lost **and** the
///   clock goes back by more than the outage. In that case, set the
///   [epoch floor](RedisStoreBuilder::epoch_floor).
/// - Connect to the master, or to a host name that follows it. Cluster redirections are not
///   supported, nor are proxies that switch to another server while the client's connection stays
///   open.
/// - The user needs access to the keys `PREFIX:*` and these commands: `CLIENT ID`,
///   `CLIENT UNBLOCK`, `EVALSHA`, `EXISTS`, `EXPIRE`, `HGET`, `HMGET`, `HSET`, `INFO`,
///   `SCRIPT LOAD`, `TIME`, `XADD`, `XGROUP CREATE`, `XGROUP DESTROY`, `XINFO STREAM`, `XRANGE`,
///   `XREAD`, `XREVRANGE`, `XSETID`, `ZADD`, `ZCARD`, `ZRANGE`, `ZRANGEBYSCORE` and
///   `ZREMRANGEBYRANK`. Without the first two, the first client of a topic may wait up to 5 seconds
///   for its events.
///
/// The first subscription to a topic creates a stream and a small hash, which remain. Use
/// [`authorize`](crate::HubBuilder::authorize) to refuse unknown names.
///
/// For `rediss://` URLs, enable one of the TLS features for tokio of the crate `redis` 1 in your
/// own dependencies.
pub struct RedisStore {
    core: Arc<Core>,
    topics: Topics<RedisTopic>,
}

/// The state that all topics share. Dropping it ends the reader task.
#[derive(Debug)]
struct Core {
    options: Options,
    connections: Arc<ConnectionManager>,
    reader: Arc<Reader>,
    reader_task: AbortHandle,
    unanswered: UnansweredTokens,
    claim_epoch: Script,
    append: Script,
    snapshot: Script,
}

impl Drop for Core {
    fn drop(&mut self) {
        self.reader_task.abort();
    }
}

#[derive(Debug, Clone)]
struct Options {
    prefix: String,
    max_len: u64,
    cache_size: usize,
    append_timeout: Duration,
    epoch_floor: u64,
    max_topics: usize,
}

impl RedisStore {
    /// The maximum length of a topic's name, in bytes.
    pub const MAX_NAME_LEN: usize = 1024;

    /// Connects to the server at `url` with the defaults of [`RedisStoreBuilder`]. All keys start
    /// with `prefix` and a colon.
    ///
    /// # Errors
    ///
    /// If the URL is invalid or the server cannot be reached.
    pub fn connect(
        url: &str,
        prefix: &str,
    ) -> impl Future<Output = Result<Self, StoreError>> + Send + use<> {
        Self::builder(url, prefix).connect()
    }

    /// Returns a builder, to change the defaults.
    pub fn builder(url: &str, prefix: &str) -> RedisStoreBuilder {
        RedisStoreBuilder {
            url: url.into(),
            options: Options {
                prefix: prefix.into(),
                max_len: 10_000,
                cache_size: 256 << 10,
                append_timeout: Duration::from_secs(5),
                epoch_floor: 0,
                max_topics: 100_000,
            },
        }
    }

    /// Returns how often a connection to the server was re-established. There are two connections,
    /// one for commands and one that waits for events.
    pub fn reconnects(&self) -> u64 {
        self.core.connections.reconnects() + self.core.reader.reconnects()
    }
}

impl Store for RedisStore {
    type Topic = RedisTopic;

    fn topic(&self, name: &str) -> Result<Arc<RedisTopic>, TopicError> {
        if name.len() > Self::MAX_NAME_LEN {
            return Err(TopicError::InvalidName);
        }
        let new = || RedisTopic::new(self.core.clone(), name);
        self.topics.get_or_insert(name, new)
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("prefix", &self.core.options.prefix)
            .field("reconnects", &self.reconnects())
            .finish_non_exhaustive()
    }
}

/// Configures and connects a [`RedisStore`].
///
/// ```no_run
/// use sse_proto_server::RedisStore;
/// use std::time::Duration;
///
/// # async fn example() -> Result<(), sse_proto_server::StoreError> {
/// let store = RedisStore::builder("redis://127.0.0.1/", "events")
///     .max_len(100_000)
///     .append_timeout(Duration::from_secs(2))
///     .connect()
///     .await?;
/// # let _ = store;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until `connect`"]
pub struct RedisStoreBuilder {
    url: String,
    options: Options,
}

impl RedisStoreBuilder {
    /// Sets how many events the server keeps per topic: 10,000 by default, and up to about 100
    /// more.
    ///
    /// Redis has no limit in bytes: multiply by the mean length of your events. All processes
    /// should use the same number.
    pub fn max_len(mut self, events: u64) -> Self {
        self.options.max_len = events;
        self
    }

    /// Sets how many bytes of each topic with clients are cached in this process, so that they need
    /// not be read from the server for each client: 256 KiB by default.
    pub fn cache_size(mut self, bytes: usize) -> Self {
        self.options.cache_size = bytes;
        self
    }

    /// Sets how long an append may take before it fails or its outcome is
    /// [unknown](crate::AppendError::Unknown): 5 seconds by default.
    pub fn append_timeout(mut self, time: Duration) -> Self {
        self.options.append_timeout = time;
        self
    }

    /// Sets the lowest epoch that may begin: 0 by default. Epochs are microseconds since 1970, or
    /// more.
    ///
    /// Only needed after all data was lost and the server's clock is behind.
    pub fn epoch_floor(mut self, epoch: u64) -> Self {
        self.options.epoch_floor = epoch;
        self
    }

    /// Limits the number of topics in use at once in this process: 100,000 by default. It does not
    /// limit the number of topics on the server.
    pub fn max_topics(mut self, topics: usize) -> Self {
        self.options.max_topics = topics;
        self
    }

    /// Connects. Must be called in a tokio runtime with timer and I/O enabled.
    ///
    /// # Errors
    ///
    /// If the URL is invalid or the server cannot be reached. Once connected, lost connections are
    /// re-established without limit.
    pub async fn connect(self) -> Result<RedisStore, StoreError> {
        let client = Client::open(self.url)?;
        let connections = Arc::new(ConnectionManager::new(client.clone()));
        let connected = connections.connection().await;
        connected.map_err(CommandError::into_error)?;
        let claim_epoch = Script::new(claim_epoch::SOURCE);
        let floor = self.options.epoch_floor;
        let reader = Reader::new(client, connections.clone(), claim_epoch.clone(), floor);
        let reader = Arc::new(reader);
        let reader_task = tokio::spawn(reader.clone().run()).abort_handle();
        let max_topics = self.options.max_topics;
        let core = Core {
            options: self.options,
            connections,
            reader,
            reader_task,
            unanswered: UnansweredTokens::default(),
            claim_epoch,
            append: Script::new(include_str!("redis/append.lua")),
            snapshot: Script::new(include_str!("redis/snapshot.lua")),
        };
        Ok(RedisStore {
            core: Arc::new(core),
            topics: Topics::new(max_topics),
        })
    }
}

impl fmt::Debug for RedisStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may contain a password.
        f.debug_struct("RedisStoreBuilder")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
