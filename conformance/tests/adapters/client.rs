//! A client that is slow and obviously right: what an event source does from request to request, with a switch for each way to
//! get it wrong. It reads its streams with the decoder beside it.

use sse_conformance::{
    Answer, CloseOn, ConnectAnswer, ConnectRequest, End, Entry, Failure, Item, Made, Response,
};

use super::{
    decoder::Decoder,
    faults::Fault,
    policy::{How, Location, Loss, Policy},
};

const CONNECTING: u8 = 0;
const OPEN: u8 = 1;
const CLOSED: u8 = 2;

/// What HTTP takes off the ends of a header's value.
const BLANKS: [char; 2] = [' ', '\t'];

/// "an implementation-defined value, probably in the region of a few seconds"
const OWN_TIME: u64 = 3000;

pub(crate) fn connect(request: &ConnectRequest, fault: Fault) -> Answer {
    let options = request.options.clone().unwrap_or_default();
    let mut client = Client {
        fault,
        url: request.url.clone(),
        location: Location::new(request.url.clone(), &options, fault),
        tells_urls: request.options.is_some(),
        policy: Policy::new(options, fault),
        close_on: request.close_on.clone(),
        decoder: Decoder::new(fault),
        reconnection_time: None,
        state: if fault.is("starts-closed") {
            CLOSED
        } else {
            CONNECTING
        },
        attempts: 0,
        connections: 0,
        broke: false,
        ids_sent: Vec::new(),
        answer: ConnectAnswer::default(),
    };
    if !fault.is("seed-not-sent") {
        client
            .decoder
            .seed(request.last_event_id.as_deref().unwrap_or_default());
    }
    client.run(&request.responses);
    client.answer.ready_state = client.state;
    Answer::Connect(client.answer)
}

struct Client {
    fault: Fault,
    url: String,
    location: Location,
    /// Whether the answer says where requests go.
    tells_urls: bool,
    policy: Policy,
    close_on: Option<CloseOn>,
    decoder: Decoder,
    reconnection_time: Option<u64>,
    state: u8,
    attempts: u32,
    /// How many of them came to a connection.
    connections: u32,
    /// Whether the body before broke off.
    broke: bool,
    ids_sent: Vec<String>,
    answer: ConnectAnswer,
}

impl Client {
    fn run(&mut self, responses: &[Response]) {
        let mut responses = responses.iter();
        let mut after = if self.fault.is("first-request-waits") {
            OWN_TIME
        } else {
            0
        };
        loop {
            self.request(after);
            self.attempts += 1;
            let Some(response) = responses.next() else {
                return;
            };
            let goes_on = match response {
                Response::Failure { failure } => self.no_response(*failure),
                Response::Response {
                    status,
                    headers,
                    redirects,
                    url,
                    chunks,
                    lasts,
                    end,
                } => {
                    let from = self.location.arrive(redirects, url.as_deref());
                    match self.accepts(*status, headers) {
                        Outcome::Open => self.body(&from, chunks, *lasts, *end),
                        Outcome::Fail => self.fail(),
                        Outcome::Reestablish => self.reestablish(),
                        Outcome::Lost => {
                            self.policy.refused(*status, headers);
                            self.lose(How::Refused)
                        }
                    }
                }
            };
            if !goes_on {
                return;
            }
            after = self.wait();
        }
    }

