//! The reconnecting client: the connection state machine of `sse-proto`, driven by an HTTP library
//! and a timer that the user provides.
//!
//! This file is the public API. The state machine decides what to do next; the modules [`driver`],
//! [`connecting`], [`reading`] and [`disconnect`] do it. All state is kept in the [`EventSource`]
//! itself and not in a future of its methods, so dropping those loses nothing.

mod connect;
mod connecting;
mod disconnect;
mod driver;
mod events;
mod handle;
mod lost;
mod read_timer;
mod reading;
mod redirect;
mod rejected;

use std::{
    borrow::Cow,
    error, fmt, mem,
    pin::Pin,
    sync::OnceLock,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_core::{FusedStream, Stream};
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri, Version, response};
use http_body::Body;
use pin_project_lite::pin_project;
use sse_proto::{
    Decoder, EventTooLarge, IgnoredReason, Origin, OwnedEvent, ReadyState, ReconnectTo,
    RetryPolicy, Signal,
};

use crate::{
    BodyChunk, BodyStream, Error, OwnedItem,
    body::is_event_stream_response,
    decode::{BatchDecoder, BatchStats, Cursor, DecodeItem, ReadState},
};
use read_timer::ReadTimer;
use rejected::RejectedResponse;

pub use connect::{Connect, ConnectError, FinalUrl, Sleep};
pub use events::ClientEvents;
pub use handle::Handle;
pub use lost::Lost;

const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

type StateMachine = sse_proto::EventSource<String>;
type Chunk<C> = BodyChunk<<<C as Connect>::Body as Body>::Data>;
type Item = Option<Result<Received, Error<Lost>>>;

pin_project! {
    /// A client that reconnects like the `EventSource` of browsers: a [`Stream`] of events and of
    /// changes of the connection.
    ///
    /// The stream ends, with or without an error, when there will be no further attempt. Its items:
    ///
    /// | item | meaning |
    /// |---|---|
    /// | `Ok(Received::Open(head))` | the connection is open |
    /// | `Ok(Received::Event(event))` | an event |
    /// | `Ok(Received::Lost(lost))` | the connection is lost, and the client will try again |
    /// | `Err(Error::Source(lost))` | the connection is lost for good: the last item |
    /// | `Err(Error::TooLarge(error))` | an event exceeded the limit of the decoder and was skipped; the stream continues |
    ///
    /// So `try_next().await?` leaves a loop when the stream is over, and not when a connection is
    /// lost.
    ///
    /// ```
    /// use futures_util::TryStreamExt as _;
    /// use sse_proto_stream::{EventSource, Received};
    /// # use std::time::Duration;
    /// # let mut bodies = ["id: 1\ndata: one\n\n", "id: 2\ndata: two\n\nda"].into_iter();
    /// # let connect = move |request: http::Request<bytes::Bytes>| {
    /// #     let response = http::Response::builder().header("content-type", "text/event-stream");
    /// #     let response = bodies.next().map_or(http::Response::builder().status(204), |_| response)
    /// #         .body(http_body_util::Full::new(match request.headers().get("last-event-id") {
    /// #             None => &b"id: 1\ndata: one\n\n"[..],
    /// #             Some(_) => b"id: 2\ndata: two\n\nda",
    /// #         }));
    /// #     std::future::ready(response)
    /// # };
    /// # let sleep = |_: Duration| std::future::ready(());
    ///
    /// # async fn run(connect: impl sse_proto_stream::Connect, sleep: impl sse_proto_stream::Sleep) -> Vec<String> {
    /// # let mut log = vec![];
    /// // `connect` and `sleep` are, for example, `Reqwest::new()?` and `tokio::time::sleep`.
    /// let mut source = std::pin::pin!(EventSource::get("http://a.example/", connect, sleep).unwrap());
    /// loop {
    ///     match source.try_next().await {
    ///         Ok(Some(Received::Event(event))) => log.push(event.into_data()),
    ///         Ok(Some(Received::Lost(lost))) => log.push(lost.to_string()),
    ///         Ok(Some(_)) => {}
    ///         Ok(None) => return log,
    ///         Err(error) => log.push(error.to_string()),
    ///     }
    /// }
    /// # }
    /// # let log = futures_executor::block_on(run(connect, sleep));
    /// # assert_eq!(log, ["one", "the body ended, next attempt in 3.0s",
    /// #     "two", "the body ended inside a line, next attempt in 3.0s", "source of the stream failed: status 204"]);
    /// ```
    ///
    /// [`sse_proto::EventSource`] decides when to reconnect; its documentation has the rules, which
    /// by default are those of the standard. This client follows up to 20 redirects, and sends none
    /// of the caller's headers to another origin.
    ///
    /// It spawns no task: dropping it drops the request, the connection and the timer. The futures
    /// of `next` are cancel safe: dropping them loses nothing.
    #[must_use = "streams do nothing unless polled"]
    pub struct EventSource<C, T, H = fn(&mut Request<Bytes>)>
    where
        C: Connect,
        T: Sleep,
    {
        connect: C,
        sleep: T,
        prepare_request: H,
        // The caller's request without its URL; `None` for a plain GET.
        request: Option<Box<Request<Bytes>>>,
        batches: BatchDecoder<StateMachine, Chunk<C>, Received>,
        phase: Phase,
        // Created on demand: most clients have none.
        handle: OnceLock<Handle>,
        #[pin]
        response: Option<C::Future>,
        #[pin]
        body: Option<BodyStream<C::Body>>,
        // The timer of the current phase: a timeout, or the wait for the next attempt.
        #[pin]
        timer: Option<T::Future>,
    }
}

