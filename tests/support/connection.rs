//! The naive model of a connection: the steps of the HTML standard, section 9.2.3, in virtual time
//! and with scripted responses. Streams are read by the naive model of a decoder.
//!
//! Comments in quotation marks quote the standard. What it leaves open is at the end of the file.

use super::mime;
use super::model::{Ask, Item, Limit, Model, Unfinished};

/// Something that happens on the network, or that the caller does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Op {
    Response(Response),
    Bytes {
        bytes: Vec<u8>,
        /// The index of the item of this chunk whose handler calls `close()`.
        close_at: Option<usize>,
    },
    EndOfBody,
    NetworkError,
    /// A network error that is known to be permanent, or an abort.
    PermanentError,
    /// The request is redirected with this status, to this URL with this origin.
    Redirect(u16, (String, String)),
    /// This many milliseconds pass, or fewer if a timer fires before.
    Advance(u64),
    /// A timer fires that was not set.
    StrayTimer,
    ResetBackoff,
    ExpectEnd,
    ReconnectNow,
    /// A new URL, and its origin.
    SetUrl((String, String)),
    Close,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// The values of all `Content-Type` headers.
    pub(crate) content_type: Vec<Vec<u8>>,
    /// The final URL and its origin, if it differs from the URL of the request.
    pub(crate) final_url: Option<(String, String)>,
    /// The header `Retry-After`.
    pub(crate) retry_after: Option<String>,
}

/// The choices that the standard leaves to the user agent.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) reconnects: bool,
    /// The reconnection time. All times are in milliseconds.
    pub(crate) time: u64,
    pub(crate) floor: u64,
    pub(crate) ceiling: Option<u64>,
    pub(crate) backoff: Option<u64>,
    pub(crate) stable_after: Option<u64>,
    pub(crate) response_timeout: Option<u64>,
    pub(crate) read_timeout: Option<u64>,
    pub(crate) max_failures: Option<u32>,
    pub(crate) jitter_percent: u32,
    pub(crate) statuses: &'static [u16],
    pub(crate) retries_content_type: bool,
    pub(crate) reconnect_to: ReconnectTo,
    pub(crate) cache_control: bool,
    pub(crate) limit: Limit,
    pub(crate) ask: Ask,
}

/// The URL to reconnect to after redirects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReconnectTo {
    Original,
    Permanent,
    Final,
}

/// An observable action, with its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Milliseconds since the start.
    pub(crate) at: u128,
    /// The `readyState` that a handler sees.
    pub(crate) ready_state: u8,
    pub(crate) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    Request {
        url: String,
        last_event_id: Option<String>,
    },
    Open,
    Message {
        item: Item,
        origin: String,
    },
    /// A comment, a `retry` line, or an event that is too large.
    Other(Item),
    /// The `Debug` output of the crate's reason.
    Error(String),
}

pub(crate) const CONNECTING: u8 = 0;
pub(crate) const OPEN: u8 = 1;
pub(crate) const CLOSED: u8 = 2;

/// An `EventSource` object of the standard.
#[derive(Debug)]
pub(crate) struct Source {
    options: Options,
    pub(crate) url: (String, String),
    pub(crate) ready_state: u8,
    pub(crate) last_event_id: String,
    /// The reconnection time that the server has set.
    reconnection_time: Option<u64>,
    now: u128,
    fetching: bool,
    body: Option<Body>,
    /// When the wait of "reestablish the connection" ends.
    timer: Option<u128>,
    /// When the response, or the next byte of the body, times out.
    deadline: Option<u128>,
    /// When the connection counts as stable.
    stable_at: Option<u128>,
    end_is_expected: bool,
    /// The URL of the next request.
    target: (String, String),
    /// The URL of the last body, or the one that the redirects of this request have led to.
    source: (String, String),
    /// The statuses of the redirects of this request.
    redirects: Vec<u16>,
    pub(crate) failures: u32,
    pub(crate) log: Vec<Entry>,
}

