//! What the user learns about a connection, and how the driver reports its end.

#[cfg(doc)]
use crate::EventSource;
use crate::Unfinished;
use core::fmt;

/// An event about the connection, as opposed to one from the stream.
///
/// Exhaustive: the standard defines these two.
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
    /// The standard's `open`: the connection is open.
    Open,
    /// The standard's `error`: the connection was lost or could not be established.
    Error {
        /// The new state: `Connecting` if there will be another attempt, `Closed` if not.
        ready_state: ReadyState,
        /// Why the connection was lost.
        reason: Reason,
    },
}

/// The standard's `readyState`, with its numbers.
///
/// Exhaustive: the standard defines these three.
///
/// ```
/// use sse_proto::ReadyState;
///
/// let all = [ReadyState::Connecting, ReadyState::Open, ReadyState::Closed];
/// assert_eq!(all.map(|state| state as u8), [0, 1, 2]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReadyState {
    /// There is no connection at the moment.
    Connecting = 0,
    /// There is a connection, and messages may arrive.
    Open = 1,
    /// There is no connection, and there will be none.
    Closed = 2,
}

/// How a request, or the body of its response, ended.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use sse_proto::{Disconnect, EventSource, ReadyState};
///
/// for (cause, state) in [
///     (Disconnect::EndOfBody, ReadyState::Connecting),
///     (Disconnect::Network, ReadyState::Connecting),
///     (Disconnect::Permanent, ReadyState::Closed),
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
    /// The body is complete as far as HTTP can tell.
    EndOfBody,
    /// A network error that may be temporary: no connection, no response, or a body that broke off.
    ///
    /// A request that got no response is not retried if its URL is not an HTTP URL. In that case
    /// this counts as a permanent failure, like `Permanent`.
    Network,
    /// The time limit of [`Request::timeout`](crate::Request::timeout) or
    /// [`ReadTimeouts::timeout`](crate::ReadTimeouts::timeout) has expired.
    Timeout,
    /// A failure after which another attempt is unwanted or known "to be futile", as the standard
    /// puts it: blocked by a policy, an untrusted certificate, aborted by the user.
    Permanent,
}

/// Why there was an `error`: for logs and people. The standard hides this from a page.
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
    /// The response had a content type other than `text/event-stream`, or none.
    ContentType,
    /// [`Disconnect::EndOfBody`] after a complete event.
    ///
    /// A client cannot tell whether the stream is complete. If a server is killed, a proxy may end
    /// the response properly, and with HTTP/1.0 every body ends with its connection. Only a message
    /// can announce that a stream is complete: see [`EventSource::expect_end`].
    EndOfBody,
    /// [`Disconnect::EndOfBody`] within a line or an event, which is discarded: the server was
    /// killed, or omitted the blank line after its last event.
    Truncated(Unfinished),
    /// [`Disconnect::EndOfBody`] of a body that had lines, all of them ignored: an error in JSON or
    /// HTML, for example, in spite of its content type. A body with a single comment is an event
    /// stream, and so is an empty one.
    ///
    /// As after every end of a body, there will be another attempt. See
    /// [`Decoder::has_recognized_line`](crate::Decoder::has_recognized_line).
    NoEventStream,
    /// [`Disconnect::Network`]
    Network,
    /// [`Disconnect::Timeout`]
    Timeout,
    /// [`Disconnect::Permanent`]
    Permanent,
    /// This number of consecutive failures reached
    /// [`RetryPolicy::max_failures`](crate::RetryPolicy::max_failures). The last of them is the one
    /// that the driver has just reported.
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
            Self::NoEventStream => f.write_str("the body was no event stream"),
            Self::Network => f.write_str("network error"),
            Self::Timeout => f.write_str("timeout"),
            Self::Permanent => f.write_str("the request failed permanently"),
            Self::GaveUp(failures) => write!(f, "gave up after {failures} failures in a row"),
            Self::Reconnect => f.write_str("a reconnect was asked for"),
        }
    }
}
