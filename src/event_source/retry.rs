//! The retry policy: when to reconnect, and after how long.

mod statuses;
mod wait;

use core::ops::RangeInclusive;
use core::time::Duration;
use statuses::Statuses;

pub use wait::Wait;
pub(super) use wait::parse_retry_after;

/// When to reconnect, and after how long.
///
/// The default is the behaviour of the standard: reconnect after everything except a wrong status
/// or content type, after the time that the server requested with `retry`, or 3 seconds. The end of
/// a complete body is no exception. Everything else is opt-in:
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use sse_proto::{Action, Disconnect, EventSource, RetryPolicy};
/// use std::time::Duration;
///
/// const POLICY: RetryPolicy = RetryPolicy::new()
///     .reconnection_time(Duration::from_secs(1))
///     .backoff(Duration::from_secs(30))
///     .jitter(50)
///     .statuses(&[429, 500, 502, 503, 504]);
///
/// let mut source = EventSource::new("http://a.example/stream").unwrap().retry_policy(POLICY);
/// let mut delays = vec![];
/// for _ in 0..7 {
///     let _ = source.handle_disconnect(Disconnect::Network);
///     let Action::Wait(wait) = source.action() else { panic!() };
///     assert_eq!(wait.jitter, wait.delay / 2);
///     delays.push(wait.delay.as_secs());
///     source.handle_wait_elapsed();
/// }
/// assert_eq!(delays, [1, 2, 4, 8, 16, 30, 30]);
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RetryPolicy {
    pub(super) reconnects: bool,
    reconnection_time: Duration,
    min_delay: Duration,
    max_delay: Duration,
    /// The cap of exponential backoff.
    backoff: Option<Duration>,
    /// How long a connection must stay open to reset the failure count; `None`: a message resets
    /// it.
    pub(super) stable_after: Option<Duration>,
    max_failures: Option<u32>,
    jitter_percent: u32,
    statuses: Statuses,
    pub(super) retries_content_type: bool,
}

impl RetryPolicy {
    /// Creates a policy that behaves as the standard says.
    ///
    /// ```
    /// assert_eq!(sse_proto::RetryPolicy::new(), sse_proto::RetryPolicy::default());
    /// ```
    pub const fn new() -> Self {
        Self {
            reconnects: true,
            reconnection_time: Duration::from_millis(3000),
            min_delay: Duration::ZERO,
            max_delay: Duration::MAX,
            backoff: None,
            stable_after: None,
            max_failures: None,
            jitter_percent: 0,
            statuses: Statuses::NONE,
            retries_content_type: false,
        }
    }

    /// Creates a policy that never reconnects: for a stream whose request cannot be repeated, such
    /// as a file, a `ReadableStream` or the response to a `POST`. Its end, and any failure, is
    /// permanent.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, Disconnect, EventSource, ReadyState, Reason, RetryPolicy};
    ///
    /// let source = EventSource::new("file:///tmp/stream").unwrap();
    /// let mut source = source.retry_policy(RetryPolicy::never());
    /// let _open = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
    /// let _error = source.handle_disconnect(Disconnect::EndOfBody);
    /// assert_eq!(source.ready_state(), ReadyState::Closed);
    /// assert_eq!(source.action(), Action::Stop(Some(Reason::EndOfBody)));
    /// # }
    /// ```
    pub const fn never() -> Self {
        Self {
            reconnects: false,
            ..Self::new()
        }
    }

    /// Sets the reconnection time that applies until the server sends one with `retry`. The default
    /// is 3 seconds.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, Disconnect, EventSource, RetryPolicy};
    /// use std::time::Duration;
    ///
    /// let policy = RetryPolicy::new().reconnection_time(Duration::from_millis(500));
    /// let mut source = EventSource::new("http://a.example/stream").unwrap().retry_policy(policy);
    /// let _error = source.handle_disconnect(Disconnect::Network);
    /// let Action::Wait(wait) = source.action() else { panic!() };
    /// assert_eq!(wait.delay.as_millis(), 500);
    /// # }
    /// ```
    #[must_use]
    pub const fn reconnection_time(mut self, time: Duration) -> Self {
        self.reconnection_time = time;
        self
    }

