//! `sse-cat` prints the events of a stream as they arrive.
//!
//! ```text
//! $ sse-cat                                                      # a demo stream that comes with it
//! $ sse-cat https://example.com/events                           # a live stream, as a browser reads it
//! $ sse-cat -H 'Authorization: Bearer ..' --data @question.json https://example.com/v1/chat
//! $ sse-cat --json --chunk 1 recorded.sse                        # any cutting gives the same events
//! ```
//!
//! How to decode a stream is in [`file::cat`], how to stay connected to one in [`live::watch`]; the
//! rest is arguments, requests and print.

mod file;
mod live;
mod output;
mod request;

use std::{
    io::{self, ErrorKind},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{CommandFactory as _, Parser, error::ErrorKind as Misuse};
use output::{WithCauses, complain};
use reqwest::Url;
use sse_proto::{Decoder, IdTooLong};
use sse_proto_stream::InvalidUrl;

/// Prints the events of a Server-Sent Events stream as they arrive.
///
/// Each event is printed as its type, its last event ID if there is one, and its data indented below.
/// Control characters are shown as \u{..}, so that a stream cannot command the terminal.
///
/// A URL is read as a browser would: when the connection is lost, it is opened again and goes on
/// after the last event. What becomes of the connection is told on standard error.
#[derive(Parser)]
#[command(name = "sse-cat", version, after_help = AFTER_HELP)]
struct Args {
    /// URL of a live stream, file, or - for standard input; without it a demo stream is shown
    #[arg(value_name = "URL|FILE")]
    input: Option<PathBuf>,

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

    /// Do not open a connection again that was lost
    #[arg(long, visible_alias = "no-reconnect", help_heading = request::HEADING)]
    once: bool,

    #[command(flatten)]
    http: request::Options,
}

const AFTER_HELP: &str = r#"With --json an event is {"event":"message","data":"..","lastEventId":".."}, a comment {"comment":".."}
and a retry line {"retry":3000} (milliseconds).

Exit code: 0, also if the reader of the output went away or the server said that there is no more (204);
1 if reading or writing failed; 2 for wrong arguments; 3 if everything was read, but some events were
too large (each is reported on standard error); 130 after Ctrl-C on a live stream."#;

fn main() -> ExitCode {
    let args = Args::parse();
    let result = match args.url() {
        Some(url) => live::watch(&args, url),
        None => file::cat(&args),
    };
    let why = match result {
        Ok(Ending::Complete { too_large: 0 }) => return ExitCode::SUCCESS,
        Ok(Ending::Complete { .. }) => return ExitCode::from(3),
        Ok(Ending::Interrupted) => return ExitCode::from(live::INTERRUPTED),
        Err(Failure::Output(error)) if error.kind() == ErrorKind::BrokenPipe => {
            return ExitCode::SUCCESS;
        }
        Err(Failure::Connection) => return ExitCode::FAILURE, // standard error has it already
        Err(Failure::Output(error)) => format!("standard output: {error}"),
        Err(Failure::Input(name, error)) => format!("{name}: {error}"),
        Err(Failure::LastEventId(error)) => format!("--last-event-id: {error}"),
        Err(Failure::Url(error)) => error.to_string(),
        Err(Failure::Client(error)) => WithCauses(&*error).to_string(),
        Err(Failure::Signals(error)) => error.to_string(),
    };
    complain(why);
    ExitCode::FAILURE
}

impl Args {
    /// The input, if it is a URL. Does not return if the arguments do not fit together.
    fn url(&self) -> Option<Url> {
        let misuse = |kind, why: String| -> ! { Self::command().error(kind, why).exit() };
        let input = self.input.as_deref().and_then(Path::to_str).unwrap_or("");
        let is_url = ["http://", "https://"].iter().any(|scheme| {
            let start = input.get(..scheme.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        });
        if !is_url {
            if self.once || self.http.any() {
                let why = format!(
                    "the {} do not go with a file",
                    request::HEADING.to_lowercase()
                );
                misuse(Misuse::ArgumentConflict, why);
            }
            return None;
        }
        match Url::parse(input) {
            Ok(url) if request::has_credentials(&url) => {
                let why = "a URL with a password; send it with -H 'Authorization: ..'";
                misuse(Misuse::ValueValidation, why.into())
            }
            Ok(url) => Some(url),
            Err(error) => misuse(Misuse::ValueValidation, format!("{input}: {error}")),
        }
    }

    fn decoder(&self) -> Result<Decoder, IdTooLong> {
        let mut decoder = match self.max_event {
            Some(bytes) => Decoder::with_max_event_len(bytes),
            None => Decoder::new(),
        };
        decoder.set_last_event_id(&self.last_event_id)?;
        Ok(decoder)
    }

    fn chunk_len(&self) -> usize {
        self.chunk.map_or(usize::MAX, NonZeroUsize::get)
    }
}

enum Ending {
    /// All was read, but for so many events.
    Complete { too_large: usize },
    /// Ctrl-C
    Interrupted,
}

enum Failure {
    LastEventId(IdTooLong),
    Url(InvalidUrl),
    /// There is no TLS, or no runtime.
    Client(Box<dyn std::error::Error>),
    Signals(ctrlc::Error),
    /// With the name of the input.
    Input(String, io::Error),
    Output(io::Error),
    Connection,
}
