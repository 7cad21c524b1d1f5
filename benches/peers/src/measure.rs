//! Checks the answers, then measures: all candidates take turns in one process; figures are medians.
//!
//! The time is the processor time of the thread, so other programs matter only through the caches.

use crate::decoders::Candidate;
use bytes::Bytes;
use cpu_time::ThreadTime;
use sse_proto_benches::Stream;
use std::fmt::{self, Write};
use std::hint::black_box;
use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, Instant};

/// A stream whose bytes are never freed: decoders borrow plain slices of them, stream types get
/// reference-counted ones.
pub struct Input {
    /// What was generated, without the bytes.
    pub stream: Stream,
    /// The bytes.
    pub bytes: &'static Bytes,
}

impl From<Stream> for Input {
    fn from(mut stream: Stream) -> Self {
        let bytes = leak(std::mem::take(&mut stream.bytes));
        Self { stream, bytes }
    }
}

/// Bytes that are never freed.
pub fn leak(bytes: Vec<u8>) -> &'static Bytes {
    let bytes = Box::leak(Box::new(Bytes::from(bytes)));
    // The first clone allocates the reference count; do it here, so that no measurement includes it.
    drop(bytes.clone());
    bytes
}

/// Why a candidate is not measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Excluded {
    /// It had not finished after this time.
    Slow(Duration),
    /// Its answer is wrong, in this way.
    Wrong(String),
}

/// Checks that `candidate` gives the right answer within `time`.
pub fn check(
    candidate: &Candidate,
    input: &Input,
    size: usize,
    time: Duration,
) -> Result<(), Excluded> {
    let Some(decode) = candidate.digest else {
        return Ok(());
    };
    let start = ThreadTime::now();
    let deadline = Instant::now() + 3 * time;
    // Panic messages go into the tables instead of standard error.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let result = panic::catch_unwind(AssertUnwindSafe(|| decode(input.bytes, size, deadline)));
    panic::set_hook(hook);
    if start.elapsed() > time || Instant::now() > deadline {
        return Err(Excluded::Slow(time));
    }
    let wrong = match result {
        Err(payload) => format!("panics: {}", message(&*payload)),
        Ok(Err(_)) if candidate.strict && str::from_utf8(input.bytes).is_err() => {
            "ends with an error at invalid UTF-8, which the standard replaces with U+FFFD"
                .to_owned()
        }
        Ok(Err(error)) => format!("ends with an error: {error}"),
        Ok(Ok((answer, _))) if answer.events != input.stream.answer.events => {
            "wrong number of events".to_owned()
        }
        Ok(Ok((_, digest))) if digest != input.stream.digest => "wrong data".to_owned(),
        Ok(Ok(_)) => return Ok(()),
    };
    Err(Excluded::Wrong(
        wrong.split_whitespace().collect::<Vec<_>>().join(" "),
    ))
}

/// Checks all candidates, then returns the nanoseconds that each takes for one pass over `input`: the
/// median of `rounds` passes, or of fewer if a candidate is slower than its share of `time`.
pub fn measure(
    candidates: &[&Candidate],
    input: &Input,
    size: usize,
    rounds: u32,
    time: Duration,
    cap: Duration,
) -> Vec<Result<f64, Excluded>> {
    let out = candidates
        .iter()
        .map(|candidate| check(candidate, input, size, cap));
    let mut runs: Vec<_> = out.map(|out| out.map(|()| Vec::new())).collect();
    let share = time.as_nanos() as f64 / candidates.len() as f64;
    for round in 0..rounds {
        for (candidate, nanos) in candidates.iter().zip(&mut runs) {
            let Ok(nanos) = nanos else { continue };
            // Slow candidates skip rounds, evenly from the first to the last, but make at least three
            // passes.
            let so_far = f64::from(round) / f64::from(rounds);
            let first = nanos.first().copied().unwrap_or(0.0);
            if nanos.iter().sum::<f64>() > share.max(2.5 * first) * so_far {
                continue;
            }
            let start = ThreadTime::now();
            let answer = (candidate.run)(black_box(input.bytes), black_box(size));
            nanos.push(start.elapsed().as_nanos() as f64);
            if candidate.digest.is_some() {
                assert_eq!(answer, Ok(input.stream.answer), "{}", candidate.name);
            }
        }
    }
    runs.into_iter().map(|nanos| nanos.map(median)).collect()
}

/// Returns the median of an odd number of values.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn message(payload: &(dyn std::any::Any + Send)) -> &str {
    payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

/// A Markdown table with notes on its cells.
#[derive(Default)]
pub struct Table {
    rows: String,
    notes: Vec<String>,
}

impl Table {
    /// A table with these columns; all but the first contain numbers.
    pub fn new<'a>(columns: impl IntoIterator<Item = &'a str>) -> Self {
        let mut table = Self::default();
        let columns: Vec<_> = columns.into_iter().map(str::to_owned).collect();
        let rule = format!("|---|{}\n", "---:|".repeat(columns.len() - 1));
        let (head, columns) = columns.split_first().expect("there is a first column");
        table.row(head, columns.to_vec());
        table.rows += &rule;
        table
    }

    /// Adds a row.
    pub fn row(&mut self, name: &str, cells: Vec<String>) {
        writeln!(self.rows, "| {name} | {} |", cells.join(" | ")).expect("a String takes all");
    }

    /// Returns the cell of a candidate without a number, and adds its note.
    pub fn excluded(&mut self, why: &Excluded) -> String {
        match why {
            Excluded::Slow(time) => format!("> {time:?}"),
            Excluded::Wrong(reason) => {
                let known = self.notes.iter().position(|note| note == reason);
                let number = known.unwrap_or(self.notes.len());
                if known.is_none() {
                    self.notes.push(reason.clone());
                }
                format!("- ({})", number + 1)
            }
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.rows)?;
        for (number, note) in self.notes.iter().enumerate() {
            writeln!(f, "({}) {note}  ", number + 1)?;
        }
        if !self.notes.is_empty() {
            writeln!(f)?;
        }
        Ok(())
    }
}
