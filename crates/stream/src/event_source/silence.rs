//! How long a body has been silent, and how long it has been open, without a clock.

use std::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use sse_proto::Action;

use super::{Machine, Sleep};

/// Times are measured in ticks: to start a timer anew for each chunk would cost more than the chunk.
///
/// A body counts as silent for as long as the ticks took in which nothing came, so a loss is
/// noticed late by at most one tick: a quarter of the time.
#[derive(Default)]
pub(crate) struct Silence {
    // In microseconds, as the next two: a client is to be small.
    silent_for: u64,
    open_for: u64,
    /// The tick under way.
    tick: u64,
    /// Something came since it began.
    was_broken: bool,
}

impl Silence {
    /// Bytes have come.
    #[inline(always)]
    pub(crate) fn breaks(&mut self, chunk: &[u8]) {
        self.was_broken |= !chunk.is_empty();
    }

    /// Ready when the body has been silent for too long. Tells the machine when it has been open
    /// for long enough.
    pub(crate) fn poll<T: Sleep>(
        &mut self,
        machine: &mut Machine,
        sleep: &mut T,
        mut timer: Pin<&mut Option<T::Future>>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        loop {
            let Action::Read(due) = machine.action() else {
                return Poll::Pending;
            };
            if let Some(timer) = timer.as_mut().as_pin_mut() {
                ready!(timer.poll(context));
                self.open_for = self.open_for.saturating_add(self.tick);
                self.silent_for = match mem::take(&mut self.was_broken) {
                    true => 0,
                    false => self.silent_for.saturating_add(self.tick),
                };
            }
            timer.set(None);
            let stable_after = due.stable_after.map(micros);
            let timeout = due.timeout.map(micros);
            if stable_after.is_some_and(|time| self.open_for >= time) {
                machine.handle_stable();
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
