//! The file of one topic: appending, recovering from failed writes, and compaction.
//!
//! Only the writer thread changes the file. Invariant: the first `len` bytes are the header and
//! complete events, and they are synced. More bytes follow only while a batch is being written, or
//! after a failed write that could not be rolled back (`failed_write`).

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
    format::{EventWithoutId, header, parse_header, read_records},
};

/// A file is compacted when it exceeds twice the kept events by this many bytes.
const SLACK: u64 = if cfg!(test) { 256 } else { 64 << 10 };

pub(super) struct LogFile {
    path: PathBuf,
    created: bool,
    /// Whether the directory was synced after the file was created or replaced. Before that, a
    /// crash of the machine may lose the file or restore the old one.
    pub(super) entry_synced: bool,
    len: u64,
    /// The id of the last event.
    newest: EventId,
    /// The epoch of the events that this process appends.
    epoch: u64,
    failed_write: Option<FailedWrite>,
    /// The file is not compacted below this length. Set when compaction failed.
    compact_at: u64,
}

/// A write that failed and could not be rolled back. The file may have more than `len` bytes, and a
/// restart may find some of the events.
struct FailedWrite {
    /// Where the write would have ended.
    end: u64,
    /// The tokens of its events.
    tokens: HashSet<Token>,
}

/// The id of an event in a batch, and its end.
pub(super) struct Record {
    pub(super) id: EventId,
    /// The offset of its end in [`Written::events`].
    pub(super) end: usize,
}

/// A batch of events that has been written but not synced.
pub(super) struct Written {
    file: File,
    pub(super) events: Vec<u8>,
    pub(super) records: Vec<Record>,
    /// The length of the file including them.
    end: u64,
}

impl LogFile {
    /// A file that does not exist yet.
    pub(super) fn new(path: PathBuf, epoch: u64) -> Self {
        Self {
            path,
            created: false,
            entry_synced: false,
            len: 0,
            newest: EventId { epoch, number: 0 },
            epoch,
            failed_write: None,
            compact_at: 0,
        }
    }

    /// Reads an existing file, truncates an incomplete event at its end, and syncs it. Call
    /// [`set_epoch`](Self::set_epoch) before appending.
    pub(super) fn open(disk: &Disk, path: PathBuf, history: History) -> io::Result<OpenedFile> {
        let bytes = fs::read(&path)?;
        let mut opened = OpenedFile {
            file: Self::new(path, 0),
            log: None,
            events: 0,
            truncated_bytes: 0,
        };
        let file = &mut opened.file;
        if let Some((after, header)) = parse_header(&bytes)? {
            let mut log = Log::new(history, after);
            let records = bytes.get(header..).unwrap_or_default();
            let complete =
                read_records(records, &mut log, &mut opened.events).map_err(|error| {
                    let at = header as u64 + error.at;
                    let text = format!("at byte {at}: {}", error.what);
                    io::Error::new(io::ErrorKind::InvalidData, text)
                })?;
            file.len = header as u64 + complete;
            file.newest = log.newest();
            opened.log = Some(log);
        }
        // Sync even if nothing is truncated: the previous process may have been killed between
        // write and sync.
        disk.truncate(&file.path, file.len)?;
        file.created = true;
        file.entry_synced = true;
        opened.truncated_bytes = bytes.len() as u64 - file.len;
        Ok(opened)
    }

    /// Sets the epoch of the events that are appended from now on.
    pub(super) fn set_epoch(&mut self, epoch: u64) {
        self.epoch = epoch;
        if self.len == 0 {
            self.newest = EventId { epoch, number: 0 };
        }
    }

    pub(super) fn newest(&self) -> EventId {
        self.newest
    }

    /// The error for an event that is not written because of `error`.
    pub(super) fn append_error(&self, token: &Token, error: &Failure) -> AppendError {
        let has_token = |failed: &FailedWrite| failed.tokens.contains(token);
        if self.failed_write.as_ref().is_some_and(has_token) {
            AppendError::Unknown(error.clone().into())
        } else {
            AppendError::NotAppended(error.clone().into())
        }
    }

    fn failure(&self, action: &'static str) -> impl Fn(io::Error) -> Failure {
        let path = self.path.clone();
        move |error| Failure::new(&path, action, error)
    }

