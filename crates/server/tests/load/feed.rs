//! The events of a run. Each is a function of its number, so that every client knows what to
//! expect.

use std::{
    iter,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use sse_proto_server::EventId;

/// Combined at random into data, with all kinds of line terminators and text that looks like
/// fields.
const PIECES: [&str; 16] = [
    "all work and no play ",
    "0123456789abcdef",
    "{\"x\":[1,2,3]}",
    "data: ",
    "id: 7",
    ":",
    " ",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "caf\u{e9} ",
    "\u{6f22}\u{5b57}",
    "\u{1f980}",
    "\u{feff}",
    "\0",
];

/// The maximum lengths of the data of successive events, in bytes.
const MAX_LENS: [usize; 8] = [0, 1, 60, 300, 1000, 2000, 3000, 4096];

pub(crate) struct Feed {
    start: Instant,
    events: Vec<Event>,
}

pub(crate) struct Event {
    /// Empty for `message`.
    pub(crate) event_type: &'static str,
    pub(crate) data: String,
    /// The data as clients receive it, with normalized line terminators.
    received: String,
    /// In microseconds after the start.
    sent: AtomicU64,
    /// The id that was seen first.
    id: OnceLock<EventId>,
}

impl Feed {
    pub(crate) fn new(len: u64) -> Self {
        Self {
            start: Instant::now(),
            events: (1..=len).map(Event::new).collect(),
        }
    }

    /// Numbers begin at 1.
    pub(crate) fn get(&self, number: u64) -> Option<&Event> {
        self.events
            .get(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    /// In microseconds after the start.
    pub(crate) fn now(&self) -> u64 {
        self.start.elapsed().as_micros() as u64
    }
}

impl Event {
    fn new(number: u64) -> Self {
        let max_len = MAX_LENS[number as usize % MAX_LENS.len()];
        let mut random = number;
        let pieces = iter::repeat_with(|| {
            // The generator of Knuth's MMIX, whose upper bits are the most random.
            random = (random.wrapping_mul(6_364_136_223_846_793_005))
                .wrapping_add(1_442_695_040_888_963_407);
            PIECES[(random >> 60) as usize]
        });
        let mut data = String::new();
        for piece in pieces {
            if data.len() + piece.len() > max_len {
                break;
            }
            data += piece;
        }
        Self {
            event_type: ["", "note", "\u{6f22}: b"][number as usize % 3],
            received: data.replace("\r\n", "\n").replace('\r', "\n"),
            data,
            sent: AtomicU64::new(0),
            id: OnceLock::new(),
        }
    }

    pub(crate) fn is(&self, event_type: &str, data: &str) -> bool {
        let expected = Some(self.event_type).filter(|expected| !expected.is_empty());
        event_type == expected.unwrap_or("message") && data == self.received
    }

    /// Whether everyone has seen the event with this id so far.
    pub(crate) fn has_id(&self, id: EventId) -> bool {
        *self.id.get_or_init(|| id) == id
    }

    pub(crate) fn id(&self) -> Option<EventId> {
        self.id.get().copied()
    }

    pub(crate) fn set_sent(&self, time: u64) {
        self.sent.store(time, Relaxed);
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }
}
