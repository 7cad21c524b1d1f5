//! The report of a run: as JSON for programs, and in `text` for people.

mod text;

use serde::Serialize;
use serde_json::Value;

use crate::{
    capabilities::{Capabilities, Capability},
    corpus::{Case, Kind, Verdict},
};

/// The report of a run. Its JSON is what `sse-conformance run --json` prints.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Report {
    /// The version of this package, which is the version of the corpus.
    pub suite: &'static str,
    /// The command that started the adapter.
    pub command: Vec<String>,
    /// The name of the implementation, if the adapter gives one.
    pub name: Option<String>,
    /// The version of the implementation, if the adapter gives one.
    pub version: Option<String>,
    /// The capabilities that were tested.
    pub capabilities: Capabilities,
    /// The capabilities that were not tested.
    pub not_asked: Vec<Capability>,
    /// The result of [`Report::passed`].
    pub passed: bool,
    /// If the run was aborted before all cases were run, the reason.
    pub broken_off: Option<String>,
    /// The results of all cases that were selected.
    pub totals: Totals,
    /// The size of the whole corpus, to tell whether only a part of it was selected.
    pub corpus: CorpusSize,
    /// The results of each group.
    pub groups: Vec<GroupReport>,
    /// Protocol errors of the adapter that belong to no single case.
    #[serde(rename = "troubles")]
    pub protocol_errors: Vec<ProtocolError>,
    /// Remarks that are no reason to fail.
    pub notes: Vec<String>,
    /// The result of each case.
    pub cases: Vec<CaseReport>,
    /// The number of requests that were answered.
    pub requests: u64,
    /// How often the adapter had to be restarted.
    pub restarts: u64,
    /// The duration of the run in seconds.
    pub seconds: f64,
}

/// The number of cases in the corpus, by verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CorpusSize {
    /// Cases in which a difference is a violation.
    pub must: usize,
    /// Cases in which a difference is not a violation.
    pub may: usize,
}

/// The results of cases, by verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Totals {
    /// Cases in which a difference is a violation.
    pub must: Tally,
    /// Cases in which a difference is not a violation.
    pub may: Tally,
}

/// The number of cases by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Tally {
    /// Correct in every variant.
    pub passed: u32,
    /// Incorrect in at least one variant.
    pub failed: u32,
    /// Not run, because the implementation lacks a capability that the case needs.
    pub skipped: u32,
    /// Not run, or not to the end, because the run was aborted.
    pub not_run: u32,
}

/// The results of a group.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct GroupReport {
    /// What its cases are for.
    pub kind: Kind,
    /// The name of the group.
    pub group: String,
    /// The results of its cases.
    #[serde(flatten)]
    pub totals: Totals,
}

/// A protocol error of the adapter that belongs to no single case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProtocolError {
    /// A keyword: `hang`, `exit`, `closed-output`, `nonsense`, `out-of-order`, `bad-end`.
    pub what: &'static str,
    /// A description of the first occurrence.
    pub message: String,
    /// The number of occurrences.
    pub times: u32,
}

/// The result of a case.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CaseReport {
    /// The id of the case.
    pub id: String,
    /// What the case is for.
    pub kind: Kind,
    /// The group it belongs to.
    pub group: String,
    /// The rules that it checks.
    pub rules: Vec<String>,
    /// Its flags; see [`flags`](crate::flags).
    pub flags: Vec<String>,
    /// Whether a difference is a violation.
    pub verdict: Verdict,
    /// The mistake that it catches.
    pub why: String,
    /// The outcome.
    pub outcome: Outcome,
    /// The missing capability for which it was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped_for: Option<Capability>,
    /// The missing capabilities because of which parts of the answer were not compared.
    #[serde(rename = "leftOut", skip_serializing_if = "Vec::is_empty")]
    pub not_compared_for: Vec<Capability>,
    /// The results of the variants that were run.
    #[serde(rename = "ways")]
    pub variants: Vec<VariantReport>,
    /// The time in seconds that the runner waited for the answers.
    pub seconds: f64,
    /// The first failure. Among cuts in two, that is the one with the smallest cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<CaseFailure>,
}

