//! Runs one case under callgrind, which counts only the instructions of [`measured`].
//!
//! Without an argument, it lists all cases, each with the number of bytes that it reads or writes; with the name of a case,
//! it runs that case. Called by `benches/instructions.sh`.

use sse_proto_benches::{all, decode, decode_rest, frames};
use std::hint::black_box;

/// Length of each stream: two events of the longest kind.
const LEN: usize = 1 << 16;

/// The chunk sizes and the writers whose instructions are counted.
const CHUNKS: [&str; 6] = ["1", "16", "64", "event", "1400", "16384"];
const RESTS: [&str; 3] = ["llm", "tiny", "cjk"];
const LONG_CHUNKS: [&str; 2] = ["1400", "16384"];
const WRITERS: [&str; 2] = ["vec", "slice"];

fn main() {
    let wanted = std::env::args().nth(1);
    let mut known = false;
    let mut case = |name: String, bytes: usize, work: &mut dyn FnMut()| match &wanted {
        None => println!("{name} {bytes}"),
        Some(wanted) if *wanted == name => {
            // The first run is not counted: it includes what happens only once, such as growing an output.
            work();
            measured(work);
            known = true;
        }
        Some(_) => {}
    };
    for stream in all(LEN) {
        let bytes = &stream.bytes[..];
        for (label, size) in stream.chunks() {
            if CHUNKS.contains(&label) {
                case(
                    format!("decode/{}/{label}", stream.name),
                    bytes.len(),
                    &mut || assert_eq!(decode(black_box(bytes), size), stream.answer),
                );
            }
        }
    }
    // `rest()` is fed again after each event.
    for stream in all(LEN) {
        let bytes = &stream.bytes[..];
        for (label, size) in stream.chunks() {
            if RESTS.contains(&stream.name) && LONG_CHUNKS.contains(&label) {
                case(
                    format!("decode-rest/{}/{label}", stream.name),
                    bytes.len(),
                    &mut || assert_eq!(decode_rest(black_box(bytes), size), stream.answer),
                );
            }
        }
    }
    for frames in frames::all() {
        let mut out = frames.output();
        for (label, write) in frames.writers {
            if WRITERS.contains(&label) {
                case(
                    format!("encode/{}/{label}", frames.name),
                    frames.bytes,
                    &mut || write(black_box(&frames), black_box(&mut out)),
                );
            }
        }
    }
    assert!(known || wanted.is_none(), "unknown case");
}

#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    work();
    black_box(());
}
