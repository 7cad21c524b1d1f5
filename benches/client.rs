//! Overhead of the reconnecting client compared with `EventStream` on the same body: time and allocations per event, with
//! and without a read timeout.
//!
//! `cargo run --release -p sse-proto-benches --example client` runs all candidates in turns and prints medians of 201
//! passes. With a number as its argument, it runs only that candidate, twice, on `llm` with one event per chunk, for
//! `valgrind --tool=callgrind --toggle-collect='client::pass*'`.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use allocation_counter::measure;
use bytes::Bytes;
use futures_core::Stream;
use http::{Request, Response};
use http_body::{Body, Frame};
use sse_proto_benches::all;
use sse_proto_stream::{EventSource, EventStream, Received};

const PASSES: usize = 201;
const NAMES: [&str; 4] = [
    "EventStream",
    "EventSource",
    "with a read timeout",
    "events()",
];

fn main() {
    let mut arguments = std::env::args().skip(1);
    if let Some(candidate) = arguments.next() {
        let candidate = candidate.parse().expect("the number of a candidate");
        let stream = &all(1 << 20)[0];
        let size = stream.event_len;
        let chunks = chunks(&stream.bytes, size);
        for _ in 0..2 {
            println!("{} events", pass(candidate, &chunks));
        }
        return;
    }
    println!(
        "| ns per event (difference to EventStream) | chunk | {} | allocations |",
        NAMES.join(" | ")
    );
    println!("|---|---:|{}---:|", "---:|".repeat(NAMES.len()));
    for stream in all(1 << 20) {
        for (name, size) in stream.chunks() {
            if !["event", "1400", "16384"].contains(&name) {
                continue;
            }
            let chunks = chunks(&stream.bytes, size);
            let mut times = NAMES.map(|_| Vec::new());
            for _ in 0..PASSES {
                for (candidate, times) in times.iter_mut().enumerate() {
                    let start = Instant::now();
                    assert_eq!(
                        black_box(pass(candidate, black_box(&chunks))),
                        stream.answer.events
                    );
                    times.push(start.elapsed());
                }
            }
            let times = times.map(|mut times| {
                times.sort();
                times[PASSES / 2].as_secs_f64() * 1e9 / stream.answer.events as f64
            });
            let allocations: Vec<_> = (0..NAMES.len())
                .map(|candidate| {
                    let info = measure(|| {
                        pass(candidate, &chunks);
                    });
                    format!(
                        "{:.2}",
                        info.count_total as f64 / stream.answer.events as f64
                    )
                })
                .collect();
            let cells = times.map(|time| format!("{time:.1} ({:+.1})", time - times[0]));
            println!(
                "| {} | {name} | {} | {} |",
                stream.name,
                cells.join(" | "),
                allocations.join(" ")
            );
        }
    }
}

/// Returns slices of one buffer, as HTTP libraries do.
fn chunks(bytes: &[u8], size: usize) -> Vec<Bytes> {
    let bytes = Bytes::copy_from_slice(bytes);
    let starts = (0..bytes.len()).step_by(size);
    starts
        .map(|start| bytes.slice(start..bytes.len().min(start + size)))
        .collect()
}

/// Returns the number of events that a candidate yields.
#[inline(never)]
fn pass(candidate: usize, chunks: &[Bytes]) -> u64 {
    let body = Chunks(Vec::from(chunks).into_iter());
    let sleep = |_: Duration| std::future::pending::<()>();
    let mut answers = Some(body);
    let mut connect = move |_: Request<Bytes>| -> Ready<Result<Response<Chunks>, http::Error>> {
        let response = Response::builder().header("content-type", "text/event-stream");
        ready(response.body(answers.take().expect("one request")))
    };
    let url = "http://a.example/";
    match candidate {
        0 => {
            let body = connect(Request::default())
                .into_inner()
                .expect("a response")
                .into_body();
            count(pin!(EventStream::from_body(body)), |item| item.is_ok())
        }
        1 => {
            let source = EventSource::get(url, connect, sleep).expect("a URL");
            count(pin!(source), |item| matches!(item, Ok(Received::Event(_))))
        }
        2 => {
            let source = EventSource::get(url, connect, sleep).expect("a URL");
            let source = source.read_timeout(Duration::from_secs(60));
            count(pin!(source), |item| matches!(item, Ok(Received::Event(_))))
        }
        _ => {
            let source = EventSource::get(url, connect, sleep).expect("a URL");
            count(pin!(source.events()), |item| item.is_ok())
        }
    }
}

fn count<S: Stream>(mut stream: Pin<&mut S>, is_event: impl Fn(&S::Item) -> bool) -> u64 {
    let mut context = Context::from_waker(Waker::noop());
    let mut events = 0;
    while let Poll::Ready(Some(item)) = stream.as_mut().poll_next(&mut context) {
        events += u64::from(is_event(black_box(&item)));
    }
    events
}

struct Chunks(std::vec::IntoIter<Bytes>);

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(|chunk| Ok(Frame::data(chunk))))
    }
}
