//! `decode` prints the events of a stream as they arrive.
//!
//! ```text
//! $ cargo run --example decode                     # an included demo stream
//! $ cargo run --example decode recorded.sse
//! $ curl -sN https://example.com/events | cargo run --example decode -
//! ```

use std::{
    env,
    fs::File,
    io::{self, ErrorKind, Read, Write},
};

use sse_proto::{Decoder, Event};

/// A stream like that of an LLM API.
const DEMO: &[u8] = include_bytes!("data/llm-chat.sse");

fn main() -> io::Result<()> {
    match env::args_os().nth(1) {
        None => decode(DEMO),
        Some(path) if path == "-" => decode(io::stdin().lock()),
        Some(path) => decode(File::open(path)?),
    }
}

fn decode(mut input: impl Read) -> io::Result<()> {
    let mut decoder = Decoder::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let len = match input.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(len) => len,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let mut events = decoder.feed(&buffer[..len]);
        loop {
            match events.next_event() {
                Ok(Some(event)) => print(event)?,
                Ok(None) => break, // the chunk was read completely
                // The event is skipped. The next call returns the one after it.
                Err(too_large) => writeln!(io::stderr(), "decode: {too_large}")?,
            }
        }
    }
}

/// Prints the type and the ID, and below them the data, indented.
fn print(event: Event<'_>) -> io::Result<()> {
    let mut output = io::stdout().lock();
    write!(output, "{}", printable(event.event_type))?;
    if !event.last_event_id.is_empty() {
        write!(output, "  (id {})", printable(event.last_event_id))?;
    }
    writeln!(output)?;
    let mut lines = event.data.split('\n');
    lines.try_for_each(|line| writeln!(output, "    {}", printable(line)))
}

/// Replaces control characters, so that a stream cannot send commands to the terminal.
fn printable(text: &str) -> String {
    text.replace(|char: char| char.is_control() && char != '\t', "\u{FFFD}")
}
