//! The connect group of the conformance corpus: scripts of responses and failures, and the requests
//! and events that have to come of them.

use core::time::Duration;
use serde::Deserialize;
use sse_proto::{
    Action, Credentials, Decoder, Disconnect, EventSource, Fixed, Message, Signal, Storage,
};
use std::collections::BTreeSet;

#[path = "support/groups.rs"]
mod groups;

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Case {
    id: String,
    rule: Vec<String>,
    why: String,
    flags: BTreeSet<String>,
    verdict: String,
    url: String,
    with_credentials: Option<bool>,
    last_event_id: Option<String>,
    responses: Vec<Response>,
    close_on: Option<CloseOn>,
    requests: Vec<Request>,
    log: Vec<Entry>,
    ready_state: u8,
}

#[derive(Deserialize, Clone)]
#[serde(untagged, deny_unknown_fields)]
enum Response {
    Failure {
        failure: Failure,
    },
    Response {
        status: u16,
        headers: Vec<(String, String)>,
        url: Option<String>,
        chunks: Vec<Piece>,
        end: End,
    },
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Failure {
    Network,
    Abort,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum End {
    Eof,
    Error,
    Open,
}

#[derive(Deserialize, Clone)]
#[serde(try_from = "RawPiece")]
struct Piece(Vec<u8>);

#[derive(Deserialize)]
#[serde(untagged)]
enum RawPiece {
    Text(Text),
    Hex(Hex),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hex {
    hex: String,
}

impl TryFrom<RawPiece> for Piece {
    type Error = core::num::ParseIntError;

    fn try_from(piece: RawPiece) -> Result<Self, Self::Error> {
        Ok(Self(match piece {
            RawPiece::Text(Text { text }) => text.into_bytes(),
            RawPiece::Hex(Hex { hex }) => hex
                .split(' ')
                .map(|byte| u8::from_str_radix(byte, 16))
                .collect::<Result<_, _>>()?,
        }))
    }
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct CloseOn {
    event: String,
    data: Option<String>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Request {
    #[serde(deserialize_with = "Option::deserialize")] // null must be written out
    last_event_id: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    after_ms: Option<u64>,
    headers: Option<Vec<(String, String)>>,
}

#[derive(Deserialize, Clone, PartialEq, Debug)]
#[serde(
    tag = "kind",
    deny_unknown_fields,
    rename_all = "lowercase",
    rename_all_fields = "camelCase"
)]
enum Entry {
    Open {
        ready_state: u8,
    },
    Error {
        ready_state: u8,
    },
    Message {
        event: String,
        data: String,
        last_event_id: String,
        origin: String,
        ready_state: u8,
    },
}

fn cases() -> Vec<Case> {
    groups::groups("connect")
        .into_iter()
        .flat_map(|(_, group)| group.cases)
        .collect()
}

#[test]
fn every_file_keeps_to_the_format() {
    let flags = groups::flags();
    let mut ids = BTreeSet::new();
    for (name, group) in groups::groups::<Case>("connect") {
        assert_eq!(group.group, name);
        assert_eq!(group.schema, "../schema/connect.schema.json");
        assert!(!group.about.is_empty());
        for case in group.cases {
            let id = &case.id;
            assert!(id.starts_with("connect-"), "{id}");
            assert!(ids.insert(id.clone()), "{id} is there twice");
            assert!(case.why.ends_with('.'), "{id}");
            assert!(["must", "may"].contains(&&case.verdict[..]), "{id}");
            assert!(!case.rule.is_empty(), "{id}");
            assert!(
                case.flags.iter().all(|flag| flags.contains_key(flag)),
                "{id}"
            );
            for (flag, due) in [
                ("abort", case.responses.iter().any(is_abort)),
                ("close", case.close_on.is_some()),
                ("cr", case.has_cr()),
                ("id-seed", case.last_event_id.is_some()),
                (
                    "delay",
                    case.requests
                        .iter()
                        .any(|request| request.after_ms.is_some_and(|after| after > 0)),
                ),
            ] {
                assert_eq!(case.flags.contains(flag), due, "{id}: flag {flag}");
            }
        }
    }
    assert!(ids.len() >= 60);
}

#[test]
fn every_testable_rule_has_a_case_that_must_pass() {
    let mut cases = cases();
    cases.retain(|case| case.verdict == "must");
    // C2, C11 to C13, H1, H8 to H10 and A6 do not show in requests and events.
    for rule in [
        "C1", "C3", "C4", "C5", "C6", "C7", "C8", "C9", "C10", "R1", "R2", "R3", "R4", "R5", "R6",
        "R7", "R8", "R9", "H4", "H5", "H6", "H7", "S4", "S7", "S8", "S9", "S10", "I13", "I15",
        "I16", "I21", "U1", "U2", "A1", "A2", "A5", "A7", "A8", "A9", "A10", "A13", "A20", "A22",
    ] {
        assert!(
            cases
                .iter()
                .any(|case| case.rule.iter().any(|cited| cited == rule)),
            "no case for {rule}"
        );
    }
}

#[test]
#[cfg(feature = "alloc")]
fn the_machine_on_the_heap_passes_every_case() {
    assert_all_pass(Decoder::new);
}

#[test]
fn the_machine_over_fixed_memory_passes_every_case() {
    assert_all_pass(|| Decoder::with_storage(Fixed::new([0xAA; 2048])));
}

fn assert_all_pass<S: Storage>(decoder: impl Fn() -> Decoder<S>) {
    let mut failures = Vec::new();
    for case in cases() {
        for (way, case) in case.in_all_ways() {
            let mut driver = Driver::new(&case, decoder());
            driver.run(&case);
            if let Err(what) = driver.check(&case) {
                let Case { id, rule, why, .. } = &case;
                failures.push(format!("{id} {rule:?}: {why}\n  played {way}: {what}"));
                break;
            }
        }
    }
    let count = failures.len();
    assert!(
        failures.is_empty(),
        "{count} failures\n{}",
        failures.join("\n")
    );
}

fn is_abort(response: &Response) -> bool {
    matches!(
        response,
        Response::Failure {
            failure: Failure::Abort
        }
    )
}

impl Case {
    fn has_cr(&self) -> bool {
        self.responses.iter().any(|response| match response {
            Response::Response { chunks, .. } => {
                chunks.iter().any(|chunk| chunk.0.contains(&b'\r'))
            }
            Response::Failure { .. } => false,
        })
    }

    fn in_all_ways(&self) -> Vec<(&'static str, Self)> {
        let whole = |chunks: Vec<Vec<u8>>| vec![chunks.concat()];
        let singly = |chunks: Vec<Vec<u8>>| chunks.concat().chunks(1).map(<[u8]>::to_vec).collect();
        let spread = |chunks: Vec<Vec<u8>>| {
            let spread = chunks.into_iter().flat_map(|chunk| [vec![], chunk]);
            spread.chain([vec![]]).collect()
        };
        let with_end = |end: &'static [u8]| {
            move |chunks: Vec<Vec<u8>>| {
                let replace = |chunk: Vec<u8>| {
                    let lines: Vec<&[u8]> = chunk.split(|&byte| byte == b'\n').collect();
                    lines.join(end)
                };
                chunks.into_iter().map(replace).collect()
            }
        };
        let mut ways = vec![
            ("as written", self.clone()),
            ("whole", self.with_bodies(&whole)),
            ("byte by byte", self.with_bodies(&singly)),
            ("with empty chunks", self.with_bodies(&spread)),
        ];
        if !self.has_cr() {
            ways.push(("with CR for LF", self.with_bodies(&with_end(b"\r"))));
            ways.push(("with CRLF for LF", self.with_bodies(&with_end(b"\r\n"))));
        }
        ways
    }

    fn with_bodies(&self, change: &dyn Fn(Vec<Vec<u8>>) -> Vec<Vec<u8>>) -> Self {
        let mut case = self.clone();
        for response in &mut case.responses {
            if let Response::Response { chunks, .. } = response {
                let bytes = chunks.drain(..).map(|chunk| chunk.0).collect();
                *chunks = change(bytes).into_iter().map(Piece).collect();
            }
        }
        case
    }
}

/// A request as it was made.
struct Made {
    headers: Vec<(String, Vec<u8>)>,
    after: Duration,
}

/// A driver that meets what the script says.
struct Driver<S> {
    source: EventSource<String, S>,
    close_on: Option<CloseOn>,
    requests: Vec<Made>,
    log: Vec<Entry>,
}

impl<S: Storage> Driver<S> {
    fn new(case: &Case, decoder: Decoder<S>) -> Self {
        let mut source = EventSource::with_decoder(case.url.clone(), decoder).unwrap();
        if case.with_credentials == Some(true) {
            source = source.credentials(Credentials::Include);
        }
        let id = case.last_event_id.as_deref().unwrap_or_default();
        source
            .set_last_event_id(id)
            .expect("the corpus has no seed that does not fit");
        Self {
            source,
            close_on: case.close_on.clone(),
            requests: Vec::new(),
            log: Vec::new(),
        }
    }

    fn run(&mut self, case: &Case) {
        let mut responses = case.responses.iter();
        let mut body: (&[Piece], End) = (&[], End::Open);
        let mut after = Duration::ZERO;
        loop {
            let signal = match self.source.action() {
                Action::Connect(request) => {
                    let headers = request.headers();
                    self.requests.push(Made {
                        headers: headers
                            .map(|(name, value)| (name.to_owned(), value.to_vec()))
                            .collect(),
                        after,
                    });
                    match responses.next() {
                        None => return,
                        Some(Response::Failure { failure }) => {
                            self.source.handle_disconnect(match failure {
                                Failure::Network => Disconnect::Network,
                                Failure::Abort => Disconnect::Futile,
                            })
                        }
                        Some(Response::Response {
                            status,
                            headers,
                            url,
                            chunks,
                            end,
                        }) => {
                            body = (chunks, *end);
                            let headers = headers.iter().map(|(name, value)| (name, value));
                            self.source.handle_response(*status, url.clone(), headers)
                        }
                    }
                }
                Action::Read => match (body.0.split_first(), body.1) {
                    (Some((chunk, rest)), _) => {
                        body.0 = rest;
                        self.read(&chunk.0);
                        None
                    }
                    (None, End::Eof) => self.source.handle_disconnect(Disconnect::EndOfBody),
                    (None, End::Error) => self.source.handle_disconnect(Disconnect::Network),
                    (None, End::Open) => return,
                },
                Action::Wait(wait) => {
                    after = wait.delay;
                    self.source.handle_wait_elapsed();
                    None
                }
                Action::Stop(_) => return,
            };
            if let Some(signal) = signal {
                self.hear(signal);
            }
        }
    }

    fn read(&mut self, chunk: &[u8]) {
        let mut messages = self.source.feed(chunk);
        while let Some(message) = messages.next_message().expect("there is room") {
            let Message {
                event_type,
                data,
                last_event_id,
                origin,
                ..
            } = message;
            self.log.push(Entry::Message {
                event: event_type.to_owned(),
                data: data.to_owned(),
                last_event_id: last_event_id.to_owned(),
                origin: origin.to_string(),
                ready_state: 1,
            });
            let is_due = |on: &mut CloseOn| {
                !["open", "error"].contains(&event_type)
                    && on.event == event_type
                    && on.data.as_deref().is_none_or(|due| due == data)
            };
            if self.close_on.take_if(is_due).is_some() {
                messages.close();
            }
        }
    }

    fn hear(&mut self, signal: Signal) {
        let (name, entry) = match signal {
            Signal::Open => {
                let ready_state = self.source.ready_state() as u8;
                ("open", Entry::Open { ready_state })
            }
            Signal::Error { ready_state, .. } => {
                assert_eq!(ready_state, self.source.ready_state());
                let ready_state = ready_state as u8;
                ("error", Entry::Error { ready_state })
            }
        };
        self.log.push(entry);
        if self.close_on.take_if(|on| on.event == name).is_some() {
            self.source.close();
        }
    }

    fn check(&self, case: &Case) -> Result<(), String> {
        if self.log != case.log {
            return Err(format!("expected {:?}\n  got {:?}", case.log, self.log));
        }
        if self.source.ready_state() as u8 != case.ready_state {
            return Err(format!("state {:?}", self.source.ready_state()));
        }
        if self.requests.len() != case.requests.len() {
            return Err(format!("{} requests", self.requests.len()));
        }
        for (index, (made, due)) in self.requests.iter().zip(&case.requests).enumerate() {
            let ids: Vec<&[u8]> = made
                .headers
                .iter()
                .filter(|(name, _)| name.eq_ignore_ascii_case("last-event-id"))
                .map(|(_, value)| &value[..])
                .collect();
            let due_id = due.last_event_id.as_deref().map(str::as_bytes);
            if ids != Vec::from_iter(due_id) {
                return Err(format!("request {index} has the ids {ids:?}"));
            }
            // The implementation's own time is three seconds here.
            let after = Duration::from_millis(due.after_ms.unwrap_or(3000));
            if made.after != after {
                return Err(format!("request {index} came after {:?}", made.after));
            }
            for (name, value) in due.headers.iter().flatten() {
                let header = (name.clone(), value.clone().into_bytes());
                if !made.headers.contains(&header) {
                    return Err(format!("request {index} has no {name}: {value}"));
                }
            }
        }
        Ok(())
    }
}
