//! Inputs from the user: closing, reconnecting, and what may change while the source is in use.

use super::EventSource;
use super::origin::InvalidUrl;
use super::signal::Signal;
use super::state::Input;
#[cfg(doc)]
use super::{Action, Messages, Reason, RetryPolicy};
use crate::{IdTooLong, Storage};

impl<U: AsRef<str>, S: Storage> EventSource<U, S> {
    /// The standard's `close()`: no further messages are returned, not even those in the current
    /// chunk, and no signal. [`Action::Stop`] tells the driver to drop its request, response or
    /// timer.
    ///
    /// To close between two messages of a chunk, use [`Messages::close`].
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, EventSource, ReadyState};
    ///
    /// let mut source = EventSource::new("http://a.example/stream").unwrap();
    /// source.close();
    /// assert_eq!(source.ready_state(), ReadyState::Closed);
    /// let late = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
    /// assert_eq!(late, None);
    /// # }
    /// ```
    pub fn close(&mut self) {
        let _none = self.apply(Input::Close);
    }

    /// Reconnects now: ends a wait that has become pointless (the network is back, there is a new
    /// token), or replaces the open connection.
    ///
    /// If a connection is open, it is lost: this returns the `error` for that
    /// ([`Reason::Reconnect`]), but no failure is counted and there is no wait. A pending request
    /// continues. After `close`, this has no effect.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, Disconnect, EventSource, ReadyState, Reason, Signal};
    ///
    /// let mut source = EventSource::new("http://a.example/stream").unwrap();
    /// let _error = source.handle_disconnect(Disconnect::Network);
    /// assert!(matches!(source.action(), Action::Wait(_)));
    /// assert_eq!(source.reconnect_now(), None);
    /// assert!(matches!(source.action(), Action::Connect(_)));
    ///
    /// let _open = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
    /// let lost = Signal::Error { ready_state: ReadyState::Connecting, reason: Reason::Reconnect };
    /// assert_eq!(source.reconnect_now(), Some(lost));
    /// assert!(matches!(source.action(), Action::Connect(_)));
    /// # }
    /// ```
    #[must_use = "pass `error` on to the user"]
    pub fn reconnect_now(&mut self) -> Option<Signal> {
        self.apply(Input::Reconnect)
    }

    /// Declares that the current body may end now, because a message has announced it.
    ///
    /// The end of the body is then not a failure: it does not count for
    /// [`backoff`](RetryPolicy::backoff) or [`max_failures`](RetryPolicy::max_failures), and with
    /// [`RetryPolicy::never`] the source closes without an `error`. This is an extension of the
    /// standard. Has no effect unless the connection is open.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, Disconnect, EventSource, RetryPolicy};
    ///
    /// let source = EventSource::new("http://a.example/answer").unwrap();
    /// let mut source = source.retry_policy(RetryPolicy::never());
    /// let _open = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
    /// let mut messages = source.feed(b"data: [DONE]\n\n");
    /// if messages.next_message().unwrap().unwrap().data == "[DONE]" {
    ///     source.expect_end();
    /// }
    /// assert_eq!(source.handle_disconnect(Disconnect::EndOfBody), None);
    /// assert_eq!(source.action(), Action::Stop(None));
    /// # }
    /// ```
    pub fn expect_end(&mut self) {
        let _none = self.apply(Input::ExpectEnd);
    }

    /// Sets the URL for the next request, in the same form as for the constructors. The current
    /// stream, the last event ID and the failure count are not affected.
    ///
    /// A request that is pending now was sent to the old URL: in that case pass its final URL to
    /// [`handle_response`](EventSource::handle_response).
    ///
    /// # Errors
    ///
    /// [`InvalidUrl`]; the old URL is kept.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, Disconnect, EventSource};
    ///
    /// let mut source = EventSource::new("http://a.example/?token=1").unwrap();
    /// let _error = source.handle_disconnect(Disconnect::Network);
    /// source.set_url("http://a.example/?token=2").unwrap();
    /// source.handle_wait_elapsed();
    /// let Action::Connect(request) = source.action() else { panic!() };
    /// assert_eq!(request.url, "http://a.example/?token=2");
    /// # }
    /// ```
    pub fn set_url(&mut self, url: U) -> Result<(), InvalidUrl> {
        InvalidUrl::check(url.as_ref())?;
        self.location.replace(url);
        Ok(())
    }

    /// Sets the last event ID string, before the first request, to resume from a stored position.
    ///
    /// # Errors
    ///
    /// [`IdTooLong`] if it does not fit in the decoder's memory; the old ID is kept.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let mut source = sse_proto::EventSource::new("http://a.example/stream").unwrap();
    /// source.set_last_event_id("7").unwrap();
    /// let sse_proto::Action::Connect(request) = source.action() else { panic!() };
    /// assert_eq!(request.last_event_id, Some("7"));
    /// # }
    /// ```
    pub fn set_last_event_id(&mut self, id: &str) -> Result<(), IdTooLong> {
        self.decoder.set_last_event_id(id)
    }
}

impl<U, S> EventSource<U, S> {
    /// Resets the failure count: the next wait of [`RetryPolicy::backoff`], or the current one, is
    /// as short as the first.
    ///
    /// A message does this automatically. Call it if something else shows that the connection
    /// works: a keep-alive comment, or an hour of silence on an open connection.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, Disconnect, EventSource, RetryPolicy};
    /// use std::time::Duration;
    ///
    /// let policy = RetryPolicy::new().backoff(Duration::from_secs(60));
    /// let mut source = EventSource::new("http://a.example/stream").unwrap().retry_policy(policy);
    /// for seconds in [3, 6, 3] {
    ///     let _error = source.handle_disconnect(Disconnect::Network);
    ///     let Action::Wait(wait) = source.action() else { panic!() };
    ///     assert_eq!(wait.delay.as_secs(), seconds);
    ///     source.handle_wait_elapsed();
    ///     if seconds == 6 {
    ///         source.reset_backoff();
    ///     }
    /// }
    /// # }
    /// ```
    pub const fn reset_backoff(&mut self) {
        self.failures = 0;
    }
}
