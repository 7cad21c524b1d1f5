//! The report of a run: as text for people, as JSON for programs.

use std::{collections::BTreeMap, fmt};

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
    /// The results of all cases.
    pub totals: Totals,
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

impl Tally {
    fn run(self) -> u32 {
        self.passed + self.failed
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for case in &self.cases {
            if let Some(failure) = &case.failure {
                write_failure(f, case, failure)?;
            }
        }
        for error in &self.protocol_errors {
            writeln!(
                f,
                "PROTOCOL ERROR {}: {}\n",
                error.what,
                indented(&error.message)
            )?;
        }

        writeln!(
            f,
            "{:8} {:16} {:>11} {:>11} {:>8}",
            "", "group", "must", "may", "skipped"
        )?;
        for GroupReport {
            kind,
            group,
            totals,
        } in &self.groups
        {
            let (must, may) = (totals.must, totals.may);
            let of = |tally: Tally| match tally.run() {
                0 => "-".to_owned(),
                run => format!("{} of {run}", tally.passed),
            };
            let skipped = match must.skipped + may.skipped {
                0 => String::new(),
                skipped => skipped.to_string(),
            };
            writeln!(
                f,
                "{kind:8} {group:16} {:>11} {:>11} {skipped:>8}",
                of(must),
                of(may)
            )?;
        }
        writeln!(f)?;
        for note in &self.notes {
            writeln!(f, "note: {}", indented(note))?;
        }
        self.write_not_asked(f)?;
        if let Some(why) = &self.broken_off {
            writeln!(f, "aborted: {}", indented(why))?;
        }
        let Totals { must, may } = self.totals;
        writeln!(
            f,
            "must: {} passed, {} failed, {} skipped, {} not run. may: {} passed, {} different, {} skipped, {} not run.",
            must.passed,
            must.failed,
            must.skipped,
            must.not_run,
            may.passed,
            may.failed,
            may.skipped,
            may.not_run
        )?;
        let (name, version) = (self.name.as_deref(), self.version.as_deref());
        write!(f, "{}", name.unwrap_or("the adapter"))?;
        if let Some(version) = version {
            write!(f, " {version}")?;
        }
        let verdict = if self.passed() { "passed" } else { "FAILED" };
        write!(
            f,
            " {verdict}: {} requests in {:.1} s, {} restarts, sse-conformance {}",
            self.requests, self.seconds, self.restarts, self.suite
        )
    }
}

impl Report {
    /// Writes the missing capabilities, and how many cases each of them affects.
    fn write_not_asked(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut affected: BTreeMap<Capability, (u32, u32)> = BTreeMap::new();
        for case in &self.cases {
            if let Some(capability) = case.skipped_for {
                affected.entry(capability).or_default().0 += 1;
            }
            for capability in &case.not_compared_for {
                affected.entry(*capability).or_default().1 += 1;
            }
        }
        for capability in &self.not_asked {
            let mut effects = Vec::new();
            match affected.get(capability) {
                None => continue,
                Some((skipped, not_compared)) => {
                    if *skipped > 0 {
                        effects.push(format!("{skipped} cases skipped"));
                    }
                    if *not_compared > 0 {
                        effects.push(format!("not compared in {not_compared}"));
                    }
                }
            }
            writeln!(f, "not tested: {capability} ({})", effects.join(", "))?;
        }
        Ok(())
    }
}

fn write_failure(
    f: &mut fmt::Formatter<'_>,
    case: &CaseReport,
    failure: &CaseFailure,
) -> fmt::Result {
    let word = match case.verdict {
        Verdict::Must => "FAILED",
        Verdict::May => "differs (may)",
    };
    writeln!(f, "{word} {}/{} {}", case.kind, case.group, case.id)?;
    writeln!(f, "  rule      {}", case.rules.join(", "))?;
    writeln!(f, "  why       {}", case.why)?;
    writeln!(f, "  variant   {}", failure.variant)?;
    let input = failure.input.iter().map(|piece| format!("\"{piece}\""));
    let input: Vec<String> = input.collect();
    writeln!(f, "  input     {}", shortened(&input.join(" | ")))?;
    writeln!(f, "  failure   {}", indented(&failure.message))?;
    if !failure.expected.is_null() || !failure.got.is_null() {
        writeln!(
            f,
            "  expected  {}",
            shortened(&failure.expected.to_string())
        )?;
        writeln!(f, "  got       {}", shortened(&failure.got.to_string()))?;
    }
    let failed: Vec<String> = case
        .variants
        .iter()
        .filter(|variant| variant.failed > 0)
        .map(|variant| match variant.requests {
            1 => variant.name.clone(),
            requests => format!("{} ({} of {requests})", variant.name, variant.failed),
        })
        .collect();
    if failed.len() > 1 || failed.iter().any(|name| *name != failure.variant) {
        writeln!(f, "  fails in  {}", failed.join("; "))?;
    }
    writeln!(f)
}

/// The beginning of a long text.
fn shortened(text: &str) -> String {
    const LEN: usize = 1000;
    match text.char_indices().nth(LEN) {
        None => text.to_owned(),
        Some((at, _)) => format!("{} … {} more bytes", &text[..at], text.len() - at),
    }
}

fn indented(text: &str) -> String {
    text.replace('\n', "\n            ")
}
