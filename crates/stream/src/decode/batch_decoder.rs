//! Decodes chunks in batches.
//!
//! A batch is a part of a chunk. Its first item is returned at once, the others are queued, and the
//! rest of the chunk is decoded later. The queue stays small whatever a chunk contains.

use std::{borrow::Cow, collections::VecDeque, ops::ControlFlow};

use sse_proto::{Decoder, Event, EventTooLarge};

use super::{BatchStats, ChunkDecoder, Cursor, DecodeItem};
use crate::Error;

/// Maximum length of a batch in bytes. The cursor over a batch is read to its end, so that nothing
/// is scanned twice. While no event ends in a batch, the batches get longer.
const BATCH_LEN: usize = 2048;

/// A batch ends early when the queue holds this many items, ..
const MAX_QUEUED: usize = 63;

/// .. or when the queued text is longer than this: every event may have inherited a long ID.
const MAX_QUEUED_TEXT_LEN: usize = 4096;

/// A decoder, the chunk it works on, and the queue of items that have been decoded ahead.
pub(crate) struct BatchDecoder<D, C, T> {
    pub(crate) decoder: D,
    /// The last chunk, unless it is fully decoded, and the offset at which its undecoded part
    /// starts.
    pub(crate) undecoded: Option<(C, usize)>,
    batch_len: usize,
    pub(crate) queue: VecDeque<Result<T, EventTooLarge>>,
    /// The last event ID as of the last event that was returned, if `is_ahead`.
    returned_id: String,
    /// Whether the decoder's last event ID is ahead of the events that were returned.
    is_ahead: bool,
    /// Whether the items of this batch need no check for an end marker or a last event ID.
    skip_checks: bool,
    end_marker: Option<Cow<'static, str>>,
    pub(crate) include_items: bool,
    finish_at_end: bool,
    pub(crate) read_state: ReadState,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum ReadState {
    Reading,
    /// The source has ended; the stream has yet to report its end.
    SourceEnded,
    /// The same, and no line had an effect.
    NoEventStream,
    Terminated,
}

impl<D, C, T> BatchDecoder<D, C, T> {
    pub(crate) const fn new(decoder: D) -> Self {
        Self {
            decoder,
            undecoded: None,
            batch_len: BATCH_LEN,
            queue: VecDeque::new(),
            returned_id: String::new(),
            is_ahead: false,
            skip_checks: false,
            end_marker: None,
            include_items: false,
            finish_at_end: false,
            read_state: ReadState::Reading,
        }
    }

    /// Changes the item type. Queued items are lost.
    pub(super) fn with_item_type<U>(self) -> BatchDecoder<D, C, U> {
        BatchDecoder {
            end_marker: self.end_marker,
            finish_at_end: self.finish_at_end,
            ..BatchDecoder::new(self.decoder)
        }
    }

    pub(crate) fn until(&mut self, marker: Cow<'static, str>) {
        self.end_marker = Some(marker);
        self.skip_checks = false;
    }

    pub(super) fn finish_at_end(&mut self, yes: bool) {
        self.finish_at_end = yes;
    }

    /// Records that every decoded item has been returned.
    #[inline(always)]
    pub(crate) fn set_caught_up(&mut self) {
        self.is_ahead = false;
    }

    /// Returns whether data is the end marker; if so, the stream is terminated.
    #[inline]
    pub(super) fn ends_at(&mut self, data: &str) -> bool {
        let is_marker = self.end_marker.as_deref() == Some(data);
        if is_marker {
            self.read_state = ReadState::Terminated;
            self.undecoded = None;
        }
        is_marker
    }

    /// The last item of a stream that has ended: an error if the end marker is missing.
    pub(super) fn terminate<E>(&mut self) -> Option<Result<T, Error<E>>> {
        let ended = std::mem::replace(&mut self.read_state, ReadState::Terminated);
        match ended {
            ReadState::NoEventStream => Some(Err(Error::NoEventStream)),
            ReadState::SourceEnded if self.end_marker.is_some() => Some(Err(Error::Incomplete)),
            _ => None,
        }
    }
}

impl<D: ChunkDecoder, C, T> BatchDecoder<D, C, T> {
    /// The last event ID as of the items that were returned.
    pub(crate) fn last_event_id(&self) -> &str {
        if self.is_ahead {
            &self.returned_id
        } else {
            self.decoder.last_event_id()
        }
    }
}

impl<D: ChunkDecoder, C, T: DecodeItem> BatchDecoder<D, C, T> {
    #[inline]
    pub(crate) fn pop_queued(&mut self) -> Option<Result<T, EventTooLarge>> {
        match self.read_state {
            // Items that were decoded after the end marker are not returned.
            ReadState::Terminated => None,
            _ => self.queue.pop_front(),
        }
    }

