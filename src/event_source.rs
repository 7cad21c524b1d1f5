//! The connection machine: what an `EventSource` does between a request and the next one.
//!
//! It owns the life of a connection, that is [`transition`] and what its inputs are made of. It
//! knows nothing of sockets, clocks and threads: a driver asks [`EventSource::action`] what to do
//! and tells what happened. Invariant: only inputs change the state; to ask changes nothing.

mod messages;
mod mime;
mod origin;
mod request;
mod retry;

use crate::{Decoder, Heap, IdTooLong, Storage};
use core::fmt;
use core::time::Duration;
use mime::ContentType;

pub use messages::{Message, Messages, StreamItem};
pub use mime::is_event_stream;
pub use origin::{InvalidUrl, Origin};
pub use request::{Credentials, Request};
pub use retry::{RetryPolicy, Wait};

/// The standard's `EventSource` without the input and output: one event stream over many
/// connections.
///
/// It has no socket, no clock and no thread. A *driver* asks [`action`](EventSource::action) what
/// is to be done now, does it with whatever it has, and tells the outcome:
///
/// | [`Action`] | the driver | then tells |
/// |---|---|---|
/// | `Connect` | sends the request | [`handle_response`] or [`handle_disconnect`] |
/// | `Read` | reads the body | [`feed`], at the end [`handle_disconnect`] |
/// | `Wait` | waits | [`handle_wait_elapsed`] |
/// | `Stop` | drops the connection and leaves | |
///
/// What a page would hear comes back from these calls, in the standard's order: a [`Signal`]
/// (`open`, `error`) when the state has changed, and a [`Message`] for each event.
/// [`close`](EventSource::close) may be called at any time. An input that does not fit the state (a
/// response that comes after `close`, say) is late, and has no effect.
///
/// The loop, on any runtime:
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use sse_proto::{Action, Disconnect, EventSource, Signal};
/// # use sse_proto::Request;
/// # use std::time::Duration;
/// # struct Response {
/// #     status: u16, url: String, headers: Vec<(String, String)>, body: Vec<&'static str>,
/// # }
/// # let mut responses = vec![
/// #     Ok((200, vec!["retry: 250\n\nid: 1\ndata: o", "ne\n\n"])), Err(()),
/// #     Ok((200, vec!["data: two\n\n"])), Ok((204, vec![]))].into_iter();
/// # let mut requests = vec![];
/// # let mut send = |request: Request<'_>| {
/// #     requests.push(request.last_event_id.map(str::to_owned));
/// #     responses.next().unwrap().map(|(status, body)| Response {
/// #         status,
/// #         body: body.into_iter().rev().collect(),
/// #         url: "http://a.example/stream".to_owned(),
/// #         headers: vec![("content-type".to_owned(), "text/event-stream".to_owned())],
/// #     })
/// # };
/// # let mut slept = vec![];
/// # let mut sleep = |time: Duration| slept.push(time.as_millis());
/// # let random = || 0;
/// # let mut log = vec![];
///
/// let mut source = EventSource::new("http://a.example/stream".to_owned())?;
/// let mut body = vec![];
/// loop {
///     let signal = match source.action() {
///         Action::Connect(request) => match send(request) {
///             Ok(response) => {
///                 body = response.body;
///                 source.handle_response(response.status, Some(response.url), response.headers)
///             }
///             Err(_) => source.handle_disconnect(Disconnect::Network),
///         },
///         Action::Read => match body.pop() {
///             Some(chunk) => {
///                 let mut messages = source.feed(chunk.as_bytes());
///                 loop {
///                     match messages.next_message() {
///                         Ok(Some(message)) => log.push(message.data.to_owned()),
///                         Ok(None) => break None,
///                         Err(too_large) => log.push(too_large.to_string()),
///                     }
///                 }
///             }
///             None => source.handle_disconnect(Disconnect::EndOfBody),
///         },
///         Action::Wait(wait) => {
///             sleep(wait.with_jitter(random()));
///             source.handle_wait_elapsed();
///             None
///         }
///         Action::Stop(_reason) => break,
///     };
///     match signal {
///         Some(Signal::Open) => log.push("(open)".to_owned()),
///         Some(Signal::Error { ready_state, reason }) => {
///             log.push(format!("({reason}, {ready_state:?})"));
///         }
///         None => {}
///     }
/// }
/// # assert_eq!(log, ["(open)", "one", "(the body ended, Connecting)",
/// #     "(network error, Connecting)",
/// #     "(open)", "two", "(the body ended, Connecting)", "(status 204, Closed)"]);
/// # let id = || Some("1".to_owned());
/// # assert_eq!(requests, [None, id(), id(), id()]);
/// # assert_eq!(slept, [250, 250, 250]);
/// # }
/// # Ok::<(), sse_proto::InvalidUrl>(())
/// ```
///
/// `U` is the text of a URL in whatever the driver keeps it: `String`, `&'static str`, `Arc<str>`,
/// `url::Url`. The final URL of a response has the same type and is kept while its messages need
/// an origin; thus there is no allocation and no limit here. It must lend the same text each time.
/// `S` is the memory of the [`Decoder`].
///
/// [`handle_response`]: EventSource::handle_response
/// [`handle_disconnect`]: EventSource::handle_disconnect
/// [`handle_wait_elapsed`]: EventSource::handle_wait_elapsed
/// [`feed`]: EventSource::feed
#[derive(Debug, Clone)]
pub struct EventSource<U, S = Heap> {
    url: U,
    /// Where the stream under way comes from, if not from `url`.
    final_url: Option<U>,
    state: State,
    /// In a row.
    failures: u32,
    decoder: Decoder<S>,
    credentials: Credentials,
    retry_policy: RetryPolicy,
    max_last_event_id_len: usize,
    reconnects_to_final_url: bool,
}

