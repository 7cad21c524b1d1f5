//! The errors of streams of events.

use std::fmt;

use sse_proto::EventTooLarge;

/// An error of a stream of events.
///
/// `TooLarge` and `Json` concern a single event, and the stream continues. The others end it.
///
/// ```
/// use sse_proto_stream::Error;
///
/// let error: Error<std::io::Error> = Error::Incomplete;
/// assert_eq!(error.to_string(), "stream ended before its end marker");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error<E> {
    /// The source of the bytes failed, for example with a network error.
    Source(E),
    /// An event, a comment or an ignored line exceeded the limit of the decoder. It was skipped, and
    /// the stream continues after it.
    TooLarge(EventTooLarge),
    /// The stream ended before the end marker given to `until`: it was cut off.
    Incomplete,
    /// The stream ended, and all of its lines were ignored: it was no event stream, but an error in
    /// JSON or HTML, for example.
    NoEventStream,
    /// The data of an event is not the expected JSON. The stream continues after it.
    #[cfg(feature = "json")]
    Json(JsonError),
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(error) => write!(f, "source of the stream failed: {error}"),
            Self::TooLarge(error) => error.fmt(f),
            Self::Incomplete => f.write_str("stream ended before its end marker"),
            Self::NoEventStream => f.write_str("the body was no event stream"),
            #[cfg(feature = "json")]
            Self::Json(error) => error.fmt(f),
        }
    }
}

/// The source is the inner error of `Source`, or the `serde_json` error of `Json`.
impl<E: std::error::Error + 'static> std::error::Error for Error<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Source(error) => Some(error),
            Self::TooLarge(_) | Self::Incomplete | Self::NoEventStream => None,
            #[cfg(feature = "json")]
            Self::Json(error) => error.source(),
        }
    }
}

/// The data of an event is not the expected JSON. (Feature `json`.)
///
/// It contains the event, as APIs often send errors in another form than results.
#[cfg(feature = "json")]
#[derive(Debug)]
pub struct JsonError {
    error: serde_json::Error,
    event: sse_proto::OwnedEvent,
}

#[cfg(feature = "json")]
impl JsonError {
    pub(crate) fn new(error: serde_json::Error, event: sse_proto::OwnedEvent) -> Self {
        Self { error, event }
    }

    /// Returns the event.
    pub fn event(&self) -> &sse_proto::OwnedEvent {
        &self.event
    }

    /// Returns the event by value.
    pub fn into_event(self) -> sse_proto::OwnedEvent {
        self.event
    }
}

#[cfg(feature = "json")]
impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "data is not the expected JSON: {}", self.error)
    }
}

#[cfg(feature = "json")]
impl std::error::Error for JsonError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}
