//! The main tables: throughput of every decoder for every stream and chunk size.

use crate::decoders::{Candidate, OURS, PEERS, REFERENCE};
use crate::measure::{Excluded, Input, Table, check, measure};
use crate::streams::STREAMS;
use std::time::Duration;

/// A candidate that takes longer for a stream is not measured.
const TIME_LIMIT: Duration = Duration::from_secs(1);

/// Results for one stream.
pub struct Results {
    /// Name of the stream.
    pub stream: &'static str,
    /// Short description of the stream.
    pub about: &'static str,
    /// Names of the chunk sizes.
    pub chunks: Vec<&'static str>,
    /// For each candidate: GB/s at each chunk size.
    pub rows: Vec<(&'static str, Vec<Result<f64, Excluded>>)>,
}

/// All candidates: ours, the reference, then the peers.
pub fn candidates() -> Vec<&'static Candidate> {
    [&OURS, &REFERENCE].into_iter().chain(&PEERS).collect()
}

/// Measures the requested streams and chunk sizes, for at most about `time` each, and prints each table
/// as soon as it is complete.
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
            let nanos = measure(&candidates, &input, size, 201, time, TIME_LIMIT);
            for ((_, cells), nanos) in results.rows.iter_mut().zip(nanos) {
                cells.push(nanos.map(|nanos| len / nanos));
            }
        }
        results.print();
        all.push(results);
    }
    all
}

/// Checks all answers at all chunk sizes, on streams of about `len` bytes, without timing: only
/// strict candidates may be wrong, and only at invalid UTF-8.
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
    /// Prints GB/s, and the ratios of ours to the reference and the fastest peer.
    fn print(&self) {
        let mut table = Table::new(["GB/s"].into_iter().chain(self.chunks.iter().copied()));
        for (name, cells) in &self.rows {
            let cells = cells
                .iter()
                .map(|cell| match cell {
                    Ok(speed) => format!("{speed:.3}"),
                    Err(why) => table.excluded(why),
                })
                .collect();
            table.row(name, cells);
        }
        let [(_, ours), (_, reference), peers @ ..] = &self.rows[..] else {
            unreachable!("ours and the reference are always there")
        };
        let ratio = |ours: &Result<f64, Excluded>, other: f64| match ours {
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
