//! Turns a closure into an adapter, for implementations in Rust.
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
    protocol::{self, AdapterRequest},
};

/// Reads requests from standard input and writes their answers to standard output until the input
/// ends. A panic in the closure becomes the answer `{"error": …}` to its request; the next request
/// is served as usual.
///
/// # Errors
///
/// If standard input cannot be read or standard output cannot be written.
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
        // The next read may block, and the runner may be waiting for these answers before it writes
        // more.
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
        output.write_all(&handle_line(
            &line,
            name,
            version,
            capabilities,
            &mut answer,
        ))?;
    }
}

/// Returns the line that answers a request line, with its LF, for adapters that do their own
/// reading and writing.
///
/// ```
/// use sse_conformance::{Answer, Capabilities, adapter};
///
/// let line = br#"{"case": 7, "kind": "unknown"}"#;
/// let mut answer = |_| Answer::Unsupported;
/// let answer = adapter::handle_line(line, "mine", "1.0", &Capabilities::all(), &mut answer);
/// assert_eq!(answer, b"{\"case\":7,\"unsupported\":true}\n");
/// ```
pub fn handle_line(
    line: &[u8],
    name: &str,
    version: &str,
    capabilities: &Capabilities,
    answer: &mut impl FnMut(Request) -> Answer,
) -> Vec<u8> {
    let (case, request) = protocol::parse_request(line);
    let answer = match request {
        Ok(AdapterRequest::Case(request)) => catch_panic(|| answer(*request)),
        Ok(AdapterRequest::Capabilities) => {
            return protocol::capabilities_line(&case, name, version, capabilities);
        }
        Ok(AdapterRequest::Unknown) => Answer::Unsupported,
        Err(why) => Answer::Failed(why),
    };
    protocol::answer_line(case, answer)
}

fn catch_panic(answer: impl FnOnce() -> Answer) -> Answer {
    // State that the closure left inconsistent is the caller's responsibility, as after a panic in
    // a thread.
    catch_unwind(AssertUnwindSafe(answer)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(|text| &**text));
        Answer::Failed(format!("panicked: {}", text.unwrap_or("no message")))
    })
}
