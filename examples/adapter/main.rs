//! `adapter` makes this crate available to a conformance suite, over a line protocol that works for
//! implementations in any language.
//!
//! Each line of standard input is a JSON object. For each, in order, one line with a JSON object is
//! written to standard output, which is flushed before the program waits for more input. The
//! answer to an invalid request is `{"case": N, "error": "why"}`, and to one of an unknown kind
//! `{"case": N, "unsupported": true}`. Blank lines are ignored.
//!
//! `case` may be any JSON value and is returned unchanged; integers are exact from -2^63 to
//! 2^64 - 1. A line that is not a JSON object gets the case `null`, unless its case can still be
//! read.
//!
//! All decoding, encoding and connection logic is in the crate; this program only calls its public
//! API:
//!
//! ```text
//! $ echo '{"case": 1, "kind": "decode", "chunks": ["ZGF0YTpoaQoK"]}' | cargo run --example adapter
//! {"case":1,"chunks":[[{"data":"hi","event":"message","lastEventId":""}]],"lastEventId":""}
//! ```

mod connect;
mod decode;
mod encode;

use std::{
    io::{self, BufRead, BufReader, BufWriter, ErrorKind, Write},
    process::ExitCode,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The supported features: all that the suite knows.
const CAPABILITIES: [&str; 18] = [
    "decode",
    "encode",
    "connect",
    "comments",
    "retry",
    "limit",
    "fixed-storage",
    "id-seed",
    "final-id",
    "chunks",
    "empty-chunks",
    "large",
    "big-number",
    "abort",
    "close",
    "delay",
    "options",
    "details",
];

fn main() -> ExitCode {
    match serve(
        BufReader::new(io::stdin().lock()),
        BufWriter::new(io::stdout().lock()),
    ) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "adapter: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve<R: io::Read>(mut input: BufReader<R>, mut output: impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        // If no complete line is buffered, the next read may block until the other side has seen
        // the answers so far.
        if !input.buffer().contains(&b'\n') {
            output.flush()?;
        }
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if !line.trim_ascii().is_empty() {
            serde_json::to_writer(&mut output, &answer(&line))?;
            output.write_all(b"\n")?;
        }
    }
}

fn answer(line: &[u8]) -> Value {
    let (case, body) = match serde_json::from_slice::<Map<String, Value>>(line) {
        Ok(request) => {
            let case = request.get("case").cloned().unwrap_or_default();
            let body = match request.get("kind").and_then(Value::as_str) {
                Some("decode") => decode::decode(Value::Object(request)),
                Some("encode") => encode::encode(Value::Object(request)),
                Some("connect") => connect::connect(Value::Object(request)),
                Some("capabilities") => Ok(json!({
                    "name": env!("CARGO_PKG_NAME"),
                    "version": env!("CARGO_PKG_VERSION"),
                    "capabilities": CAPABILITIES,
                })),
                Some(_) => Ok(json!({ "unsupported": true })),
                None => Err("kind: missing, or not a string".to_owned()),
            };
            (case, body)
        }
        Err(error) => (case_of_bad_line(line), Err(format!("bad request: {error}"))),
    };
    let mut answer = body.unwrap_or_else(|why| json!({ "error": why }));
    answer["case"] = case;
    answer
}

/// The case of a request that has the outline of an object but contains a value that Rust has no
/// type for, such as a string with half a surrogate pair.
fn case_of_bad_line(line: &[u8]) -> Value {
    #[derive(Deserialize)]
    struct Outline {
        case: Value,
    }
    let is_object = line.trim_ascii_start().starts_with(b"{");
    match serde_json::from_slice::<Outline>(line) {
        Ok(Outline { case }) if is_object => case,
        _ => Value::Null,
    }
}

fn bytes(chunks: &[String]) -> Result<Vec<Vec<u8>>, String> {
    let chunks = chunks.iter().enumerate().map(|(index, chunk)| {
        BASE64
            .decode(chunk)
            .map_err(|error| format!("chunks[{index}]: {error}"))
    });
    chunks.collect()
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
