//! The tables of the stream types: time per event of each type on every stream at every chunk size.

use crate::measure::{Excluded, Input, Table, measure};
use crate::streams::{BORROWED, OWNED, PEERS, STREAMS};
use std::time::Duration;

/// The chunk sizes that are measured.
const CHUNKS: [&str; 4] = ["event", "16", "1400", "16384"];

/// A candidate that takes longer for a stream is not measured.
const TIME_LIMIT: Duration = Duration::from_secs(1);

/// Results for one stream.
struct Results {
    stream: &'static str,
    about: &'static str,
    events: f64,
    /// For each chunk size: its name, and the nanoseconds of each of [`STREAMS`].
    columns: Vec<(&'static str, Vec<Result<f64, Excluded>>)>,
}

/// Measures the requested streams and chunk sizes, for about `time` each, and prints a comparison with the other crates,
/// then a table for each stream.
pub fn run(streams: impl Fn(&str) -> bool, chunks: impl Fn(&str) -> bool, time: Duration) {
    let candidates: Vec<_> = STREAMS.iter().collect();
    let mut all = Vec::new();
    for stream in sse_proto_benches::all(1 << 18) {
        if !streams(stream.name) {
            continue;
        }
        let sizes = stream.chunks();
        let input = Input::from(stream);
        let columns = sizes
            .into_iter()
            .filter(|(name, _)| CHUNKS.contains(name) && chunks(name))
            .map(|(name, size)| {
                (
                    name,
                    measure(&candidates, &input, size, 201, time, TIME_LIMIT),
                )
            });
        all.push(Results {
            columns: columns.collect(),
            stream: input.stream.name,
            about: input.stream.about,
            events: input.stream.answer.events as f64,
        });
    }
    print_summary(&all);
    for results in &all {
        results.print();
    }
}

fn print_summary(all: &[Results]) {
    let names = all.iter().flat_map(|results| {
        let names = results.columns.iter();
        names.map(|(chunk, _)| format!("{} {chunk}", results.stream))
    });
    let names: Vec<_> = names.collect();
    let columns: Vec<_> = all.iter().flat_map(|results| &results.columns).collect();
    let head = ["time / time of sse-proto-stream"].into_iter();
    let mut table = Table::new(head.chain(names.iter().map(String::as_str)));
    for (row, candidate) in STREAMS.iter().enumerate().skip(PEERS) {
        let cells = columns.iter().map(|(_, times)| match &times[row] {
            Ok(time) => ratio(*time, &times[OWNED]),
            Err(why) => table.excluded(why),
        });
        let cells = cells.collect();
        table.row(candidate.name, cells);
    }
    add_ratios(&mut table, columns);
    print!("All streams at all chunk sizes (above 1, sse-proto-stream is faster):\n\n{table}");
}

impl Results {
    /// Prints nanoseconds per event, and the ratios to the fastest peer.
    fn print(&self) {
        let names = self.columns.iter().map(|(name, _)| *name);
        let mut table = Table::new(["ns per event"].into_iter().chain(names));
        for (row, candidate) in STREAMS.iter().enumerate() {
            let cells = self.columns.iter().map(|(_, times)| match &times[row] {
                Ok(time) => format!("{:.1}", time / self.events),
                Err(why) => table.excluded(why),
            });
            let cells = cells.collect();
            table.row(candidate.name, cells);
        }
        add_ratios(&mut table, &self.columns);
        print!("**{}**: {}\n\n{table}", self.stream, self.about);
    }
}

/// Adds the rows with the ratio of the fastest peer to ours.
fn add_ratios<'a>(
    table: &mut Table,
    columns: impl IntoIterator<Item = &'a (&'static str, Vec<Result<f64, Excluded>>)>,
) {
    let cells = columns.into_iter().map(|(_, times)| {
        let peers = times[PEERS..].iter().filter_map(|time| time.as_ref().ok());
        let fastest = peers.copied().fold(f64::INFINITY, f64::min);
        [OWNED, BORROWED].map(|row| format!("**{}**", ratio(fastest, &times[row])))
    });
    let (owned, borrowed) = cells.map(|[owned, borrowed]| (owned, borrowed)).unzip();
    table.row("fastest peer / sse-proto-stream", owned);
    table.row("fastest peer / borrowed", borrowed);
}

fn ratio(time: f64, ours: &Result<f64, Excluded>) -> String {
    match ours {
        Ok(ours) if time.is_finite() => format!("{:.2}", time / ours),
        _ => "-".to_owned(),
    }
}
