//! Runs `examples/adapter` with the runner of the conformance suite, as somebody else who tests
//! this crate would.
#![cfg(feature = "alloc")]

#[path = "support/program.rs"]
#[allow(
    dead_code,
    reason = "the other tests talk to programs, this one has the runner do that"
)]
mod program;

use core::time::Duration;

use sse_conformance::{
    cases,
    runner::{self, Options},
};

#[test]
fn the_adapter_passes_every_case() {
    let mut options = Options::new([program::build("adapter")]);
    // Generous: the adapter does not hang, but the machine may be busy.
    options.timeout = Duration::from_secs(120);
    options.startup = options.timeout;
    let cases: Vec<_> = cases().iter().collect();
    let report = runner::run(&options, &cases, &mut |_| ()).unwrap();
    assert!(report.passed(), "{report}");
    // Where the standard leaves a choice, this crate does what the corpus recommends.
    assert_eq!(report.totals.may.failed, 0, "{report}");
    assert_eq!(report.restarts, 0, "{report}");
    assert!(report.not_asked.is_empty(), "{report}");
}
