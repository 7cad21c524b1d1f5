//! The runner against adapters that hang, crash or write something else than answers: it reports
//! the request that goes wrong, continues with the next case, and never blocks for long.

mod adapter;

use std::{
    process, thread,
    time::{Duration, Instant},
};

use libtest_mimic::{Failed, Trial};
use sse_conformance::{
    Body, Case, cases,
    runner::{self, Options, Outcome, Report},
};

pub(crate) use adapter::{odd_text, serve};

/// The timeout of the runner for the adapters in [`TIMING_OUT`].
const TIMEOUT: Duration = Duration::from_secs(1);

/// The adapters that run into a timeout, or come close to it.
const TIMING_OUT: [&str; 9] = [
    "hangs",
    "hangs-in-the-middle-of-a-line",
    "is-late",
    "does-not-end",
    "never-answers",
    "never-flushes",
    "closes-its-output",
    "starts-slowly",
    "ignores-unknown-kinds",
];

/// The case at which some of the adapters misbehave.
pub(crate) const VICTIM: &str = "data-done-marker";

/// What the runner has to report of an adapter.
struct Expected {
    /// The keyword for the failure of [`VICTIM`], if it fails. No other case does.
    victim: Option<&'static str>,
    /// The keywords of the protocol errors.
    protocol_errors: &'static [&'static str],
    /// The beginning of the reason for which the run is aborted.
    broken_off: Option<&'static str>,
    /// The number of notes.
    notes: usize,
    /// A part of the report.
    text: &'static str,
}

/// Nothing is wrong.
const PASSED: Expected = Expected {
    victim: None,
    protocol_errors: &[],
    broken_off: None,
    notes: 0,
    text: "passed",
};

fn victim(what: &'static str, text: &'static str) -> Expected {
    Expected {
        victim: Some(what),
        text,
        ..PASSED
    }
}

fn protocol_error(protocol_errors: &'static [&'static str], text: &'static str) -> Expected {
    Expected {
        protocol_errors,
        text,
        ..PASSED
    }
}

/// The adapter answers no request, not even `capabilities`.
fn never_answers(text: &'static str) -> Expected {
    Expected {
        broken_off: Some("the adapter never answered"),
        notes: 1,
        text,
        ..PASSED
    }
}

fn noted(text: &'static str) -> Expected {
    Expected {
        notes: 1,
        text,
        ..PASSED
    }
}

fn all() -> Vec<(&'static str, Expected)> {
    vec![
        // They misbehave at one request.
        ("hangs", victim("hang", "nothing for 1s")),
        ("spins-and-floods", victim("nonsense", "bytes in one line")),
        ("exits", victim("exit", "exit status: 3")),
        ("exits-with-diagnostics", victim("exit", "some diagnostics")),
        ("has-odd-texts", victim("exit", "<![CDATA[ ]]> &#0;")),
        (
            "exits-in-the-middle-of-a-line",
            victim("exit", "in the middle of an answer: {\"case"),
        ),
        (
            "hangs-in-the-middle-of-a-line",
            victim("hang", "nothing for"),
        ),
        ("exits-with-success", victim("exit", "exit status: 0")),
        ("writes-nonsense", victim("nonsense", "not a JSON object")),
        ("writes-a-list", victim("nonsense", "[1]")),
        (
            "writes-a-blank-line",
            victim("nonsense", "not a JSON object"),
        ),
        (
            "answers-another",
            victim("out-of-order", "its case is 123456789"),
        ),
        (
            "answers-without-a-number",
            victim("out-of-order", "its case is none"),
        ),
        ("answers-with-an-error", victim("answer", "some reason")),
        (
            "writes-an-unknown-item",
            victim("answer", "chunks[0][0]: {\\\"event\\\":null}"),
        ),
        ("panics", victim("answer", "panicked: some panic")),
        ("is-late", PASSED),
        // They misbehave in another way.
        (
            "swaps-answers",
            protocol_error(
                &["out-of-order"],
                "does not answer requests that are sent ahead",
            ),
        ),
        (
            "exits-now-and-then",
            protocol_error(&["exit"], "exit status: 0"),
        ),
        ("ends-badly", protocol_error(&["bad-end"], "exit status: 7")),
        ("does-not-end", protocol_error(&["bad-end"], "did not exit")),
        (
            "goes-on-at-the-end",
            protocol_error(&["bad-end"], "one more line"),
        ),
        (
            "answers-twice",
            Expected {
                broken_off: Some("the adapter was started 101 times"),
                ..protocol_error(&["out-of-order"], "answered out of order")
            },
        ),
        ("never-answers", never_answers("nothing for")),
        ("never-flushes", never_answers("is every answer flushed?")),
        ("never-starts", never_answers("exit status: 9")),
        ("miscounts", never_answers("answered out of order")),
        ("writes-a-banner", never_answers("not a JSON object")),
        (
            "closes-its-output",
            never_answers("closed its output, but did not exit"),
        ),
        // They are unusual, but correct.
        ("starts-slowly", PASSED),
        ("writes-in-pieces", PASSED),
        (
            "has-new-capabilities",
            noted("no capability is named \"new-capability\""),
        ),
        ("dies-of-unknown-kinds", noted("of the unknown kind")),
        ("ignores-unknown-kinds", noted("of the unknown kind")),
        ("refuses-unknown-kinds", PASSED),
    ]
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = all()
        .into_iter()
        .map(|(how, expected)| {
            Trial::test(format!("misbehaving::{how}"), move || {
                is_reported(how, &expected)
            })
        })
        .collect();
    trials.push(Trial::test(
        "misbehaving::its_child_processes_are_killed",
        child_processes_are_killed,
    ));
    trials.push(Trial::test(
        "misbehaving::unsupported_kinds_are_skipped",
        unsupported_kinds_are_skipped,
    ));
    trials.push(Trial::test(
        "misbehaving::a_run_of_skipped_cases_does_not_pass",
        a_run_of_skipped_cases_does_not_pass,
    ));
    trials
}

