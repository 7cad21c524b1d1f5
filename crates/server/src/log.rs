//! The latest events of one topic in memory, encoded once and read in runs.
//!
//! All stores read from it. It knows nothing of tasks, clients and clocks.
//!
//! Events are counted through from the start of the log, whatever their epochs: the `index` below.
//! The bytes of neighbouring events lie side by side in blocks, so that what a reader lacks is one
//! slice, shared by reference count and not copied. Only the newest block still grows; runs of it are
//! copied once for all readers that are at the same place.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sse_proto::Frame;
use sse_proto_stream::EncodedFrame;

use crate::{Bounds, EventId, GapReason, ReadAfter, id::IdText};

/// A block of so many bytes grows no longer.
const BLOCK: usize = 16 << 10;
/// How many runs of the growing block are remembered: those of readers that are up to date, and those
/// of some that are late.
const RUNS: usize = 4;
/// How many epochs are remembered. Only those without events are ever forgotten for this.
const EPOCHS: usize = 256;

/// How much of a topic is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct History {
    /// Encoded bytes. The newest event is kept whatever its length.
    pub(crate) bytes: usize,
    pub(crate) age: Option<Duration>,
}

#[derive(Debug)]
pub(crate) struct Log {
    history: History,
    /// Never empty; the last one is current.
    epochs: VecDeque<Epoch>,
    /// In order, without holes; the last one may still grow.
    blocks: VecDeque<Block>,
    /// The index of the oldest event that is kept, or of the next one.
    first: u64,
    /// The index of the next event.
    next: u64,
    /// The length of the events that are kept.
    bytes: usize,
    /// Copies of runs of the growing block.
    runs: VecDeque<Run>,
}

#[derive(Debug)]
struct Epoch {
    epoch: u64,
    /// The number before that of its first event in this log.
    after: u64,
    last: u64,
    /// The index of its first event.
    start: u64,
    /// Nothing was lost between the last event of the epoch before and the first of this one.
    continues: bool,
}

impl Epoch {
    /// The position before its first event.
    fn begin(&self) -> EventId {
        EventId {
            epoch: self.epoch,
            number: self.after,
        }
    }

    fn head(&self) -> EventId {
        EventId {
            epoch: self.epoch,
            number: self.last,
        }
    }

    /// The index of the event after its last.
    fn end(&self) -> u64 {
        self.start + (self.last - self.after)
    }
}

#[derive(Debug)]
struct Block {
    /// The index of its first event.
    start: u64,
    /// Where each event ends.
    ends: Vec<u32>,
    /// When each event came, if the history is limited by age.
    times: Vec<Instant>,
    data: Data,
}

#[derive(Debug)]
enum Data {
    Growing(Vec<u8>),
    Full(Bytes),
}

#[derive(Debug)]
struct Run {
    from: u64,
    to: u64,
    bytes: Bytes,
}

impl Log {
    /// An empty log, whose next event is the one after `head`.
    pub(crate) fn new(history: History, head: EventId) -> Self {
        let epoch = Epoch {
            epoch: head.epoch,
            after: head.number,
            last: head.number,
            start: 0,
            continues: false,
        };
        Self {
            history,
            epochs: [epoch].into(),
            blocks: VecDeque::new(),
            first: 0,
            next: 0,
            bytes: 0,
            runs: VecDeque::new(),
        }
    }

    /// Ends the epoch. The next event is the first of `epoch`, which is greater than all before it.
    pub(crate) fn begin_epoch(&mut self, epoch: u64, continues: bool) {
        debug_assert!(epoch > self.head().epoch);
        self.epochs.push_back(Epoch {
            epoch,
            after: 0,
            last: 0,
            start: self.next,
            continues,
        });
        while self.epochs.len() > EPOCHS {
            let mut old = self.epochs.iter().take(self.epochs.len() - 1);
            let Some(empty) = old.position(|epoch| epoch.last == epoch.after) else {
                break;
            };
            let broken = self
                .epochs
                .remove(empty)
                .is_some_and(|epoch| !epoch.continues);
            // What was lost at its start is lost between its neighbours.
            if let Some(next) = self.epochs.get_mut(empty) {
                next.continues &= !broken;
            }
        }
    }

