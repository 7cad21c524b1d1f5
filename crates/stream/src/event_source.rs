//! The reconnecting client: the connection machine of `sse-proto`, with an HTTP library and a timer
//! of the user's.
//!
//! Here is what users see. The machine decides, and `drive` does it: sends requests, follows
//! redirects, reads bodies, waits, and hands out what happens. Whatever is under way is kept in the
//! [`EventSource`] itself and not in a future of its methods, so nothing is lost by dropping those.

mod connect;
mod drive;
mod events;
mod handle;
mod lost;
mod redirect;
mod refusal;
mod silence;

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
    Decoder, EventTooLarge, Origin, OwnedEvent, ReadyState, ReconnectTo, RetryPolicy, Signal,
};

use crate::{
    BodyChunk, BodyStream, Error, OwnedItem,
    body::has_events,
    decoded::{self, Batch, Cursor, Decode, State},
};
use refusal::Refusal;
use silence::Silence;

pub use connect::{Connect, ConnectError, FinalUrl, Sleep};
pub use events::ClientEvents;
pub use handle::Handle;
pub use lost::Lost;

const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

type Machine = sse_proto::EventSource<String>;
type Chunk<C> = BodyChunk<<<C as Connect>::Body as Body>::Data>;
type Item = Option<Result<Received, Error<Lost>>>;

pin_project! {
    /// A client that reconnects, as browsers have it: a [`Stream`] of what happens.
    ///
    /// The stream ends, behind an error or without one, when there will be no other attempt. Its items:
    ///
    /// | item | meaning |
    /// |---|---|
    /// | `Ok(Received::Open(head))` | there is a connection |
    /// | `Ok(Received::Event(event))` | an event |
    /// | `Ok(Received::Lost(lost))` | the connection is lost, and there will be another attempt |
    /// | `Err(Error::Source(lost))` | it is lost for good: the last item |
    /// | `Err(Error::TooLarge(error))` | an event was larger than the limit of the decoder; the stream goes on |
    ///
    /// So `try_next().await?` leaves a loop when there is nothing more to wait for, and not when a
    /// connection is lost.
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
    /// // An HTTP library and a timer: `Reqwest::new()?` and `tokio::time::sleep`, say.
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
    /// What to do, when and how often is decided by [`sse_proto::EventSource`], whose documentation
    /// has the rules; by default they are the standard's. Redirects are followed here, up to 20,
    /// and none of the caller's headers goes to another origin.
    ///
    /// Dropping it drops the request, the connection and the timer: it starts no task. Everything
    /// that is under way is in it, and not in the futures of `next`, which may be dropped at any
    /// time.
    #[must_use = "streams do nothing unless polled"]
    pub struct EventSource<C, T, H = fn(&mut Request<Bytes>)>
    where
        C: Connect,
        T: Sleep,
    {
        connect: C,
        sleep: T,
        prepare_request: H,
        // What the caller wants of each attempt beside its URL, if it is more than a plain GET.
        request: Option<Box<Request<Bytes>>>,
        state: State<Machine, Chunk<C>, Received>,
        phase: Phase,
        // Made when it is asked for: most clients have none.
        handle: OnceLock<Handle>,
        #[pin]
        response: Option<C::Future>,
        #[pin]
        body: Option<BodyStream<C::Body>>,
        // Of the wait, of the deadline of a response, or of the silence of a body.
        #[pin]
        timer: Option<T::Future>,
    }
}

/// What an [`EventSource`] hands out.
#[derive(Debug)]
#[non_exhaustive]
pub enum Received {
    /// The standard's `open`: there is a connection, and this is the head of its response, with its
    /// [`FinalUrl`] among the extensions.
    Open(Box<response::Parts>),
    /// An event.
    Event(OwnedEvent),
    /// The text of a comment line, if [`items`](EventSource::items) are asked for: all that follows
    /// its colon, a leading space included.
    Comment(String),
    /// A `retry` line has set the reconnection time, if [`items`](EventSource::items) are asked for.
    Retry(Duration),
    /// The connection is lost, and there will be another attempt.
    Lost(Lost),
}

/// What is under way.
enum Phase {
    /// Nothing: the machine says what is next.
    Begin,
    /// A request, and what may have to be sent again where a redirect leads.
    Request {
        sent: Box<Request<Bytes>>,
        redirects: u8,
    },
    /// The body of a response that is no event stream.
    Refused(Box<Refusal>),
    Read(Silence),
    Wait,
    Ended,
}

