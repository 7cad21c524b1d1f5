//! The command line.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{
    CommandFactory as _, Parser, Subcommand,
    error::{ContextKind, ErrorKind},
};
use reqwest::Url;
use sse_proto::{Decoder, IdTooLong};

use crate::{record, replay, request};

/// Prints the events of a Server-Sent Events stream as they arrive.
///
/// An event is printed as its type, its last event ID if there is one, and its data, indented.
/// Control characters are printed as \u{..}, so that a stream cannot send commands to the terminal.
///
/// If the connection to a URL is lost, it is opened again and resumes after the last event, as in
/// browsers. Changes of the connection are reported on standard error.
#[derive(Parser)]
#[command(
    name = "sse-cat",
    version,
    after_help = AFTER_HELP,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) args: Args,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    Record(record::Args),
    Replay(replay::Args),
}

#[derive(clap::Args)]
pub(crate) struct Args {
    /// URL of a live stream, file, or - for standard input; by default, a built-in demo stream
    #[arg(value_name = "URL|FILE")]
    pub(crate) input: Option<PathBuf>,

    /// Print each event as a line of JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Print comments, such as keep-alive comments, and retry lines, too
    #[arg(long)]
    pub(crate) comments: bool,

    /// Print when each item arrived, the time since the last one, and its length in bytes; for a
    /// URL and standard input, also those of each chunk
    #[arg(long)]
    pub(crate) times: bool,

    /// Split the input into chunks of at most N bytes; the output does not change
    #[arg(long, value_name = "N")]
    chunk: Option<NonZeroUsize>,

    /// Skip events larger than this [default: 16 MiB]
    #[arg(long, value_name = "BYTES")]
    max_event: Option<usize>,

    /// Print the last event even if it is not followed by a blank line
    #[arg(long)]
    pub(crate) finish: bool,

    /// Last event ID to start with, as after a reconnect
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    pub(crate) last_event_id: String,

    /// Print what clients ignore, misread or cannot use, instead of the events; see the README
    #[arg(long, conflicts_with_all = ["comments", "times", "finish"])]
    pub(crate) check: bool,

    /// With --check: report when nothing arrives for this time; 0: never [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = request::seconds, requires = "check")]
    pub(crate) heartbeat: Option<Duration>,

    /// End after this time; not for files
    #[arg(long = "for", value_name = "SECONDS", value_parser = request::seconds)]
    pub(crate) duration: Option<Duration>,

    /// Do not reconnect
    #[arg(long, visible_alias = "no-reconnect", help_heading = request::HEADING)]
    pub(crate) once: bool,

    #[command(flatten)]
    pub(crate) http: request::Options,
}

const AFTER_HELP: &str = r#"A file that is named like a command can be read as ./record or ./replay.

With --json an event is {"event":"message","data":"..","lastEventId":".."}, a comment {"comment":".."}
and a retry line {"retry":3000} (milliseconds). --times adds "at", "gap" (seconds) and "bytes"; a chunk is
{"chunk":1,"at":..,"gap":..,"bytes":..}. A finding of --check is {"line":3,"offset":20,"severity":"warning",
"code":"unknown-field","message":".."}, without line and offset if it concerns the head of the response.

Exit code: 0 if everything was read, the time of --for has elapsed, standard output was closed, or the server
ended the stream (status 204); 1 if reading or writing failed, or a response was refused or was no event
stream (--check reports these responses, record records them); 2 for wrong arguments; 3 instead of 0 if some
events were too large (each is reported on standard error); 4 if --check has printed errors or warnings; 130
after Ctrl-C on a live stream, except with --check and record, which end normally."#;

impl Cli {
    /// Parses the arguments. Exits if they are not valid.
    pub(crate) fn parse_or_exit() -> Self {
        Self::try_parse().unwrap_or_else(|error| match error.get(ContextKind::InvalidSubcommand) {
            // After an option or a file, clap takes any further argument for a subcommand.
            Some(argument) if error.kind() == ErrorKind::ArgumentConflict => {
                let why = format!(
                    "unexpected argument '{argument}': there is one input, and the commands record and \
                     replay must be the first argument"
                );
                exit_with(ErrorKind::UnknownArgument, why)
            }
            _ => error.exit(),
        })
    }
}

impl Args {
    /// Returns the input if it is a URL. Exits if the arguments are not valid together.
    pub(crate) fn url(&self) -> Option<Url> {
        let is_pipe = self.input.as_deref() == Some(Path::new("-"));
        if self.duration.is_some() && is_pipe && !self.check {
            let why = "--for can be used with standard input only if --check is set";
            exit_with(ErrorKind::ArgumentConflict, why.into());
        }
        let is_live_option_set = (self.duration.is_some() || self.heartbeat.is_some()) && !is_pipe;
        url(
            self.input.as_deref(),
            self.once || self.http.is_any_set() || is_live_option_set,
        )
    }

    pub(crate) fn decoder(&self) -> Result<Decoder, IdTooLong> {
        let mut decoder = Decoder::with_max_event_len(self.max_event_len());
        decoder.set_last_event_id(&self.last_event_id)?;
        Ok(decoder)
    }

    pub(crate) fn max_event_len(&self) -> usize {
        self.max_event.unwrap_or(16 << 20)
    }

    pub(crate) fn chunk_len(&self) -> usize {
        self.chunk.map_or(usize::MAX, NonZeroUsize::get)
    }
}

/// Returns the input if it is a URL. Exits if it is not valid, or if it is a file, but options for
/// URLs are set.
pub(crate) fn url(input: Option<&Path>, has_url_options: bool) -> Option<Url> {
    let input = input.and_then(Path::to_str).unwrap_or("");
    let is_url = ["http://", "https://"].iter().any(|scheme| {
        let start = input.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    if !is_url {
        if has_url_options {
            let why = "options for a URL cannot be used with a file";
            exit_with(ErrorKind::ArgumentConflict, why.into());
        }
        return None;
    }
    match Url::parse(input) {
        Ok(url) if request::has_credentials(&url) => {
            let why = "the URL contains credentials; send them with -H 'Authorization: ..'";
            exit_with(ErrorKind::ValueValidation, why.into())
        }
        Ok(url) => Some(url),
        Err(error) => exit_with(ErrorKind::ValueValidation, format!("{input}: {error}")),
    }
}

fn exit_with(kind: ErrorKind, why: String) -> ! {
    Cli::command().error(kind, why).exit()
}
