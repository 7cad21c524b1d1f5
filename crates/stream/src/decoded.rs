//! What all streams of this crate are: a source of byte chunks, a decoder, and the items that were
//! decoded ahead.
//!
//! A cursor borrows from the decoder and the chunk, so it cannot be kept between two polls. A chunk is
//! decoded in batches instead: the first item is handed out at once, the others of its batch wait in a
//! queue, and the rest of the chunk is decoded later. The queue stays small whatever a chunk holds.
//!
//! Invariant: the source is polled only when the queue is empty and the last chunk is decoded.

use std::{
    borrow::Cow,
    collections::VecDeque,
    ops::ControlFlow,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_core::{Stream, TryStream};
use pin_project_lite::pin_project;
use sse_proto::{
    Decoder, Event, EventTooLarge, Events, Heap, Item, Messages, OwnedEvent, StreamItem,
};

use crate::Error;

/// A batch is a piece of the chunk of at most this many bytes, so that its cursor is read to the end and
/// nothing is scanned twice. While no event ends in a piece, the pieces get longer.
const PIECE_LEN: usize = 2048;

/// A batch ends before its piece does when this many items wait in the queue, ..
const MAX_QUEUED: usize = 63;

/// .. or when their text is longer than this: each of them may have inherited a long ID.
const MAX_QUEUED_LEN: usize = 4096;

/// What decodes: the decoder itself, or the connection machine that has one.
pub(crate) trait Feed {
    type Cursor<'d, 'i>: Cursor
    where
        Self: 'd;

    fn feed<'d, 'i>(&'d mut self, chunk: &'i [u8]) -> Self::Cursor<'d, 'i>;

    fn last_event_id(&self) -> &str;
}

/// A cursor over one chunk.
pub(crate) trait Cursor {
    fn next_event(&mut self) -> Result<Option<Event<'_>>, EventTooLarge>;

    fn next_item(&mut self) -> Result<Option<Item<'_>>, EventTooLarge>;

    /// How many bytes of the chunk were not read.
    fn rest_len(&self) -> usize;
}

impl Feed for Decoder {
    type Cursor<'d, 'i> = Events<'d, 'i, Heap>;

    #[inline(always)]
    fn feed<'d, 'i>(&'d mut self, chunk: &'i [u8]) -> Events<'d, 'i, Heap> {
        self.feed(chunk)
    }

    #[inline(always)]
    fn last_event_id(&self) -> &str {
        self.last_event_id()
    }
}

impl Cursor for Events<'_, '_, Heap> {
    #[inline(always)]
    fn next_event(&mut self) -> Result<Option<Event<'_>>, EventTooLarge> {
        self.next_event()
    }

    #[inline(always)]
    fn next_item(&mut self) -> Result<Option<Item<'_>>, EventTooLarge> {
        self.next_item()
    }

    #[inline(always)]
    fn rest_len(&self) -> usize {
        self.rest().len()
    }
}

impl Feed for sse_proto::EventSource<String> {
    type Cursor<'d, 'i> = Messages<'d, 'i, Heap>;

    #[inline(always)]
    fn feed<'d, 'i>(&'d mut self, chunk: &'i [u8]) -> Messages<'d, 'i, Heap> {
        self.feed(chunk)
    }

    #[inline(always)]
    fn last_event_id(&self) -> &str {
        self.last_event_id()
    }
}

impl Cursor for Messages<'_, '_, Heap> {
    #[inline(always)]
    fn next_event(&mut self) -> Result<Option<Event<'_>>, EventTooLarge> {
        match self.next_message() {
            Ok(Some(message)) => Ok(Some(message.into())),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn next_item(&mut self) -> Result<Option<Item<'_>>, EventTooLarge> {
        Ok(match Messages::next_item(self)? {
            Some(StreamItem::Message(message)) => Some(Item::Event(message.into())),
            Some(StreamItem::Comment(text)) => Some(Item::Comment(text)),
            Some(StreamItem::Retry(time)) => Some(Item::Retry(time)),
            // Another kind of item, of a later version.
            Some(_) | None => None,
        })
    }

    #[inline(always)]
    fn rest_len(&self) -> usize {
        self.rest().len()
    }
}

/// What is decoded: events alone, or comments and `retry` lines as well.
pub(crate) trait Decode: Sized {
    fn next(cursor: &mut impl Cursor, batch: &mut Batch) -> Result<Option<Self>, EventTooLarge>;
    fn from_event(event: OwnedEvent) -> Self;
    fn as_event(&self) -> Option<&OwnedEvent>;
}

