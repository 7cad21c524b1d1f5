//! Inputs from the driver: what happened to the request, the body or the wait.

use super::mime::ContentType;
use super::retry::parse_retry_after;
use super::signal::{Disconnect, Reason, Signal};
use super::state::{Input, Outcome, State};
#[cfg(doc)]
use super::{Action, Origin, ReconnectTo, RetryPolicy};
use super::{EventSource, Messages, origin};
use crate::Storage;
use core::time::Duration;

impl<U: AsRef<str>, S: Storage> EventSource<U, S> {
    /// Reports the head of a response, after redirects.
    ///
    /// `final_url` is the URL that the response came from. `None` stands for the URL of the
    /// request, or for the last redirect that was reported with
    /// [`handle_redirect`](EventSource::handle_redirect). `headers` may contain all headers, with
    /// names in any case and repeated; only `Content-Type` and `Retry-After` are used. Content
    /// encodings must be decoded by the driver: a stream that is still compressed yields no
    /// messages.
    ///
    /// Status 200 and the content type `text/event-stream` open the connection. (The type is
    /// extracted as in Fetch: parameters are ignored, and the last valid type counts.) Everything
    /// else is a permanent failure, unless [`RetryPolicy::statuses`] or
    /// [`RetryPolicy::retry_content_type`] says otherwise. Returns `None` if no request was
    /// pending: drop the response.
    ///
    /// To accept a stream that a server sends with another content type, or with none, pass
    /// `[("Content-Type", "text/event-stream")]` instead of its headers.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{EventSource, ReadyState, Reason, Signal};
    ///
    /// let mut source = EventSource::new("http://a.example/stream").unwrap();
    /// let headers = [("content-type", "Text/Event-Stream; charset=utf-8")];
    /// let signal = source.handle_response(200, Some("https://b.example/"), headers);
    /// assert_eq!(signal, Some(Signal::Open));
    /// assert_eq!(source.url(), "http://a.example/stream");
    /// assert_eq!(source.origin(), "https://b.example");
    ///
    /// let mut source = EventSource::new("http://a.example/stream").unwrap();
    /// let signal = source.handle_response(200, None, [("content-type", "text/html")]);
    /// let error = Signal::Error { ready_state: ReadyState::Closed, reason: Reason::ContentType };
    /// assert_eq!(signal, Some(error));
    /// # }
    /// ```
    #[must_use = "pass `open` or `error` on to the user"]
    pub fn handle_response<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        status: u16,
        final_url: Option<U>,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Option<Signal> {
        let mut content_type = ContentType::new();
        let mut retry_after = Duration::ZERO;
        for (name, value) in headers {
            if name.as_ref().eq_ignore_ascii_case(b"content-type") {
                content_type.push_line(value.as_ref());
            } else if name.as_ref().eq_ignore_ascii_case(b"retry-after") {
                retry_after =
                    retry_after.max(parse_retry_after(value.as_ref()).unwrap_or_default());
            }
        }
        // "If res's status is not 200, or if res's `Content-Type` is not `text/event-stream`, then
        // fail the connection."
        let policy = &self.retry_policy;
        let input = if policy.retries_status(status) {
            Input::Refused(self.reestablish_or_fail(Reason::Status(status), retry_after))
        } else if status != 200 {
            Input::Refused(Outcome::Fail(Reason::Status(status)))
        } else if content_type.finish() {
            Input::Accepted
        } else if policy.retries_content_type {
            Input::Refused(self.reestablish_or_fail(Reason::ContentType, retry_after))
        } else {
            Input::Refused(Outcome::Fail(Reason::ContentType))
        };
        let signal = self.apply(input);
        if signal == Some(Signal::Open) {
            // Discard what the last stream left unfinished.
            self.decoder.reset();
            self.location.accept(final_url);
        }
        if signal.is_some() {
            self.location.end_request();
        }
        signal
    }

    /// Reports that the current request was redirected with this status to this URL. The driver
    /// follows the redirect.
    ///
    /// A driver that follows redirects itself calls this for each of them before
    /// [`handle_response`](EventSource::handle_response), which then needs no final URL.
    /// [`ReconnectTo::PermanentUrl`] requires these calls. If a redirect changes where the next
    /// request goes, it does so immediately, whatever the response will be. Has no effect unless a
    /// request is pending.
    ///
    /// The URL is not checked. The driver should validate it ([`Origin`] helps), follow at most 20
    /// redirects, and send no credentials to another origin.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::EventSource;
    ///
    /// let mut source = EventSource::new("http://a.example/stream").unwrap();
    /// source.handle_redirect(307, "https://b.example/stream");
    /// let _open = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
    /// assert_eq!(source.origin(), "https://b.example");
    /// # }
    /// ```
    pub fn handle_redirect(&mut self, status: u16, url: U) {
        if self.state == State::Connecting {
            self.location.redirect(status, url);
        }
    }

