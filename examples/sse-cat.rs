//! `sse-cat` prints the events of a stream as they arrive.
//!
//! ```text
//! $ cargo run --example sse-cat                                  # a demo stream that comes with it
//! $ curl -sN https://example.com/events | sse-cat -              # a live stream
//! $ sse-cat --json --chunk 1 recorded.sse                        # any cutting gives the same events
//! ```
//!
//! How to decode a stream is in [`cat`]; the rest is arguments and print.

use std::{
    fmt::{self, Display, Write as _},
    fs::File,
    io::{self, BufWriter, ErrorKind, Read, Write},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;
use serde::Serialize;
use sse_proto::{Decoder, Event, EventTooLarge, IdTooLong, Item};

/// A stream in the shape of an LLM API.
const DEMO: &[u8] = include_bytes!("data/llm-chat.sse");

/// Prints the events of a Server-Sent Events stream as they arrive.
///
/// Each event is printed as its type, its last event ID if there is one, and its data indented below.
/// Control characters are shown as \u{..}, so that a stream cannot command the terminal.
#[derive(Parser)]
#[command(name = "sse-cat", version, after_help = AFTER_HELP)]
struct Args {
    /// File to read, or - for standard input; without it a demo stream is shown
    file: Option<PathBuf>,

    /// Print one JSON object a line
    #[arg(long)]
    json: bool,

    /// Print comments (heartbeats) and retry lines too
    #[arg(long)]
    comments: bool,

    /// Feed the decoder at most N bytes at a time; the output stays the same
    #[arg(long, value_name = "N")]
    chunk: Option<NonZeroUsize>,

    /// Skip events that need more than this much memory [default: 16 MiB]
    #[arg(long, value_name = "BYTES")]
    max_event: Option<usize>,

    /// Print the last event even if the blank line after it is missing
    #[arg(long)]
    finish: bool,

    /// The last event ID that the stream starts with, as after a reconnect
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    last_event_id: String,
}

const AFTER_HELP: &str = r#"With --json an event is {"event":"message","data":"..","lastEventId":".."}, a comment {"comment":".."}
and a retry line {"retry":3000} (milliseconds).

Exit code: 0, also if the reader of the output went away; 1 if reading or writing failed; 2 for wrong
arguments; 3 if everything was read, but some events were too large (each is reported on standard error)."#;

fn main() -> ExitCode {
    let args = Args::parse();
    let (name, input) = open(args.file.as_deref());
    let result = input
        .map_err(Failure::Input)
        .and_then(|input| cat(&args, input));
    let why = match result {
        Ok(0) => return ExitCode::SUCCESS,
        Ok(_) => return ExitCode::from(3),
        Err(Failure::Output(error)) if error.kind() == ErrorKind::BrokenPipe => {
            return ExitCode::SUCCESS;
        }
        Err(Failure::Output(error)) => format!("standard output: {error}"),
        Err(Failure::Input(error)) => format!("{name}: {error}"),
        Err(Failure::LastEventId(error)) => format!("--last-event-id: {error}"),
    };
    complain(why);
    ExitCode::FAILURE
}

/// Decodes `input` and prints what is in it; counts the events that were too large.
fn cat(args: &Args, mut input: impl Read) -> Result<usize, Failure> {
    let mut decoder = match args.max_event {
        Some(bytes) => Decoder::with_max_event_len(bytes),
        None => Decoder::new(),
    };
    decoder
        .set_last_event_id(&args.last_event_id)
        .map_err(Failure::LastEventId)?;
    let chunk_len = args.chunk.map_or(usize::MAX, NonZeroUsize::get);
    let mut output = Output::new(args.json);
    let mut buffer = [0; 64 * 1024];

    loop {
        let len = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => len,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::Input(error)),
        };
        for chunk in buffer[..len].chunks(chunk_len) {
            let mut events = decoder.feed(chunk);
            loop {
                let item = if args.comments {
                    events.next_item()
                } else {
                    events.next_event().map(|event| event.map(Item::Event))
                };
                match item {
                    Ok(Some(item)) => output.print(item)?,
                    Ok(None) => break, // the chunk was read to its end
                    Err(error) => output.report(error)?,
                }
            }
        }
        output.flush()?; // the next read may wait for long
    }

    // A blank line must end the last event too. If it is missing, the standard drops the event.
    match decoder.finish() {
        Ok(Some(event)) if args.finish => output.print(Item::Event(event))?,
        Err(error) if args.finish => output.report(error)?,
        Ok(Some(_)) => {
            complain("the input ended within an event, which is left out; --finish prints it")
        }
        Ok(None) | Err(_) => {}
    }
    output.flush()?;
    Ok(output.too_large)
}

