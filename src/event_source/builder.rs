//! Constructors and options of an [`EventSource`].

use super::EventSource;
use super::location::{Location, ReconnectTo};
use super::origin::InvalidUrl;
use super::request::Credentials;
use super::retry::RetryPolicy;
use super::state::State;
#[cfg(doc)]
use crate::Action;
use crate::{Decoder, Storage};
use core::time::Duration;

#[cfg(feature = "alloc")]
impl<U: AsRef<str>> EventSource<U> {
    /// Creates an event source for `url`, with a decoder for events of up to 16 MiB.
    ///
    /// The URL is used as it is: resolve and serialise it first.
    ///
    /// # Errors
    ///
    /// [`InvalidUrl`], where the standard throws a `SyntaxError`.
    ///
    /// ```
    /// use sse_proto::{EventSource, ReadyState};
    ///
    /// let source = EventSource::new("https://a.example/stream").unwrap();
    /// assert_eq!(source.url(), "https://a.example/stream");
    /// assert_eq!(source.ready_state(), ReadyState::Connecting);
    /// assert!(EventSource::new("/stream").is_err());
    /// ```
    pub fn new(url: U) -> Result<Self, InvalidUrl> {
        Self::with_decoder(url, Decoder::new())
    }
}

impl<U: AsRef<str>, S: Storage> EventSource<U, S> {
    /// Creates an event source for `url` with this decoder, to use another limit,
    /// [`Fixed`](crate::Fixed) memory, or a stored last event ID.
    ///
    /// # Errors
    ///
    /// [`InvalidUrl`], where the standard throws a `SyntaxError`.
    ///
    /// ```
    /// use sse_proto::{Action, Decoder, EventSource, Fixed};
    ///
    /// let mut memory = [0; 1024];
    /// let decoder = Decoder::with_storage(Fixed::new(&mut memory[..]));
    /// let mut source = EventSource::with_decoder("http://10.0.0.1/stream", decoder).unwrap();
    /// let _open = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
    /// assert_eq!(source.feed(b"data: x\n\n").next_message().unwrap().unwrap().data, "x");
    /// ```
    pub fn with_decoder(url: U, decoder: Decoder<S>) -> Result<Self, InvalidUrl> {
        InvalidUrl::check(url.as_ref())?;
        Ok(Self {
            location: Location::new(url),
            state: State::Connecting,
            failures: 0,
            decoder,
            credentials: Credentials::SameOrigin,
            retry_policy: RetryPolicy::new(),
            response_timeout: None,
            read_timeout: None,
            max_last_event_id_len: 4096,
            cache_control: true,
        })
    }
}