/// An item of an [`EventSource`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Received {
    /// The connection is open: the standard's `open` event. This is the head of the response, with
    /// its status and headers; its extensions contain the [`FinalUrl`]. For the head of a response
    /// that is not an event stream, see [`Lost::response`].
    Open(Box<response::Parts>),
    /// An event.
    Event(OwnedEvent),
    /// The text of a comment line after the colon, including a leading space: ` ping` for
    /// `: ping`. Only returned if [`items`](EventSource::items) is set.
    Comment(String),
    /// A `retry` line has set the reconnection time. Only returned if [`items`](EventSource::items)
    /// is set.
    Retry(Duration),
    /// A block without data has set the last event ID, to this. There is no event. Only returned if
    /// [`items`](EventSource::items) is set.
    Id(String),
    /// A line without effect: see [`sse_proto::Ignored`]. Only returned if
    /// [`items`](EventSource::items) is set.
    Ignored {
        /// The line, or the value of its field.
        text: String,
        /// Why it has no effect.
        reason: IgnoredReason,
    },
    /// The connection is lost, and the client will try again. That includes the end of a complete
    /// body ([`Reason::EndOfBody`](sse_proto::Reason::EndOfBody)): if nothing follows it, leave the
    /// loop.
    Lost(Lost),
}

enum Phase {
    /// No request has been sent.
    Idle,
    /// Waiting for the head of a response. The request is kept, as redirects may need it.
    Connecting {
        request: Box<Request<Bytes>>,
        redirects: u8,
    },
    /// Reading the body of a response that is not an event stream.
    Rejected(Box<RejectedResponse>),
    /// Reading events.
    Reading(ReadTimer),
    /// Waiting for the next attempt.
    Waiting,
    Closed,
}

/// The text is not an absolute URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidUrl(String);

impl fmt::Display for InvalidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl error::Error for InvalidUrl {}

impl<C: Connect, T: Sleep> EventSource<C, T> {
    /// Creates a client that sends `GET` requests to `url`.
    ///
    /// # Errors
    ///
    /// [`InvalidUrl`]: `url` is not a valid absolute URL. Characters that have to be
    /// percent-encoded in a URL are not encoded automatically.
    pub fn get(url: &str, connect: C, sleep: T) -> Result<Self, InvalidUrl> {
        let url: Uri = url.parse().map_err(invalid)?;
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = url;
        Self::new(request, connect, sleep)
    }