    fn request(&mut self, after_ms: u64) {
        let fault = self.fault;
        let mut headers = vec![("Accept".to_owned(), "text/event-stream".to_owned())];
        if self.policy.has_cache_control() {
            headers.push(("Cache-Control".to_owned(), "no-cache".to_owned()));
        }
        let id = match fault.name() {
            "id-never-sent" => String::new(),
            "id-sent-before-it-is-committed" => self.decoder.id().to_owned(),
            "id-sent-once-only" if self.ids_sent.contains(&self.decoder.last_event_id) => {
                String::new()
            }
            _ => self.decoder.last_event_id.clone(),
        };
        let is_there = match fault.name() {
            "id-of-blanks-not-sent" => !id.trim_matches(BLANKS).is_empty(),
            "id-with-blanks-at-its-ends-not-sent" => {
                !id.is_empty() && id.trim_matches(BLANKS) == id
            }
            _ => !id.is_empty(),
        };
        // H5: HTTP takes the blanks off the ends of a value.
        let id = match fault.name() {
            "id-trimmed-in-the-header" => id.trim().to_owned(),
            "id-trimmed-of-spaces-only" => id.trim_matches(' ').to_owned(),
            "id-without-any-blanks-in-the-header" => id.replace(BLANKS, ""),
            _ => id.trim_matches(BLANKS).to_owned(),
        };
        let id = match fault.name() {
            "id-in-latin-1" => id.bytes().map(char::from).collect(),
            "id-percent-encoded" => percent_encoded(&id),
            "id-cut-at-128-bytes" => id.chars().take(128).collect(),
            "id-without-what-is-not-ascii" => id.chars().filter(char::is_ascii).collect(),
            _ => id,
        };
        // H5: what no header can carry is left out.
        let can_be_sent = !id
            .chars()
            .any(|char| char.is_ascii_control() && char != '\t');
        let mut sent = (can_be_sent && is_there).then_some(id);
        match fault.name() {
            "id-empty-sent" if sent.is_none() => sent = Some(String::new()),
            "id-of-before-stays-in-the-header" if sent.is_none() => {
                sent = self.ids_sent.last().cloned()
            }
            "ids-appended-in-the-header" => {
                headers.extend(
                    self.ids_sent
                        .iter()
                        .map(|id| ("Last-Event-ID".to_owned(), id.clone())),
                );
            }
            "ids-joined-in-the-header" => {
                let all = self.ids_sent.iter().cloned().chain(sent);
                sent = Some(all.collect::<Vec<_>>().join(", ")).filter(|id| !id.is_empty());
            }
            _ => {}
        }
        if let Some(id) = &sent {
            headers.push(("Last-Event-ID".to_owned(), id.clone()));
            self.ids_sent.push(id.clone());
        }
        self.answer.requests.push(Made {
            headers,
            last_event_id: sent,
            after_ms,
            url: self.tells_urls.then(|| self.location.target().to_owned()),
        });
    }

    fn no_response(&mut self, failure: Failure) -> bool {
        match (failure, self.fault.name()) {
            (Failure::Abort, "abort-is-tried-again") => self.reestablish(),
            (Failure::Network, "network-failure-is-final") => self.fail(),
            (Failure::Network, "first-failure-is-final") if self.attempts == 1 => self.fail(),
            (Failure::Network, "failures-are-silent") => {
                self.state = CONNECTING;
                true
            }
            (Failure::Network, "third-failure-is-final") if self.attempts == 3 => self.fail(),
            (Failure::Abort, _) => self.fail(),
            (Failure::Network, _) => self.lose(How::NoResponse),
            (Failure::Timeout, _) => self.lose(How::NoResponseInTime),
        }
    }

    fn accepts(&self, status: u16, headers: &[(String, String)]) -> Outcome {
        let fault = self.fault;
        if self.policy.retries_status(status) {
            return Outcome::Lost;
        }
        let is_right_status = match fault.name() {
            "status-of-200-to-299-opens" => (200..300).contains(&status),
            "status-ignored" => true,
            "status-204-opens" => status == 200 || status == 204,
            "status-of-500-to-599-is-tried-again" if status >= 500 => {
                return Outcome::Reestablish;
            }
            "status-429-is-tried-again" if status == 429 => return Outcome::Reestablish,
            "status-204-is-tried-again" if status == 204 => return Outcome::Reestablish,
            "status-is-tried-again-if-it-is-not-200" if status != 200 => {
                return Outcome::Reestablish;
            }
            "status-below-400-opens" => status < 400,
            "retry-after-is-honoured" if headers.iter().any(|(name, _)| name == "Retry-After") => {
                return Outcome::Reestablish;
            }
            _ => status == 200,
        };
        let same = |name: &str| match fault.name() {
            "header-name-in-one-case" => name == "Content-Type",
            _ => name.eq_ignore_ascii_case("content-type"),
        };
        let lines: Vec<&str> = headers
            .iter()
            .filter(|(name, _)| same(name))
            .map(|(_, value)| &**value)
            .collect();
        match (is_right_status, self.is_right_type(&lines)) {
            (true, true) => Outcome::Open,
            (true, false) if self.policy.retries_type() => Outcome::Lost,
            _ => Outcome::Fail,
        }
    }

