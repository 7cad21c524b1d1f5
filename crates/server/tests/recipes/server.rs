//! Recipes for servers.

use std::{
    convert::Infallible,
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::response::IntoResponse as _;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use serde::Serialize;
use sse_proto::Frame;
use sse_proto_server::{Hub, MemoryStore};
use sse_proto_stream::{EncodedFrame, EventStream, SseBody};

use super::Result;

type Item = Result<EncodedFrame, Infallible>;

fn message(data: &str) -> Item {
    Ok(Frame::message(data).into())
}

/// The next frame of a body, as text; `None` at its end.
async fn next<B>(body: &mut B) -> Option<String>
where
    B: Body<Data = Bytes, Error: std::fmt::Debug> + Unpin,
{
    let data = body.frame().await?.unwrap().into_data().unwrap();
    Some(String::from_utf8(data.into()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_response_gets_more_headers() -> Result {
    let (hub, request) = (Hub::new(MemoryStore::new()), HeaderMap::new());

    let mut response = hub.respond("prices", &request).await; // or `SseBody::into_response`
    let origin = HeaderValue::from_static("https://app.example");
    let headers = response.headers_mut();
    headers.insert("access-control-allow-origin", origin);

    let headers = response.headers();
    assert_eq!(headers["content-type"], "text/event-stream");
    assert_eq!(
        headers["access-control-allow-origin"],
        "https://app.example"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_id_in_the_url_counts_until_there_is_a_header() -> Result {
    let hub = Hub::new(MemoryStore::new());
    let mut ids = vec![];
    for data in ["a", "b", "c"] {
        let id = hub.publish("prices", Frame::message(data)).await?;
        ids.push(HeaderValue::try_from(id.to_string())?);
    }
    let first_request = HeaderMap::new();
    let reconnect =
        HeaderMap::from_iter([(HeaderName::from_static("last-event-id"), ids[1].clone())]);
    for (mut request, expected) in [(first_request, "data: b"), (reconnect, "data: c")] {
        let id_of_the_url = Some(ids[0].clone());

        if let Some(id) = id_of_the_url {
            request.entry("last-event-id").or_insert(id);
        }
        let response = hub.respond("prices", &request).await;

        let mut body = response.into_body();
        assert_eq!(next(&mut body).await.unwrap(), "retry: 2000\n");
        let events = next(&mut body).await.unwrap();
        assert_eq!(events.lines().nth(1), Some(expected));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_keep_alive_has_its_own_text_and_interval() -> Result {
    let late = stream::once(async {
        tokio::time::sleep(Duration::from_secs(25)).await;
        message("late")
    });
    let frames = stream::iter([message("first")]).chain(late);

    let ping = EncodedFrame::from(Frame::new().comment(" ping")); // or `.event("ping")?`
    let frames = stream::unfold(Box::pin(frames), move |mut frames| {
        let ping = ping.clone();
        async move {
            let frame = tokio::time::timeout(Duration::from_secs(10), frames.next()).await;
            Some((frame.unwrap_or(Some(Ok(ping)))?, frames))
        }
    });
    let body = SseBody::new(frames);

    let bytes = body.collect().await?.to_bytes();
    assert_eq!(bytes, "data: first\n\n: ping\n: ping\ndata: late\n\n");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn bytes_are_sent_at_once() -> Result {
    let frames = stream::pending::<Item>();

    let first = stream::iter([Ok(Frame::new().comment(" hello").into())]);
    let body = SseBody::new(first.chain(frames));

    let mut body = Box::pin(body);
    assert_eq!(next(&mut body).await.unwrap(), ": hello\n");
    Ok(())
}

#[derive(Serialize)]
struct Price {
    euros: f64,
}

#[test]
fn a_frame_has_json_data() -> Result {
    let price = Price { euros: 17.25 };

    let data = serde_json::to_string(&price)?;
    let frame = EncodedFrame::from(Frame::message(&data).event("price")?.id("7")?);

    let expected = b"event: price\nid: 7\ndata: {\"euros\":17.25}\n\n";
    assert_eq!(frame.as_bytes(), expected);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_resumed_without_a_hub() -> Result {
    let log = ["one", "two", "three"];
    let mut request = HeaderMap::new();
    request.insert("last-event-id", HeaderValue::from_static("1"));

    let seen = request
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse().ok());
    let unseen = log.iter().enumerate().skip(seen.unwrap_or(0));
    let frames = unseen.map(|(index, data)| {
        let id = (index + 1).to_string();
        Ok(EncodedFrame::from(Frame::message(data).id(&id)?))
    });
    let body = SseBody::new(stream::iter(frames.collect::<Vec<Result<_>>>()));

    let mut body = Box::pin(body);
    assert_eq!(next(&mut body).await.unwrap(), "id: 2\ndata: two\n\n");
    assert_eq!(next(&mut body).await.unwrap(), "id: 3\ndata: three\n\n");
    assert_eq!(next(&mut body).await, None);
    Ok(())
}

struct Job {
    is_finished: bool,
}

impl Job {
    fn frames(&self) -> impl stream::Stream<Item = Item> + use<> {
        stream::iter([message("done")])
    }
}

async fn events(job: &Job) -> axum::response::Response {
    if job.is_finished {
        return StatusCode::NO_CONTENT.into_response();
    }
    SseBody::new(job.frames()).into_response().into_response()
}

#[tokio::test]
async fn a_client_is_told_not_to_reconnect() {
    for (is_finished, status) in [(false, 200), (true, 204)] {
        assert_eq!(events(&Job { is_finished }).await.status(), status);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_left_is_noticed() -> Result {
    let has_left = Arc::new(AtomicBool::new(false));
    let on_disconnect = {
        let has_left = has_left.clone();
        move || has_left.store(true, SeqCst)
    };
    let frames = stream::iter([message("x")]);

    struct Guard<F: FnMut()>(F);
    impl<F: FnMut()> Drop for Guard<F> {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    let guard = Guard(on_disconnect);
    let frames = frames.inspect(move |_| {
        let _ = &guard; // dropped together with the stream
    });
    let body = SseBody::new(frames).keep_alive(Duration::from_secs(15), tokio::time::sleep);

    let mut body = Box::pin(body);
    assert_eq!(next(&mut body).await.unwrap(), "data: x\n\n");
    assert!(!has_left.load(SeqCst));
    drop(body);
    assert!(has_left.load(SeqCst));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_forwarded() -> Result {
    let body = Full::new(&b"event: a\r\ndata: 1\r\n\r\nid: 1\ndata: 2\n\n"[..]);
    let upstream = http::Response::builder().header("content-type", "text/event-stream");
    let upstream = upstream.body(body)?;

    let events =
        EventStream::from_response(upstream).map_err(|refused| refused.status().to_string())?;
    let frames = events.map(|event| {
        let event = event?;
        let frame = Frame::try_from(event.as_event())?;
        Ok::<_, Box<dyn Error + Send + Sync>>(EncodedFrame::from(frame))
    });
    let response = SseBody::new(frames).into_response();

    let bytes = response.into_body().collect().await?.to_bytes();
    assert_eq!(bytes, "event: a\nid: \ndata: 1\n\nid: 1\ndata: 2\n\n");
    Ok(())
}
