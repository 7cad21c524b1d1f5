//! The thread that writes: takes all appends that wait, writes them, syncs each file once, and only
//! then lets readers see them and answers.

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

use crate::{AppendError, EventId, MemoryTopic, Token, log::History, token::Known};

use super::{
    disk::Disk,
    epoch::{Claim, Epochs},
    format::Unnumbered,
    log_file::{self, Failure, LogFile, Written},
};

/// How many files are open at once.
const MAX_TOPICS: usize = 64;
/// How many files are synced at once: the file system then commits its journal for several of them.
const SYNCS: usize = 8;

pub(super) type Answer = Result<EventId, AppendError>;

/// What readers and the writer share of a topic.
pub(super) struct Shared {
    pub(super) memory: MemoryTopic,
    /// Only the writer locks it.
    pub(super) file: Mutex<LogFile>,
}

impl Shared {
    fn file(&self) -> MutexGuard<'_, LogFile> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) enum Message {
    Append(Arc<Shared>, Append),
    /// Epochs are few.
    Reserve,
    /// The store is dropped. Says when all before was done.
    End(SyncSender<()>),
}

pub(super) struct Append {
    pub(super) event: Unnumbered,
    pub(super) token: Token,
    pub(super) answer: oneshot::Sender<Answer>,
    /// Its share of what may wait, given back with the answer.
    pub(super) room: OwnedSemaphorePermit,
}

/// An event to be written, and all that ask for it.
struct Pending {
    event: Unnumbered,
    token: Token,
    answers: Vec<oneshot::Sender<Answer>>,
    room: Vec<OwnedSemaphorePermit>,
}

/// A topic's part of a batch.
type InBatch = (Arc<Shared>, Vec<Pending>, Written);

pub(super) struct Writer {
    pub(super) disk: Disk,
    pub(super) claim: Claim,
    pub(super) epochs: Arc<Epochs>,
    pub(super) history: History,
}

impl Writer {
    pub(super) fn run(mut self, queue: &Receiver<Message>) {
        let mut end = None;
        while end.is_none() {
            // Without a store and topics, nothing will come.
            let Ok(mut message) = queue.recv() else {
                return;
            };
            let mut batch = Batch::default();
            loop {
                match message {
                    Message::Append(topic, append) => batch.add(topic, append),
                    Message::Reserve => self.reserve(),
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

    fn reserve(&mut self) {
        match self.claim.extend(&self.disk, 0) {
            Ok(()) => self.epochs.extend_to(self.claim.limit()),
            Err(_) => self.epochs.not_extended(),
        }
    }

    fn append(&mut self, topics: Vec<(Arc<Shared>, Vec<Append>)>) {
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
        if let Err(failure) = self.check_claim() {
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
        // A store that has opened the directory since has read these events or not. One that opens
        // it later reads them.
        let claim = self.check_claim();
        let mut published = Vec::with_capacity(batch.len());
        for ((topic, pending, written), synced) in batch.into_iter().zip(synced) {
            let mut file = topic.file();
            let tokens = pending.iter().map(|pending| &pending.token);
            match (synced, &claim) {
                (_, Err(failure)) => {
                    file.give_up(&written, tokens);
                    refuse(&file, pending, failure);
                }
                (Err(failure), Ok(())) => {
                    let failure = file.take_back_written(&self.disk, &written, tokens, failure);
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
        // Nobody waits for this.
        for topic in published {
            self.compact(&topic);
        }
    }

    fn check_claim(&self) -> Result<(), Failure> {
        let failure = |error| Failure::new(self.claim.path(), "go on with", error);
        self.claim.check().map_err(failure)
    }

    /// Syncs each file, and the directory if one of them is new in it.
    fn sync(&self, batch: &[InBatch]) -> Vec<Result<(), Failure>> {
        let sync = |part: &[InBatch]| -> Vec<_> {
            part.iter()
                .map(|(topic, _, written)| topic.file().sync(&self.disk, written))
                .collect()
        };
        let part = batch.len().div_ceil(SYNCS).max(1);
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
                // Without a thread, it takes longer.
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

    fn compact(&self, topic: &Shared) {
        let mut file = topic.file();
        let kept = {
            let log = &topic.memory.lock().log;
            if !file.is_too_long(self.history, log) {
                return;
            }
            log_file::kept(log)
        };
        file.compact(&self.disk, &kept, || self.claim.check());
        if !file.entry_synced {
            file.entry_synced = self.disk.sync_directory().is_ok();
        }
    }
}

/// The appends of one turn, by topic.
#[derive(Default)]
struct Batch {
    topics: Vec<(Arc<Shared>, Vec<Append>)>,
    places: HashMap<*const Shared, usize>,
}

impl Batch {
    fn add(&mut self, topic: Arc<Shared>, append: Append) {
        let place = *self
            .places
            .entry(Arc::as_ptr(&topic))
            .or_insert(self.topics.len());
        match self.topics.get_mut(place) {
            Some((_, appends)) => appends.push(append),
            None => self.topics.push((topic, vec![append])),
        }
    }
}

/// Answers appends whose token is known, and joins those with the same one.
fn new_events(memory: &MemoryTopic, appends: Vec<Append>) -> Vec<Pending> {
    let state = memory.lock();
    let mut places = HashMap::new();
    let mut events: Vec<Pending> = Vec::with_capacity(appends.len());
    for append in appends {
        // Nobody has to be there any more to hear it, here and below.
        match state.tokens.get(&append.token) {
            Known::Appended(id) => drop(append.answer.send(Ok(id))),
            Known::Forgotten => drop(append.answer.send(Err(AppendError::forgotten()))),
            Known::No => match places.entry(append.token.clone()) {
                Entry::Vacant(place) => {
                    place.insert(events.len());
                    events.push(Pending {
                        event: append.event,
                        token: append.token,
                        answers: vec![append.answer],
                        room: vec![append.room],
                    });
                }
                Entry::Occupied(place) => {
                    if let Some(event) = events.get_mut(*place.get()) {
                        event.answers.push(append.answer);
                        event.room.push(append.room);
                    }
                }
            },
        }
    }
    events
}

/// Lets readers see the events, and answers.
fn publish(memory: &MemoryTopic, events: Vec<Pending>, written: &Written) {
    let mut start = 0;
    {
        let state = &mut *memory.lock();
        let now = Instant::now();
        for (event, record) in events.iter().zip(&written.records) {
            if record.id.epoch != state.log.head().epoch {
                // Nothing was lost in between: what was acknowledged was synced, and is read.
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
        drop(event.room);
    }
}

fn refuse(file: &LogFile, events: Vec<Pending>, failure: &Failure) {
    for event in events {
        for answer in event.answers {
            let _ = answer.send(Err(file.refusal(&event.token, failure)));
        }
        drop(event.room);
    }
}

/// Why an append has no answer.
pub(super) fn ended() -> AppendError {
    AppendError::Unknown(io::Error::other("the store was dropped").into())
}
