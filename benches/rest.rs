//! Cost of feeding `rest()` again after each event, as a multiple of the time with one cursor per chunk.
//!
//! Both run in turns; each figure is the ratio of two medians of 101 passes. `cargo run --release -p sse-proto-benches --example rest`

use sse_proto_benches::{decode, decode_rest};
use std::hint::black_box;
use std::time::Instant;

const LEN: usize = 1 << 19;
const CHUNKS: [usize; 8] = [64, 256, 1400, 4096, 8192, 16_384, 65_536, LEN];

fn main() {
    println!(
        "| data, bytes per event | {} |",
        CHUNKS.map(|size| size.to_string()).join(" | ")
    );
    println!("|---|{}", "---:|".repeat(CHUNKS.len()));
    for (name, text) in [
        ("ASCII", "abcdefghijklmnopqrstuvwxyz"),
        ("CJK", "\u{65E5}\u{672C}\u{8A9E}"),
    ] {
        for len in [20, 24, 50, 100, 200] {
            let mut data: String = text.chars().cycle().take(len).collect();
            while data.len() + "data: \n\n".len() > len {
                data.pop();
            }
            let event = format!("data: {data}\n\n");
            let stream = event.repeat(LEN / event.len());
            let cells = CHUNKS.map(|size| format!("{:.2}", ratio(stream.as_bytes(), size)));
            println!("| {name}, {} | {} |", event.len(), cells.join(" | "));
        }
    }
}

fn ratio(stream: &[u8], size: usize) -> f64 {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..101 {
        for (decode, times) in [decode, decode_rest].into_iter().zip(&mut times) {
            let start = Instant::now();
            black_box(decode(black_box(stream), black_box(size)));
            times.push(start.elapsed());
        }
    }
    assert_eq!(decode(stream, size), decode_rest(stream, size));
    let [kept, again] = times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    });
    again.as_secs_f64() / kept.as_secs_f64()
}