    /// Sets the minimum wait, to guard against a server that sends `retry: 0`. The default is zero:
    /// as the standard says, such a server is asked again without any wait. (Firefox has a minimum
    /// of 500 ms, Chromium and WebKit have none.)
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, Disconnect, EventSource, RetryPolicy};
    /// use std::time::Duration;
    ///
    /// let policy = RetryPolicy::new().min_delay(Duration::from_millis(500));
    /// let mut source = EventSource::new("http://a.example/stream").unwrap().retry_policy(policy);
    /// let _open = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
    /// assert_eq!(source.feed(b"retry: 0\n").next_message(), Ok(None));
    /// let _error = source.handle_disconnect(Disconnect::Network);
    /// let Action::Wait(wait) = source.action() else { panic!() };
    /// assert_eq!(wait.delay.as_millis(), 500);
    /// # }
    /// ```
    #[must_use]
    pub const fn min_delay(mut self, delay: Duration) -> Self {
        self.min_delay = delay;
        self
    }

    /// Sets the maximum wait, including jitter, to guard against a server that sends
    /// `retry: 18446744073709551615`. There is no maximum by default.
    ///
    /// It overrides everything else, including [`min_delay`](RetryPolicy::min_delay), `Retry-After`
    /// and the server's `retry`. In that it departs from the standard, which allows a wait to be
    /// longer than the reconnection time, but not shorter. Without a maximum, a driver that adds
    /// the wait to an instant must check for overflow.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, Disconnect, EventSource, RetryPolicy};
    /// use std::time::Duration;
    ///
    /// let policy = RetryPolicy::new().max_delay(Duration::from_secs(60));
    /// let mut source = EventSource::new("http://a.example/stream").unwrap().retry_policy(policy);
    /// let _open = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
    /// assert_eq!(source.feed(b"retry: 18446744073709551615\n").next_message(), Ok(None));
    /// let _error = source.handle_disconnect(Disconnect::Network);
    /// let Action::Wait(wait) = source.action() else { panic!() };
    /// assert_eq!(wait.delay.as_millis(), 60_000);
    /// # }
    /// ```
    #[must_use]
    pub const fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// Enables exponential backoff: doubles the wait with each consecutive failure, up to `cap`. A
    /// reconnection time of 0 counts as 1 ms here.
    ///
    /// The failure count is reset when a connection delivers a message, or, with
    /// [`stable_after`](RetryPolicy::stable_after), when it has been open for that time. A
    /// connection that opens and ends at once is another failure. For other criteria, call
    /// [`reset_backoff`](crate::EventSource::reset_backoff). The wait is never shorter than the
    /// reconnection time, even if that exceeds `cap`.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, Disconnect, EventSource, RetryPolicy};
    /// use std::time::Duration;
    ///
    /// let policy = RetryPolicy::new().backoff(Duration::from_secs(10));
    /// let mut source = EventSource::new("http://a.example/stream").unwrap().retry_policy(policy);
    /// for seconds in [3, 6, 10, 10] {
    ///     let _error = source.handle_disconnect(Disconnect::Network);
    ///     let Action::Wait(wait) = source.action() else { panic!() };
    ///     assert_eq!(wait.delay.as_secs(), seconds);
    ///     source.handle_wait_elapsed();
    /// }
    /// # }
    /// ```
    #[must_use]
    pub const fn backoff(mut self, cap: Duration) -> Self {
        self.backoff = Some(cap);
        self
    }

    /// Adds a random delay of up to `percent` percent of the wait: see [`Wait::with_jitter`].
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, Disconnect, EventSource, RetryPolicy};
    ///
    /// let policy = RetryPolicy::new().jitter(50);
    /// let mut source = EventSource::new("http://a.example/stream").unwrap().retry_policy(policy);
    /// let _error = source.handle_disconnect(Disconnect::Network);
    /// let Action::Wait(wait) = source.action() else { panic!() };
    /// assert_eq!((wait.delay.as_millis(), wait.jitter.as_millis()), (3000, 1500));
    /// # }
    /// ```
    #[must_use]
    pub const fn jitter(mut self, percent: u32) -> Self {
        self.jitter_percent = percent;
        self
    }

    /// Resets the failure count when a connection has been open for `time`, instead of at its first
    /// message.
    ///
    /// Without this, a server that accepts, sends one event and fails is retried again and again
    /// without any [`backoff`](RetryPolicy::backoff). [`Action::Read`](crate::Action::Read) tells
    /// the driver when to call
    /// [`handle_stable_elapsed`](crate::EventSource::handle_stable_elapsed).
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, Disconnect, EventSource, RetryPolicy};
    /// use std::time::Duration;
    ///
    /// let second = Duration::from_secs(1);
    /// let policy = RetryPolicy::new()
    ///     .reconnection_time(second)
    ///     .backoff(60 * second)
    ///     .stable_after(5 * second);
    /// let mut source = EventSource::new("http://a.example/stream").unwrap().retry_policy(policy);
    /// let mut delays = vec![];
    /// for lasts in [false, false, true, false] {
    ///     let _open = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
    ///     assert!(source.feed(b"data: x\n\n").next_message().unwrap().is_some());
    ///     let Action::Read(read) = source.action() else { panic!() };
    ///     assert_eq!(read.stable_after, Some(5 * second));
    ///     if lasts {
    ///         source.handle_stable_elapsed();
    ///     }
    ///     let _error = source.handle_disconnect(Disconnect::EndOfBody);
    ///     let Action::Wait(wait) = source.action() else { panic!() };
    ///     delays.push(wait.delay.as_secs());
    ///     source.handle_wait_elapsed();
    /// }
    /// assert_eq!(delays, [1, 2, 1, 2]);
    /// # }
    /// ```
    #[must_use]
    pub const fn stable_after(mut self, time: Duration) -> Self {
        self.stable_after = Some(time);
        self
    }

    /// Gives up after `count` consecutive failures, with [`Reason::GaveUp`](crate::Reason::GaveUp).
    /// There is no limit by default. With 0 or 1, the first failure is final.
    ///
    /// See [`backoff`](RetryPolicy::backoff) for what resets the count.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, Disconnect, EventSource, Reason, RetryPolicy};
    ///
    /// let policy = RetryPolicy::new().max_failures(3);
    /// let mut source = EventSource::new("http://a.example/stream").unwrap().retry_policy(policy);
    /// for _ in 0..2 {
    ///     let _error = source.handle_disconnect(Disconnect::Network);
    ///     assert!(matches!(source.action(), Action::Wait(_)));
    ///     source.handle_wait_elapsed();
    /// }
    /// assert_eq!(source.failures(), 2);
    /// let _error = source.handle_disconnect(Disconnect::Network);
    /// assert_eq!(source.action(), Action::Stop(Some(Reason::GaveUp(3))));
    /// # }
    /// ```
    #[must_use]
    pub const fn max_failures(mut self, count: u32) -> Self {
        self.max_failures = Some(count);
        self
    }

    pub(super) fn reached_max_failures(&self, failures: u32) -> bool {
        self.max_failures.is_some_and(|max| failures >= max)
    }
}

