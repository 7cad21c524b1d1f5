//! How long to wait before the next request.

use super::RetryPolicy;
use core::time::Duration;

impl RetryPolicy {
    /// The reconnection time of the server, or else the one of the policy.
    pub(in super::super) fn effective_reconnection_time(
        &self,
        server: Option<Duration>,
    ) -> Duration {
        server.unwrap_or(self.reconnection_time)
    }

    /// The wait after this number of consecutive failures.
    pub(in super::super) fn wait(
        &self,
        server: Option<Duration>,
        failures: u32,
        retry_after: Duration,
    ) -> Wait {
        const MILLISECOND: u128 = 1_000_000;
        // In nanoseconds. A duration has fewer than 2^94 of them, so nothing here overflows.
        let time = self
            .effective_reconnection_time(server)
            .max(self.min_delay)
            .as_nanos();
        let backoff = self.backoff.map_or(0, |cap| {
            let doublings = failures.saturating_sub(1).min(31);
            (time.max(MILLISECOND) << doublings).min(cap.as_nanos())
        });
        let max_delay = self.max_delay.as_nanos();
        let delay = time.max(backoff).max(retry_after.as_nanos()).min(max_delay);
        let jitter = delay * u128::from(self.jitter_percent) / 100;
        Wait {
            delay: from_nanos(delay),
            jitter: from_nanos(jitter.min(max_delay - delay)),
        }
    }
}

/// How long to wait before the next request: `delay`, plus a random part of `jitter`.
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
    /// The minimum wait.
    pub delay: Duration,
    /// The maximum random delay to add, so that the clients of a server that was down do not all
    /// reconnect at once. Zero unless set by [`RetryPolicy::jitter`].
    pub jitter: Duration,
}

impl Wait {
    /// Returns the wait with jitter for a random number: from exactly `delay` for 0 to just below
    /// `delay + jitter` for `u32::MAX`.
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

/// Converts to a duration; saturates.
fn from_nanos(nanos: u128) -> Duration {
    const PER_SECOND: u128 = 1_000_000_000;
    let rest = u32::try_from(nanos % PER_SECOND).unwrap_or_default();
    u64::try_from(nanos / PER_SECOND).map_or(Duration::MAX, |seconds| Duration::new(seconds, rest))
}

/// Parses `Retry-After` as a number of seconds. A date is ignored.
pub(in super::super) fn parse_retry_after(value: &[u8]) -> Option<Duration> {
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
