//! The body of a response: a new stream for the decoder, whose events are delivered with their
//! origin.

use sse_conformance::{End, Item, LogEntry};

use super::{CLOSED, CONNECTING, Client, OPEN};
use crate::{decoder::Decoder, mutations::Mutation, policy::Loss};

impl Client {
    pub(super) fn read_body(
        &mut self,
        from: &str,
        chunks: &[Vec<u8>],
        lasts: bool,
        end: End,
    ) -> bool {
        let mutation = self.mutation;
        self.new_stream();
        self.connections += 1;
        self.policy.opened();
        let from = match mutation.name() {
            "origin-of-the-first-url" => &self.url,
            _ => from,
        };
        let origin = origin(from, mutation);
        match mutation.name() {
            "state-set-after-open" => {
                self.fire(LogEntry::Open {
                    ready_state: CONNECTING,
                });
                self.state = OPEN;
            }
            "open-with-the-first-byte" if chunks.concat().is_empty() => {}
            "open-once-only" if self.attempts > 1 => {}
            _ => {
                self.state = OPEN;
                self.fire(LogEntry::Open { ready_state: OPEN });
            }
        }
        self.state = if self.state == CLOSED { CLOSED } else { OPEN };
        for chunk in chunks {
            if self.state == CLOSED && !mutation.is("messages-after-close") {
                break;
            }
            let items = self.decoder.feed(chunk);
            self.deliver(items, &origin);
        }
        if self.state == CLOSED
            && mutation.is("close-does-not-stop-the-reconnect")
            && end == End::Eof
        {
            return self.reestablish();
        }
        if self.state == CLOSED {
            return false;
        }
        self.body_broke_off = end == End::Error;
        if lasts {
            self.policy.lasted();
        }
        match (end, mutation.name()) {
            (End::Open, _) => false,
            (End::Eof, "end-is-final") | (End::Error, "broken-body-is-final") => self.fail(),
            (End::Eof, "empty-body-is-final") if chunks.concat().is_empty() => self.fail(),
            (End::Eof, "end-is-silent") => {
                self.state = CONNECTING;
                true
            }
            (End::Eof, "end-ends-the-script") => false,
            (_, "end-dispatches-the-rest") => {
                let items = self.decoder.feed(b"\n\n");
                self.deliver(items, &origin);
                self.reestablish()
            }
            (End::Eof, _) => self.lose(Loss::EndOfBody),
            (End::Error, _) => self.lose(Loss::BrokenBody),
            (End::Timeout, _) => self.lose(Loss::SilentBody),
        }
    }

    /// A new response is a new stream: only the last event ID and the reconnection time of the
    /// previous one are kept.
    fn new_stream(&mut self) {
        let mutation = self.mutation;
        let old = std::mem::replace(&mut self.decoder, Decoder::new(mutation));
        match mutation.name() {
            "stream-continues-over-connections" => self.decoder = old,
            "stream-continues-after-a-broken-body" if self.body_broke_off => self.decoder = old,
            "type-kept-over-connections"
            | "data-kept-over-connections"
            | "line-kept-over-connections"
            | "bytes-kept-over-connections"
            | "id-buffer-kept-over-connections" => {
                self.decoder.seed(&old.last_event_id);
                self.decoder.keep_state_of(&old);
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
        let mutation = self.mutation;
        for item in items {
            match item {
                Item::Retry { retry } => self.reconnection_time = Some(retry),
                Item::Event {
                    event,
                    data,
                    last_event_id,
                } => {
                    // "if the readyState attribute is set to a value other than CLOSED"
                    if self.state == CLOSED && !mutation.is("messages-after-close") {
                        return;
                    }
                    match (mutation.name(), &*event) {
                        ("event-named-error-is-the-signal", "error") => {
                            self.fire(LogEntry::Error { ready_state: OPEN });
                            continue;
                        }
                        ("event-named-open-is-the-signal", "open") => {
                            self.fire(LogEntry::Open { ready_state: OPEN });
                            continue;
                        }
                        ("event-named-close-closes", "close") => {
                            self.state = CLOSED;
                            return;
                        }
                        ("named-events-not-delivered", event) if event != "message" => continue,
                        ("end-marker-is-not-delivered", _) if self.policy.is_end_marker(&data) => {
                            self.policy.message(&data);
                            continue;
                        }
                        _ => {}
                    }
                    self.policy.message(&data);
                    let closes = mutation.is("end-marker-ends-the-stream")
                        && self.policy.is_end_marker(&data);
                    self.fire(LogEntry::Message {
                        event,
                        data,
                        last_event_id,
                        origin: origin.to_owned(),
                        ready_state: if mutation.is("message-sees-another-state") {
                            CONNECTING
                        } else {
                            self.state
                        },
                    });
                    if closes {
                        self.state = CLOSED;
                    }
                }
                Item::Comment { .. } | Item::Error { .. } | Item::Detailed(_) => {}
            }
        }
    }
}

/// The origin of an http URL, serialised.
fn origin(url: &str, mutation: Mutation) -> String {
    let (scheme, rest) = url.split_once("://").expect("the corpus has absolute URLs");
    let scheme = scheme.to_lowercase();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match mutation.name() {
        "origin-with-credentials" => authority,
        _ => authority.rsplit('@').next().unwrap_or_default(),
    };
    let host = match mutation.name() {
        "origin-in-the-case-of-the-url" => host.to_owned(),
        _ => host.to_lowercase(),
    };
    let default = if scheme == "https" { ":443" } else { ":80" };
    let host = match mutation.name() {
        "origin-with-the-default-port" => &host,
        "origin-without-its-port" => host.rsplit_once(':').map_or(&*host, |(host, _)| host),
        "origin-without-443-or-80" => host.trim_end_matches(":443").trim_end_matches(":80"),
        _ => host.strip_suffix(default).unwrap_or(&host),
    };
    match mutation.name() {
        "origin-is-the-host" => host.to_owned(),
        "origin-with-a-slash" => format!("{scheme}://{host}/"),
        "origin-is-the-url" => url.to_owned(),
        _ => format!("{scheme}://{host}"),
    }
}
