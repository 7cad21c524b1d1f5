//! Random operations on an event source (responses, bytes, errors, timers, `close()`, in any order
//! and in virtual time), compared with the naive model of the standard's steps.

#[path = "support/bodies/mod.rs"]
mod bodies;
mod support;

use bodies::event_source::check_connection;
use proptest::prelude::*;
use support::connection::{Op, Options, ReconnectTo, Response};
use support::model::{Ask, Limit};

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

/// A URL and its origin.
fn urls() -> impl Strategy<Value = (String, String)> {
    const URLS: [(&str, &str); 3] = [
        ("https://B.example:443/x", "https://b.example"),
        ("http://c.example:8080/", "http://c.example:8080"),
        ("http://d.example/", "http://d.example"),
    ];
    prop::sample::select(&URLS[..]).prop_map(|(url, origin)| (url.to_owned(), origin.to_owned()))
}

fn responses() -> impl Strategy<Value = Response> {
    let types: Vec<&'static [&'static str]> = vec![
        &["text/event-stream"],
        &["text/html", "text/event-stream;charset=x"],
        &["text/event-stream", "text/html"],
        &[],
    ];
    let urls = vec![
        None,
        Some(("https://B.example:443/x", "https://b.example")),
        Some(("http://c.example:8080/", "http://c.example:8080")),
    ];
    let retry_after = vec![
        None,
        Some("7"),
        Some("0"),
        Some("Fri, 31 Dec 1999 23:59:59 GMT"),
    ];
    let status =
        prop_oneof![6 => Just(200), 1 => prop::sample::select(&[204, 206, 301, 404, 429, 503][..])];
    let types = prop_oneof![6 => Just(types[0]), 1 => prop::sample::select(types)];
    let rest = (
        prop::sample::select(urls),
        prop::sample::select(retry_after),
    );
    (status, types, rest).prop_map(|(status, types, (final_url, retry_after))| Response {
        status,
        content_type: types.iter().map(|line| line.as_bytes().to_vec()).collect(),
        final_url: final_url.map(|(url, origin)| (url.to_owned(), origin.to_owned())),
        retry_after: retry_after.map(str::to_owned),
    })
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let bytes = (tokens(), prop::option::weighted(0.03, 0..3_usize));
    let op = prop_oneof![
        8 => responses().prop_map(Op::Response),
        10 => bytes.prop_map(|(bytes, close_at)| Op::Bytes { bytes, close_at }),
        4 => Just(Op::EndOfBody),
        4 => Just(Op::NetworkError),
        1 => prop_oneof![Just(Op::PermanentError), Just(Op::Close)],
        8 => prop::sample::select(&[0, 1, 39, 40, 499, 3000, 60_000, 10_000_000][..])
            .prop_map(Op::Advance),
        3 => (prop::sample::select(&[301_u16, 302, 303, 307, 308][..]), urls())
            .prop_map(|(status, url)| Op::Redirect(status, url)),
        1 => Just(Op::StrayTimer),
        1 => Just(Op::ResetBackoff),
        1 => Just(Op::ExpectEnd),
        2 => Just(Op::ReconnectNow),
        1 => urls().prop_map(Op::SetUrl),
    ];
    prop::collection::vec(op, 0..40)
}

fn options() -> impl Strategy<Value = Options> {
    let limit = prop_oneof![
        Just(Limit::Heap(1000)),
        Just(Limit::Heap(6)),
        Just(Limit::Fixed {
            data_capacity: 8,
            field_capacity: 5,
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
    let jitter_percent = prop::sample::select(&[0, 0, 50, 100_000][..]);
    let ask = prop_oneof![Just(Ask::Items), Just(Ask::Events)];
    let milliseconds =
        || prop::option::weighted(0.3, prop::sample::select(&[0_u64, 40, 10_000][..]));
    let timers = (milliseconds(), milliseconds(), milliseconds());
    let max_failures = prop::option::weighted(0.3, 0..4_u32);
    let reconnect_to = prop::sample::select(
        &[
            ReconnectTo::Original,
            ReconnectTo::Permanent,
            ReconnectTo::Final,
        ][..],
    );
    let flags = (prop::bool::weighted(0.2), any::<bool>());
    let rest = (max_failures, reconnect_to, flags, jitter_percent);
    (policy, limit, ask, timers, rest).prop_map(
        |(
            (reconnects, time, floor, ceiling, backoff, statuses),
            limit,
            ask,
            (stable_after, response_timeout, read_timeout),
            (max_failures, reconnect_to, (retries_content_type, cache_control), jitter_percent),
        )| Options {
            reconnects,
            time,
            floor,
            ceiling,
            backoff,
            jitter_percent,
            statuses,
            stable_after,
            response_timeout,
            read_timeout,
            max_failures,
            retries_content_type,
            reconnect_to,
            cache_control,
            limit,
            ask,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: 20_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_operations_behave_as_the_model_of_the_standard(
        options in options(),
        ops in ops(),
        url in prop::sample::select(&[
            ("http://a.example/stream", "http://a.example"),
            ("HTTPS://user@A.example:8443/?x", "https://a.example:8443"),
            ("file:///tmp/stream", "null"),
        ][..]),
        id in prop::sample::select(&["", "", "7", "a\n"][..]),
    ) {
        check_connection(url, id, &options, &ops);
    }
}
