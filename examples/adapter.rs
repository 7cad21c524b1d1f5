//! `adapter` makes this crate available to a conformance suite, over a line protocol that works for
//! implementations in any language.
//!
//! Each line of standard input is a JSON object. For each, in order, one line with a JSON object is
//! written to standard output, which is flushed before the program waits for more input. The
//! answer to an invalid request is `{"case": N, "error": "why"}`, and to one of an unknown kind
//! `{"case": N, "unsupported": true}`. Blank lines are ignored.
//!
//! `case` may be any JSON value and is returned unchanged; integers are exact from -2^63 to
//! 2^64 - 1. A line that is not a JSON object gets the case `null`, unless its case can still be
//! read.
//!
//! All decoding, encoding and connection logic is in the crate; this program only calls its public
//! API:
//!
//! ```text
//! $ echo '{"case": 1, "kind": "decode", "chunks": ["ZGF0YTpoaQoK"]}' | cargo run --example adapter
//! {"case":1,"chunks":[[{"data":"hi","event":"message","lastEventId":""}]],"lastEventId":""}
//! ```

use std::{
    io::{self, BufRead, BufReader, BufWriter, ErrorKind, Write},
    process::ExitCode,
    time::Duration,
    vec,
};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sse_proto::{
    Action, Credentials, Decoder, Disconnect, EventSource, Fixed, Frame, Item, Message,
    ReconnectTo, Request, RetryPolicy, Signal, Storage,
};

/// The supported features: all that the suite knows.
const CAPABILITIES: [&str; 17] = [
    "decode",
    "encode",
    "connect",
    "comments",
    "retry",
    "limit",
    "fixed-storage",
    "id-seed",
    "final-id",
    "chunks",
    "empty-chunks",
    "large",
    "big-number",
    "abort",
    "close",
    "delay",
    "options",
];

/// The size in bytes of each region of fixed storage if the request has no limit.
const FIXED_LIMIT: usize = 1024 * 1024;

fn main() -> ExitCode {
    match serve(
        BufReader::new(io::stdin().lock()),
        BufWriter::new(io::stdout().lock()),
    ) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "adapter: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve<R: io::Read>(mut input: BufReader<R>, mut output: impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        // If no complete line is buffered, the next read may block until the other side has seen
        // the answers so far.
        if !input.buffer().contains(&b'\n') {
            output.flush()?;
        }
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if !line.trim_ascii().is_empty() {
            serde_json::to_writer(&mut output, &answer(&line))?;
            output.write_all(b"\n")?;
        }
    }
}

fn answer(line: &[u8]) -> Value {
    let (case, body) = match serde_json::from_slice::<Map<String, Value>>(line) {
        Ok(request) => {
            let case = request.get("case").cloned().unwrap_or_default();
            let body = match request.get("kind").and_then(Value::as_str) {
                Some("decode") => decode(Value::Object(request)),
                Some("encode") => encode(Value::Object(request)),
                Some("connect") => connect(Value::Object(request)),
                Some("capabilities") => Ok(json!({
                    "name": env!("CARGO_PKG_NAME"),
                    "version": env!("CARGO_PKG_VERSION"),
                    "capabilities": CAPABILITIES,
                })),
                Some(_) => Ok(json!({ "unsupported": true })),
                None => Err("kind: missing, or not a string".to_owned()),
            };
            (case, body)
        }
        Err(error) => (case_of_bad_line(line), Err(format!("bad request: {error}"))),
    };
    let mut answer = body.unwrap_or_else(|why| json!({ "error": why }));
    answer["case"] = case;
    answer
}

/// The case of a request that has the outline of an object but contains a value that Rust has no
/// type for, such as a string with half a surrogate pair.
fn case_of_bad_line(line: &[u8]) -> Value {
    #[derive(Deserialize)]
    struct Outline {
        case: Value,
    }
    let is_object = line.trim_ascii_start().starts_with(b"{");
    match serde_json::from_slice::<Outline>(line) {
        Ok(Outline { case }) if is_object => case,
        _ => Value::Null,
    }
}

/// A request of kind `decode`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Decode {
    chunks: Vec<String>,
    last_event_id: Option<String>,
    storage: Option<String>,
    limit: Option<usize>,
}