/// What is known of the items of a batch.
#[derive(Default)]
pub(crate) struct Batch {
    /// The length of their text in bytes.
    len: usize,
    /// There is an event with a last event ID.
    has_ids: bool,
    /// Comments and `retry` lines are wanted, where that is not known from the type.
    pub(crate) with_items: bool,
}

impl Batch {
    #[inline(always)]
    pub(crate) fn event(&mut self, event: Event<'_>) -> OwnedEvent {
        self.has_ids |= !event.last_event_id.is_empty();
        self.text(event.data);
        self.text(event.event_type);
        self.text(event.last_event_id);
        event.into()
    }

    #[inline(always)]
    pub(crate) fn text(&mut self, text: &str) {
        self.len += text.len();
    }
}

impl Decode for OwnedEvent {
    #[inline(always)]
    fn next(cursor: &mut impl Cursor, batch: &mut Batch) -> Result<Option<Self>, EventTooLarge> {
        Ok(cursor.next_event()?.map(|event| batch.event(event)))
    }

    fn from_event(event: OwnedEvent) -> Self {
        event
    }

    #[inline]
    fn as_event(&self) -> Option<&OwnedEvent> {
        Some(self)
    }
}

pin_project! {
    pub(crate) struct Decoded<S, T>
    where
        S: TryStream,
    {
        #[pin]
        source: S,
        state: State<Decoder, S::Ok, T>,
    }
}

/// A decoder, and what it has decoded ahead of what was handed out.
pub(crate) struct State<D, C, T> {
    pub(crate) decoder: D,
    /// What is left of the last chunk begins here.
    pub(crate) rest: Option<(C, usize)>,
    piece_len: usize,
    pub(crate) queue: VecDeque<Result<T, EventTooLarge>>,
    /// As of the last event that was handed out, if the decoder is ahead of it.
    last_event_id: String,
    is_ahead: bool,
    /// There is no end marker to look for, and no ID to remember in what is handed out next.
    is_plain: bool,
    marker: Option<Cow<'static, str>>,
    pub(crate) with_items: bool,
    finish_at_end: bool,
    pub(crate) phase: Phase,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Phase {
    Reading,
    /// The source has ended, and the end is still to be told.
    AtEnd,
    Ended,
}

impl<S: TryStream, T> Decoded<S, T> {
    pub(crate) fn new(source: S, decoder: Decoder) -> Self {
        Self {
            source,
            state: State::new(decoder),
        }
    }

    /// The same source and options, for items of another kind. To be called before the first poll.
    pub(crate) fn with_items<U>(self) -> Decoded<S, U> {
        let State {
            decoder,
            marker,
            finish_at_end,
            ..
        } = self.state;
        let mut other = Decoded::new(self.source, decoder);
        other.state.marker = marker;
        other.state.finish_at_end = finish_at_end;
        other
    }

    pub(crate) fn until(&mut self, marker: Cow<'static, str>) {
        self.state.until(marker);
    }

    pub(crate) fn finish_at_end(&mut self, yes: bool) {
        self.state.finish_at_end = yes;
    }

    pub(crate) fn last_event_id(&self) -> &str {
        self.state.last_event_id()
    }

    pub(crate) fn reconnection_time(&self) -> Option<Duration> {
        self.state.decoder.reconnection_time()
    }

    pub(crate) fn is_terminated(&self) -> bool {
        self.state.phase == Phase::Ended
    }