/// The text is no URL that can be asked for an event stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidUrl(String);

impl fmt::Display for InvalidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl error::Error for InvalidUrl {}

impl<C: Connect, T: Sleep> EventSource<C, T> {
    /// The events of `url`.
    ///
    /// # Errors
    ///
    /// [`InvalidUrl`]: the URL is not absolute, or none at all. Characters that have to be encoded
    /// in a URL have to be encoded here.
    pub fn get(url: &str, connect: C, sleep: T) -> Result<Self, InvalidUrl> {
        let url: Uri = url.parse().map_err(invalid)?;
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = url;
        Self::new(request, connect, sleep)
    }

    /// The events that answer `request`: any method, with headers and a body.
    ///
    /// A request that is no `GET` is sent once, as it may have effects: its policy is
    /// [`RetryPolicy::never`] unless [`retry_policy`](Self::retry_policy) says otherwise. What the
    /// standard asks for is added: `Accept` (unless there is one), `Cache-Control`,
    /// `Last-Event-ID`. So is `Accept-Encoding: identity` (unless there is one), as compression
    /// holds events back.
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

    /// The same with a decoder of the caller's, which has another limit than 16 MiB.
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
        let mut machine = Machine::with_decoder(url, decoder).map_err(invalid)?;
        if request.method() != Method::GET {
            machine = machine.retry_policy(RetryPolicy::never());
        }
        Ok(Self {
            connect,
            sleep,
            prepare_request: |_| {},
            request: (!is_plain(&request)).then(|| Box::new(request)),
            state: State::new(machine),
            phase: Phase::Begin,
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
    /// Calls `prepare` with the request of each attempt: for a token that changes, a header,
    /// another URL.
    ///
    /// A URL that it sets is that of all attempts from now on. It is not called for the requests
    /// that redirects lead to, and what it sets is kept from other origins like the rest of the
    /// caller's headers.
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
            state: self.state,
            phase: self.phase,
            handle: self.handle,
            response: self.response,
            body: self.body,
            timer: self.timer,
        }
    }

