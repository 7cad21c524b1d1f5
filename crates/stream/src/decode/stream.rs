//! A source of byte chunks together with its decoder.

use std::{
    borrow::Cow,
    ops::ControlFlow,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_core::{Stream, TryStream};
use pin_project_lite::pin_project;
use sse_proto::{Decoder, Event, EventTooLarge, OwnedEvent};

use super::{BatchDecoder, DecodeItem, ReadState};
use crate::Error;

pin_project! {
    /// The stream behind [`EventStream`](crate::EventStream) and [`ItemStream`](crate::ItemStream).
    ///
    /// Invariant: the source is polled only when the queue is empty and the last chunk is decoded.
    pub(crate) struct DecodeStream<S, T>
    where
        S: TryStream,
    {
        #[pin]
        source: S,
        batches: BatchDecoder<Decoder, S::Ok, T>,
    }
}

impl<S: TryStream, T> DecodeStream<S, T> {
    pub(crate) fn new(source: S, decoder: Decoder) -> Self {
        Self {
            source,
            batches: BatchDecoder::new(decoder),
        }
    }

    /// Changes the item type and keeps source and options. Call it before the first poll: queued
    /// items are lost.
    pub(crate) fn with_item_type<U>(self) -> DecodeStream<S, U> {
        DecodeStream {
            source: self.source,
            batches: self.batches.with_item_type(),
        }
    }

    pub(crate) fn until(&mut self, marker: Cow<'static, str>) {
        self.batches.until(marker);
    }

    pub(crate) fn finish_at_end(&mut self, yes: bool) {
        self.batches.finish_at_end(yes);
    }

    pub(crate) fn last_event_id(&self) -> &str {
        self.batches.last_event_id()
    }

    pub(crate) fn reconnection_time(&self) -> Option<Duration> {
        self.batches.decoder.reconnection_time()
    }

    pub(crate) fn is_terminated(&self) -> bool {
        self.batches.read_state == ReadState::Terminated
    }

    pub(crate) fn into_inner(self) -> S {
        self.source
    }
}

impl<S, C, E, T> DecodeStream<S, T>
where
    S: Stream<Item = Result<C, E>>,
    C: AsRef<[u8]>,
    T: DecodeItem,
{
    #[inline]
    pub(crate) fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<T, Error<E>>>> {
        let this = self.project();
        let (mut source, batches) = (this.source, this.batches);
        if let Some(item) = batches.pop_queued() {
            return Poll::Ready(batches.emit(item));
        }
        loop {
            if batches.read_state != ReadState::Reading {
                return Poll::Ready(batches.terminate());
            }
            batches.set_caught_up();
            let (chunk, start) = match batches.undecoded.take() {
                Some(undecoded) => undecoded,
                None => match ready!(source.as_mut().poll_next(context)) {
                    Some(Ok(chunk)) => (chunk, 0),
                    Some(Err(error)) => {
                        batches.read_state = ReadState::Terminated;
                        return Poll::Ready(Some(Err(Error::Source(error))));
                    }
                    None => match batches.finish() {
                        Some(item) => return Poll::Ready(batches.emit(item)),
                        None => continue,
                    },
                },
            };
            if let Some(item) = batches.decode(chunk, start) {
                return Poll::Ready(batches.emit(item));
            }
        }
    }
}

impl<S, C, E> DecodeStream<S, OwnedEvent>
where
    S: Stream<Item = Result<C, E>>,
    C: AsRef<[u8]>,
{
    /// Calls `f` with each event, borrowed, until it breaks (`Ok(Some(value))`) or the stream ends
    /// (`Ok(None)`).
    #[inline]
    pub(crate) fn poll_for_each<B>(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        f: &mut impl FnMut(Result<Event<'_>, EventTooLarge>) -> ControlFlow<B>,
    ) -> Poll<Result<Option<B>, Error<E>>> {
        let this = self.project();
        let (mut source, batches) = (this.source, this.batches);
        while let Some(item) = batches.pop_queued() {
            let flow = match batches.emit::<E>(item) {
                Some(Ok(event)) => f(Ok(event.as_event())),
                Some(Err(Error::TooLarge(error))) => f(Err(error)),
                _ => ControlFlow::Continue(()),
            };
            if let ControlFlow::Break(value) = flow {
                return Poll::Ready(Ok(Some(value)));
            }
        }
        loop {
            if batches.read_state != ReadState::Reading {
                return Poll::Ready(match batches.terminate() {
                    Some(Err(error)) => Err(error),
                    _ => Ok(None),
                });
            }
            batches.set_caught_up();
            let flow = match batches.undecoded.take() {
                Some((chunk, start)) => batches.for_each_in_chunk(chunk, start, f),
                None => match ready!(source.as_mut().poll_next(context)) {
                    Some(Ok(chunk)) => batches.for_each_in_chunk(chunk, 0, f),
                    Some(Err(error)) => {
                        batches.read_state = ReadState::Terminated;
                        return Poll::Ready(Err(Error::Source(error)));
                    }
                    None => match batches.finish() {
                        Some(Ok(event)) if batches.ends_at(event.data()) => continue,
                        Some(Ok(event)) => f(Ok(event.as_event())),
                        Some(Err(error)) => f(Err(error)),
                        None => continue,
                    },
                },
            };
            if let ControlFlow::Break(value) = flow {
                return Poll::Ready(Ok(Some(value)));
            }
        }
    }
}
