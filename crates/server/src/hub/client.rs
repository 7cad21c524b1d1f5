//! One client: a position in the log of its topic.

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

use super::{Position, Shared, audience::Seat, clamp_retry};

/// How much of the log goes out at once, at most.
const MAX_RUN: usize = 64 << 10;

/// How long a client waits for a store that cannot be reached, before it asks again.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// An open stream.
pub(crate) struct Client<S: Store> {
    pub(crate) shared: Arc<Shared<S>>,
    pub(crate) topic: Arc<S::Topic>,
    pub(crate) seat: Seat,
    /// How often streams had been ended when this one began.
    pub(crate) ended: u64,
    pub(crate) state: State,
    /// As of the subscription, if the store said them at once: what is published between that and the
    /// first bytes is new to the client.
    pub(crate) bounds: Option<Bounds>,
    /// More events came right after the last ones.
    pub(crate) is_in_burst: bool,
    /// The newest event when all streams were ended.
    pub(crate) until: Option<EventId>,
}

#[derive(Clone, Copy)]
pub(crate) enum State {
    /// Nothing was sent.
    Begin(Start),
    /// The position is to be found out.
    Resolve(Start),
    /// Everything up to there was sent.
    After(EventId),
    Ended,
}

/// Where a client wants to begin.
#[derive(Clone, Copy)]
pub(crate) enum Start {
    Position(Position),
    /// It has sent an id that is none of ours.
    UnknownId,
}

impl<S: Store> Client<S> {
    /// What to send next; `None` ends the body. Called when the connection has room.
    pub(crate) async fn next(&mut self) -> Option<EncodedFrame> {
        loop {
            match self.state {
                State::Ended => return None,
                _ if self.shared.phase.has_ended(self.ended) => {
                    if let Some(frames) = self.rest().await {
                        return Some(frames);
                    }
                    self.state = State::Ended;
                    let spread = self.shared.phase.spread();
                    let retry = self.shared.options.retry;
                    return Some(goodbye(retry, spread, self.seat.number));
                }
                State::Begin(start) => {
                    self.state = State::Resolve(start);
                    return Some(Frame::new().retry(self.shared.options.retry).into());
                }
                State::Resolve(start) => {
                    if let Some(frame) = self.resolve(start).await {
                        return Some(frame);
                    }
                }
                State::After(after) => {
                    if let Some(frame) = self.follow(after).await {
                        return Some(frame);
                    }
                }
            }
        }
    }

    /// What was published before all streams were ended, if the store ends with this process.
    async fn rest(&mut self) -> Option<EncodedFrame> {
        let State::After(after) = self.state else {
            return None;
        };
        let until = match self.until {
            Some(until) => until,
            None => self.topic.bounds_now()?.head,
        };
        self.until = Some(until);
        if after >= until {
            return None;
        }
        let read = self.topic.read_after(after, MAX_RUN).await.ok()?;
        self.take(read)
    }

    /// Finds out the position.
    async fn resolve(&mut self, start: Start) -> Option<EncodedFrame> {
        if let Start::Position(Position::After(id)) = start {
            self.move_to(id);
            return None;
        }
        let bounds = match self.bounds {
            Some(bounds) => Ok(bounds),
            None => self.unless_ended(self.topic.bounds()).await?,
        };
        let Ok(bounds) = bounds else {
            self.unless_ended(time::sleep(STORE_PAUSE)).await;
            return None;
        };
        match start {
            Start::UnknownId => Some(self.gap(GapReason::Unknown, bounds.head)),
            Start::Position(Position::Oldest) => {
                self.move_to(bounds.oldest);
                None
            }
            Start::Position(_) => {
                self.move_to(bounds.head);
                // If this client is cut off before its first event, it comes back with this.
                let id = IdText::new(bounds.head);
                Frame::new().id(id.as_str()).ok().map(EncodedFrame::from)
            }
        }
    }

    /// Reads what follows, or waits.
    async fn follow(&mut self, after: EventId) -> Option<EncodedFrame> {
        let read = self.topic.read_after(after, MAX_RUN);
        match self.unless_ended(read).await? {
            Ok(ReadAfter::UpToDate) => {
                self.unless_ended(self.topic.wait(after)).await;
                if self.is_in_burst {
                    // All clients are woken by the first event of a burst. After a round through them, the
                    // rest of it is there, and each of them sends it in one write.
                    self.is_in_burst = false;
                    yield_once().await;
                }
                None
            }
            Ok(read) => self.take(read),
            Err(_) => {
                self.unless_ended(time::sleep(STORE_PAUSE)).await;
                None
            }
        }
    }

    /// Moves on by what was read, and says what to send of it.
    fn take(&mut self, read: ReadAfter) -> Option<EncodedFrame> {
        match read {
            ReadAfter::Events {
                frames,
                count,
                last,
            } => {
                self.seat.progress.delivered(count, frames.as_bytes().len());
                self.move_to(last);
                self.is_in_burst |= count > 1;
                Some(frames)
            }
            ReadAfter::Gap { reason, resume } => Some(self.gap(reason, resume)),
            ReadAfter::UpToDate => None,
        }
    }

    /// Tells the client that it has missed events, and where it goes on.
    fn gap(&mut self, reason: GapReason, resume: EventId) -> EncodedFrame {
        self.seat.progress.gap();
        self.move_to(resume);
        let id = IdText::new(resume);
        let gap = Frame::message(reason.as_str());
        // The type was looked at when the hub was made, and digits and a dash are an id.
        let gap = gap.event(&self.shared.options.gap_event).unwrap_or(gap);
        gap.id(id.as_str()).unwrap_or(gap).into()
    }

    fn move_to(&mut self, position: EventId) {
        self.seat.progress.move_to(position);
        self.state = State::After(position);
    }

    /// The future's output, unless all streams are to end before that.
    async fn unless_ended<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            // In this order: whoever ends all streams wakes those that are there afterwards.
            self.seat.progress.wake_at_end(context.waker());
            if self.shared.phase.has_ended(self.ended) {
                return Poll::Ready(None);
            }
            Poll::Pending
        })
        .await
    }
}

/// Lets all tasks run that are to run now.
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
        self.shared.audience.leave(&self.seat);
    }
}

/// The last frame of a stream: when that client is to come back.
fn goodbye(retry: Duration, spread: Duration, client: u64) -> EncodedFrame {
    // Multiples of the golden ratio's fraction are spread evenly, however many there are.
    let fraction = (client.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as f64 / f64::from(u32::MAX);
    let retry = clamp_retry(retry + spread.mul_f64(fraction));
    // With a blank line: some clients obey no line before there is one.
    let mut frame = Frame::new().retry(retry).to_string();
    frame.push('\n');
    EncodedFrame::from_encoded(frame.into_bytes())
}
