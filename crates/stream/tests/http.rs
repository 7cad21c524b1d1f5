//! Streams and bodies over real HTTP on loopback: an axum server, and reqwest and hyper as clients,
//! each over HTTP/1 and HTTP/2.
//!
//! Servers wait for their clients before each step. Only keep-alive comments depend on time.

use std::{
    fmt,
    future::{Future, pending, ready},
    ops::ControlFlow,
    pin::{Pin, pin},
    time::{Duration, Instant},
};

use axum::{Router, middleware::map_response, response::IntoResponse, serve::ListenerExt as _};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version, header};
use http_body::{Body, Frame as BodyFrame};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Incoming;
use hyper_util::{client::legacy, client::legacy::connect::HttpConnector, rt::TokioExecutor};
use sse_proto::Frame;
use sse_proto_stream::{
    BodyStream, EncodedFrame, Error, EventStream, ItemStream, OwnedItem, SseBody,
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinHandle,
    time,
};
use tower_http::compression::CompressionLayer;

/// Ends a test that hangs.
const TIMEOUT: Duration = Duration::from_secs(10);

// ---- Events

async fn each_event_arrives_before_the_next_is_sent(client: impl Client) {
    let mut server = Server::of_frames().await;
    // Two concurrent streams, over HTTP/2 on one connection. Their heads arrive before any event.
    let (mut one, to_one) = server.open(&client).await;
    let (mut other, to_other) = server.open(&client).await;
    for number in 0..50 {
        let data = number.to_string();
        to_one.send(event(&data)).unwrap();
        assert_eq!(next(&mut one).await, data);
        to_other.send(event(&data)).unwrap();
        assert_eq!(next(&mut other).await, data);
    }
    drop((to_one, to_other));
    assert_eq!(rest(one).await, (vec![], End::Complete));
    assert_eq!(rest(other).await, (vec![], End::Complete));
}

async fn events_of_megabytes_arrive_complete(client: impl Client) {
    let line = "Příliš žluťoučký kůň úpěl ďábelské ódy. 🐎";
    let text = [line; 60_000].join("\n");
    assert!(text.len() > 3 << 20);
    let mut server = Server::of_frames().await;

    let (mut events, frames) = server.open(&client).await;
    frames.send(event(&text)).unwrap();
    assert!(next(&mut events).await == text);
    frames.send(event(&text)).unwrap();
    frames.send(event("small")).unwrap();
    drop(frames);
    // The same for borrowed events.
    let mut lens = Vec::new();
    let each = |event: Result<sse_proto::Event<'_>, _>| {
        lens.push(event.unwrap().data.len());
        ControlFlow::<()>::Continue(())
    };
    pin!(events).for_each_event(each).await.unwrap();
    assert_eq!(lens, [text.len(), "small".len()]);
}

async fn characters_may_be_split_across_frames(client: impl Client) {
    let text = "data: é€🐎\r\ndata: 𝄞\r\n\r\n";
    let mut server = Server::of_bytes().await;
    let send_each_byte = |pieces: mpsc::UnboundedSender<_>| {
        for byte in text.bytes() {
            pieces.send(data(vec![byte])).unwrap();
        }
    };

    let response = client.get(&server.url).await;
    send_each_byte(server.request().await);
    let frames = BodyStream::new(response.into_body());
    let frames: Vec<_> = frames.try_collect().await.unwrap();
    // The last frame may be empty.
    let single_bytes = frames.iter().filter(|frame| frame.as_ref().len() == 1);
    assert_eq!(single_bytes.count(), text.len());

    let (events, pieces) = server.open(&client).await;
    send_each_byte(pieces);
    let expected = vec!["é€🐎\n𝄞".to_owned()];
    assert_eq!(rest(events).await, (expected, End::Complete));
}

// ---- Ends