    /// Appends an event with the next id.
    pub(crate) fn append(&mut self, frame: Frame<'_>, now: Instant) -> EventId {
        let id = self.next_id();
        let text = IdText::new(id);
        // Digits and a dash are an id.
        let frame = frame.id(text.as_str()).unwrap_or(frame);
        self.push(now, frame.encoded_len(), |block| frame.encode_to_vec(block));
        id
    }

    /// Appends an event that is encoded, with the next id in it.
    pub(crate) fn append_encoded(&mut self, encoded: &[u8], now: Instant) {
        self.push(now, encoded.len(), |block| block.extend_from_slice(encoded));
    }

    fn push(&mut self, now: Instant, len: usize, encode: impl FnOnce(&mut Vec<u8>)) {
        let fits = match self.blocks.back() {
            Some(Block {
                data: Data::Growing(data),
                ..
            }) => data.len() + len <= BLOCK,
            _ => false,
        };
        if !fits {
            self.seal();
            self.blocks.push_back(Block {
                start: self.next,
                ends: Vec::new(),
                times: Vec::new(),
                data: Data::Growing(Vec::new()),
            });
        }
        let (Some(block), Some(epoch)) = (self.blocks.back_mut(), self.epochs.back_mut()) else {
            return;
        };
        if let Data::Growing(data) = &mut block.data {
            encode(data);
            // An event is shorter than 4 GiB: publishing refuses longer ones.
            block
                .ends
                .push(u32::try_from(data.len()).unwrap_or(u32::MAX));
        }
        if self.history.age.is_some() {
            block.times.push(now);
        }
        epoch.last += 1;
        self.next += 1;
        self.bytes += len;
        while self.bytes > self.history.bytes && self.next - self.first > 1 {
            self.forget_oldest();
        }
        self.forget_older(|| now);
    }

    /// Ends the growing block.
    fn seal(&mut self) {
        if let Some(block) = self.blocks.back_mut() {
            if let Data::Growing(data) = &mut block.data {
                block.data = Data::Full(std::mem::take(data).into());
                block.ends.shrink_to_fit();
                self.runs.clear();
            }
        }
    }

