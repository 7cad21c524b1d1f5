//! The file of one topic: appending, recovering from failed writes, and compaction.
//!
//! Only the writer thread changes it. Invariant: the first `len` bytes are whole events that are
//! synced. More bytes follow only while a batch is written, or after a failure that left `doubt`.

use std::{
    collections::HashSet,
    error::Error,
    fmt,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    AppendError, EventId, Token,
    log::{History, Log},
};

use super::{
    disk::Disk,
    format::{Unnumbered, header, parse_header, read_records},
};

/// A file is compacted when it is longer than twice what is kept and this many bytes.
const SLACK: u64 = if cfg!(test) { 256 } else { 64 << 10 };

pub(super) struct LogFile {
    path: PathBuf,
    created: bool,
    /// Whether the directory was synced after the file was created or replaced. Before that, a
    /// crash of the machine may lose the file or bring back the old one.
    pub(super) entry_synced: bool,
    len: u64,
    /// The id of the last event.
    head: EventId,
    /// The epoch of the events that this process appends.
    epoch: u64,
    doubt: Option<Doubt>,
    /// No compaction before the file has this length. Set when one has failed.
    compact_at: u64,
}

/// A write failed and could not be undone: the file may have more than `len` bytes, and a restart
/// may find some of these events in it or not.
struct Doubt {
    /// Where the last write would have ended.
    end: u64,
    /// The tokens of the events in that write.
    tokens: HashSet<Token>,
}

/// The id of an event in a batch, and its place there.
pub(super) struct Record {
    pub(super) id: EventId,
    /// Where it ends in [`Written::events`].
    pub(super) end: usize,
}

/// A batch of events that is written and not yet synced.
pub(super) struct Written {
    file: File,
    pub(super) events: Vec<u8>,
    pub(super) records: Vec<Record>,
    /// The file's length with them.
    end: u64,
}

impl LogFile {
    /// A file that is not there yet.
    pub(super) fn new(path: PathBuf, epoch: u64) -> Self {
        Self {
            path,
            created: false,
            entry_synced: false,
            len: 0,
            head: EventId { epoch, number: 0 },
            epoch,
            doubt: None,
            compact_at: 0,
        }
    }

    /// Reads a file that is there, cuts off an event at its end that is not whole, and makes the
    /// rest last. Nothing is appended before it is told which epoch to [begin](Self::begin).
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
        file.entry_synced = true;
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

    /// Writes events with the next ids. After an error, none of them is in the file, unless they
    /// are in doubt.
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
        // If there is more, it is somebody else's.
        let is_ours = self.expect_len(self.len..=end).is_ok();
        if !is_ours || disk.cut(&self.path, self.len).is_err() {
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
                self.entry_synced = false;
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