    /// Prepares an item to be returned: tracks the last event ID. `None` if it is the end marker.
    #[inline(always)]
    pub(crate) fn emit<E>(
        &mut self,
        item: Result<T, EventTooLarge>,
    ) -> Option<Result<T, Error<E>>> {
        let item = match item {
            Ok(item) => item,
            Err(error) => return Some(Err(Error::TooLarge(error))),
        };
        if self.skip_checks {
            return Some(Ok(item));
        }
        if let Some(id) = item.last_event_id() {
            self.is_ahead = id != self.decoder.last_event_id();
            if self.is_ahead {
                self.returned_id.clear();
                self.returned_id.push_str(id);
            }
        }
        if item
            .as_event()
            .is_some_and(|event| self.ends_at(event.data()))
        {
            return None;
        }
        Some(Ok(item))
    }
}

impl<D: ChunkDecoder, C: AsRef<[u8]>, T: DecodeItem> BatchDecoder<D, C, T> {
    /// Decodes a batch from `start` on; returns the first item and queues the others.
    #[inline(always)]
    pub(crate) fn decode(&mut self, chunk: C, start: usize) -> Option<Result<T, EventTooLarge>> {
        let bytes = chunk.as_ref().get(start..).unwrap_or_default();
        let batch = batch(bytes, self.batch_len);
        let mut undecoded_len = bytes.len() - batch.len();
        let mut cursor = self.decoder.feed(batch);
        let mut stats = BatchStats {
            include_items: self.include_items,
            ..BatchStats::default()
        };
        let Some(first) = T::next(&mut cursor, &mut stats).transpose() else {
            drop(cursor);
            self.batch_len = self.batch_len.saturating_mul(4);
            self.keep_undecoded(chunk, undecoded_len);
            return None;
        };
        self.batch_len = BATCH_LEN;
        // Only an event has a last event ID to return to, so nothing is decoded ahead of other
        // items.
        let mut is_full = !first.as_ref().is_ok_and(|item| item.as_event().is_some());
        stats.text_len = 0;
        loop {
            if is_full {
                undecoded_len += cursor.remaining_len();
                break;
            }
            let Some(item) = T::next(&mut cursor, &mut stats).transpose() else {
                break;
            };
            self.queue.push_back(item);
            is_full = self.queue.len() == MAX_QUEUED || stats.text_len > MAX_QUEUED_TEXT_LEN;
        }
        drop(cursor);
        self.keep_undecoded(chunk, undecoded_len);
        self.skip_checks =
            !stats.has_ids && self.end_marker.is_none() && self.decoder.last_event_id().is_empty();
        Some(first)
    }
}

impl<D: ChunkDecoder, C: AsRef<[u8]>, T> BatchDecoder<D, C, T> {
    /// Calls `f` with the events of the chunk from `start` on, borrowed, until it breaks.
    #[inline(always)]
    pub(super) fn for_each_in_chunk<B>(
        &mut self,
        chunk: C,
        start: usize,
        f: &mut impl FnMut(Result<Event<'_>, EventTooLarge>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let bytes = chunk.as_ref().get(start..).unwrap_or_default();
        let mut cursor = self.decoder.feed(bytes);
        let marker = self.end_marker.as_deref();
        while let Some(event) = cursor.next_event().transpose() {
            if marker.is_some() && event.as_ref().ok().map(|event| event.data) == marker {
                self.read_state = ReadState::Terminated;
                break;
            }
            if let ControlFlow::Break(value) = f(event) {
                let undecoded_len = cursor.remaining_len();
                drop(cursor);
                self.keep_undecoded(chunk, undecoded_len);
                return ControlFlow::Break(value);
            }
        }
        ControlFlow::Continue(())
    }

    /// Keeps the chunk if its last `undecoded_len` bytes have still to be decoded.
    #[inline(always)]
    fn keep_undecoded(&mut self, chunk: C, undecoded_len: usize) {
        if undecoded_len > 0 {
            let start = chunk.as_ref().len() - undecoded_len;
            self.undecoded = Some((chunk, start));
        }
    }
}

impl<C: AsRef<[u8]>, T: DecodeItem> BatchDecoder<Decoder, C, T> {
    /// The source has ended: returns the event that it has cut off, if `finish_at_end` is set.
    pub(super) fn finish(&mut self) -> Option<Result<T, EventTooLarge>> {
        let is_no_event_stream = self.decoder.is_no_event_stream();
        let event = match self.finish_at_end {
            true => self.decoder.finish().transpose(),
            false => None,
        };
        // An unterminated `data` counts as soon as it is the end.
        self.read_state = match is_no_event_stream && event.is_none() {
            true => ReadState::NoEventStream,
            false => ReadState::SourceEnded,
        };
        Some(event?.map(|event: Event<'_>| T::from_event(event.into())))
    }
}

/// Returns the start of a chunk, at most `max_len` bytes; it ends with an event if one ends shortly
/// before that.
#[inline(always)]
fn batch(bytes: &[u8], max_len: usize) -> &[u8] {
    match bytes.get(..max_len) {
        Some(batch) => trim_to_event_end(batch),
        None => bytes,
    }
}

/// Searches backwards for a blank line, block by block, in the last kibibyte.
#[inline(never)]
fn trim_to_event_end(batch: &[u8]) -> &[u8] {
    const BLOCK: usize = 32;
    const BLOCKS: usize = 32;
    let mut end = batch.len();
    for block in batch.rchunks_exact(BLOCK).take(BLOCKS) {
        // Without an early exit, a whole block takes a few vector instructions.
        if block
            .iter()
            .fold(false, |found, byte| found | (*byte == b'\n'))
        {
            let last = block.iter().rposition(|byte| *byte == b'\n');
            let (events, _) = batch.split_at(end - BLOCK + last.unwrap_or(0) + 1);
            if events.ends_with(b"\n\n") || events.ends_with(b"\n\r\n") {
                return events;
            }
        }
        end -= BLOCK;
    }
    batch
}
