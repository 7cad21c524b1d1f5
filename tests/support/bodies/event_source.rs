//! Any operations on an event source (responses, bytes, errors, timers, `close()`, in any order and
//! in virtual time), compared after each of them with the naive model of the standard's steps.

use core::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use sse_proto::{
    Action, Decoder, Disconnect, EventSource, Message, Request, RetryPolicy, Signal, Storage,
    StreamItem, Wait,
};
use url::Url;

use super::input::{Bytes, List, Put, Text, case};
use crate::support::connection::{self, Entry, Op, Options, ReconnectTo, Response, Source, What};
use crate::support::model::{Ask, Item, Limit};
use crate::support::run;

case! {
    struct Case {
        /// A bit for each of `NEVER` to `FIXED`; the two highest bits are an index of `STATUSES`.
        flags: u8,
        /// A bit for each of `STABLE_AFTER` to `NO_CACHE_CONTROL`; the two highest bits are the
        /// number of failures allowed.
        more: u8,
        /// In milliseconds, as are the next three.
        time: u16,
        floor: u16,
        ceiling: u16,
        backoff: u16,
        /// In milliseconds, as are the next two.
        stable_after: u16,
        response_timeout: u16,
        read_timeout: u16,
        jitter_percent: u16,
        /// The limit of the heap, or the length of the text region.
        limit: u16,
        field_capacity: u16,
        url: Text,
        id: Text,
        ops: List<Op>,
    }
}

const NEVER: u8 = 1;
pub(crate) const MAX_FAILURES: u8 = 2;
const TO_FINAL_URL: u8 = 4;
const CEILING: u8 = 8;
pub(crate) const BACKOFF: u8 = 16;
const FIXED: u8 = 32;
const STABLE_AFTER: u8 = 1;
const RESPONSE_TIMEOUT: u8 = 2;
const READ_TIMEOUT: u8 = 4;
const CONTENT_TYPE: u8 = 8;
const TO_PERMANENT_URL: u8 = 16;
const NO_CACHE_CONTROL: u8 = 32;
const STATUSES: [&[u16]; 4] = [&[], &[503, 429], &[500, 502, 504], &[301, 404, 503]];

pub(crate) fn check(case: &Case) {
    let flag = |flag| case.flags & flag != 0;
    let more = |flag| case.more & flag != 0;
    let milliseconds = |time: u16| match time {
        u16::MAX => u64::MAX,
        time => time.into(),
    };
    let limit = super::input::size(case.limit);
    let options = Options {
        reconnects: !flag(NEVER),
        time: milliseconds(case.time),
        floor: milliseconds(case.floor),
        ceiling: flag(CEILING).then_some(milliseconds(case.ceiling)),
        backoff: flag(BACKOFF).then_some(milliseconds(case.backoff)),
        jitter_percent: case.jitter_percent.into(),
        statuses: STATUSES[usize::from(case.flags >> 6)],
        stable_after: more(STABLE_AFTER).then_some(milliseconds(case.stable_after)),
        response_timeout: more(RESPONSE_TIMEOUT).then_some(milliseconds(case.response_timeout)),
        read_timeout: more(READ_TIMEOUT).then_some(milliseconds(case.read_timeout)),
        max_failures: flag(MAX_FAILURES).then_some((case.more >> 6).into()),
        retries_content_type: more(CONTENT_TYPE),
        reconnect_to: match (flag(TO_FINAL_URL), more(TO_PERMANENT_URL)) {
            (true, _) => ReconnectTo::Final,
            (false, true) => ReconnectTo::Permanent,
            (false, false) => ReconnectTo::Original,
        },
        cache_control: !more(NO_CACHE_CONTROL),
        limit: match flag(FIXED) {
            false => Limit::Heap(limit),
            true => Limit::Fixed {
                data_capacity: limit,
                field_capacity: super::input::size(case.field_capacity),
            },
        },
        ask: Ask::Items,
    };
    let default = || {
        (
            "http://a.example/x".to_owned(),
            "http://a.example".to_owned(),
        )
    };
    let (url, origin) = url_and_origin(&case.url.0).unwrap_or_else(default);
    // Always both methods, since a bug in only one of them would otherwise be found in few inputs.
    for ask in [Ask::Items, Ask::Events] {
        let options = Options {
            ask,
            ..options.clone()
        };
        check_connection((&url, &origin), &case.id.0, &options, &case.ops.0);
    }
}

