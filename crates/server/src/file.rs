//! A store in files of a directory.

mod disk;
mod epoch;
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
use log_file::{LogFile, ReadFile, Unnumbered};
use writer::{Append, Message, Shared, Writer, ended};

/// How many bytes of events may wait to be written. An append waits until there is room for it.
const QUEUE: u32 = 8 << 20;
/// What an event takes of it besides its own bytes.
const OVERHEAD: usize = 256;

/// Keeps the latest events of each topic in a file, and in memory to read them from there.
///
/// An append is acknowledged, and seen by clients, when it is on the disk: written and synced. Clients
/// that come back after a restart, or a crash, go on where they were, without a gap.
///
/// ```
/// use sse_proto::Frame;
/// use sse_proto_server::{FileStore, Hub, Publisher, ReadAfter, Store as _, Topic as _};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// # let directory = std::env::temp_dir().join(format!("sse-proto-server-doc-{}", std::process::id()));
/// let hub = Hub::new(FileStore::open(&directory, 1 << 20)?);
/// let first = hub.publish("prices", Frame::message("17.20")).await?;
/// let second = hub.publish("prices", Frame::message("17.30")).await?;
/// drop(hub);
///
/// // The next process.
/// let store = FileStore::open(&directory, 1 << 20)?;
/// assert_eq!((store.recovered()[0].name.as_str(), store.recovered()[0].events), ("prices", 2));
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
/// Each topic with events has a file, named like the topic (other characters than `a-z0-9-_.` are
/// written `%` and two digits) with `.sse` at the end. It is an event stream: look at it with `cat`,
/// read it with any client. It is written anew, with what is kept, when it is longer than twice that
/// and 64 KiB. A file named `epoch` keeps ids from being used twice. Put no other `.sse` files there.
///
/// The directory belongs to the store that opened it last. An older one that still runs refuses to
/// append, and events that it was just writing are answered by
/// [`AppendError::Unknown`]. So end a process before the next one opens its directory. The file system
/// has to be a local one, or one that behaves so.
///
/// # After a restart
///
/// - A topic's next event begins a new epoch. Nothing was lost at its start, so it is no gap.
/// - The ids of all events that are kept are known, and the position before them. A client of a topic
///   that never had an event gets a gap, as there is nothing that could say that its position is one.
/// - Tokens are not: an event whose publication was [`Unknown`](AppendError::Unknown) before and is
///   [published again](crate::Hub::publish_again) may be there twice.
///
/// If an old copy of the directory is put back, clients that have seen more than it has get a gap, and
/// no id is used again as long as the clock was not put back, too.
///
/// # Failures
///
/// If the disk is full or broken, appends fail with [`AppendError::NotDone`], and the file is cut back
/// to its last whole event. If that fails, too, they are [`AppendError::Unknown`], and all others of that
/// topic `NotDone` until it works. Nothing checks that what is on the disk is what was written:
/// the file system's part, or the disk's.
///
/// # Costs
///
/// All appends that wait are written together, with one sync for each topic that has some. At most
/// 8 MiB of events wait; further appends wait for room. One thread writes; it ends when the store is
/// dropped, which waits until it is done. Up to 64 files are open at once.
pub struct FileStore {
    history: History,
    topics: Topics<FileTopic>,
    epochs: Arc<Epochs>,
    queue: Queue,
    directory: Box<Path>,
    recovered: Vec<Recovered>,
}

/// What [`FileStore::open`] has found of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// The topic's name.
    pub name: String,
    /// How many events are in its file.
    pub events: u64,
    /// The bytes at the file's end that were cut off: an event that was not written to its end, and
    /// so was not acknowledged. 0 unless the process or the machine has crashed.
    pub cut: u64,
}

impl FileStore {
    /// How many topics there may be unless told otherwise.
    pub const MAX_TOPICS: usize = 100_000;

    /// Opens a directory, which is made if it is missing, and reads what is in it.
    ///
    /// Keeps `history` bytes of each topic, counted as they are sent, and the newest event whatever its
    /// length: in memory, and up to twice that and 64 KiB in the file.
    ///
    /// This reads and syncs each file, so call it before the server starts, or on a thread for blocking
    /// work.
    ///
    /// # Errors
    ///
    /// What the file system says. [`InvalidData`](io::ErrorKind::InvalidData), with the file's name and
    /// the place in it, if a file was not written by a store, or was changed other than by cutting off
    /// its end.
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
        let mut epoch = first.max(last.map_or(0, |last| last.saturating_add(1)));
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
        for (name, read) in files {
            let ReadFile { mut file, log, .. } = read;
            let log = log.unwrap_or_else(|| Log::new(history, EventId { epoch, number: 0 }));
            file.begin(epoch);
            epoch += 1;
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

    /// Keeps at most `topics` topics, 100,000 by default. For one more, the topic goes that was not used
    /// for the longest time, has no clients and never had an event. One that has a file stays; if they
    /// all have, there is no room for another one. To remove a topic, remove its file while no store
    /// has the directory open.
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
    /// [`TopicError::InvalidName`] if the name is empty, or its file's name would be longer than 251
    /// bytes: that is 247 letters and digits, or 82 other bytes.
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
    /// Appends an event, once there is room for it among those that wait. A frame without data is not
    /// taken: it is no event, and could not be found in the file.
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
        self.shared.memory.bounds().await
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
