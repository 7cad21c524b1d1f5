//! The naive model of a connection: the steps of the HTML standard, section 9.2.3, in virtual time
//! and with a fetch that a script answers. Streams are read by the other naive model.
//!
//! Quoted comments are the words of the standard. What it leaves open stands at the end.

use super::mime;
use super::model::{Ask, Item, Limit, Model};

/// What a driver meets, and what a user does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Op {
    Response(Response),
    Bytes {
        bytes: Vec<u8>,
        /// The handler of this item of the chunk, counted from 0, calls `close()`.
        close_at: Option<usize>,
    },
    EndOfBody,
    NetworkError,
    /// A network error after which another attempt makes no sense, or an abort.
    FutileError,
    /// Milliseconds go by.
    Advance(u64),
    /// A timer goes off that nobody has set.
    StrayTimer,
    ResetBackoff,
    Close,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// The lines of the header `Content-Type`.
    pub(crate) content_type: Vec<Vec<u8>>,
    /// The final URL and its origin, unless that is the request's.
    pub(crate) final_url: Option<(String, String)>,
    /// The header `Retry-After`.
    pub(crate) retry_after: Option<String>,
}

/// What the standard leaves to the user agent.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) reconnects: bool,
    /// Milliseconds, as all that follow.
    pub(crate) time: u64,
    pub(crate) floor: u64,
    pub(crate) ceiling: Option<u64>,
    pub(crate) backoff: Option<u64>,
    pub(crate) jitter_percent: u32,
    pub(crate) statuses: &'static [u16],
    pub(crate) reconnects_to_final_url: bool,
    pub(crate) limit: Limit,
    pub(crate) ask: Ask,
}

/// What can be seen from outside, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Milliseconds since the beginning.
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
    /// A comment, a `retry` line, or an event that was too large.
    Other(Item),
    Error,
}

pub(crate) const CONNECTING: u8 = 0;
pub(crate) const OPEN: u8 = 1;
pub(crate) const CLOSED: u8 = 2;

