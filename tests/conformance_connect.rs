//! The connect cases of the conformance corpus: scripts of responses and failures, and the requests
//! and events that must result.

use core::time::Duration;

use sse_conformance::{
    Answer, Body, Capabilities, Case, ClientOptions, CloseOn, ConnectAnswer, ConnectRequest, End,
    Failure, LogEntry, ReconnectTo, RecordedRequest, Request, Response, Statuses, cases,
};
use sse_proto::{
    Action, Credentials, Decoder, Disconnect, EventSource, Fixed, Message, RetryPolicy, Signal,
    Storage,
};

/// The reconnection time where a case sets none, in milliseconds.
const OWN_TIME: u64 = 3000;

#[test]
#[cfg(feature = "alloc")]
fn the_event_source_on_the_heap_passes_every_case() {
    assert_all_pass(Decoder::new);
}

#[test]
fn the_event_source_over_fixed_memory_passes_every_case() {
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

/// Runs the case in every variant and reports the first failure.
fn check<S: Storage>(case: &Case, decoder: impl Fn() -> Decoder<S>) -> Result<(), String> {
    let Body::Connect(connect) = &case.body else {
        return Ok(());
    };
    for variant in case.variants(&Capabilities::all()) {
        let Request::Connect(request) = &variant.request else {
            unreachable!("the case is for clients");
        };
        let mut driver = Driver::new(request, decoder());
        driver.run(&request.responses);
        let answer = driver.answer();
        let about = || {
            format!(
                "{} {:?}: {}\n  played {variant}",
                case.id, case.rules, case.why
            )
        };
        let waits = answer.requests.iter().map(|made| made.after_ms);
        let expected = connect
            .requests
            .iter()
            .map(|request| request.after_ms.unwrap_or(OWN_TIME));
        if !waits.clone().eq(expected) {
            return Err(format!(
                "{}: the waits are {:?}",
                about(),
                Vec::from_iter(waits)
            ));
        }
        variant
            .check(&Answer::Connect(answer))
            .map_err(|mismatch| format!("{}: {mismatch}", about()))?;
    }
    Ok(())
}

/// Drives an event source through the responses of a script.
struct Driver<S> {
    source: EventSource<String, S>,
    end_marker: Option<String>,
    close_on: Option<CloseOn>,
    requests: Vec<RecordedRequest>,
    log: Vec<LogEntry>,
}

impl<S: Storage> Driver<S> {
    fn new(request: &ConnectRequest, decoder: Decoder<S>) -> Self {
        let mut source = EventSource::with_decoder(request.url.clone(), decoder).unwrap();
        if request.with_credentials {
            source = source.credentials(Credentials::Include);
        }
        let options = request.options.clone().unwrap_or_default();
        source = source
            .retry_policy(policy(&options))
            .cache_control(options.cache_control.unwrap_or(true));
        if let Some(to) = options.reconnect_to {
            source = source.reconnect_to(match to {
                ReconnectTo::Original => sse_proto::ReconnectTo::OriginalUrl,
                ReconnectTo::Permanent => sse_proto::ReconnectTo::PermanentUrl,
                ReconnectTo::Final => sse_proto::ReconnectTo::FinalUrl,
            });
        }
        let id = request.last_event_id.as_deref().unwrap_or_default();
        source
            .set_last_event_id(id)
            .expect("the corpus has no seed that does not fit");
        Self {
            source,
            end_marker: options.end_marker,
            close_on: request.close_on.clone(),
            requests: Vec::new(),
            log: Vec::new(),
        }
    }

    fn run(&mut self, responses: &[Response]) {
        let mut responses = responses.iter();
        let mut body: (&[Vec<u8>], End) = (&[], End::Open);
        let mut body_lasts = false;
        let mut after = Duration::ZERO;
        loop {
            let signal = match self.source.action() {
                Action::Connect(request) => {
                    let headers = request.headers().map(|(name, value)| {
                        let value =
                            core::str::from_utf8(value).expect("the corpus has no other headers");
                        (name.to_owned(), value.to_owned())
                    });
                    let url = request.url.to_owned();
                    self.requests.push(recorded(headers.collect(), url, after));
                    match responses.next() {
                        None => return,
                        Some(Response::Failure { failure }) => {
                            self.source.handle_disconnect(match failure {
                                Failure::Network => Disconnect::Network,
                                Failure::Abort => Disconnect::Permanent,
                                Failure::Timeout => Disconnect::Timeout,
                            })
                        }
                        Some(Response::Response {
                            status,
                            headers,
                            redirects,
                            url,
                            chunks,
                            lasts,
                            end,
                        }) => {
                            body = (chunks, *end);
                            body_lasts = *lasts;
                            for (status, url) in redirects {
                                self.source.handle_redirect(*status, url.clone());
                            }
                            let headers = headers.iter().map(|(name, value)| (name, value));
                            self.source.handle_response(*status, url.clone(), headers)
                        }
                    }
                }
                Action::Read(reading) => match (body.0.split_first(), body.1) {
                    (Some((chunk, rest)), _) => {
                        body.0 = rest;
                        self.read(chunk);
                        None
                    }
                    (None, _) if body_lasts && reading.stable_after.is_some() => {
                        self.source.handle_stable_elapsed();
                        None
                    }
                    (None, End::Eof) => self.source.handle_disconnect(Disconnect::EndOfBody),
                    (None, End::Error) => self.source.handle_disconnect(Disconnect::Network),
                    (None, End::Timeout) => self.source.handle_disconnect(Disconnect::Timeout),
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
                self.record(signal);
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
            self.log.push(LogEntry::Message {
                event: event_type.to_owned(),
                data: data.to_owned(),
                last_event_id: last_event_id.to_owned(),
                origin: origin.to_string(),
                ready_state: 1,
            });
            let is_match = |on: &mut CloseOn| {
                !["open", "error"].contains(&event_type)
                    && on.event == event_type
                    && on.data.as_deref().is_none_or(|expected| expected == data)
            };
            let closes = self.close_on.take_if(is_match).is_some();
            if self.end_marker.as_deref() == Some(data) {
                messages.expect_end();
            }
            if closes {
                messages.close();
            }
        }
    }

    fn record(&mut self, signal: Signal) {
        let (name, entry) = match signal {
            Signal::Open => {
                let ready_state = self.source.ready_state() as u8;
                ("open", LogEntry::Open { ready_state })
            }
            Signal::Error { ready_state, .. } => {
                assert_eq!(ready_state, self.source.ready_state());
                let ready_state = ready_state as u8;
                ("error", LogEntry::Error { ready_state })
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

/// The retry policy for these options.
fn policy(options: &ClientOptions) -> RetryPolicy {
    let mut policy = match options.reconnects {
        Some(false) => RetryPolicy::never(),
        Some(true) | None => RetryPolicy::new(),
    };
    if let Some(time) = options.reconnection_time_ms {
        policy = policy.reconnection_time(Duration::from_millis(time));
    }
    if let Some(cap) = options.backoff_ms {
        policy = policy.backoff(Duration::from_millis(cap));
    }
    if let Some(time) = options.stable_after_ms {
        policy = policy.stable_after(Duration::from_millis(time));
    }
    if let Some(count) = options.max_failures {
        policy = policy.max_failures(count);
    }
    for statuses in &options.statuses {
        policy = match *statuses {
            Statuses::One(status) => policy.statuses(&[status]),
            Statuses::Range(first, last) => policy.status_range(first..=last),
        };
    }
    policy.retry_content_type(options.retry_content_type.unwrap_or(false))
}

/// A request as it was sent, with the ID of its `Last-Event-ID` header, if there is one.
fn recorded(headers: Vec<(String, String)>, url: String, after: Duration) -> RecordedRequest {
    let id = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("last-event-id"));
    RecordedRequest {
        last_event_id: id.map(|(_, value)| value.clone()),
        headers,
        after_ms: after
            .as_millis()
            .try_into()
            .expect("the machine saturates at u64 milliseconds"),
        url: Some(url),
    }
}