impl<U, S> EventSource<U, S> {
    /// Sets the credentials mode. The default is [`Credentials::SameOrigin`].
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Credentials, EventSource};
    ///
    /// let source = EventSource::new("http://a.example/stream").unwrap();
    /// assert!(!source.with_credentials());
    /// assert!(source.credentials(Credentials::Include).with_credentials());
    /// # }
    /// ```
    #[must_use]
    pub const fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// Sets when to reconnect, and after how long.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{EventSource, RetryPolicy};
    /// use std::time::Duration;
    ///
    /// let policy = RetryPolicy::new().reconnection_time(Duration::from_secs(10));
    /// let source = EventSource::new("http://a.example/stream").unwrap().retry_policy(policy);
    /// assert_eq!(source.reconnection_time(), Duration::from_secs(10));
    /// # }
    /// ```
    #[must_use]
    pub const fn retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.retry_policy = policy;
        self
    }

    /// Sets the maximum length of a last event ID in bytes; longer IDs are left out of the request.
    /// The default is 4096.
    ///
    /// Servers reject requests with long headers, and a rejection is a permanent failure. This
    /// limit prevents a server that sent too long an ID from locking its client out.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, EventSource};
    ///
    /// let source = EventSource::new("http://a.example/stream").unwrap();
    /// let mut source = source.max_last_event_id_len(3);
    /// source.set_last_event_id("1234").unwrap();
    /// let Action::Connect(request) = source.action() else { panic!() };
    /// assert_eq!((request.last_event_id, request.last_event_id_omitted), (None, true));
    /// # }
    /// ```
    #[must_use]
    pub const fn max_last_event_id_len(mut self, bytes: usize) -> Self {
        self.max_last_event_id_len = bytes;
        self
    }

    /// Sets which URL a reconnect goes to after redirects. The default is
    /// [`ReconnectTo::OriginalUrl`].
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, Disconnect, EventSource, ReconnectTo};
    ///
    /// let source = EventSource::new("http://a.example/").unwrap();
    /// let mut source = source.reconnect_to(ReconnectTo::FinalUrl);
    /// let headers = [("Content-Type", "text/event-stream")];
    /// let _open = source.handle_response(200, Some("http://b.example/"), headers);
    /// let _error = source.handle_disconnect(Disconnect::EndOfBody);
    /// source.handle_wait_elapsed();
    /// let Action::Connect(request) = source.action() else { panic!() };
    /// assert_eq!(request.url, "http://b.example/");
    /// # }
    /// ```
    #[must_use]
    pub const fn reconnect_to(mut self, to: ReconnectTo) -> Self {
        self.location.reconnect_to = to;
        self
    }

    /// Sets how long to wait for the head of a response before the request counts as lost. There is
    /// no timeout by default.
    ///
    /// [`Action::Connect`] passes it to the driver, which has the clock. Some servers respond only
    /// when there is something to send: choose a longer time than that.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, Disconnect, EventSource, ReadyState, Reason, Signal};
    /// use std::time::Duration;
    ///
    /// let source = EventSource::new("http://a.example/stream").unwrap();
    /// let mut source = source.response_timeout(Duration::from_secs(30));
    /// let Action::Connect(request) = source.action() else { panic!() };
    /// assert_eq!(request.timeout, Some(Duration::from_secs(30)));
    /// // 30 seconds later:
    /// let error = Signal::Error { ready_state: ReadyState::Connecting, reason: Reason::Timeout };
    /// assert_eq!(source.handle_disconnect(Disconnect::Timeout), Some(error));
    /// # }
    /// ```
    #[must_use]
    pub const fn response_timeout(mut self, time: Duration) -> Self {
        self.response_timeout = Some(time);
        self
    }

    /// Sets how long to wait for the next byte of the body before the connection counts as lost.
    /// There is no timeout by default.
    ///
    /// Any byte counts, so a server can keep a connection alive with comments. Without a timeout,
    /// nothing detects a server that disappeared silently, or a proxy that forgot the connection.
    /// [`Action::Read`] passes it to the driver, which has the clock.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, EventSource};
    /// use std::time::Duration;
    ///
    /// let source = EventSource::new("http://a.example/stream").unwrap();
    /// let mut source = source.read_timeout(Duration::from_secs(45));
    /// let _open = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
    /// let Action::Read(read) = source.action() else { panic!() };
    /// assert_eq!(read.timeout, Some(Duration::from_secs(45)));
    /// # }
    /// ```
    #[must_use]
    pub const fn read_timeout(mut self, time: Duration) -> Self {
        self.read_timeout = Some(time);
        self
    }

    /// Sets whether requests have the header `Cache-Control`. The default is `true`.
    ///
    /// In a browser's `fetch`, this header triggers a preflight request if the URL has another
    /// origin, and many servers reject that. In a browser, pass `false` and set the request's cache
    /// mode to `no-store`, which has the same effect.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, EventSource};
    ///
    /// let source = EventSource::new("http://a.example/stream").unwrap().cache_control(false);
    /// let Action::Connect(request) = source.action() else { panic!() };
    /// assert!(request.headers().eq([("Accept", &b"text/event-stream"[..])]));
    /// # }
    /// ```
    #[must_use]
    pub const fn cache_control(mut self, yes: bool) -> Self {
        self.cache_control = yes;
        self
    }
}
