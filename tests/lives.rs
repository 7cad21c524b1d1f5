//! Random lives of an event source, held against the naive model of the standard's steps:
//! responses, bytes, errors, timers and `close()` in any order, in virtual time.

mod support;

use core::time::Duration;

use proptest::prelude::*;
use sse_proto::{
    Action, Decoder, Disconnect, EventSource, Message, RetryPolicy, Signal, Storage, StreamItem,
};
use support::connection::{self, Entry, Op, Options, Response, Source, What};
use support::model::{Ask, Item, Limit};
use support::run;

fn tokens() -> impl Strategy<Value = Vec<u8>> {
    let tokens: Vec<&[u8]> = vec![
        &b"\n"[..],
        b"\n\n",
        b"\r",
        b"\r\n",
        b"data:a\n\n",
        b"data: bc\n",
        b"data",
        b"id:1\n",
        b"id: 2\t\n\n",
        b"id:\n\n",
        b"id:\xE2\x80\xA6\n\n",
        b"retry:0\n",
        b"retry:40\n",
        b"retry:5000\n",
        b"retry:18446744073709551616\n",
        b"event:open\n",
        b"event:error\ndata:x\n\n",
        b":c\n",
        b"\xEF\xBB\xBF",
        b"data:abcdefghijkl\n\n",
        b"x",
    ];
    let token = prop::sample::select(tokens);
    prop::collection::vec(token, 0..7).prop_map(|tokens| tokens.concat())
}

fn responses() -> impl Strategy<Value = Response> {
    let types: Vec<(&'static [&'static str], bool)> = vec![
        (&["text/event-stream"], true),
        (&["text/html", "text/event-stream;charset=x"], true),
        (&["text/event-stream", "text/html"], false),
        (&[], false),
    ];
    let urls = vec![
        None,
        Some(("https://B.example:443/x", "https://b.example")),
        Some(("http://c.example:8080/", "http://c.example:8080")),
    ];
    let retry_after = vec![
        None,
        Some(("7", 7)),
        Some(("0", 0)),
        Some(("Fri, 31 Dec 1999 23:59:59 GMT", 0)),
    ];
    let status =
        prop_oneof![6 => Just(200), 1 => prop::sample::select(&[204, 206, 301, 404, 429, 503][..])];
    let types = prop_oneof![6 => Just(types[0]), 1 => prop::sample::select(types)];
    let rest = (
        prop::sample::select(urls),
        prop::sample::select(retry_after),
    );
    (status, types, rest).prop_map(|(status, (content_type, ok), (final_url, retry_after))| {
        Response {
            status,
            content_type,
            is_event_stream: ok,
            final_url,
            retry_after,
        }
    })
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let bytes = (tokens(), prop::option::weighted(0.03, 0..3_usize));
    let op = prop_oneof![
        8 => responses().prop_map(Op::Response),
        10 => bytes.prop_map(|(bytes, close_at)| Op::Bytes { bytes, close_at }),
        4 => Just(Op::EndOfBody),
        4 => Just(Op::NetworkError),
        1 => prop_oneof![Just(Op::FutileError), Just(Op::Close)],
        8 => prop::sample::select(&[0, 1, 39, 40, 499, 3000, 60_000, 10_000_000][..])
            .prop_map(Op::Advance),
        1 => Just(Op::StrayTimer),
        1 => Just(Op::ResetBackoff),
    ];
    prop::collection::vec(op, 0..40)
}

fn options() -> impl Strategy<Value = Options> {
    let limit = prop_oneof![
        Just(Limit::Heap(1000)),
        Just(Limit::Heap(6)),
        Just(Limit::Fixed {
            text_len: 8,
            field_len: 5,
        }),
    ];
    let statuses: Vec<&'static [u16]> = vec![&[], &[], &[503, 429]];
    let statuses = prop::sample::select(statuses);
    let policy = (
        prop::bool::weighted(0.9),
        prop::sample::select(&[3000_u64, 0, 50][..]),
        prop::sample::select(&[0_u64, 0, 100][..]),
        prop::option::weighted(0.3, prop::sample::select(&[60_000_u64, 20][..])),
        prop::option::weighted(0.5, prop::sample::select(&[30_000_u64, 100, u64::MAX][..])),
        statuses,
    );
    let ask = prop_oneof![Just(Ask::Items), Just(Ask::Events)];
    (policy, limit, ask, any::<bool>()).prop_map(
        |(
            (reconnects, time, floor, ceiling, backoff, statuses),
            limit,
            ask,
            reconnects_to_final_url,
        )| Options {
            reconnects,
            time,
            floor,
            ceiling,
            backoff,
            statuses,
            reconnects_to_final_url,
            limit,
            ask,
        },
    )
}

/// A driver in virtual time, which writes down what it sees in the model's words.
struct Driver<S> {
    source: EventSource<String, S>,
    ask: Ask,
    now: u128,
    /// A request is under way.
    fetching: bool,
    timer: Option<u128>,
    log: Vec<Entry>,
}

