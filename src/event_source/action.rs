//! What the driver has to do next.

use super::EventSource;
use super::request::Request;
use super::retry::Wait;
use super::signal::Reason;
use super::state::State;
use crate::Storage;
use core::time::Duration;

/// What the driver of an [`EventSource`] has to do next.
///
/// A driver whose future may be dropped keeps the state of an action (the pending request, the
/// response, the deadline of a wait) next to the machine rather than in that future. It can then
/// continue where it was interrupted.
///
/// Exhaustive: a driver cannot continue after an action that it does not know.
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
    /// Drop the connection, if any. Send this request, unless it is already pending, and report the
    /// outcome with [`handle_response`](EventSource::handle_response) or
    /// [`handle_disconnect`](EventSource::handle_disconnect).
    Connect(Request<'s>),
    /// Read the body of the response: pass each chunk to [`feed`](EventSource::feed), and report
    /// the end with [`handle_disconnect`](EventSource::handle_disconnect).
    Read(ReadTimeouts),
    /// Drop the connection. Wait for this time, measured from when the action first came up, and
    /// then call [`handle_wait_elapsed`](EventSource::handle_wait_elapsed). Waiting longer is
    /// allowed, for example until the network is available again.
    Wait(Wait),
    /// Drop the connection: the source is closed permanently. It was closed for this reason, or
    /// (`None`) because [`close`](EventSource::close) was called or an
    /// [expected](EventSource::expect_end) end came.
    Stop(Option<Reason>),
}

/// The time limits that apply while a body is read.
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
    /// After this time without a byte of the body, drop the connection and report
    /// [`Disconnect::Timeout`](crate::Disconnect::Timeout). Set by
    /// [`read_timeout`](EventSource::read_timeout). The time starts with the head of the response,
    /// and again with each byte.
    pub timeout: Option<Duration>,
    /// When the connection has been open for this time, call
    /// [`handle_stable_elapsed`](EventSource::handle_stable_elapsed). Set by
    /// [`RetryPolicy::stable_after`](crate::RetryPolicy::stable_after); `None` once
    /// `handle_stable_elapsed` was called.
    pub stable_after: Option<Duration>,
}

impl<U: AsRef<str>, S: Storage> EventSource<U, S> {
    /// What the driver has to do now.
    ///
    /// The answer stays the same until an input changes it, and asking changes nothing. A driver
    /// that is already doing it continues; one that was interrupted starts again.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, EventSource};
    ///
    /// let mut source = EventSource::new("http://a.example/stream").unwrap();
    /// assert!(matches!(source.action(), Action::Connect(_)));
    /// assert!(matches!(source.action(), Action::Connect(_)));
    /// source.close();
    /// assert_eq!(source.action(), Action::Stop(None));
    /// # }
    /// ```
    #[must_use]
    pub fn action(&self) -> Action<'_> {
        match self.state {
            State::Connecting => Action::Connect(self.request()),
            State::Open { is_stable, .. } => Action::Read(ReadTimeouts {
                timeout: self.read_timeout,
                stable_after: self.retry_policy.stable_after.filter(|_| !is_stable),
            }),
            State::Waiting { retry_after } => Action::Wait(self.retry_policy.wait(
                self.decoder.reconnection_time(),
                self.failures,
                retry_after,
            )),
            State::Closed(reason) => Action::Stop(reason),
        }
    }
}
