//! Runs the conformance corpus on machines without an operating system and without an allocator:
//! the decoder over fixed memory, the encoder, and the event source. The cases are constants.
//!
//! `chip.rs` runs it on microcontrollers, `wasm.rs` in a WebAssembly runtime.

#![no_std]

use core::fmt::{self, Write};
use core::time::Duration;
use sse_proto::{
    Action, Credentials, Decoder, Disconnect, EventSource, EventTooLarge, Fixed, Frame,
    InvalidField, Item, Message, Part, Request, Signal,
};

include!(concat!(env!("OUT_DIR"), "/corpus.rs"));

/// The memory, in bytes, that [`run`] needs.
pub const MEMORY: usize = 4 * REGION;

/// Length of each region of fixed memory for cases that state no limit: more than the longest text
/// of any case.
const REGION: usize = 512 * 1024;

/// Memory for the connect cases, as small as in firmware.
const CONNECT_MEMORY: usize = 2048;

pub struct Decode {
    id: &'static str,
    seed: &'static str,
    limit: Option<usize>,
    steps: &'static [Step],
    /// The input of all steps; empty if it is long.
    whole: &'static [u8],
    /// The items of all steps.
    all: &'static [Expected],
    last_event_id: &'static str,
    /// In milliseconds.
    time: Option<u64>,
}

pub struct Step {
    bytes: &'static [u8],
    times: usize,
    items: &'static [Expected],
}

#[derive(Clone, Copy)]
pub enum Expected {
    Event(&'static str, &'static str, &'static str),
    Retry(u64),
    Comment(&'static str),
    TooLarge,
}

pub struct Encode {
    id: &'static str,
    frames: &'static [Fields],
    items: &'static [Expected],
    bytes: Option<&'static str>,
    /// The refused frame and field.
    refused: Option<(usize, &'static str)>,
}

pub struct Fields {
    event: Option<&'static str>,
    data: Option<&'static str>,
    id: Option<&'static str>,
    retry: Option<u64>,
    comment: Option<&'static str>,
}

pub struct Connect {
    id: &'static str,
    url: &'static str,
    with_credentials: bool,
    seed: &'static str,
    responses: &'static [Response],
    close_on: Option<(&'static str, Option<&'static str>)>,
    requests: &'static [ExpectedRequest],
    log: &'static [LogEntry],
    ready_state: u8,
}

type Headers = &'static [(&'static str, &'static str)];

pub enum Response {
    Failure {
        permanent: bool,
    },
    Head {
        status: u16,
        headers: Headers,
        url: Option<&'static str>,
        chunks: &'static [&'static [u8]],
        end: Option<Disconnect>,
    },
}

pub struct ExpectedRequest {
    last_event_id: Option<&'static str>,
    after: Option<u64>,
    headers: Headers,
}

pub enum LogEntry {
    Open(u8),
    Error(u8),
    Message {
        item: Expected,
        origin: &'static str,
    },
}

/// A case passes, or fails for this reason.
type Verdict = Result<(), &'static str>;

/// Runs all cases and writes the failures and a last line with the counts. Returns whether all
/// passed.
pub fn run(memory: &mut [u8], out: &mut impl Write) -> Result<bool, fmt::Error> {
    let mut counts = Counts::default();
    for case in DECODE {
        counts.add(case.id, case.check(memory), out)?;
    }
    for case in ENCODE {
        counts.add(case.id, case.check(memory), out)?;
    }
    for case in CONNECT {
        counts.add(case.id, case.check(&mut memory[..CONNECT_MEMORY]), out)?;
    }
    writeln!(out, "{} passed, {} failed", counts.passed, counts.failed)?;
    Ok(counts.failed == 0 && counts.passed > 0)
}

#[derive(Default)]
struct Counts {
    passed: u32,
    failed: u32,
}

impl Counts {
    fn add(&mut self, id: &str, verdict: Verdict, out: &mut impl Write) -> fmt::Result {
        match verdict {
            Ok(()) => self.passed += 1,
            Err(what) => {
                self.failed += 1;
                writeln!(out, "{id}: {what}")?;
            }
        }
        Ok(())
    }
}

/// A decoder that reads a case, and the items that are still expected.
struct Reader<'m> {
    decoder: Decoder<Fixed<&'m mut [u8]>>,
    expected: &'static [Expected],
}

impl<'m> Reader<'m> {
    fn new(memory: &'m mut [u8], region: usize) -> Self {
        let memory = memory.get_mut(..4 * region).unwrap_or_default();
        let decoder = Decoder::with_storage(Fixed::with_field_capacity(memory, region));
        Self {
            decoder,
            expected: &[],
        }
    }