impl<S: Storage> Driver<S> {
    fn new(url: &str, last_event_id: &str, options: &Options, decoder: Decoder<S>) -> Self {
        let milliseconds = Duration::from_millis;
        let mut policy = if options.reconnects {
            RetryPolicy::new()
        } else {
            RetryPolicy::never()
        };
        policy = policy
            .time(milliseconds(options.time))
            .floor(milliseconds(options.floor))
            .statuses(options.statuses);
        if let Some(ceiling) = options.ceiling {
            policy = policy.ceiling(milliseconds(ceiling));
        }
        if let Some(cap) = options.backoff {
            policy = policy.backoff(milliseconds(cap));
        }
        let mut source = EventSource::with_decoder(url.to_owned(), decoder)
            .unwrap()
            .retry_policy(policy)
            .reconnect_to_final_url(options.reconnects_to_final_url);
        source.set_last_event_id(last_event_id).unwrap();
        let mut driver = Self {
            source,
            ask: options.ask,
            now: 0,
            fetching: false,
            timer: None,
            log: Vec::new(),
        };
        driver.act();
        driver
    }

    /// Begins what the action asks for, unless it is under way.
    fn act(&mut self) {
        let mut fetching = false;
        let mut timer = None;
        let mut request = None;
        match self.source.action() {
            Action::Connect(to_send) => {
                fetching = true;
                if !self.fetching {
                    request = Some(What::Request {
                        url: to_send.url.to_owned(),
                        last_event_id: to_send.last_event_id.map(str::to_owned),
                    });
                }
            }
            Action::Wait(wait) => {
                assert_eq!(wait.jitter, Duration::ZERO);
                timer = self.timer.or(Some(self.now + wait.delay.as_millis()));
            }
            Action::Read | Action::Stop(_) => {}
        }
        self.fetching = fetching;
        self.timer = timer;
        if let Some(request) = request {
            self.write(request);
        }
    }

    fn apply(&mut self, op: &Op) {
        let signal = match op {
            Op::Response(response) => {
                let mut headers: Vec<_> = response
                    .content_type
                    .iter()
                    .map(|line| ("content-TYPE", *line))
                    .collect();
                headers.extend(
                    response
                        .retry_after
                        .map(|(value, _)| ("Retry-After", value)),
                );
                let url = response.final_url.map(|(url, _)| url.to_owned());
                self.source.handle_response(response.status, url, headers)
            }
            Op::Bytes { bytes, close_at } => {
                self.read(bytes, *close_at);
                None
            }
            Op::EndOfBody => self.source.handle_disconnect(Disconnect::EndOfBody),
            Op::NetworkError => self.source.handle_disconnect(Disconnect::Network),
            Op::FutileError => self.source.handle_disconnect(Disconnect::Futile),
            Op::Advance(milliseconds) => {
                let end = self.now + u128::from(*milliseconds);
                if let Some(due) = self.timer.filter(|&due| due <= end) {
                    self.now = due;
                    self.source.handle_wait_elapsed();
                    self.act();
                }
                self.now = end;
                None
            }
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
            Op::Close => {
                self.source.close();
                None
            }
        };
        match signal {
            Some(Signal::Open) => self.write(What::Open),
            Some(Signal::Error { ready_state, .. }) => {
                assert_eq!(ready_state, self.source.ready_state());
                self.write(What::Error);
            }
            None => {}
        }
        self.act();
    }

    fn read(&mut self, bytes: &[u8], close_at: Option<usize>) {
        let mut seen = Vec::new();
        let mut messages = self.source.feed(bytes);
        loop {
            let what = match self.ask {
                Ask::Items => messages.next_item().map(|item| item.map(write_item)),
                Ask::Events => messages.next_message().map(|item| item.map(write_message)),
            };
            seen.push(match what {
                Ok(Some(what)) => what,
                Ok(None) => break,
                Err(error) => What::Other(Item::TooLarge(error.limit())),
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

fn write_message(message: Message<'_>) -> What {
    What::Message {
        origin: message.origin.to_string(),
        item: Item::Event {
            event_type: message.event_type.to_owned(),
            data: message.data.to_owned(),
            last_event_id: message.last_event_id.to_owned(),
        },
    }
}

fn write_item(item: StreamItem<'_>) -> What {
    match item {
        StreamItem::Message(message) => write_message(message),
        StreamItem::Comment(text) => What::Other(Item::Comment(text.to_owned())),
        StreamItem::Retry(time) => What::Other(Item::Retry(run::milliseconds(time))),
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
        // A closed source has read no further than to its last message.
        if model.ready_state != connection::CLOSED {
            assert_eq!(driver.source.last_event_id(), model.last_event_id);
        }
        assert_eq!(driver.source.url(), url.0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: 20_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_life_is_as_the_standard_has_it(
        options in options(),
        ops in ops(),
        url in prop::sample::select(&[
            ("http://a.example/stream", "http://a.example"),
            ("HTTPS://user@A.example:8443/?x", "https://a.example:8443"),
            ("file:///tmp/stream", "null"),
        ][..]),
        id in prop::sample::select(&["", "", "7", "a\n"][..]),
    ) {
        match options.limit {
            #[cfg(feature = "alloc")]
            Limit::Heap(limit) => {
                let decoder = Decoder::with_max_event_len(limit);
                assert_as_the_model(decoder, url, id, &options, &ops);
            }
            #[cfg(not(feature = "alloc"))]
            Limit::Heap(_) => {}
            Limit::Fixed { text_len, field_len } => {
                assert_as_the_model(run::fixed(text_len, field_len), url, id, &options, &ops);
            }
        }
    }
}
