//! Formats items and messages.

use std::{
    error::Error,
    fmt::{self, Display, Write as _},
    io::{self, BufWriter, Write},
    iter,
};

use crate::{
    Args, Ending, Failure, progress,
    times::{Stamp, Times},
};
use http::{HeaderMap, Response, header::CONTENT_TYPE};
use serde::Serialize;
use sse_proto::{Event, EventTooLarge, Item, Part};

/// Prints items to standard output, readable or as JSON.
pub(crate) struct Output {
    to: BufWriter<io::StdoutLock<'static>>,
    json: bool,
    times: Option<Times>,
    events: u64,
    too_large: usize,
}

impl Output {
    pub(crate) fn new(args: &Args) -> Self {
        let times = args
            .times
            .then(|| Times::new(args.max_event_len(), args.comments));
        Self {
            to: BufWriter::new(io::stdout().lock()),
            json: args.json,
            times,
            events: 0,
            too_large: 0,
        }
    }

    /// Prints an item. With `--times`, its chunk must have been passed to [`Output::chunk`] before.
    pub(crate) fn print(&mut self, item: Item<'_>) -> Result<(), Failure> {
        if !matches!(item, Item::Event(_) | Item::Comment(_) | Item::Retry(_)) {
            return Ok(());
        }
        self.events += u64::from(matches!(item, Item::Event(_)));
        let stamp = self.times.as_mut().map(Times::item);
        let to = &mut self.to;
        if self.json {
            write_json(json_line(item), stamp, to)
        } else {
            write_readable(item, stamp, to)
        }
        .map_err(Failure::Output)
    }

    /// Reports an event or comment that was too large. Ignored lines are not printed anyway. Flushes first, so that standard output and standard
    /// error are in order.
    pub(crate) fn report(&mut self, error: EventTooLarge) -> Result<(), Failure> {
        self.times.as_mut().map(Times::item);
        if error.part() == Part::IgnoredLine {
            return Ok(());
        }
        self.too_large += 1;
        self.flush()?;
        log(error);
        Ok(())
    }

    /// Notes the arrival of a chunk, and prints it if it is a chunk of a sender.
    pub(crate) fn chunk(&mut self, chunk: &[u8], is_live: bool) -> Result<(), Failure> {
        let Some(times) = &mut self.times else {
            return Ok(());
        };
        let (chunk, stamp) = times.chunk(chunk);
        if !is_live {
            return Ok(());
        }
        let to = &mut self.to;
        if self.json {
            write_json(Line::Chunk { chunk }, Some(stamp), to)
        } else {
            write_stamp(stamp, to).and_then(|()| writeln!(to, "(chunk {chunk})"))
        }
        .map_err(Failure::Output)
    }

    /// Prepares for the items of a new response.
    pub(crate) fn start_stream(&mut self) {
        if let Some(times) = &mut self.times {
            times.start_stream();
        }
    }

    /// Returns the number of events that were printed.
    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    /// Flushes the output. Everything was read.
    pub(crate) fn complete(&mut self) -> Result<Ending, Failure> {
        self.flush()?;
        Ok(Ending::Complete {
            too_large: self.too_large,
        })
    }

    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.to.flush().map_err(Failure::Output)
    }
}

fn write_stamp(stamp: Stamp, to: &mut impl Write) -> io::Result<()> {
    let (at, gap) = (stamp.at.as_secs_f64(), stamp.gap.as_secs_f64());
    write!(to, "{at:>9.3} s {gap:>+9.3} s {:>6} B  ", stamp.bytes)
}

fn write_readable(item: Item<'_>, stamp: Option<Stamp>, to: &mut impl Write) -> io::Result<()> {
    if let Some(stamp) = stamp {
        write_stamp(stamp, to)?;
    }
    match item {
        Item::Event(Event {
            event_type,
            data,
            last_event_id,
            ..
        }) => {
            write!(to, "{}", Escaped(event_type))?;
            if !last_event_id.is_empty() {
                write!(to, "  (id {})", Escaped(last_event_id))?;
            }
            writeln!(to)?;
            data.split('\n')
                .try_for_each(|line| writeln!(to, "    {}", Escaped(line)))
        }
        Item::Comment(text) => writeln!(to, ":{}", Escaped(text)),
        Item::Retry(time) => writeln!(to, "retry: {} ms", time.as_millis()),
        _ => Ok(()),
    }
}

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
    Chunk {
        chunk: u64,
    },
    Other {},
}

fn json_line(item: Item<'_>) -> Line<'_> {
    match item {
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
        _ => Line::Other {},
    }
}

fn write_json(line: Line<'_>, stamp: Option<Stamp>, to: &mut impl Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Stamped<'a> {
        #[serde(flatten)]
        line: Line<'a>,
        #[serde(flatten)]
        stamp: Option<Stamp>,
    }
    match stamp {
        None => serde_json::to_writer(&mut *to, &line)?,
        stamp => serde_json::to_writer(&mut *to, &Stamped { line, stamp })?,
    }
    writeln!(to)
}

/// Escapes control characters, so that text cannot send commands to the terminal.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| match char {
            '\t' => f.write_char(char),
            _ if char.is_control() => write!(f, "{}", char.escape_unicode()),
            _ => f.write_char(char),
        })
    }
}

/// Displays an error and its chain of sources.
pub(crate) struct WithCauses<'a>(pub(crate) &'a (dyn Error + 'static));

impl Display for WithCauses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        iter::successors(self.0.source(), |&cause| cause.source())
            .try_for_each(|cause| write!(f, ": {cause}"))
    }
}

/// Like `eprintln!`, but does not panic if standard error is closed.
pub(crate) fn log(message: impl Display) {
    progress::clear();
    let _ = writeln!(io::stderr(), "sse-cat: {message}");
}

/// The most bytes of a body that [`log_refused`] prints.
pub(crate) const EXCERPT_LEN: usize = 4096;

/// Prints the start of the body of a response that is not an event stream: usually the error
/// message of an API.
pub(crate) fn log_refused(response: &Response<impl AsRef<[u8]>>, is_complete: bool) {
    let body = response.body().as_ref();
    let excerpt = &body[..body.len().min(EXCERPT_LEN)];
    if excerpt.is_empty() {
        return;
    }
    log(format_args!(
        "its body, {}:",
        content_type(response.headers())
    ));
    log_text(excerpt);
    if !is_complete || excerpt.len() < body.len() {
        log(format_args!("these are its first {} bytes", excerpt.len()));
    }
}

/// Prints the start of a body that was taken for an event stream, and is none. `start` may have one
/// byte more than is printed.
pub(crate) fn log_no_event_stream(start: &[u8]) {
    let excerpt = &start[..start.len().min(EXCERPT_LEN)];
    if !excerpt.is_empty() {
        log("it was:");
        log_text(excerpt);
    }
    if excerpt.len() < start.len() {
        log(format_args!("these are its first {} bytes", excerpt.len()));
    }
}

fn log_text(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end_matches(['\r', '\n']);
    let mut stderr = io::stderr();
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let _ = writeln!(stderr, "    {}", Escaped(line));
    }
}

/// Returns the content type for messages.
pub(crate) fn content_type(headers: &HeaderMap) -> String {
    match headers.get(CONTENT_TYPE) {
        None => "without a content type".into(),
        Some(value) => Escaped(&String::from_utf8_lossy(value.as_bytes())).to_string(),
    }
}