    /// Feeds a chunk, which may complete some of the expected items or none.
    fn read(&mut self, chunk: &[u8]) -> Verdict {
        let mut events = self.decoder.feed(chunk);
        loop {
            let item = events.next_item();
            match &item {
                Ok(None) => return Ok(()),
                // Details, which the cases here do not list.
                Ok(Some(Item::Id(_) | Item::Ignored(_))) => continue,
                Err(error) if error.part() == Part::IgnoredLine => continue,
                _ => {}
            }
            match self.expected.split_first() {
                Some((expected, rest)) if expected.is(&item) => self.expected = rest,
                Some(_) => return Err("another item was expected"),
                None => return Err("an item too many"),
            }
        }
    }
}

impl Expected {
    fn is(&self, item: &Result<Option<Item<'_>>, EventTooLarge>) -> bool {
        match (self, item) {
            (expected, Ok(Some(Item::Event(event)))) => {
                expected.is_event(event.event_type, event.data, event.last_event_id)
            }
            (Expected::Retry(time), Ok(Some(Item::Retry(came)))) => {
                *came == Duration::from_millis(*time)
            }
            (Expected::Comment(text), Ok(Some(Item::Comment(came)))) => came == text,
            (Expected::TooLarge, Err(_)) => true,
            _ => false,
        }
    }

    fn is_event(&self, event: &str, data: &str, id: &str) -> bool {
        matches!(self, Expected::Event(expected, expected_data, expected_id)
            if (event, data, id) == (*expected, *expected_data, *expected_id))
    }
}

impl Decode {
    /// Reads the input in the steps of the case and byte by byte and, if it is short, also in two
    /// chunks, cut at each place.
    fn check(&self, memory: &mut [u8]) -> Verdict {
        self.in_steps(memory, usize::MAX)?;
        if self.whole.is_empty() {
            return self.in_steps(memory, 1000);
        }
        self.in_steps(memory, 1)?;
        for cut in 0..=self.whole.len() {
            let (head, tail) = self.whole.split_at(cut);
            let mut reader = self.reader(memory)?;
            reader.expected = self.all;
            reader.read(head)?;
            reader.read(tail)?;
            self.end(reader)?;
        }
        Ok(())
    }

    /// Reads each step in chunks of at most `most` bytes, and checks that its items are returned by
    /// the end of the step.
    fn in_steps(&self, memory: &mut [u8], most: usize) -> Verdict {
        let mut reader = self.reader(memory)?;
        for step in self.steps {
            reader.expected = step.items;
            for _ in 0..step.times {
                for chunk in step.bytes.chunks(most) {
                    reader.read(chunk)?;
                }
            }
            if !reader.expected.is_empty() {
                return Err("an item too late");
            }
        }
        self.end(reader)
    }

    fn reader<'m>(&self, memory: &'m mut [u8]) -> Result<Reader<'m>, &'static str> {
        let mut reader = Reader::new(memory, self.limit.unwrap_or(REGION));
        let seeded = reader.decoder.set_last_event_id(self.seed);
        seeded.map_err(|_| "the initial ID does not fit")?;
        Ok(reader)
    }

