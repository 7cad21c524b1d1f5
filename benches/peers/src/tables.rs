//! The main tables: throughput of every decoder on every stream at every chunk size.

use crate::decoders::{Candidate, OURS, PEERS, REFERENCE};
use crate::measure::{Input, Out, Table, check, measure};
use crate::streams::STREAMS;
use std::time::Duration;

/// One that takes longer for a stream is not measured.
const CAP: Duration = Duration::from_secs(1);

/// What one stream gave.
pub struct Results {
    /// Name of the stream.
    pub stream: &'static str,
    /// What the stream is.
    pub about: &'static str,
    /// Names of the chunk sizes.
    pub chunks: Vec<&'static str>,
    /// Of each candidate, GB/s at each chunk size.
    pub rows: Vec<(&'static str, Vec<Result<f64, Out>>)>,
}

/// All candidates, ours first and the reference next.
pub fn candidates() -> Vec<&'static Candidate> {
    [&OURS, &REFERENCE].into_iter().chain(&PEERS).collect()
}

/// Measures the streams and chunk sizes that are wanted, takes at most about `time` for each pair, and
/// prints each table as soon as it is there.
pub fn run(
    streams: impl Fn(&str) -> bool,
    chunks: impl Fn(&str) -> bool,
    time: Duration,
) -> Vec<Results> {
    let candidates = candidates();
    let mut all = Vec::new();
    for stream in sse_proto_benches::all(1 << 20) {
        if !streams(stream.name) {
            continue;
        }
        let sizes: Vec<_> = stream
            .chunks()
            .into_iter()
            .filter(|(name, _)| chunks(name))
            .collect();
        let len = stream.bytes.len() as f64;
        let mut results = Results {
            stream: stream.name,
            about: stream.about,
            chunks: Vec::new(),
            rows: candidates
                .iter()
                .map(|candidate| (candidate.name, Vec::new()))
                .collect(),
        };
        let input = Input::from(stream);
        for (name, size) in sizes {
            results.chunks.push(name);
            let nanos = measure(&candidates, &input, size, 201, time, CAP);
            for ((_, cells), nanos) in results.rows.iter_mut().zip(nanos) {
                cells.push(nanos.map(|nanos| len / nanos));
            }
        }
        results.print();
        all.push(results);
    }
    all
}

/// Checks all answers at all chunk sizes, on streams of about `len` bytes, and times nothing: only
/// those that are strict may be wrong, and only where there is invalid UTF-8.
pub fn check_all(len: usize) {
    let mut answers = 0;
    for stream in sse_proto_benches::all(len) {
        let chunks = stream.chunks();
        let input = Input::from(stream);
        let valid = std::str::from_utf8(input.bytes).is_ok();
        for candidate in candidates().into_iter().chain(&STREAMS) {
            for &(_, size) in &chunks {
                let result = check(candidate, &input, size, Duration::from_secs(60));
                assert_eq!(
                    result.is_ok(),
                    valid || !candidate.strict,
                    "{}: {} in chunks of {size}: {result:?}",
                    candidate.name,
                    input.stream.name,
                );
                answers += 1;
            }
        }
    }
    println!("{answers} answers are as expected");
}

impl Results {
    /// GB/s, and how ours compares.
    fn print(&self) {
        let mut table = Table::new(["GB/s"].into_iter().chain(self.chunks.iter().copied()));
        for (name, cells) in &self.rows {
            let cells = cells
                .iter()
                .map(|cell| match cell {
                    Ok(speed) => format!("{speed:.3}"),
                    Err(out) => table.out(out),
                })
                .collect();
            table.row(name, cells);
        }
        let [(_, ours), (_, reference), peers @ ..] = &self.rows[..] else {
            unreachable!("ours and the reference are always there")
        };
        let ratio = |ours: &Result<f64, Out>, other: f64| match ours {
            Ok(ours) if other > 0.0 => format!("**{:.2}**", ours / other),
            _ => "-".to_owned(),
        };
        let mut to_reference = Vec::new();
        let mut to_peers = Vec::new();
        for (column, ours) in ours.iter().enumerate() {
            to_reference.push(ratio(ours, *reference[column].as_ref().unwrap_or(&0.0)));
            let peers = peers
                .iter()
                .filter_map(|(_, cells)| cells[column].as_ref().ok());
            to_peers.push(ratio(ours, peers.copied().fold(0.0, f64::max)));
        }
        table.row("sse-proto / reference", to_reference);
        table.row("sse-proto / fastest peer", to_peers);
        print!("**{}**: {}\n\n{table}", self.stream, self.about);
    }
}
