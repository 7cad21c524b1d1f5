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

pub use drive::{Options, Progress, StartError, run, stop_all};
pub use report::{CaseReport, Failed, Outcome, Report, Tally, Trouble, WayReport};
