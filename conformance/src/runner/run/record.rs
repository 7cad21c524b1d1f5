//! Records the outcome of each case, and makes the report.

use std::{collections::BTreeSet, time::Duration};

use super::{Run, Sent};
use crate::{
    capabilities::Capability,
    check::{Mismatch, escaped},
    corpus::{self, Kind, Response, Verdict},
    request::Request,
    runner::report::{CaseFailure, CorpusSize, Outcome, Report, Totals, VariantReport},
    variants::{Chunking, Variant},
};

impl Run<'_> {
    /// Marks the cases that need a capability which is missing.
    pub(in crate::runner) fn skip_cases(&mut self) {
        for (index, case) in self.cases.iter().enumerate() {
            let report = &mut self.reports[index];
            if let Some(capability) = self.capabilities.missing_for(case) {
                report.outcome = Outcome::Skipped;
                report.skipped_for = Some(capability);
                self.finished.insert(index);
            } else {
                report.not_compared_for = self.capabilities.not_compared_for(case);
            }
        }
    }

    /// Skips all cases of a kind that the adapter does not support, which is not a failure.
    pub(super) fn skip_kind(&mut self, kind: Kind) {
        let capability = Capability::of_kind(kind);
        self.capabilities = self.capabilities.clone().without(capability);
        for (index, case) in self.cases.iter().enumerate() {
            if case.kind == kind && self.finished.insert(index) {
                self.reports[index].outcome = Outcome::Skipped;
                self.reports[index].skipped_for = Some(capability);
                self.reports[index].not_compared_for.clear();
            }
        }
    }

    pub(super) fn record(&mut self, sent: &Sent, mismatch: Option<Mismatch>) {
        let (name, cut) = name_of(&sent.variant);
        let report = &mut self.reports[sent.case];
        let variant = match report
            .variants
            .iter_mut()
            .position(|variant| variant.name == name)
        {
            Some(index) => &mut report.variants[index],
            None => {
                report.variants.push(VariantReport {
                    name,
                    requests: 0,
                    failed: 0,
                    smallest_cut: None,
                });
                report.variants.last_mut().expect("one was just pushed")
            }
        };
        variant.requests += 1;
        let Some(mismatch) = mismatch else {
            if report.outcome == Outcome::NotRun {
                report.outcome = Outcome::Passed;
            }
            return;
        };
        variant.failed += 1;
        if variant.smallest_cut.is_none() {
            variant.smallest_cut = cut;
        }
        if report.outcome != Outcome::Failed && report.verdict == Verdict::Must {
            self.failed_must_cases += 1;
        }
        report.outcome = Outcome::Failed;
        report.failure.get_or_insert_with(|| CaseFailure {
            variant: sent.variant.to_string(),
            cut,
            input: input_of(&sent.variant.request),
            what: mismatch.what,
            message: mismatch.message,
            expected: mismatch.expected,
            got: mismatch.got,
        });
    }

    pub(in crate::runner) fn into_report(mut self, elapsed: Duration) -> Report {
        if let (Some(adapter), None) = (self.adapter.take(), &self.broken_off) {
            if let Err(message) = adapter.end(self.options.timeout) {
                self.add_protocol_error("bad-end", message);
            }
        }
        // A case that was only begun when the run was aborted has not passed.
        if self.broken_off.is_some() {
            let begun = self.in_flight.iter().map(|sent| sent.case);
            let begun = begun.chain(self.resend.iter().map(|(case, _)| *case));
            let begun = begun.chain(self.next_case.checked_sub(1));
            for index in begun.collect::<BTreeSet<_>>() {
                let report = &mut self.reports[index];
                if report.outcome == Outcome::Passed {
                    report.outcome = Outcome::NotRun;
                }
            }
        }
        let command = self.options.command.iter();
        let mut report = Report {
            suite: env!("CARGO_PKG_VERSION"),
            command: command
                .map(|word| word.to_string_lossy().into_owned())
                .collect(),
            name: self.info.name,
            version: self.info.version,
            not_asked: self.capabilities.missing().collect(),
            capabilities: self.capabilities,
            passed: false,
            broken_off: self.broken_off,
            totals: Totals::default(),
            corpus: CorpusSize::of(corpus::cases()),
            groups: Vec::new(),
            protocol_errors: self.protocol_errors,
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

/// The name under which a variant is reported, the same for all cuts, and the cut if it has one.
fn name_of(variant: &Variant) -> (String, Option<usize>) {
    match variant.chunking {
        Chunking::Cut(at) => {
            let name = variant.to_string();
            let suffix = name.find(',').map_or("", |comma| &name[comma..]);
            (format!("cut in two{suffix}"), Some(at))
        }
        _ => (variant.to_string(), None),
    }
}

/// The input of a request as text. Long ones are shortened.
fn input_of(request: &Request) -> Vec<String> {
    const MAX_CHUNKS: usize = 64;
    const MAX_BYTES: usize = 1000;
    match request {
        Request::Decode(request) => {
            let chunks = request.chunks.iter().take(MAX_CHUNKS).map(|chunk| {
                let more = chunk.len().saturating_sub(MAX_BYTES);
                let text = escaped(&chunk[..chunk.len() - more]);
                if more == 0 {
                    text
                } else {
                    format!("{text} … {more} more bytes")
                }
            });
            let more = request.chunks.len().saturating_sub(MAX_CHUNKS);
            let more = (more > 0).then(|| format!("… {more} more chunks"));
            chunks.chain(more).collect()
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
            let responses = request.responses.iter().map(response_text);
            options.into_iter().chain(responses).collect()
        }
    }
}

/// A response of a script as text.
fn response_text(response: &Response) -> String {
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
            let chunks: Vec<String> = chunks.iter().map(|chunk| escaped(chunk)).collect();
            let end = format!("{end:?}").to_lowercase();
            let lasts = if *lasts { "lasts, " } else { "" };
            let chunks = chunks.join(" | ");
            format!("{redirects}{status};{headers}{url} {chunks} ({lasts}{end})")
        }
    }
}