async fn a_complete_body_may_end_in_any_state(client: impl Client) {
    let mut server = Server::of_bytes().await;
    // The end of the body, and the data of the event that it completes or cuts off.
    let cases = [
        ("", None),
        ("\n", None),
        ("data: b\n\n", Some("b")),
        ("data: b\r\n\r", Some("b")),
        ("data: b\n", Some("b")),
        ("data: b\r", Some("b")),
        ("data: b", Some("b")),
        ("data: b\nda", Some("b")),
        ("data: b\n: comm", Some("b")),
        ("event: b\nid: 7\n", None),
        (": comm", None),
        ("dat", None),
    ];
    for (tail, expected) in cases {
        let is_whole = tail.ends_with("\n\n") || tail.ends_with("\n\r");
        for finish in [false, true] {
            let (events, pieces) = server.open(&client).await;
            let mut events = events.finish_at_end(finish);
            pieces.send(data("data: a\n\n")).unwrap();
            assert_eq!(next(&mut events).await, "a");
            // The end of the body arrives separately, when the decoder has read the tail.
            if !tail.is_empty() {
                pieces.send(data(tail)).unwrap();
            }
            drop(pieces);
            let expected = expected.filter(|_| is_whole || finish);
            let expected: Vec<_> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(
                rest(events).await,
                (expected, End::Complete),
                "{tail:?} {finish}"
            );
        }
    }
}

async fn a_body_that_is_cut_off_is_an_error_after_its_events(client: impl Client) {
    let mut server = Server::of_frames().await;
    let (mut events, frames) = server.open(&client).await;
    for text in ["a", "b"] {
        frames.send(event(text)).unwrap();
        assert_eq!(next(&mut events).await, text);
    }
    frames.send(Err("the store is gone")).unwrap();
    assert_eq!(rest(events).await, (vec![], End::Broken));

    // Events decoded ahead are returned before the error; an incomplete event is not returned.
    let mut server = Server::of_bytes().await;
    let (events, pieces) = server.open(&client).await;
    let mut events = events.finish_at_end(true);
    let piece = "id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\nid: 4\ndata: d\n";
    pieces.send(data(piece)).unwrap();
    assert_eq!(next(&mut events).await, "a");
    pieces.send(Err("the store is gone")).unwrap();
    pieces.closed().await;
    assert_eq!(events.last_event_id(), "1");
    assert_eq!(next(&mut events).await, "b");
    assert_eq!(next(&mut events).await, "c");
    assert_eq!(events.last_event_id(), "3");
    assert_eq!(rest(events).await, (vec![], End::Broken));
}

async fn an_end_marker_distinguishes_a_complete_stream_from_a_cut_one(client: impl Client) {
    let mut server = Server::of_frames().await;
    let expected = || vec!["a".to_owned(), "b".to_owned()];

    // The marker ends the stream although the response is still open, whatever follows it.
    let (events, frames) = server.open(&client).await;
    for text in ["a", "b", "[DONE]", "late"] {
        frames.send(event(text)).unwrap();
    }
    assert_eq!(
        rest(events.until("[DONE]")).await,
        (expected(), End::Complete)
    );
    frames.closed().await;

    let (events, frames) = server.open(&client).await;
    for text in ["a", "b"] {
        frames.send(event(text)).unwrap();
    }
    drop(frames);
    assert_eq!(
        rest(events.until("[DONE]")).await,
        (expected(), End::Incomplete)
    );

    let (events, frames) = server.open(&client).await;
    let mut events = events.until("[DONE]");
    for text in ["a", "b"] {
        frames.send(event(text)).unwrap();
        assert_eq!(next(&mut events).await, text);
    }
    frames.send(Err("the model is gone")).unwrap();
    assert_eq!(rest(events).await, (vec![], End::Broken));
}

async fn trailers_are_ignored(client: impl Client) {
    let mut server = Server::of_bytes().await;
    let send_all = |pieces: mpsc::UnboundedSender<_>| {
        let trailers = HeaderMap::from_iter([(CHECKSUM, HeaderValue::from_static("42"))]);
        pieces.send(data("data: a\n\ndata: b")).unwrap();
        pieces.send(Ok(BodyFrame::trailers(trailers))).unwrap();
    };

    let response = client.get(&server.url).await;
    send_all(server.request().await);
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().expect("trailers have come")[CHECKSUM], "42");

    let (events, pieces) = server.open(&client).await;
    send_all(pieces);
    assert_eq!(rest(events).await, (vec!["a".to_owned()], End::Complete));
}

// ---- Responses