    /// Creates a client that sends `request`: any method, with headers and a body.
    ///
    /// A request with another method than `GET` is sent only once, as it may have side effects: its
    /// policy is [`RetryPolicy::never`] unless [`retry_policy`](Self::retry_policy) sets another
    /// one. The client adds the headers of the standard: `Accept` (unless present), `Cache-Control`
    /// and `Last-Event-ID`. It also adds `Accept-Encoding: identity` (unless present), because
    /// compression delays events. Some servers respond to no other `Accept` than the default,
    /// `text/event-stream`.
    ///
    /// # Errors
    ///
    /// [`InvalidUrl`]: the URL is not absolute.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::Request;
    /// use sse_proto_stream::EventSource;
    ///
    /// # type Response = http::Response<http_body_util::Empty<Bytes>>;
    /// # let connect = |_| std::future::pending::<http::Result<Response>>();
    /// # let sleep = |_| std::future::pending::<()>();
    /// let request = Request::post("http://a.example/chat").header("authorization", "Bearer secret");
    /// let request = request.body(Bytes::from(r#"{"stream":true}"#))?;
    /// let source = EventSource::new(request, connect, sleep)?.until("[DONE]");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(request: Request<Bytes>, connect: C, sleep: T) -> Result<Self, InvalidUrl> {
        Self::with_decoder(request, Decoder::new(), connect, sleep)
    }

    /// Like [`new`](Self::new), with the given decoder, to set another limit than 16 MiB per event.
    ///
    /// # Errors
    ///
    /// [`InvalidUrl`]: the URL is not absolute.
    pub fn with_decoder(
        mut request: Request<Bytes>,
        decoder: Decoder,
        connect: C,
        sleep: T,
    ) -> Result<Self, InvalidUrl> {
        let url = mem::take(request.uri_mut()).to_string();
        let mut machine = StateMachine::with_decoder(url, decoder).map_err(invalid)?;
        if request.method() != Method::GET {
            machine = machine.retry_policy(RetryPolicy::never());
        }
        Ok(Self {
            connect,
            sleep,
            prepare_request: |_| {},
            request: (!is_plain(&request)).then(|| Box::new(request)),
            batches: BatchDecoder::new(machine),
            phase: Phase::Idle,
            handle: OnceLock::new(),
            response: None,
            body: None,
            timer: None,
        })
    }
}

fn invalid(error: impl fmt::Display) -> InvalidUrl {
    InvalidUrl(error.to_string())
}

impl<C: Connect, T: Sleep, H> EventSource<C, T, H> {
    /// Calls `prepare` with the request of each attempt before it is sent: to set a token that
    /// changes, another header, another URL, or another body.
    ///
    /// If it changes the URL, the later attempts use the new URL, too; all other changes are for
    /// this attempt only. It is not called for the requests that follow redirects. The headers it
    /// sets are not sent to other origins, like all headers of the caller.
    ///
    /// It cannot wait. If the token has to be fetched, do that when [`Received::Lost`] is returned:
    /// the next attempt starts when the source is polled again.
    ///
    /// ```
    /// # use http::{HeaderValue, Request};
    /// # use sse_proto_stream::EventSource;
    /// # type Response = http::Response<http_body_util::Empty<bytes::Bytes>>;
    /// # let connect = |_| std::future::pending::<http::Result<Response>>();
    /// # let sleep = |_| std::future::pending::<()>();
    /// # let current_token = || HeaderValue::from_static("Bearer 1");
    /// let source = EventSource::get("http://a.example/", connect, sleep)?;
    /// let source = source.prepare_request(move |request| {
    ///     request.headers_mut().insert("authorization", current_token());
    /// });
    /// # Ok::<(), sse_proto_stream::InvalidUrl>(())
    /// ```
    pub fn prepare_request<G: FnMut(&mut Request<Bytes>)>(
        self,
        prepare: G,
    ) -> EventSource<C, T, G> {
        EventSource {
            connect: self.connect,
            sleep: self.sleep,
            prepare_request: prepare,
            request: self.request,
            batches: self.batches,
            phase: self.phase,
            handle: self.handle,
            response: self.response,
            body: self.body,
            timer: self.timer,
        }
    }

    /// Starts with a response that was already received, for example the response to a `POST` whose
    /// stream is resumed by `GET` if the connection is lost.
    ///
    /// The first item is `Open` with the head of this response. Call this last, after
    /// [`with_last_event_id`](Self::with_last_event_id) and the other options.
    ///
    /// # Errors
    ///
    /// Returns a response that is not an event stream unchanged, like
    /// [`EventStream::from_response`](crate::EventStream::from_response), so that its body can be
    /// read.
    ///
    /// ```
    /// use futures_util::StreamExt as _;
    /// use http_body_util::Full;
    /// use sse_proto_stream::EventSource;
    ///
    /// # futures_executor::block_on(async {
    /// # let post = async || http::Response::builder().header("content-type", "text/event-stream").body(Full::new(&b"id: 1\ndata: x\n\n"[..]));
    /// # let connect = |_| std::future::pending::<http::Result<http::Response<Full<&[u8]>>>>();
    /// # let sleep = |_| std::future::pending::<()>();
    /// let response = post().await.unwrap();
    /// let source = EventSource::get("http://a.example/", connect, sleep).unwrap();
    /// let source = source.with_response(response).map_err(|response| response.status()).unwrap();
    /// let mut events = std::pin::pin!(source.events());
    /// assert_eq!(events.next().await.unwrap().unwrap().data(), "x");
    /// # });
    /// ```
    pub fn with_response(mut self, response: Response<C::Body>) -> Result<Self, Response<C::Body>> {
        if !is_event_stream_response(&response) {
            return Err(response);
        }
        let machine = &mut self.batches.decoder;
        let url = machine.url().to_owned();
        let (signal, head, body) = connecting::accept_response(machine, response, || url);
        if signal == Some(Signal::Open) {
            self.body = Some(BodyStream::new(body));
            self.phase = Phase::Reading(ReadTimer::default());
            self.batches
                .queue
                .push_back(Ok(Received::Open(Box::new(head))));
        }
        Ok(self)
    }

