//! Stops the server while all streams are open and restarts it. Checks how streams end and when
//! clients reconnect.

use std::{
    error::Error,
    fmt::Write as _,
    thread,
    time::{Duration, Instant},
};

use crate::{
    RETRY, TIMEOUT,
    feed::Feed,
    idle::Idle,
    server::Server,
    wait_until,
    watcher::{End, Watcher},
};
use sse_proto::Reason;

/// The maximum time until the last stream has ended.
const MAX_END: Duration = Duration::from_secs(1);

/// The minimum time for which a client that reads nothing delays the server's exit.
const MIN_DELAY: Duration = Duration::from_millis(200);

/// The number of equal parts of the spread that are compared.
const PARTS: usize = 10;

/// Stops and restarts the server. Returns errors.
pub(crate) fn shutdown(
    server: &mut Server,
    idle: Idle,
    watchers: &[Watcher],
    feed: &Feed,
    spread: Duration,
) -> Result<Vec<String>, Box<dyn Error>> {
    let mut errors = Vec::new();
    let (begin, begin_of_feed) = (Instant::now(), feed.now());
    server.stop()?;
    let ends = || {
        let ends = watchers.iter().filter_map(Watcher::last_end);
        ends.filter(|end| end.at >= begin_of_feed)
    };
    wait_until(|| ends().count() == watchers.len() || begin.elapsed() > 2 * MAX_END);
    let ends: Vec<End> = ends().collect();
    let last = ends.iter().map(|end| end.at).max().unwrap_or(0);
    let last = Duration::from_micros(last.saturating_sub(begin_of_feed));
    if ends.len() < watchers.len() || last > MAX_END {
        errors.push(format!(
            "only {} streams ended within {last:.1?}",
            ends.len()
        ));
    }
    let is_clean = |end: &&End| end.reason == Reason::EndOfBody;
    let clean = ends.iter().filter(is_clean).count();
    if clean < watchers.len() {
        errors.push(format!("only {clean} streams ended cleanly"));
    }

    // A client that does not read delays the exit, but only for some seconds.
    thread::sleep(MIN_DELAY);
    if !server.is_running()? {
        errors.push("the server did not wait for the last client".to_owned());
    }
    drop(idle);
    while server.is_running()? {
        if begin.elapsed() > TIMEOUT {
            return Err("the server did not stop".into());
        }
        thread::sleep(Duration::from_millis(5));
    }
    let exited = begin.elapsed();
    server.restart(RETRY)?;
    println!(
        "shutdown: {clean} streams ended cleanly, the last one after {last:.1?}; \
         the server exited after {exited:.1?}, and the next one was up after {:.1?}",
        begin.elapsed()
    );
    let retries = ends.iter().map(|end| end.retry);
    errors.extend(check_evenness("told to reconnect", retries, spread, 25));
    Ok(errors)
}

/// Checks when the clients have reconnected. Returns an error, if any.
pub(crate) fn check_returns(watchers: &[Watcher], spread: Duration) -> Option<String> {
    let took = watchers.iter().filter_map(|watcher| {
        let time = watcher.open_since()?.checked_sub(watcher.last_end()?.at)?;
        Some(Duration::from_micros(time))
    });
    check_evenness("reconnected", took, spread, 50)
}

/// Prints the number of clients in each part of the spread, which starts after [`RETRY`]. Returns
/// an error if it differs from an even distribution by more than `percent`.
fn check_evenness(
    what: &str,
    times: impl Iterator<Item = Duration>,
    spread: Duration,
    percent: usize,
) -> Option<String> {
    let mut counts = [0; PARTS];
    let (mut clients, mut strays) = (0, 0);
    for time in times {
        clients += 1;
        let part = time.checked_sub(RETRY).map(|time| time.as_secs_f64());
        let part = part.map(|time| (time / spread.as_secs_f64() * PARTS as f64) as usize);
        // The last client may be late.
        match part {
            Some(part @ ..=PARTS) => counts[part.min(PARTS - 1)] += 1,
            _ => strays += 1,
        }
    }
    let mut line = String::new();
    for count in counts {
        let _ = write!(line, " {count}");
    }
    println!(
        "{what} between {RETRY:.1?} and {:.1?}, in tenths:{line}",
        RETRY + spread
    );
    let share = clients / PARTS;
    let tolerance = share * percent / 100 + 3;
    let is_uneven = counts
        .iter()
        .any(|count| share.abs_diff(*count) > tolerance);
    if is_uneven || strays > 0 || clients == 0 {
        Some(format!(
            "clients {what} unevenly:{line}, and {strays} at other times"
        ))
    } else {
        None
    }
}