    fn is_right_type(&self, lines: &[&str]) -> bool {
        const RIGHT: &str = "text/event-stream";
        let first = lines.first().copied().unwrap_or_default();
        match self.fault.name() {
            "type-ignored" => true,
            "type-missing-is-right" if lines.is_empty() => true,
            "type-by-its-beginning" => first.to_lowercase().starts_with(RIGHT),
            "type-by-what-it-contains" => lines.join(", ").to_lowercase().contains(RIGHT),
            "type-in-lower-case-only" => {
                extracted(lines).is_some_and(|(essence, _)| essence == RIGHT)
            }
            "type-without-parameters-only" => lines.join(", ").eq_ignore_ascii_case(RIGHT),
            "type-of-the-first-line" => is_type(extracted(&lines[..lines.len().min(1)]), RIGHT),
            "type-of-the-first-element" => {
                is_type(element(first.split(',').next().unwrap_or_default()), RIGHT)
            }
            "type-of-the-last-element-valid-or-not" => {
                let all = lines.join(", ");
                is_type(element(all.rsplit(',').next().unwrap_or_default()), RIGHT)
            }
            "type-split-in-quotes" => is_type(
                lines
                    .join(", ")
                    .split(',')
                    .filter_map(element)
                    .rfind(|(essence, _)| essence != "*/*"),
                RIGHT,
            ),
            "type-any-counts" => {
                lines.join(", ").contains("*/*") || is_type(extracted(lines), RIGHT)
            }
            "type-with-another-charset-is-wrong" => {
                let charset = |parameters: &str| {
                    parameters.to_lowercase().contains("charset=")
                        && !parameters.to_lowercase().contains("charset=utf-8")
                };
                extracted(lines)
                    .is_some_and(|found| !charset(&found.1) && is_type(Some(found), RIGHT))
            }
            "type-with-suffix-is-right" => extracted(lines)
                .is_some_and(|(essence, _)| essence.to_lowercase().starts_with(RIGHT)),
            "type-html-is-right" => extracted(lines)
                .is_some_and(|(essence, _)| essence == "text/html" || essence == RIGHT),
            "type-of-old-is-right" => {
                let old = "application/x-dom-event-stream";
                is_type(extracted(lines), RIGHT) || is_type(extracted(lines), old)
            }
            _ => is_type(extracted(lines), RIGHT),
        }
    }

    fn body(&mut self, from: &str, chunks: &[Vec<u8>], lasts: bool, end: End) -> bool {
        let fault = self.fault;
        self.new_stream();
        self.connections += 1;
        self.policy.opened();
        let from = match fault.name() {
            "origin-of-the-first-url" => &self.url,
            _ => from,
        };
        let origin = origin(from, fault);
        match fault.name() {
            "state-set-behind-open" => {
                self.tell(Entry::Open {
                    ready_state: CONNECTING,
                });
                self.state = OPEN;
            }
            "open-with-the-first-byte" if chunks.concat().is_empty() => {}
            "open-once-only" if self.attempts > 1 => {}
            _ => {
                self.state = OPEN;
                self.tell(Entry::Open { ready_state: OPEN });
            }
        }
        self.state = if self.state == CLOSED { CLOSED } else { OPEN };
        for chunk in chunks {
            if self.state == CLOSED && !fault.is("messages-after-close") {
                break;
            }
            let items = self.decoder.feed(chunk);
            self.deliver(items, &origin);
        }
        if self.state == CLOSED && fault.is("close-does-not-stop-the-reconnect") && end == End::Eof
        {
            return self.reestablish();
        }
        if self.state == CLOSED {
            return false;
        }
        self.broke = end == End::Error;
        if lasts {
            self.policy.lasted();
        }
        match (end, fault.name()) {
            (End::Open, _) => false,
            (End::Eof, "end-is-final") | (End::Error, "broken-body-is-final") => self.fail(),
            (End::Eof, "empty-body-is-final") if chunks.concat().is_empty() => self.fail(),
            (End::Eof, "end-is-silent") => {
                self.state = CONNECTING;
                true
            }
            (End::Eof, "end-is-the-end") => false,
            (_, "end-dispatches-the-rest") => {
                let items = self.decoder.feed(b"\n\n");
                self.deliver(items, &origin);
                self.reestablish()
            }
            (End::Eof, _) => self.lose(How::EndOfBody),
            (End::Error, _) => self.lose(How::BrokenBody),
            (End::Timeout, _) => self.lose(How::SilentBody),
        }
    }

