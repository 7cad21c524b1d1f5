//! Requests of kind `connect`: a script of responses for the connection machine, and its driver.

use std::{time::Duration, vec};

use serde::Deserialize;
use serde_json::{Value, json};
use sse_proto::{
    Action, Credentials, Disconnect, EventSource, Message, ReconnectTo, Request, RetryPolicy,
    Signal,
};

use crate::{bytes, milliseconds};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Connect {
    url: String,
    with_credentials: Option<bool>,
    last_event_id: Option<String>,
    options: Option<Options>,
    responses: Vec<Response>,
    close_on: Option<CloseOn>,
}

/// Options of the machine that are not in the standard. Unknown options are rejected, because
/// ignoring them would change the meaning of the script.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Options {
    reconnects: Option<bool>,
    reconnection_time_ms: Option<u64>,
    backoff_ms: Option<u64>,
    stable_after_ms: Option<u64>,
    max_failures: Option<u32>,
    #[serde(default)]
    statuses: Vec<Statuses>,
    retry_content_type: Option<bool>,
    reconnect_to: Option<Target>,
    cache_control: Option<bool>,
    end_marker: Option<String>,
}

/// A status, or an inclusive range.
#[derive(Deserialize)]
#[serde(untagged)]
enum Statuses {
    One(u16),
    Range(u16, u16),
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Target {
    Original,
    Permanent,
    Final,
}

impl Options {
    fn apply(&self, source: EventSource<String>) -> EventSource<String> {
        let source = source
            .retry_policy(self.policy())
            .cache_control(self.cache_control.unwrap_or(true));
        match self.reconnect_to {
            None => source,
            Some(Target::Original) => source.reconnect_to(ReconnectTo::OriginalUrl),
            Some(Target::Permanent) => source.reconnect_to(ReconnectTo::PermanentUrl),
            Some(Target::Final) => source.reconnect_to(ReconnectTo::FinalUrl),
        }
    }

    fn policy(&self) -> RetryPolicy {
        let mut policy = match self.reconnects {
            Some(false) => RetryPolicy::never(),
            Some(true) | None => RetryPolicy::new(),
        };
        if let Some(time) = self.reconnection_time_ms {
            policy = policy.reconnection_time(Duration::from_millis(time));
        }
        if let Some(cap) = self.backoff_ms {
            policy = policy.backoff(Duration::from_millis(cap));
        }
        if let Some(time) = self.stable_after_ms {
            policy = policy.stable_after(Duration::from_millis(time));
        }
        if let Some(count) = self.max_failures {
            policy = policy.max_failures(count);
        }
        for statuses in &self.statuses {
            policy = match *statuses {
                Statuses::One(status) => policy.statuses(&[status]),
                Statuses::Range(first, last) => policy.status_range(first..=last),
            };
        }
        policy.retry_content_type(self.retry_content_type.unwrap_or(false))
    }
}

/// The outcome of a request: a response, or a failure if `failure` is set.
#[derive(Deserialize)]
struct Response {
    failure: Option<String>,
    status: Option<u16>,
    headers: Option<Vec<(String, String)>>,
    #[serde(default)]
    redirects: Vec<(u16, String)>,
    url: Option<String>,
    chunks: Option<Vec<String>>,
    #[serde(default)]
    lasts: bool,
    end: Option<String>,
}

#[derive(Deserialize)]
struct CloseOn {
    event: String,
    data: Option<String>,
}

impl CloseOn {
    fn matches(&self, event: &str, data: &str) -> bool {
        self.event == event && self.data.as_deref().is_none_or(|expected| expected == data)
    }
}

/// A driver for the connection machine. The script takes the place of the network, and waits end
/// immediately.
struct Driver {
    source: EventSource<String>,
    /// Whether the answer includes the URL of each request.
    reports_urls: bool,
    end_marker: Option<String>,
    close_on: Option<CloseOn>,
    body: Body,
    requests: Vec<Value>,
    log: Vec<Value>,
}

/// The rest of the current response body.
#[derive(Default)]
struct Body {
    chunks: vec::IntoIter<Vec<u8>>,
    /// How the body ends; `None` if it stays open.
    end: Option<Disconnect>,
    /// Whether the connection stays open long enough to count as stable.
    lasts: bool,
}

impl Body {
    fn new(response: &Response) -> Result<Self, String> {
        Ok(Self {
            chunks: bytes(response.chunks.as_deref().unwrap_or_default())?.into_iter(),
            end: match response.end.as_deref().unwrap_or("eof") {
                "eof" => Some(Disconnect::EndOfBody),
                "error" => Some(Disconnect::Network),
                "timeout" => Some(Disconnect::Timeout),
                "open" => None,
                other => return Err(format!("end: {other:?} is unknown")),
            },
            lasts: response.lasts,
        })
    }
}

pub(crate) fn connect(request: Value) -> Result<Value, String> {
    let request = Connect::deserialize(request).map_err(|error| format!("bad request: {error}"))?;
    let mut source = EventSource::new(request.url).map_err(|error| format!("url: {error}"))?;
    if request.with_credentials == Some(true) {
        source = source.credentials(Credentials::Include);
    }
    source
        .set_last_event_id(request.last_event_id.as_deref().unwrap_or_default())
        .map_err(|error| format!("lastEventId: {error}"))?;
    let options = request.options.as_ref();
    if let Some(options) = options {
        source = options.apply(source);
    }
    let mut driver = Driver {
        source,
        reports_urls: options.is_some(),
        end_marker: options.and_then(|options| options.end_marker.clone()),
        close_on: request.close_on,
        body: Body::default(),
        requests: Vec::new(),
        log: Vec::new(),
    };
    driver.run(&request.responses)?;
    Ok(json!({
        "requests": driver.requests,
        "log": driver.log,
        "readyState": driver.source.ready_state() as u8,
    }))
}

impl Driver {
    fn run(&mut self, responses: &[Response]) -> Result<(), String> {
        let mut responses = responses.iter().enumerate();
        let mut waited = Duration::ZERO;
        loop {
            let signal = match self.source.action() {
                Action::Connect(request) => {
                    let mut made = describe_request(&request, waited);
                    if self.reports_urls {
                        made["url"] = json!(request.url);
                    }
                    self.requests.push(made);
                    let Some((index, response)) = responses.next() else {
                        return Ok(());
                    };
                    self.handle_response(response)
                        .map_err(|why| format!("responses[{index}].{why}"))?
                }
                Action::Read(read) => match (self.body.chunks.next(), self.body.end) {
                    (Some(chunk), _) => {
                        self.feed(&chunk);
                        None
                    }
                    (None, Some(_)) if self.body.lasts && read.stable_after.is_some() => {
                        self.source.handle_stable_elapsed();
                        None
                    }
                    (None, Some(end)) => self.source.handle_disconnect(end),
                    (None, None) => return Ok(()),
                },
                Action::Wait(wait) => {
                    waited = wait.delay;
                    self.source.handle_wait_elapsed();
                    None
                }
                Action::Stop(_) => return Ok(()),
            };
            if let Some(signal) = signal {
                self.handle_signal(signal);
            }
        }
    }

