//! Prints decoder throughput beside the reference pass, the two run in turns in one process, as a
//! Markdown table of medians.

use sse_proto_benches::{all, decode, reference};
use std::hint::black_box;
use std::time::Instant;

fn main() {
    println!("| stream | chunk | decode, GB/s | reference, GB/s | ratio |\n|---|---|---|---|---|");
    for stream in all(1 << 20) {
        let bytes = &stream.bytes[..];
        for (label, size) in stream.chunks() {
            assert_eq!(
                decode(bytes, size),
                stream.answer,
                "{} in chunks of {size}",
                stream.name
            );
            let rounds = if size == 1 { 15 } else { 101 };
            let (mut ours, mut theirs): (Vec<f64>, Vec<f64>) = (0..rounds)
                .map(|_| {
                    let start = Instant::now();
                    black_box(decode(black_box(bytes), size));
                    let between = Instant::now();
                    black_box(reference(black_box(bytes), size));
                    (
                        speed(bytes, between - start),
                        speed(bytes, between.elapsed()),
                    )
                })
                .unzip();
            let (ours, theirs) = (median(&mut ours), median(&mut theirs));
            println!(
                "| {} | {label} | {ours:.3} | {theirs:.3} | {:.2} |",
                stream.name,
                ours / theirs
            );
        }
    }
}

fn speed(bytes: &[u8], time: std::time::Duration) -> f64 {
    bytes.len() as f64 / time.as_nanos() as f64
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
