//! How long to wait before the next request, and after what.

use super::statuses::Statuses;
use core::ops::RangeInclusive;
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
    reconnects: bool,
    reconnection_time: Duration,
    min_delay: Duration,
    max_delay: Duration,
    /// The longest wait that doubling comes to.
    backoff: Option<Duration>,
    /// How long a connection has to last for a row of failures to end; `None`: a message ends it.
    stable_after: Option<Duration>,
    max_failures: Option<u32>,
    jitter_percent: u32,
    statuses: Statuses,
    retries_content_type: bool,
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

    /// The shortest wait, against a server that says `retry: 0`: none unless set here.
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

    /// The longest wait, jitter included, against a server that says `retry:
    /// 18446744073709551615`: none unless set here.
    ///
    /// It has the last word, also over [`min_delay`](RetryPolicy::min_delay), `Retry-After` and the
    /// server's `retry`: there it departs from the standard, by which a wait may be longer than the
    /// reconnection time but not shorter. Without it a driver must not add a wait to a point in
    /// time without a look at overflow.
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

    /// Doubles the wait with each failure in a row, up to `cap`. A time of 0 counts as 1 ms here.
    ///
    /// A row of failures ends when a connection has brought a message, or, with
    /// [`stable_after`](RetryPolicy::stable_after), when it has lasted; a connection that opens and
    /// ends at once is one more failure. For another rule,
    /// [`reset_backoff`](crate::EventSource::reset_backoff) ends it too. No wait gets shorter than
    /// the reconnection time by this, also where that is beyond `cap`.
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

    /// Lets each wait be longer by up to `percent` of itself, at random: [`Wait::with_jitter`].
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

    /// Ends a row of failures when a connection has lasted for `time`, and no longer with its first
    /// message.
    ///
    /// Otherwise a server that accepts, sends one event and fails is asked again and again without any
    /// [`backoff`](RetryPolicy::backoff). [`Action::Read`](crate::Action::Read) tells the driver to call
    /// [`handle_stable`](crate::EventSource::handle_stable) then.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, Disconnect, EventSource, RetryPolicy};
    /// use std::time::Duration;
    ///
    /// let second = Duration::from_secs(1);
    /// let policy = RetryPolicy::new().reconnection_time(second).backoff(60 * second).stable_after(5 * second);
    /// let mut source = EventSource::new("http://a.example/stream").unwrap().retry_policy(policy);
    /// let mut delays = vec![];
    /// for lasts in [false, false, true, false] {
    ///     let _open = source.handle_response(200, None, [("Content-Type", "text/event-stream")]);
    ///     assert!(source.feed(b"data: x\n\n").next_message().unwrap().is_some());
    ///     let Action::Read(read) = source.action() else { panic!() };
    ///     assert_eq!(read.stable_after, Some(5 * second));
    ///     if lasts {
    ///         source.handle_stable();
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

    /// Gives up after `count` failures in a row, with [`Reason::GaveUp`](crate::Reason::GaveUp);
    /// never unless set. With 0 or 1 the first failure is the last.
    ///
    /// What ends a row: see [`backoff`](RetryPolicy::backoff).
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

    /// Reconnects after a response with one of these statuses, too, although by the standard it fails
    /// for good; no sooner than its `Retry-After` says.
    ///
    /// `Retry-After` is read as a number of seconds. As a date it would need a clock: a driver that
    /// has one may put the number in its place. 200 has no effect here, nor has 204, which is how a
    /// server stops its clients, nor what is no status (below 100, from 1000).
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

    /// The same for a range of statuses.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, EventSource, RetryPolicy};
    ///
    /// const POLICY: RetryPolicy = RetryPolicy::new().statuses(&[429]).status_range(500..=599);
    ///
    /// for (status, is_tried_again) in [(404, false), (429, true), (500, true), (599, true)] {
    ///     let mut source = EventSource::new("http://a.example/").unwrap().retry_policy(POLICY);
    ///     let _error = source.handle_response(status, None, [("Retry-After", "1")]);
    ///     assert_eq!(matches!(source.action(), Action::Wait(_)), is_tried_again);
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

    /// The same for each status of which `is_tried_again` says so. It is asked now, once for each.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use sse_proto::{Action, EventSource, RetryPolicy};
    ///
    /// let final_ones = [400, 401, 403, 404];
    /// let policy = RetryPolicy::new().statuses_where(|status| !final_ones.contains(&status));
    /// let mut source = EventSource::new("http://a.example/").unwrap().retry_policy(policy);
    /// let _error = source.handle_response(520, None, [("Retry-After", "1")]);
    /// assert!(matches!(source.action(), Action::Wait(_)));
    /// # }
    /// ```
    #[must_use]
    pub fn statuses_where(mut self, mut is_tried_again: impl FnMut(u16) -> bool) -> Self {
        for status in Statuses::MIN..=Statuses::MAX {
            if is_tried_again(status) {
                self.statuses = self.statuses.with(status);
            }
        }
        self
    }

    /// Sets whether to reconnect after a response of another type than `text/event-stream`,
    /// although by the standard it fails for good: for servers whose proxy answers with a page of
    /// its own, and status 200, while they are away. `Retry-After` counts as in
    /// [`statuses`](RetryPolicy::statuses).
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

    pub(super) fn reconnects(&self) -> bool {
        self.reconnects
    }

    pub(super) fn retries(&self, status: u16) -> bool {
        !matches!(status, 200 | 204) && self.statuses.contains(status)
    }

    pub(super) fn retries_content_type(&self) -> bool {
        self.retries_content_type
    }

    /// Whether so many failures in a row are too many.
    pub(super) fn gives_up(&self, failures: u32) -> bool {
        self.max_failures.is_some_and(|most| failures >= most)
    }

    /// How long a connection has to last for a row of failures to end, if not a message ends it.
    pub(super) const fn lasting(&self) -> Option<Duration> {
        self.stable_after
    }

    /// `server`, or what stands here for it.
    pub(super) fn effective_reconnection_time(&self, server: Option<Duration>) -> Duration {
        server.unwrap_or(self.reconnection_time)
    }

    /// The wait after so many failures in a row, this one included.
    pub(super) fn wait(&self, server: Option<Duration>, failures: u32, least: Duration) -> Wait {
        const MILLISECOND: u128 = 1_000_000;
        // In nanoseconds, of which a duration has fewer than 2^94: nothing here overflows.
        let time = self
            .effective_reconnection_time(server)
            .max(self.min_delay)
            .as_nanos();
        let grown = self.backoff.map_or(0, |cap| {
            let doublings = failures.saturating_sub(1).min(31);
            (time.max(MILLISECOND) << doublings).min(cap.as_nanos())
        });
        let max_delay = self.max_delay.as_nanos();
        let delay = time.max(grown).max(least.as_nanos()).min(max_delay);
        let jitter = delay * u128::from(self.jitter_percent) / 100;
        Wait {
            delay: from_nanos(delay),
            jitter: from_nanos(jitter.min(max_delay - delay)),
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// How long to wait before the next request: `delay`, and a random part of `jitter`.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use sse_proto::{Action, Disconnect, EventSource};
///
/// let mut source = EventSource::new("http://a.example/stream").unwrap();
/// let _error = source.handle_disconnect(Disconnect::Network);
/// let Action::Wait(wait) = source.action() else { panic!() };
/// assert_eq!((wait.delay.as_secs(), wait.jitter.as_secs()), (3, 0));
/// # }
/// ```
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
        let part = (self.jitter.as_nanos() * u128::from(random)) >> 32;
        from_nanos(self.delay.as_nanos() + part)
    }
}

/// Saturates.
fn from_nanos(nanos: u128) -> Duration {
    const PER_SECOND: u128 = 1_000_000_000;
    let rest = u32::try_from(nanos % PER_SECOND).unwrap_or_default();
    u64::try_from(nanos / PER_SECOND).map_or(Duration::MAX, |seconds| Duration::new(seconds, rest))
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
