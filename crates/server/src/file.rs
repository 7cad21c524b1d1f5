//! A store in files of a directory.

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
    topics::{Kept, Topics},
};

use disk::{Disk, named};
use epoch::{Claim, Epochs};
use format::Unnumbered;
use log_file::{LogFile, ReadFile};
use writer::{Append, Message, Shared, Writer, ended};

/// How many bytes of events may wait to be written. An append waits until there is room for it.
const QUEUE: u32 = 8 << 20;
/// What an event takes of it besides its own bytes.
const OVERHEAD: usize = 256;

/// Keeps the latest events of each topic in a file; they are read from memory.
///
/// An append is acknowledged, and visible to clients, once the event is on the disk: written and
/// synced. Clients that reconnect after a restart or a crash continue where they were, without a
/// gap.
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
/// assert_eq!((found.name.as_str(), found.events, found.cut), ("prices", 2, 0));
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
/// twice. Do not put other files that end in `.sse` into the directory.
///
/// The directory belongs to the store that opened it last. If an older one still runs, its appends
/// fail, those under way with [`AppendError::Unknown`]. End a process before the next one opens its
/// directory: otherwise what the old one was just writing may make the new one refuse to append to
/// that topic, until it is opened again. Use a local file system.
///
/// # After a restart
///
/// - The next event of a topic starts a new epoch. Nothing was lost before it, so clients get no
///   gap.
/// - The position of every event that is kept is known, and so is the position before the first
///   one. A client that waited for the first event of a topic without any gets a gap.
/// - Tokens are forgotten: an event whose publication was [`Unknown`](AppendError::Unknown) before
///   the restart and is [published again](crate::Hub::publish_again) after it may be in the log
///   twice.
///
/// When an old copy of the directory is put back, clients that have seen later events get a gap,
/// and no id is used twice unless the clock was set back as well.
///
/// # Failures
///
/// When the disk is full or fails, appends fail with [`AppendError::NotDone`], and the file is
/// truncated to its last whole event. If truncating fails, too, they fail with
/// [`AppendError::Unknown`], and later appends to that topic with `NotDone`, until it succeeds.
/// Events have no checksum: whether the disk returns what was written is not verified.
///
/// # Costs
///
/// Appends are written in batches, with one sync for each topic in the batch: many at once cost
/// hardly more than one. At most 8 MiB of events wait to be written; further appends wait for room.
/// One thread writes, with up to 64 files open, and starts up to seven more to sync several files
/// at once. It ends when the store is dropped, which blocks until everything that waits is written.
pub struct FileStore {
    history: History,
    topics: Topics<FileTopic>,
    epochs: Arc<Epochs>,
    queue: Queue,
    directory: Box<Path>,
    recovered: Vec<Recovered>,
}

/// What [`FileStore::open`] found of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// The topic's name.
    pub name: String,
    /// The number of events in its file.
    pub events: u64,
    /// The number of bytes that were cut off at the end of the file: the start of an event that was
    /// never acknowledged. 0 unless the process or the machine crashed.
    pub cut: u64,
}

impl FileStore {
    /// How many topics there may be unless told otherwise.
    pub const MAX_TOPICS: usize = 100_000;

    /// Opens a directory, which is created if it is missing, and reads the topics in it.
    ///
    /// Keeps `history` bytes of each topic, counted as they are sent, and the newest event whatever
    /// its length: in memory, and up to twice that and 64 KiB in the file.
    ///
    /// This blocks: it reads and syncs every file. Call it before the server starts, or on a thread
    /// for blocking work.
    ///
    /// # Errors
    ///
    /// Those of the file system. [`InvalidData`](io::ErrorKind::InvalidData), with the name of the
    /// file and the offset, if a file was not written by a store, or was changed in another way
    /// than by truncation. The file is left as it is.
    pub fn open(directory: impl AsRef<Path>, history: usize) -> io::Result<Self> {
        Self::open_on(Disk::new(directory.as_ref())?, history)
    }

    fn open_on(disk: Disk, history: usize) -> io::Result<Self> {
        let history = History {
            bytes: history,
            age: None,
        };
        // Before anything is read: what another store appends after this, it does not acknowledge.
        let (mut claim, first) = Claim::new(&disk)?;
        let mut files = Vec::new();
        for (name, path) in list(disk.directory()).map_err(named(disk.directory()))? {
            let Some(name) = name else {
                disk.remove(&path).map_err(named(&path))?;
                continue;
            };
            let read = LogFile::open(&disk, path.clone(), history).map_err(named(&path))?;
            files.push((name, read));
        }
        disk.sync_directory().map_err(named(disk.directory()))?;

        // Above all that there are, should somebody have removed the file `epoch`.
        let last = files.iter().map(|(_, read)| read.file.head().epoch).max();
        let epoch = first.max(last.map_or(0, |last| last.saturating_add(1)));
        let next = epoch.saturating_add(files.len() as u64);
        if next >= claim.limit() {
            claim.extend(&disk, next)?;
        }
        let (sender, messages) = mpsc::channel();
        let mut store = Self {
            topics: Topics::new(usize::MAX),
            epochs: Arc::new(Epochs::new(next, claim.limit())),
            queue: Queue {
                sender,
                room: Arc::new(Semaphore::new(QUEUE as usize)),
            },
            history,
            directory: disk.directory().into(),
            recovered: Vec::with_capacity(files.len()),
        };
        for ((name, read), epoch) in files.into_iter().zip(epoch..) {
            let ReadFile { mut file, log, .. } = read;
            let log = log.unwrap_or_else(|| Log::new(history, EventId { epoch, number: 0 }));
            file.begin(epoch);
            let topic = FileTopic::new(file, log, &store.queue, true);
            // There is no limit yet.
            let _ = store.topics.get_or_insert(&name, || topic);
            store.recovered.push(Recovered {
                name,
                events: read.events,
                cut: read.cut,
            });
        }
        store.topics.set_limit(Self::MAX_TOPICS);

        let writer = Writer {
            disk,
            claim,
            epochs: store.epochs.clone(),
            history,
        };
        thread::Builder::new()
            .name("sse-proto-server".into())
            .spawn(move || writer.run(&messages))?;
        Ok(store)
    }