    /// A new response is a new stream: only id and time of the one before are left.
    fn new_stream(&mut self) {
        let fault = self.fault;
        let old = std::mem::replace(&mut self.decoder, Decoder::new(fault));
        match fault.name() {
            "stream-goes-on-over-connections" => self.decoder = old,
            "stream-goes-on-over-a-break" if self.broke => self.decoder = old,
            "type-kept-over-connections"
            | "data-kept-over-connections"
            | "line-kept-over-connections"
            | "bytes-kept-over-connections"
            | "id-buffer-kept-over-connections" => {
                self.decoder.seed(&old.last_event_id);
                self.decoder.keep_of(&old);
            }
            "byte-order-mark-once-only" => {
                self.decoder.seed(&old.last_event_id);
                if self.attempts > 1 {
                    self.decoder.expect_no_bom();
                }
            }
            "id-forgotten-between-connections" => {}
            "id-buffer-empty-at-first" => self.decoder.last_event_id = old.last_event_id,
            _ => self.decoder.seed(&old.last_event_id),
        }
    }

    fn deliver(&mut self, items: Vec<Item>, origin: &str) {
        let fault = self.fault;
        for item in items {
            match item {
                Item::Retry { retry } => self.reconnection_time = Some(retry),
                Item::Event {
                    event,
                    data,
                    last_event_id,
                } => {
                    // "if the readyState attribute is set to a value other than CLOSED"
                    if self.state == CLOSED && !fault.is("messages-after-close") {
                        return;
                    }
                    match (fault.name(), &*event) {
                        ("event-named-error-is-the-signal", "error") => {
                            self.tell(Entry::Error { ready_state: OPEN });
                            continue;
                        }
                        ("event-named-open-is-the-signal", "open") => {
                            self.tell(Entry::Open { ready_state: OPEN });
                            continue;
                        }
                        ("event-named-close-closes", "close") => {
                            self.state = CLOSED;
                            return;
                        }
                        ("named-events-not-heard", event) if event != "message" => continue,
                        ("end-marker-is-not-heard", _) if self.policy.is_end_marker(&data) => {
                            self.policy.message(&data);
                            continue;
                        }
                        _ => {}
                    }
                    self.policy.message(&data);
                    let closes =
                        fault.is("end-marker-ends-the-stream") && self.policy.is_end_marker(&data);
                    self.tell(Entry::Message {
                        event,
                        data,
                        last_event_id,
                        origin: origin.to_owned(),
                        ready_state: if fault.is("message-sees-another-state") {
                            CONNECTING
                        } else {
                            self.state
                        },
                    });
                    if closes {
                        self.state = CLOSED;
                    }
                }
                Item::Comment { .. } | Item::Error { .. } => {}
            }
        }
    }

    /// "announce", "fail" and messages: what the user hears, and a handler that may call `close()`.
    fn tell(&mut self, entry: Entry) {
        let fault = self.fault;
        let closes = self.close_on.as_ref().is_some_and(|on| match &entry {
            Entry::Open { .. } => on.event == "open",
            Entry::Error { .. } => on.event == "error",
            Entry::Message { event, data, .. } => {
                let is_signal = event == "open" || event == "error";
                (!is_signal || fault.is("event-named-error-is-heard-as-one"))
                    && on.event == *event
                    && on.data.as_ref().is_none_or(|due| due == data)
            }
        });
        self.answer.log.push(entry);
        if closes {
            self.close_on = None;
            self.state = CLOSED;
            if fault.is("close-fires-error") {
                self.answer.log.push(Entry::Error {
                    ready_state: CLOSED,
                });
            }
        }
    }

    fn fail(&mut self) -> bool {
        let fault = self.fault;
        match fault.name() {
            "failure-is-silent" => self.state = CLOSED,
            "state-set-behind-error" => {
                self.tell(Entry::Error {
                    ready_state: self.state,
                });
                self.state = CLOSED;
            }
            "failure-fires-twice" => {
                self.state = CLOSED;
                self.tell(Entry::Error {
                    ready_state: CLOSED,
                });
                self.tell(Entry::Error {
                    ready_state: CLOSED,
                });
            }
            "failure-is-not-final" => return self.reestablish(),
            _ => {
                self.state = CLOSED;
                self.tell(Entry::Error {
                    ready_state: CLOSED,
                });
            }
        }
        false
    }

    /// Where the standard has "reestablish the connection". Whether there will be another request.
    fn lose(&mut self, how: How) -> bool {
        match self.policy.lost(how) {
            Loss::Reestablish => self.reestablish(),
            Loss::Fail => self.fail(),
            Loss::Finish => {
                self.state = CLOSED;
                false
            }
        }
    }

