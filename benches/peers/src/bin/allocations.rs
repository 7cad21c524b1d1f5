//! Counts the allocations of every decoder and stream type. It is a separate program, so that the
//! counting does not slow down the others.

use bytes::Bytes;
use peers::decoders::{Candidate, OURS, PEERS};
use peers::measure::{Input, Table, check, leak};
use peers::streams::{KEEP_ONE_OF, STREAMS};
use std::time::Duration;

fn main() {
    let inputs: Vec<_> = sse_proto_benches::all(1 << 16)
        .into_iter()
        .map(|stream| {
            let twice = leak(stream.bytes.repeat(2));
            (Input::from(stream), twice)
        })
        .collect();
    let decoders: Vec<_> = [&OURS].into_iter().chain(&PEERS).collect();
    let streams: Vec<_> = STREAMS.iter().collect();
    for (kind, candidates) in [("Decoders", decoders), ("Stream types", streams)] {
        for size in [16, 1400] {
            println!("{kind}, chunk size {size}:\n");
            print!("{}", per_event(&candidates, &inputs, size));
        }
    }
    println!(
        "Bytes that stay allocated per kept event, its struct included, when one of {KEEP_ONE_OF} events is kept and the rest is"
    );
    println!("dropped (llm, each chunk a buffer of 16384 bytes):\n");
    print!("{}", kept());
}

fn per_event(candidates: &[&Candidate], inputs: &[(Input, &'static Bytes)], size: usize) -> Table {
    let names = inputs.iter().map(|(input, _)| input.stream.name);
    let mut table = Table::new(["allocations / bytes"].into_iter().chain(names));
    for candidate in candidates {
        let cells = inputs.iter().map(|(input, twice)| {
            match check(candidate, input, size, Duration::from_secs(1)) {
                Err(why) => table.excluded(&why),
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
    table
}

fn kept() -> Table {
    let streams = sse_proto_benches::all(1 << 20).into_iter();
    let mut inputs = streams
        .filter(|stream| stream.name == "llm")
        .map(Input::from);
    let input = inputs.next().expect("there is such a stream");
    let mut table = Table::new(["", "kept"]);
    for candidate in &STREAMS {
        let keep = candidate.keep.expect("it is a stream type");
        let mut kept = None;
        let memory = allocation_counter::measure(|| kept = Some(keep(input.bytes, 16384)));
        let kept = kept
            .expect("it was called")
            .expect("there is no invalid UTF-8");
        let events = kept.events as u64;
        assert_eq!(events, input.stream.answer.events / KEEP_ONE_OF);
        let bytes = memory.bytes_current as f64 / events as f64;
        table.row(candidate.name, vec![format!("{bytes:.0}")]);
    }
    table
}
