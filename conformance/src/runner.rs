//! Runs the corpus against an adapter, a program that speaks the protocol of ADAPTER.md.
//!
//! ```no_run
//! use sse_conformance::{cases, runner::{self, Options}};
//!
//! let mut options = Options::new(["python3", "my-adapter.py"]);
//! options.without.push("fixed-storage".parse()?);
//! let cases: Vec<_> = cases().iter().collect();
//! let report = runner::run(&options, &cases, &mut |_| ())?;
//! assert!(report.passed(), "{report}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod process;
mod report;
mod run;

use std::{
    error::Error,
    ffi::OsString,
    fmt, io,
    time::{Duration, Instant},
};

use crate::{
    capabilities::{Capabilities, Capability},
    corpus::Case,
};
use run::Run;

pub use report::{
    CaseFailure, CaseReport, CorpusSize, GroupReport, Outcome, ProtocolError, Report, Tally,
    Totals, VariantReport,
};

/// How to run an adapter.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// The capabilities of the implementation. `None` takes those that the adapter names, or
    /// [`Capabilities::assumed`] if it names none.
    pub capabilities: Option<Capabilities>,
    /// Capabilities to remove from these.
    pub without: Vec<Capability>,
    /// The time limit for an answer; it applies once more for each MiB of the request. Default: 10
    /// seconds.
    pub timeout: Duration,
    /// The time limit for the first answer of a process. Default: 30 seconds.
    pub startup: Duration,
    /// The run is aborted when the adapter had to be restarted more often than this. Default:
    /// 100.
    pub restarts: u64,
    /// The run is aborted after this many timeouts. Default: 10.
    pub hangs: u64,
    /// Whether to stop at the first `must` case that fails.
    pub fail_fast: bool,
}

impl Options {
    /// The default options for this command.
    pub fn new(command: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self {
            command: command.into_iter().map(Into::into).collect(),
            capabilities: None,
            without: Vec::new(),
            timeout: Duration::from_secs(10),
            startup: Duration::from_secs(30),
            restarts: 100,
            hangs: 10,
            fail_fast: false,
        }
    }
}

/// The adapter could not be started.
#[derive(Debug)]
#[non_exhaustive]
pub struct StartError {
    /// The program.
    pub program: String,
    /// The reason.
    pub why: io::Error,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot start {}: {}", self.program, self.why)
    }
}

impl Error for StartError {}

/// How far a run has come.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Progress<'r> {
    /// The number of cases that are done.
    pub done: usize,
    /// The number of all cases, including those that are skipped.
    pub cases: usize,
    /// The number of `must` cases that failed.
    pub failed: usize,
    /// The number of requests that were answered.
    pub requests: u64,
    /// The case that begins.
    pub case: &'r Case,
}

/// Runs the cases against an adapter, each in every variant, and returns the report.
///
/// `progress` is called at the beginning of each case.
///
/// # Errors
///
/// If the program cannot be started. Everything that goes wrong later is part of the report.
pub fn run(
    options: &Options,
    cases: &[&Case],
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Report, StartError> {
    let started = Instant::now();
    let mut run = Run::new(options, cases)?;
    run.skip_cases();
    run.run_cases(progress)?;
    Ok(run.into_report(started.elapsed()))
}

/// Kills all running adapters, for a program that is interrupted.
pub fn kill_adapters() {
    process::kill_running();
}
