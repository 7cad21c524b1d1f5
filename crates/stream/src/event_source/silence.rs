//! How long a body has been silent, and how long it has been open, without a clock.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use sse_proto::Action;

use super::{Machine, Sleep};

/// Times are measured in ticks: to start a timer anew for each chunk would cost more than the chunk.
///
/// A body counts as silent for as long as the ticks took in which nothing came, so a loss is noticed late by at most one
/// tick: a quarter of the time.
#[derive(Default)]
pub(crate) struct Silence {
    /// The tick under way.
    tick: Duration,
    /// Something came since it began.
    was_broken: bool,
    silent_for: Duration,
    open_for: Duration,
}

impl Silence {
    /// Bytes have come.
    #[inline(always)]
    pub(crate) fn breaks(&mut self, chunk: &[u8]) {
        self.was_broken |= !chunk.is_empty();
    }

    /// Ready when the body has been silent for too long. Tells the machine when it has been open for long enough.
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
                self.silent_for = match self.was_broken {
                    true => Duration::ZERO,
                    false => self.silent_for.saturating_add(self.tick),
                };
                self.was_broken = false;
            }
            timer.set(None);
            if due.stable_after.is_some_and(|time| self.open_for >= time) {
                machine.handle_stable();
                continue;
            }
            if due.timeout.is_some_and(|time| self.silent_for >= time) {
                return Poll::Ready(());
            }
            let stable_in = due.stable_after.map(|time| time - self.open_for);
            let tick = due
                .timeout
                .map(|time| time / 4)
                .into_iter()
                .chain(stable_in)
                .min();
            let Some(tick) = tick else {
                return Poll::Pending;
            };
            self.tick = tick.max(Duration::from_millis(1));
            timer.set(Some(sleep.sleep(self.tick)));
        }
    }
}