/// Normalises a URL and returns its origin, both with the package `url`. `None` if it is invalid,
/// cannot be requested, or takes its origin from another URL.
pub(crate) fn url_and_origin(text: &str) -> Option<(String, String)> {
    let url = Url::parse(text).ok()?;
    let can_be_asked = url.scheme() != "blob" && !url.as_str().contains(' ');
    let origin = url.origin().ascii_serialization();
    can_be_asked.then(|| (url.into(), origin))
}

/// Checks an event source with these options against the model.
pub(crate) fn check_connection(url: (&str, &str), id: &str, options: &Options, ops: &[Op]) {
    match options.limit {
        #[cfg(feature = "alloc")]
        Limit::Heap(limit) => {
            let decoder = Decoder::with_max_event_len(limit);
            assert_as_the_model(decoder, url, id, options, ops);
        }
        #[cfg(not(feature = "alloc"))]
        Limit::Heap(_) => {}
        Limit::Fixed {
            data_capacity,
            field_capacity,
        } => {
            let id = if id.len() <= field_capacity { id } else { "" };
            assert_as_the_model(
                run::fixed(data_capacity, field_capacity),
                url,
                id,
                options,
                ops,
            );
        }
        Limit::Regions { .. } => unreachable!("no options have it"),
    }
}

/// A driver in virtual time, which records what happens in the types of the model.
struct Driver<'o, S> {
    source: EventSource<String, S>,
    options: &'o Options,
    now: u128,
    /// Whether a request was sent and is not answered yet.
    fetching: bool,
    /// Whether a body is being read.
    reading: bool,
    timer: Option<u128>,
    /// When the response, or the next byte, times out.
    deadline: Option<u128>,
    /// When the connection counts as stable.
    stable_at: Option<u128>,
    log: Vec<Entry>,
}

impl<'o, S: Storage> Driver<'o, S> {
    fn new(url: &str, last_event_id: &str, options: &'o Options, decoder: Decoder<S>) -> Self {
        let milliseconds = Duration::from_millis;
        let mut policy = if options.reconnects {
            RetryPolicy::new()
        } else {
            RetryPolicy::never()
        };
        policy = policy
            .reconnection_time(milliseconds(options.time))
            .min_delay(milliseconds(options.floor))
            .jitter(options.jitter_percent)
            .retry_content_type(options.retries_content_type)
            .statuses(options.statuses);
        if let Some(ceiling) = options.ceiling {
            policy = policy.max_delay(milliseconds(ceiling));
        }
        if let Some(cap) = options.backoff {
            policy = policy.backoff(milliseconds(cap));
        }
        if let Some(time) = options.stable_after {
            policy = policy.stable_after(milliseconds(time));
        }
        if let Some(count) = options.max_failures {
            policy = policy.max_failures(count);
        }
        let mut source = EventSource::with_decoder(url.to_owned(), decoder)
            .unwrap()
            .retry_policy(policy)
            .cache_control(options.cache_control)
            .reconnect_to(match options.reconnect_to {
                ReconnectTo::Original => sse_proto::ReconnectTo::OriginalUrl,
                ReconnectTo::Permanent => sse_proto::ReconnectTo::PermanentUrl,
                ReconnectTo::Final => sse_proto::ReconnectTo::FinalUrl,
            });
        if let Some(time) = options.response_timeout {
            source = source.response_timeout(milliseconds(time));
        }
        if let Some(time) = options.read_timeout {
            source = source.read_timeout(milliseconds(time));
        }
        source.set_last_event_id(last_event_id).unwrap();
        let mut driver = Self {
            source,
            options,
            now: 0,
            fetching: false,
            reading: false,
            timer: None,
            deadline: None,
            stable_at: None,
            log: Vec::new(),
        };
        driver.act();
        driver
    }

