//! Decodes HTTP bodies and responses.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use http::{HeaderMap, Response, StatusCode, header};
use http_body::Body;
use pin_project_lite::pin_project;
use sse_proto::is_event_stream;

use crate::{EventStream, ItemStream};

impl<B: Body> EventStream<BodyStream<B>> {
    /// Creates a stream of the events of an HTTP body of hyper, reqwest, axum, tonic, or any other
    /// library that uses `http-body` 1.
    ///
    /// Trailers are ignored. The head of the response is not checked;
    /// [`from_response`](Self::from_response) does that.
    ///
    /// ```
    /// use futures_util::StreamExt as _;
    /// use http_body_util::Full;
    /// use sse_proto_stream::EventStream;
    ///
    /// # futures_executor::block_on(async {
    /// let mut events = EventStream::from_body(Full::new(&b"data: hello\n\n"[..]));
    /// assert_eq!(events.next().await.unwrap().unwrap().data(), "hello");
    /// # });
    /// ```
    pub fn from_body(body: B) -> Self {
        Self::new(BodyStream::new(body))
    }

    /// Creates a stream of the events of an HTTP response, if it is an event stream: its status is
    /// 200, its `Content-Type` is `text/event-stream`, and it is not compressed.
    ///
    /// # Errors
    ///
    /// Returns every other response unchanged, so that an error message can be read from its body.
    ///
    /// The headers of an event stream are dropped; read them before. A stream with another
    /// `Content-Type`, or with none, can be read with [`from_body`](Self::from_body).
    ///
    /// To read compressed responses, use an HTTP client that decompresses them and removes the
    /// header `Content-Encoding`, as HTTP libraries do.
    ///
    /// ```
    /// use futures_util::StreamExt as _;
    /// use http::Response;
    /// use http_body_util::Full;
    /// use sse_proto_stream::EventStream;
    ///
    /// # futures_executor::block_on(async {
    /// let response = Response::builder().header("content-type", "text/event-stream; charset=utf-8");
    /// let response = response.body(Full::new(&b"data: hello\n\n"[..])).unwrap();
    /// let mut events = EventStream::from_response(response).unwrap();
    /// assert_eq!(events.next().await.unwrap().unwrap().data(), "hello");
    ///
    /// let response = Response::builder().status(429).header("content-type", "application/json");
    /// let response = response.body(Full::new(&b"{\"error\":\"slow down\"}"[..])).unwrap();
    /// let refused = EventStream::from_response(response).unwrap_err();
    /// assert_eq!(refused.status(), 429);
    /// # });
    /// ```
    pub fn from_response(response: Response<B>) -> Result<Self, Response<B>> {
        if is_event_stream_response(&response) {
            Ok(Self::from_body(response.into_body()))
        } else {
            Err(response)
        }
    }
}

impl<B: Body> ItemStream<BodyStream<B>> {
    /// Creates a stream of the items of an HTTP body: see [`EventStream::from_body`].
    pub fn from_body(body: B) -> Self {
        Self::new(BodyStream::new(body))
    }

    /// Creates a stream of the items of an HTTP response: see [`EventStream::from_response`].
    ///
    /// # Errors
    ///
    /// Returns a response that is not an event stream unchanged.
    pub fn from_response(response: Response<B>) -> Result<Self, Response<B>> {
        EventStream::from_response(response).map(EventStream::items)
    }
}

/// Whether the head of a response is that of an event stream that is not compressed.
pub(crate) fn is_event_stream_response<B>(response: &Response<B>) -> bool {
    response.status() == StatusCode::OK
        && is_event_stream(response.headers().get_all(header::CONTENT_TYPE))
        && !is_compressed(response.headers())
}

/// Whether the head of a response is that of an event stream that is compressed.
pub(crate) fn is_compressed_event_stream<B>(response: &Response<B>) -> bool {
    response.status() == StatusCode::OK
        && is_compressed(response.headers())
        && is_event_stream(response.headers().get_all(header::CONTENT_TYPE))
}

fn is_compressed(headers: &HeaderMap) -> bool {
    let encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let mut encodings = encodings.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    encodings.any(|encoding| {
        let encoding = encoding.trim_ascii();
        !encoding.is_empty() && !encoding.eq_ignore_ascii_case(b"identity")
    })
}

pin_project! {
    /// The data of an HTTP body as a [`Stream`] of chunks, created by [`EventStream::from_body`].
    /// Trailers are ignored.
    #[must_use = "streams do nothing unless polled"]
    pub struct BodyStream<B>
    where
        B: Body,
    {
        #[pin]
        body: B,
        // Data that is not contiguous and has not been returned completely.
        fragmented: Option<B::Data>,
    }
}

/// A chunk of a [`BodyStream`]. Its bytes are available by `AsRef`.
pub struct BodyChunk<D>(Chunk<D>);

enum Chunk<D> {
    /// Data that is contiguous in memory.
    Contiguous(D),
    Fragment(Bytes),
}

impl<B: Body> BodyStream<B> {
    /// Creates a stream of the data of `body`.
    pub fn new(body: B) -> Self {
        Self {
            body,
            fragmented: None,
        }
    }

    /// Returns the body. Data that was read from it is lost.
    pub fn into_inner(self) -> B {
        self.body
    }
}

impl<B: Body> Stream for BodyStream<B> {
    type Item = Result<BodyChunk<B::Data>, B::Error>;

    #[inline(always)]
    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        loop {
            if let Some(data) = this.fragmented {
                let len = data.chunk().len();
                let fragment = data.copy_to_bytes(len);
                if !data.has_remaining() {
                    *this.fragmented = None;
                }
                return Poll::Ready(Some(Ok(BodyChunk(Chunk::Fragment(fragment)))));
            }
            match ready!(this.body.as_mut().poll_frame(context)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if data.chunk().len() == data.remaining() => {
                        return Poll::Ready(Some(Ok(BodyChunk(Chunk::Contiguous(data)))));
                    }
                    Ok(data) => *this.fragmented = Some(data),
                    Err(_trailers) => {}
                },
            }
        }
    }
}

impl<D: Buf> AsRef<[u8]> for BodyChunk<D> {
    #[inline(always)]
    fn as_ref(&self) -> &[u8] {
        match &self.0 {
            Chunk::Contiguous(data) => data.chunk(),
            Chunk::Fragment(fragment) => fragment,
        }
    }
}

impl<B: Body> fmt::Debug for BodyStream<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyStream").finish_non_exhaustive()
    }
}

impl<D: Buf> fmt::Debug for BodyChunk<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BodyChunk").field(&self.as_ref()).finish()
    }
}
