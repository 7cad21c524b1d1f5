//! Recipes for clients.

use std::{
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::Full;
use serde::Deserialize;
use sse_proto::{Action, OwnedEvent, Reason, RetryPolicy, decode_all};
use sse_proto_stream::{
    Connect, ConnectError, Error, EventSource, EventStream, Lost, Received, Reqwest,
};

use super::{
    Result, URL,
    network::{Network, events, refusal, response_with},
};

#[tokio::test(start_paused = true)]
async fn another_content_type_is_accepted() -> Result {
    let mut http = Network::new([
        response_with("", "data: 1\n\n"),
        response_with("text/plain", "data: 2\n\n"),
        response_with("text/html", "data: 3\n\n"),
    ]);
    let url = URL;

    let lenient = move |request| {
        let response = http.connect(request);
        async move {
            let mut response = response.await?;
            let content_type = response.headers().get("content-type");
            if content_type.is_none_or(|value| value == "text/plain") {
                let event_stream = HeaderValue::from_static("text/event-stream");
                response.headers_mut().insert("content-type", event_stream);
            }
            Ok::<_, ConnectError>(response)
        }
    };
    let source = EventSource::get(url, lenient, tokio::time::sleep)?;

    let mut source = pin!(source.events());
    assert_eq!(source.try_next().await?.unwrap().data(), "1");
    assert_eq!(source.try_next().await?.unwrap().data(), "2");
    match source.try_next().await {
        Err(Error::Source(lost)) => assert_eq!(lost.reason(), Reason::ContentType),
        other => panic!("{other:?}"),
    }

    let response = response_with("", "data: 1\n\n");

    let mut events = EventStream::from_body(response.into_body());

    assert_eq!(events.try_next().await?.unwrap().data(), "1");

    let mut source = sse_proto::EventSource::new(url)?;

    let signal = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);

    assert_eq!(signal, Some(sse_proto::Signal::Open));
    assert!(matches!(source.action(), Action::Read(_)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_its_own_url_header_and_body() -> Result {
    let http = Network::new([events(""), events("")]);
    let network = http.clone();
    let mut numbers = 1..;
    let mut next_url = move || {
        let url = format!("http://{}.example/", numbers.next().unwrap());
        url.parse::<Uri>().unwrap()
    };
    let token = || HeaderValue::from_static("Bearer 1");
    let mut question = [Bytes::from("a"), Bytes::from("b")].into_iter().cycle();
    let mut body = move || question.next().unwrap_or_default();
    let request = Request::post(URL).body(Bytes::new())?;
    let source = EventSource::new(request, http, tokio::time::sleep)?;
    let source = source.retry_policy(RetryPolicy::new());

    let source = source.prepare_request(move |request| {
        *request.uri_mut() = next_url(); // an absolute URL
        request.headers_mut().insert("authorization", token());
        *request.body_mut() = body();
    });

    let source = pin!(source.events());
    assert_eq!(source.count().await, 1);
    let requests = network.requests.lock().unwrap();
    let sent = requests.iter().map(|request| {
        assert_eq!(request.headers()["authorization"], "Bearer 1");
        (request.uri().host().unwrap(), request.body().as_ref())
    });
    let sent: Vec<_> = sent.collect();
    let expected = [
        ("1.example", &b"a"[..]),
        ("2.example", b"b"),
        ("3.example", b"a"),
    ];
    assert_eq!(sent, expected);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_token_is_fetched_when_the_old_one_has_expired() -> Result {
    let http = Network::new([events("data: 1\n\n"), refusal(401, ""), events("")]);
    let (network, url) = (http.clone(), URL);
    let mut numbers = 1..;
    let mut fetch_token = async || {
        tokio::task::yield_now().await;
        HeaderValue::try_from(format!("Bearer {}", numbers.next().unwrap_or(0)))
    };

    let end: Result = async {
        let token = Arc::new(Mutex::new(fetch_token().await?));
        let current_token = token.clone();
        let source = EventSource::get(url, http, tokio::time::sleep)?
            .retry_policy(RetryPolicy::new().statuses(&[401]).max_failures(5))
            .prepare_request(move |request| {
                let token = current_token.lock().unwrap().clone();
                request.headers_mut().insert("authorization", token);
            });
        let mut source = pin!(source);
        while let Some(received) = source.try_next().await? {
            match received {
                Received::Event(event) => println!("{}", event.data()),
                Received::Lost(lost) if lost.reason() == Reason::Status(401) => {
                    let new_token = fetch_token().await?;
                    *token.lock().unwrap() = new_token;
                }
                _ => {}
            }
        }

        Ok(())
    }
    .await;
    assert!(end.unwrap_err().to_string().ends_with("status 204"));
    let sent = network.header("authorization");
    assert_eq!(sent, ["Bearer 1", "Bearer 1", "Bearer 2", "Bearer 2"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_body_or_an_event_type_ends_the_loop() -> Result {
    for (last, number_of_requests) in [("data: c\n\n", 2), ("event: stop\ndata\n\ndata", 2)] {
        let http = Network::new([events("id: 1\ndata: a\n\ndata: b"), events(last)]);
        let (network, url) = (http.clone(), URL);
        let mut text = String::new();

        let mut source = pin!(EventSource::get(url, http, tokio::time::sleep)?);
        while let Some(received) = source.try_next().await? {
            match received {
                Received::Event(event) if event.event_type() == "stop" => break,
                Received::Event(event) => text += event.data(),
                Received::Lost(lost) if lost.reason() == Reason::EndOfBody => break,
                _ => {} // after a network error, for example, it reconnects
            }
        }

        assert_eq!(network.requests(), number_of_requests);
        assert!(text.starts_with('a'));
    }

    let http = Network::new([events("data: a\n\n")]);
    let request = Request::post(URL).body(Bytes::new())?;
    let source = EventSource::new(request, http, tokio::time::sleep)?;
    let mut events = pin!(source.events());
    let mut text = String::new();

    loop {
        match events.try_next().await {
            Ok(Some(event)) => text += event.data(),
            Err(Error::Source(lost)) if lost.reason() == Reason::EndOfBody => break,
            Err(error) => return Err(error.into()),
            Ok(None) => break,
        }
    }

    assert_eq!(text, "a");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_heads_of_all_responses_can_be_read() -> Result {
    let with_id = |mut response: Response<_>, id| {
        let headers = response.headers_mut();
        headers.insert("x-request-id", HeaderValue::from_static(id));
        response
    };
    let http = Network::new([
        with_id(events(""), "1"),
        with_id(refusal(429, "slow down"), "2"),
    ]);
    let (url, mut log) = (URL, vec![]);

    let mut source = pin!(EventSource::get(url, http, tokio::time::sleep)?);
    loop {
        match source.try_next().await {
            Ok(Some(Received::Open(head))) => {
                log.push(head.headers.get("x-request-id").cloned());
            }
            Ok(Some(Received::Lost(lost))) | Err(Error::Source(lost)) => {
                if let Some(refusal) = lost.response() {
                    log.push(refusal.headers().get("x-request-id").cloned());
                    eprintln!("{}: {:?}", refusal.status(), refusal.body());
                }
            }
            Ok(None) => break,
            _ => {} // an event, or one that was too large
        }
    }

    let expected = ["1", "2"].map(|id| Some(HeaderValue::from_static(id)));
    assert_eq!(log, expected);

    let response = with_id(events("data: x\n\n"), "3");

    let request_id = response.headers().get("x-request-id").cloned();
    let events = EventStream::from_response(response)
        .map_err(|refused| format!("{}: {:?}", refused.status(), refused.headers()))?;

    assert_eq!(request_id.unwrap(), "3");
    assert_eq!(events.count().await, 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn keep_alive_comments_can_be_seen() -> Result {
    let http = Network::new([events(": ping\n\n:\n\n")]);
    let (url, mut comments) = (URL, vec![]);

    let source = EventSource::get(url, http, tokio::time::sleep)?.items(true);

    let mut source = pin!(source);
    while let Ok(Some(received)) = source.try_next().await {
        if let Received::Comment(text) = received {
            comments.push(text);
        }
    }
    assert_eq!(comments, [" ping", ""]);
    Ok(())
}

type Sleep = fn(Duration) -> tokio::time::Sleep;

/// A client of a server that sends `retry: 0`.
fn impatient_source() -> Result<EventSource<Network, Sleep>> {
    let http = Network::new([events("retry: 0\n\n"), events("")]);
    Ok(EventSource::get(URL, http, tokio::time::sleep as Sleep)?)
}

/// How long a client waits before each reconnect, in milliseconds.
async fn delays(source: EventSource<Network, Sleep>) -> Vec<u128> {
    let mut source = pin!(source);
    let mut delays = vec![];
    while let Ok(Some(received)) = source.try_next().await {
        if let Received::Lost(lost) = received {
            delays.extend(lost.delay().map(|delay| delay.as_millis()));
        }
    }
    delays
}

#[tokio::test(start_paused = true)]
async fn retry_0_is_obeyed_unless_there_is_a_minimum() -> Result {
    assert_eq!(delays(impatient_source()?).await, [0, 0]);

    let source = impatient_source()?;

    let source = source.retry_policy(RetryPolicy::new().min_delay(Duration::from_millis(500)));

    assert_eq!(delays(source).await, [500, 500]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_refused_id_is_given_up() -> Result {
    let http = Network::new([refusal(400, "unknown id"), events("data: 1\n\n")]);
    let (network, url, id) = (http.clone(), URL, "41");
    let mut text = String::new();

    let source = || EventSource::get(url, http.clone(), tokio::time::sleep);
    let mut current = pin!(source()?.with_last_event_id(id));
    let end = loop {
        match current.try_next().await {
            Err(Error::Source(lost))
                if lost.reason() == Reason::Status(400) && !current.last_event_id().is_empty() =>
            {
                current.set(source()?); // without an id
            }
            Ok(Some(Received::Event(event))) => text += event.data(),
            Ok(Some(_)) => {}
            end => break end,
        }
    };

    assert!(end.is_err());
    assert_eq!(text, "1");
    assert_eq!(network.header("last-event-id"), ["41", "", ""]);
    Ok(())
}

#[test]
fn an_event_without_data_is_none() {
    assert_eq!(decode_all(b"event: done\n\n").count(), 0);
    assert_eq!(decode_all(b"event: done\ndata\n\n").count(), 1);
    assert_eq!(decode_all(b"data: no blank line").count(), 0);
}

#[derive(Deserialize)]
struct Delta {
    text: String,
}

#[tokio::test(start_paused = true)]
async fn each_type_of_event_has_its_own_json() -> Result {
    let body = "event: delta\ndata: {\"text\":\"a\"}\n\nevent: ping\ndata: {}\n\n";
    let mut events = EventStream::from_body(Full::new(body.as_bytes()));
    let mut text = String::new();

    while let Some(event) = events.try_next().await? {
        match event.event_type() {
            "delta" => text += &serde_json::from_str::<Delta>(event.data())?.text,
            "error" => return Err(event.data().into()),
            _ => {} // types that were added to the API later
        }
    }

    assert_eq!(text, "a");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_can_be_stored_and_sent_to_a_task() -> Result {
    let http = Network::new([events("data: 1\n\n")]);
    let url = URL;

    type Events = Pin<Box<dyn Stream<Item = Result<OwnedEvent, Error<Lost>>> + Send>>;
    let mut events: Events = Box::pin(EventSource::get(url, http, tokio::time::sleep)?.events());

    let task = tokio::spawn(async move { events.next().await.map(|event| event.is_ok()) });
    assert_eq!(task.await?, Some(true));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_function_replaces_the_network() -> Result {
    let url = URL;

    let http = async |_: Request<Bytes>| {
        let response = Response::builder().header("content-type", "text/event-stream");
        response.body(Full::new(Bytes::from("data: hello\n\n")))
    };
    let mut events = pin!(EventSource::get(url, http, tokio::time::sleep)?.events());
    assert_eq!(events.try_next().await?.unwrap().data(), "hello");

    Ok(())
}

#[expect(
    dead_code,
    reason = "reqwest has no cryptography provider in these tests"
)]
fn reqwest_is_configured(url: &str) -> Result {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none()) // `EventSource` follows them
        .connect_timeout(Duration::from_secs(10)) // not `timeout`, which includes the body
        .build()?;
    let source = EventSource::get(url, Reqwest::from(client), tokio::time::sleep)?
        .response_timeout(Duration::from_secs(30))
        .read_timeout(Duration::from_secs(45));

    drop(source);
    Ok(())
}