    /// Writes events with the next ids. After an error none of them is in the file, unless
    /// `failed_write` contains their tokens.
    pub(super) fn write<'a>(
        &mut self,
        disk: &Disk,
        events: impl Iterator<Item = (&'a EventWithoutId, &'a Token)> + Clone,
    ) -> Result<Written, Failure> {
        if let Some(failed) = &self.failed_write {
            let end = failed.end;
            self.expect_len(self.len..=end)?;
            let truncated = disk.truncate(&self.path, self.len);
            truncated.map_err(self.failure("remove a failed append from"))?;
            self.failed_write = None;
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
            bytes = header(self.newest);
        }
        let start = bytes.len();
        let (mut id, mut records) = (self.newest, Vec::new());
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
            return Err(self.roll_back_to(disk, end, tokens(), failure));
        }
        if let Err(error) = self.expect_len(end..=end) {
            // Someone else wrote in between. Their data must not be truncated.
            self.set_failed(end, tokens());
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

    /// Truncates a failed write that would have ended at `end`. If that fails, records it in
    /// `failed_write`.
    ///
    /// After a failed sync it is unknown what is on the disk. The truncated data will not be there
    /// once the new length is synced.
    fn roll_back_to<'a>(
        &mut self,
        disk: &Disk,
        end: u64,
        tokens: impl Iterator<Item = &'a Token>,
        failure: Failure,
    ) -> Failure {
        // A length outside this range means that someone else wrote to the file.
        let is_ours = self.expect_len(self.len..=end).is_ok();
        if !is_ours || disk.truncate(&self.path, self.len).is_err() {
            self.set_failed(end, tokens);
        }
        failure
    }

    /// Truncates a batch that could not be synced.
    pub(super) fn roll_back<'a>(
        &mut self,
        disk: &Disk,
        written: &Written,
        tokens: impl Iterator<Item = &'a Token>,
        failure: Failure,
    ) -> Failure {
        self.roll_back_to(disk, written.end, tokens, failure)
    }

    /// Another store has taken over the file: it is unknown whether it has read the batch.
    pub(super) fn abandon<'a>(
        &mut self,
        written: &Written,
        tokens: impl Iterator<Item = &'a Token>,
    ) {
        self.set_failed(written.end, tokens);
    }

    fn set_failed<'a>(&mut self, end: u64, tokens: impl Iterator<Item = &'a Token>) {
        let tokens = tokens.cloned().collect();
        self.failed_write = Some(FailedWrite { end, tokens });
    }

    /// The batch has been synced.
    pub(super) fn commit(&mut self, written: &Written) {
        self.len = written.end;
        if let Some(last) = written.records.last() {
            self.newest = last.id;
        }
    }

    fn expect_len(&self, len: std::ops::RangeInclusive<u64>) -> Result<(), Failure> {
        let file = fs::metadata(&self.path).map_err(self.failure("read the length of"))?;
        if len.contains(&file.len()) {
            return Ok(());
        }
        let text = format!(
            "it has {} bytes instead of {}, so another process writes to it",
            file.len(),
            len.start()
        );
        Err(self.failure("append to")(io::Error::other(text)))
    }

    /// Whether the file contains so many events that are no longer kept that it should be
    /// compacted.
    pub(super) fn needs_compaction(&self, history: History, log: &Log) -> bool {
        let kept = log.byte_len().max(history.bytes) as u64;
        let limit = kept.saturating_mul(2).saturating_add(SLACK);
        self.len > limit.max(self.compact_at)
    }

    /// Replaces the file with one that contains only `kept`. Calls `check` right before. After an
    /// error the old file stays in use.
    pub(super) fn compact(
        &mut self,
        disk: &Disk,
        kept: &[u8],
        check: impl FnOnce() -> io::Result<()>,
    ) {
        let check = || {
            check()?;
            let len = self.len..=self.len;
            self.expect_len(len).map_err(io::Error::other)
        };
        match disk.replace(&self.path, kept, check) {
            Ok(()) => {
                self.len = kept.len() as u64;
                self.compact_at = 0;
                self.entry_synced = false;
            }
            // Do not retry at every append: each attempt writes as many bytes.
            Err(_) => self.compact_at = self.len + kept.len() as u64 + SLACK,
        }
    }
}

/// The contents of a file after compaction.
pub(super) fn compacted(log: &Log) -> Vec<u8> {
    let mut bytes = header(log.before_first());
    for block in log.chunks() {
        bytes.extend_from_slice(block);
    }
    bytes
}

/// A file that existed when the store was opened.
pub(super) struct OpenedFile {
    pub(super) file: LogFile,
    /// `None` if the file has no complete header.
    pub(super) log: Option<Log>,
    pub(super) events: u64,
    /// The number of bytes that were truncated.
    pub(super) truncated_bytes: u64,
}

/// A failed operation on a file.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    path: Arc<Path>,
    action: &'static str,
    error: Arc<io::Error>,
}

impl Failure {
    pub(super) fn new(path: &Path, action: &'static str, error: io::Error) -> Self {
        Self {
            path: path.into(),
            action,
            error: error.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            action,
            error,
        } = self;
        write!(f, "cannot {action} {}: {error}", path.display())
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.error)
    }
}
