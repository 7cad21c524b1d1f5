//! `hyper-server` serves a [`Hub`] with hyper, without a framework. Each path is a topic.
//!
//! ```text
//! $ cargo run -p sse-proto-server --example hyper-server
//! $ curl -N http://127.0.0.1:3000/prices
//! $ curl --json '{"EUR":1.16}' http://127.0.0.1:3000/prices
//! ```
//!
//! Unlike axum's `serve`, it also supports clients that close their half of the connection after the
//! request, as `nc -N` and some libraries do.

use std::{convert::Infallible, env, error::Error, pin::pin, time::Duration};

use http_body_util::{BodyExt as _, Either, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header,
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use sse_proto::Frame;
use sse_proto_server::{Hub, MemoryStore, Subscription};
use tokio::{
    net::{TcpListener, TcpStream},
    signal, time,
};

/// The maximum length of an event.
const MAX_LEN: usize = 64 << 10;

/// The period over which clients reconnect after the server is stopped.
const SPREAD: Duration = Duration::from_secs(5);

/// How long a shutdown waits for clients that do not read.
const GRACE: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listen = env::args().nth(1);
    let listener = TcpListener::bind(listen.as_deref().unwrap_or("127.0.0.1:3000")).await?;
    println!("http://{}", listener.local_addr()?);

    let hub = Hub::new(MemoryStore::new());
    let mut http = auto::Builder::new(TokioExecutor::new());
    // A half-closed connection is still in use. If the client is gone, sending the next event or
    // keep-alive comment fails.
    http.http1().half_close(true).timer(TokioTimer::new());
    http.http2().timer(TokioTimer::new());

    let connections = GracefulShutdown::new();
    let mut stop = pin!(signal::ctrl_c());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stop => break,
        };
        let Ok((connection, _)) = accepted else {
            // For example, too many files are open. Try again.
            time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        set_options(&connection);
        let hub = hub.clone();
        let service = service_fn(move |request| respond(hub.clone(), request));
        let connection = http.serve_connection(TokioIo::new(connection), service);
        // Connection errors are ignored: clients come and go.
        tokio::spawn(connections.watch(connection.into_owned()));
    }
    drop(listener);
    // Ends all streams and tells each client when to reconnect.
    hub.shutdown(SPREAD);
    let _ = time::timeout(GRACE, connections.shutdown()).await;
    Ok(())
}

type Body = Either<Subscription, Full<Bytes>>;

/// `GET /TOPIC` responds with the stream of a topic, `POST /TOPIC` publishes to it.
async fn respond(hub: Hub, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let topic = head.uri.path().trim_start_matches('/');
    // Pages of other sites cannot send this content type without permission. Otherwise any web page
    // could publish through its visitors' browsers.
    let is_json = head
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value == "application/json");
    let (status, text) = match head.method {
        Method::GET => return Ok(hub.respond(topic, &head.headers).await.map(Either::Left)),
        Method::POST if is_json => publish(&hub, topic, body).await,
        Method::POST => (StatusCode::UNSUPPORTED_MEDIA_TYPE, String::new()),
        _ => (StatusCode::METHOD_NOT_ALLOWED, String::new()),
    };
    let mut response = Response::new(Either::Right(Full::from(text)));
    *response.status_mut() = status;
    Ok(response)
}

/// Publishes the request body as the data of an event. Responds with the event's id.
async fn publish(hub: &Hub, topic: &str, body: Incoming) -> (StatusCode, String) {
    let Ok(body) = Limited::new(body, MAX_LEN).collect().await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, String::new());
    };
    let Ok(data) = String::from_utf8(body.to_bytes().into()) else {
        return (StatusCode::BAD_REQUEST, "not UTF-8".to_owned());
    };
    match hub.publish(topic, Frame::message(&data)).await {
        Ok(id) => (StatusCode::OK, id.to_string()),
        Err(error) => (error.status(), error.to_string()),
    }
}

fn set_options(connection: &TcpStream) {
    // Send small events immediately, without waiting for the client to acknowledge the previous one.
    let _ = connection.set_nodelay(true);
    // Limit the unsent data per connection, which may otherwise be some megabytes for each client that
    // does not read. Further events stay in the hub's log, which all clients share.
    #[cfg(any(target_os = "android", target_os = "linux"))]
    let _ = socket2::SockRef::from(connection).set_tcp_notsent_lowat(32 << 10);
}