#[cfg(feature = "alloc")]
impl<U: AsRef<str>> EventSource<U> {
    /// An event source for `url`, with a decoder for events of up to 16 MiB.
    ///
    /// The URL is the caller's to resolve and to serialise; it is taken as it is.
    ///
    /// # Errors
    ///
    /// [`InvalidUrl`], where the standard has a `SyntaxError`.
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
    /// An event source for `url` with a decoder of the caller's: with another limit, over
    /// [`Fixed`](crate::Fixed) memory, or with a last event id from earlier.
    ///
    /// # Errors
    ///
    /// [`InvalidUrl`], where the standard has a `SyntaxError`.
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
            url,
            final_url: None,
            state: State::Connecting,
            failures: 0,
            decoder,
            credentials: Credentials::SameOrigin,
            retry_policy: RetryPolicy::new(),
            max_last_event_id_len: 4096,
            reconnects_to_final_url: false,
        })
    }

    /// What the driver is to do now.
    ///
    /// It stays the same until an input changes it, and asking changes nothing: a driver that is
    /// already at it goes on, one that was interrupted begins anew.
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
            State::Connecting => Action::Connect(Request::new(
                self.request_url(),
                self.credentials,
                self.decoder.last_event_id(),
                self.max_last_event_id_len,
            )),
            State::Open => Action::Read,
            State::Waiting { least } => Action::Wait(self.retry_policy.wait(
                self.decoder.reconnection_time(),
                self.failures,
                least,
            )),
            State::Closed(reason) => Action::Stop(reason),
        }
    }

    /// The head of the response has come, redirects already followed.
    ///
    /// `final_url` is where it came from; `None`: from where the request went. Of `headers` only
    /// `Content-Type` and `Retry-After` are looked at, but all may be given, in any case, a name
    /// more than once. A `Content-Encoding` is the driver's to undo: an event stream that is still
    /// compressed is a silent one.
    ///
    /// Status 200 and the type `text/event-stream` (as Fetch extracts it: parameters do not
    /// matter, the last valid type counts) open the connection, and everything else fails for
    /// good, unless [`RetryPolicy::statuses`] says otherwise. `None`: there was no request, drop
    /// the response.
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
    /// let due = Signal::Error { ready_state: ReadyState::Closed, reason: Reason::ContentType };
    /// assert_eq!(signal, Some(due));
    /// # }
    /// ```
    #[must_use = "`open` or `error` is to be handed to the user"]
    pub fn handle_response<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        status: u16,
        final_url: Option<U>,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Option<Signal> {
        let mut content_type = ContentType::new();
        let mut least = Duration::ZERO;
        for (name, value) in headers {
            if name.as_ref().eq_ignore_ascii_case(b"content-type") {
                content_type.line(value.as_ref());
            } else if name.as_ref().eq_ignore_ascii_case(b"retry-after") {
                least = least.max(retry::retry_after(value.as_ref()).unwrap_or_default());
            }
        }
        // "If res's status is not 200, or if res's `Content-Type` is not `text/event-stream`, then
        // fail the connection."
        let input = if self.retry_policy.reconnects() && self.retry_policy.retries(status) {
            Input::Refused(Fate::Reestablish(Reason::Status(status), least))
        } else if status != 200 {
            Input::Refused(Fate::Fail(Reason::Status(status)))
        } else if !content_type.end() {
            Input::Refused(Fate::Fail(Reason::ContentType))
        } else {
            Input::Accepted
        };
        let signal = self.step(input);
        if signal == Some(Signal::Open) {
            // What the last stream left unfinished is no part of this one.
            self.decoder.reset();
            if final_url.is_some() || !self.reconnects_to_final_url {
                self.final_url = final_url;
            }
        }
        signal
    }

    /// Begins to read a piece of the body, any number of bytes; nothing is read before the cursor
    /// is asked.
    ///
    /// In any state but open there is nothing to read: the cursor says `Ok(None)` at once.
    ///
    /// To take the last event of a server that forgets the blank line behind it, against the
    /// standard, feed `b"\n\n"` before the end of the body is told.
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
            url: self.final_url.as_ref().unwrap_or(&self.url).as_ref(),
            events: self.decoder.feed(chunk),
        }
    }

    /// There is no response, or no more of it.
    ///
    /// Unless the policy is [`never`](RetryPolicy::never) or the cause
    /// [`Futile`](Disconnect::Futile), a wait and another request follow. `None`: there was no
    /// connection, or it is known already.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, Disconnect, EventSource, ReadyState, Reason, Signal};
    ///
    /// let mut source = EventSource::new("http://a.example/stream").unwrap();
    /// let signal = source.handle_disconnect(Disconnect::Network);
    /// let due = Signal::Error { ready_state: ReadyState::Connecting, reason: Reason::Network };
    /// assert_eq!(signal, Some(due));
    /// assert!(matches!(source.action(), Action::Wait(wait) if wait.delay.as_millis() == 3000));
    /// assert_eq!(source.handle_disconnect(Disconnect::Network), None);
    /// # }
    /// ```
    #[must_use = "`error` is to be handed to the user"]
    pub fn handle_disconnect(&mut self, cause: Disconnect) -> Option<Signal> {
        let (reason, is_futile) = match cause {
            Disconnect::EndOfBody => (Reason::EndOfBody, false),
            // What cannot be fetched now cannot be fetched later. (A body under way can: it is
            // there.)
            Disconnect::Network => (
                Reason::Network,
                self.state == State::Connecting && !origin::is_http(self.request_url()),
            ),
            Disconnect::Futile => (Reason::Futile, true),
        };
        self.step(Input::Ended(
            if is_futile || !self.retry_policy.reconnects() {
                Fate::Fail(reason)
            } else {
                Fate::Reestablish(reason, Duration::ZERO)
            },
        ))
    }

    /// The time that [`Action::Wait`] asked for has passed.
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
        let _none = self.step(Input::WaitElapsed);
    }

    /// The standard's `close()`: nothing more is handed out, not even what is in a chunk already,
    /// and no signal. [`Action::Stop`] tells the driver to drop its request, response or timer.
    ///
    /// Between two messages of a chunk: [`Messages::close`].
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
        let _none = self.step(Input::Close);
    }

    /// The URL as it was given.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let source = sse_proto::EventSource::new("http://a.example/stream").unwrap();
    /// assert_eq!(source.url(), "http://a.example/stream");
    /// # }
    /// ```
    pub fn url(&self) -> &str {
        self.url.as_ref()
    }

    /// The origin of the stream under way, or of the last one: that of the final URL.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let source = sse_proto::EventSource::new("HTTP://A.example:80/stream").unwrap();
    /// assert_eq!(source.origin(), "http://a.example");
    /// # }
    /// ```
    pub fn origin(&self) -> Origin<'_> {
        Origin::of(self.final_url.as_ref().unwrap_or(&self.url).as_ref())
    }

    /// The last event ID string: what the next request sends, if it can.
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

    /// Sets the last event ID string, before the first request: a stored position.
    ///
    /// # Errors
    ///
    /// [`IdTooLong`] if the decoder's memory has no room for it; the old one stays.
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

    /// The reconnection time: the server's last `retry`, or the policy's
    /// [`time`](RetryPolicy::time) before there was one. It outlives connections.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let source = sse_proto::EventSource::new("http://a.example/stream").unwrap();
    /// assert_eq!(source.reconnection_time().as_millis(), 3000);
    /// # }
    /// ```
    pub fn reconnection_time(&self) -> Duration {
        self.retry_policy
            .reconnection_time(self.decoder.reconnection_time())
    }

    fn request_url(&self) -> &str {
        match &self.final_url {
            Some(url) if self.reconnects_to_final_url => url.as_ref(),
            _ => self.url.as_ref(),
        }
    }
}

