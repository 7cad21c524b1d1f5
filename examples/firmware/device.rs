//! The device's client: it is polled, never blocks and never allocates.
//!
//! It uses only `core`. All memory is passed in or of fixed size, time is a counter of milliseconds
//! that may wrap, and the network is a [`Modem`] that transfers any number of bytes at a time.

use core::{str, time::Duration};

use sse_proto::{
    Action, Decoder, Disconnect, EventSource, Fixed, InvalidUrl, Message, RetryPolicy, Signal,
};

/// A radio, a serial line with AT commands, a network chip. No method blocks.
pub(crate) trait Modem {
    /// Begins to connect to `host:port`.
    fn open(&mut self, address: &str) -> Result<(), Lost>;
    /// Sends some of `bytes` and returns how many; 0 if it cannot send now.
    fn send(&mut self, bytes: &[u8]) -> Result<usize, Lost>;
    /// Receives some bytes and returns how many; `None` if there are none now, 0 at the end.
    fn receive(&mut self, bytes: &mut [u8]) -> Result<Option<usize>, Lost>;
    /// Drops the connection, if any.
    fn hang_up(&mut self);
}

/// The connection was lost, or there is none.
#[derive(Debug)]
pub(crate) struct Lost;

/// Longer than the server's keep-alive interval.
const TIMEOUT_MILLIS: u32 = 30_000;

/// `max_delay` guarantees that each wait fits the millisecond counter.
const RETRY_POLICY: RetryPolicy = RetryPolicy::new()
    .min_delay(Duration::from_millis(100))
    .max_delay(Duration::from_secs(60 * 60))
    .backoff(Duration::from_secs(10 * 60))
    .jitter(20);

/// A client for one event stream, for as long as the device runs.
pub(crate) struct Client<'a, M> {
    source: EventSource<&'a str, Fixed<&'a mut [u8]>>,
    modem: M,
    step: Step,
    /// When the step began, or the last byte was transferred.
    last_activity: u32,
    request: Buffer<256>,
    head: Head<256>,
    too_large: u32,
}

/// The client's progress with the current action.
#[derive(Clone, Copy)]
enum Step {
    Idle,
    Sending { sent: usize },
    ReadingHead,
    ReadingBody,
    Waiting { millis: u32 },
}

impl<'a, M: Modem> Client<'a, M> {
    /// Creates a client for `url`, with `memory` for one event.
    pub(crate) fn new(url: &'a str, memory: &'a mut [u8], modem: M) -> Result<Self, InvalidUrl> {
        let decoder = Decoder::with_storage(Fixed::with_field_capacity(memory, 32));
        Ok(Self {
            source: EventSource::with_decoder(url, decoder)?.retry_policy(RETRY_POLICY),
            modem,
            step: Step::Idle,
            last_activity: 0,
            request: Buffer::new(),
            head: Head::new(),
            too_large: 0,
        })
    }

