//! The encoded events of a log.
//!
//! The bytes of neighbouring events are stored contiguously in blocks, so that the events a reader
//! lacks are one slice, which is shared by reference count. Only the newest block still grows;
//! parts of it are copied once for all readers at the same position.

use std::{collections::VecDeque, ops::Range, time::Instant};

use bytes::Bytes;

/// A block stops growing at this length.
const BLOCK: usize = 16 << 10;
/// The number of copies of the growing block that are cached: for readers that are up to date and
/// for some that are late.
const MAX_COPIES: usize = 4;

#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// In order, without holes; the last one may still grow.
    blocks: VecDeque<Block>,
    /// The index of the oldest kept event, or of the next one if none is kept.
    first: u64,
    /// The index of the next event.
    next: u64,
    /// The length of the kept events.
    byte_len: usize,
    /// Copies of parts of the growing block.
    copies: VecDeque<Copied>,
}

#[derive(Debug)]
struct Block {
    /// The index of its first event.
    start: u64,
    /// Where each event ends.
    ends: Vec<u32>,
    /// When each event was appended, if the history is limited by age.
    times: Vec<Instant>,
    data: Data,
}

#[derive(Debug)]
enum Data {
    Growing(Vec<u8>),
    Full(Bytes),
}

#[derive(Debug)]
struct Copied {
    from: u64,
    to: u64,
    bytes: Bytes,
}

impl Blocks {
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn event_count(&self) -> u64 {
        self.next - self.first
    }

    pub(super) fn byte_len(&self) -> usize {
        self.byte_len
    }

    /// Appends an event of `len` bytes. `time` is stored if it is given for every event.
    pub(super) fn push(
        &mut self,
        len: usize,
        time: Option<Instant>,
        encode: impl FnOnce(&mut Vec<u8>),
    ) {
        if !self.blocks.back().is_some_and(|block| block.has_room(len)) {
            self.finish_block();
            self.blocks.push_back(Block {
                start: self.next,
                ends: Vec::new(),
                times: Vec::new(),
                data: Data::Growing(Vec::new()),
            });
        }
        let Some(block) = self.blocks.back_mut() else {
            return;
        };
        if let Data::Growing(data) = &mut block.data {
            encode(data);
            // An event is shorter than 4 GiB: publishing refuses longer ones.
            let end = u32::try_from(data.len()).unwrap_or(u32::MAX);
            block.ends.push(end);
        }
        block.times.extend(time);
        self.next += 1;
        self.byte_len += len;
    }

    /// The growing block grows no longer.
    fn finish_block(&mut self) {
        if let Some(block) = self.blocks.back_mut() {
            if let Data::Growing(data) = &mut block.data {
                block.data = Data::Full(std::mem::take(data).into());
                block.ends.shrink_to_fit();
                self.copies.clear();
            }
        }
    }

    /// When the oldest event was appended, if the history is limited by age.
    pub(super) fn oldest_time(&self) -> Option<Instant> {
        let block = self.blocks.front()?;
        block
            .times
            .get((self.first - block.start) as usize)
            .copied()
    }

    /// Removes the oldest event.
    pub(super) fn pop_front(&mut self) {
        let Some(block) = self.blocks.front() else {
            return;
        };
        self.byte_len -= block.range(self.first, self.first + 1).len();
        self.first += 1;
        if self.first >= block.end() {
            self.blocks.pop_front();
            if self.blocks.is_empty() {
                self.copies.clear();
            }
        }
    }

    /// Returns events from index `from` up to `end`, and the index after the last one. Stops at the
    /// end of the block and after `max_bytes`, but returns at least one event.
    pub(super) fn read(&mut self, from: u64, end: u64, max_bytes: usize) -> Option<(Bytes, u64)> {
        let place = self.blocks.partition_point(|block| block.end() <= from);
        let block = self.blocks.get(place)?;
        let to = block.index_within(from, max_bytes).min(end);
        let range = block.range(from, to);
        let data = match &block.data {
            Data::Full(data) => return Some((data.slice(range), to)),
            Data::Growing(data) => data.get(range).unwrap_or_default(),
        };
        let mut copies = self.copies.iter();
        if let Some(copy) = copies.find(|copy| (copy.from, copy.to) == (from, to)) {
            return Some((copy.bytes.clone(), to));
        }
        let bytes = Bytes::copy_from_slice(data);
        if self.copies.len() == MAX_COPIES {
            self.copies.pop_front();
        }
        self.copies.push_back(Copied {
            from,
            to,
            bytes: bytes.clone(),
        });
        Some((bytes, to))
    }

    /// The bytes of all kept events, block by block.
    pub(super) fn chunks(&self) -> impl Iterator<Item = &[u8]> {
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
    fn has_room(&self, len: usize) -> bool {
        match &self.data {
            Data::Growing(data) => data.len() + len <= BLOCK,
            Data::Full(_) => false,
        }
    }

    /// The index after its last event.
    fn end(&self) -> u64 {
        self.start + self.ends.len() as u64
    }

    /// Where the event at `index` starts.
    fn offset(&self, index: u64) -> usize {
        let previous = index.saturating_sub(self.start).checked_sub(1);
        let end = previous.and_then(|previous| self.ends.get(previous as usize));
        end.map_or(0, |end| *end as usize)
    }

    fn range(&self, from: u64, to: u64) -> Range<usize> {
        self.offset(from)..self.offset(to)
    }

    /// The index after the last event that fits into `max_bytes`. The first one always fits.
    fn index_within(&self, from: u64, max_bytes: usize) -> u64 {
        let limit = self.offset(from).saturating_add(max_bytes);
        let fit = self.ends.partition_point(|end| *end as usize <= limit);
        (self.start + fit as u64).max(from + 1)
    }
}