// Which responses are retried although the standard fails the connection.
impl RetryPolicy {
    /// Also reconnects after a response with one of these statuses, which is a permanent failure in
    /// the standard. The wait is at least the response's `Retry-After`.
    ///
    /// `Retry-After` is parsed as a number of seconds. A date would need a clock: a driver that has
    /// one may replace the date by the number. Three kinds of values have no effect here: 200; 204,
    /// with which a server stops its clients; and numbers that are no status (below 100, or 1000
    /// and above).
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, EventSource, Reason, ReadyState, RetryPolicy, Signal};
    ///
    /// let mut source = EventSource::new("http://a.example/stream")
    ///     .unwrap()
    ///     .retry_policy(RetryPolicy::new().statuses(&[503]));
    /// let signal = source.handle_response(503, None, [("Retry-After", "120")]);
    /// let ready_state = ReadyState::Connecting;
    /// assert_eq!(signal, Some(Signal::Error { ready_state, reason: Reason::Status(503) }));
    /// let Action::Wait(wait) = source.action() else { panic!() };
    /// assert_eq!(wait.delay.as_secs(), 120);
    /// # }
    /// ```
    #[must_use]
    pub const fn statuses(mut self, statuses: &[u16]) -> Self {
        let mut rest = statuses;
        while let [status, others @ ..] = rest {
            self.statuses = self.statuses.with(*status);
            rest = others;
        }
        self
    }

    /// Like [`statuses`](RetryPolicy::statuses), for a range of statuses.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, EventSource, RetryPolicy};
    ///
    /// const POLICY: RetryPolicy = RetryPolicy::new().statuses(&[429]).status_range(500..=599);
    ///
    /// for (status, is_retried) in [(404, false), (429, true), (500, true), (599, true)] {
    ///     let mut source = EventSource::new("http://a.example/").unwrap().retry_policy(POLICY);
    ///     let _error = source.handle_response(status, None, [("Retry-After", "1")]);
    ///     assert_eq!(matches!(source.action(), Action::Wait(_)), is_retried);
    /// }
    /// # }
    /// ```
    #[must_use]
    pub const fn status_range(mut self, statuses: RangeInclusive<u16>) -> Self {
        let (mut status, end) = (*statuses.start(), *statuses.end());
        while status <= end && status <= Statuses::MAX {
            self.statuses = self.statuses.with(status);
            status += 1;
        }
        self
    }

    /// Like [`statuses`](RetryPolicy::statuses), for each status for which `is_retried` returns
    /// `true`. It is called immediately, once for each status.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, EventSource, RetryPolicy};
    ///
    /// let permanent = [400, 401, 403, 404];
    /// let policy = RetryPolicy::new().statuses_where(|status| !permanent.contains(&status));
    /// let mut source = EventSource::new("http://a.example/").unwrap().retry_policy(policy);
    /// let _error = source.handle_response(520, None, [("Retry-After", "1")]);
    /// assert!(matches!(source.action(), Action::Wait(_)));
    /// # }
    /// ```
    #[must_use]
    pub fn statuses_where(mut self, mut is_retried: impl FnMut(u16) -> bool) -> Self {
        for status in Statuses::MIN..=Statuses::MAX {
            if is_retried(status) {
                self.statuses = self.statuses.with(status);
            }
        }
        self
    }

    /// Sets whether to reconnect after a response with a content type other than
    /// `text/event-stream`, which is a permanent failure in the standard; the default is `false`.
    ///
    /// This is for servers behind a proxy that responds with its own page and status 200 while they
    /// are down. `Retry-After` applies as in [`statuses`](RetryPolicy::statuses). The body of that
    /// response is not read as an event stream: see
    /// [`handle_response`](crate::EventSource::handle_response) for that.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, EventSource, RetryPolicy};
    ///
    /// let policy = RetryPolicy::new().retry_content_type(true);
    /// let mut source = EventSource::new("http://a.example/stream").unwrap().retry_policy(policy);
    /// let _error = source.handle_response(200, None, [("Content-Type", "text/html")]);
    /// assert!(matches!(source.action(), Action::Wait(_)));
    /// # }
    /// ```
    #[must_use]
    pub const fn retry_content_type(mut self, yes: bool) -> Self {
        self.retries_content_type = yes;
        self
    }

    pub(super) fn retries_status(&self, status: u16) -> bool {
        !matches!(status, 200 | 204) && self.statuses.contains(status)
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::new()
    }
}
