//! Checks the lines of a stream.

use std::{borrow::Cow, mem, str};

use super::{
    arrivals::Contents,
    fields::{self, Field},
    finding::{Code, Place, Report},
    lines::{Line, Lines, Piece, Terminator},
};
use crate::{Failure, output::Escaped};
use sse_proto::{Decoder, IgnoredReason, Item, Part};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// So much of each line is checked in any case.
const MIN_LINE_LEN: usize = 64 * 1024;

/// An event stream.
pub(super) struct Stream {
    lines: Lines,
    checker: Checker,
}

impl Stream {
    /// Reports events that are longer than this limit.
    pub(super) fn new(max_event_len: usize) -> Self {
        Self {
            // Together with the name of its field, a value that exceeds the limit still does so.
            lines: Lines::new(max_event_len.saturating_add(MIN_LINE_LEN)),
            checker: Checker {
                decoder: Decoder::with_max_event_len(max_event_len),
                block: Block::default(),
                terminator: None,
                first_ignored: String::new(),
                lines: 0,
                contents: Contents::default(),
                events: 0,
            },
        }
    }

    /// Checks the next chunk. Returns what it completes.
    pub(super) fn feed(&mut self, chunk: &[u8], report: &mut Report) -> Result<Contents, Failure> {
        self.checker.contents.bytes += chunk.len() as u64;
        let checker = &mut self.checker;
        self.lines.feed(chunk, |piece| match piece {
            Piece::Line(line) => checker.line(&line, report),
            Piece::Terminator(place, terminator) => checker.terminator(place, terminator, report),
        })?;
        Ok(mem::take(&mut self.checker.contents))
    }

    /// Checks the end of the stream, or of what was read of it.
    pub(super) fn end(&mut self, is_complete: bool, report: &mut Report) -> Result<(), Failure> {
        let checker = &mut self.checker;
        if let Some((place, terminator)) = self.lines.last_terminator() {
            checker.terminator(place, terminator, report)?;
        }
        let unfinished = self.lines.unfinished().filter(|_| is_complete);
        if is_complete {
            checker.unfinished(unfinished.as_ref(), report)?;
        }
        checker.no_event_stream(report)
    }

    /// Returns the place after the last byte.
    pub(super) fn place(&self) -> Place {
        self.lines.end()
    }

    /// Returns the number of lines and of events.
    pub(super) fn totals(&self) -> (u64, u64) {
        (self.checker.lines, self.checker.events)
    }
}

/// Everything but the places.
struct Checker {
    decoder: Decoder,
    block: Block,
    /// The first line terminator.
    terminator: Option<Terminator>,
    /// The start of the first line that was ignored.
    first_ignored: String,
    lines: u64,
    contents: Contents,
    events: u64,
}

/// The lines since the last blank line.
#[derive(Default)]
struct Block {
    start: Option<Place>,
    /// The last `event` line that is not empty.
    event_type: Option<Place>,
    has_data: bool,
    has_id: bool,
}

impl Checker {
    fn line(&mut self, line: &Line<'_>, report: &mut Report) -> Result<(), Failure> {
        self.lines += 1;
        let place = line.place;
        let text = self.text(line, report)?;
        let mut is_of_block = true;
        match Field::parse(&text) {
            Field::Data => self.block.has_data = true,
            Field::Event("") => self.block.event_type = None,
            Field::Event(_) => self.block.event_type = Some(place),
            Field::Id(id) => {
                self.block.has_id |= !id.contains('\0');
                for (code, why) in fields::check_id(id) {
                    match code {
                        Code::IdNotAscii | Code::IdBlanks => report.line_once(place, code, why)?,
                        _ => report.line(place, code, why)?,
                    }
                }
            }
            Field::Retry(value) => {
                is_of_block = false;
                if let Some((code, why)) = fields::check_retry(value) {
                    report.line(place, code, why)?;
                }
            }
            Field::Comment => {
                is_of_block = false;
                self.contents.comments += 1;
            }
            Field::Blank | Field::Other => is_of_block = false,
        }
        if is_of_block {
            self.block.start.get_or_insert(place);
        }
        // The decoder gets whole lines, so what it returns belongs to this line.
        self.decode(line.bytes, place, &text, report)?;
        self.decode(b"\n", place, &text, report)?;
        if text.is_empty() {
            self.block = Block::default();
        }
        Ok(())
    }