async fn a_response_that_is_not_an_event_stream_is_returned_with_its_body(client: impl Client) {
    let (json, error) = ("application/json", r#"{"error":"slow down"}"#);
    let cases = [
        (200, json, error),
        (200, "text/html; charset=utf-8", "<!doctype html>"),
        (429, json, error),
        (503, "text/event-stream", "data: not now\n\n"),
        (204, "text/event-stream", ""),
    ];
    for (status, media_type, text) in cases {
        let router = Router::new().fallback(move || async move {
            let response = Response::builder().status(status);
            let response = response.header(header::CONTENT_TYPE, media_type);
            response.body(Full::from(text)).unwrap()
        });
        let (url, _) = listen(router, pending()).await;
        let response = client.get(&url).await;
        let rejected = EventStream::from_response(response).expect_err("no event stream");
        assert_eq!(rejected.status(), status);
        assert_eq!(rejected.headers()[header::CONTENT_TYPE], media_type);
        let body = rejected.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, text);
        if media_type == json {
            let error: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(error["error"], "slow down");
        }
        assert!(ItemStream::from_response(client.get(&url).await).is_err());
    }
}

async fn a_compressed_stream_is_returned_if_the_client_does_not_decompress(client: impl Client) {
    let mut server = Server::compressing().await;
    let response = client.get(&server.url).await;
    let rejected = EventStream::from_response(response).expect_err("no events");
    assert_eq!(rejected.headers()[header::CONTENT_ENCODING], "gzip");
    server.request().await.send(event("a")).unwrap();
    let body = rejected.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body[..2], *b"\x1f\x8b");
}

/// reqwest also removes the header. Events are not delayed: the server flushes after each of them.
async fn a_stream_that_the_client_decompresses_is_an_event_stream(version: Version) {
    let mut server = Server::compressing().await;
    let client = Reqwest::builder(version).gzip(true).build().unwrap();
    let client = Reqwest(client, version);
    let (mut events, frames) = server.open(&client).await;
    for number in 0..50 {
        let data = number.to_string();
        frames.send(event(&data)).unwrap();
        assert_eq!(next(&mut events).await, data);
    }
    drop(frames);
    assert_eq!(rest(events).await, (vec![], End::Complete));
}

mod a_stream_that_the_client_decompresses_is_an_event_stream {
    use super::*;

    #[test]
    fn reqwest_http1() {
        run(a_stream_that_the_client_decompresses_is_an_event_stream(
            Version::HTTP_11,
        ));
    }

    #[test]
    fn reqwest_http2() {
        run(a_stream_that_the_client_decompresses_is_an_event_stream(
            Version::HTTP_2,
        ));
    }
}

// ---- Servers

async fn an_error_does_not_overtake_the_frames_before_it(client: impl Client) {
    let all_at_once = |_: Sent<()>, _| {
        let frames = (0..5).map(|number| event(&number.to_string()));
        let frames = frames.chain([Err("the store is gone")]);
        SseBody::new(stream::iter(frames)).into_response()
    };
    let mut server = Server::new(all_at_once).await;
    let (events, _) = server.open(&client).await;
    let (data, end) = rest(events).await;
    assert_eq!((data.concat(), end), ("01234".to_owned(), End::Broken));
}

async fn keep_alive_comments_are_sent_while_the_handler_is_silent(client: impl Client) {
    const INTERVAL: Duration = Duration::from_millis(60);
    let mut server = Server::new(|frames, _| {
        let body = SseBody::new(frames).keep_alive(INTERVAL, time::sleep);
        body.into_response()
    })
    .await;
    let response = client.get(&server.url).await;
    let frames = server.request().await;
    let mut items = ItemStream::from_response(response).expect("an event stream");
    let keep_alive = OwnedItem::Comment(String::new());

    for number in 0..3 {
        // Comments that are sent until then arrive before the event.
        time::sleep(INTERVAL / 4).await;
        let data = number.to_string();
        let sent = Instant::now();
        frames.send(event(&data)).unwrap();
        loop {
            match items.next().await.unwrap().unwrap() {
                OwnedItem::Event(event) => break assert_eq!(event.data(), data),
                item => assert_eq!(item, keep_alive),
            }
        }
        for count in 1..=3 {
            assert_eq!(items.next().await.unwrap().unwrap(), keep_alive);
            assert!(sent.elapsed() >= count * INTERVAL / 2, "too early");
        }
    }
    drop(frames);
    while let Some(item) = items.next().await {
        assert_eq!(item.unwrap(), keep_alive);
    }
}

