//! What `--check` finds, and how it is printed.

use std::{
    fmt::Display,
    io::{self, BufWriter, Write},
};

use crate::{Failure, progress};
use serde::Serialize;

/// How bad a finding is. All but `Info` make the exit code 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// Clients do not open the stream, or lose or misread data.
    Error,
    /// Clients ignore a part of the stream or cannot use it.
    Warning,
    /// Correct, but worth knowing.
    Info,
}

/// Defines [`Code`] with the text and severity of each code.
macro_rules! codes {
    ($($severity:ident { $($code:ident $text:literal,)* })*) => {
        /// The kind of a finding. The README explains each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Code { $($($code,)*)* }

        impl Code {
            #[cfg(test)]
            const ALL: &[Self] = &[$($(Self::$code,)*)*];

            pub(crate) fn text(self) -> &'static str {
                match self { $($(Self::$code => $text,)*)* }
            }

            pub(crate) fn severity(self) -> Severity {
                match self { $($(Self::$code => Severity::$severity,)*)* }
            }
        }
    };
}

codes! {
    Error {
        Status "status",
        ContentType "content-type",
        Charset "charset",
        NoEventStream "no-event-stream",
        InvalidUtf8 "invalid-utf-8",
        UnfinishedEvent "unfinished-event",
        ConnectionLost "connection-lost",
        NoResponse "no-response",
    }
    Warning {
        Compressed "compressed",
        UnknownField "unknown-field",
        NoColon "no-colon",
        InvalidRetry "invalid-retry",
        NulInId "nul-in-id",
        TypeWithoutData "type-without-data",
        IgnoredLine "ignored-line",
        EventTooLarge "event-too-large",
        RetryZero "retry-zero",
        RetryTooLong "retry-too-long",
        IdNotSendable "id-not-sendable",
        IdTooLong "id-too-long",
        UnfinishedLine "unfinished-line",
        Silence "silence",
        BodyAtOnce "body-at-once",
        CommentsAtOnce "comments-at-once",
    }
    Info {
        CacheControl "cache-control",
        ByteOrderMark "byte-order-mark",
        BareCr "bare-cr",
        MixedLineTerminators "mixed-line-terminators",
        IdNotAscii "id-not-ascii",
        IdBlanks "id-blanks",
        UnfinishedBlock "unfinished-block",
        Burst "burst",
    }
}

/// A position in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Place {
    /// Starts at 1.
    pub(crate) line: u64,
    /// In bytes, starts at 0.
    pub(crate) offset: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// `None` for the head of a response.
    pub(crate) place: Option<Place>,
    pub(crate) code: Code,
    pub(crate) message: String,
}

/// The most findings that wait for the first line that clients recognize.
const MAX_HELD: usize = 100;

/// Prints findings and counts them.
///
/// Findings about lines wait for the first line that clients recognize. If there is none, a single
/// finding, that this is not an event stream, takes their place.
pub(crate) struct Report {
    to: BufWriter<io::StdoutLock<'static>>,
    json: bool,
    /// `None`: findings do not wait any longer.
    held: Option<Vec<Finding>>,
    /// Codes of findings that are reported only once.
    reported: Vec<Code>,
    pub(crate) errors: u64,
    pub(crate) warnings: u64,
    pub(crate) infos: u64,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        Self {
            to: BufWriter::new(io::stdout().lock()),
            json,
            held: Some(Vec::new()),
            reported: Vec::new(),
            errors: 0,
            warnings: 0,
            infos: 0,
        }
    }

    /// Reports something about the head of the response.
    pub(crate) fn head(&mut self, code: Code, message: impl Display) -> Result<(), Failure> {
        let message = message.to_string();
        self.print(&Finding {
            place: None,
            code,
            message,
        })
    }

    /// Reports something else than a line.
    pub(crate) fn at(
        &mut self,
        place: Place,
        code: Code,
        message: impl Display,
    ) -> Result<(), Failure> {
        let (place, message) = (Some(place), message.to_string());
        self.print(&Finding {
            place,
            code,
            message,
        })
    }

    /// Reports something about a line.
    pub(crate) fn line(
        &mut self,
        place: Place,
        code: Code,
        message: impl Display,
    ) -> Result<(), Failure> {
        let Some(held) = &mut self.held else {
            return self.at(place, code, message);
        };
        held.push(Finding {
            place: Some(place),
            code,
            message: message.to_string(),
        });
        match held.len() {
            MAX_HELD => self.release(),
            _ => Ok(()),
        }
    }

    /// Reports something about a line, unless the code was reported before.
    pub(crate) fn line_once(
        &mut self,
        place: Place,
        code: Code,
        message: impl Display,
    ) -> Result<(), Failure> {
        if self.reported.contains(&code) {
            return Ok(());
        }
        self.reported.push(code);
        self.line(place, code, format_args!("{message} (reported once)"))
    }

    /// Prints the findings that wait, and those that follow without waiting.
    pub(crate) fn release(&mut self) -> Result<(), Failure> {
        let held = self.held.take().unwrap_or_default();
        held.iter().try_for_each(|finding| self.print(finding))
    }

    /// Drops the findings that wait.
    pub(crate) fn discard(&mut self) {
        self.held = None;
    }

    fn print(&mut self, finding: &Finding) -> Result<(), Failure> {
        match finding.code.severity() {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
            Severity::Info => self.infos += 1,
        }
        progress::clear();
        let to = &mut self.to;
        match self.json {
            true => write_json(finding, to),
            false => write_readable(finding, to),
        }
        .map_err(Failure::Output)
    }

    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.to.flush().map_err(Failure::Output)
    }
}

fn write_readable(finding: &Finding, to: &mut impl Write) -> io::Result<()> {
    match finding.place {
        Some(Place { line, offset }) => write!(to, "{line}:{offset}")?,
        None => write!(to, "head")?,
    }
    let severity = match finding.code.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    let (code, message) = (finding.code.text(), &finding.message);
    writeln!(to, ": {severity}: {code}: {message}")
}

fn write_json(finding: &Finding, to: &mut impl Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        #[serde(flatten)]
        place: Option<Place>,
        severity: Severity,
        code: &'static str,
        message: &'a str,
    }
    let line = Line {
        place: finding.place,
        severity: finding.code.severity(),
        code: finding.code.text(),
        message: &finding.message,
    };
    serde_json::to_writer(&mut *to, &line)?;
    writeln!(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_explains_each_code_with_its_severity() {
        let readme = include_str!("../../README.md");
        for code in Code::ALL {
            let severity = format!("{:?}", code.severity()).to_lowercase();
            let row = format!("| `{}` | {severity} |", code.text());
            assert!(readme.contains(&row), "{row}");
        }
    }
}
