//! `sse-cat record`: writes what arrives, and when, to a file.

use std::{
    fs::{self, File},
    io,
    path::PathBuf,
    time::{Duration, Instant},
};

use crate::{
    Ending, Failure, args,
    output::{content_type, log},
    recording::{End, Head, Writer},
    request,
    source::{Arrival, Input, Next, Source, UrlRequest},
};

/// Records a stream byte for byte, with the time and the boundaries of each chunk
///
/// Of a URL, it sends one request and records the status, the headers (except Set-Cookie) and the
/// body of the response, whatever they are. It records neither the URL nor the request. Ctrl-C ends
/// the recording.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// File to write
    file: PathBuf,

    /// URL of a live stream, file, or - for standard input
    #[arg(value_name = "URL|FILE")]
    input: PathBuf,

    /// Overwrite the file if it exists
    #[arg(long)]
    force: bool,

    /// End after this time; not for files
    #[arg(long = "for", value_name = "SECONDS", value_parser = request::seconds)]
    duration: Option<Duration>,

    /// Last event ID to send, as after a reconnect
    #[arg(
        long,
        value_name = "ID",
        default_value = "",
        hide_default_value = true,
        help_heading = request::HEADING
    )]
    last_event_id: String,

    #[command(flatten)]
    http: request::Options,
}

/// Records the input to its end.
pub(crate) fn record(args: &Args) -> Result<Ending, Failure> {
    let input = input(args)?;
    let name = args.file.display().to_string();
    let failed = |error| Failure::Input(name.clone(), error);
    let is_new = args.file.symlink_metadata().is_err();
    let mut options = File::options();
    options.write(true);
    let file = match args.force {
        // `head` truncates it, when there is something to record.
        true => options.create(true).truncate(false).open(&args.file),
        false => options.create_new(true).open(&args.file),
    };
    let file = file.map_err(failed)?;
    let mut recorder = Recorder {
        file: &file,
        writer: None,
        started: Instant::now(),
        chunks: 0,
        bytes: 0,
    };
    let result = recorder.run(input, args.duration, failed);
    if recorder.writer.is_none() && is_new {
        // There was no response, or the input could not be read.
        let _ = fs::remove_file(&args.file);
    }
    result
}

/// Exits if the arguments are not valid together.
fn input(args: &Args) -> Result<Input, Failure> {
    let input = Input::of_file(Some(&args.input));
    let is_timed_file = args.duration.is_some() && !input.is_live();
    let has_url_options = args.http.is_any_set() || !args.last_event_id.is_empty();
    match args::url(Some(&args.input), has_url_options || is_timed_file) {
        Some(url) => {
            let request = UrlRequest::new(&url, &args.http, &args.last_event_id)?;
            Ok(Input::Url(Box::new(request)))
        }
        None => Ok(input),
    }
}

struct Recorder<'a> {
    file: &'a File,
    /// Exists after the head is written.
    writer: Option<Writer<&'a File>>,
    started: Instant,
    chunks: u64,
    bytes: u64,
}

impl<'a> Recorder<'a> {
    fn run(
        &mut self,
        input: Input,
        duration: Option<Duration>,
        failed: impl Fn(io::Error) -> Failure,
    ) -> Result<Ending, Failure> {
        let has_head = matches!(input, Input::Url(_));
        let mut source = Source::open(input, duration)?;
        self.started = source.started();
        loop {
            let next = source.next(None)?;
            // Not before: only now it is certain that a file can be opened and read.
            if !has_head && self.writer.is_none() {
                self.head(None, Duration::ZERO).map_err(&failed)?;
            }
            let (at, arrival) = match next {
                Next::At(at, arrival) => (at - self.started, arrival),
                Next::Silence => continue,
                Next::Stopped => {
                    let at = self.started.elapsed();
                    self.end(at, &End::Stopped).map_err(&failed)?;
                    return Ok(Ending::COMPLETE);
                }
            };
            match arrival {
                Arrival::Head(head) => {
                    let (status, of_type) = (head.status.as_u16(), content_type(&head.headers));
                    log(format_args!("status {status}, {of_type}"));
                    let response = Some((head.status, head.headers));
                    self.head(response, at).map_err(&failed)?;
                }
                Arrival::Chunk(bytes) => {
                    self.chunks += 1;
                    self.bytes += bytes.len() as u64;
                    if let Some(writer) = &mut self.writer {
                        writer.chunk(at, &bytes).map_err(&failed)?;
                    }
                }
                Arrival::End => {
                    self.end(at, &End::Complete).map_err(&failed)?;
                    return Ok(Ending::COMPLETE);
                }
                Arrival::Broken(error) => {
                    log(&error);
                    self.end(at, &End::Failed(error)).map_err(&failed)?;
                    return Err(Failure::Connection);
                }
            }
        }
    }

    fn head(
        &mut self,
        response: Option<(http::StatusCode, http::HeaderMap)>,
        at: Duration,
    ) -> io::Result<()> {
        // Pipes and devices cannot be truncated.
        if self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
        }
        self.writer = Some(Writer::new(self.file, &Head { at, response })?);
        Ok(())
    }

    fn end(&mut self, at: Duration, end: &End) -> io::Result<()> {
        let how = match end {
            End::Complete => "the input ended",
            End::Stopped => "stopped",
            End::Failed(_) => "the input broke off",
        };
        let Self { chunks, bytes, .. } = *self;
        log(format_args!(
            "{how}; recorded chunks: {chunks}, bytes: {bytes}, seconds: {:.1}",
            at.as_secs_f64()
        ));
        match &mut self.writer {
            Some(writer) => writer.end(at, end),
            None => Ok(()),
        }
    }
}