    fn end(&self, reader: Reader<'_>) -> Verdict {
        let Reader {
            mut decoder,
            expected,
        } = reader;
        let time = self.time.map(Duration::from_millis);
        if !expected.is_empty() {
            return Err("an item too few");
        }
        decoder.reset();
        if !matches!(decoder.feed(b"\n\n").next_item(), Ok(None)) {
            return Err("something is left over for the next stream");
        }
        if decoder.last_event_id() != self.last_event_id {
            return Err("another last event id");
        }
        (decoder.reconnection_time() == time)
            .then_some(())
            .ok_or("another reconnection time")
    }
}

impl Encode {
    fn check(&self, memory: &mut [u8]) -> Verdict {
        let (stream, memory) = memory.split_at_mut(MEMORY / 2);
        let mut len = 0;
        for (index, fields) in self.frames.iter().enumerate() {
            let frame = match fields.frame() {
                Ok(frame) => frame,
                Err(error) => {
                    let refused = Some((index, error.field())) == self.refused;
                    return refused.then_some(()).ok_or("refused");
                }
            };
            let room = stream.get_mut(len..).unwrap_or_default();
            len += frame
                .encode_to_slice(room)
                .map_err(|_| "the buffer is too small")?;
        }
        if self.refused.is_some() {
            return Err("not refused");
        }
        let stream = stream.get(..len).unwrap_or_default();
        if self.bytes.is_some_and(|bytes| bytes.as_bytes() != stream) {
            return Err("other bytes");
        }
        for size in [1, 7, usize::MAX] {
            let mut reader = Reader::new(memory, REGION / 2);
            reader.expected = self.items;
            for chunk in stream.chunks(size) {
                reader.read(chunk)?;
            }
            if !reader.expected.is_empty() {
                return Err("an item too few");
            }
        }
        Ok(())
    }
}

impl Fields {
    fn frame(&self) -> Result<Frame<'static>, InvalidField> {
        let mut frame = self.data.map_or(Frame::new(), Frame::message);
        if let Some(event) = self.event {
            frame = frame.event(event)?;
        }
        if let Some(id) = self.id {
            frame = frame.id(id)?;
        }
        if let Some(retry) = self.retry {
            frame = frame.retry(Duration::from_millis(retry));
        }
        if let Some(comment) = self.comment {
            frame = frame.comment(comment);
        }
        Ok(frame)
    }
}

/// Drives an event source through the script of a case.
struct Driver<'m> {
    source: EventSource<&'static str, Fixed<&'m mut [u8]>>,
    close_on: Option<(&'static str, Option<&'static str>)>,
    /// The entries that are still expected.
    requests: &'static [ExpectedRequest],
    log: &'static [LogEntry],
}

impl Connect {
    /// Reads the bodies in the chunks of the case, and byte by byte.
    fn check(&self, memory: &mut [u8]) -> Verdict {
        self.play(memory, usize::MAX)?;
        self.play(memory, 1)
    }

    fn play(&self, memory: &mut [u8], most: usize) -> Verdict {
        let decoder = Decoder::with_storage(Fixed::new(memory));
        let mut source =
            EventSource::with_decoder(self.url, decoder).map_err(|_| "not taken for a URL")?;
        if self.with_credentials {
            source = source.credentials(Credentials::Include);
        }
        let seeded = source.set_last_event_id(self.seed);
        seeded.map_err(|_| "the initial ID does not fit")?;
        let mut driver = Driver {
            source,
            close_on: self.close_on,
            requests: self.requests,
            log: self.log,
        };
        driver.run(self.responses, most)?;
        if !driver.requests.is_empty() {
            return Err("a request too few");
        }
        if !driver.log.is_empty() {
            return Err("an event too few");
        }
        let ready_state = driver.source.ready_state() as u8;
        (ready_state == self.ready_state)
            .then_some(())
            .ok_or("another state at the end")
    }
}

