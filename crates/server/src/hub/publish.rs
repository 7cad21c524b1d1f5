//! Publishing, and its three outcomes.

use std::{error::Error, fmt};

use http::StatusCode;
use sse_proto::Frame;

use crate::{AppendError, EventId, Hub, Store, StoreError, Token, Topic as _, TopicError};

impl<S: Store> Hub<S> {
    /// Publishes an event to all clients of a topic, now and later, and returns its id.
    ///
    /// The id comes from the store; one that the frame has is not sent. The event reaches clients in the
    /// order of the ids, whoever published.
    ///
    /// # Errors
    ///
    /// [`PublishError`]. Of [`Unknown`](PublishError::Unknown), nobody knows whether the event was
    /// published: [`publish_again`](Self::publish_again) with its token.
    pub async fn publish(&self, topic: &str, frame: Frame<'_>) -> Result<EventId, PublishError> {
        self.publish_again(topic, frame, &self.token()).await
    }

    /// A token for [`publish_again`](Self::publish_again), for callers that may drop the future of a
    /// publication and then want to know.
    pub fn token(&self) -> Token {
        self.shared.publisher.token()
    }

    /// Publishes an event unless it was published with this token before; in either case, returns its
    /// id.
    ///
    /// # Errors
    ///
    /// [`PublishError`]; again `Unknown` if the token is too old.
    ///
    /// ```
    /// use sse_proto::Frame;
    /// use sse_proto_server::{Hub, MemoryStore};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::new(MemoryStore::new());
    /// let (token, frame) = (hub.token(), Frame::message("17.20"));
    /// let id = hub.publish_again("prices", frame, &token).await?;
    /// assert_eq!(hub.publish_again("prices", frame, &token).await?, id);
    /// assert_eq!(hub.publish("prices", frame).await?.number, id.number + 1);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn publish_again(
        &self,
        topic: &str,
        frame: Frame<'_>,
        token: &Token,
    ) -> Result<EventId, PublishError> {
        if !frame.is_event() {
            return Err(PublishError::NotAnEvent);
        }
        let frame = frame.without_id();
        let (len, limit) = (frame.encoded_len(), self.shared.options.max_event_len);
        if len > limit {
            return Err(PublishError::TooLong { len, limit });
        }
        let log = self.shared.store.topic(topic)?;
        let id = log
            .append(frame, token)
            .await
            .map_err(|error| match error {
                AppendError::NotDone(error) => PublishError::NotDone(error),
                AppendError::Unknown(error) => PublishError::Unknown {
                    token: token.clone(),
                    error,
                },
            })?;
        self.shared.audience.count_published();
        Ok(id)
    }
}

/// An event was not published, or nobody knows.
#[derive(Debug)]
#[non_exhaustive]
pub enum PublishError {
    /// The frame has no data: no client would see it, and nothing would separate it from the next one.
    NotAnEvent,
    /// The event is longer than [`HubBuilder::max_event_len`](crate::HubBuilder::max_event_len).
    #[non_exhaustive]
    TooLong {
        /// Its length in bytes, without the id.
        len: usize,
        /// How many there may be.
        limit: usize,
    },
    /// There is no such topic, and cannot be.
    Topic(TopicError),
    /// The store has not taken it, and will not.
    NotDone(StoreError),
    /// The store has it, or will have it, or not: its answer is missing.
    #[non_exhaustive]
    Unknown {
        /// Makes trying again safe: [`Hub::publish_again`].
        token: Token,
        /// Why the answer is missing.
        error: StoreError,
    },
}

impl PublishError {
    /// The status with which a handler that publishes for a client may answer: 400 for what is no
    /// event, 413 for one that is too long, 404 or 503 for a topic that cannot be had, 503 for "not
    /// done", and 504 for "unknown".
    ///
    /// ```
    /// use http::StatusCode;
    /// use sse_proto::Frame;
    /// use sse_proto_server::{Hub, MemoryStore};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let hub = Hub::new(MemoryStore::new());
    /// let error = hub.publish("prices", Frame::keep_alive()).await.unwrap_err();
    /// assert_eq!(error.status(), StatusCode::BAD_REQUEST);
    /// # }
    /// ```
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotAnEvent => StatusCode::BAD_REQUEST,
            Self::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Topic(error) => error.status(),
            Self::NotDone(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unknown { .. } => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}

impl From<TopicError> for PublishError {
    fn from(error: TopicError) -> Self {
        Self::Topic(error)
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnEvent => f.write_str("a frame without data is no event"),
            Self::TooLong { len, limit } => {
                write!(f, "the event has {len} bytes, and {limit} are allowed")
            }
            Self::Topic(error) => write!(f, "{error}"),
            Self::NotDone(_) => f.write_str("the event was not published"),
            Self::Unknown { .. } => f.write_str("the event may have been published or not"),
        }
    }
}

impl Error for PublishError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NotDone(error) | Self::Unknown { error, .. } => Some(error.as_ref()),
            _ => None,
        }
    }
}