#[derive(Debug)]
struct Body {
    model: Model,
    bytes: Vec<u8>,
    origin: String,
}

impl Source {
    /// "The EventSource(url, eventSourceInitDict) constructor"
    pub(crate) fn new(url: (&str, &str), last_event_id: &str, options: Options) -> Self {
        let mut source = Self {
            options,
            url: (url.0.to_owned(), url.1.to_owned()),
            ready_state: CONNECTING,
            last_event_id: last_event_id.to_owned(),
            reconnection_time: None,
            now: 0,
            fetching: false,
            body: None,
            timer: None,
            deadline: None,
            stable_at: None,
            end_is_expected: false,
            target: (url.0.to_owned(), url.1.to_owned()),
            source: (url.0.to_owned(), url.1.to_owned()),
            redirects: Vec::new(),
            failures: 0,
            log: Vec::new(),
        };
        source.fetch();
        source
    }

    pub(crate) fn apply(&mut self, op: &Op) {
        match op {
            Op::Response(response) => {
                if self.fetching {
                    self.process_response(response);
                }
            }
            Op::Bytes { bytes, close_at } => self.process_body_chunk(bytes, *close_at),
            // "processResponseEndOfBody [...] if res is not a network error, then reestablish the
            // connection." An incomplete body has ended as well.
            Op::EndOfBody => {
                let end = |body: &Body| body.model.after(&body.bytes);
                self.lose_connection(match self.body.as_ref().map(end) {
                    Some(end) if end.has_ignored_line && !end.has_recognized_line => {
                        "NoEventStream"
                    }
                    Some(end) if end.unfinished == Some(Unfinished::Line) => "Truncated(Line)",
                    Some(end) if end.unfinished == Some(Unfinished::Event) => "Truncated(Event)",
                    _ => "EndOfBody",
                });
            }
            // "Otherwise, if res is a network error, then reestablish the connection, unless the
            // user agent knows that to be futile, in which case the user agent may fail the
            // connection."
            Op::NetworkError => {
                let (scheme, _) = self.target.0.split_once(':').unwrap_or_default();
                let is_http = ["http", "https"].contains(&&scheme.to_lowercase()[..]);
                if self.fetching && !is_http {
                    self.fail("Network");
                } else {
                    self.lose_connection("Network");
                }
            }
            // "If res is an aborted network error, then fail the connection."
            Op::PermanentError => {
                if self.fetching || self.body.is_some() {
                    self.fail("Permanent");
                }
            }
            Op::Redirect(status, url) => {
                if self.fetching {
                    self.redirects.push(*status);
                    self.source = url.clone();
                    let is_moved = self
                        .redirects
                        .iter()
                        .all(|status| [301, 308].contains(status));
                    match self.options.reconnect_to {
                        ReconnectTo::Original => {}
                        ReconnectTo::Permanent if !is_moved => {}
                        ReconnectTo::Permanent | ReconnectTo::Final => self.target = url.clone(),
                    }
                }
            }
            Op::Advance(milliseconds) => {
                let end = self.now + u128::from(*milliseconds);
                let timers = [self.stable_at, self.timer, self.deadline];
                self.now = timers.into_iter().flatten().fold(end, u128::min);
                if self.stable_at.take_if(|at| *at == self.now).is_some() {
                    self.failures = 0;
                } else if self.timer.take_if(|at| *at == self.now).is_some() {
                    self.fetch();
                } else if self.deadline == Some(self.now) {
                    self.lose_connection("Timeout");
                }
            }
            Op::StrayTimer => {}
            Op::ResetBackoff => self.failures = 0,
            Op::ExpectEnd => self.end_is_expected = self.body.is_some(),
            Op::ReconnectNow => {
                if self.timer.take().is_some() {
                    self.fetch();
                } else if self.body.is_some() {
                    self.abort();
                    self.ready_state = CONNECTING;
                    self.fire(What::Error("Reconnect".to_owned()));
                    self.fetch();
                }
            }
            Op::SetUrl(url) => {
                self.url = url.clone();
                self.target = url.clone();
            }
            Op::Close => self.close(),
        }
    }
}

