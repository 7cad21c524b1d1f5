//! Queries: the attributes of the standard's interface, and the reconnection state.

use super::request::Credentials;
use super::signal::ReadyState;
use super::state::State;
use super::{EventSource, Origin};
#[cfg(doc)]
use super::{Request, RetryPolicy};
use crate::Storage;
use core::time::Duration;

impl<U: AsRef<str>, S: Storage> EventSource<U, S> {
    /// The original URL.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let source = sse_proto::EventSource::new("http://a.example/stream").unwrap();
    /// assert_eq!(source.url(), "http://a.example/stream");
    /// # }
    /// ```
    pub fn url(&self) -> &str {
        self.location.original_url().as_ref()
    }

    /// The origin of the current stream, or of the last one: that of its final URL. Reported
    /// redirects take effect immediately.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let source = sse_proto::EventSource::new("HTTP://A.example:80/stream").unwrap();
    /// assert_eq!(source.origin(), "http://a.example");
    /// # }
    /// ```
    pub fn origin(&self) -> Origin<'_> {
        Origin::of(self.location.stream_url().as_ref())
    }

    /// The last event ID string, which the next request sends if a header can carry it.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// # let mut source = sse_proto::EventSource::new("http://a.example/stream").unwrap();
    /// # let _ = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
    /// let mut messages = source.feed(b"id: 7\n\n");
    /// assert_eq!(messages.next_message(), Ok(None));
    /// assert_eq!(source.last_event_id(), "7");
    /// # }
    /// ```
    pub fn last_event_id(&self) -> &str {
        self.decoder.last_event_id()
    }

    /// Whether the next request omits the last event ID because no header can carry it: see
    /// [`Request::last_event_id_omitted`].
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let mut source = sse_proto::EventSource::new("http://a.example/stream").unwrap();
    /// assert!(!source.last_event_id_omitted());
    /// source.set_last_event_id("a\u{7}b").unwrap();
    /// assert!(source.last_event_id_omitted());
    /// # }
    /// ```
    pub fn last_event_id_omitted(&self) -> bool {
        self.request().last_event_id_omitted
    }

    /// The reconnection time: the last `retry` from the server, or that of
    /// [`RetryPolicy::reconnection_time`] until there is one. It persists across connections.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let source = sse_proto::EventSource::new("http://a.example/stream").unwrap();
    /// assert_eq!(source.reconnection_time().as_millis(), 3000);
    /// # }
    /// ```
    pub fn reconnection_time(&self) -> Duration {
        self.retry_policy
            .effective_reconnection_time(self.decoder.reconnection_time())
    }
}

impl<U, S> EventSource<U, S> {
    /// The standard's `readyState`.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let source = sse_proto::EventSource::new("http://a.example/stream").unwrap();
    /// assert_eq!(source.ready_state() as u8, 0);
    /// # }
    /// ```
    pub const fn ready_state(&self) -> ReadyState {
        match self.state {
            State::Connecting | State::Waiting { .. } => ReadyState::Connecting,
            State::Open { .. } => ReadyState::Open,
            State::Closed(_) => ReadyState::Closed,
        }
    }

    /// The standard's `withCredentials`.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let source = sse_proto::EventSource::new("http://a.example/stream").unwrap();
    /// assert!(!source.with_credentials());
    /// # }
    /// ```
    pub const fn with_credentials(&self) -> bool {
        matches!(self.credentials, Credentials::Include)
    }

    /// The number of consecutive failed requests and connections, as used by
    /// [`RetryPolicy::backoff`].
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Disconnect, EventSource};
    ///
    /// let mut source = EventSource::new("http://a.example/stream").unwrap();
    /// assert_eq!(source.failures(), 0);
    /// let _error = source.handle_disconnect(Disconnect::Network);
    /// assert_eq!(source.failures(), 1);
    /// # }
    /// ```
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}