/// An event source of the standard.
#[derive(Debug)]
pub(crate) struct Source {
    options: Options,
    url: (String, String),
    pub(crate) ready_state: u8,
    pub(crate) last_event_id: String,
    /// As the server has set it.
    reconnection_time: Option<u64>,
    now: u128,
    fetching: bool,
    body: Option<Body>,
    /// When the wait of "reestablish the connection" is over.
    timer: Option<u128>,
    /// Where the last body came from.
    final_url: Option<(String, String)>,
    failures: u32,
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
            final_url: None,
            failures: 0,
            log: Vec::new(),
        };
        source.fetch();
        source
    }

    pub(crate) fn apply(&mut self, op: &Op) {
        match op {
            Op::Response(response) => {
                if core::mem::take(&mut self.fetching) {
                    self.process_response(response);
                }
            }
            Op::Bytes { bytes, close_at } => self.process_body_chunk(bytes, *close_at),
            // "processResponseEndOfBody [...] if res is not a network error, then reestablish the
            // connection." A body that breaks off ends as well.
            Op::EndOfBody | Op::NetworkError if self.body.take().is_some() => self.reestablish(0),
            Op::EndOfBody if core::mem::take(&mut self.fetching) => self.reestablish(0),
            // "Otherwise, if res is a network error, then reestablish the connection, unless the
            // user agent knows that to be futile, in which case the user agent may fail the
            // connection."
            Op::NetworkError if core::mem::take(&mut self.fetching) => {
                let (scheme, _) = self.request_url().0.split_once(':').unwrap_or_default();
                if ["http", "https"].contains(&&scheme.to_lowercase()[..]) {
                    self.reestablish(0);
                } else {
                    self.fail();
                }
            }
            // "If res is an aborted network error, then fail the connection."
            Op::FutileError => {
                let is_under_way = core::mem::take(&mut self.fetching) || self.body.is_some();
                self.body = None;
                if is_under_way {
                    self.fail();
                }
            }
            Op::EndOfBody | Op::NetworkError => {}
            Op::Advance(milliseconds) => {
                let end = self.now + u128::from(*milliseconds);
                if let Some(due) = self.timer.filter(|&due| due <= end) {
                    self.now = due;
                    self.timer = None;
                    // "If the EventSource object's readyState attribute is not set to CONNECTING,
                    // then return."
                    if self.ready_state == CONNECTING {
                        self.fetch();
                    }
                }
                self.now = end;
            }
            Op::StrayTimer => {}
            Op::ResetBackoff => self.failures = 0,
            Op::Close => self.close(),
        }
    }

    fn process_response(&mut self, response: &Response) {
        if self.options.statuses.contains(&response.status) {
            return self.reestablish(response.retry_after.as_deref().map_or(0, seconds));
        }
        // "Otherwise, if res's status is not 200, or if res's `Content-Type` is not
        // `text/event-stream`, then fail the connection."
        if response.status != 200 || !mime::is_event_stream(&response.content_type) {
            return self.fail();
        }
        // "Otherwise, announce the connection and interpret res's body line by line."
        match (response.final_url.clone(), &self.final_url) {
            (None, Some(_)) if self.options.reconnects_to_final_url => {}
            (url, _) => self.final_url = url,
        }
        // "If the readyState attribute is set to a value other than CLOSED, then set the
        // readyState attribute to OPEN and fire an event named open."
        self.ready_state = OPEN;
        self.fire(What::Open);
        self.body = Some(Body {
            model: Model {
                limit: self.options.limit,
                ask: self.options.ask,
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
                self.failures = 0;
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

    /// "When a user agent is to reestablish the connection"
    fn reestablish(&mut self, least_seconds: u64) {
        if !self.options.reconnects {
            return self.fail();
        }
        // "If the readyState attribute is set to CLOSED, abort the task. Set the readyState
        // attribute to CONNECTING. Fire an event named error."
        if self.ready_state == CLOSED {
            return;
        }
        self.ready_state = CONNECTING;
        self.fire(What::Error);
        // "Wait a delay equal to the reconnection time of the event source. Optionally, wait some
        // more."
        self.failures += 1;
        self.timer = Some(self.now + self.delay(least_seconds));
    }

    /// "When a user agent is to fail the connection"
    fn fail(&mut self) {
        // "if the readyState attribute is set to a value other than CLOSED, sets the readyState
        // attribute to CLOSED and fires an event named error"
        if self.ready_state != CLOSED {
            self.ready_state = CLOSED;
            self.fire(What::Error);
        }
    }

    /// "The close() method must abort any instances of the fetch algorithm started for this
    /// EventSource object, and must set the readyState attribute to CLOSED."
    fn close(&mut self) {
        self.fetching = false;
        self.body = None;
        self.ready_state = CLOSED;
    }

    fn fetch(&mut self) {
        // "If the EventSource object's last event ID string is not the empty string, then: [...]
        // Set (`Last-Event-ID`, lastEventIDValue) in request's header list."
        let id = self.last_event_id.clone();
        let can_be_sent = id.len() <= 4096
            && id.trim_matches([' ', '\t']) == id
            && !id.chars().any(|c| c.is_ascii_control() && c != '\t');
        self.fetching = true;
        self.fire(What::Request {
            url: self.request_url().0.clone(),
            last_event_id: Some(id).filter(|id| !id.is_empty() && can_be_sent),
        });
    }

    fn fire(&mut self, what: What) {
        self.log.push(Entry {
            at: self.now,
            ready_state: self.ready_state,
            what,
        });
    }

    /// Milliseconds.
    pub(crate) fn reconnection_time(&self) -> u64 {
        self.reconnection_time.unwrap_or(self.options.time)
    }

    /// Of the stream under way, or of the last one.
    pub(crate) fn origin(&self) -> &str {
        &self.final_url.as_ref().unwrap_or(&self.url).1
    }

    // From here on: what the standard leaves to us.

    fn request_url(&self) -> &(String, String) {
        match &self.final_url {
            Some(url) if self.options.reconnects_to_final_url => url,
            _ => &self.url,
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

/// `Retry-After`: "delay-seconds", or a date, for which there is no clock.
fn seconds(retry_after: &str) -> u64 {
    let digits = retry_after.trim_matches(|c: char| c.is_ascii_whitespace());
    if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit()) {
        return 0;
    }
    digits.parse().unwrap_or(u64::MAX)
}