    fn machine(&self) -> &StateMachine {
        &self.batches.decoder
    }

    fn map_machine(mut self, set: impl FnOnce(StateMachine) -> StateMachine) -> Self {
        self.batches.decoder = set(self.batches.decoder);
        self
    }

    /// Sets when to reconnect and how long to wait before it. The default is [`RetryPolicy::new`]
    /// for `GET` and [`RetryPolicy::never`] for all other methods.
    ///
    /// [`RetryPolicy::new`] also reconnects after the end of a complete body, and without any wait
    /// if the server sends `retry: 0`: see [`RetryPolicy::min_delay`].
    pub fn retry_policy(self, policy: RetryPolicy) -> Self {
        self.map_machine(|machine| machine.retry_policy(policy))
    }

    /// Resumes after the event with this ID. An ID longer than the limit of the decoder is ignored.
    ///
    /// If the server refuses the ID, it refuses all later attempts, too, which repeat it: start over
    /// with a new source.
    pub fn with_last_event_id(mut self, id: &str) -> Self {
        let _too_long = self.batches.decoder.set_last_event_id(id);
        self
    }

    /// Sets the maximum time from a request to the head of its response, including redirects. After
    /// that the connection counts as lost. There is no limit by default.
    pub fn response_timeout(self, time: Duration) -> Self {
        self.map_machine(|machine| machine.response_timeout(time))
    }

    /// Sets the maximum time without a byte of the body. After that, or at most a quarter of it
    /// later, the connection counts as lost. There is no limit by default. See
    /// [`sse_proto::EventSource::read_timeout`].
    pub fn read_timeout(self, time: Duration) -> Self {
        self.map_machine(|machine| machine.read_timeout(time))
    }

    /// Sets the URL of the next attempt after redirects. The default is the original URL.
    pub fn reconnect_to(self, to: ReconnectTo) -> Self {
        self.map_machine(|machine| machine.reconnect_to(to))
    }

    /// Sets whether requests have the header `Cache-Control`: see
    /// [`sse_proto::EventSource::cache_control`].
    pub fn cache_control(self, yes: bool) -> Self {
        self.map_machine(|machine| machine.cache_control(yes))
    }

    /// Sets whether comments, `retry` lines, IDs without an event and lines without effect are
    /// returned, too. The default is `false`.
    pub fn items(mut self, yes: bool) -> Self {
        self.batches.include_items = yes;
        self
    }

    /// Ends the stream without an error at the event whose data is `marker`, such as `[DONE]`. That
    /// event is not returned, and there is no further attempt. If an event type marks the end, leave
    /// the loop at that event instead.
    ///
    /// If the request is sent only once, every other end is an error.
    pub fn until(mut self, marker: impl Into<Cow<'static, str>>) -> Self {
        self.batches.until(marker.into());
        self
    }

    /// Converts this into a stream of events only. Of the losses, it returns only the last one, as
    /// an error. It does not return the heads of responses: see [`Received::Open`].
    pub fn events(self) -> ClientEvents<C, T, H> {
        ClientEvents::new(self)
    }

    /// Returns a handle to close this client or make it reconnect from another place, such as
    /// another thread.
    pub fn handle(&self) -> Handle {
        self.handle.get_or_init(Handle::new).clone()
    }

    /// Returns the standard's `readyState`.
    pub fn ready_state(&self) -> ReadyState {
        self.machine().ready_state()
    }

