//! What a store has to do: keep what is published, and give it back by position.

use std::{error::Error, fmt, future::Future, sync::Arc};

use http::StatusCode;
use sse_proto::Frame;
use sse_proto_stream::EncodedFrame;

use crate::{EventId, Token};

/// Keeps the events of all topics: in memory, in files, on a server.
///
/// [`MemoryStore`](crate::MemoryStore), [`FileStore`](crate::FileStore) and `RedisStore` are stores. Write
/// one for another engine by these rules, to which the tests hold those three:
///
/// - An id is an epoch and a number. Within an epoch of a topic the numbers start at 1 and have no
///   holes, whoever appends.
/// - The store begins a new epoch, greater than all before it, whenever it may have lost an event
///   that it had acknowledged: after a restart without all of its data, after a fail-over, when the log
///   was deleted. No epoch is taken from a clock alone.
/// - What was read once is not given another id, and no id is given twice.
pub trait Store: Send + Sync + 'static {
    /// One topic of this store.
    type Topic: Topic;

    /// The topic of that name, which is made if it is not there yet. Does no I/O.
    ///
    /// # Errors
    ///
    /// [`TopicError`] if there are too many topics, or the store cannot have one of that name.
    fn topic(&self, name: &str) -> Result<Arc<Self::Topic>, TopicError>;
}

/// The log of one topic.
///
/// Any of the futures may be dropped before it is ready. A dropped [`append`](Self::append) may have
/// happened or not, or happen later.
pub trait Topic: Send + Sync + 'static {
    /// Appends an event and gives it the next id. The id of the frame itself, if it has one, is not
    /// stored.
    ///
    /// The same token means the same event: if it was appended before, nothing is appended, and the
    /// answer is the id that it has. An event that the store has lost since then is appended anew.
    ///
    /// # Errors
    ///
    /// [`AppendError::NotDone`] if the event is not in the log and will never be.
    /// [`AppendError::Unknown`] if that cannot be told, as after a time-out. It may then be in the log,
    /// or come to be there later.
    fn append(
        &self,
        frame: Frame<'_>,
        token: &Token,
    ) -> impl Future<Output = Result<EventId, AppendError>> + Send;

    /// Reads what follows `after`: as many events as there are, up to about `max_bytes`, and one at
    /// least however long it is.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be reached. To call again later is the caller's part.
    fn read_after(
        &self,
        after: EventId,
        max_bytes: usize,
    ) -> impl Future<Output = Result<ReadAfter, StoreError>> + Send;

    /// The positions between which the topic can be read now.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be reached.
    fn bounds(&self) -> impl Future<Output = Result<Bounds, StoreError>> + Send;

    /// The same as [`bounds`](Self::bounds), if it can be told at once, without I/O: what is published
    /// between a subscription and the first bytes of its body is new to that client then. `None`
    /// unless implemented.
    fn bounds_now(&self) -> Option<Bounds> {
        None
    }

    /// Waits until [`read_after`](Self::read_after) may say something else than
    /// [`UpToDate`](ReadAfter::UpToDate).
    ///
    /// It is no more than a hint: it may be ready for nothing. It must not stay pending when there is
    /// something, whenever that was appended, before or after the call.
    fn wait(&self, after: EventId) -> impl Future<Output = ()> + Send;
}

/// What follows a position.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadAfter {
    /// The next events, encoded with their ids, and joined.
    Events {
        /// What to send.
        frames: EncodedFrame,
        /// How many events that is: one at least.
        count: u64,
        /// The id of the last of them, after which to read next.
        last: EventId,
    },
    /// Nothing yet: [`wait`](Topic::wait).
    UpToDate,
    /// Events are missing after that position, or may be. They are not to be had.
    Gap {
        /// Why.
        reason: GapReason,
        /// The position after which to go on: the newest one; after the end of an epoch, the start of
        /// the next one.
        resume: EventId,
    },
}

/// Why what follows a position cannot be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GapReason {
    /// The events after it are no longer kept.
    TooOld,
    /// The store has lost events that the client has seen.
    Ahead,
    /// The store does not know that epoch, or what the client sent is no id of ours.
    Unknown,
    /// The epoch has ended after that position. Events that were acknowledged after it may be lost.
    EpochEnded,
}

impl GapReason {
    /// One word: `too-old`, `ahead`, `unknown` or `epoch-ended`.
    ///
    /// ```
    /// assert_eq!(sse_proto_server::GapReason::TooOld.as_str(), "too-old");
    /// ```
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooOld => "too-old",
            Self::Ahead => "ahead",
            Self::Unknown => "unknown",
            Self::EpochEnded => "epoch-ended",
        }
    }
}

impl fmt::Display for GapReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The positions between which a topic can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bounds {
    /// The position before the oldest event that is kept.
    pub oldest: EventId,
    /// The id of the newest event; in an epoch without events, number 0.
    pub head: EventId,
}

impl Bounds {
    /// For implementations of [`Topic`].
    pub const fn new(oldest: EventId, head: EventId) -> Self {
        Self { oldest, head }
    }
}

/// An event was not appended, or nobody knows.
#[derive(Debug)]
#[non_exhaustive]
pub enum AppendError {
    /// The event is not in the log and will never be.
    NotDone(StoreError),
    /// The event may be in the log, now or later.
    Unknown(StoreError),
}

impl AppendError {
    /// The answer to a token of which the store no longer knows whether it was used.
    pub(crate) fn forgotten() -> Self {
        Self::Unknown("the token is too old: the store has forgotten it".into())
    }
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotDone(_) => "the event was not appended",
            Self::Unknown(_) => "the event may have been appended or not",
        })
    }
}

impl Error for AppendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NotDone(error) | Self::Unknown(error) => Some(error.as_ref()),
        }
    }
}

/// What went wrong in a store.
pub type StoreError = Box<dyn Error + Send + Sync>;

/// A topic cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TopicError {
    /// All topics that the store may have are in use.
    #[non_exhaustive]
    TooMany {
        /// How many that is.
        limit: usize,
    },
    /// The name is empty, or too long for this store.
    InvalidName,
}

impl TopicError {
    /// For implementations of [`Store`].
    pub const fn too_many(limit: usize) -> Self {
        Self::TooMany { limit }
    }

    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::TooMany { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::InvalidName => StatusCode::NOT_FOUND,
        }
    }
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { limit } => write!(f, "all of the {limit} topics are in use"),
            Self::InvalidName => f.write_str("a topic's name is empty or too long"),
        }
    }
}

impl Error for TopicError {}
