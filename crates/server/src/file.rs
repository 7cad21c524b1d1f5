//! A store that keeps topics in files of a directory.

mod disk;
mod epoch;
mod format;
mod log_file;
mod name;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    collections::BTreeSet,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering, fence},
        mpsc::{self, Sender},
    },
    thread,
};

use sse_proto::Frame;
use tokio::sync::{Semaphore, oneshot};

use crate::{
    AppendError, Bounds, EventId, MemoryTopic, ReadAfter, Store, StoreError, Token, Topic,
    TopicError,
    log::{History, Log},
    topics::{Evict, Topics},
};

use disk::{Disk, with_path};
use epoch::{EpochFile, ReservedEpochs};
use format::EventWithoutId;
use log_file::{LogFile, OpenedFile};
use writer::{Append, Message, TopicState, Writer, store_dropped};

/// The maximum number of bytes of events in the queue. Further appends wait for capacity.
const QUEUE_CAPACITY: u32 = 8 << 20;
/// The bytes of queue capacity that an event uses in addition to its length.
const EVENT_OVERHEAD: usize = 256;

/// Keeps the latest events of each topic in a file, and also in memory, from which they are read.
///
/// An event is acknowledged and visible to clients once it has been written to disk and synced.
/// Clients that reconnect after a restart or a crash continue where they were, without a gap.
///
/// ```
/// use sse_proto::Frame;
/// use sse_proto_server::{FileStore, Hub, ReadAfter, Store as _, Topic as _};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// # let name = format!("sse-proto-server-doc-{}", std::process::id());
/// # let directory = std::env::temp_dir().join(name);
/// let hub = Hub::new(FileStore::open(&directory, 1 << 20)?);
/// let first = hub.publish("prices", Frame::message("17.20")).await?;
/// let second = hub.publish("prices", Frame::message("17.30")).await?;
/// drop(hub);
///
/// // The next process.
/// let store = FileStore::open(&directory, 1 << 20)?;
/// let found = &store.recovered()[0];
/// assert_eq!((found.name.as_str(), found.events, found.truncated_bytes), ("prices", 2, 0));
/// let prices = store.topic("prices")?;
/// let ReadAfter::Events { last, .. } = prices.read_after(first, 1000).await? else { panic!() };
/// assert_eq!(last, second);
/// # drop(store);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok(())
/// # }
/// ```
///
/// # The directory
///
/// Each topic that has events has one file, named after the topic and ending in `.sse`. Bytes other
/// than `a-z`, `0-9`, `-`, `_` and `.` are percent-encoded. The file is an event stream: `cat`
/// shows it, and any decoder reads it. When it is longer than twice the history and 64 KiB, it is
/// rewritten with the events that are kept. A file named `epoch` makes sure that no id is used
/// twice. Do not add other files that end in `.sse` to the directory.
///
/// The directory belongs to the store that opened it last. If an older store is still open, its
/// appends fail, those in progress with [`AppendError::Unknown`]. End a process before the next one
/// opens its directory. Otherwise a write in progress in the old process may cause the new store to
/// refuse appends to that topic until it is opened again. Use a local file system.
///
/// # After a restart
///
/// - The next event of a topic starts a new epoch. No events were lost before it, so clients get no
///   gap.
/// - The positions of all kept events, and the position before the first one, remain valid. A
///   client that waited for the first event of an empty topic gets a gap.
/// - Tokens are forgotten: an event whose publication was [`Unknown`](AppendError::Unknown) before
///   the restart and is [published again](crate::Hub::publish_with_token) after it may be in the
///   log twice.
///
/// If an old copy of the directory is restored, clients that have seen later events get a gap,
/// and no id is used twice unless the clock was set back, too.
///
/// # Failures
///
/// When the disk is full or fails, appends fail with [`AppendError::NotAppended`], and the file is
/// truncated to its last complete event. If truncation fails, too, they fail with
/// [`AppendError::Unknown`], and later appends to that topic with `NotAppended`, until it succeeds.
/// Events have no checksum, so corruption by the disk is not detected.
///
/// # Costs
///
/// Appends are written in batches, with one sync per topic in the batch, so many concurrent appends
/// cost hardly more than one. At most 8 MiB of events are queued; further appends wait for
/// capacity. One thread writes, with up to 64 files open, and starts up to seven more to sync files
/// in parallel. Dropping the store blocks until all queued events are written, and ends the thread.
pub struct FileStore {
    history: History,
    topics: Topics<FileTopic>,
    epochs: Arc<ReservedEpochs>,
    queue: Queue,
    directory: Box<Path>,
    recovered: Vec<Recovered>,
}