    /// The topics that were in the directory, by name.
    pub fn recovered(&self) -> &[Recovered] {
        &self.recovered
    }

    /// Keeps at most `topics` topics, 100,000 by default.
    ///
    /// To make room for another one, the store forgets the least recently used topic that never had
    /// an event and has no clients. It never forgets one that has a file: if all have, new topics
    /// are refused. To remove a topic, delete its file while no store has the directory open.
    #[must_use]
    pub fn max_topics(mut self, topics: usize) -> Self {
        self.topics.set_limit(topics);
        self
    }
}

/// The files of topics, by name; without a topic, those that a crash has left behind unfinished.
fn list(directory: &Path) -> io::Result<BTreeSet<(Option<String>, PathBuf)>> {
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let is = |extension| path.extension().is_some_and(|found| found == extension);
        let file_name = path.file_name().and_then(|name| name.to_str());
        if is("tmp") {
            let whole = file_name.and_then(|name| name.strip_suffix(name::TEMPORARY));
            if whole.is_some_and(|whole| whole == epoch::FILE || name::topic(whole).is_some()) {
                files.insert((None, path));
            }
        } else if is("sse") {
            let Some(topic) = file_name.and_then(name::topic) else {
                let error = "its name is not that of a topic's file";
                return Err(named(&path)(io::Error::new(
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
    /// [`TopicError::InvalidName`] if the name is empty or too long for a file name: 247 bytes,
    /// where each byte that is percent-encoded counts as three. [`TopicError::TooMany`].
    fn topic(&self, name: &str) -> Result<Arc<FileTopic>, TopicError> {
        if let Some(topic) = self.topics.get(name) {
            return Ok(topic);
        }
        let file = name::file_name(name).ok_or(TopicError::InvalidName)?;
        let epoch = self.epochs.take();
        if self.epochs.are_few() {
            // If nobody listens, nothing can be appended anyway.
            let _ = self.queue.sender.send(Message::Reserve);
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
            // An error is an end, too.
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

/// The way to the writer.
#[derive(Clone)]
struct Queue {
    sender: Sender<Message>,
    room: Arc<Semaphore>,
}

/// A topic of a [`FileStore`].
pub struct FileTopic {
    shared: Arc<Shared>,
    queue: Queue,
    /// Whether there is a file, or may be one soon.
    has_file: AtomicBool,
}

impl FileTopic {
    fn new(file: LogFile, log: Log, queue: &Queue, has_file: bool) -> Self {
        Self {
            shared: Arc::new(Shared {
                memory: MemoryTopic::new(log),
                file: Mutex::new(file),
            }),
            queue: queue.clone(),
            has_file: has_file.into(),
        }
    }
}

impl Kept for FileTopic {
    fn is_empty(&self) -> bool {
        self.shared.memory.is_empty()
    }

    fn may_go(&self) -> bool {
        // Whoever has had the topic has set it before giving the topic back.
        fence(Ordering::Acquire);
        !self.has_file.load(Ordering::Relaxed)
    }
}

impl Topic for FileTopic {
    /// Appends an event, as soon as there is room for it in the queue. A frame without data is
    /// refused: it is not an event, and would not be found in the file.
    ///
    /// If the future is dropped, the event may still be appended.
    async fn append(&self, frame: Frame<'_>, token: &Token) -> Result<EventId, AppendError> {
        if !frame.is_event() {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "a frame without data");
            return Err(AppendError::NotDone(error.into()));
        }
        let event = Unnumbered::new(frame);
        let share = u32::try_from(event.len().saturating_add(OVERHEAD)).unwrap_or(QUEUE);
        let room = self.queue.room.clone();
        let room = room.acquire_many_owned(share.min(QUEUE)).await;
        let room = room.map_err(|_| ended())?;

        self.has_file.store(true, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        let append = Append {
            event,
            token: token.clone(),
            answer,
            room,
        };
        let message = Message::Append(self.shared.clone(), append);
        self.queue.sender.send(message).map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }

    async fn read_after(&self, after: EventId, max_bytes: usize) -> Result<ReadAfter, StoreError> {
        self.shared.memory.read_after(after, max_bytes).await
    }

    async fn bounds(&self) -> Result<Bounds, StoreError> {
        Ok(self.shared.memory.known_bounds())
    }

    fn bounds_now(&self) -> Option<Bounds> {
        Some(self.shared.memory.known_bounds())
    }

    async fn wait(&self, after: EventId) {
        self.shared.memory.wait(after).await;
    }
}

impl fmt::Debug for FileTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileTopic").finish_non_exhaustive()
    }
}