async fn a_shutdown_ends_open_streams_between_two_events(client: impl Client) {
    let text = "x".repeat(10_000);
    let busy = event(&text);
    let mut server = Server::new(move |frames, shutdown| {
        let busy = stream::repeat(busy.clone());
        // The event `busy` makes the server send without end.
        let frames = frames.flat_map(move |frame: Result<EncodedFrame, _>| match frame {
            Ok(frame) if frame.as_bytes() == b"data: busy\n\n" => busy.clone().left_stream(),
            frame => stream::iter([frame]).right_stream(),
        });
        let body = SseBody::new(frames).keep_alive(Duration::from_secs(15), time::sleep);
        body.with_shutdown(shutdown).into_response()
    })
    .await;

    let (silent, _to_silent) = server.open(&client).await;
    let (mut idle, to_idle) = server.open(&client).await;
    to_idle.send(event("a")).unwrap();
    assert_eq!(next(&mut idle).await, "a");
    let (events, to_busy) = server.open(&client).await;
    to_busy.send(event("busy")).unwrap();
    let mut busy = events.finish_at_end(true);
    for _ in 0..100 {
        assert!(next(&mut busy).await == text);
    }

    let began = Instant::now();
    server.shutdown.send_replace(true);
    assert_eq!(rest(silent).await, (vec![], End::Complete));
    assert_eq!(rest(idle).await, (vec![], End::Complete));
    let (last, end) = rest(busy).await;
    assert!(last.iter().all(|data| *data == text));
    assert_eq!(end, End::Complete);
    server.stopped.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1));
}

async fn a_client_that_disconnects_drops_the_stream(client: impl Client) {
    let mut server = Server::of_frames().await;
    let (unread, frames) = server.open(&client).await;
    drop(unread);
    frames.closed().await;

    let (mut events, frames) = server.open(&client).await;
    frames.send(event("a")).unwrap();
    assert_eq!(next(&mut events).await, "a");
    assert!(!frames.is_closed());
    drop(events);
    frames.closed().await;
}

// ---- The client that reconnects

#[cfg(all(feature = "reqwest-0_13", feature = "hyper-util-0_1"))]
mod each_event_arrives_once_although_connections_are_killed {
    use super::*;
    use sse_proto::Reason;
    use sse_proto_stream::{Connect, EventSource, HyperUtil, Received};
    use std::convert::Infallible;
    use tokio::{io, io::AsyncReadExt as _, net::TcpStream};

    const LAST: u32 = 2000;

    async fn check(connect: impl Connect) {
        let (url, _) = listen(Router::new().fallback(after_the_last), pending()).await;
        let url = killing_after(10_000, &url).await;
        let mut source = pin!(EventSource::get(&url, connect, time::sleep).unwrap());
        let (mut expected, mut killed) = (1..=LAST, 0);
        let end = loop {
            match source.next().await.unwrap() {
                Ok(Received::Open(head)) => assert_eq!(head.version, Version::HTTP_2),
                Ok(Received::Event(event)) => {
                    assert_eq!(event.data(), expected.next().unwrap().to_string());
                }
                Ok(Received::Lost(lost)) if lost.reason() == Reason::Network => killed += 1,
                // The last response with events may be too short for the proxy to kill it.
                Ok(Received::Lost(lost)) => assert!(expected.is_empty(), "{lost}"),
                Err(Error::Source(lost)) => break lost.reason(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!((end, expected.next()), (Reason::Status(204), None));
        assert!(killed >= 3, "{killed}");
    }

    async fn after_the_last(headers: HeaderMap) -> axum::response::Response {
        let last = headers.get("last-event-id");
        let last = last.map_or(0, |id| id.to_str().unwrap().parse().unwrap());
        if last == LAST {
            return StatusCode::NO_CONTENT.into_response();
        }
        let frames = (last + 1..=LAST).map(|number| {
            let number = number.to_string();
            let frame = Frame::message(&number).id(&number).unwrap();
            Ok::<_, Infallible>(EncodedFrame::from(frame.retry(Duration::ZERO)))
        });
        SseBody::new(stream::iter(frames))
            .into_response()
            .into_response()
    }

    /// Starts a TCP proxy that kills each connection after this number of bytes from the server;
    /// returns its URL.
    async fn killing_after(bytes: u64, url: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = format!("http://{}/", listener.local_addr().unwrap());
        let server = url.split('/').nth(2).unwrap().to_owned();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut server = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(async move {
                    let (mut from_client, mut to_client) = client.split();
                    let (from_server, mut to_server) = server.split();
                    let mut from_server = from_server.take(bytes);
                    tokio::select! {
                        _ = io::copy(&mut from_client, &mut to_server) => {}
                        _ = io::copy(&mut from_server, &mut to_client) => {}
                    }
                });
            }
        });
        proxy
    }

