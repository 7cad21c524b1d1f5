//! `sse-cat` prints the events of a stream as they arrive, checks streams, and records and replays
//! them.
//!
//! ```text
//! $ sse-cat                                                # a built-in demo stream
//! $ sse-cat https://example.com/events                     # a live stream, as a browser reads it
//! $ sse-cat -H 'Authorization: Bearer ..' --data @question.json https://example.com/v1/chat
//! $ sse-cat --json --chunk 1 recorded.sse                  # the result does not depend on chunks
//! $ sse-cat --check --for 60 https://example.com/events    # what clients cannot use
//! $ sse-cat record stream.jsonl https://example.com/events
//! $ sse-cat replay stream.jsonl --serve 8080
//! ```
//!
//! [`file::cat`] shows how to decode a stream, [`live::watch`] how to stay connected to one.
//! [`check`], [`record`] and [`replay`] are the other modes, on the bytes of a [`source`]. The rest
//! is arguments, requests and output.

mod args;
mod check;
mod file;
mod interrupt;
mod live;
mod output;
mod progress;
mod record;
mod recording;
mod replay;
mod request;
mod source;
mod times;

use std::{
    error::Error,
    io::{self, ErrorKind},
    process::ExitCode,
};

use args::{Args, Cli, Command};
use output::{WithCauses, log};
use sse_proto::IdTooLong;
use sse_proto_stream::InvalidUrl;

fn main() -> ExitCode {
    let Cli { command, args } = Cli::parse_or_exit();
    let result = match command {
        Some(Command::Record(args)) => record::record(&args),
        Some(Command::Replay(args)) => replay::replay(&args),
        None => match args.url() {
            url if args.check => check::check(&args, url),
            Some(url) => live::watch(&args, url),
            None => file::cat(&args),
        },
    };
    let why = match result {
        Ok(Ending::Complete { too_large: 0 }) => return ExitCode::SUCCESS,
        Ok(Ending::Complete { .. }) => return ExitCode::from(3),
        Ok(Ending::Findings) => return ExitCode::from(4),
        Ok(Ending::Interrupted) => return ExitCode::from(interrupt::EXIT_CODE),
        Err(Failure::Output(error)) if error.kind() == ErrorKind::BrokenPipe => {
            return ExitCode::SUCCESS;
        }
        Err(Failure::Connection) => return ExitCode::FAILURE, // already reported
        Err(Failure::Output(error)) => format!("standard output: {error}"),
        Err(Failure::Input(name, error)) => format!("{name}: {error}"),
        Err(Failure::NoEventStream(name)) => {
            format!("{name}: no event stream: all of its lines are ignored")
        }
        Err(Failure::LastEventId(error)) => format!("--last-event-id: {error}"),
        Err(Failure::Url(error)) => error.to_string(),
        Err(Failure::Client(error)) => WithCauses(&*error).to_string(),
        Err(Failure::Signals(error)) => error.to_string(),
    };
    log(why);
    ExitCode::FAILURE
}

enum Ending {
    /// Everything was read, except for events that were too large.
    Complete { too_large: usize },
    /// `--check` has found errors or warnings.
    Findings,
    /// By Ctrl-C.
    Interrupted,
}

impl Ending {
    const COMPLETE: Self = Self::Complete { too_large: 0 };
}

enum Failure {
    LastEventId(IdTooLong),
    Url(InvalidUrl),
    /// The TLS library or the runtime cannot be initialized.
    Client(Box<dyn Error + Send + Sync>),
    Signals(ctrlc::Error),
    /// The name of the input, and the error.
    Input(String, io::Error),
    /// The name of an input in which all lines are ignored.
    NoEventStream(String),
    Output(io::Error),
    /// Already reported.
    Connection,
}
