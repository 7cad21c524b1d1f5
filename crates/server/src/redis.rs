//! A store on a Redis server.

mod append;
mod claim;
mod doubts;
mod keys;
mod link;
mod look;
mod reader;
mod reply;
mod session;
mod topic;
mod window;

use std::{fmt, future::Future, sync::Arc, time::Duration};

use ::redis::{Client, Script};
use tokio::task::AbortHandle;

pub use topic::RedisTopic;

use crate::{Store, StoreError, TopicError, topics::Topics};
use doubts::Doubts;
use link::{Fault, Link};
use reader::Reader;

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
/// - **The server is unreachable.** An append is tried again until the
///   [append timeout](RedisStoreBuilder::append_timeout). Clients stay connected and continue when
///   the server is back.
/// - **An answer is lost.** The append is repeated with the same token over a new connection, and
///   the server carries it out once, whichever of the two arrives first. The server remembers
///   the 256 newest tokens of a publisher per topic, and they are valid for half an hour.
/// - **The server replies with an error** (out of memory, loading its data, no permission). The
///   event was not appended, unless an earlier attempt was left without an answer.
/// - **The server restarts, or a replica is promoted.** A new epoch begins, whether or not events
///   were lost. Clients are told with a gap event at the end of the old epoch, and then get
///   everything that follows it.
/// - **A stream is deleted.** The same, within 10 seconds if nobody publishes.
///
/// # Server settings
///
/// - Set `appendonly yes`. With `appendfsync everysec` (the default) no event is lost if the server
///   process is killed, and about a second of events if the machine fails. With snapshots only,
///   all events since the last snapshot are lost.
/// - Set `maxmemory-policy noeviction`, and provide memory: each event takes 14 to 150 bytes in
///   addition to its length. Do not set expiry times on keys of this store, and do not delete
///   entries.
/// - Synchronize the server's clock with NTP. Ids could repeat only if all data are lost **and**
///   the clock goes back by more than the outage; set the
///   [epoch floor](RedisStoreBuilder::epoch_floor) in that case.
/// - Connect to the master, or to a name that follows it. Cluster redirections are not supported,
///   nor are proxies that switch to another server while the client's connection stays open.
/// - The user needs access to the keys `PREFIX:*` and these commands: `CLIENT ID`,
///   `CLIENT UNBLOCK`, `EVALSHA`, `EXISTS`, `EXPIRE`, `HGET`, `HMGET`, `HSET`, `INFO`,
///   `SCRIPT LOAD`, `TIME`, `XADD`, `XGROUP CREATE`, `XGROUP DESTROY`, `XINFO STREAM`, `XRANGE`,
///   `XREAD`, `XREVRANGE`, `XSETID`, `ZADD`, `ZCARD`, `ZRANGE`, `ZRANGEBYSCORE` and
///   `ZREMRANGEBYRANK`. Without the first two, the first client of a topic may wait up to 5 seconds
///   for its events.
///
/// The first subscription to a topic creates a stream and a small hash, which remain. Let
/// [`authorize`](crate::HubBuilder::authorize) refuse names that are not yours.
///
/// For `rediss://` URLs, enable one of the TLS features for tokio of the crate `redis` 1 in your
/// own dependencies.
pub struct RedisStore {
    core: Arc<Core>,
    topics: Topics<RedisTopic>,
}

/// What all topics share. The reading task ends with it.
#[derive(Debug)]
struct Core {
    options: Options,
    link: Arc<Link>,
    reader: Arc<Reader>,
    task: AbortHandle,
    doubts: Doubts,
    claim: Script,
    append: Script,
    look: Script,
}

impl Drop for Core {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug, Clone)]
struct Options {
    prefix: String,
    max_len: u64,
    window: usize,
    append_timeout: Duration,
    epoch_floor: u64,
    max_topics: usize,
}

impl RedisStore {
    /// The longest name of a topic, in bytes.
    pub const MAX_NAME_LEN: usize = 1024;

    /// Connects to the server at `url`, with the defaults of [`RedisStoreBuilder`]. All keys begin
    /// with `prefix` and a colon.
    ///
    /// # Errors
    ///
    /// If the URL is not valid, or the server cannot be reached now.
    pub fn connect(
        url: &str,
        prefix: &str,
    ) -> impl Future<Output = Result<Self, StoreError>> + Send + use<> {
        Self::builder(url, prefix).connect()
    }

    /// A store that is not the default one.
    pub fn builder(url: &str, prefix: &str) -> RedisStoreBuilder {
        RedisStoreBuilder {
            url: url.into(),
            options: Options {
                prefix: prefix.into(),
                max_len: 10_000,
                window: 256 << 10,
                append_timeout: Duration::from_secs(5),
                epoch_floor: 0,
                max_topics: 100_000,
            },
        }
    }

    /// How often a connection to the server was lost and made again. There are two, one for
    /// commands and one to wait for events.
    pub fn reconnects(&self) -> u64 {
        self.core.link.reconnects() + self.core.reader.reconnects()
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

/// Makes a [`RedisStore`] that is not the default one.
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
    /// How many events of a topic the server keeps: 10,000 by default, and up to about 100 more.
    ///
    /// Redis knows no limit in bytes: multiply by the mean length of your events. All processes
    /// should have the same number.
    pub fn max_len(mut self, events: u64) -> Self {
        self.options.max_len = events;
        self
    }

    /// How many bytes of each topic that has clients are kept in this process, too, so that they
    /// need not be read from the server for each client: 256 KiB by default.
    pub fn window(mut self, bytes: usize) -> Self {
        self.options.window = bytes;
        self
    }

    /// How long an append may take until it fails or its outcome is
    /// [unknown](crate::AppendError::Unknown): 5 seconds by default.
    pub fn append_timeout(mut self, time: Duration) -> Self {
        self.options.append_timeout = time;
        self
    }

    /// The lowest epoch that may begin: 0 by default. Epochs are microseconds since 1970, or more.
    ///
    /// Needed only after all data are lost and the server's clock is behind.
    pub fn epoch_floor(mut self, epoch: u64) -> Self {
        self.options.epoch_floor = epoch;
        self
    }

    /// How many topics may be in use in this process at once: 100,000 by default. It does not limit
    /// how many there are on the server.
    pub fn max_topics(mut self, topics: usize) -> Self {
        self.options.max_topics = topics;
        self
    }

    /// Connects. To be called within a tokio runtime with its timer and I/O.
    ///
    /// # Errors
    ///
    /// If the URL is not valid, or the server cannot be reached now. After this, lost connections
    /// are made again without end.
    pub async fn connect(self) -> Result<RedisStore, StoreError> {
        let client = Client::open(self.url)?;
        let link = Arc::new(Link::new(client.clone()));
        link.connection().await.map_err(Fault::into_error)?;
        let claim = Script::new(claim::SOURCE);
        let floor = self.options.epoch_floor;
        let reader = Arc::new(Reader::new(client, link.clone(), claim.clone(), floor));
        let task = tokio::spawn(reader.clone().run()).abort_handle();
        let max_topics = self.options.max_topics;
        let core = Core {
            options: self.options,
            link,
            reader,
            task,
            doubts: Doubts::default(),
            claim,
            append: Script::new(include_str!("redis/append.lua")),
            look: Script::new(include_str!("redis/look.lua")),
        };
        Ok(RedisStore {
            core: Arc::new(core),
            topics: Topics::new(max_topics),
        })
    }
}

impl fmt::Debug for RedisStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may have a password.
        f.debug_struct("RedisStoreBuilder")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
