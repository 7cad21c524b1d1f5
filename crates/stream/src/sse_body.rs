//! An HTTP body made of frames.

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
    /// An HTTP body (`http-body` 1) made of a stream of frames, for any server that speaks HTTP: axum,
    /// hyper, salvo, tonic.
    ///
    /// The stream's items are `Result<EncodedFrame, E>`. Its end is the end of the body. A frame is only
    /// asked for when the connection has room for it.
    ///
    /// An error breaks the response off, and the client sees a network error. That may overtake the last
    /// frames before it where the connection is slow, or over HTTP/2. To tell a client what went wrong,
    /// send an event that says so and end the stream without an error.
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
        heartbeat: Option<Heartbeat<F>>,
        // The tick under way.
        #[pin]
        tick: Option<T>,
        #[pin]
        end: D,
        // It waits for one more poll: servers write when a body is pending, and discard what they have not written when
        // it fails.
        error: Option<S::Error>,
        is_ended: bool,
    }
}

/// Two ticks make up the silence: to start a timer anew for each frame would cost more than the frame.
struct Heartbeat<F> {
    tick: Duration,
    sleep: F,
    /// Something was sent since the last tick.
    was_sent: bool,
}

impl<S: TryStream> SseBody<S> {
    /// The body of these frames, without heartbeats.
    pub fn new(frames: S) -> Self {
        Self {
            frames,
            heartbeat: None,
            tick: None,
            end: std::future::pending(),
            error: None,
            is_ended: false,
        }
    }
}

impl<S: TryStream, F, T, D> SseBody<S, F, T, D> {
    /// Sends an empty comment (`:\n`) whenever nothing was sent for `silence`, or for as little as half
    /// of that.
    ///
    /// `sleep` is the timer of any runtime: `tokio::time::sleep`, `async_io::Timer::after`,
    /// `futures_timer::Delay::new`. Proxies cut silent connections, some after 8 seconds, most after 30
    /// to 60; 15 seconds is what the standard recommends. It also tells a server that a client is
    /// gone.
    ///
    /// ```
    /// use futures_util::stream;
    /// use http_body_util::BodyExt as _;
    /// use sse_proto_stream::{EncodedFrame, SseBody};
    /// use std::{convert::Infallible, time::Duration};
    ///
    /// # futures_executor::block_on(async {
    /// let silent = stream::pending::<Result<EncodedFrame, Infallible>>();
    /// let timer = |_: Duration| std::future::ready(()); // elsewhere: tokio::time::sleep
    /// let mut body = SseBody::new(silent).keep_alive(Duration::from_secs(15), timer);
    /// let frame = body.frame().await.unwrap().unwrap();
    /// assert_eq!(frame.into_data().unwrap(), ":\n");
    /// # });
    /// ```
    pub fn keep_alive<G, U>(self, silence: Duration, sleep: G) -> SseBody<S, G, U, D>
    where
        G: FnMut(Duration) -> U,
        U: Future,
    {
        const SHORTEST: Duration = Duration::from_millis(1);
        SseBody {
            frames: self.frames,
            heartbeat: Some(Heartbeat {
                tick: (silence / 2).max(SHORTEST),
                sleep,
                was_sent: false,
            }),
            tick: None,
            end: self.end,
            error: self.error,
            is_ended: self.is_ended,
        }
    }

    /// Ends the body as soon as `end` is ready, between two frames: for a shutdown.
    ///
    /// Without it an open stream keeps a graceful shutdown waiting for ever. Clients see a complete
    /// response and connect again.
    ///
    /// A client that has stopped reading still keeps it waiting, as servers do not poll the body of a
    /// connection that is full: limit the time of the shutdown, too.
    ///
    /// ```
    /// use futures_util::{FutureExt as _, stream};
    /// use http_body_util::BodyExt as _;
    /// use sse_proto_stream::{EncodedFrame, SseBody};
    /// use std::convert::Infallible;
    ///
    /// # futures_executor::block_on(async {
    /// let silent = stream::pending::<Result<EncodedFrame, Infallible>>();
    /// let shutdown = std::future::ready(()); // elsewhere: a channel, a `CancellationToken`, ..
    /// let mut body = SseBody::new(silent).until(shutdown);
    /// assert!(body.frame().await.is_none());
    /// # });
    /// ```
    pub fn until<E: Future>(self, end: E) -> SseBody<S, F, T, E> {
        SseBody {
            frames: self.frames,
            heartbeat: self.heartbeat,
            tick: self.tick,
            end,
            error: self.error,
            is_ended: self.is_ended,
        }
    }

    /// An [`event_stream_response`] with this body.
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
        if this.end.poll(context).is_ready() {
            *this.is_ended = true;
            return Poll::Ready(None);
        }
        let frame = match this.frames.try_poll_next(context) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(heartbeat) = this.heartbeat {
                    heartbeat.was_sent = true;
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
                let Some(heartbeat) = this.heartbeat else {
                    return Poll::Pending;
                };
                loop {
                    if this.tick.is_none() {
                        this.tick.set(Some((heartbeat.sleep)(heartbeat.tick)));
                    }
                    if let Some(tick) = this.tick.as_mut().as_pin_mut() {
                        ready!(tick.poll(context));
                    }
                    this.tick.set(None);
                    if !mem::replace(&mut heartbeat.was_sent, false) {
                        // As long as the silence, until the next one.
                        heartbeat.was_sent = true;
                        break EncodedFrame::HEARTBEAT;
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

/// A response with this body, status 200, and the headers that clients and proxies need.
///
/// | header | so that |
/// |---|---|
/// | `Content-Type: text/event-stream` | clients take it for an event stream |
/// | `Cache-Control: no-store` | no cache gives one client the stream of another |
/// | `X-Accel-Buffering: no` | nginx passes each event on at once |
///
/// Some proxies hold the head back until the first byte of the body: begin with a frame, such as a
/// `retry` or a comment.
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
                "heartbeat",
                &self.heartbeat.as_ref().map(|heartbeat| 2 * heartbeat.tick),
            )
            .field("is_ended", &self.is_ended)
            .finish_non_exhaustive()
    }
}
