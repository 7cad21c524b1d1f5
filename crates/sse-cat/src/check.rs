//! `--check`: reports what clients ignore, misread or cannot use.
//!
//! [`response`] checks the head of a response, [`stream`] the lines, and [`arrivals`] the times.
//! The decoder of `sse-proto` tells which lines are ignored, [`lines`] where they are, and [`fields`]
//! which values clients cannot use.

mod arrivals;
mod fields;
mod finding;
mod lines;
mod response;
mod stream;

use std::{
    io::{Read as _, Write as _},
    mem,
    time::{Duration, Instant},
};

use crate::{
    Args, Ending, Failure, file,
    output::{EXCERPT_LEN, log, log_refused},
    source::{Arrival, Input, Next, Source, UrlRequest},
};
use arrivals::Arrivals;
use bytes::Bytes;
use finding::{Code, Place, Report};
use flate2::{read, write};
use http::{Response, response::Parts};
use reqwest::Url;
use response::Body;
use stream::Stream;

/// The default of `--heartbeat`.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// How long to wait for the body of a response that is not an event stream.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Checks the input, or one response of the URL, to its end.
pub(crate) fn check(args: &Args, url: Option<Url>) -> Result<Ending, Failure> {
    let input = match url {
        Some(url) => {
            let request = UrlRequest::new(&url, &args.http, &args.last_event_id)?;
            Input::Url(Box::new(request))
        }
        None => Input::of_file(args.input.as_deref()),
    };
    let heartbeat = args.heartbeat.unwrap_or(HEARTBEAT);
    let heartbeat = Some(heartbeat).filter(|time| input.is_live() && !time.is_zero());
    let mut progress = match &input {
        Input::File(Some(path)) => file::progress(path),
        _ => None,
    };
    let is_live = input.is_live();
    let mut is_head_missing = matches!(input, Input::Url(_));
    let mut source = Source::open(input, args.duration)?;
    let mut check = Check {
        stream: Stream::new(args.max_event_len()),
        arrivals: is_live.then(|| Arrivals::new(source.started(), heartbeat)),
        gzip: None,
        chunk_len: args.chunk_len(),
        report: Report::new(args.json),
    };
    // A body without a byte is no broken gzip.
    let mut has_chunk = false;
    loop {
        check.report.flush()?; // the next arrival may take long
        let wake_at = check.arrivals.as_ref().and_then(Arrivals::wake_at);
        match source.next(wake_at)? {
            Next::At(_, Arrival::Head(head)) => {
                is_head_missing = false;
                match response::check(&head, &mut check.report)? {
                    Body::Plain => {}
                    Body::Gzip => check.gzip = Some(write::MultiGzDecoder::new(Vec::new())),
                    Body::Unreadable => return check.summary(),
                    Body::Refused => {
                        check.report.flush()?;
                        log_body(*head, &mut source)?;
                        return check.summary();
                    }
                }
            }
            Next::At(at, Arrival::Chunk(bytes)) => {
                has_chunk = true;
                if let Some(progress) = &mut progress {
                    progress.add(bytes.len(), check.stream.totals().1);
                }
                if !check.chunk(at, bytes)? {
                    return check.end(None, true);
                }
            }
            Next::At(at, Arrival::End) => {
                drop(progress);
                let gzip = check.gzip.as_mut().filter(|_| has_chunk);
                if let Some(Err(error)) = gzip.map(write::MultiGzDecoder::try_finish) {
                    check.connection_lost(&error.to_string())?;
                }
                return check.end(Some(at), true);
            }
            Next::At(_, Arrival::Broken(error)) => {
                check.connection_lost(&error)?;
                return check.end(None, true);
            }
            Next::Silence => {
                let place = check.stream.place();
                if let Some(arrivals) = &mut check.arrivals {
                    arrivals.wake(place, &mut check.report)?;
                }
            }
            Next::Stopped => {
                if is_head_missing {
                    let why = "the server did not respond before the check ended";
                    check.report.head(Code::NoResponse, why)?;
                }
                return check.end(None, false);
            }
        }
    }
}

