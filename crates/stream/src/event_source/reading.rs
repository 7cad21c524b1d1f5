//! Reads the bodies of responses: of event streams, and of responses that are not event streams.

use std::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream;
use http::Request;
use http_body::Body;
use sse_proto::Disconnect;

use super::read_timer::ReadTimer;
use super::{Chunk, Connect, EventSource, Item, Phase, Received, Sleep, StateMachine};
use crate::body::BodyStream;
use crate::decode::BatchDecoder;

/// What a body returned instead of a chunk: it is pending, has ended, or has failed.
pub(super) type NoChunk<C> = Poll<Option<<<C as Connect>::Body as Body>::Error>>;

impl<C, T, H> EventSource<C, T, H>
where
    C: Connect,
    T: Sleep,
    H: FnMut(&mut Request<Bytes>),
{
    /// Ready with `None` if the end marker was reached.
    pub(super) fn poll_reading(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        no_chunk: Option<NoChunk<C>>,
    ) -> Poll<Option<Item>> {
        let mut this = self.as_mut().project();
        let (Phase::Reading(read_timer), Some(body)) =
            (this.phase, this.body.as_mut().as_pin_mut())
        else {
            return Poll::Ready(Some(self.disconnect(Disconnect::EndOfBody, None)));
        };
        let no_chunk = match no_chunk {
            Some(no_chunk) => no_chunk,
            None => match read_item::<C>(this.batches, read_timer, body, context) {
                Ok(item) => return Poll::Ready(item.map(Some)),
                Err(no_chunk) => no_chunk,
            },
        };
        Poll::Ready(Some(match no_chunk {
            Poll::Ready(None) => self.disconnect(Disconnect::EndOfBody, None),
            Poll::Ready(Some(error)) => self.disconnect(Disconnect::Network, Some(error.into())),
            Poll::Pending => {
                let machine = &mut this.batches.decoder;
                ready!(read_timer.poll_timeout(machine, this.sleep, this.timer, context));
                self.disconnect(Disconnect::Timeout, None)
            }
        }))
    }

    /// Reads the body of a rejected response, within its limits, and reports the loss.
    pub(super) fn poll_rejected(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Item> {
        let mut this = self.as_mut().project();
        let Phase::Rejected(rejected) = this.phase else {
            return Poll::Pending;
        };
        let is_complete = loop {
            let chunk = match this.body.as_mut().as_pin_mut() {
                Some(body) => body.poll_next(context),
                None => Poll::Ready(None),
            };
            match chunk {
                Poll::Ready(Some(Ok(chunk))) if rejected.push(chunk.as_ref()) => {}
                Poll::Ready(end) => break end.is_none(),
                Poll::Pending => {
                    if let Some(timer) = this.timer.as_mut().as_pin_mut() {
                        ready!(timer.poll(context));
                    }
                    break false;
                }
            }
        };
        let Phase::Rejected(rejected) = mem::replace(this.phase, Phase::Idle) else {
            return Poll::Pending;
        };
        let (reason, response) = rejected.into_parts();
        Poll::Ready(self.report_loss(reason, Some((response, is_complete)), None))
    }
}

/// Reads the body until there is an item. `Ok(None)` if the end marker was reached.
#[inline(always)]
pub(super) fn read_item<C: Connect>(
    batches: &mut BatchDecoder<StateMachine, Chunk<C>, Received>,
    read_timer: &mut ReadTimer,
    mut body: Pin<&mut BodyStream<C::Body>>,
    context: &mut Context<'_>,
) -> Result<Item, NoChunk<C>> {
    loop {
        batches.set_caught_up();
        let (chunk, start) = match batches.undecoded.take() {
            Some(undecoded) => undecoded,
            None => match body.as_mut().poll_next(context) {
                Poll::Ready(Some(Ok(chunk))) => {
                    read_timer.record(chunk.as_ref());
                    (chunk, 0)
                }
                Poll::Ready(Some(Err(error))) => return Err(Poll::Ready(Some(error))),
                Poll::Ready(None) => return Err(Poll::Ready(None)),
                Poll::Pending => return Err(Poll::Pending),
            },
        };
        if let Some(item) = batches.decode(chunk, start) {
            return Ok(batches.emit(item));
        }
    }
}