    fn handle_response(&mut self, response: &Response) -> Result<Option<Signal>, String> {
        let failure = match response.failure.as_deref() {
            None => None,
            Some("network") => Some(Disconnect::Network),
            Some("abort") => Some(Disconnect::Permanent),
            Some("timeout") => Some(Disconnect::Timeout),
            Some(other) => return Err(format!("failure: {other:?} is unknown")),
        };
        if let Some(failure) = failure {
            return Ok(self.source.handle_disconnect(failure));
        }
        let status = response.status.ok_or("status: missing")?;
        self.body = Body::new(response)?;
        for (status, url) in &response.redirects {
            self.source.handle_redirect(*status, url.clone());
        }
        let headers = response.headers.iter().flatten();
        let headers = headers.map(|(name, value)| (name, value));
        let url = response.url.clone();
        Ok(self.source.handle_response(status, url, headers))
    }

    fn feed(&mut self, chunk: &[u8]) {
        let mut messages = self.source.feed(chunk);
        loop {
            match messages.next_message() {
                Ok(Some(message)) => {
                    self.log.push(describe_message(&message));
                    // In `closeOn`, the names `open` and `error` mean the signals.
                    let is_signal = ["open", "error"].contains(&message.event_type);
                    let matches = |on: &mut CloseOn| on.matches(message.event_type, message.data);
                    let closes = !is_signal && self.close_on.take_if(matches).is_some();
                    if self.end_marker.as_deref() == Some(message.data) {
                        messages.expect_end();
                    }
                    if closes {
                        messages.close();
                    }
                }
                Ok(None) => return,
                Err(_) => self
                    .log
                    .push(json!({ "kind": "event-too-large", "readyState": 1 })),
            }
        }
    }

    fn handle_signal(&mut self, signal: Signal) {
        let (name, ready_state) = match signal {
            Signal::Open => ("open", self.source.ready_state()),
            Signal::Error { ready_state, .. } => ("error", ready_state),
        };
        self.log
            .push(json!({ "kind": name, "readyState": ready_state as u8 }));
        if self.close_on.take_if(|on| on.matches(name, "")).is_some() {
            self.source.close();
        }
    }
}

fn describe_request(request: &Request<'_>, waited: Duration) -> Value {
    let headers = request
        .headers()
        .map(|(name, value)| json!([name, String::from_utf8_lossy(value)]));
    json!({
        "headers": headers.collect::<Vec<_>>(),
        "lastEventId": request.last_event_id,
        "afterMs": milliseconds(waited),
    })
}

fn describe_message(message: &Message<'_>) -> Value {
    json!({
        "kind": "message",
        "event": message.event_type,
        "data": message.data,
        "lastEventId": message.last_event_id,
        "origin": message.origin.to_string(),
        "readyState": 1,
    })
}
