//! A line on standard error that shows how much of a file was read.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// Whether the line is on the terminal, so that other messages must clear it.
static IS_SHOWN: AtomicBool = AtomicBool::new(false);

const FIRST: Duration = Duration::from_millis(500);
const INTERVAL: Duration = Duration::from_millis(200);

pub(crate) struct Progress {
    /// Length of the file.
    total: u64,
    bytes: u64,
    start: Instant,
    next: Instant,
}

impl Progress {
    /// `None` unless standard error is a terminal and standard output, which would scroll it away,
    /// is not.
    pub(crate) fn new(total: u64) -> Option<Self> {
        let is_seen = io::stderr().is_terminal() && !io::stdout().is_terminal();
        let start = Instant::now();
        is_seen.then(|| Self {
            total,
            bytes: 0,
            start,
            next: start + FIRST,
        })
    }

    /// Counts `bytes` more bytes; now, `events` were read in total.
    pub(crate) fn add(&mut self, bytes: usize, events: u64) {
        self.bytes += bytes as u64;
        let now = Instant::now();
        if now < self.next {
            return;
        }
        self.next = now + INTERVAL;
        let line = line(self.bytes, self.total, events, now - self.start);
        // The sequence deletes the rest of the previous line.
        let _ = write!(io::stderr(), "\r{line}\x1b[K");
        IS_SHOWN.store(true, Ordering::Relaxed);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        clear();
    }
}

/// Deletes the line, if it is shown.
pub(crate) fn clear() {
    if IS_SHOWN.swap(false, Ordering::Relaxed) {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
}

fn line(bytes: u64, total: u64, events: u64, time: Duration) -> String {
    const MIB: f64 = 1024.0 * 1024.0;
    // A file may grow while it is read.
    let percent = bytes as f64 * 100.0 / total.max(bytes).max(1) as f64;
    let (read, total) = (bytes as f64 / MIB, total as f64 / MIB);
    let rate = read / time.as_secs_f64().max(0.001);
    format!("{read:.1} of {total:.1} MiB, {percent:.0} %, {events} events, {rate:.1} MiB/s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_shows_bytes_percent_events_and_rate() {
        let second = Duration::from_secs(2);
        assert_eq!(
            line(3 << 20, 12 << 20, 7, second),
            "3.0 of 12.0 MiB, 25 %, 7 events, 1.5 MiB/s"
        );
        assert_eq!(
            line(3 << 20, 1 << 20, 7, second),
            "3.0 of 1.0 MiB, 100 %, 7 events, 1.5 MiB/s"
        );
        assert!(line(0, 0, 0, Duration::ZERO).starts_with("0.0 of 0.0 MiB, 0 %"));
    }
}