    /// Starts what the action asks for, unless it has started already.
    fn act(&mut self) {
        let in_time = |time: Option<Duration>| time.map(|time| self.now + time.as_millis());
        let (mut fetching, mut reading) = (false, false);
        let (mut timer, mut deadline, mut stable_at) = (None, None, None);
        let mut request = None;
        match self.source.action() {
            Action::Connect(to_send) => {
                fetching = true;
                check_headers(to_send, self.options.cache_control);
                deadline = self.deadline.filter(|_| self.fetching);
                if !self.fetching {
                    deadline = in_time(to_send.timeout);
                    request = Some(What::Request {
                        url: to_send.url.to_owned(),
                        last_event_id: to_send.last_event_id.map(str::to_owned),
                    });
                }
            }
            Action::Wait(wait) => {
                self.check_jitter(wait);
                timer = self.timer.or(Some(self.now + wait.delay.as_millis()));
            }
            Action::Read(read) => {
                reading = true;
                if self.reading {
                    deadline = self.deadline;
                    stable_at = self.stable_at.filter(|_| read.stable_after.is_some());
                } else {
                    deadline = in_time(read.timeout);
                    stable_at = in_time(read.stable_after);
                }
            }
            Action::Stop(_) => {}
        }
        self.fetching = fetching;
        self.reading = reading;
        self.timer = timer;
        self.deadline = deadline;
        self.stable_at = stable_at;
        if let Some(request) = request {
            self.write(request);
        }
    }

    /// Checks that the jitter is the percentage of the delay, and that both together are at most
    /// the longest delay.
    fn check_jitter(&self, wait: Wait) {
        let delay = wait.delay.as_nanos();
        let mut expected = delay * u128::from(self.options.jitter_percent) / 100;
        if let Some(ceiling) = self.options.ceiling {
            expected = expected.min(Duration::from_millis(ceiling).as_nanos() - delay);
        }
        let most = Duration::MAX.as_nanos();
        assert_eq!(wait.jitter.as_nanos(), expected.min(most - delay));
        assert_eq!(wait.with_jitter(0), wait.delay);
        let longest = wait.with_jitter(u32::MAX);
        assert!((wait.delay..=wait.delay + wait.jitter).contains(&longest));
    }

    fn apply(&mut self, op: &Op) {
        let signal = match op {
            Op::Response(response) => {
                let lines = response.content_type.iter();
                let mut headers: Vec<_> = lines.map(|line| ("content-TYPE", &line[..])).collect();
                let retry_after = response.retry_after.as_ref();
                headers.extend(retry_after.map(|value| ("Retry-After", value.as_bytes())));
                let url = response.final_url.as_ref().map(|(url, _)| url.clone());
                self.source.handle_response(response.status, url, headers)
            }
            Op::Bytes { bytes, close_at } => {
                self.read(bytes, *close_at);
                None
            }
            Op::EndOfBody => self.source.handle_disconnect(Disconnect::EndOfBody),
            Op::NetworkError => self.source.handle_disconnect(Disconnect::Network),
            Op::PermanentError => self.source.handle_disconnect(Disconnect::Permanent),
            Op::Redirect(status, (url, _)) => {
                self.source.handle_redirect(*status, url.clone());
                None
            }
            Op::Advance(milliseconds) => self.advance(*milliseconds),
            Op::StrayTimer => {
                if self.timer.is_none() {
                    self.source.handle_wait_elapsed();
                }
                None
            }
            Op::ResetBackoff => {
                self.source.reset_backoff();
                None
            }
            Op::ExpectEnd => {
                self.source.expect_end();
                None
            }
            Op::ReconnectNow => self.source.reconnect_now(),
            Op::SetUrl((url, _)) => {
                self.source.set_url(url.clone()).unwrap();
                None
            }
            Op::Close => {
                self.source.close();
                None
            }
        };
        match signal {
            Some(Signal::Open) => self.write(What::Open),
            Some(Signal::Error {
                ready_state,
                reason,
            }) => {
                assert_eq!(ready_state, self.source.ready_state());
                self.write(What::Error(format!("{reason:?}")));
            }
            None => {}
        }
        self.act();
    }