    /// Counts events, and reports what the decoder ignores.
    fn decode(
        &mut self,
        bytes: &[u8],
        place: Place,
        text: &str,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let mut items = self.decoder.feed(bytes);
        loop {
            match items.next_item() {
                Ok(Some(Item::Event(_))) => {
                    self.events += 1;
                    self.contents.events += 1;
                }
                Ok(Some(Item::Ignored(line))) => {
                    if self.first_ignored.is_empty() {
                        self.first_ignored = text.chars().take(100).collect();
                    }
                    let of_type = self.block.event_type;
                    let of_type = of_type.filter(|_| line.reason == IgnoredReason::TypeWithoutData);
                    let (code, why) = fields::ignored(line);
                    report.line(of_type.unwrap_or(place), code, why)?;
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => match error.part() {
                    Part::Comment => {}
                    Part::IgnoredLine => {
                        let why = format!("{error}: {}", shown(text));
                        report.line(place, Code::IgnoredLine, why)?;
                    }
                    _ => {
                        let why = format!("{error}, so it is skipped; see --max-event");
                        report.line(place, Code::EventTooLarge, why)?;
                    }
                },
            }
        }
        match self.decoder.has_recognized_line() {
            true => report.release(),
            false => Ok(()),
        }
    }

    /// Returns the text of the line, without a byte order mark at the start of the stream.
    fn text<'a>(&mut self, line: &Line<'a>, report: &mut Report) -> Result<Cow<'a, str>, Failure> {
        let place = line.place;
        let bytes = match line.bytes.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) if place.offset == 0 => {
                let why = "the stream starts with a byte order mark, which clients remove";
                report.line(place, Code::ByteOrderMark, why)?;
                rest
            }
            _ => line.bytes,
        };
        let removed = line.bytes.len() - bytes.len();
        let bytes = match str::from_utf8(bytes) {
            // The line is cut off inside a character.
            Err(error) if line.is_cut && error.error_len().is_none() => {
                &bytes[..error.valid_up_to()]
            }
            _ => bytes,
        };
        if let Err(error) = str::from_utf8(bytes) {
            let index = removed + error.valid_up_to();
            let invalid = bytes.utf8_chunks().map(|chunk| chunk.invalid());
            let replaced = invalid.filter(|invalid| !invalid.is_empty()).count();
            let place = Place {
                offset: place.offset + index as u64,
                ..place
            };
            let first = line.bytes[index];
            let message = format!(
                "invalid UTF-8 from byte 0x{first:02X}; characters of this line that become U+FFFD: {replaced}"
            );
            report.line(place, Code::InvalidUtf8, message)?;
        }
        Ok(String::from_utf8_lossy(bytes))
    }

    fn terminator(
        &mut self,
        place: Place,
        terminator: Terminator,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let first = *self.terminator.get_or_insert(terminator);
        if terminator == Terminator::Cr {
            let why = "this line ends with a bare CR, which the standard allows, but some parsers do \
                       not know";
            report.line_once(place, Code::BareCr, why)?;
        }
        if terminator != first {
            let why = format!(
                "this line ends with {}, the first one with {}",
                name(terminator),
                name(first)
            );
            report.line_once(place, Code::MixedLineTerminators, why)?;
        }
        Ok(())
    }

    /// Reports what is lost because the input ends without a blank line.
    fn unfinished(&mut self, line: Option<&Line<'_>>, report: &mut Report) -> Result<(), Failure> {
        let block = mem::take(&mut self.block);
        if let Some(line) = line {
            let text = self.text(line, report)?;
            self.decode(line.bytes, line.place, &text, report)?;
            let shown_text = match &*text {
                // It has only a part of a character.
                "" => shown(&String::from_utf8_lossy(line.bytes)),
                text => shown(text),
            };
            let why = format!("the input ends inside this line, so it is ignored: {shown_text}");
            match Field::parse(&text) {
                Field::Blank if line.bytes == BYTE_ORDER_MARK => {}
                Field::Comment => {}
                Field::Data if !block.has_data => {
                    let why = format!("{why}; its event is lost");
                    let start = block.start.unwrap_or(line.place);
                    return report.line(start, Code::UnfinishedEvent, why);
                }
                Field::Id(_) if !block.has_data && !block.has_id => {
                    let why = format!("{why}; its id is not kept");
                    let start = block.start.unwrap_or(line.place);
                    return report.line(start, Code::UnfinishedEvent, why);
                }
                _ => report.line(line.place, Code::UnfinishedLine, why)?,
            }
            if self.first_ignored.is_empty() {
                self.first_ignored = text.chars().take(100).collect();
            }
        }
        let what = match block {
            Block { has_data: true, .. } => "its event is lost",
            Block { has_id: true, .. } => "its id is not kept",
            Block {
                event_type: Some(place),
                ..
            } => {
                let why = "the input ends inside a block without data, so its type has no effect";
                return report.line(place, Code::UnfinishedBlock, why);
            }
            _ => return Ok(()),
        };
        let why = format!("the input ends without the blank line after this block, so {what}");
        match block.start {
            Some(place) => report.line(place, Code::UnfinishedEvent, why),
            None => Ok(()),
        }
    }

    /// Reports a stream of which clients recognize nothing, instead of its lines.
    fn no_event_stream(&mut self, report: &mut Report) -> Result<(), Failure> {
        if !self.decoder.is_no_event_stream() {
            return report.release();
        }
        report.discard();
        let message = format!(
            "no event stream: clients ignore each line; the first one: {}",
            shown(&self.first_ignored)
        );
        report.at(Place { line: 1, offset: 0 }, Code::NoEventStream, message)
    }
}

fn name(terminator: Terminator) -> &'static str {
    match terminator {
        Terminator::Lf => "LF",
        Terminator::CrLf => "CRLF",
        Terminator::Cr => "CR",
    }
}

/// Returns the start of the text in quotation marks.
pub(super) fn shown(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    let start: String = text.chars().take(MAX_CHARS).collect();
    let dots = if start.len() < text.len() { " .." } else { "" };
    format!("\"{}\"{dots}", Escaped(&start))
}
