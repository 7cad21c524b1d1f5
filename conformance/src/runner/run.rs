//! A run: sends the requests of every case to an adapter, several ahead of the answers, and checks
//! the answers.
//!
//! If something goes wrong while several requests are in flight, answers that were already given
//! may be lost. The adapter is then restarted and the same requests are sent again, one at a time.
//! A request is blamed only if it is the first that a new process gets and it fails again.

mod record;
mod recovery;

use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use super::{
    Options, Progress, StartError,
    process::{Adapter, AdapterError, excerpt},
    report::{CaseReport, ProtocolError},
};
use crate::{
    capabilities::Capabilities,
    check::Answer,
    corpus::{Case, Kind},
    protocol::{self, AdapterInfo},
    variants::Variant,
};

/// The greatest number of requests in flight.
const MAX_IN_FLIGHT: usize = 512;

/// The greatest number of bytes in flight; a request that is longer goes alone.
const MAX_BYTES_IN_FLIGHT: usize = 1 << 20;

/// No more requests are in flight than are usually answered in this time.
const IN_FLIGHT_TIME: Duration = Duration::from_millis(250);

pub(super) struct Run<'r> {
    options: &'r Options,
    cases: &'r [&'r Case],
    reports: Vec<CaseReport>,
    capabilities: Capabilities,
    info: AdapterInfo,
    /// Whether a new process gets a `capabilities` request first.
    asks_capabilities: bool,
    /// `None` between the failure of a process and the start of the next one.
    adapter: Option<Adapter>,
    /// The number of answers from the current process.
    answers_of_process: u64,
    /// Cases of which no more requests are made.
    finished: BTreeSet<usize>,
    /// Kinds of which at least one request was served.
    served_kinds: BTreeSet<Kind>,
    /// The index after that of the current case.
    next_case: usize,
    /// The remaining variants of the current case.
    variants: Box<dyn Iterator<Item = Variant> + 'r>,
    in_flight: VecDeque<Sent>,
    bytes_in_flight: usize,
    /// Requests whose answers were lost, to be sent again.
    resend: VecDeque<(usize, Variant)>,
    /// An error that came while several requests were in flight and has not been traced to one of
    /// them.
    untraced_error: Option<AdapterError>,
    /// Set for good when an adapter turns out not to cope with several requests in flight.
    one_at_a_time: bool,
    /// Moving average of the time an answer takes.
    answer_time: Duration,
    last_answer: Instant,
    next_number: u64,
    answers: u64,
    starts: u64,
    hangs: u64,
    failed_must_cases: usize,
    protocol_errors: Vec<ProtocolError>,
    notes: Vec<String>,
    broken_off: Option<String>,
}

/// A request in flight.
struct Sent {
    number: u64,
    case: usize,
    variant: Variant,
    bytes: usize,
}