    /// Returns a cursor over the next chunk of the body, which may have any length. Nothing is
    /// decoded until the cursor is advanced.
    ///
    /// Unless the connection is open, there is nothing to read: the cursor returns `Ok(None)`
    /// immediately.
    ///
    /// To receive the last event of a server that omits the blank line after it, contrary to the
    /// standard, feed `b"\n\n"` before reporting the end of the body.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// # let mut source = sse_proto::EventSource::new("http://a.example/stream").unwrap();
    /// # let _ = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
    /// let mut data = vec![];
    /// for chunk in ["data: one\n\nda", "ta: two\n\n"] {
    ///     let mut messages = source.feed(chunk.as_bytes());
    ///     while let Some(message) = messages.next_message().unwrap() {
    ///         data.push(message.data.to_owned());
    ///     }
    /// }
    /// assert_eq!(data, ["one", "two"]);
    /// # }
    /// ```
    pub fn feed<'s, 'i>(&'s mut self, chunk: &'i [u8]) -> Messages<'s, 'i, S> {
        Messages {
            state: &mut self.state,
            failures: &mut self.failures,
            message_resets_failures: self.retry_policy.stable_after.is_none(),
            url: self.location.stream_url().as_ref(),
            events: self.decoder.feed(chunk),
        }
    }

    /// Reports that the request failed or that the body ended.
    ///
    /// A wait and another request follow, unless the policy is [`never`](RetryPolicy::never) or the
    /// cause is [`Permanent`](Disconnect::Permanent). Returns `None` if there was no connection, or
    /// if its end is already known.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, Disconnect, EventSource, ReadyState, Reason, Signal};
    ///
    /// let mut source = EventSource::new("http://a.example/stream").unwrap();
    /// let signal = source.handle_disconnect(Disconnect::Network);
    /// let error = Signal::Error { ready_state: ReadyState::Connecting, reason: Reason::Network };
    /// assert_eq!(signal, Some(error));
    /// assert!(matches!(source.action(), Action::Wait(wait) if wait.delay.as_millis() == 3000));
    /// assert_eq!(source.handle_disconnect(Disconnect::Network), None);
    /// # }
    /// ```
    #[must_use = "pass `error` on to the user"]
    pub fn handle_disconnect(&mut self, cause: Disconnect) -> Option<Signal> {
        let outcome = match cause {
            Disconnect::EndOfBody => {
                let reason = match self.decoder.unfinished() {
                    // A request without a response has no stream.
                    _ if self.state == State::Connecting => Reason::EndOfBody,
                    _ if self.decoder.is_no_event_stream() => Reason::NoEventStream,
                    Some(unfinished) => Reason::Truncated(unfinished),
                    None => Reason::EndOfBody,
                };
                self.reestablish_or_fail(reason, Duration::ZERO)
            }
            // If a URL that is not for HTTP cannot be fetched now, later attempts fail too. (If a
            // body was being read, the resource exists, and another attempt may succeed.)
            Disconnect::Network
                if self.state == State::Connecting
                    && !origin::is_http(self.location.request_url().as_ref()) =>
            {
                Outcome::Fail(Reason::Network)
            }
            Disconnect::Network => self.reestablish_or_fail(Reason::Network, Duration::ZERO),
            Disconnect::Timeout => self.reestablish_or_fail(Reason::Timeout, Duration::ZERO),
            Disconnect::Permanent => Outcome::Fail(Reason::Permanent),
        };
        let signal = self.apply(Input::Ended(outcome));
        self.location.end_request();
        signal
    }

    /// Reports that the wait of [`Action::Wait`] is over.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, Disconnect, EventSource};
    ///
    /// let mut source = EventSource::new("http://a.example/stream").unwrap();
    /// let _error = source.handle_disconnect(Disconnect::Network);
    /// assert!(matches!(source.action(), Action::Wait(_)));
    /// source.handle_wait_elapsed();
    /// assert!(matches!(source.action(), Action::Connect(_)));
    /// # }
    /// ```
    pub fn handle_wait_elapsed(&mut self) {
        let _none = self.apply(Input::WaitElapsed);
    }

    /// Reports that the connection has been open for the `stable_after` of [`Action::Read`]: resets
    /// the failure count.
    ///
    /// May be called earlier or repeatedly; has no effect unless the connection is open.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, EventSource, RetryPolicy};
    /// use std::time::Duration;
    ///
    /// let policy = RetryPolicy::new().stable_after(Duration::from_secs(60));
    /// let mut source = EventSource::new("http://a.example/stream").unwrap().retry_policy(policy);
    /// let _open = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
    /// let Action::Read(read) = source.action() else { panic!() };
    /// assert_eq!(read.stable_after, Some(Duration::from_secs(60)));
    /// source.handle_stable_elapsed();
    /// let Action::Read(read) = source.action() else { panic!() };
    /// assert_eq!(read.stable_after, None);
    /// # }
    /// ```
    pub fn handle_stable_elapsed(&mut self) {
        if self.state.is_open() {
            self.failures = 0;
        }
        let _none = self.apply(Input::Stable);
    }

    /// The outcome of a failure that may be temporary.
    fn reestablish_or_fail(&self, reason: Reason, retry_after: Duration) -> Outcome {
        let failures = self.failures.saturating_add(1);
        let is_expected = self.state.is_end_expected();
        match (self.retry_policy.reconnects, is_expected) {
            (false, true) => Outcome::Finish,
            (false, false) => Outcome::Fail(reason),
            (true, false) if self.retry_policy.reached_max_failures(failures) => {
                Outcome::Fail(Reason::GaveUp(failures))
            }
            (true, _) => Outcome::Reestablish(reason, retry_after),
        }
    }
}
