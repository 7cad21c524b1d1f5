//! The run: asks an adapter every case in every way, many requests ahead of the answers, and finds out exactly which request
//! it is that an adapter cannot take.
//!
//! When something goes wrong while several requests are under way, it may be that answers were lost that had been given
//! already. So the adapter is started again, and the same requests are put one at a time. A request is blamed only if it is the
//! first that a new adapter gets, and it goes wrong again.

use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    Options, Progress, StartError,
    child::{Adapter, Fault, excerpt},
    report::{CaseReport, Failed, Outcome, Report, Totals, Trouble, WayReport},
};
use crate::{
    capabilities::{Capabilities, Capability},
    corpus::{Case, Kind, Response, Verdict},
    judge::{Answer, Mismatch, shown},
    ways::{Feeding, Request, Way},
    wire,
};

/// How many requests may be ahead of the answers, however fast those come.
const MOST_AHEAD: usize = 512;

/// How many bytes of requests may be; a longer one goes alone.
const MOST_BYTES_AHEAD: usize = 1 << 20;

/// The requests ahead are at most as many as should be answered in this time.
const AHEAD: Duration = Duration::from_millis(250);

/// So often in a row an adapter may fail to start without having answered anything at all.
const FALSE_STARTS: u64 = 3;

pub(super) struct Run<'r> {
    options: &'r Options,
    cases: &'r [&'r Case],
    reports: Vec<CaseReport>,
    capabilities: Capabilities,
    greeting: wire::Greeting,
    /// Whether a new process is greeted.
    greets: bool,
    adapter: Option<Adapter>,
    /// How many answers this process gave.
    answers_of_adapter: u64,
    /// Cases that no more is asked of.
    closed: BTreeSet<usize>,
    /// Kinds of which a request was answered.
    answered_kinds: BTreeSet<Kind>,
    /// The case whose ways are handed out, and what is left of them.
    next_case: usize,
    ways: Box<dyn Iterator<Item = Way> + 'r>,
    ahead: VecDeque<Asked>,
    bytes_ahead: usize,
    /// Questions whose answers were lost.
    again: VecDeque<(usize, Way)>,
    /// What went wrong while several were under way, until it is known whose fault it is.
    suspicion: Option<Fault>,
    /// No requests ahead any more: they do not agree with this adapter.
    singly: bool,
    /// How long an answer takes, smoothed.
    pace: Duration,
    last_answer: Instant,
    next_number: u64,
    answers: u64,
    starts: u64,
    hangs: u64,
    failed: usize,
    troubles: Vec<Trouble>,
    notes: Vec<String>,
    broken_off: Option<String>,
}

/// A request that is under way.
struct Asked {
    number: u64,
    case: usize,
    way: Way,
    bytes: usize,
}