/// The outcome of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Outcome {
    /// Correct in every variant.
    Passed,
    /// Incorrect in at least one variant.
    Failed,
    /// Not run, because the implementation lacks a capability that the case needs.
    Skipped,
    /// Not run, or not to the end, because the run was aborted.
    NotRun,
}

/// The results of one variant, or of all cuts in two together.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct VariantReport {
    /// `as written`, `whole`, `byte by byte` or `cut in two`, followed by other changes to the
    /// input.
    #[serde(rename = "way")]
    pub name: String,
    /// The number of requests.
    pub requests: u32,
    /// The number of incorrect answers.
    pub failed: u32,
    /// The smallest cut with an incorrect answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smallest_cut: Option<usize>,
}

/// An incorrect answer.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CaseFailure {
    /// The name of the variant that failed.
    #[serde(rename = "way")]
    pub variant: String,
    /// The offset at which the input was cut in two, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<usize>,
    /// The input as text with escapes: chunks, frames, or the script. Long ones are shortened.
    pub input: Vec<String>,
    /// A keyword: see [`Mismatch::what`](crate::Mismatch::what) and [`ProtocolError::what`].
    pub what: &'static str,
    /// A sentence that describes the failure.
    pub message: String,
    /// What was expected.
    pub expected: Value,
    /// What the answer has instead.
    pub got: Value,
}

impl CaseReport {
    pub(super) fn of(case: &Case) -> Self {
        Self {
            id: case.id.clone(),
            kind: case.kind,
            group: case.group.clone(),
            rules: case.rules.clone(),
            flags: case.flags.clone(),
            verdict: case.verdict,
            why: case.why.clone(),
            outcome: Outcome::NotRun,
            skipped_for: None,
            not_compared_for: Vec::new(),
            variants: Vec::new(),
            seconds: 0.0,
            failure: None,
        }
    }
}

impl Report {
    /// Whether the implementation passed: all `must` cases were run and passed, except those that
    /// were skipped for a missing capability; at least one was run; and the adapter made no
    /// protocol errors.
    pub fn passed(&self) -> bool {
        let Tally {
            passed,
            failed,
            not_run,
            ..
        } = self.totals.must;
        passed > 0
            && failed == 0
            && not_run == 0
            && self.protocol_errors.is_empty()
            && self.broken_off.is_none()
    }

    pub(super) fn add_up(&mut self) {
        let mut groups: Vec<GroupReport> = Vec::new();
        for case in &self.cases {
            let is_of = |group: &GroupReport| group.kind == case.kind && group.group == case.group;
            if !groups.last().is_some_and(is_of) {
                groups.push(GroupReport {
                    kind: case.kind,
                    group: case.group.clone(),
                    totals: Totals::default(),
                });
            }
            let group = groups.last_mut().expect("one was just pushed");
            for totals in [&mut group.totals, &mut self.totals] {
                totals.count(case);
            }
        }
        self.groups = groups;
        self.passed = self.passed();
    }
}

impl CorpusSize {
    pub(super) fn of(cases: &[Case]) -> Self {
        let must = cases.iter().filter(|case| case.verdict == Verdict::Must);
        let must = must.count();
        Self {
            must,
            may: cases.len() - must,
        }
    }
}

impl Totals {
    fn count(&mut self, case: &CaseReport) {
        let tally = match case.verdict {
            Verdict::Must => &mut self.must,
            Verdict::May => &mut self.may,
        };
        *match case.outcome {
            Outcome::Passed => &mut tally.passed,
            Outcome::Failed => &mut tally.failed,
            Outcome::Skipped => &mut tally.skipped,
            Outcome::NotRun => &mut tally.not_run,
        } += 1;
    }
}
