//! The cases for clients of the conformance corpus: scripts of responses and failures, and the requests and events that have to
//! come of them.

use core::time::Duration;

use sse_conformance::{
    Answer, Body, Capabilities, Case, CloseOn, ConnectAnswer, ConnectRequest, End, Entry, Failure,
    Made, Request, Response, cases,
};
use sse_proto::{
    Action, Credentials, Decoder, Disconnect, EventSource, Fixed, Message, Signal, Storage,
};

/// The implementation's own time, in milliseconds: what a case leaves open.
const OWN_TIME: u64 = 3000;

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
    let failures: Vec<String> = cases()
        .iter()
        .filter_map(|case| check(case, &decoder).err())
        .collect();
    let count = failures.len();
    assert!(
        failures.is_empty(),
        "{count} failures\n{}",
        failures.join("\n")
    );
}

/// Plays the case in every way, and says which is the first that goes wrong and how.
fn check<S: Storage>(case: &Case, decoder: impl Fn() -> Decoder<S>) -> Result<(), String> {
    let Body::Connect(connect) = &case.body else {
        return Ok(());
    };
    for way in case.ways(&Capabilities::all()) {
        let Request::Connect(request) = &way.request else {
            unreachable!("the case is for clients");
        };
        let mut driver = Driver::new(request, decoder());
        driver.run(&request.responses);
        let answer = driver.answer();
        let about = || format!("{} {:?}: {}\n  played {way}", case.id, case.rules, case.why);
        let waits = answer.requests.iter().map(|made| made.after_ms);
        let due = connect
            .requests
            .iter()
            .map(|request| request.after_ms.unwrap_or(OWN_TIME));
        if !waits.clone().eq(due) {
            return Err(format!(
                "{}: the waits are {:?}",
                about(),
                Vec::from_iter(waits)
            ));
        }
        way.judge(&Answer::Connect(answer))
            .map_err(|mismatch| format!("{}: {mismatch}", about()))?;
    }
    Ok(())
}

/// A driver that meets what the script says.
struct Driver<S> {
    source: EventSource<String, S>,
    close_on: Option<CloseOn>,
    requests: Vec<Made>,
    log: Vec<Entry>,
}

impl<S: Storage> Driver<S> {
    fn new(request: &ConnectRequest, decoder: Decoder<S>) -> Self {
        let mut source = EventSource::with_decoder(request.url.clone(), decoder).unwrap();
        if request.with_credentials {
            source = source.credentials(Credentials::Include);
        }
        let id = request.last_event_id.as_deref().unwrap_or_default();
        source
            .set_last_event_id(id)
            .expect("the corpus has no seed that does not fit");
        Self {
            source,
            close_on: request.close_on.clone(),
            requests: Vec::new(),
            log: Vec::new(),
        }
    }

    fn run(&mut self, responses: &[Response]) {
        let mut responses = responses.iter();
        let mut body: (&[Vec<u8>], End) = (&[], End::Open);
        let mut after = Duration::ZERO;
        loop {
            let signal = match self.source.action() {
                Action::Connect(request) => {
                    let headers = request.headers().map(|(name, value)| {
                        let value =
                            core::str::from_utf8(value).expect("the corpus has no other headers");
                        (name.to_owned(), value.to_owned())
                    });
                    self.requests.push(made(headers.collect(), after));
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
                Action::Read(_) => match (body.0.split_first(), body.1) {
                    (Some((chunk, rest)), _) => {
                        body.0 = rest;
                        self.read(chunk);
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

    fn answer(self) -> ConnectAnswer {
        ConnectAnswer {
            requests: self.requests,
            log: self.log,
            ready_state: self.source.ready_state() as u8,
        }
    }
}

/// A request as it was made. Its id is the header's, if there is one.
fn made(headers: Vec<(String, String)>, after: Duration) -> Made {
    let id = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("last-event-id"));
    Made {
        last_event_id: id.map(|(_, value)| value.clone()),
        headers,
        after_ms: after
            .as_millis()
            .try_into()
            .expect("the machine saturates at u64 milliseconds"),
    }
}
