//! The retry policy: how long to wait before the next request, and when to give up.

use core::time::Duration;

use sse_proto::{Action, Disconnect, ReadyState, Reason, RetryPolicy, Unfinished};

use super::{EVENT_STREAM, MS, NO_HEADERS, data, error, of_url, open, source, wait};

/// The delays, in milliseconds, after the first `N` failures in a row.
fn delays<const N: usize>(policy: RetryPolicy, retry: &str) -> [u128; N] {
    let mut source = source().retry_policy(policy);
    let _open = source.handle_response(200, None, EVENT_STREAM);
    let _none = data(&mut source.feed(retry.as_bytes()));
    core::array::from_fn(|_| {
        let _error = source.handle_disconnect(Disconnect::Network);
        let delay = wait(&source).delay.as_millis();
        source.handle_wait_elapsed();
        delay
    })
}

const MAX: u128 = u64::MAX as u128;

#[test]
fn the_wait_is_the_reconnection_time() {
    let policy = RetryPolicy::new();
    assert_eq!(delays(policy, ""), [3000; 4]);
    assert_eq!(delays(policy, "retry:0\n"), [0; 4]);
    assert_eq!(delays(policy, "retry:40\nretry:x\n"), [40; 4]);
    assert_eq!(delays(policy, "retry:40"), [3000; 4]);
    assert_eq!(delays(policy, "retry:2147483648\n"), [1 << 31; 2]);
    assert_eq!(delays(policy, "retry:4294967296\n"), [1 << 32; 2]);
    assert_eq!(delays(policy, "retry:18446744073709551615\n"), [MAX; 2]);
    assert_eq!(delays(policy, "retry:18446744073709551616\n"), [MAX; 2]);
    assert_eq!(delays(policy.reconnection_time(MS(9)), ""), [9; 2]);
    assert_eq!(delays(policy.reconnection_time(MS(9)), "retry:7\n"), [7; 2]);
}

#[test]
fn min_and_max_delay_bound_hostile_reconnection_times() {
    let policy = RetryPolicy::new().min_delay(MS(500)).max_delay(MS(60_000));
    assert_eq!(delays(policy, ""), [3000; 2]);
    assert_eq!(delays(policy, "retry:0\n"), [500; 2]);
    assert_eq!(delays(policy, "retry:499\n"), [500; 2]);
    assert_eq!(delays(policy, "retry:501\n"), [501; 2]);
    assert_eq!(delays(policy, "retry:60001\n"), [60_000; 2]);
    assert_eq!(delays(policy, "retry:18446744073709551616\n"), [60_000; 2]);
    // The longest delay overrides the shortest.
    assert_eq!(delays(policy.min_delay(MS(70_000)), ""), [60_000; 2]);
    assert_eq!(delays(policy.max_delay(Duration::ZERO), ""), [0; 2]);
    let policy = policy.min_delay(Duration::MAX).max_delay(Duration::MAX);
    assert_eq!(delays(policy, ""), [Duration::MAX.as_millis(); 2]);
}

#[test]
fn backoff_doubles_up_to_its_cap_and_never_undercuts_the_reconnection_time() {
    let policy = RetryPolicy::new().backoff(MS(20_000));
    assert_eq!(delays(policy, ""), [3000, 6000, 12_000, 20_000, 20_000]);
    assert_eq!(delays(policy, "retry:0\n"), [1, 2, 4, 8, 16]);
    assert_eq!(delays(policy, "retry:30000\n"), [30_000; 3]);
    assert_eq!(
        delays(policy.min_delay(MS(100)), "retry:0\n"),
        [100, 200, 400]
    );
    assert_eq!(delays(policy.max_delay(MS(5000)), ""), [3000, 5000, 5000]);
    assert_eq!(
        delays(RetryPolicy::new().backoff(Duration::ZERO), ""),
        [3000; 3]
    );
}

