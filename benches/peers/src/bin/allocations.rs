//! Allocations of every decoder, counted. A program of its own, so that no other one is slowed down
//! by the counting.

use peers::decoders::{OURS, PEERS};
use peers::measure::{Input, Table, check};
use peers::streams::STREAMS;
use std::time::Duration;

fn main() {
    let inputs: Vec<_> = sse_proto_benches::all(1 << 16)
        .into_iter()
        .map(|stream| {
            let twice: &[u8] = stream.bytes.repeat(2).leak();
            (Input::from(stream), twice)
        })
        .collect();
    for size in [16, 1400] {
        println!("Chunk size {size}:\n");
        let names = inputs.iter().map(|(input, _)| input.stream.name);
        let mut table = Table::new(["allocations / bytes"].into_iter().chain(names));
        for candidate in [&OURS].into_iter().chain(&PEERS).chain(&STREAMS) {
            let cells = inputs.iter().map(|(input, twice)| {
                match check(candidate, input, size, Duration::from_secs(1)) {
                    Err(out) => table.out(&out),
                    Ok(()) => {
                        let count = |bytes| {
                            allocation_counter::measure(|| {
                                std::hint::black_box((candidate.run)(bytes, size))
                                    .expect("it was checked");
                            })
                        };
                        let (once, twice) = (count(input.bytes), count(twice));
                        let per_event = |twice: u64, once: u64| {
                            (twice as f64 - once as f64) / input.stream.answer.events as f64
                        };
                        format!(
                            "{:.1} / {:.0}",
                            per_event(twice.count_total, once.count_total),
                            per_event(twice.bytes_total, once.bytes_total),
                        )
                    }
                }
            });
            let cells = cells.collect();
            table.row(candidate.name, cells);
        }
        print!("{table}");
    }
}