/// A topic that [`FileStore::open`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// The topic's name.
    pub name: String,
    /// The number of events in its file.
    pub events: u64,
    /// The number of bytes that were removed from the end of the file: an incomplete event that was
    /// never acknowledged. 0 unless the process or the machine crashed.
    pub truncated_bytes: u64,
}

impl FileStore {
    /// The default maximum number of topics.
    pub const MAX_TOPICS: usize = 100_000;

    /// Opens a directory, creating it if necessary, and reads all topics in it.
    ///
    /// Keeps `history` encoded bytes per topic in memory, and the newest event whatever its length.
    /// The file takes up to twice that and 64 KiB.
    ///
    /// This call blocks, since it reads and syncs every file. Call it before the server starts or
    /// on a thread for blocking work.
    ///
    /// # Errors
    ///
    /// Errors of the file system. [`InvalidData`](io::ErrorKind::InvalidData), with the file name
    /// and the offset, if a file was not written by a store or was changed other than by
    /// truncation. The file is not modified.
    pub fn open(directory: impl AsRef<Path>, history: usize) -> io::Result<Self> {
        Self::open_on(Disk::new(directory.as_ref())?, history)
    }

    fn open_on(disk: Disk, history: usize) -> io::Result<Self> {
        let history = History {
            bytes: history,
            age: None,
        };
        // Must come before reading: another store does not acknowledge appends after this point.
        let (mut epoch_file, first) = EpochFile::claim(&disk)?;
        let mut files = Vec::new();
        for (name, path) in list(disk.directory()).map_err(with_path(disk.directory()))? {
            let Some(name) = name else {
                disk.remove(&path).map_err(with_path(&path))?;
                continue;
            };
            let opened = LogFile::open(&disk, path.clone(), history).map_err(with_path(&path))?;
            files.push((name, opened));
        }
        disk.sync_directory().map_err(with_path(disk.directory()))?;

        // Above all epochs in the files, in case the file `epoch` was removed.
        let last = files
            .iter()
            .map(|(_, opened)| opened.file.newest().epoch)
            .max();
        let epoch = first.max(last.map_or(0, |last| last.saturating_add(1)));
        let next = epoch.saturating_add(files.len() as u64);
        if next >= epoch_file.limit() {
            epoch_file.reserve_more(&disk, next)?;
        }
        let (sender, messages) = mpsc::channel();
        let mut store = Self {
            topics: Topics::new(usize::MAX),
            epochs: Arc::new(ReservedEpochs::new(next, epoch_file.limit())),
            queue: Queue {
                sender,
                capacity: Arc::new(Semaphore::new(QUEUE_CAPACITY as usize)),
            },
            history,
            directory: disk.directory().into(),
            recovered: Vec::with_capacity(files.len()),
        };
        for ((name, opened), epoch) in files.into_iter().zip(epoch..) {
            let OpenedFile { mut file, log, .. } = opened;
            let log = log.unwrap_or_else(|| Log::new(history, EventId { epoch, number: 0 }));
            file.set_epoch(epoch);
            let topic = FileTopic::new(file, log, &store.queue, true);
            // The limit is not set yet.
            let _ = store.topics.get_or_insert(&name, || topic);
            store.recovered.push(Recovered {
                name,
                events: opened.events,
                truncated_bytes: opened.truncated_bytes,
            });
        }
        store.topics.set_limit(Self::MAX_TOPICS);

        let writer = Writer {
            disk,
            epoch_file,
            epochs: store.epochs.clone(),
            history,
        };
        thread::Builder::new()
            .name("sse-proto-server".into())
            .spawn(move || writer.run(&messages))?;
        Ok(store)
    }

    /// Returns the topics that were in the directory, sorted by name.
    pub fn recovered(&self) -> &[Recovered] {
        &self.recovered
    }

    /// Limits the number of topics: 100,000 by default.
    ///
    /// At the limit, a new topic replaces the least recently used one that never had an event and
    /// has no clients. Topics with a file are never removed: if all have one, new topics are
    /// refused. To remove a topic, delete its file while no store has the directory open.
    #[must_use]
    pub fn max_topics(mut self, topics: usize) -> Self {
        self.topics.set_limit(topics);
        self
    }
}

/// The files of topics, sorted by name, and temporary files that a crash left behind, without a
/// name.
fn list(directory: &Path) -> io::Result<BTreeSet<(Option<String>, PathBuf)>> {
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let is = |extension| path.extension().is_some_and(|found| found == extension);
        let file_name = path.file_name().and_then(|name| name.to_str());
        if is("tmp") {
            let target = file_name.and_then(|name| name.strip_suffix(name::TEMPORARY));
            if target.is_some_and(|target| target == epoch::FILE || name::topic(target).is_some()) {
                files.insert((None, path));
            }
        } else if is("sse") {
            let Some(topic) = file_name.and_then(name::topic) else {
                let error = "the name is not that of a topic's file";
                return Err(with_path(&path)(io::Error::new(
                    io::ErrorKind::InvalidData,
                    error,
                )));
            };
            files.insert((Some(topic), path));
        }
    }
    Ok(files)
}

