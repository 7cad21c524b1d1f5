//! What a run found out: for people, and as JSON for programs.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use serde_json::Value;

use crate::{
    capabilities::{Capabilities, Capability},
    corpus::{Case, Kind, Verdict},
};

/// What a run found out. Its JSON is what `sse-conformance run --json` prints.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Report {
    /// The version of this package, and so of the corpus.
    pub suite: &'static str,
    /// The command that was started.
    pub command: Vec<String>,
    /// What the adapter calls the implementation, if it says so.
    pub name: Option<String>,
    /// The version of the implementation, if the adapter says so.
    pub version: Option<String>,
    /// What it was asked for.
    pub capabilities: Capabilities,
    /// What it was not asked for.
    pub not_asked: Vec<Capability>,
    /// Whether it passed: see [`Report::passed`].
    pub passed: bool,
    /// Whether the run was broken off before every case was asked.
    pub broken_off: Option<String>,
    /// How the cases went.
    pub totals: Totals,
    /// How the cases of each group went.
    pub groups: Vec<GroupReport>,
    /// What was wrong with the conversation, apart from any case.
    pub troubles: Vec<Trouble>,
    /// What is worth knowing, but no reason to fail.
    pub notes: Vec<String>,
    /// Each case.
    pub cases: Vec<CaseReport>,
    /// How many requests were answered.
    pub requests: u64,
    /// How often the adapter had to be started again.
    pub restarts: u64,
    /// How long it took.
    pub seconds: f64,
}

/// How cases went, by verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Totals {
    /// Those in which a difference is a violation.
    pub must: Tally,
    /// Those in which it is none.
    pub may: Tally,
}

/// How many cases went how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Tally {
    /// Asked in every way, and right each time.
    pub passed: u32,
    /// Wrong in some way.
    pub failed: u32,
    /// Not asked, since the implementation lacks what the case needs.
    pub skipped: u32,
    /// Not asked, since the run was broken off.
    pub not_run: u32,
}

/// How the cases of a group went.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct GroupReport {
    /// Whom its cases are for.
    pub kind: Kind,
    /// Its name.
    pub group: String,
    /// How they went.
    #[serde(flatten)]
    pub totals: Totals,
}

/// Something wrong with the conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Trouble {
    /// A word for it: `hang`, `exit`, `closed-output`, `nonsense`, `out-of-order`, `bad-end`.
    pub what: &'static str,
    /// The same in a sentence, as it was the first time.
    pub message: String,
    /// How often it happened.
    pub times: u32,
}

/// How a case went.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CaseReport {
    /// The case.
    pub id: String,
    /// Whom it is for.
    pub kind: Kind,
    /// Where it stands.
    pub group: String,
    /// What it checks.
    pub rules: Vec<String>,
    /// What is special about it.
    pub flags: Vec<String>,
    /// Whether a difference is a violation.
    pub verdict: Verdict,
    /// The faulty reading that it catches.
    pub why: String,
    /// How it went.
    pub outcome: Outcome,
    /// What it was skipped for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped_for: Option<Capability>,
    /// What was left out of the comparison.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<Capability>,
    /// How the ways to ask it went: as many as were tried.
    pub ways: Vec<WayReport>,
    /// The first failure: of those under cuts, the one with the smallest cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failed>,
}

/// How a case went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Outcome {
    /// Asked in every way, and right each time.
    Passed,
    /// Wrong in some way.
    Failed,
    /// Not asked, since the implementation lacks what the case needs.
    Skipped,
    /// Not asked, since the run was broken off.
    NotRun,
}

/// How the ways of one sort went.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct WayReport {
    /// The sort: `as written`, `whole`, `byte by byte` or `cut in two`, with what was changed besides.
    pub way: String,
    /// How many requests that were.
    pub requests: u32,
    /// How many were answered wrongly.
    pub failed: u32,
    /// The smallest cut that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smallest_cut: Option<usize>,
}