fn open(file: Option<&Path>) -> (String, io::Result<Box<dyn Read>>) {
    match file {
        None => ("demo".into(), Ok(Box::new(DEMO))),
        Some(path) if path == Path::new("-") => {
            ("standard input".into(), Ok(Box::new(io::stdin().lock())))
        }
        Some(path) => (
            path.display().to_string(),
            File::open(path).map(|file| Box::new(file) as Box<dyn Read>),
        ),
    }
}

/// Standard output, in one of two forms.
struct Output {
    to: BufWriter<io::StdoutLock<'static>>,
    json: bool,
    too_large: usize,
}

impl Output {
    fn new(json: bool) -> Self {
        let to = BufWriter::new(io::stdout().lock());
        Self {
            to,
            json,
            too_large: 0,
        }
    }

    fn print(&mut self, item: Item<'_>) -> Result<(), Failure> {
        let to = &mut self.to;
        if self.json {
            json(item, to)
        } else {
            readable(item, to)
        }
        .map_err(Failure::Output)
    }

    /// What was printed before goes first, so that both streams together read in order.
    fn report(&mut self, error: EventTooLarge) -> Result<(), Failure> {
        self.too_large += 1;
        self.flush()?;
        complain(error);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.to.flush().map_err(Failure::Output)
    }
}

fn readable(item: Item<'_>, to: &mut impl Write) -> io::Result<()> {
    match item {
        Item::Event(Event {
            event_type,
            data,
            last_event_id,
            ..
        }) => {
            write!(to, "{}", Safe(event_type))?;
            if !last_event_id.is_empty() {
                write!(to, "  (id {})", Safe(last_event_id))?;
            }
            writeln!(to)?;
            data.split('\n')
                .try_for_each(|line| writeln!(to, "    {}", Safe(line)))
        }
        Item::Comment(text) => writeln!(to, ":{}", Safe(text)),
        Item::Retry(time) => writeln!(to, "retry: {} ms", time.as_millis()),
        _ => Ok(()),
    }
}

fn json(item: Item<'_>, to: &mut impl Write) -> io::Result<()> {
    #[derive(Serialize)]
    #[serde(untagged, rename_all_fields = "camelCase")]
    enum Line<'a> {
        Event {
            event: &'a str,
            data: &'a str,
            last_event_id: &'a str,
        },
        Comment {
            comment: &'a str,
        },
        Retry {
            retry: u128,
        },
    }
    let line = match item {
        Item::Event(Event {
            event_type,
            data,
            last_event_id,
            ..
        }) => Line::Event {
            event: event_type,
            data,
            last_event_id,
        },
        Item::Comment(comment) => Line::Comment { comment },
        Item::Retry(time) => Line::Retry {
            retry: time.as_millis(),
        },
        _ => return Ok(()),
    };
    serde_json::to_writer(&mut *to, &line)?;
    writeln!(to)
}

/// Text that does as told on a terminal: escape sequences become visible.
struct Safe<'a>(&'a str);

impl Display for Safe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| match char {
            '\t' => f.write_char(char),
            _ if char.is_control() => write!(f, "{}", char.escape_unicode()),
            _ => f.write_char(char),
        })
    }
}

enum Failure {
    LastEventId(IdTooLong),
    Input(io::Error),
    Output(io::Error),
}

/// Like `eprintln!`, which would panic if standard error was closed.
fn complain(message: impl Display) {
    let _ = writeln!(io::stderr(), "sse-cat: {message}");
}
