//! Holds a program that speaks the protocol of ADAPTER.md against the corpus.
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

mod child;
mod drive;
mod report;

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
use drive::Run;

pub use report::{
    CaseReport, Failed, GroupReport, Outcome, Report, Tally, Totals, Trouble, WayReport,
};

/// How to run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// What the implementation offers. `None`: what the adapter says, and if it says nothing,
    /// [`Capabilities::unless_stated`].
    pub capabilities: Option<Capabilities>,
    /// What it does not offer, whatever else is said.
    pub without: Vec<Capability>,
    /// How long an answer may take, and as long again for each MiB of its request.
    pub timeout: Duration,
    /// How long the first answer of a process may take.
    pub startup: Duration,
    /// How often the adapter is started again before the run is broken off.
    pub restarts: u64,
    /// How many answers may fail to come in time before the run is broken off.
    pub hangs: u64,
    /// Whether to stop at the first `must` case that fails.
    pub fail_fast: bool,
}

impl Options {
    /// The usual options for this command.
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

/// The adapter could not be started at all.
#[derive(Debug)]
#[non_exhaustive]
pub struct StartError {
    /// What was to be started.
    pub program: String,
    /// Why it could not be.
    pub why: io::Error,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be started: {}", self.program, self.why)
    }
}

impl Error for StartError {}

/// Where a run stands.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Progress<'r> {
    /// How many cases are done.
    pub done: usize,
    /// How many cases there are, those left out included.
    pub cases: usize,
    /// How many `must` cases failed.
    pub failed: usize,
    /// How many requests were answered.
    pub requests: u64,
    /// The case under way.
    pub case: &'r Case,
}

/// Asks an adapter these cases in every way, and reports.
///
/// `progress` hears of each case that is begun.
///
/// # Errors
///
/// If the program cannot be started. Whatever it does once it runs is in the report.
pub fn run(
    options: &Options,
    cases: &[&Case],
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Report, StartError> {
    let started = Instant::now();
    let mut run = Run::new(options, cases)?;
    run.skip();
    run.ask_everything(progress)?;
    Ok(run.report(started.elapsed()))
}

/// Stops every adapter that runs, for whoever ends the program early.
pub fn stop_all() {
    child::stop_running();
}
