//! One open stream: a client is a position in the log of its topic.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use sse_proto::Frame;
use sse_proto_stream::EncodedFrame;
use tokio::time;

use crate::{Bounds, EventId, GapReason, ReadAfter, Store, Topic as _, id::IdText};

use super::{Position, Shared, builder::clamp_retry, registry::Registration};

/// The maximum number of bytes that are read from the log at once.
const MAX_READ: usize = 64 << 10;

/// The delay before a client retries after the store could not be reached.
const STORE_RETRY_DELAY: Duration = Duration::from_secs(1);

/// An open stream.
pub(crate) struct Client<S: Store> {
    pub(crate) shared: Arc<Shared<S>>,
    pub(crate) topic: Arc<S::Topic>,
    pub(crate) registration: Registration,
    /// See [`ShutdownState::new_stream`](super::shutdown::ShutdownState::new_stream).
    pub(crate) generation: u64,
    pub(crate) state: State,
    /// The bounds at the time of the subscription, if the store returned them without I/O. Events
    /// published between then and the first bytes of the body are new to the client.
    pub(crate) bounds: Option<Bounds>,
    /// The latest read returned more than one event.
    pub(crate) is_in_burst: bool,
    /// The newest event at the time when all streams were ended.
    pub(crate) last: Option<EventId>,
}

#[derive(Clone, Copy)]
pub(crate) enum State {
    /// Nothing has been sent.
    New(Start),
    /// `retry` has been sent; the start position is not known yet.
    Locate(Start),
    /// Everything up to this position has been sent.
    After(EventId),
    Ended,
}

/// Where a client wants to start.
#[derive(Clone, Copy)]
pub(crate) enum Start {
    Position(Position),
    /// The client sent an invalid id.
    UnknownId,
}

impl<S: Store> Client<S> {
    /// Returns what to send next; `None` ends the body. Called when the connection can accept data.
    pub(crate) async fn next(&mut self) -> Option<EncodedFrame> {
        loop {
            match self.state {
                State::Ended => return None,
                _ if self.shared.shutdown.has_ended(self.generation) => {
                    if let Some(frames) = self.read_rest().await {
                        return Some(frames);
                    }
                    self.state = State::Ended;
                    let spread = self.shared.shutdown.spread();
                    let retry = self.shared.options.retry;
                    return Some(final_frame(retry, spread, self.registration.number));
                }
                State::New(start) => {
                    self.state = State::Locate(start);
                    return Some(Frame::new().retry(self.shared.options.retry).into());
                }
                State::Locate(start) => {
                    if let Some(frame) = self.locate(start).await {
                        return Some(frame);
                    }
                }
                State::After(after) => {
                    if let Some(frame) = self.read_or_wait(after).await {
                        return Some(frame);
                    }
                }
            }
        }
    }

    /// Reads what was published before all streams were ended, if the store belongs to this
    /// process.
    async fn read_rest(&mut self) -> Option<EncodedFrame> {
        let State::After(after) = self.state else {
            return None;
        };
        let last = match self.last {
            Some(last) => last,
            None => self.topic.bounds_now()?.newest,
        };
        self.last = Some(last);
        if after >= last {
            return None;
        }
        let read = self.topic.read_after(after, MAX_READ).await.ok()?;
        self.advance(read)
    }

    /// Determines the start position.
    async fn locate(&mut self, start: Start) -> Option<EncodedFrame> {
        if let Start::Position(Position::After(id)) = start {
            self.move_to(id);
            return None;
        }
        let bounds = match self.bounds {
            Some(bounds) => Ok(bounds),
            None => self.unless_ended(self.topic.bounds()).await?,
        };
        let Ok(bounds) = bounds else {
            self.unless_ended(time::sleep(STORE_RETRY_DELAY)).await;
            return None;
        };
        match start {
            Start::UnknownId => Some(self.gap(GapReason::Unknown, bounds.newest)),
            Start::Position(Position::Oldest) => {
                self.move_to(bounds.oldest);
                None
            }
            Start::Position(_) => {
                self.move_to(bounds.newest);
                // If the client is disconnected before its first event, it reconnects with this id.
                let id = IdText::new(bounds.newest);
                Frame::new().id(id.as_str()).ok().map(EncodedFrame::from)
            }
        }
    }

    /// Reads the next events, or waits until there are some.
    async fn read_or_wait(&mut self, after: EventId) -> Option<EncodedFrame> {
        let read = self.topic.read_after(after, MAX_READ);
        match self.unless_ended(read).await? {
            Ok(ReadAfter::UpToDate) => {
                self.unless_ended(self.topic.wait(after)).await;
                if self.is_in_burst {
                    // The first event of a burst wakes all clients. After yielding once, the rest
                    // of the burst has arrived, and each client sends it in one write.
                    self.is_in_burst = false;
                    yield_once().await;
                }
                None
            }
            Ok(read) => self.advance(read),
            Err(_) => {
                self.unless_ended(time::sleep(STORE_RETRY_DELAY)).await;
                None
            }
        }
    }

    /// Advances the position and returns what to send.
    fn advance(&mut self, read: ReadAfter) -> Option<EncodedFrame> {
        match read {
            ReadAfter::Events {
                frames,
                count,
                last,
            } => {
                let len = frames.as_bytes().len();
                self.registration.progress.count_delivered(count, len);
                self.move_to(last);
                self.is_in_burst |= count > 1;
                Some(frames)
            }
            ReadAfter::Gap { reason, resume } => Some(self.gap(reason, resume)),
            ReadAfter::UpToDate => None,
        }
    }

    /// Returns the event that tells the client that it missed events, and moves to `resume`.
    fn gap(&mut self, reason: GapReason, resume: EventId) -> EncodedFrame {
        self.registration.progress.count_gap();
        self.move_to(resume);
        let id = IdText::new(resume);
        let gap = Frame::message(reason.as_str());
        // The type was validated by the builder; digits and a dash are a valid id.
        let gap = gap.event(&self.shared.options.gap_event).unwrap_or(gap);
        gap.id(id.as_str()).unwrap_or(gap).into()
    }

    fn move_to(&mut self, position: EventId) {
        self.registration.progress.move_to(position);
        self.state = State::After(position);
    }

    /// Returns the future's output, or `None` if all streams must end before it is ready.
    async fn unless_ended<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            // The waker must be set before the check: ending all streams changes the generation
            // first and then wakes the clients.
            self.registration.progress.set_waker(context.waker());
            if self.shared.shutdown.has_ended(self.generation) {
                return Poll::Ready(None);
            }
            Poll::Pending
        })
        .await
    }
}

/// Lets other tasks that are ready run first.
async fn yield_once() {
    let mut has_yielded = false;
    poll_fn(|context| {
        if has_yielded {
            return Poll::Ready(());
        }
        has_yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl<S: Store> Drop for Client<S> {
    fn drop(&mut self) {
        self.shared.clients.remove(&self.registration);
    }
}

/// The last frame of a stream: when the client should reconnect.
fn final_frame(retry: Duration, spread: Duration, client: u64) -> EncodedFrame {
    // The fractional parts of multiples of the golden ratio are spread evenly for any number of
    // clients.
    let fraction = (client.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as f64 / f64::from(u32::MAX);
    let retry = clamp_retry(retry + spread.mul_f64(fraction));
    // Some clients process no line before they see a blank line.
    let mut frame = Frame::new().retry(retry).to_string();
    frame.push('\n');
    EncodedFrame::from_encoded(frame.into_bytes())
}
