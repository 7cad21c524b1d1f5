//! Files: whatever happens to the process, the disk and the directory, no event that was acknowledged
//! is lost, and no id names two.

#[allow(dead_code, reason = "some faults are not those of files")]
#[path = "support/contract.rs"]
mod contract;
#[path = "support/directory.rs"]
mod directory;

use std::{
    collections::HashSet,
    env, fs,
    io::{self, BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, RwLock},
    time::Duration,
};

use contract::{Engine, Fault, answers, life, tokens, waits};
use directory::Directory;
use sse_proto::{Frame, decode_all};
use sse_proto_server::{
    AppendError, Bounds, EventId, FileStore, FileTopic, GapReason, Publisher, ReadAfter, Store,
    StoreError, Token, Topic, TopicError,
};

const HISTORY: usize = 1 << 20;

fn token() -> Token {
    Publisher::new().token()
}

async fn append(topic: &FileTopic, data: &str) -> Result<EventId, AppendError> {
    topic.append(Frame::message(data), &token()).await
}

fn not_done(result: Result<EventId, AppendError>) -> String {
    match result {
        Err(AppendError::NotDone(error)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

/// All that follows, with a panic at a gap.
async fn read_all(topic: &FileTopic, mut after: EventId) -> Vec<(EventId, String)> {
    let mut events = Vec::new();
    loop {
        match topic.read_after(after, 1000).await.unwrap() {
            ReadAfter::Events { frames, last, .. } => {
                after = last;
                events.extend(
                    decode_all(frames.as_bytes())
                        .map(|event| (event.last_event_id().parse().unwrap(), event.into_data())),
                );
            }
            ReadAfter::UpToDate => return events,
            gap => panic!("{gap:?} after {after}"),
        }
    }
}

async fn oldest(topic: &FileTopic) -> EventId {
    topic.bounds().await.unwrap().oldest
}

async fn head(topic: &FileTopic) -> EventId {
    topic.bounds().await.unwrap().head
}

/// One process after another, of which this is the one that runs.
struct Current(RwLock<FileStore>);

struct CurrentTopic {
    current: Arc<Current>,
    name: String,
}

impl CurrentTopic {
    fn topic(&self) -> Arc<FileTopic> {
        self.current.0.read().unwrap().topic(&self.name).unwrap()
    }
}

struct CurrentStore(Arc<Current>);

impl Store for CurrentStore {
    type Topic = CurrentTopic;

    fn topic(&self, name: &str) -> Result<Arc<CurrentTopic>, TopicError> {
        self.0.0.read().unwrap().topic(name)?;
        Ok(Arc::new(CurrentTopic {
            current: self.0.clone(),
            name: name.to_owned(),
        }))
    }
}

impl Topic for CurrentTopic {
    async fn append(&self, frame: Frame<'_>, token: &Token) -> Result<EventId, AppendError> {
        let topic = self.topic();
        let result = topic.append(frame, token).await;
        if let Err(AppendError::Unknown(_)) = result {
            // Tokens are not known after a restart. Whether it was appended can be read.
            let data = |frame: Frame<'_>| {
                let frame = frame.to_string();
                decode_all(frame.as_bytes()).next().unwrap().into_data()
            };
            let next = loop {
                let next = self.topic();
                if !Arc::ptr_eq(&topic, &next) {
                    break next;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            };
            let events = read_all(&next, oldest(&next).await).await;
            let found = events.into_iter().find(|(_, found)| *found == data(frame));
            if let Some((id, _)) = found {
                return Ok(id);
            }
        }
        result
    }

    async fn read_after(&self, after: EventId, max_bytes: usize) -> Result<ReadAfter, StoreError> {
        self.topic().read_after(after, max_bytes).await
    }

    async fn bounds(&self) -> Result<Bounds, StoreError> {
        self.topic().bounds().await
    }

    async fn wait(&self, after: EventId) {
        self.topic().wait(after).await;
    }
}

struct Files {
    directory: Directory,
    history: usize,
    current: Arc<Current>,
}

impl Files {
    fn new(history: usize) -> Self {
        let directory = Directory::new();
        let store = FileStore::open(&directory, history).unwrap();
        Self {
            directory,
            history,
            current: Arc::new(Current(RwLock::new(store))),
        }
    }
}

impl Engine for Files {
    type Store = CurrentStore;

    fn store(&self, _process: usize) -> Arc<CurrentStore> {
        Arc::new(CurrentStore(self.current.clone()))
    }

    fn processes(&self) -> usize {
        1
    }

    async fn inject(&self, fault: Fault) {
        match fault {
            Fault::None | Fault::Trimmed => {}
            Fault::Restarted => {
                let current = &mut *self.current.0.write().unwrap();
                // One has to end before the next one begins, and a place cannot be empty.
                let other = Directory::new();
                drop(std::mem::replace(
                    current,
                    FileStore::open(&other, 0).unwrap(),
                ));
                *current = FileStore::open(&self.directory, self.history).unwrap();
            }
            other => unreachable!("{other:?} does not happen to files"),
        }
    }
}

#[tokio::test]
async fn files_answer() {
    answers(&Files::new(HISTORY)).await;
}

#[tokio::test]
async fn files_know_tokens() {
    tokens(&Files::new(HISTORY)).await;
}

#[tokio::test]
async fn files_wake_those_who_wait() {
    waits(&Files::new(HISTORY)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_in_peace() {
    let summary = life(Arc::new(Files::new(HISTORY)), Fault::None, 5, "life").await;
    println!("{summary:?}");
    assert_eq!(
        (
            summary.gaps,
            summary.not_done,
            summary.unknown,
            summary.epochs
        ),
        (0, 0, 0, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn files_trimmed() {
    let summary = life(Arc::new(Files::new(200)), Fault::Trimmed, 5, "life").await;
    assert!(summary.gaps >= 1 && summary.epochs == 1, "{summary:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_restarted() {
    let summary = life(Arc::new(Files::new(HISTORY)), Fault::Restarted, 10, "life").await;
    println!("{summary:?}");
    assert!(
        summary.gaps == 0 && (5..=11).contains(&summary.epochs),
        "{summary:?}"
    );
}