impl Store for FileStore {
    type Topic = FileTopic;

    /// # Errors
    ///
    /// [`TopicError::InvalidName`] if the name is empty or longer than 247 bytes, where each byte
    /// that is percent-encoded counts as three. [`TopicError::TooMany`].
    fn topic(&self, name: &str) -> Result<Arc<FileTopic>, TopicError> {
        if let Some(topic) = self.topics.get(name) {
            return Ok(topic);
        }
        let file = name::file_name(name).ok_or(TopicError::InvalidName)?;
        let epoch = self.epochs.take();
        if self.epochs.should_reserve() {
            // If the writer has ended, nothing can be appended anyway.
            let _ = self.queue.sender.send(Message::ReserveEpochs);
        }
        let epoch = epoch.ok_or(TopicError::too_many(self.topics.limit()))?;
        self.topics.get_or_insert(name, || {
            let log = Log::new(self.history, EventId { epoch, number: 0 });
            let file = LogFile::new(self.directory.join(file), epoch);
            FileTopic::new(file, log, &self.queue, false)
        })
    }
}

impl Drop for FileStore {
    fn drop(&mut self) {
        let (done, ended) = mpsc::sync_channel(1);
        if self.queue.sender.send(Message::End(done)).is_ok() {
            // An error means that the writer has ended, too.
            let _ = ended.recv();
        }
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore")
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

/// The queue of the writer thread.
#[derive(Clone)]
struct Queue {
    sender: Sender<Message>,
    capacity: Arc<Semaphore>,
}

/// A topic of a [`FileStore`].
pub struct FileTopic {
    state: Arc<TopicState>,
    queue: Queue,
    /// Whether the topic has a file, or may have one soon.
    has_file: AtomicBool,
}

impl FileTopic {
    fn new(file: LogFile, log: Log, queue: &Queue, has_file: bool) -> Self {
        Self {
            state: Arc::new(TopicState {
                memory: MemoryTopic::new(log),
                file: Mutex::new(file),
            }),
            queue: queue.clone(),
            has_file: has_file.into(),
        }
    }
}

impl Evict for FileTopic {
    fn is_empty(&self) -> bool {
        self.state.memory.is_empty()
    }

    fn can_evict(&self) -> bool {
        // Whoever held the topic has set `has_file` before dropping it.
        fence(Ordering::Acquire);
        !self.has_file.load(Ordering::Relaxed)
    }
}

impl Topic for FileTopic {
    /// Appends an event as soon as the queue has capacity for it. Refuses a frame without data,
    /// which is not an event and could not be read back from the file.
    ///
    /// If the future is dropped, the event may still be appended.
    async fn append(&self, frame: Frame<'_>, token: &Token) -> Result<EventId, AppendError> {
        if !frame.is_event() {
            let error = io::Error::new(
                io::ErrorKind::InvalidInput,
                "a frame without data is not an event",
            );
            return Err(AppendError::NotAppended(error.into()));
        }
        let event = EventWithoutId::new(frame);
        let size = event.len().saturating_add(EVENT_OVERHEAD);
        let size = u32::try_from(size).unwrap_or(QUEUE_CAPACITY);
        let capacity = self.queue.capacity.clone();
        let permit = capacity.acquire_many_owned(size.min(QUEUE_CAPACITY)).await;
        let permit = permit.map_err(|_| store_dropped())?;

        self.has_file.store(true, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        let append = Append {
            event,
            token: token.clone(),
            answer,
            permit,
        };
        let message = Message::Append(self.state.clone(), append);
        self.queue
            .sender
            .send(message)
            .map_err(|_| store_dropped())?;
        answered.await.map_err(|_| store_dropped())?
    }

    async fn read_after(&self, after: EventId, max_bytes: usize) -> Result<ReadAfter, StoreError> {
        self.state.memory.read_after(after, max_bytes).await
    }

    async fn bounds(&self) -> Result<Bounds, StoreError> {
        Ok(self.state.memory.current_bounds())
    }

    fn bounds_now(&self) -> Option<Bounds> {
        Some(self.state.memory.current_bounds())
    }

    async fn wait(&self, after: EventId) {
        self.state.memory.wait(after).await;
    }
}

impl fmt::Debug for FileTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileTopic").finish_non_exhaustive()
    }
}