    /// Whether there will be another request.
    fn reestablish(&mut self) -> bool {
        let fault = self.fault;
        if fault.is("state-set-behind-error") {
            self.tell(Entry::Error {
                ready_state: self.state,
            });
        } else if self.attempts > 1 && fault.is("error-of-the-first-loss-only") {
            self.state = CONNECTING;
        } else {
            self.state = CONNECTING;
            self.tell(Entry::Error {
                ready_state: CONNECTING,
            });
        }
        if self.state == CLOSED && fault.is("close-during-the-wait-is-not-seen") {
            self.state = CONNECTING;
        }
        if self.state != CLOSED {
            self.state = CONNECTING;
        }
        self.state != CLOSED
    }

    fn wait(&mut self) -> u64 {
        let own = self.policy.own_time().unwrap_or(OWN_TIME);
        let time = self.reconnection_time.unwrap_or(own);
        match self.fault.name() {
            "wait-forgotten-after-one-use" => self.reconnection_time.take().unwrap_or(OWN_TIME),
            "wait-of-retry-never-used" => OWN_TIME,
            "wait-in-seconds" => time.saturating_mul(1000),
            "wait-of-31-bits" => time.min(0x7FFF_FFFF),
            "wait-wraps-at-32-bits" => time & 0xFFFF_FFFF,
            "wait-wraps-at-31-bits" if time > 0x7FFF_FFFF => 1,
            "wait-of-a-double" => (time as f64) as u64,
            "wait-of-half" => time / 2,
            "wait-of-none" => 0,
            "wait-doubles" => time.saturating_mul(u64::from(self.attempts)),
            "wait-grows-with-connections" => time.saturating_mul(self.connections.max(1).into()),
            "wait-of-one-second-at-least" => time.max(1000),
            "option-reconnection-time-over-retry" => self.policy.own_time().unwrap_or(time),
            _ => self.policy.wait(time),
        }
    }
}

/// What a response is to the connection.
enum Outcome {
    Open,
    Fail,
    /// It is lost, as the options have it.
    Lost,
    /// It is lost against the standard.
    Reestablish,
}

/// Fetch, "extract a MIME type": essence and parameters of the last valid type that is not `*/*`.
fn extracted(lines: &[&str]) -> Option<(String, String)> {
    let all = lines.join(", ");
    let (mut elements, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for char in all.chars() {
        match char {
            ',' if !quoted => {
                elements.push(String::new());
                continue;
            }
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = quoted && char == '\\' && !escaped;
        elements.last_mut().expect("there is one").push(char);
    }
    let mut types = elements.iter().filter_map(|text| element(text));
    types.rfind(|(essence, _)| essence != "*/*")
}

/// MIME Sniffing, "parse a MIME type": essence and parameters.
fn element(text: &str) -> Option<(String, String)> {
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
    let (kind, subtype) = essence.trim_end_matches([' ', '\t']).split_once('/')?;
    let is_token = |text: &str| {
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !text.is_empty() && text.bytes().all(is_token)
    };
    (is_token(kind) && is_token(subtype))
        .then(|| (format!("{kind}/{subtype}"), parameters.to_owned()))
}

fn is_type(found: Option<(String, String)>, right: &str) -> bool {
    found.is_some_and(|(essence, _)| essence.eq_ignore_ascii_case(right))
}

/// The origin of an http URL, serialised.
fn origin(url: &str, fault: Fault) -> String {
    let (scheme, rest) = url.split_once("://").expect("the corpus has absolute URLs");
    let scheme = scheme.to_lowercase();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match fault.name() {
        "origin-with-credentials" => authority,
        _ => authority.rsplit('@').next().unwrap_or_default(),
    };
    let host = match fault.name() {
        "origin-in-the-case-of-the-url" => host.to_owned(),
        _ => host.to_lowercase(),
    };
    let default = if scheme == "https" { ":443" } else { ":80" };
    let host = match fault.name() {
        "origin-with-the-default-port" => &host,
        "origin-without-its-port" => host.rsplit_once(':').map_or(&*host, |(host, _)| host),
        "origin-without-443-or-80" => host.trim_end_matches(":443").trim_end_matches(":80"),
        _ => host.strip_suffix(default).unwrap_or(&host),
    };
    match fault.name() {
        "origin-is-the-host" => host.to_owned(),
        "origin-with-a-slash" => format!("{scheme}://{host}/"),
        "origin-is-the-url" => url.to_owned(),
        _ => format!("{scheme}://{host}"),
    }
}

fn percent_encoded(text: &str) -> String {
    let of_byte = |byte: u8| match byte {
        b'!'..=b'~' | b' ' | b'\t' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(of_byte).collect()
}
