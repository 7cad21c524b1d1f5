//! Runs the code of the README, which is kept in `readme/`.

use std::{error::Error, future::Ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;

const README: &str = include_str!("../README.md");

const EVENT_STREAM: (&str, &str) = ("content-type", "text/event-stream");

type Reply = Ready<http::Result<Response<Full<Bytes>>>>;

/// A network whose responses have these bodies, and status 204 when there are no more.
fn network(bodies: &'static [&str]) -> impl FnMut(Request<Bytes>) -> Reply {
    let mut bodies = bodies.iter();
    move |_| {
        let response = Response::builder().header(EVENT_STREAM.0, EVENT_STREAM.1);
        std::future::ready(match bodies.next() {
            Some(body) => response.body(Full::from(*body)),
            None => response.status(204).body(Full::default()),
        })
    }
}

#[test]
fn the_readme_contains_the_code_that_is_tested_here() {
    for code in [
        include_str!("readme/read.rs"),
        include_str!("readme/follow.rs"),
        include_str!("readme/serve.rs"),
        include_str!("readme/ask.rs"),
    ] {
        assert!(README.contains(code), "{code}");
    }
}

mod read {
    use super::*;

    include!("readme/read.rs");

    #[tokio::test]
    async fn a_response_is_read_to_its_end() -> Result<(), Box<dyn Error>> {
        let response = |status| {
            let response = Response::builder().status(status);
            let response = response.header(EVENT_STREAM.0, EVENT_STREAM.1);
            response.body("event: add\ndata: 1\n\nevent: add\ndata: 2\n\n")
        };
        assert_eq!(read(response(200)?.into()).await?, "12");
        let error = read(response(429)?.into()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "not an event stream: 429 Too Many Requests"
        );
        Ok(())
    }
}

mod follow {
    use super::network;

    include!("readme/follow.rs");

    #[tokio::test]
    async fn a_client_reconnects_until_the_server_stops_it() {
        let network = network(&["retry: 1\nid: 1\ndata: x\n\n", ""]);
        let end = follow("http://a.example/events", network).await;
        assert_eq!(
            end.unwrap_err().to_string(),
            "source of the stream failed: status 204"
        );
    }
}

mod serve {
    include!("readme/serve.rs");

    #[tokio::test]
    async fn a_response_has_the_frames_as_its_body() {
        use http_body_util::BodyExt as _;

        let prices = futures_util::stream::iter([1, 2]);
        let response = serve(prices, std::future::pending::<()>());
        let body = response.into_body().collect().await.ok().unwrap();
        let bytes = body.to_bytes();
        assert_eq!(bytes, "data: 1\n\ndata: 2\n\n");
    }
}

#[cfg(feature = "json")]
mod ask {
    use super::network;

    include!("readme/ask.rs");

    #[tokio::test]
    async fn an_answer_is_read_to_its_end_marker() {
        let url = "http://a.example/";
        let whole =
            network(&["data: {\"text\":\"hel\"}\n\ndata: {\"text\":\"lo\"}\n\ndata: [DONE]\n\n"]);
        let answer = ask(whole, url, "Bearer x", "{}".into()).await;
        assert_eq!(answer.unwrap(), "hello");

        let cut = network(&["data: {\"text\":\"hello\"}\n\ndata: "]);
        let error = ask(cut, url, "Bearer x", "{}".into()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "source of the stream failed: the body ended inside a line"
        );
    }
}
