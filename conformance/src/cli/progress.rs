//! The progress of a run, on standard error.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use sse_conformance::runner::Progress;

/// Shows the progress of a run: one line that is updated on a terminal, one
/// line per group elsewhere.
pub(crate) struct ProgressLine {
    terminal: bool,
    last_update: Instant,
    group: String,
}

impl ProgressLine {
    pub(crate) fn new() -> Self {
        Self {
            terminal: io::stderr().is_terminal(),
            last_update: Instant::now(),
            group: String::new(),
        }
    }

    pub(crate) fn show(&mut self, progress: Progress<'_>) {
        let Progress {
            done,
            cases,
            failed,
            requests,
            case,
            ..
        } = progress;
        let group = format!("{}/{}", case.kind, case.group);
        let new_group = group != self.group;
        self.group = group;
        let text = format!(
            "{done} of {cases} cases, {failed} failed, {requests} requests, {}",
            self.group
        );
        if self.terminal && (new_group || self.last_update.elapsed() > Duration::from_millis(100)) {
            self.last_update = Instant::now();
            // Returns to the start of the line, and clears it to its end.
            let _ = write!(io::stderr(), "\r{text}\x1B[K");
        } else if !self.terminal && new_group {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    pub(crate) fn clear(&self) {
        if self.terminal {
            let _ = write!(io::stderr(), "\r\x1B[K");
        }
    }
}