#[test]
fn backoff_never_overflows() {
    let policy = RetryPolicy::new().backoff(Duration::MAX);
    let all: [u128; 40] = delays(policy, "");
    for (n, delay) in all.into_iter().enumerate() {
        assert_eq!(delay, 3000 << n.min(31));
    }
    let all: [u128; 40] = delays(policy, "retry:18446744073709551615\n");
    assert_eq!(all[..3], [MAX, 2 * MAX, 4 * MAX]);
    assert!(all.is_sorted());
    assert!(all[39] <= Duration::MAX.as_millis());
}

#[test]
fn jitter_is_a_percentage_of_the_delay_and_is_only_added() {
    let jitter = |policy: RetryPolicy| {
        let mut source = source().retry_policy(policy);
        let _error = source.handle_disconnect(Disconnect::Network);
        wait(&source)
    };
    let none = jitter(RetryPolicy::new());
    assert_eq!(none.jitter, Duration::ZERO);
    assert_eq!(none.with_jitter(0), MS(3000));
    assert_eq!(none.with_jitter(u32::MAX), MS(3000));

    let half = jitter(RetryPolicy::new().jitter(50));
    assert_eq!((half.delay, half.jitter), (MS(3000), MS(1500)));
    assert_eq!(half.with_jitter(0), MS(3000));
    assert_eq!(half.with_jitter(1 << 31), MS(3750));
    let most = half.with_jitter(u32::MAX);
    assert!(most < MS(4500) && most > MS(4499), "{most:?}");

    let ceiling = jitter(RetryPolicy::new().jitter(50).max_delay(MS(4000)));
    assert_eq!((ceiling.delay, ceiling.jitter), (MS(3000), MS(1000)));
    let ceiling = jitter(RetryPolicy::new().jitter(50).max_delay(MS(2000)));
    assert_eq!((ceiling.delay, ceiling.jitter), (MS(2000), Duration::ZERO));

    let all = jitter(
        RetryPolicy::new()
            .reconnection_time(Duration::MAX)
            .jitter(u32::MAX),
    );
    assert_eq!(all.delay, Duration::MAX);
    assert_eq!(all.with_jitter(u32::MAX), Duration::MAX);
    let half = Duration::from_secs(u64::MAX / 2);
    let large = jitter(RetryPolicy::new().reconnection_time(half).jitter(100));
    assert_eq!(large.with_jitter(0), half);
    assert_eq!(
        large.with_jitter(1 << 31).as_secs(),
        u64::MAX / 2 / 2 * 3 + 1
    );
    assert_eq!(
        jitter(RetryPolicy::new().reconnection_time(MS(100)).jitter(300)).jitter,
        MS(300)
    );
}

#[test]
fn retry_after_is_a_number_of_seconds_and_delays_one_request() {
    let delay = |values: &[&str]| {
        let policy = RetryPolicy::new()
            .reconnection_time(Duration::ZERO)
            .statuses(&[503]);
        let mut source = source().retry_policy(policy);
        let headers = values.iter().map(|value| ("retry-after", *value));
        let _error = source.handle_response(503, None, headers);
        let delay = wait(&source).delay;
        source.handle_wait_elapsed();
        let _error = source.handle_disconnect(Disconnect::Network);
        assert_eq!(wait(&source).delay, Duration::ZERO);
        delay.as_secs()
    };
    assert_eq!(delay(&["120"]), 120);
    assert_eq!(delay(&[" 120\t"]), 120);
    assert_eq!(delay(&["0"]), 0);
    assert_eq!(delay(&["00120"]), 120);
    assert_eq!(delay(&["18446744073709551615"]), u64::MAX);
    assert_eq!(delay(&["18446744073709551616"]), u64::MAX);
    assert_eq!(delay(&["99999999999999999999999999"]), u64::MAX);
    assert_eq!(delay(&["5", "120", "x"]), 120);
    for none in [
        "", " ", "-1", "+1", "1.5", "1e3", "0x10", "5 5", "5s", "\u{661}",
    ] {
        assert_eq!(delay(&[none]), 0, "{none:?}");
    }
    assert_eq!(delay(&["Fri, 31 Dec 1999 23:59:59 GMT"]), 0);
}

