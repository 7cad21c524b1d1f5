//! The server is asked to stop while all streams are open, and started again: how streams end, and when
//! clients come back.

use std::{
    error::Error,
    fmt::Write as _,
    thread,
    time::{Duration, Instant},
};

use crate::{
    PATIENCE, RETRY, come_true,
    feed::Feed,
    idle::Idle,
    server::Server,
    watcher::{End, Watcher},
};
use sse_proto::Reason;

/// How long it may take until the last stream has ended.
const AT_ONCE: Duration = Duration::from_secs(1);

/// For how long a client that reads nothing keeps the server, at least.
const STILL_THERE: Duration = Duration::from_millis(200);

/// Into how many parts of equal length the spread is cut, to look at how even it is.
const PARTS: usize = 10;

/// Stops the server, and starts the next one. Returns what was wrong.
pub(crate) fn shutdown(
    server: &mut Server,
    idle: Idle,
    watchers: &[Watcher],
    feed: &Feed,
    spread: Duration,
) -> Result<Vec<String>, Box<dyn Error>> {
    let mut faults = Vec::new();
    let (begin, begin_of_feed) = (Instant::now(), feed.now());
    server.stop()?;
    let ends = || {
        let ends = watchers.iter().filter_map(Watcher::last_end);
        ends.filter(|end| end.at >= begin_of_feed)
    };
    come_true(|| ends().count() == watchers.len() || begin.elapsed() > 2 * AT_ONCE);
    let ends: Vec<End> = ends().collect();
    let last = ends.iter().map(|end| end.at).max().unwrap_or(0);
    let last = Duration::from_micros(last.saturating_sub(begin_of_feed));
    if ends.len() < watchers.len() || last > AT_ONCE {
        faults.push(format!(
            "only {} streams ended within {last:.1?}",
            ends.len()
        ));
    }
    let is_clean = |end: &&End| end.reason == Reason::EndOfBody;
    let clean = ends.iter().filter(is_clean).count();
    if clean < watchers.len() {
        faults.push(format!("only {clean} streams had a proper end"));
    }

    // What nobody reads keeps the server from going; some seconds later it would go all the same.
    thread::sleep(STILL_THERE);
    if !server.is_running()? {
        faults.push("the server did not wait for the last client".to_owned());
    }
    drop(idle);
    while server.is_running()? {
        if begin.elapsed() > PATIENCE {
            return Err("the server does not stop".into());
        }
        thread::sleep(Duration::from_millis(5));
    }
    let gone = begin.elapsed();
    server.restart(RETRY)?;
    println!(
        "shutdown: {clean} streams ended properly, the last after {last:.1?}; \
         the server was gone after {gone:.1?}, and the next one up after {:.1?}",
        begin.elapsed()
    );
    let told = ends.iter().map(|end| end.retry);
    faults.extend(is_even("told to come back", told, spread, 25));
    Ok(faults)
}

/// When the clients have come back. Returns what was wrong.
pub(crate) fn returned(watchers: &[Watcher], spread: Duration) -> Option<String> {
    let took = watchers.iter().filter_map(|watcher| {
        let time = watcher.open_since()?.checked_sub(watcher.last_end()?.at)?;
        Some(Duration::from_micros(time))
    });
    is_even("have come back", took, spread, 50)
}

/// Prints how many clients there are in each part of the spread, which begins after [`RETRY`], and
/// complains if that differs from an even distribution by more than `percent`.
fn is_even(
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
        // The last one may be late.
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
