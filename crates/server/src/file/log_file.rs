//! The file of one topic: what is in it, and how it is kept whole.
//!
//! It is an event stream: a comment with the position before the first event, and then the events as
//! they are sent, with their ids. An event ends with its blank line, and no event has one within. So a
//! file that was cut anywhere is whole events and the part of one more.
//!
//! Only the writer's thread changes it. Invariant: the first `len` bytes are whole events that were
//! synced; there are more only while they are being written, or after a failure that is in `doubt`.

use std::{
    collections::HashSet,
    error::Error,
    fmt,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use sse_proto::Decoder;

use crate::{
    AppendError, EventId, Token,
    id::IdText,
    log::{History, Log},
};

use super::disk::Disk;

/// What a file begins with; the position follows.
const HEADER: &str = ": sse-proto-server log 1, after ";
/// A file that is so much longer than twice what is kept is written anew.
const SLACK: u64 = 64 << 10;

pub(super) struct LogFile {
    path: PathBuf,
    created: bool,
    /// Whether the directory was synced since the file was made, or put in the place of another.
    pub(super) listed: bool,
    len: u64,
    /// The id of the last event.
    head: EventId,
    /// The epoch of what this process appends.
    epoch: u64,
    doubt: Option<Doubt>,
    /// Not before the file is that long: set when that has failed.
    compact_at: u64,
}

/// There may be more in the file than there should be, and nobody can say what of it would be there
/// after a restart.
struct Doubt {
    /// Where the last write would have ended.
    end: u64,
    /// Of the events of that write.
    tokens: HashSet<Token>,
}

/// An event for the file, and its place in what is written.
pub(super) struct Record {
    pub(super) id: EventId,
    /// Where it ends in [`Written::events`].
    pub(super) end: usize,
}

/// Events that are written and not synced.
pub(super) struct Written {
    file: File,
    pub(super) events: Vec<u8>,
    pub(super) records: Vec<Record>,
    /// The file's length with them.
    end: u64,
}

/// An event without its id, encoded.
pub(super) struct Unnumbered {
    bytes: Vec<u8>,
    id_at: usize,
}

impl Unnumbered {
    /// The frame's own id does not count.
    pub(super) fn new(frame: sse_proto::Frame<'_>) -> Self {
        let mut bytes = Vec::new();
        frame.id("").unwrap_or(frame).encode_to_vec(&mut bytes);
        // Only comments and the type can come before it, on lines that begin otherwise.
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

    fn encode_to_vec(&self, id: EventId, out: &mut Vec<u8>) {
        let (before, after) = self.bytes.split_at(self.id_at.min(self.bytes.len()));
        out.extend_from_slice(before);
        out.extend_from_slice(IdText::new(id).as_str().as_bytes());
        out.extend_from_slice(after);
    }
}

impl LogFile {
    /// A file that is not there yet.
    pub(super) fn new(path: PathBuf, epoch: u64) -> Self {
        Self {
            path,
            created: false,
            listed: false,
            len: 0,
            head: EventId { epoch, number: 0 },
            epoch,
            doubt: None,
            compact_at: 0,
        }
    }

    /// Reads a file that is there, cuts off an event at its end that is not whole, and makes the rest
    /// last. Nothing is appended before it is told which epoch to [begin](Self::begin).
    pub(super) fn open(disk: &Disk, path: PathBuf, history: History) -> io::Result<ReadFile> {
        let bytes = fs::read(&path)?;
        let mut read = ReadFile {
            file: Self::new(path, 0),
            log: None,
            events: 0,
            cut: 0,
        };
        let file = &mut read.file;
        if let Some((after, header)) = parse_header(&bytes)? {
            let mut log = Log::new(history, after);
            let records = bytes.get(header..).unwrap_or_default();
            let whole = read_records(records, &mut log, &mut read.events).map_err(|error| {
                let at = header as u64 + error.at;
                let text = format!("at byte {at}: {}", error.what);
                io::Error::new(io::ErrorKind::InvalidData, text)
            })?;
            file.len = header as u64 + whole;
            file.head = log.head();
            read.log = Some(log);
        }
        // Also if nothing is cut: the process before may have been killed between write and sync.
        disk.cut(&file.path, file.len)?;
        file.created = true;
        file.listed = true;
        read.cut = bytes.len() as u64 - file.len;
        Ok(read)
    }

    /// The epoch of what is appended from now on.
    pub(super) fn begin(&mut self, epoch: u64) {
        self.epoch = epoch;
        if self.len == 0 {
            self.head = EventId { epoch, number: 0 };
        }
    }

    pub(super) fn head(&self) -> EventId {
        self.head
    }

    /// The answer to an event that is not written now.
    pub(super) fn refusal(&self, token: &Token, error: &Failure) -> AppendError {
        let is_in_doubt = |doubt: &Doubt| doubt.tokens.contains(token);
        if self.doubt.as_ref().is_some_and(is_in_doubt) {
            AppendError::Unknown(error.clone().into())
        } else {
            AppendError::NotDone(error.clone().into())
        }
    }

    fn failure(&self, doing: &'static str) -> impl Fn(io::Error) -> Failure {
        let path = self.path.clone();
        move |error| Failure::new(&path, doing, error)
    }

    /// Writes events with the next ids. After an error, none of them is in the file, unless they are
    /// in doubt.
    pub(super) fn write<'a>(
        &mut self,
        disk: &Disk,
        events: impl Iterator<Item = (&'a Unnumbered, &'a Token)> + Clone,
    ) -> Result<Written, Failure> {
        if let Some(doubt) = &self.doubt {
            let end = doubt.end;
            self.expect_len(self.len..=end)?;
            let cut = disk.cut(&self.path, self.len);
            cut.map_err(self.failure("cut off what an append left behind"))?;
            self.doubt = None;
        }
        let mut file = if self.created {
            let file = disk.open(&self.path).map_err(self.failure("open"))?;
            self.expect_len(self.len..=self.len)?;
            file
        } else {
            let file = disk.create(&self.path).map_err(self.failure("create"))?;
            self.created = true;
            file
        };
        let mut bytes = Vec::new();
        if self.len == 0 {
            bytes = header(self.head);
        }
        let start = bytes.len();
        let (mut id, mut records) = (self.head, Vec::new());
        for (event, _) in events.clone() {
            id = match id.epoch == self.epoch {
                true => EventId {
                    number: id.number + 1,
                    ..id
                },
                false => EventId {
                    epoch: self.epoch,
                    number: 1,
                },
            };
            event.encode_to_vec(id, &mut bytes);
            let end = bytes.len() - start;
            records.push(Record { id, end });
        }
        let end = self.len + bytes.len() as u64;
        let tokens = || events.clone().map(|(_, token)| token);
        if let Err(error) = disk.write(&mut file, &bytes) {
            let failure = self.failure("write")(error);
            return Err(self.take_back(disk, end, tokens(), failure));
        }
        if let Err(error) = self.expect_len(end..=end) {
            // Something else is in between. To cut it off is not ours.
            self.set_doubt(end, tokens());
            return Err(error);
        }
        Ok(Written {
            file,
            events: bytes.split_off(start),
            records,
            end,
        })
    }

    pub(super) fn sync(&self, disk: &Disk, written: &Written) -> Result<(), Failure> {
        disk.sync(&written.file).map_err(self.failure("sync"))
    }

    /// After a failure with what was written: cuts it off. If that fails, it stays in doubt.
    ///
    /// After a failed sync nobody knows what is on the disk. What is cut off will not be there,
    /// once the new length is.
    pub(super) fn take_back<'a>(
        &mut self,
        disk: &Disk,
        end: u64,
        tokens: impl Iterator<Item = &'a Token>,
        failure: Failure,
    ) -> Failure {
        if disk.cut(&self.path, self.len).is_err() {
            self.set_doubt(end, tokens);
        }
        failure
    }

    /// See [`take_back`](Self::take_back).
    pub(super) fn take_back_written<'a>(
        &mut self,
        disk: &Disk,
        written: &Written,
        tokens: impl Iterator<Item = &'a Token>,
        failure: Failure,
    ) -> Failure {
        self.take_back(disk, written.end, tokens, failure)
    }

    /// The file is no longer ours: another store may have read what was written, or not.
    pub(super) fn give_up<'a>(
        &mut self,
        written: &Written,
        tokens: impl Iterator<Item = &'a Token>,
    ) {
        self.set_doubt(written.end, tokens);
    }

    fn set_doubt<'a>(&mut self, end: u64, tokens: impl Iterator<Item = &'a Token>) {
        let tokens = tokens.cloned().collect();
        self.doubt = Some(Doubt { end, tokens });
    }

    /// What was written is synced.
    pub(super) fn commit(&mut self, written: &Written) {
        self.len = written.end;
        if let Some(last) = written.records.last() {
            self.head = last.id;
        }
    }

    fn expect_len(&self, len: std::ops::RangeInclusive<u64>) -> Result<(), Failure> {
        let file = fs::metadata(&self.path).map_err(self.failure("look at"))?;
        if len.contains(&file.len()) {
            return Ok(());
        }
        let text = format!(
            "it has {} bytes and not {}, so somebody else writes to it",
            file.len(),
            len.start()
        );
        Err(self.failure("append to")(io::Error::other(text)))
    }

    /// Whether so much of the file is no longer kept that it should be written anew.
    pub(super) fn is_too_long(&self, history: History, log: &Log) -> bool {
        let kept = log.kept().1.max(history.bytes) as u64;
        let limit = kept.saturating_mul(2).saturating_add(SLACK);
        self.len > limit.max(self.compact_at)
    }

    /// Writes the file anew with what the log keeps. After an error the old one is in use.
    pub(super) fn compact(
        &mut self,
        disk: &Disk,
        kept: &[u8],
        still: impl FnOnce() -> io::Result<()>,
    ) {
        let still = || {
            still()?;
            let len = self.len..=self.len;
            self.expect_len(len).map_err(io::Error::other)
        };
        match disk.replace(&self.path, kept, still) {
            Ok(()) => {
                self.len = kept.len() as u64;
                self.compact_at = 0;
                self.listed = false;
            }
            // It would fail again and again, each time with as many bytes.
            Err(_) => self.compact_at = self.len + kept.len() as u64 + SLACK,
        }
    }
}

