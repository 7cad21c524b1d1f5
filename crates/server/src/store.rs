//! The traits `Store` and `Topic`: an append-only log per topic that is read by position.

use std::{error::Error, fmt, future::Future, sync::Arc};

use http::StatusCode;
use sse_proto::Frame;
use sse_proto_stream::EncodedFrame;

use crate::{EventId, Token};

/// Stores the events of all topics, for example in memory, in files or on a server.
///
/// Implemented by [`MemoryStore`](crate::MemoryStore), [`FileStore`](crate::FileStore) and
/// `RedisStore`. An implementation for another engine must follow these rules, which the tests
/// check for those three:
///
/// - An id is an epoch and a number. Within an epoch of a topic, the numbers start at 1 and have no
///   holes, whoever appends.
/// - The store begins a new epoch, greater than all previous ones, whenever it may have lost an
///   event that it had acknowledged: after a restart without all of its data, after a fail-over, or
///   when the log was deleted. An epoch must not be derived from a clock alone.
/// - An event that has been read keeps its id, and no id is used twice.
pub trait Store: Send + Sync + 'static {
    /// A topic of this store.
    type Topic: Topic;

    /// Returns the topic with that name, creating it if necessary. Performs no I/O.
    ///
    /// # Errors
    ///
    /// [`TopicError`] if there are too many topics, or the name is invalid for this store.
    fn topic(&self, name: &str) -> Result<Arc<Self::Topic>, TopicError>;
}

/// The log of one topic.
///
/// All futures may be dropped before they are ready. The event of a dropped
/// [`append`](Self::append) may have been appended, may be appended later, or never.
pub trait Topic: Send + Sync + 'static {
    /// Appends an event and returns the id assigned to it. An id set on the frame is not stored.
    ///
    /// The token identifies the event: if it was already appended, nothing is appended and the
    /// existing id is returned. If the store has lost the event since then, it is appended again.
    ///
    /// # Errors
    ///
    /// [`AppendError::NotAppended`] if the event is not in the log and never will be.
    /// [`AppendError::Unknown`] if that is not known, for example after a timeout. The event may
    /// then be in the log, or be appended later.
    fn append(
        &self,
        frame: Frame<'_>,
        token: &Token,
    ) -> impl Future<Output = Result<EventId, AppendError>> + Send;

    /// Reads the events after the position `after`, up to about `max_bytes`, but at least one event
    /// whatever its length.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be reached. The caller is responsible for retrying.
    fn read_after(
        &self,
        after: EventId,
        max_bytes: usize,
    ) -> impl Future<Output = Result<ReadAfter, StoreError>> + Send;

    /// Returns the positions between which the topic can currently be read.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be reached.
    fn bounds(&self) -> impl Future<Output = Result<Bounds, StoreError>> + Send;

    /// Returns [`bounds`](Self::bounds) if they are available without I/O. `None` by default.
    ///
    /// If implemented, events that are published between a subscription and the first bytes of its
    /// body are new to that client.
    fn bounds_now(&self) -> Option<Bounds> {
        None
    }

    /// Waits until [`read_after`](Self::read_after) may return something other than
    /// [`UpToDate`](ReadAfter::UpToDate).
    ///
    /// Spurious wake-ups are allowed. The future must not stay pending once there is something to
    /// read, whether it was appended before or after the call.
    fn wait(&self, after: EventId) -> impl Future<Output = ()> + Send;
}

/// The result of reading after a position.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadAfter {
    /// The next events, encoded with their ids and concatenated.
    Events {
        /// The encoded events.
        frames: EncodedFrame,
        /// The number of events, at least 1.
        count: u64,
        /// The id of the last one, which is the position for the next read.
        last: EventId,
    },
    /// There are no further events yet; use [`wait`](Topic::wait).
    UpToDate,
    /// Events after that position are missing, or may be, and cannot be read.
    Gap {
        /// Why.
        reason: GapReason,
        /// The position to continue from: the newest one, or the start of the next epoch if the
        /// position's epoch ended.
        resume: EventId,
    },
}

/// Why events after a position cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GapReason {
    /// The events after the position are no longer kept.
    TooOld,
    /// The store has lost events that the client has seen.
    Ahead,
    /// The epoch is unknown to the store, or the client did not send a valid id.
    Unknown,
    /// The epoch ended after that position. Events acknowledged later in that epoch may be lost.
    EpochEnded,
}

impl GapReason {
    /// Returns one word: `too-old`, `ahead`, `unknown` or `epoch-ended`.
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
    /// The position before the oldest kept event.
    pub oldest: EventId,
    /// The id of the newest event; number 0 if the epoch has no events.
    pub newest: EventId,
}

impl Bounds {
    /// Creates bounds, for implementations of [`Topic`].
    pub const fn new(oldest: EventId, newest: EventId) -> Self {
        Self { oldest, newest }
    }
}

/// An event was not appended, or it is not known whether it was.
#[derive(Debug)]
#[non_exhaustive]
pub enum AppendError {
    /// The event is not in the log and never will be.
    NotAppended(StoreError),
    /// The event may be in the log now, or be appended later.
    Unknown(StoreError),
}

impl AppendError {
    /// The error for a token that the store no longer remembers.
    pub(crate) fn forgotten() -> Self {
        Self::Unknown("the token is too old: the store has forgotten it".into())
    }
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAppended(_) => "the event was not appended",
            Self::Unknown(_) => "the event may have been appended or not",
        })
    }
}

impl Error for AppendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NotAppended(error) | Self::Unknown(error) => Some(error.as_ref()),
        }
    }
}

/// An error of a store.
pub type StoreError = Box<dyn Error + Send + Sync>;

/// A topic cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TopicError {
    /// The maximum number of topics is in use.
    #[non_exhaustive]
    TooMany {
        /// The maximum number of topics.
        limit: usize,
    },
    /// The name is empty or too long for this store.
    InvalidName,
}

impl TopicError {
    /// Creates `TooMany`, for implementations of [`Store`].
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
