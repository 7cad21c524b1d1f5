//! The report of a run as text.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use super::{CaseFailure, CaseReport, GroupReport, Report, Tally, Totals};
use crate::{capabilities::Capability, corpus::Verdict};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for case in &self.cases {
            if let Some(text) = case.failure_text() {
                writeln!(f, "{text}")?;
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
        write!(f, "{}", in_one_line(name.unwrap_or("the adapter")))?;
        if let Some(version) = version {
            write!(f, " {}", in_one_line(version))?;
        }
        let verdict = if self.passed() { "passed" } else { "FAILED" };
        write!(
            f,
            " {verdict}: {} requests in {:.1} s, {} restarts, sse-conformance {}",
            self.requests, self.seconds, self.restarts, self.suite
        )
    }
}

impl Tally {
    fn run(self) -> u32 {
        self.passed + self.failed
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

impl CaseReport {
    /// The first failure as text, as the report of the run has it: several lines, each with its LF.
    pub fn failure_text(&self) -> Option<String> {
        let failure = self.failure.as_ref()?;
        let mut text = String::new();
        write_failure(&mut text, self, failure).expect("a string can be written to");
        Some(text)
    }
}

fn write_failure(f: &mut String, case: &CaseReport, failure: &CaseFailure) -> fmt::Result {
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
    Ok(())
}

/// The beginning of a long text.
fn shortened(text: &str) -> String {
    const LEN: usize = 1000;
    match text.char_indices().nth(LEN) {
        None => visible(text),
        Some((at, _)) => format!("{} … {} more bytes", visible(&text[..at]), text.len() - at),
    }
}

fn indented(text: &str) -> String {
    visible(text).replace('\n', "\n            ")
}

fn in_one_line(text: &str) -> String {
    visible(text).replace('\n', "\\n")
}

/// Escapes control characters, which a terminal would obey, as in a string of Rust. LF and tab stay.
fn visible(text: &str) -> String {
    let mut visible = String::new();
    for char in text.chars() {
        if char.is_control() && !matches!(char, '\n' | '\t') {
            visible.extend(char.escape_default());
        } else {
            visible.push(char);
        }
    }
    visible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_an_answer_are_escaped() {
        let mut case = CaseReport::of(&crate::cases()[0]);
        case.failure = Some(CaseFailure {
            variant: "as written".to_owned(),
            cut: None,
            input: Vec::new(),
            what: "items",
            message: "one\ntwo\u{1b}[31m".to_owned(),
            expected: "".into(),
            got: "\u{9b}31m\u{7f}".into(),
        });
        let text = case.failure_text().unwrap();
        assert!(text.contains("one\n            two\\u{1b}[31m\n"), "{text}");
        assert!(text.contains("\"\\u{9b}31m\\u{7f}\"\n"), "{text}");
    }
}
