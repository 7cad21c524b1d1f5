//! The writer thread: takes all queued appends, writes them, syncs each file once, and only then
//! makes the events visible to readers and answers the appends.

use std::{
    collections::{HashMap, hash_map::Entry},
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, SyncSender},
    },
    thread,
    time::Instant,
};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::{AppendError, EventId, MemoryTopic, Token, log::History, token::TokenStatus};

use super::{
    disk::Disk,
    epoch::{EpochFile, ReservedEpochs},
    format::EventWithoutId,
    log_file::{self, Failure, LogFile, Written},
};

/// The maximum number of topics in a batch, and thus of open files.
const MAX_TOPICS: usize = 64;
/// The number of files that are synced in parallel, so that the file system can commit its journal
/// for several of them at once.
const PARALLEL_SYNCS: usize = 8;

pub(super) type Answer = Result<EventId, AppendError>;

/// The state of a topic that readers and the writer share.
pub(super) struct TopicState {
    pub(super) memory: MemoryTopic,
    /// Only the writer locks it.
    pub(super) file: Mutex<LogFile>,
}

impl TopicState {
    fn file(&self) -> MutexGuard<'_, LogFile> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) enum Message {
    Append(Arc<TopicState>, Append),
    /// Few reserved epochs are left.
    ReserveEpochs,
    /// The store is being dropped. Answered when all previous messages have been processed.
    End(SyncSender<()>),
}

pub(super) struct Append {
    pub(super) event: EventWithoutId,
    pub(super) token: Token,
    pub(super) answer: oneshot::Sender<Answer>,
    /// Its share of the queue's capacity, released with the answer.
    pub(super) permit: OwnedSemaphorePermit,
}

/// An event to be written, and all appends that wait for it.
struct Pending {
    event: EventWithoutId,
    token: Token,
    answers: Vec<oneshot::Sender<Answer>>,
    permits: Vec<OwnedSemaphorePermit>,
}

/// The part of a batch that belongs to one topic.
type TopicBatch = (Arc<TopicState>, Vec<Pending>, Written);

pub(super) struct Writer {
    pub(super) disk: Disk,
    pub(super) epoch_file: EpochFile,
    pub(super) epochs: Arc<ReservedEpochs>,
    pub(super) history: History,
}

impl Writer {
    pub(super) fn run(mut self, queue: &Receiver<Message>) {
        let mut end = None;
        while end.is_none() {
            // The store and all topics are gone.
            let Ok(mut message) = queue.recv() else {
                return;
            };
            let mut batch = Batch::default();
            loop {
                match message {
                    Message::Append(topic, append) => batch.add(topic, append),
                    Message::ReserveEpochs => self.reserve_epochs(),
                    Message::End(done) => end = Some(done),
                }
                if end.is_some() || batch.topics.len() >= MAX_TOPICS {
                    break;
                }
                message = match queue.try_recv() {
                    Ok(message) => message,
                    Err(_) => break,
                };
            }
            self.append(batch.topics);
        }
        if let Some(done) = end {
            // The store waits for this in `drop`.
            let _ = done.send(());
        }
    }

    fn reserve_epochs(&mut self) {
        match self.epoch_file.reserve_more(&self.disk, 0) {
            Ok(()) => self.epochs.extend_to(self.epoch_file.limit()),
            Err(_) => self.epochs.reserving_failed(),
        }
    }

    fn append(&mut self, topics: Vec<(Arc<TopicState>, Vec<Append>)>) {
        let topics: Vec<_> = topics
            .into_iter()
            .map(|(topic, appends)| {
                let pending = new_events(&topic.memory, appends);
                (topic, pending)
            })
            .filter(|(_, pending)| !pending.is_empty())
            .collect();
        if topics.is_empty() {
            return;
        }
        if let Err(failure) = self.check_owner() {
            for (topic, pending) in topics {
                refuse(&topic.file(), pending, &failure);
            }
            return;
        }

        let mut batch = Vec::with_capacity(topics.len());
        for (topic, pending) in topics {
            let mut file = topic.file();
            let events = pending
                .iter()
                .map(|pending| (&pending.event, &pending.token));
            match file.write(&self.disk, events) {
                Ok(written) => {
                    drop(file);
                    batch.push((topic, pending, written));
                }
                Err(failure) => refuse(&file, pending, &failure),
            }
        }

        let synced = self.sync(&batch);
        // A store that has opened the directory in the meantime may have read these events or not.
        // One that opens it later reads them.
        let owner = self.check_owner();
        let mut published = Vec::with_capacity(batch.len());
        for ((topic, pending, written), synced) in batch.into_iter().zip(synced) {
            let mut file = topic.file();
            let tokens = pending.iter().map(|pending| &pending.token);
            match (synced, &owner) {
                (_, Err(failure)) => {
                    file.abandon(&written, tokens);
                    refuse(&file, pending, failure);
                }
                (Err(failure), Ok(())) => {
                    let failure = file.roll_back(&self.disk, &written, tokens, failure);
                    refuse(&file, pending, &failure);
                }
                (Ok(()), Ok(())) => {
                    file.commit(&written);
                    publish(&topic.memory, pending, &written);
                    drop(file);
                    published.push(topic);
                }
            }
        }
        // All appends have been answered: nobody waits for this.
        for topic in published {
            self.compact(&topic);
        }
    }