/// The steps of the standard.
impl Source {
    fn process_response(&mut self, response: &Response) {
        let least = response.retry_after.as_deref().map_or(0, seconds);
        let status = response.status;
        // "Otherwise, if res's status is not 200, or if res's `Content-Type` is not
        // `text/event-stream`, then fail the connection."
        if status != 200 {
            let reason = format!("Status({status})");
            return if self.options.statuses.contains(&status) {
                self.reestablish(&reason, least)
            } else {
                self.fail(&reason)
            };
        }
        if !mime::is_event_stream(&response.content_type) {
            return if self.options.retries_content_type {
                self.reestablish("ContentType", least)
            } else {
                self.fail("ContentType")
            };
        }
        // "Otherwise, announce the connection and interpret res's body line by line."
        self.abort();
        if let Some(url) = &response.final_url {
            self.source = url.clone();
            if self.options.reconnect_to == ReconnectTo::Final {
                self.target = url.clone();
            }
        } else if self.redirects.is_empty() {
            self.source = self.target.clone();
        }
        self.deadline = self
            .options
            .read_timeout
            .map(|time| self.now + u128::from(time));
        self.stable_at = self
            .options
            .stable_after
            .map(|time| self.now + u128::from(time));
        // "If the readyState attribute is set to a value other than CLOSED, then set the
        // readyState attribute to OPEN and fire an event named open."
        self.ready_state = OPEN;
        self.fire(What::Open);
        self.body = Some(Body {
            model: Model {
                limit: self.options.limit,
                ask: self.options.ask,
                skip_long_ids: false,
                last_event_id: self.last_event_id.clone(),
                reconnection_time: self.reconnection_time,
            },
            bytes: Vec::new(),
            origin: self.origin().to_owned(),
        });
    }

    fn process_body_chunk(&mut self, bytes: &[u8], close_at: Option<usize>) {
        let Some(body) = &mut self.body else {
            return;
        };
        if !bytes.is_empty() {
            self.deadline = self
                .options
                .read_timeout
                .map(|time| self.now + u128::from(time));
        }
        let before = body.model.after(&body.bytes).items.len();
        body.bytes.extend_from_slice(bytes);
        let outcome = body.model.after(&body.bytes);
        let origin = body.origin.clone();
        self.last_event_id = outcome.last_event_id;
        self.reconnection_time = outcome.reconnection_time;
        for (index, item) in outcome.items.into_iter().skip(before).enumerate() {
            // "queue a task which, if the readyState attribute is set to a value other than
            // CLOSED, dispatches the newly created event"
            if self.ready_state == CLOSED {
                return;
            }
            if matches!(item, Item::Event { .. }) {
                if self.options.stable_after.is_none() {
                    self.failures = 0;
                }
                let origin = origin.clone();
                self.fire(What::Message { item, origin });
            } else {
                self.fire(What::Other(item));
            }
            if close_at == Some(index) {
                self.close();
            }
        }
    }

    /// The current request or body has ended.
    fn lose_connection(&mut self, reason: &str) {
        if self.fetching || self.body.is_some() {
            self.reestablish(reason, 0);
        }
    }

    /// "When a user agent is to reestablish the connection"
    fn reestablish(&mut self, reason: &str, least_seconds: u64) {
        if self.end_is_expected {
            return self.end_expectedly(reason);
        }
        if !self.options.reconnects {
            return self.fail(reason);
        }
        self.failures += 1;
        if self
            .options
            .max_failures
            .is_some_and(|most| self.failures >= most)
        {
            self.failures -= 1;
            return self.fail(&format!("GaveUp({})", self.failures + 1));
        }
        // "If the readyState attribute is set to CLOSED, abort the task. Set the readyState
        // attribute to CONNECTING. Fire an event named error."
        self.abort();
        self.ready_state = CONNECTING;
        self.fire(What::Error(reason.to_owned()));
        // "Wait a delay equal to the reconnection time of the event source. Optionally, wait some
        // more."
        self.timer = Some(self.now + self.delay(least_seconds));
    }