    #[test]
    fn reqwest_http2() {
        let Reqwest(client, _) = Reqwest::new(Version::HTTP_2);
        run(check(sse_proto_stream::Reqwest::from(client)));
    }

    #[test]
    fn hyper_http2() {
        let Hyper(client, _) = Hyper::new(Version::HTTP_2);
        run(check(HyperUtil::from(client)));
    }
}

// ---- Helpers

/// Defines a test of each function for each client and HTTP version.
macro_rules! with_each_client {
    ($($name:ident,)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn reqwest_http1() {
                run($name(Reqwest::new(Version::HTTP_11)));
            }

            #[test]
            fn reqwest_http2() {
                run($name(Reqwest::new(Version::HTTP_2)));
            }

            #[test]
            fn hyper_http1() {
                run($name(Hyper::new(Version::HTTP_11)));
            }

            #[test]
            fn hyper_http2() {
                run($name(Hyper::new(Version::HTTP_2)));
            }
        }
    )*};
}

with_each_client! {
    each_event_arrives_before_the_next_is_sent,
    events_of_megabytes_arrive_complete,
    characters_may_be_split_across_frames,
    a_complete_body_may_end_in_any_state,
    a_body_that_is_cut_off_is_an_error_after_its_events,
    an_end_marker_distinguishes_a_complete_stream_from_a_cut_one,
    trailers_are_ignored,
    a_response_that_is_not_an_event_stream_is_returned_with_its_body,
    a_compressed_stream_is_returned_if_the_client_does_not_decompress,
    an_error_does_not_overtake_the_frames_before_it,
    keep_alive_comments_are_sent_while_the_handler_is_silent,
    a_shutdown_ends_open_streams_between_two_events,
    a_client_that_disconnects_drops_the_stream,
}

fn run(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    let result = runtime.block_on(async { time::timeout(TIMEOUT, test).await });
    result.expect("the test ends in time");
}

trait Client {
    type Body: Body<Data = Bytes, Error: fmt::Debug> + fmt::Debug + Unpin;

    /// Returns the response of the HTTP library as soon as its head has arrived.
    async fn get(&self, url: &str) -> Response<Self::Body>;
}

struct Reqwest(reqwest::Client, Version);

impl Reqwest {
    /// Without decompression.
    fn new(version: Version) -> Self {
        Self(Self::builder(version).gzip(false).build().unwrap(), version)
    }

    fn builder(version: Version) -> reqwest::ClientBuilder {
        let _already_installed = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder().no_proxy();
        match version {
            Version::HTTP_2 => builder.http2_prior_knowledge(),
            _ => builder.http1_only(),
        }
    }
}

impl Client for Reqwest {
    type Body = reqwest::Body;

    async fn get(&self, url: &str) -> Response<reqwest::Body> {
        let request = self.0.get(url).headers(headers());
        let response = request.send().await.unwrap();
        assert_eq!(response.version(), self.1);
        response.into()
    }
}

struct Hyper(legacy::Client<HttpConnector, Full<Bytes>>, Version);

impl Hyper {
    fn new(version: Version) -> Self {
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder.http2_only(version == Version::HTTP_2);
        Self(builder.build_http(), version)
    }
}

impl Client for Hyper {
    type Body = Incoming;

    async fn get(&self, url: &str) -> Response<Incoming> {
        let mut request = http::Request::get(url).body(Full::default()).unwrap();
        *request.headers_mut() = headers();
        let response = self.0.request(request).await.unwrap();
        assert_eq!(response.version(), self.1);
        response
    }
}

/// Headers that allow trailers and compression.
fn headers() -> HeaderMap {
    let headers = [(header::TE, "trailers"), (header::ACCEPT_ENCODING, "gzip")];
    HeaderMap::from_iter(headers.map(|(name, value)| (name, HeaderValue::from_static(value))))
}

/// A server whose response bodies contain what a test sends.
struct Server<T> {
    url: String,
    requests: mpsc::UnboundedReceiver<mpsc::UnboundedSender<T>>,
    shutdown: watch::Sender<bool>,
    /// Resolves after a graceful shutdown.
    stopped: JoinHandle<()>,
}

