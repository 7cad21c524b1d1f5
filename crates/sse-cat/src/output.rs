//! Formats items and messages.

use std::{
    error::Error,
    fmt::{self, Display, Write as _},
    io::{self, BufWriter, Write},
    iter,
};

use crate::Failure;
use serde::Serialize;
use sse_proto::{Event, EventTooLarge, Item};

/// Prints items to standard output, readable or as JSON.
pub(crate) struct Output {
    to: BufWriter<io::StdoutLock<'static>>,
    json: bool,
    too_large: usize,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        let to = BufWriter::new(io::stdout().lock());
        Self {
            to,
            json,
            too_large: 0,
        }
    }

    pub(crate) fn print(&mut self, item: Item<'_>) -> Result<(), Failure> {
        let to = &mut self.to;
        if self.json {
            write_json(item, to)
        } else {
            write_readable(item, to)
        }
        .map_err(Failure::Output)
    }

    /// Reports an event that was too large. Flushes first, so that standard output and standard
    /// error are in order.
    pub(crate) fn report(&mut self, error: EventTooLarge) -> Result<(), Failure> {
        self.too_large += 1;
        self.flush()?;
        log(error);
        Ok(())
    }

    /// Returns the number of events that were reported.
    pub(crate) fn too_large(&self) -> usize {
        self.too_large
    }

    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.to.flush().map_err(Failure::Output)
    }
}

fn write_readable(item: Item<'_>, to: &mut impl Write) -> io::Result<()> {
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

fn write_json(item: Item<'_>, to: &mut impl Write) -> io::Result<()> {
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
    let _ = writeln!(io::stderr(), "sse-cat: {message}");
}