    /// "When a user agent is to fail the connection"
    fn fail(&mut self, reason: &str) {
        self.abort();
        self.failures += 1;
        // "if the readyState attribute is set to a value other than CLOSED, sets the readyState
        // attribute to CLOSED and fires an event named error"
        self.ready_state = CLOSED;
        self.fire(What::Error(reason.to_owned()));
    }

    /// "The close() method must abort any instances of the fetch algorithm started for this
    /// EventSource object, and must set the readyState attribute to CLOSED."
    fn close(&mut self) {
        self.abort();
        self.ready_state = CLOSED;
    }

    /// Ends the request, the body or the wait.
    fn abort(&mut self) {
        self.fetching = false;
        self.body = None;
        self.timer = None;
        self.deadline = None;
        self.stable_at = None;
        self.end_is_expected = false;
    }

    fn fetch(&mut self) {
        // "If the EventSource object's last event ID string is not the empty string, then: [...]
        // Set (`Last-Event-ID`, lastEventIDValue) in request's header list."
        let id = &self.last_event_id;
        // Leading and trailing spaces and tabs are not part of a header value.
        let value = id.trim_matches([' ', '\t']);
        let can_be_sent =
            value.len() <= 4096 && !value.chars().any(|c| c.is_ascii_control() && c != '\t');
        let is_sent = !id.is_empty() && can_be_sent;
        let last_event_id = is_sent.then(|| value.to_owned());
        self.fetching = true;
        self.redirects.clear();
        self.deadline = self
            .options
            .response_timeout
            .map(|time| self.now + u128::from(time));
        self.fire(What::Request {
            url: self.target.0.clone(),
            last_event_id,
        });
    }

    fn fire(&mut self, what: What) {
        self.log.push(Entry {
            at: self.now,
            ready_state: self.ready_state,
            what,
        });
    }

    /// In milliseconds.
    pub(crate) fn reconnection_time(&self) -> u64 {
        self.reconnection_time.unwrap_or(self.options.time)
    }

    /// The origin of the current stream, or of the last one.
    pub(crate) fn origin(&self) -> &str {
        &self.source.1
    }
}

/// What the standard leaves to the user agent.
impl Source {
    /// Ends a connection whose end was expected, which is not a failure.
    fn end_expectedly(&mut self, reason: &str) {
        self.abort();
        if self.options.reconnects {
            self.ready_state = CONNECTING;
            self.fire(What::Error(reason.to_owned()));
            self.timer = Some(self.now + self.delay(0));
        } else {
            self.ready_state = CLOSED;
        }
    }

    fn delay(&self, least_seconds: u64) -> u128 {
        let options = &self.options;
        let time = u128::from(self.reconnection_time());
        let mut delay = time.max(options.floor.into());
        if let Some(cap) = options.backoff {
            let mut grown = delay.max(1);
            for _ in 1..self.failures.min(32) {
                grown *= 2;
            }
            delay = delay.max(grown.min(cap.into()));
        }
        delay = delay.max(1000 * u128::from(least_seconds));
        options
            .ceiling
            .map_or(delay, |ceiling| delay.min(ceiling.into()))
    }
}

/// The seconds of `Retry-After`. A date counts as 0, since there is no clock.
fn seconds(retry_after: &str) -> u64 {
    let digits = retry_after.trim_matches(|c: char| c.is_ascii_whitespace());
    if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit()) {
        return 0;
    }
    digits.parse().unwrap_or(u64::MAX)
}
