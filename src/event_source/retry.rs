//! How long to wait before the next request, and after what.

use core::time::Duration;

/// When to reconnect, and after how long.
///
/// By default as the standard has it: always but for a wrong status or type, after the time that
/// the server asked for with `retry`, or 3 seconds. All else is asked for:
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use sse_proto::{Action, Disconnect, EventSource, RetryPolicy};
/// use std::time::Duration;
///
/// const POLICY: RetryPolicy = RetryPolicy::new()
///     .time(Duration::from_secs(1))
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
    reconnects: bool,
    time: Duration,
    floor: Duration,
    ceiling: Duration,
    /// The longest wait that doubling comes to.
    backoff: Option<Duration>,
    jitter_percent: u32,
    statuses: &'static [u16],
}

impl RetryPolicy {
    /// The standard's behaviour.
    ///
    /// ```
    /// assert_eq!(sse_proto::RetryPolicy::new(), sse_proto::RetryPolicy::default());
    /// ```
    pub const fn new() -> Self {
        Self {
            reconnects: true,
            time: Duration::from_millis(3000),
            floor: Duration::ZERO,
            ceiling: Duration::MAX,
            backoff: None,
            jitter_percent: 0,
            statuses: &[],
        }
    }

    /// For a stream that has no request to repeat: a file, a `ReadableStream`, the answer to a
    /// `POST`. Its end, and any failure, is for good.
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

