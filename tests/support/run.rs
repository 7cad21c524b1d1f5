//! Feeds chunks to a decoder and records the items in the types of the model. Also checks what must
//! hold after every call: a chunk that was read to its end has no rest, and further calls return
//! `Ok(None)`.

use core::time::Duration;

use sse_proto::{
    Decoder, Event, EventTooLarge, Events, Fixed, IdTooLong, Item as Decoded, Storage,
};

use super::model::{Ask, Item, Limit, Model, Outcome, OwnId, Unfinished};

/// A decoder over any storage.
pub(crate) trait Drive {
    /// Feeds one chunk and reads it to its end.
    fn read(&mut self, chunk: &[u8], ask: Ask) -> Vec<Item>;
    /// Feeds one chunk and takes at most `count` items. Returns the items and the number of bytes
    /// read.
    fn read_some(&mut self, chunk: &[u8], ask: Ask, count: usize) -> (Vec<Item>, usize);
    fn finish(&mut self) -> Option<Item>;
    fn reset(&mut self);
    fn seed(&mut self, last_event_id: &str) -> Result<(), IdTooLong>;
    fn last_event_id(&self) -> &str;
    /// Milliseconds.
    fn reconnection_time(&self) -> Option<u64>;
    fn unfinished(&self) -> Option<Unfinished>;
    /// Whether any line was recognized, and whether any was ignored.
    fn recognition(&self) -> (bool, bool);
}

/// A new decoder with this limit. `None` if its storage is not in this build.
pub(crate) fn decoder(limit: Limit) -> Option<Box<dyn Drive>> {
    decoder_of(&Model::new(limit, Ask::Items))
}

/// A new decoder with the limit of the model. `None` if its storage is not in this build.
pub(crate) fn decoder_of(model: &Model) -> Option<Box<dyn Drive>> {
    let skip = model.skip_long_ids;
    match model.limit {
        #[cfg(feature = "alloc")]
        Limit::Heap(limit) => {
            let decoder = Decoder::with_max_event_len(limit);
            Some(Box::new(decoder.skip_long_ids(skip)))
        }
        #[cfg(not(feature = "alloc"))]
        Limit::Heap(_) => None,
        Limit::Fixed {
            data_capacity,
            field_capacity,
        } => {
            let decoder = fixed(data_capacity, field_capacity);
            Some(Box::new(decoder.skip_long_ids(skip)))
        }
        Limit::Regions {
            data_capacity,
            type_capacity,
            id_capacity,
        } => {
            let memory = vec![0xAA; data_capacity + type_capacity + 2 * id_capacity];
            let storage = Fixed::new(memory)
                .with_type_capacity(type_capacity)
                .with_id_capacity(id_capacity);
            assert_eq!(storage.data_capacity(), data_capacity);
            let decoder = Decoder::with_storage(storage);
            Some(Box::new(decoder.skip_long_ids(skip)))
        }
    }
}

/// A decoder over regions of these lengths.
pub(crate) fn fixed(data_capacity: usize, field_capacity: usize) -> Decoder<Fixed<Vec<u8>>> {
    // Not zeroed, so a decoder that reads bytes it has not written is detected.
    let memory = vec![0xAA; data_capacity + 3 * field_capacity];
    Decoder::with_storage(Fixed::with_field_capacity(memory, field_capacity))
}

/// Feeds all chunks and returns the items of each.
pub(crate) fn read_all(decoder: &mut dyn Drive, chunks: &[&[u8]], ask: Ask) -> Vec<Vec<Item>> {
    chunks
        .iter()
        .map(|chunk| decoder.read(chunk, ask))
        .collect()
}

/// Reads the first chunk of a stream without asking for more items than it has: if an item ends at
/// the end of the chunk, the cursor is dropped there, before it has returned `Ok(None)`.
pub(crate) fn read_and_leave(decoder: &mut dyn Drive, chunk: &[u8], model: &Model) -> Vec<Item> {
    let count = model.after(chunk).items.len();
    let (mut items, len) = decoder.read_some(chunk, model.ask, count);
    if len < chunk.len() {
        items.extend(decoder.read(&chunk[len..], model.ask));
    }
    items
}

/// Checks that the state kept across streams matches the model.
#[track_caller]
pub(crate) fn assert_state(decoder: &dyn Drive, expected: &Outcome) {
    assert_eq!(decoder.last_event_id(), expected.last_event_id);
    assert_eq!(decoder.reconnection_time(), expected.reconnection_time);
}

/// Checks what the decoder tells about the stream so far.
#[track_caller]
pub(crate) fn assert_recognition(decoder: &dyn Drive, expected: &Outcome) {
    let lines = (expected.has_recognized_line, expected.has_ignored_line);
    assert_eq!(decoder.recognition(), lines);
}

/// Checks that a new decoder has returned exactly the expected items after each of the chunks.
#[track_caller]
pub(crate) fn assert_prompt(model: &Model, chunks: &[&[u8]]) {
    let Some(mut decoder) = decoder_of(model) else {
        return;
    };
    let mut read = Vec::new();
    let mut items = Vec::new();
    for chunk in chunks {
        read.extend_from_slice(chunk);
        items.extend(decoder.read(chunk, model.ask));
        let expected = model.after(&read);
        assert_eq!(
            items,
            expected.items,
            "after {:?}",
            read.escape_ascii().to_string()
        );
        assert_state(&*decoder, &expected);
        assert_recognition(&*decoder, &expected);
        assert_eq!(decoder.unfinished(), expected.unfinished);
    }
}

