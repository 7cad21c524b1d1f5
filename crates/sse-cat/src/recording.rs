//! The file format of `record` and `replay`: JSON lines, as the README defines them.

use std::{
    io::{self, BufRead, Write},
    str,
    time::Duration,
};

use crate::times::in_seconds;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::SET_COOKIE};
use serde::{Deserialize, Serialize};

/// The version of the format.
const VERSION: u32 = 1;

/// A line of a recording, except that the first one is a [`Head`].
pub(crate) enum Entry {
    Chunk(Duration, Bytes),
    End(Duration, End),
}

/// The first line.
pub(crate) struct Head {
    pub(crate) at: Duration,
    /// Of the response; `None` if a file or standard input was recorded.
    pub(crate) response: Option<(StatusCode, HeaderMap)>,
}

/// How a recording ended.
#[derive(Clone)]
pub(crate) enum End {
    /// At the end of the body or file.
    Complete,
    /// By `--for`, by Ctrl-C, or because the recorder was killed.
    Stopped,
    /// The body broke off.
    Failed(String),
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    recording: Option<u32>,
    /// Seconds since the request was sent, or the file was opened.
    at: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Vec<(String, String)>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Writes a recording line by line. Each line is complete in the file before the next one is
/// written, so that a recorder that is killed leaves a valid recording.
pub(crate) struct Writer<W> {
    to: W,
}

impl<W: Write> Writer<W> {
    pub(crate) fn new(to: W, head: &Head) -> io::Result<Self> {
        let mut writer = Self { to };
        let (status, headers) = match &head.response {
            None => (None, None),
            Some((status, headers)) => {
                let headers = headers.iter().filter(|(name, _)| *name != SET_COOKIE);
                let headers = headers.map(|(name, value)| {
                    let value = value.as_bytes().iter().copied().map(char::from);
                    (name.as_str().to_owned(), value.collect())
                });
                (Some(status.as_u16()), Some(headers.collect()))
            }
        };
        writer.write(&Line {
            recording: Some(VERSION),
            at: in_seconds(head.at),
            status,
            headers,
            ..Line::default()
        })?;
        Ok(writer)
    }

    pub(crate) fn chunk(&mut self, at: Duration, bytes: &[u8]) -> io::Result<()> {
        let (text, base64) = match str::from_utf8(bytes) {
            Ok(text) => (Some(text.to_owned()), None),
            Err(_) => (None, Some(BASE64.encode(bytes))),
        };
        self.write(&Line {
            at: in_seconds(at),
            text,
            base64,
            ..Line::default()
        })
    }

    pub(crate) fn end(&mut self, at: Duration, end: &End) -> io::Result<()> {
        let (end, error) = match end {
            End::Complete => ("complete", None),
            End::Stopped => ("stopped", None),
            End::Failed(error) => ("failed", Some(error.clone())),
        };
        self.write(&Line {
            at: in_seconds(at),
            end: Some(end.into()),
            error,
            ..Line::default()
        })
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut line = serde_json::to_vec(line)?;
        line.push(b'\n');
        self.to.write_all(&line)
    }
}

/// Reads a recording line by line.
pub(crate) struct Reader<R> {
    from: R,
    number: u64,
    is_at_end: bool,
}

impl<R: BufRead> Reader<R> {
    pub(crate) fn new(from: R) -> io::Result<(Head, Self)> {
        let mut reader = Self {
            from,
            number: 0,
            is_at_end: false,
        };
        let first = reader.read()?;
        let line = first.filter(|line| line.recording == Some(VERSION));
        let line = line.ok_or_else(|| reader.invalid("not a recording of sse-cat, version 1"))?;
        let response = match line.status {
            None => None,
            Some(status) => {
                let status = StatusCode::from_u16(status);
                let status = status.map_err(|error| reader.invalid(error))?;
                let headers = headers(line.headers.unwrap_or_default());
                Some((status, headers.map_err(|error| reader.invalid(error))?))
            }
        };
        let at = reader.time(line.at)?;
        Ok((Head { at, response }, reader))
    }

    /// `None` after the last line.
    fn read(&mut self) -> io::Result<Option<Line>> {
        // Not a `String`: a recorder that was killed may have written half a character.
        let mut line = Vec::new();
        self.number += 1;
        if self.from.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        match serde_json::from_slice(&line) {
            Ok(line) => Ok(Some(line)),
            // The recorder was killed.
            Err(_) if !line.ends_with(b"\n") && self.number > 1 => Ok(None),
            Err(error) => Err(self.invalid(error)),
        }
    }

    fn entry(&mut self) -> io::Result<Entry> {
        let Some(line) = self.read()? else {
            return Ok(Entry::End(Duration::ZERO, End::Stopped));
        };
        let at = self.time(line.at)?;
        Ok(match (line.text, line.base64, line.end.as_deref()) {
            (Some(text), None, None) => Entry::Chunk(at, text.into()),
            (None, Some(base64), None) => {
                let bytes = BASE64.decode(base64).map_err(|error| self.invalid(error))?;
                Entry::Chunk(at, bytes.into())
            }
            (None, None, Some("complete")) => Entry::End(at, End::Complete),
            (None, None, Some("stopped")) => Entry::End(at, End::Stopped),
            (None, None, Some("failed")) => {
                Entry::End(at, End::Failed(line.error.unwrap_or_default()))
            }
            _ => return Err(self.invalid("neither a chunk nor an end")),
        })
    }

    fn time(&self, seconds: f64) -> io::Result<Duration> {
        Duration::try_from_secs_f64(seconds).map_err(|error| self.invalid(error))
    }

    fn invalid(&self, why: impl std::fmt::Display) -> io::Error {
        io::Error::other(format!("line {}: {why}", self.number))
    }
}

/// The last entry is always an `End`.
impl<R: BufRead> Iterator for Reader<R> {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_at_end {
            return None;
        }
        let entry = self.entry();
        self.is_at_end = !matches!(entry, Ok(Entry::Chunk(..)));
        Some(entry)
    }
}

fn headers(lines: Vec<(String, String)>) -> Result<HeaderMap, String> {
    let lines = lines.into_iter().map(|(name, value)| {
        let bytes: Result<Vec<u8>, _> = value.chars().map(u8::try_from).collect();
        let value = bytes
            .ok()
            .and_then(|bytes| HeaderValue::from_bytes(&bytes).ok());
        match (HeaderName::from_bytes(name.as_bytes()), value) {
            (Ok(name), Some(value)) => Ok((name, value)),
            _ => Err(format!("invalid header {name}")),
        }
    });
    // `append`, not `insert`: a name may occur several times.
    lines.collect::<Result<Vec<_>, _>>().map(|lines| {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, value);
        }
        headers
    })
}
