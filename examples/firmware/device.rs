//! The program of the device: a client that is polled, waits for nothing and allocates nothing.
//!
//! Nothing but `core` is used here. All memory is given or of fixed size, time is a counter of
//! milliseconds that may wrap, and the network is a [`Modem`] that takes and gives as many bytes as
//! it likes.

use core::{str, time::Duration};

use sse_proto::{
    Action, Decoder, Disconnect, EventSource, Fixed, InvalidUrl, Message, RetryPolicy, Signal,
};

/// A radio, a serial line with AT commands, a network chip. No call waits.
pub(crate) trait Modem {
    /// Begins to connect to `host:port`.
    fn open(&mut self, address: &str) -> Result<(), Lost>;
    /// Takes some of `bytes`, and says how many; 0: not now.
    fn send(&mut self, bytes: &[u8]) -> Result<usize, Lost>;
    /// Gives some bytes, and says how many; `None`: not now, 0: never again.
    fn receive(&mut self, bytes: &mut [u8]) -> Result<Option<usize>, Lost>;
    /// Drops the connection, if there is one.
    fn hang_up(&mut self);
}

/// There is no connection.
#[derive(Debug)]
pub(crate) struct Lost;

/// Longer than a server's heartbeat takes to come.
const SILENCE_MILLIS: u32 = 30_000;

/// Waits fit the counter of milliseconds.
const RETRY_POLICY: RetryPolicy = RetryPolicy::new()
    .min_delay(Duration::from_millis(100))
    .max_delay(Duration::from_secs(60 * 60))
    .backoff(Duration::from_secs(10 * 60))
    .jitter(20);

/// One event stream, for as long as the device runs.
pub(crate) struct Client<'a, M> {
    source: EventSource<&'a str, Fixed<&'a mut [u8]>>,
    modem: M,
    step: Step,
    /// When the step began, or a byte came.
    since: u32,
    request: Text<256>,
    head: Head<256>,
    too_large: u32,
}

/// How far the client is with what the machine wants.
#[derive(Clone, Copy)]
enum Step {
    Idle,
    Sending { sent: usize },
    ReadingHead,
    ReadingBody,
    Waiting { millis: u32 },
}

impl<'a, M: Modem> Client<'a, M> {
    /// A client for `url`, with `memory` for an event.
    pub(crate) fn new(url: &'a str, memory: &'a mut [u8], modem: M) -> Result<Self, InvalidUrl> {
        let decoder = Decoder::with_storage(Fixed::with_field_capacity(memory, 32));
        Ok(Self {
            source: EventSource::with_decoder(url, decoder)?.retry_policy(RETRY_POLICY),
            modem,
            step: Step::Idle,
            since: 0,
            request: Text::new(),
            head: Head::new(),
            too_large: 0,
        })
    }

    /// Does what can be done now, a little of it. To be called again and again, with the time in
    /// milliseconds and a random number.
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

    /// Events that the memory had no room for.
    pub(crate) fn too_large(&self) -> u32 {
        self.too_large
    }

    fn advance(
        &mut self,
        now: u32,
        random: u32,
        mut on_message: impl FnMut(Message<'_>),
    ) -> Result<Option<Signal>, Disconnect> {
        let elapsed = now.wrapping_sub(self.since);
        match (self.source.action(), self.step) {
            (
                Action::Connect(_) | Action::Read(_),
                Step::Sending { .. } | Step::ReadingHead | Step::ReadingBody,
            ) if elapsed >= SILENCE_MILLIS => {
                return Err(Disconnect::Network);
            }

            (Action::Connect(request), Step::Idle) => {
                let (host, path) = host_and_path(request.url).ok_or(Disconnect::Futile)?;
                self.request.len = 0;
                // The body of a response to HTTP/1.0 is not in chunks: it ends with the connection.
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
                self.since = now;
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
                    self.since = now;
                }
            }
            (Action::Connect(_), Step::ReadingHead) => {
                // One by one: what follows the head belongs to the body.
                let mut byte = [0];
                while let Some(len) = self.modem.receive(&mut byte)? {
                    if len == 0 {
                        return Err(Disconnect::Network);
                    }
                    self.since = now;
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
                    self.since = now;
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
                self.since = now;
            }
            (Action::Stop(_), Step::Idle) => {}
            (Action::Stop(_), _) => {
                self.modem.hang_up();
                self.step = Step::Idle;
            }

            // What was under way is wanted no more.
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

/// Text of limited length.
struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    const fn new() -> Self {
        Self {
            bytes: [0; N],
            len: 0,
        }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Not even in part, if it does not fit.
    fn push(&mut self, text: &[u8]) -> Result<(), Disconnect> {
        let room = self.bytes.get_mut(self.len..).unwrap_or_default();
        let room = room.get_mut(..text.len()).ok_or(Disconnect::Futile)?;
        room.copy_from_slice(text);
        self.len += text.len();
        Ok(())
    }
}

/// The head of a response, but only those lines of it that mean something here: servers say a lot.
struct Head<const N: usize> {
    lines: Text<N>,
    /// Where the line under way begins.
    line: usize,
    /// Not all of it had room.
    is_cut: bool,
}

impl<const N: usize> Head<N> {
    const fn new() -> Self {
        Self {
            lines: Text::new(),
            line: 0,
            is_cut: false,
        }
    }

    /// Takes the next byte; `true`: it was the last one.
    fn push(&mut self, byte: u8) -> Result<bool, Disconnect> {
        if byte != b'\n' {
            self.is_cut |= self.lines.push(&[byte]).is_err();
            return Ok(false);
        }
        let line = self.lines.bytes().get(self.line..).unwrap_or_default();
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
            return Err(Disconnect::Futile); // nothing here decodes that
        }
        let is_kept = self.line == 0 || is(&["Content-Type", "Retry-After"]);
        if is_kept && self.is_cut {
            return Err(Disconnect::Futile);
        }
        self.lines.len = self.line + if is_kept { line.len() } else { 0 };
        if is_kept {
            self.lines.push(b"\n")?;
        }
        self.line = self.lines.len;
        self.is_cut = false;
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
