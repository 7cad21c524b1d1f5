//! The epochs of the topics in a directory, and which store owns it.
//!
//! The file `epoch` has a number and a word: no epoch from that number on was ever used, and the
//! word is random, of the store that opened the directory last. An older store that still runs sees
//! that it is not its own, and appends no more.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::Publisher;

use super::disk::{Disk, named};

/// The name of the file.
pub(super) const FILE: &str = "epoch";
/// How many epochs are reserved at once, each of them a topic's. Epochs start with the clock, in
/// nanoseconds, so that is a millisecond of it: no restart takes less. If they ran ahead of the
/// clock, an old copy of the directory could use one again.
const RESERVED: u64 = 1 << 20;

pub(super) struct Claim {
    path: PathBuf,
    /// The first epoch that is not reserved.
    limit: u64,
    owner: String,
}

impl Claim {
    /// Takes the directory, and epochs from the first one returned up to [`limit`](Self::limit).
    pub(super) fn new(disk: &Disk) -> io::Result<(Self, u64)> {
        let path = disk.directory().join(FILE);
        let used = match fs::read_to_string(&path) {
            Ok(text) => parse(&text).ok_or_else(|| {
                let error = io::Error::new(io::ErrorKind::InvalidData, "not the epochs of a store");
                named(&path)(error)
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(named(&path)(error)),
        };
        let mut claim = Self {
            path,
            limit: clock().max(used),
            owner: Publisher::new().token().publisher().to_owned(),
        };
        let first = claim.limit;
        claim.write(disk, first)?;
        Ok((claim, first))
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// Reserves more epochs, above `used` too.
    pub(super) fn extend(&mut self, disk: &Disk, used: u64) -> io::Result<()> {
        self.check()?;
        self.write(disk, self.limit.max(used))
    }

    fn write(&mut self, disk: &Disk, from: u64) -> io::Result<()> {
        let limit = from.saturating_add(RESERVED);
        let text = self.text(limit);
        disk.replace(&self.path, text.as_bytes(), || Ok(()))
            .and_then(|()| {
                // It is in its place, whether that lasts or not.
                self.limit = limit;
                disk.sync_directory()
            })
            .map_err(named(&self.path))
    }

    fn text(&self, limit: u64) -> String {
        format!("{limit} {}\n", self.owner)
    }

    /// # Errors
    ///
    /// If another store has opened the directory since.
    pub(super) fn check(&self) -> io::Result<()> {
        let text = fs::read_to_string(&self.path).map_err(named(&self.path))?;
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
fn clock() -> u64 {
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    time.map_or(0, |time| time.as_nanos() as u64).max(1)
}

fn parse(text: &str) -> Option<u64> {
    let (limit, owner) = text.strip_suffix('\n')?.split_once(' ')?;
    let is_word = !owner.is_empty() && owner.bytes().all(|byte| byte.is_ascii_alphanumeric());
    limit.parse().ok().filter(|_| is_word)
}

/// The reserved epochs, for those who make topics.
pub(super) struct Epochs {
    next: AtomicU64,
    limit: AtomicU64,
    asked: AtomicBool,
}

impl Epochs {
    pub(super) fn new(next: u64, limit: u64) -> Self {
        Self {
            next: next.into(),
            limit: limit.into(),
            asked: false.into(),
        }
    }

    /// The next one, unless all are used.
    pub(super) fn take(&self) -> Option<u64> {
        let limit = self.limit.load(Ordering::Relaxed);
        let more = |next| (next < limit).then_some(next + 1);
        self.next
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()
    }

    /// Whether it is time to reserve more, and nobody was told so yet.
    pub(super) fn are_few(&self) -> bool {
        let next = self.next.load(Ordering::Relaxed);
        let left = self.limit.load(Ordering::Relaxed).saturating_sub(next);
        left < RESERVED / 2 && !self.asked.swap(true, Ordering::Relaxed)
    }

    pub(super) fn extend_to(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
        self.asked.store(false, Ordering::Relaxed);
    }

    /// Reserving more has failed: it is to be tried again.
    pub(super) fn not_extended(&self) {
        self.asked.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_claim_is_not_taken_for_one() {
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
    fn epochs_end_where_the_reservation_ends() {
        let epochs = Epochs::new(10, 12);
        assert_eq!((epochs.take(), epochs.take()), (Some(10), Some(11)));
        assert_eq!((epochs.take(), epochs.take()), (None, None));
        assert!(epochs.are_few() && !epochs.are_few());
        epochs.extend_to(12 + RESERVED);
        assert_eq!(epochs.take(), Some(12));
        assert!(!epochs.are_few());
    }
}
