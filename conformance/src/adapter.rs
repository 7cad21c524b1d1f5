//! Makes a program of a closure: an adapter, for implementations in Rust.
//!
//! ```no_run
//! use sse_conformance::{Answer, Capabilities, DecodeAnswer, Item, Request, adapter};
//!
//! # struct Decoder;
//! # impl Decoder {
//! #     fn new(_: Option<String>) -> Self { Self }
//! #     fn feed(&mut self, _: &[u8]) -> Vec<Item> { vec![] }
//! #     fn last_event_id(&self) -> String { String::new() }
//! # }
//! fn main() -> std::io::Result<()> {
//!     adapter::serve("my-decoder", "1.0.0", &Capabilities::all(), |request| match request {
//!         Request::Decode(request) => {
//!             let mut decoder = Decoder::new(request.last_event_id);
//!             let chunks = request.chunks.iter().map(|chunk| decoder.feed(chunk));
//!             Answer::Decode(DecodeAnswer {
//!                 chunks: chunks.collect(),
//!                 last_event_id: Some(decoder.last_event_id()),
//!             })
//!         }
//!         _ => Answer::Unsupported,
//!     })
//! }
//! ```

use std::{
    io::{self, BufRead, BufReader, BufWriter, Write},
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{
    Answer, Capabilities, Request,
    wire::{self, Asked},
};

/// Answers the requests on standard input on standard output, until there are no more. A closure that panics has not
/// served its request, and that is all: the next one is asked as well.
///
/// # Errors
///
/// If one of the two cannot be read or written.
pub fn serve(
    name: &str,
    version: &str,
    capabilities: &Capabilities,
    mut answer: impl FnMut(Request) -> Answer,
) -> io::Result<()> {
    let mut input = BufReader::new(io::stdin().lock());
    let mut output = BufWriter::new(io::stdout().lock());
    let mut line = Vec::new();
    loop {
        // Without a whole line at hand the next read may wait, perhaps for somebody who waits for the answers.
        if !input.buffer().contains(&b'\n') {
            output.flush()?;
        }
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return output.flush();
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        output.write_all(&answer_to(&line, name, version, capabilities, &mut answer))?;
    }
}

/// The line that answers a line, both with their line ends: for adapters that do their own reading and writing.
///
/// ```
/// use sse_conformance::{Answer, Capabilities, adapter};
///
/// let line = br#"{"case": 7, "kind": "a new one"}"#;
/// let answer = adapter::answer_to(line, "mine", "1.0", &Capabilities::all(), &mut |_| Answer::Unsupported);
/// assert_eq!(answer, b"{\"case\":7,\"unsupported\":true}\n");
/// ```
pub fn answer_to(
    line: &[u8],
    name: &str,
    version: &str,
    capabilities: &Capabilities,
    answer: &mut impl FnMut(Request) -> Answer,
) -> Vec<u8> {
    let (case, asked) = wire::request(line);
    let answer = match asked {
        Ok(Asked::Case(request)) => caught(|| answer(*request)),
        Ok(Asked::Capabilities) => return wire::greeting_line(&case, name, version, capabilities),
        Ok(Asked::Unknown) => Answer::Unsupported,
        Err(why) => Answer::Failed(why),
    };
    wire::answer_line(case, answer)
}

fn caught(answer: impl FnOnce() -> Answer) -> Answer {
    // What a panic leaves behind is the caller's, and no worse than what a thread that panics leaves.
    catch_unwind(AssertUnwindSafe(answer)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(|text| &**text));
        Answer::Failed(format!("panicked: {}", text.unwrap_or("no message")))
    })
}