    /// Forgets what is older than the history's age.
    pub(crate) fn forget_older(&mut self, now: impl FnOnce() -> Instant) {
        let Some(age) = self.history.age else { return };
        let now = now();
        while let Some(block) = self.blocks.front() {
            let time = block.times.get((self.first - block.start) as usize);
            if time.is_none_or(|time| now.saturating_duration_since(*time) <= age) {
                break;
            }
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some(block) = self.blocks.front() else {
            return;
        };
        self.bytes -= block.range(self.first, self.first + 1).len();
        self.first += 1;
        if self.first >= block.end() {
            self.blocks.pop_front();
            if self.blocks.is_empty() {
                self.runs.clear();
            }
        }
        // The last position of an epoch is one where events may still follow.
        while self.epochs.len() > 1
            && self
                .epochs
                .front()
                .is_some_and(|epoch| epoch.end() < self.first)
        {
            self.epochs.pop_front();
        }
    }

    pub(crate) fn read_after(&mut self, after: EventId, max_bytes: usize) -> ReadAfter {
        let gap = |reason| ReadAfter::Gap {
            reason,
            resume: self.head(),
        };
        let place = self
            .epochs
            .iter()
            .rposition(|epoch| epoch.epoch == after.epoch);
        let Some((place, epoch)) = place.and_then(|place| Some((place, self.epochs.get(place)?)))
        else {
            return gap(GapReason::Unknown);
        };
        if after.number > epoch.last {
            return gap(GapReason::Ahead);
        }
        let from = match after.number.checked_sub(epoch.after) {
            Some(events) if epoch.start + events >= self.first => epoch.start + events,
            _ => return gap(GapReason::TooOld),
        };
        // How far it goes on without a loss.
        let mut end = epoch.end();
        let mut later = self.epochs.range(place + 1..);
        let broken = later.find(|next| {
            if next.continues {
                end = next.end();
            }
            !next.continues
        });
        match broken {
            _ if from < end => self.run(from, end, max_bytes),
            None => ReadAfter::UpToDate,
            Some(next) if next.start < self.first => gap(GapReason::TooOld),
            // Nothing of what comes next has been seen.
            Some(next) => ReadAfter::Gap {
                reason: GapReason::EpochEnded,
                resume: next.begin(),
            },
        }
    }

    /// The events from one index to another, as far as one block and `max_bytes` go.
    fn run(&mut self, from: u64, end: u64, max_bytes: usize) -> ReadAfter {
        let place = self.blocks.partition_point(|block| block.end() <= from);
        let Some(block) = self.blocks.get(place) else {
            return ReadAfter::UpToDate;
        };
        let to = block.reach(from, max_bytes).min(end);
        let range = block.range(from, to);
        let bytes = match &block.data {
            Data::Full(data) => data.slice(range),
            Data::Growing(data) => {
                let known = self
                    .runs
                    .iter()
                    .find(|run| (run.from, run.to) == (from, to));
                match known {
                    Some(run) => run.bytes.clone(),
                    None => {
                        let bytes = Bytes::copy_from_slice(data.get(range).unwrap_or_default());
                        if self.runs.len() == RUNS {
                            self.runs.pop_front();
                        }
                        self.runs.push_back(Run {
                            from,
                            to,
                            bytes: bytes.clone(),
                        });
                        bytes
                    }
                }
            }
        };
        ReadAfter::Events {
            frames: EncodedFrame::from_encoded(bytes),
            count: to - from,
            last: self.position(to, |epoch| epoch.start < to),
        }
    }

    /// The position before that index, in the last epoch that is `of`.
    fn position(&self, index: u64, of: impl Fn(&Epoch) -> bool) -> EventId {
        match self.epochs.iter().rfind(|epoch| of(epoch)) {
            Some(epoch) => EventId {
                epoch: epoch.epoch,
                number: epoch.after + index.saturating_sub(epoch.start),
            },
            None => self.head(),
        }
    }

    pub(crate) fn head(&self) -> EventId {
        // There is always an epoch.
        self.epochs.back().map_or(
            EventId {
                epoch: 0,
                number: 0,
            },
            Epoch::head,
        )
    }

    pub(crate) fn bounds(&self) -> Bounds {
        // If a new epoch begins there, the position is in that one: the other one has ended.
        let oldest = self.position(self.first, |epoch| epoch.start <= self.first);
        Bounds::new(oldest, self.head())
    }

    /// The position before the oldest event that is kept, in the epoch before its own if that is
    /// still known.
    pub(crate) fn before_first(&self) -> EventId {
        match self.epochs.front() {
            Some(epoch) => EventId {
                epoch: epoch.epoch,
                number: epoch.after + self.first.saturating_sub(epoch.start),
            },
            None => self.head(),
        }
    }

    fn next_id(&self) -> EventId {
        let head = self.head();
        EventId {
            epoch: head.epoch,
            number: head.number + 1,
        }
    }

    /// How many events are kept, and their bytes.
    pub(crate) fn kept(&self) -> (u64, usize) {
        (self.next - self.first, self.bytes)
    }

    /// What is kept, block by block, as it would be read.
    pub(crate) fn kept_bytes(&self) -> impl Iterator<Item = &[u8]> {
        self.blocks.iter().map(|block| {
            let range = block.range(self.first.max(block.start), block.end());
            let data = match &block.data {
                Data::Growing(data) => data.as_slice(),
                Data::Full(data) => data,
            };
            data.get(range).unwrap_or_default()
        })
    }
}

impl Block {
    /// The index of the event after its last.
    fn end(&self) -> u64 {
        self.start + self.ends.len() as u64
    }

    /// Where the event of that index begins.
    fn offset(&self, index: u64) -> usize {
        match index.saturating_sub(self.start).checked_sub(1) {
            None => 0,
            Some(before) => self
                .ends
                .get(before as usize)
                .map_or(0, |end| *end as usize),
        }
    }

    fn range(&self, from: u64, to: u64) -> std::ops::Range<usize> {
        self.offset(from)..self.offset(to)
    }

    /// The index after the last event that fits into `max_bytes`, of which the first one always does.
    fn reach(&self, from: u64, max_bytes: usize) -> u64 {
        let limit = self.offset(from).saturating_add(max_bytes);
        let fit = self.ends.partition_point(|end| *end as usize <= limit);
        (self.start + fit as u64).max(from + 1)
    }
}

#[cfg(test)]
mod tests;