impl<'r> Run<'r> {
    pub(super) fn new(options: &'r Options, cases: &'r [&'r Case]) -> Result<Self, StartError> {
        let mut run = Self {
            options,
            cases,
            reports: cases.iter().map(|case| CaseReport::of(case)).collect(),
            capabilities: Capabilities::assumed(),
            info: AdapterInfo::default(),
            asks_capabilities: true,
            adapter: None,
            answers_of_process: 0,
            finished: BTreeSet::new(),
            served_kinds: BTreeSet::new(),
            next_case: 0,
            variants: Box::new(std::iter::empty()),
            in_flight: VecDeque::new(),
            bytes_in_flight: 0,
            resend: VecDeque::new(),
            untraced_error: None,
            one_at_a_time: false,
            answer_time: IN_FLIGHT_TIME,
            last_answer: Instant::now(),
            next_number: 0,
            answers: 0,
            starts: 0,
            hangs: 0,
            failed_must_cases: 0,
            protocol_errors: Vec::new(),
            notes: Vec::new(),
            broken_off: None,
        };
        run.start()?;
        run.set_capabilities();
        Ok(run)
    }

    fn set_capabilities(&mut self) {
        let stated = self.info.capabilities.take().map(|names| {
            let known = names.iter().filter_map(|name| match name.parse() {
                Ok(capability) => Some(capability),
                Err(unknown) => {
                    self.notes
                        .push(format!("in the capabilities of the adapter: {unknown}"));
                    None
                }
            });
            known.collect::<Capabilities>()
        });
        let capabilities = self.options.capabilities.clone().or(stated);
        self.capabilities = capabilities.unwrap_or_else(Capabilities::assumed);
        for capability in &self.options.without {
            self.capabilities = self.capabilities.clone().without(*capability);
        }
    }

    pub(super) fn run_cases(
        &mut self,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), StartError> {
        while self.broken_off.is_none() {
            while self.may_send() {
                let Some((case, variant)) = self.next_request(progress) else {
                    break;
                };
                self.send(case, variant);
            }
            if self.in_flight.is_empty() {
                return Ok(());
            }
            match self.receive() {
                Ok(answer) => self.accept(answer),
                Err(error) => self.recover(error)?,
            }
            if self.options.fail_fast && self.failed_must_cases > 0 {
                let why = "a must case failed, and the run stops at the first failure".to_owned();
                self.broken_off = Some(why);
            }
        }
        Ok(())
    }

    fn may_send(&self) -> bool {
        if self.in_flight.is_empty() {
            return true;
        }
        if self.one_at_a_time || !self.resend.is_empty() || self.untraced_error.is_some() {
            return false;
        }
        let answer_time = self.answer_time.as_nanos().max(1);
        let in_time = usize::try_from(IN_FLIGHT_TIME.as_nanos() / answer_time);
        let max = in_time.unwrap_or(MAX_IN_FLIGHT).min(MAX_IN_FLIGHT);
        self.in_flight.len() < max && self.bytes_in_flight < MAX_BYTES_IN_FLIGHT
    }

    fn next_request(&mut self, progress: &mut dyn FnMut(Progress<'_>)) -> Option<(usize, Variant)> {
        while let Some((case, variant)) = self.resend.pop_front() {
            if !self.finished.contains(&case) {
                return Some((case, variant));
            }
        }
        if let Some(error) = self.untraced_error.take() {
            // Every request that was in flight then has been answered since, one by one.
            self.one_at_a_time = true;
            self.add_protocol_error(
                error.what(),
                format!(
                    "{error}\nSent one at a time, the same requests were answered. The adapter does not answer requests \
                     that are sent ahead, or it keeps state from one request to the next."
                ),
            );
        }
        loop {
            let current = self.next_case.checked_sub(1);
            if let Some(current) = current.filter(|current| !self.finished.contains(current)) {
                if let Some(variant) = self.variants.next() {
                    return Some((current, variant));
                }
            }
            let case = self.cases.get(self.next_case)?;
            progress(Progress {
                done: self.next_case,
                cases: self.cases.len(),
                failed: self.failed_must_cases,
                requests: self.answers,
                case,
            });
            self.variants = case.variants(&self.capabilities);
            self.next_case += 1;
        }
    }

    fn send(&mut self, case: usize, variant: Variant) {
        let number = self.next_number;
        self.next_number += 1;
        let line = protocol::request_line(number, &variant.request);
        let bytes = line.len();
        if self.in_flight.is_empty() {
            self.last_answer = Instant::now();
        }
        self.bytes_in_flight += bytes;
        self.in_flight.push_back(Sent {
            number,
            case,
            variant,
            bytes,
        });
        self.adapter().send(line);
    }

    /// Waits for the answer to the oldest request in flight.
    fn receive(&mut self) -> Result<Answer, AdapterError> {
        let sent = self.in_flight.front().expect("an answer is expected");
        // The longest requests are megabytes, which a slow adapter takes seconds to read.
        let mib = u32::try_from(sent.bytes >> 20).unwrap_or(u32::MAX);
        let mut timeout = self.options.timeout.saturating_mul(mib.saturating_add(1));
        if self.answers_of_process == 0 && !self.asks_capabilities {
            timeout = timeout.max(self.options.startup);
        }
        let line = self.adapter().receive(timeout)?;
        let (number, object) = protocol::parse_answer_line(&line)
            .map_err(|why| AdapterError::Nonsense(format!("{}\n{why}", excerpt(&line))))?;
        let sent = self.in_flight.front().expect("an answer is expected");
        if number != Some(sent.number) {
            let got = number.map_or_else(|| "none".to_owned(), |number| number.to_string());
            return Err(AdapterError::OutOfOrder(format!(
                "expected the answer to case {}, but its case is {got}: {}",
                sent.number,
                excerpt(&line)
            )));
        }
        Ok(protocol::parse_answer(self.cases[sent.case].kind, object))
    }

    fn accept(&mut self, answer: Answer) {
        let sent = self.in_flight.pop_front().expect("it was answered");
        self.bytes_in_flight -= sent.bytes;
        self.answers += 1;
        self.answers_of_process += 1;
        let took = self.last_answer.elapsed();
        self.last_answer = Instant::now();
        self.answer_time = (self.answer_time * 7 + took) / 8;
        self.reports[sent.case].seconds += took.as_secs_f64();
        if self.finished.contains(&sent.case) {
            return;
        }
        let case = self.cases[sent.case];
        if answer == Answer::Unsupported && !self.served_kinds.contains(&case.kind) {
            self.skip_kind(case.kind);
            return;
        }
        self.served_kinds.insert(case.kind);
        let mismatch = sent.variant.check(&answer).err();
        self.record(&sent, mismatch);
    }

    fn adapter(&mut self) -> &mut Adapter {
        let adapter = self.adapter.as_mut();
        adapter.expect("a process runs until the run is over")
    }
}