impl<U, S> EventSource<U, S> {
    /// Sets the credentials mode; [`Credentials::SameOrigin`] unless set.
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
    /// let policy = RetryPolicy::new().time(Duration::from_secs(10));
    /// let source = EventSource::new("http://a.example/stream").unwrap().retry_policy(policy);
    /// assert_eq!(source.reconnection_time(), Duration::from_secs(10));
    /// # }
    /// ```
    #[must_use]
    pub const fn retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.retry_policy = policy;
        self
    }

    /// Sets the length in bytes beyond which a last event id is left out of the request; 4096
    /// unless set.
    ///
    /// Servers refuse requests with long headers, and a refusal is for good: an id that a server
    /// made too long must not lock its client out.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, EventSource};
    ///
    /// let source = EventSource::new("http://a.example/stream").unwrap();
    /// let mut source = source.max_last_event_id_len(3);
    /// source.set_last_event_id("1234").unwrap();
    /// let Action::Connect(request) = source.action() else { panic!() };
    /// assert_eq!((request.last_event_id, request.last_event_id_left_out), (None, true));
    /// # }
    /// ```
    #[must_use]
    pub const fn max_last_event_id_len(mut self, bytes: usize) -> Self {
        self.max_last_event_id_len = bytes;
        self
    }

    /// Sets whether a reconnect goes to the URL that the last redirect led to, as by the letter of
    /// the standard, instead of the original one. `false` unless set: what a redirect names may
    /// be there for one request only.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, Disconnect, EventSource};
    ///
    /// let source = EventSource::new("http://a.example/").unwrap();
    /// let mut source = source.reconnect_to_final_url(true);
    /// let headers = [("Content-Type", "text/event-stream")];
    /// let _open = source.handle_response(200, Some("http://b.example/"), headers);
    /// let _error = source.handle_disconnect(Disconnect::EndOfBody);
    /// source.handle_wait_elapsed();
    /// let Action::Connect(request) = source.action() else { panic!() };
    /// assert_eq!(request.url, "http://b.example/");
    /// # }
    /// ```
    #[must_use]
    pub const fn reconnect_to_final_url(mut self, yes: bool) -> Self {
        self.reconnects_to_final_url = yes;
        self
    }

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
            State::Open => ReadyState::Open,
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

    /// Forgets the failures so far: the next wait of a [`RetryPolicy::backoff`], or the one under
    /// way, is the first again.
    ///
    /// A message does this by itself. Call it when something else shows that all is well: a
    /// heartbeat, or an hour of silence.
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

    fn step(&mut self, input: Input) -> Option<Signal> {
        let (state, signal) = transition(self.state, input);
        if let (Some(_), State::Waiting { .. }) = (signal, state) {
            self.failures = self.failures.saturating_add(1);
        }
        self.state = state;
        signal
    }
}

