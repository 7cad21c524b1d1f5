//! What the driver is to do.

use super::request::Request;
use super::retry::Wait;
use super::signal::Reason;
#[cfg(doc)]
use crate::EventSource;
use core::time::Duration;

/// What the driver of an [`EventSource`] is to do.
///
/// A driver that may be interrupted keeps what belongs to an action (the request under way, the
/// response, the end of a wait) beside the machine, and not in a future that may be dropped: then
/// it goes on where it was.
///
/// Exhaustive: a driver that does not know an action cannot go on.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use sse_proto::{Action, EventSource};
///
/// let mut source = EventSource::new("http://a.example/stream").unwrap();
/// assert!(matches!(source.action(), Action::Connect(request) if request.url == source.url()));
/// let _open = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
/// assert!(matches!(source.action(), Action::Read(_)));
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action<'s> {
    /// To drop the connection, if there is one, to send this request, if it is not under way yet,
    /// and to tell what becomes of it: [`handle_response`](EventSource::handle_response) or
    /// [`handle_disconnect`](EventSource::handle_disconnect).
    Connect(Request<'s>),
    /// To read the body of the response: [`feed`](EventSource::feed), and
    /// [`handle_disconnect`](EventSource::handle_disconnect) at its end.
    Read(ReadTimeouts),
    /// To drop the connection, to let so much time pass since this action came up, and then to call
    /// [`handle_wait_elapsed`](EventSource::handle_wait_elapsed). To wait longer, for the network
    /// to come back say, is fine.
    Wait(Wait),
    /// To drop the connection: it is over for good, for this reason, or because
    /// [`close`](EventSource::close) was called or an end came that was
    /// [expected](EventSource::expect_end).
    Stop(Option<Reason>),
}

/// What has to be known to read a body.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use sse_proto::{Action, EventSource};
///
/// let mut source = EventSource::new("http://a.example/stream").unwrap();
/// let _open = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
/// let Action::Read(read) = source.action() else { panic!() };
/// assert_eq!((read.timeout, read.stable_after), (None, None));
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadTimeouts {
    /// After so much time without a byte of the body the driver drops the connection and tells
    /// [`Disconnect::Timeout`](crate::Disconnect::Timeout): what
    /// [`read_timeout`](EventSource::read_timeout) says. It begins anew with the head of the
    /// response and with each byte.
    pub timeout: Option<Duration>,
    /// When the connection has been open for so long, the driver calls
    /// [`handle_stable`](EventSource::handle_stable): what
    /// [`RetryPolicy::stable_after`](crate::RetryPolicy::stable_after) says, until it was told.
    pub stable_after: Option<Duration>,
}