    /// Makes some progress without blocking. Call it repeatedly, with the time in milliseconds and
    /// a random number, and handle the signal that it may return.
    pub(crate) fn poll(
        &mut self,
        now: u32,
        random: u32,
        on_message: impl FnMut(Message<'_>),
    ) -> Option<Signal> {
        match self.advance(now, random, on_message) {
            Ok(signal) => signal,
            Err(cause) => self.source.handle_disconnect(cause),
        }
    }

    /// The number of events that did not fit in memory.
    pub(crate) fn too_large(&self) -> u32 {
        self.too_large
    }

    fn advance(
        &mut self,
        now: u32,
        random: u32,
        mut on_message: impl FnMut(Message<'_>),
    ) -> Result<Option<Signal>, Disconnect> {
        let elapsed = now.wrapping_sub(self.last_activity);
        match (self.source.action(), self.step) {
            (
                Action::Connect(_) | Action::Read(_),
                Step::Sending { .. } | Step::ReadingHead | Step::ReadingBody,
            ) if elapsed >= TIMEOUT_MILLIS => {
                return Err(Disconnect::Timeout);
            }

            (Action::Connect(request), Step::Idle) => {
                let (host, path) = host_and_path(request.url).ok_or(Disconnect::Permanent)?;
                self.request.len = 0;
                // With HTTP/1.0 the body is not chunked: it ends with the connection.
                for part in ["GET ", path, " HTTP/1.0\r\nHost: ", host, "\r\n"] {
                    self.request.push(part.as_bytes())?;
                }
                for (name, value) in request.headers() {
                    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
                        self.request.push(part)?;
                    }
                }
                self.request.push(b"\r\n")?;
                self.modem.open(host)?;
                self.step = Step::Sending { sent: 0 };
                self.last_activity = now;
            }
            (Action::Connect(_), Step::Sending { sent }) => {
                let rest = self.request.bytes().get(sent..).unwrap_or_default();
                let len = self.modem.send(rest)?;
                self.step = Step::Sending { sent: sent + len };
                if len == rest.len() {
                    self.head = Head::new();
                    self.step = Step::ReadingHead;
                }
                if len > 0 {
                    self.last_activity = now;
                }
            }
            (Action::Connect(_), Step::ReadingHead) => {
                // Byte by byte: what follows the head belongs to the body.
                let mut byte = [0];
                while let Some(len) = self.modem.receive(&mut byte)? {
                    if len == 0 {
                        return Err(Disconnect::Network);
                    }
                    self.last_activity = now;
                    if self.head.push(byte[0])? {
                        let (status, headers) = (self.head.status()?, self.head.headers());
                        self.step = Step::ReadingBody;
                        return Ok(self.source.handle_response(status, None, headers));
                    }
                }
            }
            (Action::Read(_), _) => {
                let mut bytes = [0; 64];
                if let Some(len) = self.modem.receive(&mut bytes)? {
                    if len == 0 {
                        return Err(Disconnect::EndOfBody);
                    }
                    self.last_activity = now;
                    let mut messages = self.source.feed(bytes.get(..len).unwrap_or_default());
                    loop {
                        match messages.next_message() {
                            Ok(Some(message)) => on_message(message),
                            Ok(None) => break,
                            Err(_) => self.too_large = self.too_large.saturating_add(1),
                        }
                    }
                }
            }

            (Action::Wait(_), Step::Waiting { millis }) => {
                if elapsed >= millis {
                    self.source.handle_wait_elapsed();
                    self.step = Step::Idle;
                }
            }
            (Action::Wait(wait), _) => {
                self.modem.hang_up();
                let millis = wait.with_jitter(random).as_millis();
                let millis = u32::try_from(millis).unwrap_or(u32::MAX);
                self.step = Step::Waiting { millis };
                self.last_activity = now;
            }
            (Action::Stop(_), Step::Idle) => {}
            (Action::Stop(_), _) => {
                self.modem.hang_up();
                self.step = Step::Idle;
            }

            // The previous step is obsolete.
            (Action::Connect(_), Step::ReadingBody | Step::Waiting { .. }) => {
                self.step = Step::Idle;
            }
        }
        Ok(None)
    }
}

impl From<Lost> for Disconnect {
    fn from(Lost: Lost) -> Self {
        Self::Network
    }
}

fn host_and_path(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("http://")?;
    let host_len = rest.find('/')?;
    Some((rest.get(..host_len)?, rest.get(host_len..)?))
}

/// A byte buffer of fixed capacity.
struct Buffer<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Buffer<N> {
    const fn new() -> Self {
        Self {
            bytes: [0; N],
            len: 0,
        }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Appends all of `bytes`, or nothing if they do not fit.
    fn push(&mut self, bytes: &[u8]) -> Result<(), Disconnect> {
        let free = self.bytes.get_mut(self.len..).unwrap_or_default();
        let target = free.get_mut(..bytes.len()).ok_or(Disconnect::Permanent)?;
        target.copy_from_slice(bytes);
        self.len += bytes.len();
        Ok(())
    }
}

/// The head of a response. Only the lines that this client uses are stored, because servers send
/// many others.
struct Head<const N: usize> {
    lines: Buffer<N>,
    /// Where the current line starts.
    line_start: usize,
    /// The current line did not fit.
    line_truncated: bool,
}

impl<const N: usize> Head<N> {
    const fn new() -> Self {
        Self {
            lines: Buffer::new(),
            line_start: 0,
            line_truncated: false,
        }
    }

    /// Adds the next byte. Returns `true` after the last one.
    fn push(&mut self, byte: u8) -> Result<bool, Disconnect> {
        if byte != b'\n' {
            self.line_truncated |= self.lines.push(&[byte]).is_err();
            return Ok(false);
        }
        let line = self
            .lines
            .bytes()
            .get(self.line_start..)
            .unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (name, _) = split_at_colon(line);
        let is = |names: &[&str]| {
            let mut names = names.iter();
            names.any(|other| name.eq_ignore_ascii_case(other.as_bytes()))
        };
        if line.is_empty() {
            return Ok(true);
        }
        if is(&["Transfer-Encoding", "Content-Encoding"]) {
            return Err(Disconnect::Permanent); // this client cannot decode the body
        }
        let is_kept = self.line_start == 0 || is(&["Content-Type", "Retry-After"]);
        if is_kept && self.line_truncated {
            return Err(Disconnect::Permanent);
        }
        self.lines.len = self.line_start + if is_kept { line.len() } else { 0 };
        if is_kept {
            self.lines.push(b"\n")?;
        }
        self.line_start = self.lines.len;
        self.line_truncated = false;
        Ok(false)
    }

    fn status(&self) -> Result<u16, Disconnect> {
        let line = self.lines.bytes().split(|&byte| byte == b'\n').next();
        line.and_then(|line| str::from_utf8(line).ok())
            .filter(|line| line.starts_with("HTTP/1."))
            .and_then(|line| line.split(' ').nth(1)?.parse().ok())
            .ok_or(Disconnect::Network)
    }

    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let lines = self.lines.bytes().split(|&byte| byte == b'\n');
        lines.skip(1).map(split_at_colon)
    }
}

fn split_at_colon(line: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = line.splitn(2, |&byte| byte == b':');
    let mut part = || parts.next().unwrap_or_default();
    (part(), part())
}
