//! `mcp-client` calls a tool of an MCP server over streamable HTTP, or lists the tools if none is named.
//!
//! ```text
//! $ alias mcp-client='cargo run -p sse-proto-stream --features reqwest-0_13 --example mcp-client --'
//! $ mcp-client http://127.0.0.1:3000/mcp
//! $ mcp-client add '{"a":1,"b":2}' http://127.0.0.1:3000/mcp
//! ```
//!
//! Each request is a `POST`, and its answer is JSON or an event stream. A stream that ends before the answer is resumed by
//! `GET`, after the server's reconnection time and from the last event on: see [`Server::answer`]. Requests of the server, which
//! may come in the same streams, are ignored: this client declares no capabilities.

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
    /// For all requests: the session and the version of the protocol, once they are known.
    headers: HeaderMap,
    requests: u64,
}

impl<'a> Server<'a> {
    async fn connect(url: &'a str) -> Result<Self, Box<dyn Error>> {
        // With its default features reqwest brings cryptography of its own, and needs none of this.
        let _there_is_one_already = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().redirect(Policy::none()).build()?;
        let (headers, requests) = (HeaderMap::new(), 0);
        let mut server = Self {
            url,
            client,
            headers,
            requests,
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

    /// Sends a request and returns the result.
    async fn request(&mut self, method: &str, params: Value) -> Result<Value, Box<dyn Error>> {
        self.requests += 1;
        let id = self.requests;
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let response = self.post(&request).await?;
        if let Some(session) = response.headers().get("mcp-session-id") {
            self.headers.insert("mcp-session-id", session.clone());
        }
        match self.answer(response, id).await?.outcome {
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

    /// Reads the answer to request `id`: from the response to its `POST`, and after a lost connection from those to `GET`s.
    async fn answer(&self, response: Response, id: u64) -> Result<Answer, Box<dyn Error>> {
        let mut get = Request::get(self.url).body(Bytes::new())?;
        *get.headers_mut() = self.headers.clone();
        let source = EventSource::new(get, Reqwest::from(self.client.clone()), tokio::time::sleep)?;
        let mut source = match source.with_response(response.into()) {
            Ok(source) => pin!(source),
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
                    // A notification, or an event with empty data that is sent for its ID.
                    _ => {}
                },
                Received::Lost(lost) if source.last_event_id().is_empty() => {
                    let reason = lost.reason();
                    return Err(format!("{reason}, and there is no ID to resume from").into());
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

/// A JSON-RPC response. A message that has neither result nor error is not one.
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