    /// The reconnection time before the server names one with `retry`: 3 seconds unless set here.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, Disconnect, EventSource, RetryPolicy};
    /// use std::time::Duration;
    ///
    /// let policy = RetryPolicy::new().time(Duration::from_millis(500));
    /// let mut source = EventSource::new("http://a.example/stream").unwrap().retry_policy(policy);
    /// let _error = source.handle_disconnect(Disconnect::Network);
    /// let Action::Wait(wait) = source.action() else { panic!() };
    /// assert_eq!(wait.delay.as_millis(), 500);
    /// # }
    /// ```
    #[must_use]
    pub const fn time(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// The shortest wait, against a server that says `retry: 0`: none unless set here.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, Disconnect, EventSource, RetryPolicy};
    /// use std::time::Duration;
    ///
    /// let policy = RetryPolicy::new().floor(Duration::from_millis(500));
    /// let mut source = EventSource::new("http://a.example/stream").unwrap().retry_policy(policy);
    /// let _open = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
    /// assert_eq!(source.feed(b"retry: 0\n").next_message(), Ok(None));
    /// let _error = source.handle_disconnect(Disconnect::Network);
    /// let Action::Wait(wait) = source.action() else { panic!() };
    /// assert_eq!(wait.delay.as_millis(), 500);
    /// # }
    /// ```
    #[must_use]
    pub const fn floor(mut self, floor: Duration) -> Self {
        self.floor = floor;
        self
    }

    /// The longest wait, jitter included, against a server that says `retry:
    /// 18446744073709551615`: none unless set here.
    ///
    /// It has the last word, also over [`floor`](RetryPolicy::floor), `Retry-After` and the
    /// server's `retry`: there it departs from the standard, by which a wait may be longer than the
    /// reconnection time but not shorter. Without it a driver must not add a wait to a point in
    /// time without a look at overflow.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, Disconnect, EventSource, RetryPolicy};
    /// use std::time::Duration;
    ///
    /// let policy = RetryPolicy::new().ceiling(Duration::from_secs(60));
    /// let mut source = EventSource::new("http://a.example/stream").unwrap().retry_policy(policy);
    /// let _open = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
    /// assert_eq!(source.feed(b"retry: 18446744073709551615\n").next_message(), Ok(None));
    /// let _error = source.handle_disconnect(Disconnect::Network);
    /// let Action::Wait(wait) = source.action() else { panic!() };
    /// assert_eq!(wait.delay.as_millis(), 60_000);
    /// # }
    /// ```
    #[must_use]
    pub const fn ceiling(mut self, ceiling: Duration) -> Self {
        self.ceiling = ceiling;
        self
    }

    /// Doubles the wait with each failure in a row, up to `cap`. A time of 0 counts as 1 ms here.
    ///
    /// A row of failures ends when a connection has brought a message; a connection that opens and
    /// ends at once is one more failure. [`reset_backoff`](crate::EventSource::reset_backoff) ends it
    /// too, for a driver with a clock and another rule. No wait gets shorter than the reconnection
    /// time by this, also where that is beyond `cap`. The example above shows the steps.
    #[must_use]
    pub const fn backoff(mut self, cap: Duration) -> Self {
        self.backoff = Some(cap);
        self
    }

    /// Lets each wait be longer by up to `percent` of itself: [`Wait::with_jitter`] has an example.
    #[must_use]
    pub const fn jitter(mut self, percent: u32) -> Self {
        self.jitter_percent = percent;
        self
    }

    /// Reconnects after a response with one of these statuses, although by the standard it fails
    /// for good; no sooner than its `Retry-After` says.
    ///
    /// `Retry-After` is read as a number of seconds. As a date it would need a clock: a driver that
    /// has one may put the number in its place. 200 has no effect here, nor has 204, which is how a
    /// server stops its clients.
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
    pub const fn statuses(mut self, statuses: &'static [u16]) -> Self {
        self.statuses = statuses;
        self
    }

    pub(super) fn reconnects(&self) -> bool {
        self.reconnects
    }

    pub(super) fn retries(&self, status: u16) -> bool {
        !matches!(status, 200 | 204) && self.statuses.contains(&status)
    }

    /// `server`, or what stands here for it.
    pub(super) fn reconnection_time(&self, server: Option<Duration>) -> Duration {
        server.unwrap_or(self.time)
    }

    /// The wait after so many failures in a row, this one included.
    pub(super) fn wait(&self, server: Option<Duration>, failures: u32, least: Duration) -> Wait {
        let mut delay = self.reconnection_time(server).max(self.floor);
        if let Some(cap) = self.backoff {
            let doublings = failures.saturating_sub(1).min(31);
            let first = delay.max(Duration::from_millis(1));
            delay = delay.max(first.saturating_mul(1 << doublings).min(cap));
        }
        let delay = delay.max(least).min(self.ceiling);
        let jitter = delay.saturating_mul(self.jitter_percent).checked_div(100);
        let room = self.ceiling.saturating_sub(delay);
        Wait {
            delay,
            jitter: jitter.unwrap_or_default().min(room),
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// How long to wait before the next request: at least `delay`, and a random part of `jitter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Wait {
    /// The time that has to pass.
    pub delay: Duration,
    /// What may be added, so that the clients of a server that was down do not all come back at
    /// once. Nothing unless [`RetryPolicy::jitter`] says so.
    pub jitter: Duration,
}

impl Wait {
    /// The whole wait, given a random number: `delay` and nothing for 0, and short of `delay` and
    /// all of `jitter` for `u32::MAX`.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, Disconnect, EventSource, RetryPolicy};
    ///
    /// let policy = RetryPolicy::new().jitter(20);
    /// let mut source = EventSource::new("http://a.example/stream").unwrap().retry_policy(policy);
    /// let _ = source.handle_disconnect(Disconnect::Network);
    /// let Action::Wait(wait) = source.action() else { panic!() };
    /// assert_eq!(wait.with_jitter(0).as_millis(), 3000);
    /// assert_eq!(wait.with_jitter(1 << 31).as_millis(), 3300);
    /// assert_eq!(wait.with_jitter(u32::MAX).as_millis(), 3599);
    /// # }
    /// ```
    pub fn with_jitter(&self, random: u32) -> Duration {
        const NANOS_PER_SEC: u128 = 1_000_000_000;
        // No overflow: a duration has fewer than 2^94 nanoseconds.
        let nanos = (self.jitter.as_nanos() * u128::from(random)) >> 32;
        let part = |nanos: u128| u64::try_from(nanos).unwrap_or(u64::MAX);
        self.delay
            .saturating_add(Duration::from_secs(part(nanos / NANOS_PER_SEC)))
            .saturating_add(Duration::from_nanos(part(nanos % NANOS_PER_SEC)))
    }
}

/// `Retry-After` as a number of seconds; a date is none.
pub(super) fn retry_after(value: &[u8]) -> Option<Duration> {
    let digits = value.trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let seconds = digits.iter().fold(0_u64, |seconds, digit| {
        let digit = u64::from(digit & 0x0F);
        seconds.saturating_mul(10).saturating_add(digit)
    });
    Some(Duration::from_secs(seconds))
}
