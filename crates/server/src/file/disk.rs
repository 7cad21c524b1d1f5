//! All changes that a store makes to its directory. Tests count them and inject faults.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::name::TEMPORARY;

/// The tests with faults in them do not cut the power.
const SYNC: bool = !cfg!(test);

/// A change that can fail, or before which the process can be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Step {
    Create,
    Open,
    Write,
    Sync,
    Cut,
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
    /// Makes the directory if it is missing.
    pub(super) fn new(directory: &Path) -> io::Result<Self> {
        // Another working directory later is not another store.
        let directory = std::path::absolute(directory)?;
        let missing: Vec<_> = directory
            .ancestors()
            .take_while(|ancestor| !ancestor.exists())
            .filter_map(Path::parent)
            .map(Path::to_path_buf)
            .collect();
        fs::create_dir_all(&directory).map_err(named(&directory))?;
        for parent in missing {
            sync_directory(&parent).map_err(named(&parent))?;
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

    /// Makes a file, which is not there yet, to append to it.
    pub(super) fn create(&self, path: &Path) -> io::Result<File> {
        self.step(Step::Create)?;
        OpenOptions::new().append(true).create_new(true).open(path)
    }

    /// Opens a file to append to it.
    pub(super) fn open(&self, path: &Path) -> io::Result<File> {
        self.step(Step::Open)?;
        OpenOptions::new().append(true).open(path)
    }

    pub(super) fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.step(Step::Write) {
            // As a full disk does.
            file.write_all(bytes.get(..bytes.len() / 2).unwrap_or_default())?;
            return Err(error);
        }
        file.write_all(bytes)
    }

    pub(super) fn sync(&self, file: &File) -> io::Result<()> {
        self.step(Step::Sync)?;
        if SYNC { file.sync_data() } else { Ok(()) }
    }

    /// Truncates the file to that length and syncs it. With its own length, it only syncs.
    pub(super) fn cut(&self, path: &Path, len: u64) -> io::Result<()> {
        self.step(Step::Cut)?;
        // On Windows, a file that is opened for appending cannot be truncated.
        let file = OpenOptions::new().write(true).open(path)?;
        if file.metadata()?.len() != len {
            file.set_len(len)?;
        }
        self.step(Step::Sync)?;
        if SYNC { file.sync_all() } else { Ok(()) }
    }

    /// Replaces the file by one with these bytes, unless `still` returns an error when the new one
    /// is complete. After any error the old file is in place.
    ///
    /// A crash leaves the old file or the new one; it may be the old one until the directory is
    /// [synced](Self::sync_directory).
    pub(super) fn replace(
        &self,
        path: &Path,
        bytes: &[u8],
        still: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(TEMPORARY);
        let temporary = PathBuf::from(temporary);
        let written = || {
            self.step(Step::Create)?;
            let mut file = File::create(&temporary)?;
            self.write(&mut file, bytes)?;
            self.sync(&file)?;
            drop(file);
            still()?;
            self.step(Step::Rename)?;
            fs::rename(&temporary, path)
        };
        written().inspect_err(|_| {
            // If that fails, it is removed when the store is opened again.
            let _ = self.remove(&temporary);
        })
    }

    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        self.step(Step::Remove)?;
        fs::remove_file(path)
    }

    /// Syncs the names of new files, and replacements.
    pub(super) fn sync_directory(&self) -> io::Result<()> {
        self.step(Step::SyncDirectory)?;
        sync_directory(&self.directory)
    }

    #[cfg(not(test))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "tests let it fail"
    )]
    fn step(&self, _: Step) -> io::Result<()> {
        Ok(())
    }

    #[cfg(test)]
    fn step(&self, step: Step) -> io::Result<()> {
        self.faults.step(step)
    }
}

/// Windows cannot open a directory as a file; there, renames are left to the file system.
fn sync_directory(path: &Path) -> io::Result<()> {
    if SYNC && cfg!(unix) {
        File::open(path)?.sync_all()?;
    }
    Ok(())
}

/// Adds the path to an error.
pub(super) fn named(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