    /// Begins with a response that is here already: the answer to a `POST`, say, whose stream goes
    /// on with `GET` when it is lost.
    ///
    /// The first item is its `Open`. Set all options that say what is accepted, and the ID to begin
    /// behind, before this.
    ///
    /// # Errors
    ///
    /// A response that is no event stream is handed back untouched, as by
    /// [`EventStream::from_response`](crate::EventStream::from_response): it may be an answer in
    /// another form.
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
        if !has_events(&response) {
            return Err(response);
        }
        let machine = &mut self.state.decoder;
        let url = machine.url().to_owned();
        let (signal, head, body) = drive::tell_response(machine, response, || url);
        if signal == Some(Signal::Open) {
            self.body = Some(BodyStream::new(body));
            self.phase = Phase::Read(Silence::default());
            self.state
                .queue
                .push_back(Ok(Received::Open(Box::new(head))));
        }
        Ok(self)
    }

    /// Changes an option of the machine.
    fn with(mut self, change: impl FnOnce(Machine) -> Machine) -> Self {
        self.state.decoder = change(self.state.decoder);
        self
    }

    /// Sets when to reconnect, and after how long; [`RetryPolicy::new`] for a `GET` unless set, and
    /// [`RetryPolicy::never`] for all other methods.
    pub fn retry_policy(self, policy: RetryPolicy) -> Self {
        self.with(|machine| machine.retry_policy(policy))
    }

    /// Begins behind the event with this ID. One that is longer than the decoder's limit is not taken.
    pub fn with_last_event_id(mut self, id: &str) -> Self {
        let _too_long = self.state.decoder.set_last_event_id(id);
        self
    }

    /// Sets after how much time without the head of a response, redirects included, a request
    /// counts as lost; never unless set.
    pub fn response_timeout(self, time: Duration) -> Self {
        self.with(|machine| machine.response_timeout(time))
    }

    /// Sets after how much time without a byte of the body a connection counts as lost, and at most
    /// a quarter of that later; never unless set. See [`sse_proto::EventSource::read_timeout`].
    pub fn read_timeout(self, time: Duration) -> Self {
        self.with(|machine| machine.read_timeout(time))
    }

    /// Sets where a reconnect goes after redirects; to the original URL unless set.
    pub fn reconnect_to(self, to: ReconnectTo) -> Self {
        self.with(|machine| machine.reconnect_to(to))
    }

    /// Sets whether requests have the header `Cache-Control`; see
    /// [`sse_proto::EventSource::cache_control`].
    pub fn cache_control(self, yes: bool) -> Self {
        self.with(|machine| machine.cache_control(yes))
    }

    /// Sets whether comments and `retry` lines are handed out, too.
    pub fn items(mut self, yes: bool) -> Self {
        self.state.with_items = yes;
        self
    }

    /// Ends the stream, without an error, at the event whose data is `marker`, which is not handed
    /// out: `[DONE]`, say.
    ///
    /// With a request that is sent once, any other end is an error.
    pub fn until(mut self, marker: impl Into<Cow<'static, str>>) -> Self {
        self.state.until(marker.into());
        self
    }

    /// The events alone: no `open`, no losses but the last one, which is an error.
    pub fn events(self) -> ClientEvents<C, T, H> {
        ClientEvents::new(self)
    }

    /// To close it, or to let it reconnect, from anywhere.
    pub fn handle(&self) -> Handle {
        self.handle.get_or_init(Handle::new).clone()
    }

    /// The standard's `readyState`.
    pub fn ready_state(&self) -> ReadyState {
        self.state.decoder.ready_state()
    }

    /// The last event ID string as of the events that were handed out: to be stored, and given to
    /// [`with_last_event_id`](Self::with_last_event_id) in another life.
    pub fn last_event_id(&self) -> &str {
        self.state.last_event_id()
    }

    /// Whether requests leave the last event ID out, as no header can carry it: it has control
    /// characters, or more than 4096 bytes. The server does not know then where to go on.
    pub fn last_event_id_omitted(&self) -> bool {
        self.state.decoder.last_event_id_omitted()
    }

    /// The URL as it was given, or as [`prepare_request`](Self::prepare_request) has set it.
    pub fn url(&self) -> &str {
        self.state.decoder.url()
    }

    /// The origin of the stream under way, or of the last one.
    pub fn origin(&self) -> Origin<'_> {
        self.state.decoder.origin()
    }

    /// The reconnection time: the server's last `retry`, or the policy's.
    pub fn reconnection_time(&self) -> Duration {
        self.state.decoder.reconnection_time()
    }

    /// How many attempts have failed in a row.
    pub fn failures(&self) -> u32 {
        self.state.decoder.failures()
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
        // The short way to an event: nothing is asked of the handle, and the body has one.
        let mut this = self;
        if !this.is_asked() {
            let mut short = this.as_mut().project();
            let state = short.state;
            if let Some(item) = state.next_queued() {
                if let Some(item) = state.hand_out(item) {
                    return Poll::Ready(Some(item));
                }
            } else if let (Phase::Read(silence), decoded::Phase::Reading, Some(body)) =
                (short.phase, state.phase, short.body.as_mut().as_pin_mut())
            {
                match drive::read_on::<C>(state, silence, body, context) {
                    Ok(None) => {}
                    Ok(item) => return Poll::Ready(item),
                    Err(said) => return this.poll_slowly(context, Some(said)),
                }
            }
        }
        this.poll_slowly(context, None)
    }
}

impl<C, T, H> FusedStream for EventSource<C, T, H>
where
    C: Connect,
    T: Sleep,
    H: FnMut(&mut Request<Bytes>),
{
    fn is_terminated(&self) -> bool {
        matches!(self.phase, Phase::Ended) && self.state.queue.is_empty()
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

impl Decode for Received {
    #[inline(always)]
    fn next(cursor: &mut impl Cursor, batch: &mut Batch) -> Result<Option<Self>, EventTooLarge> {
        if batch.with_items {
            return Ok(OwnedItem::next(cursor, batch)?.map(Self::from));
        }
        match cursor.next_event() {
            Ok(Some(event)) => Ok(Some(Self::Event(batch.event(event)))),
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
}

impl From<OwnedItem> for Received {
    fn from(item: OwnedItem) -> Self {
        match item {
            OwnedItem::Event(event) => Self::Event(event),
            OwnedItem::Comment(text) => Self::Comment(text),
            OwnedItem::Retry(time) => Self::Retry(time),
        }
    }
}

/// Whether it is a `GET` of its URL and nothing else.
fn is_plain(request: &Request<Bytes>) -> bool {
    request.method() == Method::GET
        && request.headers().is_empty()
        && request.extensions().is_empty()
        && request.body().is_empty()
        && request.version() == Version::default()
}
