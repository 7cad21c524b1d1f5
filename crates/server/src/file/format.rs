//! The format of a topic's file.
//!
//! It is an event stream: a comment with the position before the first event, followed by the
//! events as they are sent to clients, with their ids. An event ends with a blank line and contains
//! no other one. Therefore a file truncated anywhere consists of complete events and a part of the
//! next one.

use std::{io, time::Instant};

use sse_proto::{Decoder, Frame};

use crate::{EventId, id::IdText, log::Log};

/// The start of a file, which is followed by the position.
const HEADER: &str = ": sse-proto-server log 1, after ";

/// An encoded event, and where to insert its id.
pub(super) struct EventWithoutId {
    bytes: Vec<u8>,
    id_at: usize,
}

impl EventWithoutId {
    /// An id set on the frame is ignored.
    pub(super) fn new(frame: Frame<'_>) -> Self {
        let mut bytes = Vec::new();
        frame.id("").unwrap_or(frame).encode_to_vec(&mut bytes);
        // Only comments and the type precede the id, and their lines start differently.
        let mut id_at = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if line == b"id: \n" {
                id_at += line.len() - 1;
                break;
            }
            id_at += line.len();
        }
        Self { bytes, id_at }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn encode_to_vec(&self, id: EventId, out: &mut Vec<u8>) {
        let (before, after) = self.bytes.split_at(self.id_at.min(self.bytes.len()));
        out.extend_from_slice(before);
        out.extend_from_slice(IdText::new(id).as_str().as_bytes());
        out.extend_from_slice(after);
    }
}

pub(super) fn header(after: EventId) -> Vec<u8> {
    format!("{HEADER}{after}\n").into_bytes()
}

/// Returns the position and the offset of the first event, or `None` if the header is incomplete.
pub(super) fn parse_header(bytes: &[u8]) -> io::Result<Option<(EventId, usize)>> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "not the log of a topic");
    let Some(rest) = bytes.strip_prefix(HEADER.as_bytes()) else {
        // A file that does not start like a log belongs to someone else and must not be truncated.
        return match HEADER.as_bytes().starts_with(bytes) {
            true => Ok(None),
            false => Err(invalid()),
        };
    };
    match rest.iter().position(|byte| *byte == b'\n') {
        Some(end) => {
            let id = std::str::from_utf8(rest.get(..end).unwrap_or_default());
            let id = id.ok().and_then(|id| id.parse().ok()).ok_or_else(invalid)?;
            Ok(Some((id, HEADER.len() + end + 1)))
        }
        None if rest.len() > EventId::MAX_LEN => Err(invalid()),
        None if rest.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'-')) => Ok(None),
        None => Err(invalid()),
    }
}

/// The file was not written by a store.
pub(super) struct Invalid {
    pub(super) at: u64,
    pub(super) what: &'static str,
}

/// Appends all complete events to the log and returns the offset after the last one.
pub(super) fn read_records(bytes: &[u8], log: &mut Log, count: &mut u64) -> Result<u64, Invalid> {
    let now = Instant::now();
    let mut decoder = Decoder::with_max_event_len(usize::MAX);
    let mut events = decoder.feed(bytes);
    let mut start = 0;
    loop {
        let invalid = |what| Invalid {
            at: start as u64,
            what,
        };
        let Ok(event) = events.next_event() else {
            return Err(invalid("an event is too long"));
        };
        let Some(event) = event else {
            return Ok(start as u64);
        };
        let id: Result<EventId, _> = event.last_event_id.parse();
        let end = bytes.len() - events.rest().len();
        let record = bytes.get(start..end).unwrap_or_default();
        // A store writes neither; a disk that lost data may return zeros.
        if std::str::from_utf8(record).is_err() || record.contains(&b'\r') {
            return Err(invalid("the event was not written by a store"));
        }
        let id = id.map_err(|_| invalid("the event has no valid id"))?;
        let newest = log.newest();
        if id.epoch > newest.epoch && id.number == 1 {
            // All acknowledged events of the previous epoch are in this file.
            log.begin_epoch(id.epoch, true);
        } else if (id.epoch, Some(id.number)) != (newest.epoch, newest.number.checked_add(1)) {
            return Err(invalid("the id does not follow the previous one"));
        }
        log.append_encoded(record, now);
        *count += 1;
        start = end;
    }
}