impl<'r> Run<'r> {
    pub(super) fn new(options: &'r Options, cases: &'r [&'r Case]) -> Result<Self, StartError> {
        let mut run = Self {
            options,
            cases,
            reports: cases.iter().map(|case| CaseReport::of(case)).collect(),
            capabilities: Capabilities::unless_stated(),
            greeting: wire::Greeting::default(),
            greets: true,
            adapter: None,
            answers_of_adapter: 0,
            closed: BTreeSet::new(),
            answered_kinds: BTreeSet::new(),
            next_case: 0,
            ways: Box::new(std::iter::empty()),
            ahead: VecDeque::new(),
            bytes_ahead: 0,
            again: VecDeque::new(),
            suspicion: None,
            singly: false,
            pace: AHEAD,
            last_answer: Instant::now(),
            next_number: 0,
            answers: 0,
            starts: 0,
            hangs: 0,
            failed: 0,
            troubles: Vec::new(),
            notes: Vec::new(),
            broken_off: None,
        };
        run.start()?;
        run.settle_capabilities();
        Ok(run)
    }

    fn settle_capabilities(&mut self) {
        let stated = self.greeting.capabilities.take().map(|names| {
            let known = names.iter().filter_map(|name| match name.parse() {
                Ok(capability) => Some(capability),
                Err(unknown) => {
                    self.notes.push(format!("the adapter says: {unknown}"));
                    None
                }
            });
            known.collect::<Capabilities>()
        });
        let capabilities = self.options.capabilities.clone().or(stated);
        self.capabilities = capabilities.unwrap_or_else(Capabilities::unless_stated);
        for capability in &self.options.without {
            self.capabilities = self.capabilities.clone().without(*capability);
        }
    }

    /// Marks the cases that are not asked at all.
    pub(super) fn skip(&mut self) {
        for (index, case) in self.cases.iter().enumerate() {
            let report = &mut self.reports[index];
            if let Some(capability) = self.capabilities.missing_for(case) {
                report.outcome = Outcome::Skipped;
                report.skipped_for = Some(capability);
                self.closed.insert(index);
            } else {
                report.left_out = self.capabilities.left_out_of(case);
            }
        }
    }

    pub(super) fn ask_everything(
        &mut self,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), StartError> {
        while self.broken_off.is_none() {
            while self.may_ask() {
                let Some((case, way)) = self.next_question(progress) else {
                    break;
                };
                self.ask(case, way);
            }
            if self.ahead.is_empty() {
                return Ok(());
            }
            match self.answer() {
                Ok(answer) => self.take(answer),
                Err(fault) => self.recover(fault)?,
            }
            if self.options.fail_fast && self.failed > 0 {
                let why = "a must case failed, and that was to be the end".to_owned();
                self.broken_off = Some(why);
            }
        }
        Ok(())
    }

    fn may_ask(&self) -> bool {
        if self.ahead.is_empty() {
            return true;
        }
        let alone = self.singly || !self.again.is_empty() || self.suspicion.is_some();
        let pace = self.pace.as_nanos().max(1);
        let most = usize::try_from(AHEAD.as_nanos() / pace).unwrap_or(MOST_AHEAD);
        !alone && self.ahead.len() < most.min(MOST_AHEAD) && self.bytes_ahead < MOST_BYTES_AHEAD
    }

    fn next_question(&mut self, progress: &mut dyn FnMut(Progress<'_>)) -> Option<(usize, Way)> {
        while let Some((case, way)) = self.again.pop_front() {
            if !self.closed.contains(&case) {
                return Some((case, way));
            }
        }
        if let Some(fault) = self.suspicion.take() {
            // All that was under way then has been answered one by one since.
            self.singly = true;
            self.trouble(
                fault.what(),
                format!(
                    "{fault}\nBut asked one at a time it answered: it does not answer what is asked ahead, or it keeps \
                     something from one request to the next."
                ),
            );
        }
        loop {
            let current = self.next_case.checked_sub(1);
            if let Some(current) = current.filter(|current| !self.closed.contains(current)) {
                if let Some(way) = self.ways.next() {
                    return Some((current, way));
                }
            }
            let case = self.cases.get(self.next_case)?;
            progress(Progress {
                done: self.next_case,
                cases: self.cases.len(),
                failed: self.failed,
                requests: self.answers,
                case,
            });
            self.ways = case.ways(&self.capabilities);
            self.next_case += 1;
        }
    }

    fn ask(&mut self, case: usize, way: Way) {
        let number = self.next_number;
        self.next_number += 1;
        let line = wire::line(number, &way.request);
        let bytes = line.len();
        if self.ahead.is_empty() {
            self.last_answer = Instant::now();
        }
        self.bytes_ahead += bytes;
        self.ahead.push_back(Asked {
            number,
            case,
            way,
            bytes,
        });
        self.adapter().say(line);
    }

    /// The answer to the oldest request under way.
    fn answer(&mut self) -> Result<Answer, Fault> {
        let asked = self.ahead.front().expect("an answer is due");
        // The longest requests are megabytes, and take a slow adapter seconds to read alone.
        let mib = u32::try_from(asked.bytes >> 20).unwrap_or(u32::MAX);
        let mut patience = self.options.timeout.saturating_mul(mib.saturating_add(1));
        if self.answers_of_adapter == 0 && !self.greets {
            patience = patience.max(self.options.startup);
        }
        let line = self.adapter().hear(patience)?;
        let (number, object) = wire::numbered(&line)
            .map_err(|why| Fault::Nonsense(format!("{}\n{why}", excerpt(&line))))?;
        let asked = self.ahead.front().expect("an answer is due");
        if number != Some(asked.number) {
            let got = number.map_or_else(|| "none".to_owned(), |number| number.to_string());
            let what = format!(
                "case {} was to be answered, and the answer says {got}",
                asked.number
            );
            return Err(Fault::OutOfOrder(format!("{what}: {}", excerpt(&line))));
        }
        Ok(wire::answer(self.cases[asked.case].kind, object))
    }

    fn take(&mut self, answer: Answer) {
        let asked = self.ahead.pop_front().expect("it was answered");
        self.bytes_ahead -= asked.bytes;
        self.answers += 1;
        self.answers_of_adapter += 1;
        let took = self.last_answer.elapsed();
        self.last_answer = Instant::now();
        self.pace = (self.pace * 7 + took) / 8;
        if self.closed.contains(&asked.case) {
            return;
        }
        let case = self.cases[asked.case];
        if answer == Answer::Unsupported && !self.answered_kinds.contains(&case.kind) {
            self.skip_kind(case.kind);
            return;
        }
        self.answered_kinds.insert(case.kind);
        let verdict = asked.way.judge(&answer);
        self.record(&asked, verdict.err());
    }

    /// The adapter knows no such requests: that is no failure.
    fn skip_kind(&mut self, kind: Kind) {
        let capability = Capability::of_kind(kind);
        self.capabilities = self.capabilities.clone().without(capability);
        for (index, case) in self.cases.iter().enumerate() {
            if case.kind == kind && self.closed.insert(index) {
                self.reports[index].outcome = Outcome::Skipped;
                self.reports[index].skipped_for = Some(capability);
                self.reports[index].left_out.clear();
            }
        }
    }

    fn record(&mut self, asked: &Asked, mismatch: Option<Mismatch>) {
        let (sort, cut) = sort_of(&asked.way);
        let report = &mut self.reports[asked.case];
        let way = match report.ways.iter_mut().position(|way| way.way == sort) {
            Some(index) => &mut report.ways[index],
            None => {
                report.ways.push(WayReport {
                    way: sort,
                    requests: 0,
                    failed: 0,
                    smallest_cut: None,
                });
                report.ways.last_mut().expect("one was just pushed")
            }
        };
        way.requests += 1;
        let Some(mismatch) = mismatch else {
            if report.outcome == Outcome::NotRun {
                report.outcome = Outcome::Passed;
            }
            return;
        };
        way.failed += 1;
        if way.smallest_cut.is_none() {
            way.smallest_cut = cut;
        }
        if report.outcome != Outcome::Failed && report.verdict == Verdict::Must {
            self.failed += 1;
        }
        report.outcome = Outcome::Failed;
        report.failure.get_or_insert_with(|| Failed {
            way: asked.way.to_string(),
            cut,
            input: input_of(&asked.way.request),
            what: mismatch.what,
            message: mismatch.message,
            expected: mismatch.expected,
            got: mismatch.got,
        });
    }

    fn recover(&mut self, fault: Fault) -> Result<(), StartError> {
        self.adapter = None;
        if matches!(fault, Fault::Hang(_)) {
            self.hangs += 1;
        }
        let mut lost: VecDeque<Asked> = std::mem::take(&mut self.ahead);
        self.bytes_ahead = 0;
        if lost.len() == 1 && self.answers_of_adapter == 0 {
            let asked = lost.pop_front().expect("there is one");
            self.closed.insert(asked.case);
            self.suspicion = None;
            let mismatch = Mismatch {
                what: fault.what(),
                message: fault.to_string(),
                expected: Value::Null,
                got: Value::Null,
            };
            self.record(&asked, Some(mismatch));
        } else {
            self.suspicion = Some(fault.clone());
        }
        for asked in lost.into_iter().rev() {
            self.again.push_front((asked.case, asked.way));
        }
        self.broken_off = if self.answers == 0 && self.starts >= FALSE_STARTS {
            Some(format!("it never answered.\n{fault}"))
        } else if self.starts > self.options.restarts {
            Some(format!(
                "it was started {} times, the last time because of this:\n{fault}",
                self.starts
            ))
        } else if self.hangs >= self.options.hangs {
            Some(format!("{} answers did not come in time", self.hangs))
        } else {
            return self.start();
        };
        Ok(())
    }

    /// Starts the adapter, and asks it who it is.
    fn start(&mut self) -> Result<(), StartError> {
        loop {
            let adapter = Adapter::start(&self.options.command).map_err(|why| StartError {
                program: self
                    .options
                    .command
                    .first()
                    .map_or_else(String::new, |program| {
                        program.to_string_lossy().into_owned()
                    }),
                why,
            })?;
            self.adapter = Some(adapter);
            self.starts += 1;
            self.answers_of_adapter = 0;
            if !self.greets {
                return Ok(());
            }
            match self.greet() {
                Ok(greeting) => {
                    if self.starts == 1 {
                        self.greeting = greeting;
                    }
                    return Ok(());
                }
                Err(fault) => {
                    self.notes.push(format!(
                        "a request of the unknown kind \"capabilities\" is to be answered with \"unsupported\", but:\n{fault}"
                    ));
                    self.adapter = None;
                    self.greets = false;
                }
            }
        }
    }

    fn greet(&mut self) -> Result<wire::Greeting, Fault> {
        let number = self.next_number;
        self.next_number += 1;
        let patience = self.options.startup;
        let adapter = self.adapter();
        adapter.say(wire::greeting(number));
        let line = adapter.hear(patience)?;
        let nonsense = |why: String| Fault::Nonsense(format!("{}\n{why}", excerpt(&line)));
        let (got, object) = wire::numbered(&line).map_err(nonsense)?;
        if got != Some(number) {
            return Err(Fault::OutOfOrder(excerpt(&line)));
        }
        wire::greeted(object).map_err(nonsense)
    }

    fn trouble(&mut self, what: &'static str, message: String) {
        match self
            .troubles
            .iter_mut()
            .find(|trouble| trouble.what == what)
        {
            Some(trouble) => trouble.times += 1,
            None => self.troubles.push(Trouble {
                what,
                message,
                times: 1,
            }),
        }
    }

    fn adapter(&mut self) -> &mut Adapter {
        self.adapter
            .as_mut()
            .expect("it is started, or the run is over")
    }

    pub(super) fn report(mut self, elapsed: Duration) -> Report {
        if let (Some(adapter), None) = (self.adapter.take(), &self.broken_off) {
            if let Err(message) = adapter.end(self.options.timeout) {
                self.trouble("bad-end", message);
            }
        }
        // A case that was broken off half-way is not passed.
        if self.broken_off.is_some() {
            let begun = self.ahead.iter().map(|asked| asked.case);
            let begun = begun.chain(self.again.iter().map(|(case, _)| *case));
            let begun = begun.chain(self.next_case.checked_sub(1));
            for index in begun.collect::<BTreeSet<_>>() {
                let report = &mut self.reports[index];
                if report.outcome == Outcome::Passed {
                    report.outcome = Outcome::NotRun;
                }
            }
        }
        let mut report = Report {
            suite: env!("CARGO_PKG_VERSION"),
            command: self
                .options
                .command
                .iter()
                .map(|word| word.to_string_lossy().into_owned())
                .collect(),
            name: self.greeting.name,
            version: self.greeting.version,
            not_asked: self.capabilities.absent().collect(),
            capabilities: self.capabilities,
            passed: false,
            broken_off: self.broken_off,
            totals: Totals::default(),
            groups: Vec::new(),
            troubles: self.troubles,
            notes: self.notes,
            cases: self.reports,
            requests: self.answers,
            restarts: self.starts - 1,
            seconds: elapsed.as_secs_f64(),
        };
        report.add_up();
        report
    }
}

/// The sort that a way belongs to, and the cut if it is one.
fn sort_of(way: &Way) -> (String, Option<usize>) {
    match way.feeding {
        Feeding::Cut(at) => {
            let name = way.to_string();
            let changed = name.find(',').map_or("", |comma| &name[comma..]);
            (format!("cut in two{changed}"), Some(at))
        }
        _ => (way.to_string(), None),
    }
}

/// What was put in, as text.
fn input_of(request: &Request) -> Vec<String> {
    const PIECES: usize = 64;
    const BYTES: usize = 1000;
    match request {
        Request::Decode(request) => {
            let shown_pieces = request.chunks.iter().take(PIECES).map(|chunk| {
                let more = chunk.len().saturating_sub(BYTES);
                let text = shown(&chunk[..chunk.len() - more]);
                if more == 0 {
                    text
                } else {
                    format!("{text} … {more} bytes more")
                }
            });
            let more = request.chunks.len().saturating_sub(PIECES);
            let more = (more > 0).then(|| format!("… {more} pieces more"));
            shown_pieces.chain(more).collect()
        }
        Request::Encode(request) => request
            .frames
            .iter()
            .map(|frame| serde_json::to_string(frame).expect("a frame can be written"))
            .collect(),
        Request::Connect(request) => {
            let options = request.options.as_ref().map(|options| {
                let options = serde_json::to_string(options).expect("options can be written");
                format!("options: {options}")
            });
            let met = request.responses.iter().map(met);
            options.into_iter().chain(met).collect()
        }
    }
}

/// What a request of a client met, as text.
fn met(response: &Response) -> String {
    match response {
        Response::Failure { failure } => format!("failure: {failure:?}").to_lowercase(),
        Response::Response {
            status,
            headers,
            redirects,
            url,
            chunks,
            lasts,
            end,
        } => {
            let redirects = redirects
                .iter()
                .map(|(status, url)| format!("{status} to {url}; "));
            let redirects: String = redirects.collect();
            let headers = headers
                .iter()
                .map(|(name, value)| format!(" {name}: {value};"));
            let headers: String = headers.collect();
            let url = url
                .as_ref()
                .map_or_else(String::new, |url| format!(" from {url};"));
            let chunks: Vec<String> = chunks.iter().map(|chunk| shown(chunk)).collect();
            let end = format!("{end:?}").to_lowercase();
            let lasts = if *lasts { "lasts, " } else { "" };
            let chunks = chunks.join(" | ");
            format!("{redirects}{status};{headers}{url} {chunks} ({lasts}{end})")
        }
    }
}