/// A failure.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Failed {
    /// How it was asked.
    pub way: String,
    /// Where the input was cut in two, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<usize>,
    /// What was put in, as text with escapes: pieces, frames, or the script. Long ones are shortened.
    pub input: Vec<String>,
    /// A word for what is wrong: see [`Mismatch::what`](crate::Mismatch::what) and [`Trouble::what`].
    pub what: &'static str,
    /// The same in a sentence.
    pub message: String,
    /// What was due.
    pub expected: Value,
    /// What came.
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
            left_out: Vec::new(),
            ways: Vec::new(),
            failure: None,
        }
    }
}

impl Report {
    /// Whether every `must` case that could be asked was right, none was left unasked because the run was broken
    /// off, there was one at least, and nothing was wrong with the conversation.
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
            && self.troubles.is_empty()
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
    fn asked(self) -> u32 {
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
        for trouble in &self.troubles {
            writeln!(
                f,
                "TROUBLE {}: {}\n",
                trouble.what,
                indented(&trouble.message)
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
            let of = |tally: Tally| match tally.asked() {
                0 => "-".to_owned(),
                asked => format!("{} of {asked}", tally.passed),
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
            writeln!(f, "broken off: {}", indented(why))?;
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
    /// What an implementation does not offer, and how many cases that concerns.
    fn write_not_asked(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut concerned: BTreeMap<Capability, (u32, u32)> = BTreeMap::new();
        for case in &self.cases {
            if let Some(capability) = case.skipped_for {
                concerned.entry(capability).or_default().0 += 1;
            }
            for capability in &case.left_out {
                concerned.entry(*capability).or_default().1 += 1;
            }
        }
        for capability in &self.not_asked {
            let mut what = Vec::new();
            match concerned.get(capability) {
                None => continue,
                Some((skipped, left_out)) => {
                    if *skipped > 0 {
                        what.push(format!("{skipped} cases skipped"));
                    }
                    if *left_out > 0 {
                        what.push(format!("left out of the comparison in {left_out}"));
                    }
                }
            }
            writeln!(f, "not asked: {capability} ({})", what.join(", "))?;
        }
        Ok(())
    }
}

fn write_failure(f: &mut fmt::Formatter<'_>, case: &CaseReport, failure: &Failed) -> fmt::Result {
    let word = match case.verdict {
        Verdict::Must => "FAILED",
        Verdict::May => "differs (may)",
    };
    writeln!(f, "{word} {}/{} {}", case.kind, case.group, case.id)?;
    writeln!(f, "  rule      {}", case.rules.join(", "))?;
    writeln!(f, "  why       {}", case.why)?;
    writeln!(f, "  asked     {}", failure.way)?;
    let input = failure.input.iter().map(|piece| format!("\"{piece}\""));
    let input: Vec<String> = input.collect();
    writeln!(f, "  input     {}", shortened(&input.join(" | ")))?;
    writeln!(f, "  wrong     {}", indented(&failure.message))?;
    if !failure.expected.is_null() || !failure.got.is_null() {
        writeln!(
            f,
            "  expected  {}",
            shortened(&failure.expected.to_string())
        )?;
        writeln!(f, "  got       {}", shortened(&failure.got.to_string()))?;
    }
    let failed: Vec<String> = case
        .ways
        .iter()
        .filter(|way| way.failed > 0)
        .map(|way| match way.requests {
            1 => way.way.clone(),
            requests => format!("{} ({} of {requests})", way.way, way.failed),
        })
        .collect();
    if failed.len() > 1 || failed.iter().any(|way| *way != failure.way) {
        writeln!(f, "  wrong in  {}", failed.join("; "))?;
    }
    writeln!(f)
}

/// What is long is shown by its beginning.
pub(super) fn shortened(text: &str) -> String {
    const LEN: usize = 1000;
    match text.char_indices().nth(LEN) {
        None => text.to_owned(),
        Some((at, _)) => format!("{} … {} bytes more", &text[..at], text.len() - at),
    }
}

fn indented(text: &str) -> String {
    text.replace('\n', "\n            ")
}
