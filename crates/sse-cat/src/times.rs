//! When items and chunks arrive, and how many bytes they have (`--times`).

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use serde::Serialize;
use sse_proto::{Decoder, Item};

/// The time and length of an item or a chunk.
#[derive(Serialize)]
pub(crate) struct Stamp {
    /// Seconds since the start of the program's reading.
    #[serde(serialize_with = "seconds")]
    pub(crate) at: Duration,
    /// Seconds since the last item or chunk.
    #[serde(serialize_with = "seconds")]
    pub(crate) gap: Duration,
    pub(crate) bytes: usize,
}

fn seconds<S: serde::Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(in_seconds(*time))
}

/// Returns the time in seconds, rounded down to microseconds.
pub(crate) fn in_seconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e6
}

/// Measures the items of a stream.
///
/// An item cannot tell how long it was in the stream, so this decodes each chunk once more, ahead
/// of the decoder whose items are printed, and keeps the lengths of its items until they are
/// printed.
pub(crate) struct Times {
    decoder: Decoder,
    /// Whether comments and `retry` lines are items.
    comments: bool,
    start: Instant,
    /// When the current chunk has arrived.
    arrived: Duration,
    last_chunk: Duration,
    last_item: Duration,
    chunks: u64,
    /// Lengths of the items of the current chunk that were not printed yet.
    lengths: VecDeque<usize>,
    /// Bytes after the last of these items.
    pending: usize,
}

impl Times {
    pub(crate) fn new(max_event_len: usize, comments: bool) -> Self {
        Self {
            decoder: Decoder::with_max_event_len(max_event_len),
            comments,
            start: Instant::now(),
            arrived: Duration::ZERO,
            last_chunk: Duration::ZERO,
            last_item: Duration::ZERO,
            chunks: 0,
            lengths: VecDeque::new(),
            pending: 0,
        }
    }

    /// Call this for each new response.
    pub(crate) fn start_stream(&mut self) {
        self.decoder.reset();
        self.pending = 0;
    }

    /// Records that this chunk has arrived now. Returns its number and stamp.
    pub(crate) fn chunk(&mut self, chunk: &[u8]) -> (u64, Stamp) {
        self.arrived = self.start.elapsed();
        self.measure_items(chunk);
        self.chunks += 1;
        let gap = self.arrived - self.last_chunk;
        self.last_chunk = self.arrived;
        let stamp = Stamp {
            at: self.arrived,
            gap,
            bytes: chunk.len(),
        };
        (self.chunks, stamp)
    }

    fn measure_items(&mut self, chunk: &[u8]) {
        let mut items = self.decoder.feed(chunk);
        loop {
            let before = items.rest().len();
            let item = match self.comments {
                true => items.next_item(),
                false => items.next_event().map(|event| event.map(Item::Event)),
            };
            let (is_printed, is_end) = match item {
                Ok(Some(Item::Event(_) | Item::Comment(_) | Item::Retry(_))) | Err(_) => {
                    (true, false)
                }
                Ok(Some(_)) => (false, false),
                Ok(None) => (false, true),
            };
            self.pending += before - items.rest().len();
            if is_printed {
                self.lengths.push_back(self.pending);
                self.pending = 0;
            }
            if is_end {
                return;
            }
        }
    }

    /// Returns the stamp of the next item that is printed or reported. Its length is that of all
    /// bytes since the last one.
    pub(crate) fn item(&mut self) -> Stamp {
        let bytes = self.lengths.pop_front();
        let gap = self.arrived - self.last_item;
        self.last_item = self.arrived;
        Stamp {
            at: self.arrived,
            gap,
            bytes: bytes.unwrap_or_else(|| std::mem::take(&mut self.pending)),
        }
    }
}
