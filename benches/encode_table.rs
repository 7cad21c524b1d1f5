//! Prints encoder throughput, all writers run in turns in one process, as a Markdown table of
//! medians.

use std::hint::black_box;
use std::time::Instant;

#[path = "frames.rs"]
mod frames;

fn main() {
    println!("| frames | writer | million frames/s | GB/s | to plain vec | to plain slice |");
    println!("|---|---|---|---|---|---|");
    for frames in frames::all() {
        let mut out = frames.output();
        let mut nanos = frames.writers.map(|_| Vec::new());
        let passes = 40_000 / frames.bytes + 1;
        for _ in 0..401 {
            for ((_, write), nanos) in frames.writers.iter().zip(&mut nanos) {
                let start = Instant::now();
                for _ in 0..passes {
                    write(black_box(&frames), black_box(&mut out));
                }
                nanos.push(start.elapsed().as_nanos() as f64 / passes as f64);
            }
        }
        let nanos = nanos.map(median);
        for ((name, _), time) in frames.writers.iter().zip(nanos) {
            println!(
                "| {} | {name} | {:.1} | {:.2} | {:.2} | {:.2} |",
                frames.name,
                1e3 * frames.count() as f64 / time,
                frames.bytes as f64 / time,
                nanos[1] / time,
                nanos[3] / time,
            );
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
