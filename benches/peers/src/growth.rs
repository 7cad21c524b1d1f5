//! Cost per byte as events grow, which should stay constant.

use crate::measure::{Excluded, Input, Table, measure};
use crate::tables::candidates;
use std::time::Duration;

/// A candidate that takes longer for a stream is not measured on it, nor on longer events.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// Measures events of 16 KB to `largest` bytes and prints a table for each shape and chunk size.
pub fn run(largest: usize) {
    let sizes: Vec<_> = (0..)
        .map(|step| (16 << 10) << (2 * step))
        .take_while(|&size| size <= largest)
        .collect();
    let chunks = [
        ("16", 16),
        ("1400", 1400),
        ("16384", 16384),
        ("whole", usize::MAX),
    ];
    let all = candidates();
    for (many_lines, shape) in [(false, "one line"), (true, "lines of 100 bytes")] {
        let mut nanos = vec![Vec::new(); chunks.len()];
        for &size in &sizes {
            let input = Input::from(sse_proto_benches::growing(many_lines, size, 1 << 20));
            for (&(_, chunk), nanos) in chunks.iter().zip(&mut nanos) {
                nanos.push(costs(&all, &input, chunk, nanos.last()));
            }
        }
        for ((chunk, _), nanos) in chunks.iter().zip(nanos) {
            println!("Events of {shape}, chunk size {chunk}, ns per byte:\n");
            let names: Vec<_> = sizes.iter().map(|size| size_name(*size)).collect();
            let columns = ["event"]
                .into_iter()
                .chain(names.iter().map(String::as_str));
            let mut table = Table::new(columns);
            for (row, candidate) in all.iter().enumerate() {
                let cells = nanos.iter().map(|column| match &column[row] {
                    Ok(nanos) => format!("{nanos:.3}"),
                    Err(why) => table.excluded(why),
                });
                let cells = cells.collect();
                table.row(candidate.name, cells);
            }
            print!("{table}");
        }
    }
}

type Costs = Vec<Result<f64, Excluded>>;

/// Measures all candidates except those that were too slow or wrong `before`.
fn costs(
    all: &[&'static crate::decoders::Candidate],
    input: &Input,
    chunk: usize,
    before: Option<&Costs>,
) -> Costs {
    let out = |row: usize| before.and_then(|costs| costs[row].as_ref().err());
    let remaining: Vec<_> = (0..all.len()).filter(|&row| out(row).is_none()).collect();
    let candidates: Vec<_> = remaining.iter().map(|&row| all[row]).collect();
    let chunk = chunk.min(input.bytes.len());
    let time = Duration::from_secs(1);
    let nanos = measure(&candidates, input, chunk, 15, time, TIME_LIMIT);
    let mut costs: Costs = (0..all.len())
        .map(|row| Err(out(row).cloned().unwrap_or(Excluded::Slow(TIME_LIMIT))))
        .collect();
    for (row, nanos) in remaining.into_iter().zip(nanos) {
        costs[row] = nanos.map(|nanos| nanos / input.bytes.len() as f64);
    }
    costs
}

fn size_name(size: usize) -> String {
    match size {
        size if size < 1 << 20 => format!("{} KB", size >> 10),
        size => format!("{} MB", size >> 20),
    }
}
