//! Changes the data of some events of a stream, and passes everything else on as it is.

use std::{mem, time::Duration};

use sse_proto::{Decoder, Event, Frame, InvalidField, Item};

/// Holds back the bytes of an unfinished event, up to this many. Longer ones are passed on unchanged.
const MAX_HELD: usize = 1024 * 1024;

/// Rewrites a body, chunk by chunk.
///
/// An item is complete when [`next_item`](sse_proto::Events::next_item) returns it, and its bytes are
/// those by which [`rest`](sse_proto::Events::rest) got shorter. A comment or a `retry` line may be
/// inside an event, whose bytes are therefore collected until the event is complete.
pub(crate) struct Rewriter<F> {
    decoder: Decoder,
    change: F,
    /// The bytes of the unfinished event, or of the unfinished line.
    held: Vec<u8>,
    /// Some bytes of the unfinished event were passed on, so it cannot be changed. After an event that
    /// is too large, this is known to be over at the end of a chunk or with the next item.
    is_passed_on: bool,
    /// The `retry` line of the unfinished event.
    retry: Option<Duration>,
}

impl<F: FnMut(&Event<'_>) -> Option<String>> Rewriter<F> {
    /// `change` returns the new data of an event, or `None` to leave the event as it is.
    pub(crate) fn new(change: F) -> Self {
        Self {
            decoder: Decoder::with_max_event_len(MAX_HELD),
            change,
            held: Vec::new(),
            is_passed_on: false,
            retry: None,
        }
    }

    /// Appends to `output` what can be passed on after this chunk.
    pub(crate) fn push(&mut self, chunk: &[u8], output: &mut Vec<u8>) {
        let mut rest = chunk;
        loop {
            let mut events = self.decoder.feed(rest);
            let item = events.next_item();
            let changed = match &item {
                Ok(Some(Item::Event(event))) if !self.is_passed_on => {
                    let data = (self.change)(event);
                    data.map(|data| encode(event, &data, self.retry))
                }
                Ok(Some(Item::Retry(time))) => {
                    self.retry = Some(*time);
                    None
                }
                _ => None,
            };
            let is_chunk_read = item == Ok(None);
            let is_too_large = item.is_err();
            let bytes = &rest[..rest.len() - events.rest().len()];
            rest = events.rest();

            self.held.extend_from_slice(bytes);
            if let Some(frame) = changed {
                self.held.clear();
                // The type and the ID come from a stream, so they have no line terminator.
                output.extend(frame.unwrap_or_default().into_bytes());
            }
            let unfinished = self.decoder.unfinished();
            if is_too_large || self.held.len() > MAX_HELD {
                self.is_passed_on = true;
            }
            if self.is_passed_on || unfinished.is_none() {
                output.append(&mut self.held);
            }
            if unfinished.is_none() && !is_too_large {
                self.is_passed_on = false;
                self.retry = None;
            }
            if is_chunk_read {
                return;
            }
        }
    }

    /// The body has ended: returns what was held back.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        mem::take(&mut self.held)
    }
}

/// Encodes the event with other data. It has an ID if it had one of its own.
fn encode(event: &Event<'_>, data: &str, retry: Option<Duration>) -> Result<String, InvalidField> {
    let mut frame = Frame::message(data);
    if event.event_type != "message" {
        frame = frame.event(event.event_type)?;
    }
    if let Some(id) = event.own_id() {
        frame = frame.id(id)?;
    }
    if let Some(time) = retry {
        frame = frame.retry(time);
    }
    Ok(frame.to_string())
}