    pub(crate) fn into_inner(self) -> S {
        self.source
    }
}

impl<S, C, E, T> Decoded<S, T>
where
    S: Stream<Item = Result<C, E>>,
    C: AsRef<[u8]>,
    T: Decode,
{
    #[inline]
    pub(crate) fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<T, Error<E>>>> {
        let this = self.project();
        let (mut source, state) = (this.source, this.state);
        if let Some(item) = state.next_queued() {
            return Poll::Ready(state.hand_out(item));
        }
        loop {
            if state.phase != Phase::Reading {
                return Poll::Ready(state.end());
            }
            state.catch_up();
            let (chunk, start) = match state.rest.take() {
                Some(rest) => rest,
                None => match ready!(source.as_mut().poll_next(context)) {
                    Some(Ok(chunk)) => (chunk, 0),
                    Some(Err(error)) => {
                        state.phase = Phase::Ended;
                        return Poll::Ready(Some(Err(Error::Source(error))));
                    }
                    None => {
                        state.phase = Phase::AtEnd;
                        match state.finish() {
                            Some(item) => return Poll::Ready(state.hand_out(item)),
                            None => continue,
                        }
                    }
                },
            };
            if let Some(item) = state.decode(chunk, start) {
                return Poll::Ready(state.hand_out(item));
            }
        }
    }
}

impl<D: Feed, C: AsRef<[u8]>, T: Decode> State<D, C, T> {
    /// Decodes a batch of items; returns the first one and puts the others into the queue.
    #[inline(always)]
    pub(crate) fn decode(&mut self, chunk: C, start: usize) -> Option<Result<T, EventTooLarge>> {
        let bytes = chunk.as_ref().get(start..).unwrap_or_default();
        let piece = piece(bytes, self.piece_len);
        let mut left = bytes.len() - piece.len();
        let mut events = self.decoder.feed(piece);
        let mut batch = Batch {
            with_items: self.with_items,
            ..Batch::default()
        };
        let Some(first) = T::next(&mut events, &mut batch).transpose() else {
            drop(events);
            self.piece_len = self.piece_len.saturating_mul(4);
            self.keep_rest(chunk, left);
            return None;
        };
        self.piece_len = PIECE_LEN;
        // Nothing is decoded ahead of an item that has no last event ID to remember.
        let mut is_full = !first.as_ref().is_ok_and(|item| item.as_event().is_some());
        batch.len = 0;
        loop {
            if is_full {
                left += events.rest_len();
                break;
            }
            let Some(item) = T::next(&mut events, &mut batch).transpose() else {
                break;
            };
            self.queue.push_back(item);
            is_full = self.queue.len() == MAX_QUEUED || batch.len > MAX_QUEUED_LEN;
        }
        drop(events);
        self.keep_rest(chunk, left);
        self.is_plain =
            !batch.has_ids && self.marker.is_none() && self.decoder.last_event_id().is_empty();
        Some(first)
    }
}

impl<C: AsRef<[u8]>, T: Decode> State<Decoder, C, T> {
    /// The source has ended: the event that it has cut short, if that is asked for.
    fn finish(&mut self) -> Option<Result<T, EventTooLarge>> {
        if !self.finish_at_end {
            return None;
        }
        let event = self.decoder.finish().transpose()?;
        Some(event.map(|event: Event<'_>| T::from_event(event.into())))
    }
}

impl<S, C, E> Decoded<S, OwnedEvent>
where
    S: Stream<Item = Result<C, E>>,
    C: AsRef<[u8]>,
{
    /// Lends each event to `each`, until it breaks or the stream ends.
    #[inline]
    pub(crate) fn poll_each<B>(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        each: &mut impl FnMut(Result<Event<'_>, EventTooLarge>) -> ControlFlow<B>,
    ) -> Poll<Result<Option<B>, Error<E>>> {
        let this = self.project();
        let (mut source, state) = (this.source, this.state);
        while let Some(item) = state.next_queued() {
            let flow = match state.hand_out::<E>(item) {
                Some(Ok(event)) => each(Ok(event.as_event())),
                Some(Err(Error::TooLarge(error))) => each(Err(error)),
                _ => ControlFlow::Continue(()),
            };
            if let ControlFlow::Break(value) = flow {
                return Poll::Ready(Ok(Some(value)));
            }
        }
        loop {
            if state.phase != Phase::Reading {
                return Poll::Ready(match state.end() {
                    Some(Err(error)) => Err(error),
                    _ => Ok(None),
                });
            }
            state.catch_up();
            let flow = match state.rest.take() {
                Some((chunk, start)) => state.lend(chunk, start, each),
                None => match ready!(source.as_mut().poll_next(context)) {
                    Some(Ok(chunk)) => state.lend(chunk, 0, each),
                    Some(Err(error)) => {
                        state.phase = Phase::Ended;
                        return Poll::Ready(Err(Error::Source(error)));
                    }
                    None => {
                        state.phase = Phase::AtEnd;
                        match state.finish() {
                            Some(Ok(event)) if state.is_marker(event.data()) => continue,
                            Some(event) => each(
                                event
                                    .as_ref()
                                    .map(OwnedEvent::as_event)
                                    .map_err(|error| *error),
                            ),
                            None => continue,
                        }
                    }
                },
            };
            if let ControlFlow::Break(value) = flow {
                return Poll::Ready(Ok(Some(value)));
            }
        }
    }
}

impl<D: Feed, C: AsRef<[u8]>, T> State<D, C, T> {
    /// The last so many bytes of the chunk are not decoded yet.
    #[inline(always)]
    fn keep_rest(&mut self, chunk: C, left: usize) {
        if left > 0 {
            let start = chunk.as_ref().len() - left;
            self.rest = Some((chunk, start));
        }
    }

    #[inline(always)]
    fn lend<B>(
        &mut self,
        chunk: C,
        start: usize,
        each: &mut impl FnMut(Result<Event<'_>, EventTooLarge>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let bytes = chunk.as_ref().get(start..).unwrap_or_default();
        let mut events = self.decoder.feed(bytes);
        let marker = self.marker.as_deref();
        while let Some(event) = events.next_event().transpose() {
            if marker.is_some() && event.as_ref().ok().map(|event| event.data) == marker {
                self.phase = Phase::Ended;
                break;
            }
            if let ControlFlow::Break(value) = each(event) {
                let left = events.rest_len();
                drop(events);
                self.keep_rest(chunk, left);
                return ControlFlow::Break(value);
            }
        }
        ControlFlow::Continue(())
    }
}

impl<D: Feed, C, T> State<D, C, T> {
    pub(crate) const fn new(decoder: D) -> Self {
        Self {
            decoder,
            rest: None,
            piece_len: PIECE_LEN,
            queue: VecDeque::new(),
            last_event_id: String::new(),
            is_ahead: false,
            is_plain: false,
            marker: None,
            with_items: false,
            finish_at_end: false,
            phase: Phase::Reading,
        }
    }

    pub(crate) fn until(&mut self, marker: Cow<'static, str>) {
        self.marker = Some(marker);
        self.is_plain = false;
    }

    /// As of what was handed out.
    pub(crate) fn last_event_id(&self) -> &str {
        if self.is_ahead {
            &self.last_event_id
        } else {
            self.decoder.last_event_id()
        }
    }

    /// All that was decoded was handed out.
    #[inline(always)]
    pub(crate) fn catch_up(&mut self) {
        self.is_ahead = false;
    }
}

impl<D: Feed, C, T: Decode> State<D, C, T> {
    #[inline]
    pub(crate) fn next_queued(&mut self) -> Option<Result<T, EventTooLarge>> {
        // What was decoded after the end marker is not handed out.
        match self.phase {
            Phase::Ended => None,
            _ => self.queue.pop_front(),
        }
    }

    #[inline(always)]
    pub(crate) fn hand_out<E>(
        &mut self,
        item: Result<T, EventTooLarge>,
    ) -> Option<Result<T, Error<E>>> {
        let item = match item {
            Ok(item) => item,
            Err(error) => return Some(Err(Error::TooLarge(error))),
        };
        if let (false, Some(event)) = (self.is_plain, item.as_event()) {
            self.is_ahead = event.last_event_id() != self.decoder.last_event_id();
            if self.is_ahead {
                self.last_event_id.clear();
                self.last_event_id.push_str(event.last_event_id());
            }
            if self.is_marker(event.data()) {
                return None;
            }
        }
        Some(Ok(item))
    }

    /// Whether this data ends the stream; then it has ended.
    #[inline]
    fn is_marker(&mut self, data: &str) -> bool {
        let is_marker = self.marker.as_deref() == Some(data);
        if is_marker {
            self.phase = Phase::Ended;
            self.rest = None;
        }
        is_marker
    }

    fn end<E>(&mut self) -> Option<Result<T, Error<E>>> {
        let is_told = self.phase == Phase::Ended || self.marker.is_none();
        self.phase = Phase::Ended;
        (!is_told).then_some(Err(Error::Incomplete))
    }
}

/// The start of a chunk, at most about `len` bytes; it ends with an event if one ends shortly
/// before that.
#[inline(always)]
fn piece(bytes: &[u8], len: usize) -> &[u8] {
    match bytes.get(..len) {
        Some(piece) => whole_events(piece),
        None => bytes,
    }
}

#[inline(never)]
fn whole_events(piece: &[u8]) -> &[u8] {
    const BLOCK: usize = 32;
    const BLOCKS: usize = 32;
    let mut end = piece.len();
    for block in piece.rchunks_exact(BLOCK).take(BLOCKS) {
        // Of the whole block at once, which takes a few vector instructions.
        if block
            .iter()
            .fold(false, |found, byte| found | (*byte == b'\n'))
        {
            let last = block.iter().rposition(|byte| *byte == b'\n');
            let (events, _) = piece.split_at(end - BLOCK + last.unwrap_or(0) + 1);
            if events.ends_with(b"\n\n") || events.ends_with(b"\n\r\n") {
                return events;
            }
        }
        end -= BLOCK;
    }
    piece
}
