//! Measures how long a body has been silent, and how long it has been open, without a clock.

use std::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use sse_proto::Action;

use super::{Sleep, StateMachine};

/// Counts time in ticks: restarting a timer for every chunk would cost more than decoding the
/// chunk.
///
/// A body counts as silent for the duration of the ticks in which no byte arrived, so a timeout is
/// detected at most one tick late: a quarter of the timeout.
#[derive(Default)]
pub(super) struct ReadTimer {
    // All durations are in microseconds, to keep idle clients small.
    silent_for: u64,
    open_for: u64,
    /// Duration of the current tick.
    tick: u64,
    /// Whether bytes have arrived since the current tick began.
    has_received: bool,
}

impl ReadTimer {
    #[inline(always)]
    pub(super) fn record(&mut self, chunk: &[u8]) {
        self.has_received |= !chunk.is_empty();
    }

    /// Ready when the body has been silent for longer than the read timeout. Also notifies the
    /// state machine when the connection has been open long enough to be stable.
    pub(super) fn poll_timeout<T: Sleep>(
        &mut self,
        machine: &mut StateMachine,
        sleep: &mut T,
        mut timer: Pin<&mut Option<T::Future>>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        loop {
            let Action::Read(limits) = machine.action() else {
                return Poll::Pending;
            };
            if let Some(timer) = timer.as_mut().as_pin_mut() {
                ready!(timer.poll(context));
                self.open_for = self.open_for.saturating_add(self.tick);
                self.silent_for = match mem::take(&mut self.has_received) {
                    true => 0,
                    false => self.silent_for.saturating_add(self.tick),
                };
            }
            timer.set(None);
            let stable_after = limits.stable_after.map(micros);
            let timeout = limits.timeout.map(micros);
            if stable_after.is_some_and(|time| self.open_for >= time) {
                machine.handle_stable_elapsed();
                continue;
            }
            if timeout.is_some_and(|time| self.silent_for >= time) {
                return Poll::Ready(());
            }
            let stable_in = stable_after.map(|time| time - self.open_for);
            let quarter = timeout.map(|time| time.div_ceil(4));
            let Some(tick) = quarter.into_iter().chain(stable_in).min() else {
                return Poll::Pending;
            };
            self.tick = tick.max(1000);
            timer.set(Some(sleep.sleep(Duration::from_micros(self.tick))));
        }
    }
}

fn micros(time: Duration) -> u64 {
    time.as_micros().try_into().unwrap_or(u64::MAX)
}