    fn advance(&mut self, milliseconds: u64) -> Option<Signal> {
        let end = self.now + u128::from(milliseconds);
        let timers = [self.stable_at, self.timer, self.deadline];
        self.now = timers.into_iter().flatten().fold(end, u128::min);
        let now = Some(self.now);
        if self.stable_at == now {
            self.source.handle_stable_elapsed();
        } else if self.timer == now {
            self.source.handle_wait_elapsed();
        } else if self.deadline == now {
            return self.source.handle_disconnect(Disconnect::Timeout);
        }
        None
    }

    fn read(&mut self, bytes: &[u8], close_at: Option<usize>) {
        if let (Action::Read(read), false) = (self.source.action(), bytes.is_empty()) {
            self.deadline = read.timeout.map(|time| self.now + time.as_millis());
        }
        let mut seen = Vec::new();
        let mut messages = self.source.feed(bytes);
        loop {
            let what = match self.options.ask {
                Ask::Items => messages.next_item().map(|item| item.map(write_item)),
                Ask::Events => messages.next_message().map(|item| item.map(write_message)),
            };
            seen.push(match what {
                Ok(Some(what)) => what,
                Ok(None) => break,
                Err(error) => What::Other(run::write_error(error)),
            });
            if close_at == Some(seen.len() - 1) {
                messages.close();
            }
        }
        for what in seen {
            self.log.push(Entry {
                at: self.now,
                ready_state: connection::OPEN,
                what,
            });
        }
    }

    fn write(&mut self, what: What) {
        self.log.push(Entry {
            at: self.now,
            ready_state: self.source.ready_state() as u8,
            what,
        });
    }
}

/// Checks the headers: "`Accept`/`text/event-stream`", `Cache-Control` unless it is turned off, and
/// the ID if one is sent.
fn check_headers(request: Request<'_>, cache_control: bool) {
    let accept = Some(("Accept", "text/event-stream"));
    let cache_control = cache_control.then_some(("Cache-Control", "no-cache"));
    let id = request.last_event_id.map(|id| ("Last-Event-ID", id));
    let expected = [accept, cache_control, id].into_iter().flatten();
    assert!(
        request
            .headers()
            .eq(expected.map(|(name, value)| (name, value.as_bytes())))
    );
}

fn write_message(message: Message<'_>) -> What {
    What::Message {
        origin: message.origin.to_string(),
        item: run::write_event(&message.into()),
    }
}

fn write_item(item: StreamItem<'_>) -> What {
    match item {
        StreamItem::Message(message) => write_message(message),
        StreamItem::Comment(text) => What::Other(Item::Comment(text.to_owned())),
        StreamItem::Retry(time) => What::Other(Item::Retry(run::milliseconds(time))),
        StreamItem::Id(id) => What::Other(Item::Id(id.to_owned())),
        StreamItem::Ignored(ignored) => {
            What::Other(Item::Ignored(ignored.text.to_owned(), ignored.reason))
        }
        other => panic!("an item that the model does not know: {other:?}"),
    }
}

fn assert_as_the_model<S: Storage>(
    decoder: Decoder<S>,
    url: (&str, &str),
    id: &str,
    options: &Options,
    ops: &[Op],
) {
    let mut model = Source::new(url, id, options.clone());
    let mut driver = Driver::new(url.0, id, options, decoder);
    assert_eq!(driver.log, model.log);
    for op in ops {
        model.apply(op);
        driver.apply(op);
        assert_eq!(driver.log, model.log, "after {op:?}");
        assert_eq!(driver.source.ready_state() as u8, model.ready_state);
        // A closed source has not read beyond its last message.
        if model.ready_state != connection::CLOSED {
            assert_eq!(driver.source.last_event_id(), model.last_event_id);
            let time = Duration::from_millis(model.reconnection_time());
            assert_eq!(driver.source.reconnection_time(), time);
        }
        assert_eq!(driver.source.url(), model.url.0);
        assert_eq!(driver.source.failures(), model.failures);
        assert_eq!(driver.source.origin(), model.origin());
    }
}