struct Check {
    stream: Stream,
    /// `None` for a file.
    arrivals: Option<Arrivals>,
    /// Decompresses the body.
    gzip: Option<write::MultiGzDecoder<Vec<u8>>>,
    chunk_len: usize,
    report: Report,
}

impl Check {
    /// Returns whether the next chunk can be checked, too.
    fn chunk(&mut self, at: Instant, mut bytes: Bytes) -> Result<bool, Failure> {
        let mut broken = None;
        if let Some(gzip) = &mut self.gzip {
            let decompressed = gzip.write_all(&bytes).and_then(|()| gzip.flush());
            bytes = mem::take(gzip.get_mut()).into();
            broken = decompressed.err();
        }
        let place = self.stream.place();
        let mut contents = arrivals::Contents::default();
        for chunk in bytes.chunks(self.chunk_len) {
            let part = self.stream.feed(chunk, &mut self.report)?;
            contents.events += part.events;
            contents.comments += part.comments;
            contents.bytes += part.bytes;
        }
        if let Some(arrivals) = &mut self.arrivals {
            arrivals.chunk(at, place, &contents, &mut self.report)?;
        }
        if let Some(error) = &broken {
            self.connection_lost(&error.to_string())?;
        }
        Ok(broken.is_none())
    }

    fn connection_lost(&mut self, error: &str) -> Result<(), Failure> {
        let place = self.stream.place();
        let message = format!("the body broke off after this byte: {error}");
        self.report.at(place, Code::ConnectionLost, message)
    }

    /// `at` is when the body ended, unless reading was stopped, or the body broke off.
    fn end(&mut self, at: Option<Instant>, is_complete: bool) -> Result<Ending, Failure> {
        if let Some(arrivals) = &mut self.arrivals {
            match at {
                Some(at) => arrivals.end(at, &mut self.report)?,
                None => arrivals.end_burst(&mut self.report)?,
            }
        }
        self.stream.end(is_complete, &mut self.report)?;
        self.summary()
    }

    fn summary(&mut self) -> Result<Ending, Failure> {
        self.report.flush()?;
        let Place { offset: bytes, .. } = self.stream.place();
        let (lines, events) = self.stream.totals();
        let Report {
            errors,
            warnings,
            infos,
            ..
        } = self.report;
        log(format_args!(
            "checked bytes: {bytes}, lines: {lines}, events: {events}; found errors: {errors}, \
             warnings: {warnings}, infos: {infos}"
        ));
        Ok(match errors + warnings {
            0 => Ending::COMPLETE,
            _ => Ending::Findings,
        })
    }
}

/// Prints the start of the body of a response that is not an event stream.
fn log_body(head: Parts, source: &mut Source) -> Result<(), Failure> {
    let until = Instant::now() + BODY_TIMEOUT;
    let mut body = Vec::new();
    let mut is_complete = false;
    while body.len() <= EXCERPT_LEN && Instant::now() < until {
        match source.next(Some(until))? {
            Next::At(_, Arrival::Chunk(bytes)) => body.extend(bytes),
            Next::At(_, Arrival::End) => {
                is_complete = true;
                break;
            }
            _ => break,
        }
    }
    if response::is_gzip(&head.headers) {
        let mut text = Vec::new();
        let mut decoder = read::MultiGzDecoder::new(&*body).take(EXCERPT_LEN as u64 + 1);
        let decompressed = decoder.read_to_end(&mut text);
        // What was decompressed before an error is shown, too. If that is nothing, it was no gzip.
        if !text.is_empty() {
            is_complete &= decompressed.is_ok();
            body = text;
        }
    }
    log_refused(&Response::from_parts(head, body), is_complete);
    Ok(())
}