type Sent<T> = Pin<Box<dyn Stream<Item = T> + Send>>;
type Shutdown = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Server<Result<EncodedFrame, &'static str>> {
    async fn of_frames() -> Self {
        Self::new(|frames, _| SseBody::new(frames).into_response()).await
    }

    /// Compresses event streams, which tower-http does not do by default.
    async fn compressing() -> Self {
        let all = |_: StatusCode, _: Version, _: &HeaderMap, _: &http::Extensions| true;
        let compression = CompressionLayer::new().compress_when(all);
        let check = map_response(async |response: axum::response::Response| {
            assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
            response
        });
        let answer = |frames, _| SseBody::new(frames).into_response();
        Self::with(answer, |router| router.layer(compression).layer(check)).await
    }
}

impl Server<Result<BodyFrame<Bytes>, &'static str>> {
    /// Sends bodies of any bytes, split anywhere.
    async fn of_bytes() -> Self {
        Self::new(|frames, _| {
            let response = Response::builder().header(header::CONTENT_TYPE, "text/event-stream");
            let response = response.header(header::TRAILER, CHECKSUM);
            response.body(StreamBody::new(frames)).unwrap()
        })
        .await
    }
}

impl<T: Send + 'static> Server<T> {
    async fn new<R: IntoResponse + Send + 'static>(
        answer: impl Fn(Sent<T>, Shutdown) -> R + Clone + Send + Sync + 'static,
    ) -> Self {
        Self::with(answer, |router| router).await
    }

    async fn with<R: IntoResponse + Send + 'static>(
        answer: impl Fn(Sent<T>, Shutdown) -> R + Clone + Send + Sync + 'static,
        layer: impl FnOnce(Router) -> Router,
    ) -> Self {
        let (request, requests) = mpsc::unbounded_channel();
        let shutdown = watch::Sender::new(false);
        let received = shutdown.subscribe();
        let shutting_down = move || -> Shutdown {
            let mut received = received.clone();
            Box::pin(async move { drop(received.wait_for(|it| *it).await) })
        };
        let end = shutting_down();
        let router = Router::new().fallback(move || {
            let (sender, mut receiver) = mpsc::unbounded_channel();
            request.send(sender).unwrap();
            let sent = stream::poll_fn(move |context| receiver.poll_recv(context));
            ready(answer(Box::pin(sent), shutting_down()))
        });
        let (url, stopped) = listen(layer(router), end).await;
        Self {
            url,
            requests,
            shutdown,
            stopped,
        }
    }

    /// Receives a request; returns the sender of its response body, which ends when the sender is
    /// dropped.
    async fn request(&mut self) -> mpsc::UnboundedSender<T> {
        self.requests.recv().await.unwrap()
    }

    async fn open<C: Client>(
        &mut self,
        client: &C,
    ) -> (EventStream<BodyStream<C::Body>>, mpsc::UnboundedSender<T>) {
        let response = client.get(&self.url).await;
        let events = EventStream::from_response(response).expect("an event stream");
        (events, self.request().await)
    }
}

/// Starts a server with graceful shutdown; returns its URL and its task.
async fn listen(
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let listener = listener.tap_io(|connection| connection.set_nodelay(true).unwrap());
    let serving = axum::serve(listener, router).with_graceful_shutdown(shutdown);
    (url, tokio::spawn(async { serving.await.unwrap() }))
}

const CHECKSUM: HeaderName = HeaderName::from_static("checksum");

fn event(data: &str) -> Result<EncodedFrame, &'static str> {
    Ok(Frame::message(data).into())
}

fn data(bytes: impl Into<Bytes>) -> Result<BodyFrame<Bytes>, &'static str> {
    Ok(BodyFrame::data(bytes.into()))
}

/// How a stream ends.
#[derive(Debug, PartialEq)]
enum End {
    Complete,
    Broken,
    Incomplete,
}

/// Returns the data of the next event.
async fn next<B: Body<Error: fmt::Debug> + Unpin>(
    events: &mut EventStream<BodyStream<B>>,
) -> String {
    let event = events.next().await.expect("no end");
    event.expect("no error").data().to_owned()
}

/// Returns the data of all remaining events, and how the stream ended.
async fn rest<B: Body<Error: fmt::Debug> + Unpin>(
    mut events: EventStream<BodyStream<B>>,
) -> (Vec<String>, End) {
    let mut data = Vec::new();
    let end = loop {
        match events.next().await {
            None => return (data, End::Complete),
            Some(Ok(event)) => data.push(event.data().to_owned()),
            Some(Err(Error::Source(_))) => break End::Broken,
            Some(Err(Error::Incomplete)) => break End::Incomplete,
            Some(Err(error)) => panic!("{error:?}"),
        }
    };
    assert!(events.next().await.is_none(), "the error is the end");
    (data, end)
}