    /// Returns the last event ID as of the events that were returned. Store it to resume with
    /// [`with_last_event_id`](Self::with_last_event_id) after a restart.
    pub fn last_event_id(&self) -> &str {
        self.batches.last_event_id()
    }

    /// Returns whether requests omit the last event ID because a header cannot contain it: it has
    /// control characters, or more than 4096 bytes. The server then does not know where to resume.
    pub fn last_event_id_omitted(&self) -> bool {
        self.machine().last_event_id_omitted()
    }

    /// Returns the URL given by the caller, or set by [`prepare_request`](Self::prepare_request).
    pub fn url(&self) -> &str {
        self.machine().url()
    }

    /// Returns the origin of the current stream, or of the last one.
    pub fn origin(&self) -> Origin<'_> {
        self.machine().origin()
    }

    /// Returns the reconnection time: that of the last `retry` line, or of the policy.
    pub fn reconnection_time(&self) -> Duration {
        self.machine().reconnection_time()
    }

    /// Returns the number of attempts that have failed in a row.
    pub fn failures(&self) -> u32 {
        self.machine().failures()
    }
}

impl<C, T, H> Stream for EventSource<C, T, H>
where
    C: Connect,
    T: Sleep,
    H: FnMut(&mut Request<Bytes>),
{
    type Item = Result<Received, Error<Lost>>;

    #[inline(always)]
    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Item> {
        // Fast path: the handle has no commands, and an event is queued or in the body.
        let mut this = self;
        if !this.has_commands() {
            let mut fields = this.as_mut().project();
            let batches = fields.batches;
            if let Some(item) = batches.pop_queued() {
                if let Some(item) = batches.emit(item) {
                    return Poll::Ready(Some(item));
                }
            } else if let (Phase::Reading(read_timer), ReadState::Reading, Some(body)) = (
                fields.phase,
                batches.read_state,
                fields.body.as_mut().as_pin_mut(),
            ) {
                match reading::read_item::<C>(batches, read_timer, body, context) {
                    Ok(None) => {}
                    Ok(item) => return Poll::Ready(item),
                    Err(no_chunk) => return this.poll_slow(context, Some(no_chunk)),
                }
            }
        }
        this.poll_slow(context, None)
    }
}

impl<C, T, H> FusedStream for EventSource<C, T, H>
where
    C: Connect,
    T: Sleep,
    H: FnMut(&mut Request<Bytes>),
{
    fn is_terminated(&self) -> bool {
        matches!(self.phase, Phase::Closed) && self.batches.queue.is_empty()
    }
}

impl<C: Connect, T: Sleep, H> fmt::Debug for EventSource<C, T, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSource")
            .field("ready_state", &self.ready_state())
            .field("last_event_id", &self.last_event_id())
            .field("failures", &self.failures())
            .finish_non_exhaustive()
    }
}

impl DecodeItem for Received {
    #[inline(always)]
    fn next(
        cursor: &mut impl Cursor,
        stats: &mut BatchStats,
    ) -> Result<Option<Self>, EventTooLarge> {
        if stats.include_items {
            return Ok(OwnedItem::next(cursor, stats)?.map(Self::from));
        }
        match cursor.next_event() {
            Ok(Some(event)) => Ok(Some(Self::Event(stats.record_event(event)))),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn from_event(event: OwnedEvent) -> Self {
        Self::Event(event)
    }

    #[inline]
    fn as_event(&self) -> Option<&OwnedEvent> {
        match self {
            Self::Event(event) => Some(event),
            _ => None,
        }
    }

    fn last_event_id(&self) -> Option<&str> {
        match self {
            Self::Event(event) => Some(event.last_event_id()),
            Self::Id(id) => Some(id),
            _ => None,
        }
    }
}

impl From<OwnedItem> for Received {
    fn from(item: OwnedItem) -> Self {
        match item {
            OwnedItem::Event(event) => Self::Event(event),
            OwnedItem::Comment(text) => Self::Comment(text),
            OwnedItem::Retry(time) => Self::Retry(time),
            OwnedItem::Id(id) => Self::Id(id),
            OwnedItem::Ignored { text, reason } => Self::Ignored { text, reason },
        }
    }
}

/// Whether the request is a `GET` without headers, extensions or a body.
fn is_plain(request: &Request<Bytes>) -> bool {
    request.method() == Method::GET
        && request.headers().is_empty()
        && request.extensions().is_empty()
        && request.body().is_empty()
        && request.version() == Version::default()
}