fn decode(request: Value) -> Result<Value, String> {
    let request = Decode::deserialize(request).map_err(|error| format!("bad request: {error}"))?;
    let chunks = bytes(&request.chunks)?;
    let last_event_id = request.last_event_id.as_deref().unwrap_or_default();

    match (request.storage.as_deref().unwrap_or("heap"), request.limit) {
        ("heap", None) => run(Decoder::new(), last_event_id, &chunks),
        ("heap", Some(limit)) => run(Decoder::with_max_event_len(limit), last_event_id, &chunks),
        ("fixed", limit) => {
            let field_capacity = limit.unwrap_or(FIXED_LIMIT);
            let storage = Fixed::with_field_capacity(four_regions(field_capacity)?, field_capacity);
            run(Decoder::with_storage(storage), last_event_id, &chunks)
        }
        (other, _) => Err(format!(
            "storage: {other:?} is neither \"heap\" nor \"fixed\""
        )),
    }
}

fn run<S: Storage>(
    mut decoder: Decoder<S>,
    last_event_id: &str,
    chunks: &[Vec<u8>],
) -> Result<Value, String> {
    decoder
        .set_last_event_id(last_event_id)
        .map_err(|error| format!("lastEventId: {error}"))?;
    let chunks = chunks.iter().map(|chunk| {
        let mut items = Vec::new();
        let mut events = decoder.feed(chunk);
        loop {
            match events.next_item() {
                Ok(Some(item)) => items.push(describe(item)),
                Ok(None) => break items,
                Err(_) => items.push(json!({ "error": "event-too-large" })),
            }
        }
    });
    let chunks: Vec<_> = chunks.collect();
    Ok(json!({ "chunks": chunks, "lastEventId": decoder.last_event_id() }))
}

fn describe(item: Item<'_>) -> Value {
    match item {
        Item::Event(event) => json!({
            "event": event.event_type,
            "data": event.data,
            "lastEventId": event.last_event_id,
        }),
        Item::Comment(text) => json!({ "comment": text }),
        Item::Retry(time) => {
            json!({ "retry": milliseconds(time) })
        }
        other => json!({ "unknown": format!("{other:?}") }),
    }
}

fn bytes(chunks: &[String]) -> Result<Vec<Vec<u8>>, String> {
    let chunks = chunks.iter().enumerate().map(|(index, chunk)| {
        BASE64
            .decode(chunk)
            .map_err(|error| format!("chunks[{index}]: {error}"))
    });
    chunks.collect()
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Memory for fixed storage: the text and three fields, with `len` bytes each.
fn four_regions(len: usize) -> Result<Vec<u8>, String> {
    let total = len
        .checked_mul(4)
        .ok_or("limit: exceeds the address space")?;
    // Allocate twice: `try_reserve_exact` returns an error where `vec!` would abort, and `vec!`
    // gets zeroed memory without writing to it.
    Vec::<u8>::new()
        .try_reserve_exact(total)
        .map_err(|error| format!("limit: {error}"))?;
    Ok(vec![0; total])
}

/// A request of kind `encode`.
#[derive(Deserialize)]
struct Encode {
    frames: Vec<Fields>,
}

#[derive(Deserialize)]
struct Fields {
    event: Option<String>,
    data: Option<String>,
    id: Option<String>,
    /// Any JSON value, so that the error for an invalid one includes the index of its frame.
    retry: Option<Value>,
    comment: Option<String>,
}

fn encode(request: Value) -> Result<Value, String> {
    let request = Encode::deserialize(request).map_err(|error| format!("bad request: {error}"))?;
    let mut stream = Vec::new();
    for (index, fields) in request.frames.iter().enumerate() {
        match fields.frame() {
            Ok(frame) => frame.encode_to_vec(&mut stream),
            Err(why) => return Ok(json!({ "error": why, "frame": index })),
        }
    }
    Ok(json!({ "bytes": BASE64.encode(stream) }))
}

impl Fields {
    fn frame(&self) -> Result<Frame<'_>, String> {
        let mut frame = self.data.as_deref().map_or(Frame::new(), Frame::message);
        if let Some(event) = &self.event {
            frame = frame.event(event).map_err(|why| why.to_string())?;
        }
        if let Some(id) = &self.id {
            frame = frame.id(id).map_err(|why| why.to_string())?;
        }
        if let Some(retry) = &self.retry {
            let millis = retry
                .as_u64()
                .ok_or_else(|| format!("retry: {retry} is not a whole number of milliseconds"))?;
            frame = frame.retry(Duration::from_millis(millis));
        }
        if let Some(comment) = &self.comment {
            frame = frame.comment(comment);
        }
        Ok(frame)
    }
}

/// A request of kind `connect`.
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

fn connect(request: Value) -> Result<Value, String> {
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
                        self.source.handle_stable();
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
            Some("abort") => Some(Disconnect::Futile),
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