/// What [`LogFile::compact`] writes.
pub(super) fn kept(log: &Log) -> Vec<u8> {
    let mut bytes = header(log.before_first());
    for block in log.kept_bytes() {
        bytes.extend_from_slice(block);
    }
    bytes
}

/// A file that was there.
pub(super) struct ReadFile {
    pub(super) file: LogFile,
    /// `None` if the file has not even got the position before its first event.
    pub(super) log: Option<Log>,
    pub(super) events: u64,
    /// How many bytes were cut off.
    pub(super) cut: u64,
}

fn header(after: EventId) -> Vec<u8> {
    format!("{HEADER}{after}\n").into_bytes()
}

/// The position, and where the events begin. `None` if the file ends before.
fn parse_header(bytes: &[u8]) -> io::Result<Option<(EventId, usize)>> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "not the log of a topic");
    let Some(rest) = bytes.strip_prefix(HEADER.as_bytes()) else {
        // What is not the start of a log is somebody's, and must not be cut off.
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

struct Invalid {
    at: u64,
    what: &'static str,
}

/// Appends each whole event to the log, and returns where the last one ends.
fn read_records(bytes: &[u8], log: &mut Log, count: &mut u64) -> Result<u64, Invalid> {
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
        // Neither does a store write; a disk that loses data leaves zeros.
        if std::str::from_utf8(record).is_err() || record.contains(&b'\r') {
            return Err(invalid("what is there was not written by a store"));
        }
        let id = id.map_err(|_| invalid("an event has no id of a store"))?;
        let head = log.head();
        if id.epoch > head.epoch && id.number == 1 {
            // Whatever was acknowledged of the epoch before is in this file.
            log.begin_epoch(id.epoch, true);
        } else if (id.epoch, Some(id.number)) != (head.epoch, head.number.checked_add(1)) {
            return Err(invalid("the id does not follow the one before"));
        }
        log.append_encoded(record, now);
        *count += 1;
        start = end;
    }
}

/// What has failed with a file.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    path: Arc<Path>,
    doing: &'static str,
    error: Arc<io::Error>,
}

impl Failure {
    pub(super) fn new(path: &Path, doing: &'static str, error: io::Error) -> Self {
        Self {
            path: path.into(),
            doing,
            error: error.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, doing, error } = self;
        write!(f, "cannot {doing} {}: {error}", path.display())
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.error)
    }
}
