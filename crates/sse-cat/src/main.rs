//! `sse-cat` prints the events of a stream as they arrive.
//!
//! ```text
//! $ sse-cat                                                      # a built-in demo stream
//! $ sse-cat https://example.com/events                           # a live stream, as a browser reads it
//! $ sse-cat -H 'Authorization: Bearer ..' --data @question.json https://example.com/v1/chat
//! $ sse-cat --json --chunk 1 recorded.sse                        # the result does not depend on chunks
//! ```
//!
//! [`file::cat`] shows how to decode a stream, [`live::watch`] how to stay connected to one. The rest
//! is arguments, requests and output.

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

use clap::{CommandFactory as _, Parser, error::ErrorKind as ArgumentError};
use output::{WithCauses, log};
use reqwest::Url;
use sse_proto::{Decoder, IdTooLong};
use sse_proto_stream::InvalidUrl;

/// Prints the events of a Server-Sent Events stream as they arrive.
///
/// An event is printed as its type, its last event ID if there is one, and its data, indented.
/// Control characters are printed as \u{..}, so that a stream cannot send commands to the terminal.
///
/// If the connection to a URL is lost, it is opened again and resumes after the last event, as in
/// browsers. Changes of the connection are reported on standard error.
#[derive(Parser)]
#[command(name = "sse-cat", version, after_help = AFTER_HELP)]
struct Args {
    /// URL of a live stream, file, or - for standard input; by default, a built-in demo stream
    #[arg(value_name = "URL|FILE")]
    input: Option<PathBuf>,

    /// Print each event as a line of JSON
    #[arg(long)]
    json: bool,

    /// Print comments, such as keep-alive comments, and retry lines, too
    #[arg(long)]
    comments: bool,

    /// Split the input into chunks of at most N bytes; the output does not change
    #[arg(long, value_name = "N")]
    chunk: Option<NonZeroUsize>,

    /// Skip events larger than this [default: 16 MiB]
    #[arg(long, value_name = "BYTES")]
    max_event: Option<usize>,

    /// Print the last event even if it is not followed by a blank line
    #[arg(long)]
    finish: bool,

    /// Last event ID to start with, as after a reconnect
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    last_event_id: String,

    /// Do not reconnect
    #[arg(long, visible_alias = "no-reconnect", help_heading = request::HEADING)]
    once: bool,

    #[command(flatten)]
    http: request::Options,
}

const AFTER_HELP: &str = r#"With --json an event is {"event":"message","data":"..","lastEventId":".."}, a comment {"comment":".."}
and a retry line {"retry":3000} (milliseconds).

Exit code: 0 if everything was read, standard output was closed, or the server ended the stream (status 204);
1 if reading or writing failed; 2 for wrong arguments; 3 if everything was read, but some events were too
large (each is reported on standard error); 130 after Ctrl-C on a live stream."#;

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
        Err(Failure::Connection) => return ExitCode::FAILURE, // already reported
        Err(Failure::Output(error)) => format!("standard output: {error}"),
        Err(Failure::Input(name, error)) => format!("{name}: {error}"),
        Err(Failure::LastEventId(error)) => format!("--last-event-id: {error}"),
        Err(Failure::Url(error)) => error.to_string(),
        Err(Failure::Client(error)) => WithCauses(&*error).to_string(),
        Err(Failure::Signals(error)) => error.to_string(),
    };
    log(why);
    ExitCode::FAILURE
}

impl Args {
    /// Returns the input if it is a URL. Exits if the arguments are not valid together.
    fn url(&self) -> Option<Url> {
        let exit_with = |kind, why: String| -> ! { Self::command().error(kind, why).exit() };
        let input = self.input.as_deref().and_then(Path::to_str).unwrap_or("");
        let is_url = ["http://", "https://"].iter().any(|scheme| {
            let start = input.get(..scheme.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        });
        if !is_url {
            if self.once || self.http.is_any_set() {
                let why = "options for a URL cannot be used with a file";
                exit_with(ArgumentError::ArgumentConflict, why.into());
            }
            return None;
        }
        match Url::parse(input) {
            Ok(url) if request::has_credentials(&url) => {
                let why = "the URL contains credentials; send them with -H 'Authorization: ..'";
                exit_with(ArgumentError::ValueValidation, why.into())
            }
            Ok(url) => Some(url),
            Err(error) => exit_with(ArgumentError::ValueValidation, format!("{input}: {error}")),
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
    /// Everything was read, except for events that were too large.
    Complete { too_large: usize },
    /// By Ctrl-C.
    Interrupted,
}

enum Failure {
    LastEventId(IdTooLong),
    Url(InvalidUrl),
    /// The TLS library or the runtime cannot be initialized.
    Client(Box<dyn std::error::Error>),
    Signals(ctrlc::Error),
    /// The name of the input, and the error.
    Input(String, io::Error),
    Output(io::Error),
    /// Already reported.
    Connection,
}
