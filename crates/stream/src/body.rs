//! The events of an HTTP body or response.

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
    /// The events of an HTTP body: of hyper, reqwest, axum, tonic or any other of `http-body` 1.
    ///
    /// Trailers are passed over. What the response's head says is the caller's to look at; see
    /// [`from_response`](Self::from_response).
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

    /// The events of an HTTP response, if it is an event stream: its status is 200, its type is
    /// `text/event-stream`, and it is not compressed.
    ///
    /// # Errors
    ///
    /// Anything else is handed back untouched: its status and its body may say what is wrong.
    ///
    /// A compressed response can only be read by a client that decompresses it, and then takes the
    /// `Content-Encoding` away, as HTTP libraries do.
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
        if has_events(&response) {
            Ok(Self::from_body(response.into_body()))
        } else {
            Err(response)
        }
    }
}

impl<B: Body> ItemStream<BodyStream<B>> {
    /// The items of an HTTP body: see [`EventStream::from_body`].
    pub fn from_body(body: B) -> Self {
        Self::new(BodyStream::new(body))
    }

    /// The items of an HTTP response, if it is an event stream: see [`EventStream::from_response`].
    ///
    /// # Errors
    ///
    /// Anything else is handed back untouched.
    pub fn from_response(response: Response<B>) -> Result<Self, Response<B>> {
        EventStream::from_response(response).map(EventStream::items)
    }
}

/// Whether the head of a response promises events, as they are.
pub(crate) fn has_events<B>(response: &Response<B>) -> bool {
    response.status() == StatusCode::OK
        && is_event_stream(response.headers().get_all(header::CONTENT_TYPE))
        && !is_compressed(response.headers())
}

/// Whether it would promise events if it was not compressed.
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
    /// The data of an HTTP body as a [`Stream`] of chunks, made by [`EventStream::from_body`]. Trailers
    /// are passed over.
    #[must_use = "streams do nothing unless polled"]
    pub struct BodyStream<B>
    where
        B: Body,
    {
        #[pin]
        body: B,
        // Data in several pieces, of which some were handed out.
        pieces: Option<B::Data>,
    }
}

/// A chunk of a [`BodyStream`]: bytes, by `AsRef`.
pub struct BodyChunk<D>(Chunk<D>);

enum Chunk<D> {
    /// It lies in memory in one piece.
    Whole(D),
    Piece(Bytes),
}

impl<B: Body> BodyStream<B> {
    /// The data of `body`.
    pub fn new(body: B) -> Self {
        Self { body, pieces: None }
    }

    /// The body. What was read from it is gone.
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
            if let Some(pieces) = this.pieces {
                let len = pieces.chunk().len();
                let piece = pieces.copy_to_bytes(len);
                if !pieces.has_remaining() {
                    *this.pieces = None;
                }
                return Poll::Ready(Some(Ok(BodyChunk(Chunk::Piece(piece)))));
            }
            match ready!(this.body.as_mut().poll_frame(context)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if data.chunk().len() == data.remaining() => {
                        return Poll::Ready(Some(Ok(BodyChunk(Chunk::Whole(data)))));
                    }
                    Ok(data) => *this.pieces = Some(data),
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
            Chunk::Whole(data) => data.chunk(),
            Chunk::Piece(piece) => piece,
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