impl<S: Storage> Drive for Decoder<S> {
    fn read(&mut self, chunk: &[u8], ask: Ask) -> Vec<Item> {
        let mut events = self.feed(chunk);
        let mut items = Vec::new();
        while let Some(item) = next(&mut events, ask) {
            items.push(item);
        }
        assert!(events.rest().is_empty(), "a chunk read to its end");
        assert_eq!(next(&mut events, ask), None, "the end of a chunk stays");
        items
    }

    fn read_some(&mut self, chunk: &[u8], ask: Ask, count: usize) -> (Vec<Item>, usize) {
        let mut events = self.feed(chunk);
        let mut items = Vec::new();
        while items.len() < count {
            match next(&mut events, ask) {
                Some(item) => items.push(item),
                None => break,
            }
        }
        let rest = events.rest();
        assert!(chunk.ends_with(rest), "the rest is the end of the chunk");
        (items, chunk.len() - rest.len())
    }

    fn finish(&mut self) -> Option<Item> {
        match Decoder::finish(self) {
            Ok(event) => event.as_ref().map(write_event),
            Err(error) => Some(write_error(error)),
        }
    }

    fn reset(&mut self) {
        Decoder::reset(self);
    }

    fn seed(&mut self, last_event_id: &str) -> Result<(), IdTooLong> {
        self.set_last_event_id(last_event_id)
    }

    fn recognition(&self) -> (bool, bool) {
        (self.has_recognized_line(), self.has_ignored_line())
    }

    fn last_event_id(&self) -> &str {
        Decoder::last_event_id(self)
    }

    fn reconnection_time(&self) -> Option<u64> {
        Decoder::reconnection_time(self).map(milliseconds)
    }

    fn unfinished(&self) -> Option<Unfinished> {
        Decoder::unfinished(self).map(|unfinished| match unfinished {
            sse_proto::Unfinished::Line => Unfinished::Line,
            sse_proto::Unfinished::Event => Unfinished::Event,
        })
    }
}

fn next<S: Storage>(events: &mut Events<'_, '_, S>, ask: Ask) -> Option<Item> {
    match ask {
        Ask::Items => match events.next_item() {
            Ok(item) => item.as_ref().map(write_item),
            Err(error) => Some(write_error(error)),
        },
        Ask::Events => match events.next_event() {
            Ok(event) => event.as_ref().map(write_event),
            Err(error) => Some(write_error(error)),
        },
    }
}

fn write_item(item: &Decoded<'_>) -> Item {
    match item {
        Decoded::Event(event) => write_event(event),
        Decoded::Comment(text) => Item::Comment((*text).to_owned()),
        Decoded::Retry(time) => Item::Retry(milliseconds(*time)),
        Decoded::Id(id) => Item::Id((*id).to_owned()),
        Decoded::Ignored(ignored) => Item::Ignored(ignored.text.to_owned(), ignored.reason),
        other => panic!("an item that the model does not know: {other:?}"),
    }
}

pub(crate) fn write_event(event: &Event<'_>) -> Item {
    Item::Event {
        event_type: event.event_type.to_owned(),
        data: event.data.to_owned(),
        last_event_id: event.last_event_id.to_owned(),
        own_id: own_id(event),
    }
}

/// What the event tells about its own ID.
pub(crate) fn own_id(event: &Event<'_>) -> OwnId {
    match event.own_id() {
        Some(id) => {
            assert_eq!(id, event.last_event_id);
            OwnId::Set
        }
        None if event.is_id_too_long() => OwnId::TooLong,
        None => OwnId::None,
    }
}

pub(crate) fn write_error(error: EventTooLarge) -> Item {
    Item::TooLarge(error.part(), error.limit())
}

/// Whether `next_item` returned this item. Compares without a copy, for tests with millions of
/// calls.
pub(crate) fn is_same(
    got: &Result<Option<Decoded<'_>>, EventTooLarge>,
    expected: Option<&Item>,
) -> bool {
    match (got, expected) {
        (Ok(None), None) => true,
        (
            Ok(Some(Decoded::Event(got))),
            Some(Item::Event {
                event_type,
                data,
                last_event_id,
                own_id: expected,
            }),
        ) => {
            is_equal(got.event_type, event_type)
                && is_equal(got.data, data)
                && is_equal(got.last_event_id, last_event_id)
                && own_id(got) == *expected
        }
        (Ok(Some(Decoded::Comment(got))), Some(Item::Comment(expected))) => is_equal(got, expected),
        (Ok(Some(Decoded::Retry(got))), Some(Item::Retry(expected))) => {
            milliseconds(*got) == *expected
        }
        (Ok(Some(Decoded::Id(got))), Some(Item::Id(expected))) => is_equal(got, expected),
        (Ok(Some(Decoded::Ignored(got))), Some(Item::Ignored(text, reason))) => {
            is_equal(got.text, text) && got.reason == *reason
        }
        (Err(got), Some(Item::TooLarge(part, limit))) => {
            (got.part(), got.limit()) == (*part, *limit)
        }
        _ => false,
    }
}

/// `a == b`, without calling `memcmp` for empty strings. The pointer of an empty `String` refers to
/// no mapped memory, where the masked load that glibc uses on processors with AVX-512 takes
/// hundreds of cycles.
pub(crate) fn is_equal(a: &str, b: &str) -> bool {
    a.len() == b.len() && (a.is_empty() || a == b)
}

pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).expect("a reconnection time is a u64 of milliseconds")
}
