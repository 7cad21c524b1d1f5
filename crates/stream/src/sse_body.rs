//! An HTTP response body from a stream of frames.

use std::{
    fmt,
    future::{Future, Pending},
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_core::TryStream;
use http::{HeaderValue, Response, header};
use http_body::{Body, Frame as BodyFrame};
use pin_project_lite::pin_project;

use crate::EncodedFrame;

pin_project! {
    /// An HTTP body (`http-body` 1) from a stream of frames, for axum, hyper, salvo, tonic, or any
    /// other HTTP server.
    ///
    /// The items of the stream are `Result<EncodedFrame, E>`. The body ends when the stream ends.
    /// The stream is only polled when the connection can accept more data, and dropped with the body
    /// when the client has left.
    ///
    /// An error aborts the response, and the client sees a network error. On a slow connection or
    /// over HTTP/2, the last frames before the error may be lost. To report an error to the client,
    /// send it as an event and end the stream without an error.
    ///
    /// ```
    /// use futures_util::stream;
    /// use http_body_util::BodyExt as _;
    /// use sse_proto::Frame;
    /// use sse_proto_stream::SseBody;
    /// use std::convert::Infallible;
    ///
    /// # futures_executor::block_on(async {
    /// let frames = ["one", "two"].map(|data| Ok::<_, Infallible>(Frame::message(data).into()));
    /// let response = SseBody::new(stream::iter(frames)).into_response();
    /// assert_eq!(response.headers()["content-type"], "text/event-stream");
    ///
    /// let body = response.into_body().collect().await.unwrap().to_bytes();
    /// assert_eq!(body, "data: one\n\ndata: two\n\n");
    /// # });
    /// ```
    #[must_use = "a body does nothing unless polled"]
    pub struct SseBody<S, F = fn(Duration) -> Pending<()>, T = Pending<()>, D = Pending<()>>
    where
        S: TryStream,
    {
        #[pin]
        frames: S,
        keep_alive: Option<KeepAlive<F>>,
        // The timer of the current tick.
        #[pin]
        tick: Option<T>,
        #[pin]
        shutdown: D,
        // Returned one poll later: servers flush when a body is pending, and discard unwritten data
        // when it fails.
        error: Option<S::Error>,
        is_ended: bool,
    }
}

/// Measures silence in ticks of half the interval: restarting a timer for each frame would cost
/// more than the frame.
struct KeepAlive<F> {
    tick: Duration,
    sleep: F,
    /// Whether something was sent since the current tick began.
    has_sent: bool,
}

impl<S: TryStream> SseBody<S> {
    /// Creates a body from these frames, without keep-alive comments.
    pub fn new(frames: S) -> Self {
        Self {
            frames,
            keep_alive: None,
            tick: None,
            shutdown: std::future::pending(),
            error: None,
            is_ended: false,
        }
    }
}

impl<S: TryStream, F, T, D> SseBody<S, F, T, D> {
    /// Sends a keep-alive comment (`:\n`) when nothing was sent for between half of `interval` and
    /// `interval`.
    ///
    /// `sleep` is the timer of any runtime: `tokio::time::sleep`, `async_io::Timer::after`,
    /// `futures_timer::Delay::new`. Proxies close silent connections, some after 8 seconds, most
    /// after 30 to 60; the standard recommends 15 seconds. With keep-alive comments, a server also
    /// notices that a client is gone.
    ///
    /// This comment is the shortest frame that clients ignore. It has no blank line, because some
    /// clients take one for an event. To send another frame instead, such as `: ping`, put it into
    /// the stream of frames when that has been silent: `docs/recipes.md` shows how.
    ///
    /// ```
    /// use futures_util::stream;
    /// use http_body_util::BodyExt as _;
    /// use sse_proto_stream::{EncodedFrame, SseBody};
    /// use std::{convert::Infallible, time::Duration};
    ///
    /// # futures_executor::block_on(async {
    /// let silent = stream::pending::<Result<EncodedFrame, Infallible>>();
    /// let sleep = |_: Duration| std::future::ready(()); // usually tokio::time::sleep
    /// let mut body = SseBody::new(silent).keep_alive(Duration::from_secs(15), sleep);
    /// let frame = body.frame().await.unwrap().unwrap();
    /// assert_eq!(frame.into_data().unwrap(), ":\n");
    /// # });
    /// ```
    pub fn keep_alive<G, U>(self, interval: Duration, sleep: G) -> SseBody<S, G, U, D>
    where
        G: FnMut(Duration) -> U,
        U: Future,
    {
        const MIN_TICK: Duration = Duration::from_millis(1);
        SseBody {
            frames: self.frames,
            keep_alive: Some(KeepAlive {
                tick: (interval / 2).max(MIN_TICK),
                sleep,
                has_sent: false,
            }),
            tick: None,
            shutdown: self.shutdown,
            error: self.error,
            is_ended: self.is_ended,
        }
    }

    /// Ends the body when `shutdown` is ready, between two frames.
    ///
    /// Without it, an open stream blocks a graceful shutdown of the server forever. Clients receive
    /// a complete response and reconnect. A timer as `shutdown` limits how long a stream lasts.
    ///
    /// A client that has stopped reading still blocks the shutdown, because servers do not poll the
    /// body of a connection whose buffers are full. So limit the time of the shutdown, too.
    ///
    /// ```
    /// use futures_util::{FutureExt as _, stream};
    /// use http_body_util::BodyExt as _;
    /// use sse_proto_stream::{EncodedFrame, SseBody};
    /// use std::convert::Infallible;
    ///
    /// # futures_executor::block_on(async {
    /// let silent = stream::pending::<Result<EncodedFrame, Infallible>>();
    /// let shutdown = std::future::ready(()); // usually a channel or a `CancellationToken`
    /// let mut body = SseBody::new(silent).with_shutdown(shutdown);
    /// assert!(body.frame().await.is_none());
    /// # });
    /// ```
    pub fn with_shutdown<E: Future>(self, shutdown: E) -> SseBody<S, F, T, E> {
        SseBody {
            frames: self.frames,
            keep_alive: self.keep_alive,
            tick: self.tick,
            shutdown,
            error: self.error,
            is_ended: self.is_ended,
        }
    }

    /// Creates an [`event_stream_response`] with this body.
    pub fn into_response(self) -> Response<Self> {
        event_stream_response(self)
    }
}

impl<S, F, T, D> Body for SseBody<S, F, T, D>
where
    S: TryStream<Ok = EncodedFrame>,
    F: FnMut(Duration) -> T,
    T: Future,
    D: Future,
{
    type Data = Bytes;
    type Error = S::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Bytes>, S::Error>>> {
        let mut this = self.project();
        if *this.is_ended {
            return Poll::Ready(None);
        }
        if let Some(error) = this.error.take() {
            *this.is_ended = true;
            return Poll::Ready(Some(Err(error)));
        }
        if this.shutdown.poll(context).is_ready() {
            *this.is_ended = true;
            return Poll::Ready(None);
        }
        let frame = match this.frames.try_poll_next(context) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(keep_alive) = this.keep_alive {
                    keep_alive.has_sent = true;
                }
                frame
            }
            Poll::Ready(Some(Err(error))) => {
                *this.error = Some(error);
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(None) => {
                *this.is_ended = true;
                return Poll::Ready(None);
            }
            Poll::Pending => {
                let Some(keep_alive) = this.keep_alive else {
                    return Poll::Pending;
                };
                loop {
                    if this.tick.is_none() {
                        this.tick.set(Some((keep_alive.sleep)(keep_alive.tick)));
                    }
                    if let Some(tick) = this.tick.as_mut().as_pin_mut() {
                        ready!(tick.poll(context));
                    }
                    this.tick.set(None);
                    if !mem::replace(&mut keep_alive.has_sent, false) {
                        // The next one follows after the whole interval.
                        keep_alive.has_sent = true;
                        break EncodedFrame::KEEP_ALIVE;
                    }
                }
            }
        };
        Poll::Ready(Some(Ok(BodyFrame::data(frame.into_bytes()))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_ended
    }
}

/// Creates a response with this body, status 200, and the headers that clients and proxies need.
///
/// | header | purpose |
/// |---|---|
/// | `Content-Type: text/event-stream` | clients recognize the event stream |
/// | `Cache-Control: no-store` | caches do not send the stream of one client to another |
/// | `X-Accel-Buffering: no` | nginx forwards each event immediately |
///
/// Some proxies hold back the head until the first byte of the body. Start with a frame, such as a
/// `retry` line or a comment.
///
/// Add other headers, such as `Access-Control-Allow-Origin` for pages of other origins, to the
/// returned response. The content type needs no `charset`, as the encoding is always UTF-8; at
/// `charset=utf8`, without the hyphen, Chromium closes the stream for good.
///
/// ```
/// let response = sse_proto_stream::event_stream_response("data: hello\n\n".to_owned());
/// assert_eq!(response.headers()["content-type"], "text/event-stream");
/// ```
pub fn event_stream_response<B>(body: B) -> Response<B> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

impl<S: TryStream + fmt::Debug, F, T, D> fmt::Debug for SseBody<S, F, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SseBody")
            .field("frames", &self.frames)
            .field(
                "keep_alive",
                &(self.keep_alive.as_ref()).map(|keep_alive| 2 * keep_alive.tick),
            )
            .field("is_ended", &self.is_ended)
            .finish_non_exhaustive()
    }
}
