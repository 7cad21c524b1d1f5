//! All changes that a store makes to its directory, so that tests can count them and make them
//! fail.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::name::TEMPORARY;

/// Unit tests do not simulate power loss, so they need no syncs.
const SYNC: bool = !cfg!(test);

/// An operation that tests can make fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Operation {
    Create,
    Open,
    Write,
    Sync,
    Truncate,
    Rename,
    Remove,
    SyncDirectory,
}

pub(super) struct Disk {
    directory: PathBuf,
    #[cfg(test)]
    pub(super) faults: super::tests::Faults,
}

impl Disk {
    /// Opens the directory, creating it if necessary.
    pub(super) fn new(directory: &Path) -> io::Result<Self> {
        // A later change of the working directory must not affect the store.
        let directory = std::path::absolute(directory)?;
        let missing: Vec<_> = directory
            .ancestors()
            .take_while(|ancestor| !ancestor.exists())
            .filter_map(Path::parent)
            .map(Path::to_path_buf)
            .collect();
        fs::create_dir_all(&directory).map_err(with_path(&directory))?;
        for parent in missing {
            sync_directory(&parent).map_err(with_path(&parent))?;
        }
        Ok(Self {
            directory,
            #[cfg(test)]
            faults: Default::default(),
        })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Creates a file, which must not exist, for appending.
    pub(super) fn create(&self, path: &Path) -> io::Result<File> {
        self.check(Operation::Create)?;
        OpenOptions::new().append(true).create_new(true).open(path)
    }

    /// Opens a file for appending.
    pub(super) fn open(&self, path: &Path) -> io::Result<File> {
        self.check(Operation::Open)?;
        OpenOptions::new().append(true).open(path)
    }

    pub(super) fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.check(Operation::Write) {
            // A full disk also leaves a part of the data.
            file.write_all(bytes.get(..bytes.len() / 2).unwrap_or_default())?;
            return Err(error);
        }
        file.write_all(bytes)
    }

    pub(super) fn sync(&self, file: &File) -> io::Result<()> {
        self.check(Operation::Sync)?;
        if SYNC { file.sync_data() } else { Ok(()) }
    }

    /// Truncates the file to that length and syncs it. With its own length, it only syncs.
    pub(super) fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        self.check(Operation::Truncate)?;
        // On Windows, a file that is opened for appending cannot be truncated.
        let file = OpenOptions::new().write(true).open(path)?;
        if file.metadata()?.len() != len {
            file.set_len(len)?;
        }
        self.check(Operation::Sync)?;
        if SYNC { file.sync_all() } else { Ok(()) }
    }

    /// Replaces a file with one that contains `bytes`. Calls `before_rename` when the new file is
    /// complete. After an error, including one of `before_rename`, the old file is in place.
    ///
    /// A crash leaves either the old file or the new one; possibly the old one until the directory
    /// has been [synced](Self::sync_directory).
    pub(super) fn replace(
        &self,
        path: &Path,
        bytes: &[u8],
        before_rename: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(TEMPORARY);
        let temporary = PathBuf::from(temporary);
        let replace = || {
            self.check(Operation::Create)?;
            let mut file = File::create(&temporary)?;
            self.write(&mut file, bytes)?;
            self.sync(&file)?;
            drop(file);
            before_rename()?;
            self.check(Operation::Rename)?;
            fs::rename(&temporary, path)
        };
        replace().inspect_err(|_| {
            // If this fails, the file is removed when the store is opened the next time.
            let _ = self.remove(&temporary);
        })
    }

    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        self.check(Operation::Remove)?;
        fs::remove_file(path)
    }

    /// Syncs the directory entries of new and replaced files.
    pub(super) fn sync_directory(&self) -> io::Result<()> {
        self.check(Operation::SyncDirectory)?;
        sync_directory(&self.directory)
    }

    #[cfg(not(test))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "it can fail in tests"
    )]
    fn check(&self, _: Operation) -> io::Result<()> {
        Ok(())
    }

    #[cfg(test)]
    fn check(&self, operation: Operation) -> io::Result<()> {
        self.faults.check(operation)
    }
}

/// Does nothing on Windows, where a directory cannot be opened as a file.
fn sync_directory(path: &Path) -> io::Result<()> {
    if SYNC && cfg!(unix) {
        File::open(path)?.sync_all()?;
    }
    Ok(())
}

/// Adds the path to an error.
pub(super) fn with_path(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
