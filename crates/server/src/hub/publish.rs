//! Publishing and its outcomes.

use std::{error::Error, fmt};

use http::StatusCode;
use sse_proto::Frame;

use crate::{AppendError, EventId, Hub, Store, StoreError, Token, Topic as _, TopicError};

impl<S: Store> Hub<S> {
    /// Publishes an event to all present and future clients of a topic, and returns its id.
    ///
    /// The store assigns the id; an id set on the frame is not sent. All clients receive events in
    /// the order of their ids, whoever published them.
    ///
    /// # Errors
    ///
    /// [`PublishError`]. After [`Unknown`](PublishError::Unknown) it is not known whether the event
    /// was published; call [`publish_with_token`](Self::publish_with_token) with the token of the
    /// error.
    pub async fn publish(&self, topic: &str, frame: Frame<'_>) -> Result<EventId, PublishError> {
        self.publish_with_token(topic, frame, &self.token()).await
    }

    /// Returns a token for [`publish_with_token`](Self::publish_with_token). Useful for callers that
    /// may drop the future of a publication and then need to know its outcome.
    pub fn token(&self) -> Token {
        self.shared.publisher.token()
    }

    /// Publishes an event, unless it has already been published with this token. Returns its id in
    /// both cases.
    ///
    /// # Errors
    ///
    /// [`PublishError`]; `Unknown` also if the token is too old.
    ///
    /// ```
    /// use sse_proto::Frame;
    /// use sse_proto_server::{Hub, MemoryStore};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::new(MemoryStore::new());
    /// let (token, frame) = (hub.token(), Frame::message("17.20"));
    /// let id = hub.publish_with_token("prices", frame, &token).await?;
    /// assert_eq!(hub.publish_with_token("prices", frame, &token).await?, id);
    /// assert_eq!(hub.publish("prices", frame).await?.number, id.number + 1);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn publish_with_token(
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
                AppendError::NotAppended(error) => PublishError::NotPublished(error),
                AppendError::Unknown(error) => PublishError::Unknown {
                    token: token.clone(),
                    error,
                },
            })?;
        self.shared.clients.count_published();
        Ok(id)
    }
}

/// An event was not published, or it is not known whether it was.
#[derive(Debug)]
#[non_exhaustive]
pub enum PublishError {
    /// The frame has no data: no client would dispatch it, and it would merge with the next event.
    NotAnEvent,
    /// The event is longer than [`HubBuilder::max_event_len`](crate::HubBuilder::max_event_len).
    #[non_exhaustive]
    TooLong {
        /// The length of the event in bytes, without the id.
        len: usize,
        /// The maximum length.
        limit: usize,
    },
    /// The topic cannot be used.
    Topic(TopicError),
    /// The event is not in the store and never will be. It can be published again.
    NotPublished(StoreError),
    /// The store did not answer: the event may be in the store now, later, or never.
    #[non_exhaustive]
    Unknown {
        /// Pass it to [`Hub::publish_with_token`] to retry without publishing the event twice.
        token: Token,
        /// Why there is no answer.
        error: StoreError,
    },
}

impl PublishError {
    /// A suitable response status for a handler that publishes on behalf of a client: 400 for a
    /// frame that is not an event, 413 for one that is too long, 404 or 503 for a topic that cannot
    /// be used, 503 for `NotPublished` and 504 for `Unknown`.
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
            Self::NotPublished(_) => StatusCode::SERVICE_UNAVAILABLE,
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
            Self::NotAnEvent => f.write_str("a frame without data is not an event"),
            Self::TooLong { len, limit } => {
                write!(f, "the event has {len} bytes, but the limit is {limit}")
            }
            Self::Topic(error) => write!(f, "{error}"),
            Self::NotPublished(_) => f.write_str("the event was not published"),
            Self::Unknown { .. } => f.write_str("the event may have been published or not"),
        }
    }
}

impl Error for PublishError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NotPublished(error) | Self::Unknown { error, .. } => Some(error.as_ref()),
            _ => None,
        }
    }
}