    fn check_owner(&self) -> Result<(), Failure> {
        let failure = |error| Failure::new(self.epoch_file.path(), "continue to use", error);
        self.epoch_file.check_owner().map_err(failure)
    }

    /// Syncs each file, and the directory if one of the files is new.
    fn sync(&self, batch: &[TopicBatch]) -> Vec<Result<(), Failure>> {
        let sync = |part: &[TopicBatch]| -> Vec<_> {
            part.iter()
                .map(|(topic, _, written)| topic.file().sync(&self.disk, written))
                .collect()
        };
        let part = batch.len().div_ceil(PARALLEL_SYNCS).max(1);
        let mut synced: Vec<_> = thread::scope(|scope| {
            let mut parts = batch.chunks(part);
            let first = parts.next();
            let others: Vec<_> = parts
                .map(|part| {
                    let spawned = thread::Builder::new().spawn_scoped(scope, move || sync(part));
                    (part, spawned)
                })
                .collect();
            let mut synced = first.map(sync).unwrap_or_default();
            for (part, spawned) in others {
                // If no thread could be started, sync on this one.
                let done = spawned.ok().and_then(|thread| thread.join().ok());
                synced.extend(done.unwrap_or_else(|| sync(part)));
            }
            synced
        });
        if batch.iter().any(|(topic, ..)| !topic.file().entry_synced) {
            let directory = self.disk.sync_directory();
            let directory =
                directory.map_err(|error| Failure::new(self.disk.directory(), "sync", error));
            for ((topic, ..), synced) in batch.iter().zip(&mut synced) {
                let mut file = topic.file();
                match &directory {
                    Ok(()) => file.entry_synced = true,
                    Err(failure) if !file.entry_synced && synced.is_ok() => {
                        *synced = Err(failure.clone())
                    }
                    Err(_) => {}
                }
            }
        }
        synced
    }

    fn compact(&self, topic: &TopicState) {
        let mut file = topic.file();
        let kept = {
            let log = &topic.memory.lock().log;
            if !file.needs_compaction(self.history, log) {
                return;
            }
            log_file::compacted(log)
        };
        file.compact(&self.disk, &kept, || self.epoch_file.check_owner());
        if !file.entry_synced {
            file.entry_synced = self.disk.sync_directory().is_ok();
        }
    }
}

/// The appends of a batch, by topic.
#[derive(Default)]
struct Batch {
    topics: Vec<(Arc<TopicState>, Vec<Append>)>,
    indexes: HashMap<*const TopicState, usize>,
}

impl Batch {
    fn add(&mut self, topic: Arc<TopicState>, append: Append) {
        let index = *self
            .indexes
            .entry(Arc::as_ptr(&topic))
            .or_insert(self.topics.len());
        match self.topics.get_mut(index) {
            Some((_, appends)) => appends.push(append),
            None => self.topics.push((topic, vec![append])),
        }
    }
}

/// Answers appends whose token is known, and merges those with the same token.
fn new_events(memory: &MemoryTopic, appends: Vec<Append>) -> Vec<Pending> {
    let state = memory.lock();
    let mut indexes = HashMap::new();
    let mut events: Vec<Pending> = Vec::with_capacity(appends.len());
    for append in appends {
        // Sending fails if the append was dropped, here and below.
        match state.tokens.get(&append.token) {
            TokenStatus::Appended(id) => drop(append.answer.send(Ok(id))),
            TokenStatus::Forgotten => drop(append.answer.send(Err(AppendError::forgotten()))),
            TokenStatus::New => match indexes.entry(append.token.clone()) {
                Entry::Vacant(index) => {
                    index.insert(events.len());
                    events.push(Pending {
                        event: append.event,
                        token: append.token,
                        answers: vec![append.answer],
                        permits: vec![append.permit],
                    });
                }
                Entry::Occupied(index) => {
                    if let Some(event) = events.get_mut(*index.get()) {
                        event.answers.push(append.answer);
                        event.permits.push(append.permit);
                    }
                }
            },
        }
    }
    events
}

/// Makes the events visible to readers and answers the appends.
fn publish(memory: &MemoryTopic, events: Vec<Pending>, written: &Written) {
    let mut start = 0;
    {
        let state = &mut *memory.lock();
        let now = Instant::now();
        for (event, record) in events.iter().zip(&written.records) {
            if record.id.epoch != state.log.newest().epoch {
                // No event was lost in between: all acknowledged events are synced and were read.
                state.log.begin_epoch(record.id.epoch, true);
            }
            let bytes = written.events.get(start..record.end).unwrap_or_default();
            state.log.append_encoded(bytes, now);
            state.tokens.insert(&event.token, record.id);
            start = record.end;
        }
    }
    memory.notify();
    for (event, record) in events.into_iter().zip(&written.records) {
        for answer in event.answers {
            let _ = answer.send(Ok(record.id));
        }
        drop(event.permits);
    }
}

fn refuse(file: &LogFile, events: Vec<Pending>, failure: &Failure) {
    for event in events {
        for answer in event.answers {
            let _ = answer.send(Err(file.append_error(&event.token, failure)));
        }
        drop(event.permits);
    }
}

/// The error of an append that was not answered.
pub(super) fn store_dropped() -> AppendError {
    AppendError::Unknown(io::Error::other("the store was dropped").into())
}