impl Driver<'_> {
    fn run(&mut self, responses: &'static [Response], most: usize) -> Verdict {
        let mut responses = responses.iter();
        let mut body: (&[&[u8]], Option<Disconnect>) = (&[], None);
        let mut after = Duration::ZERO;
        loop {
            let signal = match self.source.action() {
                Action::Connect(request) => {
                    let (expected, rest) =
                        self.requests.split_first().ok_or("a request too many")?;
                    self.requests = rest;
                    expected.check(&request, after)?;
                    match responses.next() {
                        None => return Ok(()),
                        Some(Response::Failure { permanent: true }) => {
                            self.source.handle_disconnect(Disconnect::Permanent)
                        }
                        Some(Response::Failure { permanent: false }) => {
                            self.source.handle_disconnect(Disconnect::Network)
                        }
                        Some(Response::Head {
                            status,
                            headers,
                            url,
                            chunks,
                            end,
                        }) => {
                            body = (chunks, *end);
                            self.source
                                .handle_response(*status, *url, headers.iter().copied())
                        }
                    }
                }
                Action::Read(_) => match (body.0.split_first(), body.1) {
                    (Some((chunk, rest)), _) => {
                        body.0 = rest;
                        for chunk in chunk.chunks(most) {
                            self.read(chunk)?;
                        }
                        None
                    }
                    (None, Some(end)) => self.source.handle_disconnect(end),
                    (None, None) => return Ok(()),
                },
                Action::Wait(wait) => {
                    after = wait.delay;
                    self.source.handle_wait_elapsed();
                    None
                }
                Action::Stop(_) => return Ok(()),
            };
            if let Some(signal) = signal {
                self.check_signal(signal)?;
            }
        }
    }

    fn read(&mut self, chunk: &[u8]) -> Verdict {
        let mut messages = self.source.feed(chunk);
        while let Some(message) = messages.next_message().map_err(|_| "too large")? {
            let Message {
                event_type,
                data,
                last_event_id,
                origin,
                ..
            } = message;
            match self.log.split_first() {
                Some((
                    LogEntry::Message {
                        item,
                        origin: expected,
                    },
                    rest,
                )) if item.is_event(event_type, data, last_event_id) && origin == *expected => {
                    self.log = rest;
                }
                _ => return Err("another event than a message was expected"),
            }
            let is_match = |on: &mut (&str, Option<&str>)| {
                !["open", "error"].contains(&event_type)
                    && on.0 == event_type
                    && on.1.is_none_or(|expected| expected == data)
            };
            if self.close_on.take_if(is_match).is_some() {
                messages.close();
            }
        }
        Ok(())
    }

    fn check_signal(&mut self, signal: Signal) -> Verdict {
        let ready_state = self.source.ready_state() as u8;
        let (name, rest) = match (signal, self.log.split_first()) {
            (Signal::Open, Some((LogEntry::Open(expected), rest))) if *expected == ready_state => {
                ("open", rest)
            }
            (Signal::Error { .. }, Some((LogEntry::Error(expected), rest)))
                if *expected == ready_state =>
            {
                ("error", rest)
            }
            _ => return Err("another event than open or error was expected"),
        };
        self.log = rest;
        if self.close_on.take_if(|on| on.0 == name).is_some() {
            self.source.close();
        }
        Ok(())
    }
}

impl ExpectedRequest {
    fn check(&self, request: &Request<'_>, after: Duration) -> Verdict {
        if request.last_event_id != self.last_event_id {
            return Err("another id in a request");
        }
        // The default reconnection time is three seconds.
        if after != Duration::from_millis(self.after.unwrap_or(3000)) {
            return Err("a request at another time");
        }
        let mut expected = self.headers.iter();
        expected
            .all(|expected| {
                request
                    .headers()
                    .any(|(name, value)| (name, value) == (expected.0, expected.1.as_bytes()))
            })
            .then_some(())
            .ok_or("a header is missing")
    }
}