fn is_reported(how: &'static str, expected: &Expected) -> Result<(), Failed> {
    let cases: Vec<&Case> = cases()
        .iter()
        .filter(|case| case.group == "data" && in_decode(case))
        .collect();
    let begun = Instant::now();
    let report = run(&["misbehaving", how], &cases)?;
    let took = begun.elapsed();
    let text = format!("{report}\n{}", serde_json::to_string(&report)?);
    let check = |holds: bool, what: &str| {
        if holds {
            Ok(())
        } else {
            Err(Failed::from(format!("{what}\n{text}")))
        }
    };

    let passes = expected.victim.is_none()
        && expected.protocol_errors.is_empty()
        && expected.broken_off.is_none();
    check(report.passed() == passes, "passed")?;
    check(text.contains(expected.text), "the text")?;
    check(report.notes.len() == expected.notes, "notes")?;
    let protocol_errors: Vec<&str> = report
        .protocol_errors
        .iter()
        .map(|error| error.what)
        .collect();
    check(
        protocol_errors == expected.protocol_errors,
        "protocol errors",
    )?;
    match (expected.broken_off, &report.broken_off) {
        (Some(start), Some(why)) => check(why.starts_with(start), "why it was aborted")?,
        (start, why) => check(start.is_none() && why.is_none(), "whether it was aborted")?,
    }
    if expected.broken_off.is_none() {
        for case in &report.cases {
            let failed = case.id == VICTIM && expected.victim.is_some();
            let outcome = if failed {
                Outcome::Failed
            } else {
                Outcome::Passed
            };
            check(case.outcome == outcome, &case.id)?;
            if failed {
                check(
                    case.failure.as_ref().map(|failure| failure.what) == expected.victim,
                    "the failure",
                )?;
            }
        }
    }
    // The slowest needs the startup timeout and twice the timeout; the rest is for a busy machine.
    check(took < Duration::from_secs(60), "how long it took")
}

fn in_decode(case: &Case) -> bool {
    matches!(case.body, Body::Decode(_))
}

fn run(arguments: &[&str], cases: &[&Case]) -> Result<Report, Failed> {
    let mut command = vec![std::env::current_exe()?.into_os_string()];
    command.extend(arguments.iter().map(Into::into));
    let mut options = Options::new(command);
    // All others get as much time as a busy machine may need.
    if arguments.iter().any(|how| TIMING_OUT.contains(how)) {
        options.timeout = TIMEOUT;
        options.startup = TIMEOUT * 3;
    }
    Ok(runner::run(&options, cases, &mut |_| ())?)
}

#[cfg(unix)]
fn child_processes_are_killed() -> Result<(), Failed> {
    // Identifies the processes of this test.
    let seconds = format!("86399.{}", process::id());
    let script = format!("sleep {seconds} & read line; sleep {seconds}");
    let mut options = Options::new(["sh", "-c", &script]);
    (options.timeout, options.startup) = (TIMEOUT, TIMEOUT);
    let report = runner::run(&options, &[&cases()[0]], &mut |_| ())?;
    if report.passed() {
        return Err("an adapter that never answers passed".into());
    }
    let is_running = || {
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let commands =
            processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
        commands
            .into_iter()
            .any(|command| String::from_utf8_lossy(&command).contains(&seconds))
    };
    // They are killed asynchronously.
    let begun = Instant::now();
    while is_running() {
        if begun.elapsed() > Duration::from_secs(30) {
            return Err("its child process still runs".into());
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

#[cfg(not(unix))]
fn child_processes_are_killed() -> Result<(), Failed> {
    Ok(())
}

fn unsupported_kinds_are_skipped() -> Result<(), Failed> {
    let ids = ["data-empty", "encode-data-empty", "connect-first-request"];
    let cases = cases().iter().filter(|case| ids.contains(&&*case.id));
    let report = run(&["misbehaving", "decodes-only"], &cases.collect::<Vec<_>>())?;
    let outcomes: Vec<Outcome> = report.cases.iter().map(|case| case.outcome).collect();
    let expected = [Outcome::Passed, Outcome::Skipped, Outcome::Skipped];
    if report.passed() && outcomes == expected {
        Ok(())
    } else {
        Err(report.to_string().into())
    }
}

fn a_run_of_skipped_cases_does_not_pass() -> Result<(), Failed> {
    let cases = cases().iter().filter(|case| !in_decode(case));
    let report = run(&["misbehaving", "decodes-only"], &cases.collect::<Vec<_>>())?;
    if report.passed() || report.totals.must.passed > 0 {
        Err(report.to_string().into())
    } else {
        Ok(())
    }
}
