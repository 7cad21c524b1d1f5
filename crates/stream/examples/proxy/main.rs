//! `proxy` forwards requests to a server. In event streams it replaces a text in the data of events;
//! everything else is passed on byte for byte, as soon as it arrives.
//!
//! ```text
//! $ cargo run -p sse-proto-server --example live-server            # a server behind the proxy
//! $ cargo run -p sse-proto-stream --example proxy -- http://127.0.0.1:3000 --replace tick=tock
//! $ curl -N http://127.0.0.1:3001/events
//! ```
//!
//! [`rewrite::Rewriter`] is the part that knows event streams.

mod rewrite;

use std::{error::Error, net::SocketAddr, sync::Arc};

use axum::{Router, body::Body, extract::State, response::Response};
use clap::Parser;
use http::{HeaderMap, HeaderName, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use reqwest::{Client, redirect::Policy};
use rewrite::Rewriter;

/// Forwards requests to a server, and replaces a text in the data of its events.
#[derive(Parser)]
#[command(name = "proxy")]
struct Args {
    /// URL of the server, without a path
    server: String,

    /// Replace OLD by NEW in the data of events
    #[arg(long, value_name = "OLD=NEW", value_parser = pair)]
    replace: Option<(String, String)>,

    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1:3001")]
    listen: SocketAddr,
}

fn pair(text: &str) -> Result<(String, String), &'static str> {
    let (old, new) = text.split_once('=').ok_or("no = between the texts")?;
    Ok((old.into(), new.into()))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let _newly_installed = rustls::crypto::ring::default_provider().install_default();
    let proxy = Proxy {
        // The body is read as it is, so it must not be compressed.
        client: Client::builder()
            .redirect(Policy::none())
            .no_gzip()
            .build()?,
        server: args.server.trim_end_matches('/').into(),
        replace: args.replace,
    };
    let app = Router::new().fallback(forward).with_state(Arc::new(proxy));
    let listener = tokio::net::TcpListener::bind(args.listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

struct Proxy {
    client: Client,
    server: String,
    replace: Option<(String, String)>,
}

impl Proxy {
    /// Returns the new data of an event, if it changes.
    fn change(&self, data: &str) -> Option<String> {
        let (old, new) = self.replace.as_ref()?;
        data.contains(old).then(|| data.replace(old, new))
    }
}

async fn forward(State(proxy): State<Arc<Proxy>>, request: Request<Body>) -> Response {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    remove_connection_headers(&mut parts.headers);
    parts.headers.remove(header::HOST);
    parts.headers.remove(header::ACCEPT_ENCODING);
    let forwarded = proxy
        .client
        .request(parts.method, format!("{}{path}", proxy.server))
        .headers(parts.headers)
        .body(match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => return plain(StatusCode::BAD_REQUEST, &error),
        });
    let response = match forwarded.send().await {
        Ok(response) => http::Response::from(response),
        Err(error) => return plain(StatusCode::BAD_GATEWAY, &error),
    };

    let (mut parts, body) = response.into_parts();
    remove_connection_headers(&mut parts.headers);
    if !sse_proto::is_event_stream(parts.headers.get_all(header::CONTENT_TYPE)) {
        return Response::from_parts(parts, Body::new(body));
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    let rewriter = Rewriter::new(move |event| proxy.change(event.data));
    let rewritten = rewriter.rewrite(body.into_data_stream());
    Response::from_parts(parts, Body::from_stream(rewritten))
}

/// Removes the headers that concern one connection only: these, and those that `Connection` names.
fn remove_connection_headers(headers: &mut HeaderMap) {
    const NAMES: [HeaderName; 8] = [
        header::CONNECTION,
        HeaderName::from_static("keep-alive"),
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    let connection = headers.get_all(header::CONNECTION).into_iter();
    let named = connection.filter_map(|value| value.to_str().ok());
    let named = named.flat_map(|value| value.split(','));
    let named: Vec<HeaderName> = named.filter_map(|name| name.trim().parse().ok()).collect();
    for name in NAMES.into_iter().chain(named) {
        headers.remove(name);
    }
}

fn plain(status: StatusCode, error: &dyn Error) -> Response {
    let response = Response::builder().status(status);
    let response = response.body(Body::from(error.to_string()));
    response.unwrap_or_default()
}
