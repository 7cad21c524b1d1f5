//! Changes the data of some events of a stream, and passes everything else on as it is.

use std::mem;

use futures_util::{Stream, StreamExt as _, stream};
use sse_proto::{Decoder, Event, Frame, Item};

/// Holds back the bytes of an unfinished event, up to this many. Longer ones are passed on unchanged.
const MAX_HELD: usize = 1024 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Rewrites a body, chunk by chunk.
///
/// An item is complete when [`next_item`](sse_proto::Events::next_item) returns it, and its bytes are
/// those by which [`rest`](sse_proto::Events::rest) got shorter. A comment or a `retry` line may be
/// inside an event, whose bytes are therefore collected until the event is complete. Of an event
/// that changes, only the `data` lines are replaced.
pub(crate) struct Rewriter<F> {
    decoder: Decoder,
    change: F,
    /// The bytes of the unfinished event, or of the unfinished line.
    held: Vec<u8>,
    /// Some bytes of the unfinished event were passed on, so it cannot be changed. After an event that
    /// is too large, this is known to be over at the end of a chunk or with the next item.
    is_passed_on: bool,
    is_at_start: bool,
}

impl<F: FnMut(&Event<'_>) -> Option<String>> Rewriter<F> {
    /// `change` returns the new data of an event, or `None` to leave the event as it is.
    pub(crate) fn new(change: F) -> Self {
        Self {
            decoder: Decoder::with_max_event_len(MAX_HELD),
            change,
            held: Vec::new(),
            is_passed_on: false,
            is_at_start: true,
        }
    }

    /// Rewrites a whole body. At its end, also if it breaks off, what was held back is passed on.
    pub(crate) fn rewrite<B: AsRef<[u8]>, E>(
        mut self,
        body: impl Stream<Item = Result<B, E>>,
    ) -> impl Stream<Item = Result<Vec<u8>, E>> {
        let body = body.map(Some).chain(stream::iter([None]));
        body.flat_map(move |chunk| {
            let mut output = Vec::new();
            let mut failure = None;
            match chunk {
                Some(Ok(chunk)) => self.push(chunk.as_ref(), &mut output),
                Some(Err(error)) => {
                    output = self.finish();
                    failure = Some(error);
                }
                None => output = self.finish(),
            }
            let output = (!output.is_empty()).then_some(Ok(output));
            // A server that gets the error at once closes the connection without sending what it has.
            let failure = stream::iter(failure).then(|error| async {
                tokio::task::yield_now().await;
                Err(error)
            });
            stream::iter(output).chain(failure)
        })
    }

    /// Appends to `output` what can be passed on after this chunk.
    pub(crate) fn push(&mut self, chunk: &[u8], output: &mut Vec<u8>) {
        let mut rest = chunk;
        loop {
            let mut events = self.decoder.feed(rest);
            let item = events.next_item();
            let data = match &item {
                Ok(Some(Item::Event(event))) if !self.is_passed_on => (self.change)(event),
                _ => None,
            };
            let is_chunk_read = item == Ok(None);
            let is_too_large = item.is_err();
            let bytes = &rest[..rest.len() - events.rest().len()];
            rest = events.rest();

            self.held.extend_from_slice(bytes);
            if let Some(data) = data {
                replace_data(&self.held, &data, self.is_at_start, output);
                self.held.clear();
                self.is_at_start = false;
            }
            let unfinished = self.decoder.unfinished();
            if is_too_large || self.held.len() > MAX_HELD {
                self.is_passed_on = true;
            }
            if !self.held.is_empty() && (self.is_passed_on || unfinished.is_none()) {
                output.append(&mut self.held);
                self.is_at_start = false;
            }
            if unfinished.is_none() && !is_too_large {
                self.is_passed_on = false;
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

/// Appends the lines of an event, with other data in the place of its first `data` line.
fn replace_data(event: &[u8], data: &str, is_at_start: bool, output: &mut Vec<u8>) {
    let mut rest = event;
    if let (true, Some(after)) = (is_at_start, rest.strip_prefix(BYTE_ORDER_MARK)) {
        output.extend(BYTE_ORDER_MARK);
        rest = after;
    }
    let mut frame = Some(Frame::message(data).to_string());
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        let (line, after) = rest.split_at(end.unwrap_or(rest.len()));
        let terminator = match after {
            [b'\r', b'\n', ..] => 2,
            _ => after.len().min(1),
        };
        if line != b"data" && !line.starts_with(b"data:") {
            output.extend(&rest[..line.len() + terminator]);
        } else if let Some(frame) = frame.take() {
            // Without the blank line, which the event has.
            output.extend(frame.strip_suffix('\n').unwrap_or_default().as_bytes());
        } else if output.ends_with(b"\r") {
            // The blank line may follow, and its LF must not become a part of this terminator.
            output.push(b'\n');
        }
        rest = &after[terminator..];
    }
}
