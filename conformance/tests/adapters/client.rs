//! The reference client: an event source, with a switch for each mutation. It reads its streams
//! with the reference decoder.

mod request;
mod response;
mod stream;

use sse_conformance::{
    Answer, CloseOn, ConnectAnswer, ConnectRequest, Failure, LogEntry, Response,
};

use super::{
    decoder::Decoder,
    mutations::Mutation,
    policy::{AfterLoss, Location, Loss, Policy},
};
use response::Outcome;

const CONNECTING: u8 = 0;
const OPEN: u8 = 1;
const CLOSED: u8 = 2;

/// "an implementation-defined value, probably in the region of a few seconds"
const DEFAULT_TIME: u64 = 3000;

pub(crate) fn connect(request: &ConnectRequest, mutation: Mutation) -> Answer {
    let options = request.options.clone().unwrap_or_default();
    let mut client = Client {
        mutation,
        url: request.url.clone(),
        location: Location::new(request.url.clone(), &options, mutation),
        reports_urls: request.options.is_some(),
        policy: Policy::new(options, mutation),
        close_on: request.close_on.clone(),
        decoder: Decoder::new(mutation),
        reconnection_time: None,
        state: if mutation.is("starts-closed") {
            CLOSED
        } else {
            CONNECTING
        },
        attempts: 0,
        connections: 0,
        body_broke_off: false,
        ids_sent: Vec::new(),
        answer: ConnectAnswer::default(),
    };
    if !mutation.is("seed-not-sent") {
        client
            .decoder
            .seed(request.last_event_id.as_deref().unwrap_or_default());
    }
    client.run(&request.responses);
    client.answer.ready_state = client.state;
    Answer::Connect(client.answer)
}

struct Client {
    mutation: Mutation,
    url: String,
    location: Location,
    /// Whether the answer has the URLs of requests.
    reports_urls: bool,
    policy: Policy,
    close_on: Option<CloseOn>,
    decoder: Decoder,
    reconnection_time: Option<u64>,
    state: u8,
    attempts: u32,
    /// How many attempts led to a connection.
    connections: u32,
    /// Whether the previous body broke off.
    body_broke_off: bool,
    ids_sent: Vec<String>,
    answer: ConnectAnswer,
}

impl Client {
    fn run(&mut self, responses: &[Response]) {
        let mut responses = responses.iter();
        let mut after = if self.mutation.is("first-request-waits") {
            DEFAULT_TIME
        } else {
            0
        };
        loop {
            self.send_request(after);
            self.attempts += 1;
            let Some(response) = responses.next() else {
                return;
            };
            let has_next = match response {
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
                    let from = self.location.follow(redirects, url.as_deref());
                    match self.check_response(*status, headers) {
                        Outcome::Open => self.read_body(&from, chunks, *lasts, *end),
                        Outcome::Fail => self.fail(),
                        Outcome::Reestablish => self.reestablish(),
                        Outcome::Lost => {
                            self.policy.refused(*status, headers);
                            self.lose(Loss::Refused)
                        }
                    }
                }
            };
            if !has_next {
                return;
            }
            after = self.delay();
        }
    }

    fn no_response(&mut self, failure: Failure) -> bool {
        match (failure, self.mutation.name()) {
            (Failure::Abort, "abort-is-retried") => self.reestablish(),
            (Failure::Network, "network-failure-is-final") => self.fail(),
            (Failure::Network, "first-failure-is-final") if self.attempts == 1 => self.fail(),
            (Failure::Network, "failures-are-silent") => {
                self.state = CONNECTING;
                true
            }
            (Failure::Network, "third-failure-is-final") if self.attempts == 3 => self.fail(),
            (Failure::Abort, _) => self.fail(),
            (Failure::Network, _) => self.lose(Loss::NoResponse),
            (Failure::Timeout, _) => self.lose(Loss::NoResponseInTime),
        }
    }

    /// Delivers an event to the user, whose handler may call `close()`.
    fn fire(&mut self, entry: LogEntry) {
        let mutation = self.mutation;
        let closes = self.close_on.as_ref().is_some_and(|on| match &entry {
            LogEntry::Open { .. } => on.event == "open",
            LogEntry::Error { .. } => on.event == "error",
            LogEntry::Message { event, data, .. } => {
                let is_signal = event == "open" || event == "error";
                (!is_signal || mutation.is("event-named-error-reaches-handlers-of-the-signal"))
                    && on.event == *event
                    && on.data.as_ref().is_none_or(|expected| expected == data)
            }
        });
        self.answer.log.push(entry);
        if closes {
            self.close_on = None;
            self.state = CLOSED;
            if mutation.is("close-fires-error") {
                self.answer.log.push(LogEntry::Error {
                    ready_state: CLOSED,
                });
            }
        }
    }

    fn fail(&mut self) -> bool {
        let mutation = self.mutation;
        match mutation.name() {
            "failure-is-silent" => self.state = CLOSED,
            "state-set-after-error" => {
                self.fire(LogEntry::Error {
                    ready_state: self.state,
                });
                self.state = CLOSED;
            }
            "failure-fires-twice" => {
                self.state = CLOSED;
                self.fire(LogEntry::Error {
                    ready_state: CLOSED,
                });
                self.fire(LogEntry::Error {
                    ready_state: CLOSED,
                });
            }
            "failure-is-not-final" => return self.reestablish(),
            _ => {
                self.state = CLOSED;
                self.fire(LogEntry::Error {
                    ready_state: CLOSED,
                });
            }
        }
        false
    }

    /// Called where the standard has "reestablish the connection". Returns whether another request
    /// follows.
    fn lose(&mut self, loss: Loss) -> bool {
        match self.policy.lost(loss) {
            AfterLoss::Reestablish => self.reestablish(),
            AfterLoss::Fail => self.fail(),
            AfterLoss::Finish => {
                self.state = CLOSED;
                false
            }
        }
    }

    /// Returns whether another request follows.
    fn reestablish(&mut self) -> bool {
        let mutation = self.mutation;
        if mutation.is("state-set-after-error") {
            self.fire(LogEntry::Error {
                ready_state: self.state,
            });
        } else if self.attempts > 1 && mutation.is("error-of-the-first-loss-only") {
            self.state = CONNECTING;
        } else {
            self.state = CONNECTING;
            self.fire(LogEntry::Error {
                ready_state: CONNECTING,
            });
        }
        if self.state == CLOSED && mutation.is("close-during-the-wait-is-ignored") {
            self.state = CONNECTING;
        }
        if self.state != CLOSED {
            self.state = CONNECTING;
        }
        self.state != CLOSED
    }

    /// The delay before the next request in milliseconds.
    fn delay(&mut self) -> u64 {
        let initial = self.policy.initial_time().unwrap_or(DEFAULT_TIME);
        let time = self.reconnection_time.unwrap_or(initial);
        match self.mutation.name() {
            "wait-forgotten-after-one-use" => self.reconnection_time.take().unwrap_or(DEFAULT_TIME),
            "wait-of-retry-never-used" => DEFAULT_TIME,
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
            "option-reconnection-time-over-retry" => self.policy.initial_time().unwrap_or(time),
            _ => self.policy.delay(time),
        }
    }
}