const CLOSE_NEVER: u8 = 0xFF;

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u8::arbitrary(u)? % 16 {
            0 => Self::Response(u.arbitrary()?),
            1 => Self::Bytes {
                close_at: match u8::arbitrary(u)? {
                    item @ 0..8 => Some(item.into()),
                    _ => None,
                },
                bytes: Bytes::arbitrary(u)?.0,
            },
            2 => Self::EndOfBody,
            3 => Self::NetworkError,
            4 => Self::PermanentError,
            5 => Self::Advance(u.arbitrary()?),
            6 => Self::StrayTimer,
            7 => Self::ResetBackoff,
            8 => Self::Close,
            // A shorter input for the response that long sequences need often.
            9 => Self::Response(Response {
                status: 200,
                content_type: vec![b"text/event-stream".to_vec()],
                ..Response::default()
            }),
            10 => Self::Advance(u64::MAX),
            12 => Self::ExpectEnd,
            13 => Self::ReconnectNow,
            14 => match url_and_origin(&Text::arbitrary(u)?.0) {
                Some(url) => Self::SetUrl(url),
                None => Self::StrayTimer,
            },
            15 => match (u.arbitrary()?, url_and_origin(&Text::arbitrary(u)?.0)) {
                (status, Some(url)) => Self::Redirect(status, url),
                (_, None) => Self::StrayTimer,
            },
            _ => Self::Bytes {
                close_at: None,
                bytes: Bytes::arbitrary(u)?.0,
            },
        })
    }
}

impl Put for Op {
    fn put(&self, input: &mut Vec<u8>) {
        match self {
            Self::Response(response) => {
                0_u8.put(input);
                response.put(input);
            }
            Self::Bytes { bytes, close_at } => {
                1_u8.put(input);
                let item = close_at.and_then(|item| item.try_into().ok());
                item.unwrap_or(CLOSE_NEVER).put(input);
                Bytes(bytes.clone()).put(input);
            }
            Self::EndOfBody => 2_u8.put(input),
            Self::NetworkError => 3_u8.put(input),
            Self::PermanentError => 4_u8.put(input),
            Self::Advance(milliseconds) => {
                5_u8.put(input);
                milliseconds.put(input);
            }
            Self::StrayTimer => 6_u8.put(input),
            Self::ResetBackoff => 7_u8.put(input),
            Self::Close => 8_u8.put(input),
            Self::ExpectEnd => 12_u8.put(input),
            Self::ReconnectNow => 13_u8.put(input),
            Self::SetUrl((url, _)) => {
                14_u8.put(input);
                Text(url.clone()).put(input);
            }
            Self::Redirect(status, (url, _)) => {
                15_u8.put(input);
                status.put(input);
                Text(url.clone()).put(input);
            }
        }
    }
}

// The lowest two bits are the number of `Content-Type` values; each of the other fields has a bit.
const HAS_URL: u8 = 4;
const HAS_RETRY_AFTER: u8 = 8;

impl<'a> Arbitrary<'a> for Response {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let has = u8::arbitrary(u)?;
        let mut response = Self {
            status: u.arbitrary()?,
            ..Self::default()
        };
        for _ in 0..has & 3 {
            response.content_type.push(Bytes::arbitrary(u)?.0);
        }
        if has & HAS_URL != 0 {
            response.final_url = url_and_origin(&Text::arbitrary(u)?.0);
        }
        if has & HAS_RETRY_AFTER != 0 {
            response.retry_after = Some(Text::arbitrary(u)?.0);
        }
        Ok(response)
    }
}

impl Put for Response {
    fn put(&self, input: &mut Vec<u8>) {
        let lines = u8::try_from(self.content_type.len()).expect("no more than 3 lines");
        assert!(lines < 4, "no more than 3 lines");
        let url = if self.final_url.is_some() { HAS_URL } else { 0 };
        let retry_after = self.retry_after.as_ref().map_or(0, |_| HAS_RETRY_AFTER);
        (lines | url | retry_after).put(input);
        self.status.put(input);
        for line in &self.content_type {
            Bytes(line.clone()).put(input);
        }
        let texts = [
            self.final_url.as_ref().map(|(url, _)| url),
            self.retry_after.as_ref(),
        ];
        for text in texts.into_iter().flatten() {
            Text(text.clone()).put(input);
        }
    }
}
