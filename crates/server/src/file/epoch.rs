//! The file `epoch` of a directory, which reserves epochs and identifies the store that owns the
//! directory.
//!
//! The file contains a number and a random word. No epoch from that number on has ever been used.
//! The word identifies the store that opened the directory last. An older store that is still open
//! sees that the word is not its own and stops appending.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::Publisher;

use super::disk::{Disk, with_path};

/// The name of the file.
pub(super) const FILE: &str = "epoch";
/// The number of epochs that are reserved at once; each topic takes one. Epochs start at the clock
/// in nanoseconds, so this equals a millisecond, and no restart is faster. If epochs ran ahead of
/// the clock, an old copy of the directory could use one again.
const RESERVED: u64 = 1 << 20;

pub(super) struct EpochFile {
    path: PathBuf,
    /// The first epoch that is not reserved.
    limit: u64,
    owner: String,
}

impl EpochFile {
    /// Takes over the directory. The epochs from the returned one up to [`limit`](Self::limit) are
    /// reserved.
    pub(super) fn claim(disk: &Disk) -> io::Result<(Self, u64)> {
        let path = disk.directory().join(FILE);
        let used = match fs::read_to_string(&path) {
            Ok(text) => parse(&text).ok_or_else(|| {
                let error =
                    io::Error::new(io::ErrorKind::InvalidData, "not the epoch file of a store");
                with_path(&path)(error)
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(with_path(&path)(error)),
        };
        let mut claim = Self {
            path,
            limit: unix_nanos().max(used),
            owner: Publisher::new().token().publisher().to_owned(),
        };
        let first = claim.limit;
        claim.write(disk, first)?;
        Ok((claim, first))
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// Reserves more epochs, all of them at least `min`.
    pub(super) fn reserve_more(&mut self, disk: &Disk, min: u64) -> io::Result<()> {
        self.check_owner()?;
        self.write(disk, self.limit.max(min))
    }

    fn write(&mut self, disk: &Disk, from: u64) -> io::Result<()> {
        let limit = from.saturating_add(RESERVED);
        let text = self.text(limit);
        disk.replace(&self.path, text.as_bytes(), || Ok(()))
            .and_then(|()| {
                // The new file is in place, even if the following sync fails.
                self.limit = limit;
                disk.sync_directory()
            })
            .map_err(with_path(&self.path))
    }

    fn text(&self, limit: u64) -> String {
        format!("{limit} {}\n", self.owner)
    }

    /// Returns an error if another store has opened the directory since.
    pub(super) fn check_owner(&self) -> io::Result<()> {
        let text = fs::read_to_string(&self.path).map_err(with_path(&self.path))?;
        if text == self.text(self.limit) {
            return Ok(());
        }
        Err(io::Error::other("another store has opened the directory"))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Nanoseconds since 1970.
fn unix_nanos() -> u64 {
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    time.map_or(0, |time| time.as_nanos() as u64).max(1)
}

fn parse(text: &str) -> Option<u64> {
    let (limit, owner) = text.strip_suffix('\n')?.split_once(' ')?;
    let is_word = !owner.is_empty() && owner.bytes().all(|byte| byte.is_ascii_alphanumeric());
    limit.parse().ok().filter(|_| is_word)
}

/// The reserved epochs, from which new topics take theirs.
pub(super) struct ReservedEpochs {
    next: AtomicU64,
    limit: AtomicU64,
    requested: AtomicBool,
}

impl ReservedEpochs {
    pub(super) fn new(next: u64, limit: u64) -> Self {
        Self {
            next: next.into(),
            limit: limit.into(),
            requested: false.into(),
        }
    }

    /// Takes the next epoch, unless all are used.
    pub(super) fn take(&self) -> Option<u64> {
        let limit = self.limit.load(Ordering::Relaxed);
        let more = |next| (next < limit).then_some(next + 1);
        self.next
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()
    }

    /// Whether more epochs should be reserved. Returns `true` once until that has been done.
    pub(super) fn should_reserve(&self) -> bool {
        let next = self.next.load(Ordering::Relaxed);
        let left = self.limit.load(Ordering::Relaxed).saturating_sub(next);
        left < RESERVED / 2 && !self.requested.swap(true, Ordering::Relaxed)
    }

    pub(super) fn extend_to(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
        self.requested.store(false, Ordering::Relaxed);
    }

    /// Reserving more has failed and should be tried again.
    pub(super) fn reserving_failed(&self) {
        self.requested.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_format_is_accepted() {
        assert_eq!(parse("17 a0\n"), Some(17));
        for text in [
            "",
            "17",
            "17\n",
            "17 a0",
            " a0\n",
            "x a0\n",
            "17 \n",
            "17 a 0\n",
            "17 a0\n\n",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn epochs_end_at_the_limit_of_the_reservation() {
        let epochs = ReservedEpochs::new(10, 12);
        assert_eq!((epochs.take(), epochs.take()), (Some(10), Some(11)));
        assert_eq!((epochs.take(), epochs.take()), (None, None));
        assert!(epochs.should_reserve() && !epochs.should_reserve());
        epochs.extend_to(12 + RESERVED);
        assert_eq!(epochs.take(), Some(12));
        assert!(!epochs.should_reserve());
    }
}
