//! What a user hears of a connection, and what the driver tells of its end.

#[cfg(doc)]
use crate::EventSource;
use crate::Unfinished;
use core::fmt;

/// An event of the connection, as opposed to one of the stream.
///
/// Exhaustive: the standard has these two.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use sse_proto::{EventSource, ReadyState, Reason, Signal};
///
/// let mut source = EventSource::new("http://a.example/stream").unwrap();
/// let none: [(&str, &str); 0] = [];
/// match source.handle_response(404, None, none) {
///     Some(Signal::Error { ready_state: ReadyState::Closed, reason }) => {
///         assert_eq!(reason, Reason::Status(404));
///     }
///     other => panic!("{other:?}"),
/// }
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// The standard's `open`: the connection is open, messages follow.
    Open,
    /// The standard's `error`: the connection is lost, or did not come about.
    Error {
        /// The state, set before: `Connecting` if there will be another attempt, `Closed` if not.
        ready_state: ReadyState,
        /// Why.
        reason: Reason,
    },
}

/// The standard's `readyState`, with its numbers.
///
/// Exhaustive: the standard has these three.
///
/// ```
/// use sse_proto::ReadyState;
///
/// let all = [ReadyState::Connecting, ReadyState::Open, ReadyState::Closed];
/// assert_eq!(all.map(|state| state as u8), [0, 1, 2]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReadyState {
    /// There is no connection yet, or not at the moment.
    Connecting = 0,
    /// There is a connection, and messages come.
    Open = 1,
    /// There is none, and there will be none.
    Closed = 2,
}

/// What became of a request, or of the body of its response.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use sse_proto::{Disconnect, EventSource, ReadyState};
///
/// for (cause, state) in [
///     (Disconnect::EndOfBody, ReadyState::Connecting),
///     (Disconnect::Network, ReadyState::Connecting),
///     (Disconnect::Futile, ReadyState::Closed),
/// ] {
///     let mut source = EventSource::new("http://a.example/stream").unwrap();
///     let _open = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
///     let _error = source.handle_disconnect(cause);
///     assert_eq!(source.ready_state(), state);
/// }
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Disconnect {
    /// The body is complete, as HTTP tells it.
    EndOfBody,
    /// No connection, no answer, a body that broke off: it may go better next time.
    ///
    /// A request that never came to a response does not go better if the URL is not one for HTTP:
    /// there it is `Futile`.
    Network,
    /// The time is over that [`Request::timeout`](crate::Request::timeout) or
    /// [`ReadTimeouts::timeout`](crate::ReadTimeouts::timeout) has set.
    Timeout,
    /// As `Network`, but another attempt would be futile or is not wanted: refused by policy, a
    /// certificate that is not trusted, aborted by the user.
    Futile,
}

/// Why there was an `error`: what the standard keeps from the page, for logs and people.
///
/// ```
/// use sse_proto::Reason;
///
/// assert_eq!(Reason::Status(404).to_string(), "status 404");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The response had this status instead of 200.
    Status(u16),
    /// The response had another type than `text/event-stream`, or none.
    ContentType,
    /// [`Disconnect::EndOfBody`], behind a whole event.
    ///
    /// More a client cannot know. A server that was killed looks the same where a proxy ends its
    /// response properly, or where HTTP/1.0 has no other end than that of the connection: only a
    /// message can say that a stream is complete.
    EndOfBody,
    /// [`Disconnect::EndOfBody`], but amid a line or an event, of which nothing is handed out: the
    /// server was killed, or forgot the blank line behind its last event.
    Truncated(Unfinished),
    /// [`Disconnect::Network`]
    Network,
    /// [`Disconnect::Timeout`]
    Timeout,
    /// [`Disconnect::Futile`]
    Futile,
    /// So many failures in a row were too many:
    /// [`RetryPolicy::max_failures`](crate::RetryPolicy::max_failures). The last of them is what
    /// the driver has just told.
    GaveUp(u32),
    /// [`EventSource::reconnect_now`]
    Reconnect,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "status {status}"),
            Self::ContentType => f.write_str("the content type is not text/event-stream"),
            Self::EndOfBody => f.write_str("the body ended"),
            Self::Truncated(Unfinished::Line) => f.write_str("the body ended inside a line"),
            Self::Truncated(Unfinished::Event) => f.write_str("the body ended inside an event"),
            Self::Network => f.write_str("network error"),
            Self::Timeout => f.write_str("timeout"),
            Self::Futile => f.write_str("the request is futile"),
            Self::GaveUp(failures) => write!(f, "gave up after {failures} failures in a row"),
            Self::Reconnect => f.write_str("a reconnect was asked for"),
        }
    }
}
