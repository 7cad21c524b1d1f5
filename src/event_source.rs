//! The connection machine: what an `EventSource` does between a request and the next one.
//!
//! It owns the life of a connection, that is [`transition`](state::transition) and what its inputs
//! are made of. It knows nothing of sockets, clocks and threads: a driver asks
//! [`EventSource::action`] what to do and tells what happened. Invariant: only inputs change the
//! state; to ask changes nothing.

mod action;
mod location;
mod messages;
mod mime;
mod origin;
mod request;
mod retry;
mod signal;
mod state;
mod statuses;

use crate::{Decoder, Heap, IdTooLong, Storage};
use core::time::Duration;
use location::Location;
use mime::ContentType;
use state::{Fate, Input, State, transition};

pub use action::{Action, ReadTimeouts};
pub use location::ReconnectTo;
pub use messages::{Message, Messages, StreamItem};
pub use mime::is_event_stream;
pub use origin::{InvalidUrl, Origin};
pub use request::{Credentials, Request};
pub use retry::{RetryPolicy, Wait};
pub use signal::{Disconnect, ReadyState, Reason, Signal};

/// The standard's `EventSource` without the input and output: one event stream over many
/// connections.
///
/// It has no socket, no clock and no thread. A *driver* asks [`action`](EventSource::action) what
/// is to be done now, does it with whatever it has, and tells the outcome:
///
/// | [`Action`] | the driver | then tells |
/// |---|---|---|
/// | `Connect` | sends the request | [`handle_response`] or [`handle_disconnect`] |
/// | `Read(_)` | reads the body | [`feed`], at the end [`handle_disconnect`] |
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
///         Action::Read(_) => match body.pop() {
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
    location: Location<U>,
    state: State,
    /// In a row.
    failures: u32,
    decoder: Decoder<S>,
    credentials: Credentials,
    retry_policy: RetryPolicy,
    response_timeout: Option<Duration>,
    read_timeout: Option<Duration>,
    max_last_event_id_len: usize,
    sends_cache_control: bool,
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
            location: Location::new(url),
            state: State::Connecting,
            failures: 0,
            decoder,
            credentials: Credentials::SameOrigin,
            retry_policy: RetryPolicy::new(),
            response_timeout: None,
            read_timeout: None,
            max_last_event_id_len: 4096,
            sends_cache_control: true,
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
            State::Connecting => Action::Connect(self.request()),
            State::Open { is_stable, .. } => Action::Read(ReadTimeouts {
                timeout: self.read_timeout,
                stable_after: self.retry_policy.lasting().filter(|_| !is_stable),
            }),
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
    /// `final_url` is where it came from; `None`: from where the request went, or the last redirect
    /// led that was told ([`handle_redirect`](EventSource::handle_redirect)). Of `headers` only
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
        let policy = &self.retry_policy;
        let input = if policy.retries(status) {
            Input::Refused(self.loss(Reason::Status(status), least))
        } else if status != 200 {
            Input::Refused(Fate::Fail(Reason::Status(status)))
        } else if content_type.end() {
            Input::Accepted
        } else if policy.retries_content_type() {
            Input::Refused(self.loss(Reason::ContentType, least))
        } else {
            Input::Refused(Fate::Fail(Reason::ContentType))
        };
        let signal = self.step(input);
        if signal == Some(Signal::Open) {
            // What the last stream left unfinished is no part of this one.
            self.decoder.reset();
            self.location.accept(final_url);
        }
        if signal.is_some() {
            self.location.end_request();
        }
        signal
    }

    /// The request under way was redirected, with this status, to this URL; the driver follows.
    ///
    /// A driver that follows redirects by itself tells each of them before
    /// [`handle_response`](EventSource::handle_response), which then needs no final URL. Only so
    /// [`ReconnectTo::PermanentUrl`] can be known. Where a redirect moves the next request, it does
    /// so at once, whatever the response will be. Without a request under way it has no effect.
    ///
    /// The URL is taken as it is: check it as a client should ([`Origin`] helps), follow no more
    /// than 20, and let no credentials go along to another origin.
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
            ends_row_of_failures: self.retry_policy.lasting().is_none(),
            url: self.location.source().as_ref(),
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
        let fate = match cause {
            Disconnect::EndOfBody => {
                let unfinished = self.decoder.unfinished();
                // Of a request that never came to a response there is no stream to be unfinished.
                let is_cut = unfinished.filter(|_| self.state != State::Connecting);
                self.loss(
                    is_cut.map_or(Reason::EndOfBody, Reason::Truncated),
                    Duration::ZERO,
                )
            }
            // What cannot be fetched now cannot be fetched later. (A body under way can: it is
            // there.)
            Disconnect::Network
                if self.state == State::Connecting
                    && !origin::is_http(self.location.target().as_ref()) =>
            {
                Fate::Fail(Reason::Network)
            }
            Disconnect::Network => self.loss(Reason::Network, Duration::ZERO),
            Disconnect::Timeout => self.loss(Reason::Timeout, Duration::ZERO),
            Disconnect::Futile => Fate::Fail(Reason::Futile),
        };
        let signal = self.step(Input::Ended(fate));
        self.location.end_request();
        signal
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

    /// The connection has been open for as long as [`Action::Read`] said (`stable_after`): a row of
    /// failures is over.
    ///
    /// It may be told earlier or more than once; without an open connection it has no effect.
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
    /// source.handle_stable();
    /// let Action::Read(read) = source.action() else { panic!() };
    /// assert_eq!(read.stable_after, None);
    /// # }
    /// ```
    pub fn handle_stable(&mut self) {
        if self.state.is_open() {
            self.failures = 0;
        }
        let _none = self.step(Input::Stable);
    }

    /// The body under way may end now: a message has announced it.
    ///
    /// How such a body ends is no failure any more: it does not count for
    /// [`backoff`](RetryPolicy::backoff) or [`max_failures`](RetryPolicy::max_failures), and with a
    /// policy of [`never`](RetryPolicy::never) the source closes without an `error`. The standard
    /// knows no such thing. Without an open connection it has no effect.
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
        let _none = self.step(Input::ExpectEnd);
    }

    /// Asks for another connection now: what was waited for has come (the network, a new token), or
    /// the one that is open is to be replaced.
    ///
    /// It ends a wait. A connection that is open is lost by it, with the `error` that comes of that
    /// ([`Reason::Reconnect`]) but without a failure that counts and without a wait. A request
    /// under way goes on, and nothing follows a `close`.
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
    /// let due = Signal::Error { ready_state: ReadyState::Connecting, reason: Reason::Reconnect };
    /// assert_eq!(source.reconnect_now(), Some(due));
    /// assert!(matches!(source.action(), Action::Connect(_)));
    /// # }
    /// ```
    #[must_use = "`error` is to be handed to the user"]
    pub fn reconnect_now(&mut self) -> Option<Signal> {
        self.step(Input::Reconnect)
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

    /// Sets another URL for the next request, as it would be given to the constructors. The stream
    /// under way is not touched; last event ID and failures stay.
    ///
    /// A request that is under way when this is called goes to the old URL: tell
    /// [`handle_response`](EventSource::handle_response) its final URL then.
    ///
    /// # Errors
    ///
    /// [`InvalidUrl`]; the old one stays.
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

    /// The URL as it was given.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let source = sse_proto::EventSource::new("http://a.example/stream").unwrap();
    /// assert_eq!(source.url(), "http://a.example/stream");
    /// # }
    /// ```
    pub fn url(&self) -> &str {
        self.location.given().as_ref()
    }

    /// The origin of the stream under way, or of the last one: that of the final URL. Redirects
    /// that were told count at once.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let source = sse_proto::EventSource::new("HTTP://A.example:80/stream").unwrap();
    /// assert_eq!(source.origin(), "http://a.example");
    /// # }
    /// ```
    pub fn origin(&self) -> Origin<'_> {
        Origin::of(self.location.source().as_ref())
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

    /// Whether the next request leaves the last event ID out, as no header can carry it: see
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
    /// [`time`](RetryPolicy::reconnection_time) before there was one. It outlives connections.
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

    fn request(&self) -> Request<'_> {
        Request {
            timeout: self.response_timeout,
            has_cache_control: self.sends_cache_control,
            ..Request::new(
                self.location.target().as_ref(),
                self.credentials,
                self.decoder.last_event_id(),
                self.max_last_event_id_len,
            )
        }
    }

    /// What is due after a loss for this reason, if it is one that may go better next time.
    fn loss(&self, reason: Reason, least: Duration) -> Fate {
        let failures = self.failures.saturating_add(1);
        let is_expected = self.state.is_end_expected();
        match (self.retry_policy.reconnects(), is_expected) {
            (false, true) => Fate::Finish,
            (false, false) => Fate::Fail(reason),
            (true, false) if self.retry_policy.gives_up(failures) => {
                Fate::Fail(Reason::GaveUp(failures))
            }
            (true, _) => Fate::Reestablish(reason, least),
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
    /// assert_eq!((request.last_event_id, request.last_event_id_omitted), (None, true));
    /// # }
    /// ```
    #[must_use]
    pub const fn max_last_event_id_len(mut self, bytes: usize) -> Self {
        self.max_last_event_id_len = bytes;
        self
    }

    /// Sets where a reconnect goes after redirects; [`ReconnectTo::OriginalUrl`] unless set.
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

    /// Sets after how much time without the head of a response a request counts as lost; never
    /// unless set.
    ///
    /// [`Action::Connect`] tells the driver, which has the clock. Some servers answer only when
    /// there is something to say: choose it longer than that.
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
    /// let due = Signal::Error { ready_state: ReadyState::Connecting, reason: Reason::Timeout };
    /// assert_eq!(source.handle_disconnect(Disconnect::Timeout), Some(due));
    /// # }
    /// ```
    #[must_use]
    pub const fn response_timeout(mut self, time: Duration) -> Self {
        self.response_timeout = Some(time);
        self
    }

    /// Sets after how much time without a byte of the body a connection counts as lost; never
    /// unless set.
    ///
    /// Any byte counts, so that a server keeps a connection by comments. Without it nobody notices
    /// a server that went away without a word, or a proxy that forgot the connection.
    /// [`Action::Read`] tells the driver, which has the clock.
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

    /// Sets whether requests have the header `Cache-Control`; `true` unless set.
    ///
    /// In a browser's `fetch` that header makes a request to another origin ask for leave first (a
    /// "preflight"), which many servers refuse. There, say `false` and set the request's cache mode
    /// to `no-store`, which means the same.
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
        self.sends_cache_control = yes;
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

    /// How many requests and connections in a row have failed, as [`RetryPolicy::backoff`] counts them.
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
        // What was announced or asked for is no failure.
        let was_due = match input {
            Input::Ended(Fate::Reestablish(..)) => self.state.is_end_expected(),
            Input::Reconnect => true,
            _ => false,
        };
        if matches!(signal, Some(Signal::Error { .. })) && !was_due {
            self.failures = self.failures.saturating_add(1);
        }
        self.state = state;
        signal
    }
}