#[test]
fn retry_after_is_never_less_than_the_reconnection_time_nor_more_than_the_ceiling() {
    for (seconds, expected) in [("1", 3000), ("4", 4000), ("3600", 60_000)] {
        let policy = RetryPolicy::new()
            .statuses(&[503])
            .max_delay(Duration::from_secs(60));
        let mut source = source().retry_policy(policy);
        let _error = source.handle_response(503, None, [("Retry-After", seconds)]);
        assert_eq!(wait(&source).delay.as_millis(), expected);
    }
}

#[test]
fn a_message_resets_the_failure_count_but_a_connection_does_not() {
    let mut source = source().retry_policy(RetryPolicy::new().backoff(MS(100_000)));
    let mut fail = |stream: Option<&[u8]>| {
        if let Some(stream) = stream {
            let _open = source.handle_response(200, None, EVENT_STREAM);
            let mut messages = source.feed(stream);
            while let Ok(Some(_)) | Err(_) = messages.next_item() {}
        }
        let _error = source.handle_disconnect(Disconnect::EndOfBody);
        let seconds = wait(&source).delay.as_secs();
        source.handle_wait_elapsed();
        seconds
    };
    assert_eq!(fail(None), 3);
    assert_eq!(fail(None), 6);
    assert_eq!(fail(Some(b"")), 12);
    assert_eq!(
        fail(Some(
            b":heartbeat\nid:1\n\nevent:e\n\nretry:x\n\ndata:lost\n"
        )),
        24
    );
    assert_eq!(fail(Some(b"data:x\n\n")), 3);
    assert_eq!(fail(None), 6);
    assert_eq!(fail(Some(b"data:x\n\n")), 3);
}

#[test]
fn with_stable_after_a_connection_that_lasted_resets_the_failure_count() {
    let policy = RetryPolicy::new()
        .backoff(MS(100_000))
        .stable_after(MS(60_000));
    let mut source = source().retry_policy(policy);
    let mut fail = |lasts: bool, as_items: bool| {
        let _open = source.handle_response(200, None, EVENT_STREAM);
        let mut messages = source.feed(b"data: x\n\n");
        if as_items {
            assert!(messages.next_item().unwrap().is_some());
        } else {
            assert!(messages.next_message().unwrap().is_some());
        }
        if lasts {
            source.handle_stable_elapsed();
            assert_eq!(source.failures(), 0);
        }
        let _error = source.handle_disconnect(Disconnect::EndOfBody);
        // Too late to have an effect: the connection is no longer open.
        source.handle_stable_elapsed();
        let seconds = wait(&source).delay.as_secs();
        source.handle_wait_elapsed();
        seconds
    };
    assert_eq!(fail(false, false), 3);
    assert_eq!(fail(false, true), 6);
    assert_eq!(fail(false, false), 12);
    assert_eq!(fail(true, false), 3);
    assert_eq!(fail(false, true), 6);
}

#[test]
fn an_expected_end_does_not_count_as_a_failure() {
    let policy = RetryPolicy::new().backoff(MS(100_000)).max_failures(2);
    let mut source = source().retry_policy(policy);
    let _error = source.handle_disconnect(Disconnect::Network);
    source.handle_wait_elapsed();
    for _ in 0..3 {
        let _open = source.handle_response(200, None, EVENT_STREAM);
        source.expect_end();
        let signal = source.handle_disconnect(Disconnect::EndOfBody);
        assert_eq!(signal, error(ReadyState::Connecting, Reason::EndOfBody));
        assert_eq!(source.failures(), 1);
        assert_eq!(wait(&source).delay, MS(3000));
        source.handle_wait_elapsed();
    }
    // `expect_end` applies to one connection only.
    let _open = source.handle_response(200, None, EVENT_STREAM);
    let signal = source.handle_disconnect(Disconnect::EndOfBody);
    assert_eq!(signal, error(ReadyState::Closed, Reason::GaveUp(2)));

    for cause in [
        Disconnect::EndOfBody,
        Disconnect::Network,
        Disconnect::Timeout,
    ] {
        let mut source = open().retry_policy(RetryPolicy::never());
        source.expect_end();
        assert_eq!(source.handle_disconnect(cause), None);
        assert_eq!(source.action(), Action::Stop(None));
    }
    let mut source = open().retry_policy(RetryPolicy::never());
    source.expect_end();
    let signal = source.handle_disconnect(Disconnect::Permanent);
    assert_eq!(signal, error(ReadyState::Closed, Reason::Permanent));
}

