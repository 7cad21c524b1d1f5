//! `mcp-client` calls a tool of an MCP server over streamable HTTP, or lists the tools of the
//! server.
//!
//! ```text
//! $ alias mcp-client='cargo run -p sse-proto-stream --features reqwest-0_13 --example mcp-client --'
//! $ mcp-client http://127.0.0.1:3000/mcp
//! $ mcp-client add '{"a":1,"b":2}' http://127.0.0.1:3000/mcp
//! ```
//!
//! Each request is a `POST`, and the server responds with JSON or with an event stream. If the
//! stream ends before the response, the client resumes it by a `GET` with `Last-Event-ID`, after
//! the reconnection time of the server: see [`Server::read_answer`]. The client declares no
//! capabilities, and ignores requests of the server in these streams.

use std::{env, error::Error, pin::pin};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use http::{HeaderMap, Request, header};
use reqwest::{Client, Response, redirect::Policy};
use serde::Deserialize;
use serde_json::{Value, json};
use sse_proto_stream::{EventSource, Received, Reqwest};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = env::args().skip(1).collect();
    let (url, method, params) = match args.as_slice() {
        [url] => (url, "tools/list", json!({})),
        [tool, arguments, url] => {
            let arguments: Value = serde_json::from_str(arguments)?;
            let call = json!({ "name": tool, "arguments": arguments });
            (url, "tools/call", call)
        }
        _ => return Err("usage: mcp-client [TOOL ARGUMENTS] URL".into()),
    };
    let mut server = Server::connect(url).await?;
    println!("{:#}", server.request(method, params).await?);
    Ok(())
}

struct Server<'a> {
    url: &'a str,
    client: Client,
    /// Headers of all requests: the session ID and the protocol version, when they are known.
    headers: HeaderMap,
    next_id: u64,
}

impl<'a> Server<'a> {
    async fn connect(url: &'a str) -> Result<Self, Box<dyn Error>> {
        // Not needed with the default features of reqwest, which include a cryptography provider.
        let _already_installed = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().redirect(Policy::none()).build()?;
        let mut server = Self {
            url,
            client,
            headers: HeaderMap::new(),
            next_id: 1,
        };

        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": { "name": "mcp-client", "version": env!("CARGO_PKG_VERSION") },
        });
        let result = server.request("initialize", params).await?;
        let Initialized { protocol_version } = serde_json::from_value(result)?;
        let version = protocol_version.parse()?;
        server.headers.insert("mcp-protocol-version", version);
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        server.post(&initialized).await?.error_for_status()?;
        Ok(server)
    }

    /// Calls a method of the server and returns its result.
    async fn request(&mut self, method: &str, params: Value) -> Result<Value, Box<dyn Error>> {
        let id = self.next_id;
        self.next_id += 1;
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let response = self.post(&request).await?;
        if let Some(session) = response.headers().get("mcp-session-id") {
            self.headers.insert("mcp-session-id", session.clone());
        }
        match self.read_answer(response, id).await?.outcome {
            Outcome::Result(result) => Ok(result),
            Outcome::Error(error) => Err(error.to_string().into()),
        }
    }

    async fn post(&self, message: &Value) -> reqwest::Result<Response> {
        let request = self.client.post(self.url).headers(self.headers.clone());
        let request = request
            .header(header::ACCEPT, "application/json, text/event-stream")
            .header(header::CONTENT_TYPE, "application/json");
        request.body(message.to_string()).send().await
    }

    /// Reads the answer to request `id` from the response to its `POST` and, if that connection is
    /// lost, from the responses to `GET` requests that resume the stream.
    async fn read_answer(&self, response: Response, id: u64) -> Result<Answer, Box<dyn Error>> {
        let mut get = Request::get(self.url).body(Bytes::new())?;
        *get.headers_mut() = self.headers.clone();
        let source = EventSource::new(get, Reqwest::from(self.client.clone()), tokio::time::sleep)?;
        let mut source = match source.with_response(response.into()) {
            Ok(source) => pin!(source),
            // Not an event stream, so it is JSON or an error message.
            Err(response) => {
                let status = response.status();
                let body = Response::from(response).text().await?;
                return serde_json::from_str(&body).map_err(|_| format!("{status}: {body}").into());
            }
        };

        while let Some(received) = source.try_next().await? {
            match received {
                Received::Event(event) => match serde_json::from_str::<Answer>(event.data()) {
                    Ok(answer) if answer.id == id => return Ok(answer),
                    // A notification, or an event with empty data that only sets the last event ID.
                    _ => {}
                },
                Received::Lost(lost) if source.last_event_id().is_empty() => {
                    let reason = lost.reason();
                    return Err(format!("{reason}, and no event ID to resume from").into());
                }
                _ => {}
            }
        }
        Err("the event source was closed".into())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Initialized {
    protocol_version: String,
}

/// A JSON-RPC response. Messages without a result or an error do not deserialize into it.
#[derive(Deserialize)]
struct Answer {
    id: u64,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Result(Value),
    Error(Value),
}
