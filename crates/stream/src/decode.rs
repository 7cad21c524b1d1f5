//! Decoding of byte chunks, shared by all streams of this crate.
//!
//! The cursor of a decoder borrows from the decoder and the chunk, so it cannot be kept between two
//! polls. [`BatchDecoder`] therefore decodes a chunk in batches of owned items, and
//! [`DecodeStream`] combines it with a source of chunks. The reconnecting client drives a
//! `BatchDecoder` itself.
//!
//! Both are generic over the decoder ([`ChunkDecoder`]) and over the items
//! ([`DecodeItem`]: events alone, or comments and `retry` lines as well).

mod batch_decoder;
mod item;
mod stream;

use sse_proto::{Decoder, Event, EventTooLarge, Events, Heap, Item, Messages};

pub(crate) use batch_decoder::{BatchDecoder, ReadState};
pub(crate) use item::{BatchStats, DecodeItem};
pub(crate) use stream::DecodeStream;

/// [`Decoder`], or the connection state machine that contains one.
pub(crate) trait ChunkDecoder {
    type Cursor<'d, 'i>: Cursor
    where
        Self: 'd;

    fn feed<'d, 'i>(&'d mut self, chunk: &'i [u8]) -> Self::Cursor<'d, 'i>;

    fn last_event_id(&self) -> &str;
}

/// A cursor over the events of one chunk.
pub(crate) trait Cursor {
    fn next_event(&mut self) -> Result<Option<Event<'_>>, EventTooLarge>;

    fn next_item(&mut self) -> Result<Option<Item<'_>>, EventTooLarge>;

    /// The number of bytes of the chunk that have not been consumed.
    fn remaining_len(&self) -> usize;
}

impl ChunkDecoder for Decoder {
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
    fn remaining_len(&self) -> usize {
        self.rest().len()
    }
}

impl ChunkDecoder for sse_proto::EventSource<String> {
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
        Ok(Messages::next_item(self)?.map(Item::from))
    }

    #[inline(always)]
    fn remaining_len(&self) -> usize {
        self.rest().len()
    }
}