#[test]
fn the_source_gives_up_after_max_failures_in_a_row() {
    let policy = RetryPolicy::new().max_failures(2);
    let mut source = source().retry_policy(policy);
    let lost = error(ReadyState::Connecting, Reason::EndOfBody);
    for _ in 0..5 {
        let _open = source.handle_response(200, None, EVENT_STREAM);
        // A message resets the failure count.
        assert_eq!(data(&mut source.feed(b"data: x\n\n")), ["x"]);
        assert_eq!(source.failures(), 0);
        assert_eq!(source.handle_disconnect(Disconnect::EndOfBody), lost);
        assert_eq!(source.failures(), 1);
        source.handle_wait_elapsed();
    }
    let signal = source.handle_disconnect(Disconnect::Network);
    assert_eq!(signal, error(ReadyState::Closed, Reason::GaveUp(2)));
    assert_eq!(source.action(), Action::Stop(Some(Reason::GaveUp(2))));
    assert_eq!(source.failures(), 2);
    for at_once in [0, 1] {
        let mut source = self::source().retry_policy(policy.max_failures(at_once));
        let signal = source.handle_disconnect(Disconnect::Network);
        assert_eq!(signal, error(ReadyState::Closed, Reason::GaveUp(1)));
    }
    // A permanent failure keeps its own reason.
    let mut source = self::source().retry_policy(policy.max_failures(1));
    let signal = source.handle_response(404, None, NO_HEADERS);
    assert_eq!(signal, error(ReadyState::Closed, Reason::Status(404)));
}

#[test]
fn a_network_error_is_only_retried_for_http_urls() {
    for url in [
        "file:///x",
        "data:text/event-stream,",
        "ftp://a/",
        "mailto:a",
        "httpx://a/",
    ] {
        let mut source = of_url(url);
        let signal = source.handle_disconnect(Disconnect::Network);
        assert_eq!(signal, error(ReadyState::Closed, Reason::Network), "{url}");
    }
    for url in ["http://a/", "HTTPS://a/"] {
        let mut source = of_url(url);
        let signal = source.handle_disconnect(Disconnect::Network);
        assert_eq!(
            signal,
            error(ReadyState::Connecting, Reason::Network),
            "{url}"
        );
    }
    // A lost body is requested again, whatever the scheme.
    let mut source = of_url("ftp://a/");
    let _open = source.handle_response(200, None, EVENT_STREAM);
    let signal = source.handle_disconnect(Disconnect::Network);
    assert_eq!(signal, error(ReadyState::Connecting, Reason::Network));
}

#[test]
fn with_a_policy_of_never_a_lost_connection_is_final() {
    for (cause, reason) in [
        (Disconnect::EndOfBody, Reason::Truncated(Unfinished::Line)),
        (Disconnect::Network, Reason::Network),
    ] {
        let mut source = of_url("file:///x").retry_policy(RetryPolicy::never());
        let _open = source.handle_response(200, None, EVENT_STREAM);
        assert_eq!(data(&mut source.feed(b"data: 1\n\ndata: 2")), ["1"]);
        assert_eq!(
            source.handle_disconnect(cause),
            error(ReadyState::Closed, reason)
        );
        assert_eq!(source.action(), Action::Stop(Some(reason)));
        assert_eq!(source.handle_disconnect(cause), None);
    }
}