/// Where the machine is between two inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// CONNECTING: a request is to be sent, or is under way.
    Connecting,
    /// OPEN: a body is being read.
    Open,
    /// CONNECTING: a request is to be sent later, after `least` at any rate.
    Waiting { least: Duration },
    /// CLOSED, by a failure or, without a reason, by `close()`.
    Closed(Option<Reason>),
}

/// What the driver told.
#[derive(Debug, Clone, Copy)]
enum Input {
    /// A response that opens the connection.
    Accepted,
    /// A response that does not.
    Refused(Fate),
    /// No response, or no more of it.
    Ended(Fate),
    WaitElapsed,
    Close,
}

/// The standard's two ways of losing a connection.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// Also how long to wait at least, whatever the reconnection time is.
    Reestablish(Reason, Duration),
    Fail(Reason),
}

/// The whole life of a connection: from a state, by an input, to a state, with a signal.
///
/// The state is set before the signal is seen, and each failed attempt has its own `error`.
fn transition(state: State, input: Input) -> (State, Option<Signal>) {
    use Fate::{Fail, Reestablish};
    use Input::{Accepted, Close, Ended, Refused, WaitElapsed};
    use State::{Closed, Connecting, Open, Waiting};

    match (state, input) {
        // "Announce the connection"
        (Connecting, Accepted) => (Open, Some(Signal::Open)),

        // "Reestablish the connection"
        (Connecting, Refused(Reestablish(reason, least)))
        | (Connecting | Open, Ended(Reestablish(reason, least))) => {
            let ready_state = ReadyState::Connecting;
            (
                Waiting { least },
                Some(Signal::Error {
                    ready_state,
                    reason,
                }),
            )
        }
        (Waiting { .. }, WaitElapsed) => (Connecting, None),

        // "Fail the connection": "once the user agent has failed the connection, it does not
        // attempt to reconnect."
        (Connecting, Refused(Fail(reason))) | (Connecting | Open, Ended(Fail(reason))) => {
            let ready_state = ReadyState::Closed;
            (
                Closed(Some(reason)),
                Some(Signal::Error {
                    ready_state,
                    reason,
                }),
            )
        }

        // "close()": no event of any kind.
        (Connecting | Open | Waiting { .. }, Close) => (Closed(None), None),

        // Late, early, or said twice.
        (Connecting, WaitElapsed)
        | (Open, Accepted | Refused(_) | WaitElapsed)
        | (Waiting { .. }, Accepted | Refused(_) | Ended(_))
        | (Closed(_), Accepted | Refused(_) | Ended(_) | WaitElapsed | Close) => (state, None),
    }
}

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
/// assert_eq!(source.action(), Action::Read);
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action<'s> {
    /// To send this request, if it is not under way yet, and to tell what becomes of it:
    /// [`handle_response`](EventSource::handle_response) or
    /// [`handle_disconnect`](EventSource::handle_disconnect).
    Connect(Request<'s>),
    /// To read the body of the response: [`feed`](EventSource::feed), and
    /// [`handle_disconnect`](EventSource::handle_disconnect) at its end.
    Read,
    /// To drop the connection, to let so much time pass since this action came up, and then to call
    /// [`handle_wait_elapsed`](EventSource::handle_wait_elapsed). To wait longer, for the network
    /// to come back say, is fine.
    Wait(Wait),
    /// To drop the connection: it is over for good, for this reason, or because
    /// [`close`](EventSource::close) was called.
    Stop(Option<Reason>),
}

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
    /// The body is complete.
    EndOfBody,
    /// No connection, no answer, a body that broke off or was silent for too long: it may go better
    /// next time.
    ///
    /// A request that never came to a response does not go better if the URL is not one for HTTP:
    /// there it is `Futile`.
    Network,
    /// The same, but another attempt would be futile or is not wanted: refused by policy, a
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
    /// [`Disconnect::EndOfBody`]
    EndOfBody,
    /// [`Disconnect::Network`]
    Network,
    /// [`Disconnect::Futile`]
    Futile,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "status {status}"),
            Self::ContentType => f.write_str("the content type is not text/event-stream"),
            Self::EndOfBody => f.write_str("the body ended"),
            Self::Network => f.write_str("network error"),
            Self::Futile => f.write_str("the request is futile"),
        }
    }
}
