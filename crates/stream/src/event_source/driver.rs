//! The poll loop: executes the commands of the handle and dispatches to the current phase.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use sse_proto::Signal;

use super::handle::{CLOSE, RECONNECT};
use super::reading::NoChunk;
use super::{Connect, EventSource, Handle, Item, Phase, Received, Sleep};
use crate::decode::ReadState;

impl<C, T, H> EventSource<C, T, H>
where
    C: Connect,
    T: Sleep,
    H: FnMut(&mut Request<Bytes>),
{
    #[inline(always)]
    pub(super) fn has_commands(&self) -> bool {
        self.handle.get().is_some_and(Handle::has_commands)
    }

    /// Everything but the fast path of `poll_next`. `no_chunk` is what the body has just returned,
    /// if it was polled already.
    #[inline(never)]
    pub(super) fn poll_slow(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut no_chunk: Option<NoChunk<C>>,
    ) -> Poll<Item> {
        loop {
            if self.has_commands() {
                self.as_mut().run_commands();
            }
            let item = self.as_mut().poll_phase(context, no_chunk.take());
            if let (Poll::Pending, Some(handle)) = (&item, self.handle.get()) {
                handle.register(context.waker());
                if handle.has_commands() {
                    continue;
                }
            }
            return item;
        }
    }

    fn run_commands(mut self: Pin<&mut Self>) {
        let commands = self.handle.get().map_or(0, Handle::take_commands);
        if commands & CLOSE != 0 {
            self.as_mut().close();
        } else if commands & RECONNECT != 0 {
            if let Phase::Rejected(_) = self.phase {
                // The connection is lost already, which is reported when the body has been read.
                return;
            }
            let signal = self.as_mut().project().batches.decoder.reconnect_now();
            if !matches!(self.phase, Phase::Connecting { .. } | Phase::Closed) {
                self.as_mut().drop_connection();
                *self.as_mut().project().phase = Phase::Idle;
            }
            if let Some(Signal::Error { reason, .. }) = signal {
                let lost = self.new_lost(reason, Some(Duration::ZERO), None, None);
                let batches = self.project().batches;
                batches.queue.push_back(Ok(Received::Lost(lost)));
            }
        }
    }

    pub(super) fn close(mut self: Pin<&mut Self>) {
        self.as_mut().drop_connection();
        let this = self.project();
        this.batches.decoder.close();
        this.batches.queue.clear();
        *this.phase = Phase::Closed;
    }

    pub(super) fn drop_connection(self: Pin<&mut Self>) {
        let mut this = self.project();
        this.response.set(None);
        this.body.set(None);
        this.timer.set(None);
        this.batches.undecoded = None;
    }

    fn poll_phase(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut no_chunk: Option<NoChunk<C>>,
    ) -> Poll<Item> {
        loop {
            let mut this = self.as_mut().project();
            while let Some(item) = this.batches.pop_queued() {
                if let Some(item) = this.batches.emit(item) {
                    return Poll::Ready(Some(item));
                }
            }
            if this.batches.read_state == ReadState::Terminated {
                // The end marker was reached.
                self.as_mut().close();
                return Poll::Ready(None);
            }
            let item = match this.phase {
                Phase::Closed => return Poll::Ready(None),
                Phase::Idle => self.as_mut().start_request(),
                Phase::Waiting => {
                    if let Some(timer) = this.timer.as_mut().as_pin_mut() {
                        ready!(timer.poll(context));
                    }
                    this.timer.set(None);
                    this.batches.decoder.handle_wait_elapsed();
                    *this.phase = Phase::Idle;
                    continue;
                }
                Phase::Connecting { .. } => ready!(self.as_mut().poll_response(context)),
                Phase::Rejected(_) => Some(ready!(self.as_mut().poll_rejected(context))),
                Phase::Reading(_) => ready!(self.as_mut().poll_reading(context, no_chunk.take())),
            };
            if let Some(item) = item {
                return Poll::Ready(item);
            }
        }
    }
}
