//! Injects faults into every disk operation, and tests what is not visible from outside.

mod directory;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use futures_util::{FutureExt as _, future::join_all};
use sse_proto::{Frame, decode_all};

use crate::{
    AppendError, EventId, FileStore, FileTopic, Publisher, ReadAfter, Store as _, Token, Topic as _,
};

use super::disk::{Disk, Operation};
use directory::Directory;

/// Decides which operations fail, and counts them.
#[derive(Clone, Default)]
pub(super) struct Faults(Arc<Mutex<State>>);

type Rule = Box<dyn FnMut(Operation) -> bool + Send>;

#[derive(Default)]
struct State {
    counts: HashMap<Operation, usize>,
    fails: Option<Rule>,
}

impl Faults {
    pub(super) fn check(&self, operation: Operation) -> io::Result<()> {
        let state = &mut *self.0.lock().unwrap();
        *state.counts.entry(operation).or_default() += 1;
        let fails = state.fails.as_mut().is_some_and(|fails| fails(operation));
        match fails {
            true => Err(io::Error::other("injected by a test")),
            false => Ok(()),
        }
    }

    fn set(&self, fails: impl FnMut(Operation) -> bool + Send + 'static) {
        self.0.lock().unwrap().fails = Some(Box::new(fails));
    }

    fn clear(&self) {
        self.0.lock().unwrap().fails = None;
    }

    fn count(&self, operation: Operation) -> usize {
        let state = self.0.lock().unwrap();
        state.counts.get(&operation).copied().unwrap_or_default()
    }

    fn total(&self) -> usize {
        self.0.lock().unwrap().counts.values().sum()
    }
}

fn open(directory: &Directory, history: usize) -> (FileStore, Faults) {
    let disk = Disk::new(directory).unwrap();
    let faults = disk.faults.clone();
    (FileStore::open_on(disk, history).unwrap(), faults)
}

fn token() -> Token {
    Publisher::new().token()
}

async fn append(topic: &FileTopic, data: &str) -> Result<EventId, AppendError> {
    topic.append(Frame::message(data), &token()).await
}

/// All events from the oldest kept one. Panics at a gap.
async fn read_all(topic: &FileTopic) -> Vec<(EventId, String)> {
    let mut events = Vec::new();
    let mut after = topic.bounds().await.unwrap().oldest;
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

#[tokio::test]
async fn a_thousand_concurrent_appends_take_few_syncs() {
    let directory = Directory::new();
    let (store, faults) = open(&directory, 1 << 20);
    faults.set(|operation| {
        if operation == Operation::Sync {
            thread::sleep(Duration::from_millis(1));
        }
        false
    });
    let topic = store.topic("t").unwrap();
    let before = faults.count(Operation::Sync);
    let ids = join_all((0..1000).map(|number| {
        let topic = &topic;
        async move { append(topic, &number.to_string()).await }
    }));
    let ids = ids.await;
    let syncs = faults.count(Operation::Sync) - before;
    println!("{syncs} syncs");
    assert!((1..100).contains(&syncs), "{syncs}");
    let events = read_all(&topic).await;
    assert!(events.iter().map(|(id, _)| id.number).eq(1..=1000));
    let by_id: HashMap<_, _> = events.into_iter().collect();
    for (number, id) in ids.into_iter().enumerate() {
        assert_eq!(by_id[&id.unwrap()], number.to_string());
    }
}

#[tokio::test]
async fn events_are_visible_and_acknowledged_only_after_the_sync() {
    let directory = Directory::new();
    let (store, faults) = open(&directory, 1 << 20);
    let (reached, at_sync) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    faults.set(move |operation| {
        if matches!(operation, Operation::Sync | Operation::SyncDirectory) {
            reached.send(operation).unwrap();
            released.lock().unwrap().recv().unwrap();
        }
        false
    });
    let topic = store.topic("t").unwrap();
    let token = token();
    let mut appending = Box::pin(topic.append(Frame::message("x"), &token));
    assert!(appending.as_mut().now_or_never().is_none());
    // First the file, then its directory entry.
    for operation in [Operation::Sync, Operation::SyncDirectory] {
        let patience = Duration::from_secs(10);
        assert_eq!(at_sync.recv_timeout(patience), Ok(operation));
        assert!(appending.as_mut().now_or_never().is_none());
        assert_eq!(read_all(&topic).await, []);
        release.send(()).unwrap();
    }
    let id = appending.await.unwrap();
    assert_eq!(read_all(&topic).await, [(id, "x".to_owned())]);
}

#[tokio::test]
async fn the_end_of_an_epoch_is_known_after_its_events_were_removed() {
    let directory = Directory::new();
    let (store, _) = open(&directory, 0);
    let topic = store.topic("t").unwrap();
    let old = append(&topic, &"x".repeat(5000)).await.unwrap();
    drop(store);
    // The new event is much shorter, so the file is compacted immediately.
    let (store, faults) = open(&directory, 0);
    let before = faults.count(Operation::Rename);
    let new = append(&store.topic("t").unwrap(), "short").await.unwrap();
    drop(store);
    assert_eq!(faults.count(Operation::Rename), before + 1);
    assert!(new.epoch > old.epoch);

    let (store, _) = open(&directory, 0);
    let topic = store.topic("t").unwrap();
    for after in [old, EventId { number: 0, ..new }] {
        let read = topic.read_after(after, 1000).await.unwrap();
        assert!(matches!(read, ReadAfter::Events { last, .. } if last == new));
    }
    let after = EventId { number: 0, ..old };
    let read = topic.read_after(after, 1000).await.unwrap();
    assert!(matches!(read, ReadAfter::Gap { .. }), "{read:?}");
}

#[tokio::test]
async fn a_compacted_file_is_appended_to_only_after_its_directory_entry_is_synced() {
    let directory = Directory::new();
    let (store, faults) = open(&directory, 0);
    let topic = store.topic("t").unwrap();
    append(&topic, &"x".repeat(5000)).await.unwrap();
    faults.set(|operation| operation == Operation::SyncDirectory);
    // It was synced before the file was compacted. A crash may undo the compaction.
    let first = append(&topic, "first").await.unwrap();
    let result = append(&topic, "second").await;
    assert!(
        matches!(result, Err(AppendError::NotAppended(_))),
        "{result:?}"
    );
    assert_eq!(read_all(&topic).await, [(first, "first".to_owned())]);
    faults.clear();
    append(&topic, "second").await.unwrap();
}

#[tokio::test]
async fn a_store_that_no_longer_owns_the_directory_replaces_no_file() {
    let directory = Directory::new();
    let (store, faults) = open(&directory, 0);
    let topic = store.topic("t").unwrap();
    append(&topic, &"x".repeat(5000)).await.unwrap();
    let path = directory.to_path_buf();
    let (new, opened) = mpsc::channel();
    faults.set(move |operation| {
        // This is the compaction.
        if operation == Operation::Create {
            let store = FileStore::open(&path, 1 << 20).unwrap();
            let topic = store.topic("t").unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let appended = runtime.unwrap().block_on(append(&topic, "of the new one"));
            new.send((store, appended.unwrap())).unwrap();
        }
        false
    });
    append(&topic, "of the old one").await.unwrap();
    let (new, id) = opened.recv_timeout(Duration::from_secs(10)).unwrap();
    drop(store);
    let topic = new.topic("t").unwrap();
    append(&topic, "another").await.unwrap();
    drop(new);
    let (store, _) = open(&directory, 1 << 20);
    let events = read_all(&store.topic("t").unwrap()).await;
    assert_eq!(events.len(), 4);
    assert_eq!(events[2], (id, "of the new one".to_owned()));
}

#[tokio::test]
async fn dropping_the_store_waits_for_syncs_in_progress() {
    let directory = Directory::new();
    let (store, faults) = open(&directory, 1 << 20);
    let topic = store.topic("t").unwrap();
    faults.set(|operation| {
        if operation == Operation::Sync {
            thread::sleep(Duration::from_millis(100));
        }
        false
    });
    let mut appending = Box::pin(append(&topic, "x"));
    assert!(appending.as_mut().now_or_never().is_none());
    drop(store);
    let appended = appending.now_or_never();
    assert!(matches!(appended, Some(Ok(_))), "{appended:?}");
}

#[tokio::test]
async fn a_token_is_appended_once_within_a_batch() {
    let directory = Directory::new();
    let (store, faults) = open(&directory, 1 << 20);
    let (topic, other) = (store.topic("t").unwrap(), store.topic("other").unwrap());
    append(&topic, "first").await.unwrap();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    faults.set(move |operation| {
        // Blocks only once: afterwards the sender is gone.
        if operation == Operation::Sync {
            let _ = released.lock().unwrap().recv();
        }
        false
    });
    let mut busy = Box::pin(append(&other, "x"));
    assert!(busy.as_mut().now_or_never().is_none());
    let token = token();
    let attempts = (0..5).map(|_| topic.append(Frame::message("second"), &token));
    let mut attempts = Box::pin(join_all(attempts));
    assert!(attempts.as_mut().now_or_never().is_none());
    drop(release);
    busy.await.unwrap();
    let ids: Vec<_> = attempts.await.into_iter().map(Result::unwrap).collect();
    let events = read_all(&topic).await;
    assert_eq!(events.len(), 2);
    assert!(ids.iter().all(|id| *id == events[1].0));
}

/// The outcome of all appends of a run.
#[derive(Default)]
struct Run {
    done: BTreeMap<EventId, (&'static str, String)>,
    not_appended: HashSet<String>,
    unknown: HashSet<String>,
}

impl Run {
    /// Appends events to two topics, some concurrently, until files have been compacted a few
    /// times. Appends with an unknown outcome are retried.
    async fn append_events(&mut self, store: &FileStore) {
        let mut number = self.done.len() + self.not_appended.len() + self.unknown.len();
        for round in 0..16 {
            let appends = (0..1 + round % 3).map(|part| {
                number += 1;
                let name = ["one", "two"][(round / 2 + part) % 2];
                let data = format!("{number}\n{}", "x".repeat(number % 50));
                async move {
                    let topic = store.topic(name).unwrap();
                    let token = token();
                    let mut result = topic.append(Frame::message(&data), &token).await;
                    for _ in 0..2 {
                        if let Err(AppendError::Unknown(_)) = result {
                            result = topic.append(Frame::message(&data), &token).await;
                        }
                    }
                    (name, data, result)
                }
            });
            for (name, data, result) in join_all(appends).await {
                match result {
                    Ok(id) => assert!(self.done.insert(id, (name, data)).is_none()),
                    Err(AppendError::NotAppended(_)) => assert!(self.not_appended.insert(data)),
                    Err(_) => assert!(self.unknown.insert(data)),
                }
            }
            // Readers see the acknowledged events and nothing else.
            self.check(store, false).await;
        }
    }

    async fn check(&self, store: &FileStore, after_restart: bool) {
        let mut all = HashSet::new();
        for name in ["one", "two"] {
            let topic = store.topic(name).unwrap();
            let oldest = topic.bounds().await.unwrap().oldest;
            let mut expected: BTreeMap<_, _> = self
                .done
                .iter()
                .filter(|(id, (topic, _))| *topic == name && **id > oldest)
                .collect();
            for (id, data) in read_all(&topic).await {
                assert!(all.insert(data.clone()), "{data} is there twice");
                assert!(
                    !self.not_appended.contains(&data),
                    "{data} was reported as not appended"
                );
                match expected.remove(&id) {
                    Some((_, acknowledged)) => assert_eq!(*acknowledged, data),
                    None => assert!(after_restart && self.unknown.contains(&data), "{data}"),
                }
            }
            assert!(expected.is_empty(), "lost {expected:?}");
        }
    }
}

/// Runs with a fault in each operation in turn, each followed by a restart and a run without
/// faults.
async fn sweep(fails: fn(Operation, usize) -> bool) -> (usize, usize, usize) {
    let mut sums = (0, 0, 0);
    let mut all = usize::MAX;
    let mut at = 0;
    while at < all {
        let directory = Directory::new();
        let mut run = Run::default();
        {
            let (store, faults) = open(&directory, 300);
            let start = faults.total();
            let mut seen = 0;
            faults.set(move |operation| {
                seen += 1;
                seen > at && fails(operation, seen - 1 - at)
            });
            run.append_events(&store).await;
            drop(store);
            all = faults.total() - start;
        }
        let (store, _) = open(&directory, 300);
        run.check(&store, true).await;
        let (not_appended, unknown) = (run.not_appended.len(), run.unknown.len());
        sums = (sums.0 + 1, sums.1 + not_appended, sums.2 + unknown);
        // The outcome of unknown appends is known now and does not change.
        for name in ["one", "two"] {
            let events = read_all(&store.topic(name).unwrap()).await;
            run.done
                .extend(events.into_iter().map(|(id, data)| (id, (name, data))));
        }
        run.append_events(&store).await;
        let now = (run.not_appended.len(), run.unknown.len());
        assert_eq!(now, (not_appended, unknown), "without a fault");
        drop(store);
        let (store, _) = open(&directory, 300);
        run.check(&store, true).await;
        at += 1;
    }
    println!("{sums:?}: runs, events not appended, events unknown");
    sums
}

#[tokio::test]
async fn a_run_without_faults_compacts_files() {
    let (_, not_appended, unknown) = sweep(|_, _| false).await;
    assert_eq!((not_appended, unknown), (0, 0));
    let directory = Directory::new();
    let (store, faults) = open(&directory, 300);
    let before = faults.count(Operation::Rename);
    Run::default().append_events(&store).await;
    assert!(faults.count(Operation::Rename) >= before + 2);
}

#[tokio::test]
async fn each_operation_can_fail() {
    let (runs, not_appended, unknown) = sweep(|_, after| after == 0).await;
    assert!(runs > 50 && not_appended > 10 && unknown == 0);
}

#[tokio::test]
async fn each_operation_and_its_rollback_can_fail() {
    let (_, not_appended, unknown) = sweep(|_, after| after < 2).await;
    assert!(
        not_appended > 10 && unknown == 0,
        "retries have truncated them"
    );
    let (_, not_appended, unknown) = sweep(|_, after| after < 6).await;
    assert!(not_appended > 10 && unknown > 10);
}

#[tokio::test]
async fn the_process_can_be_killed_before_each_operation() {
    let (_, not_appended, unknown) = sweep(|_, _| true).await;
    assert!(not_appended > 10 && unknown > 10);
}

#[tokio::test]
async fn a_file_that_cannot_be_compacted_is_appended_to() {
    let (_, not_appended, unknown) = sweep(|operation, _| operation == Operation::Rename).await;
    assert_eq!((not_appended, unknown), (0, 0));
}

#[tokio::test]
async fn each_kind_of_operation_can_fail_temporarily_or_permanently() {
    for (temporarily, permanently) in [
        (
            (|operation, after| operation == Operation::Write && after < 9)
                as fn(Operation, usize) -> bool,
            (|operation, _| operation == Operation::Write) as fn(Operation, usize) -> bool,
        ),
        (
            |operation, after| operation == Operation::Sync && after < 9,
            |operation, _| operation == Operation::Sync,
        ),
        (
            |operation, after| {
                matches!(operation, Operation::Sync | Operation::Truncate) && after < 9
            },
            |operation, _| matches!(operation, Operation::Sync | Operation::Truncate),
        ),
        (
            |operation, after| {
                matches!(operation, Operation::Write | Operation::Truncate) && after < 9
            },
            |operation, _| matches!(operation, Operation::Write | Operation::Truncate),
        ),
        (
            |operation, after| operation == Operation::SyncDirectory && after < 9,
            |operation, _| operation == Operation::SyncDirectory,
        ),
        (
            |operation, after| {
                matches!(operation, Operation::Rename | Operation::Remove) && after < 9
            },
            |operation, _| matches!(operation, Operation::Rename | Operation::Remove),
        ),
        (
            |operation, after| {
                matches!(operation, Operation::Open | Operation::Create) && after < 9
            },
            |operation, _| matches!(operation, Operation::Open | Operation::Create),
        ),
    ] {
        sweep(temporarily).await;
        sweep(permanently).await;
    }
}

#[tokio::test]
async fn an_event_that_may_be_on_the_disk_is_not_reported_as_not_appended() {
    let directory = Directory::new();
    let (store, faults) = open(&directory, 1 << 20);
    let topic = store.topic("t").unwrap();
    let first = append(&topic, "first").await.unwrap();
    faults.set(|operation| matches!(operation, Operation::Sync | Operation::Truncate));
    let uncertain = token();
    for _ in 0..3 {
        let result = topic.append(Frame::message("uncertain"), &uncertain).await;
        assert!(matches!(result, Err(AppendError::Unknown(_))), "{result:?}");
        let result = append(&topic, "other").await;
        assert!(
            matches!(result, Err(AppendError::NotAppended(_))),
            "{result:?}"
        );
        assert_eq!(read_all(&topic).await, [(first, "first".to_owned())]);
    }
    // After a crash now, the event is there.
    let copy = Directory::new();
    for name in ["t.sse", "epoch"] {
        std::fs::copy(directory.join(name), copy.join(name)).unwrap();
    }
    let (after_crash, _) = open(&copy, 1 << 20);
    let events = read_all(&after_crash.topic("t").unwrap()).await;
    assert_eq!(events.len(), 2);
    // Without a crash, it is appended once.
    faults.clear();
    let id = topic.append(Frame::message("uncertain"), &uncertain).await;
    let again = topic.append(Frame::message("uncertain"), &uncertain).await;
    let id = id.unwrap();
    assert_eq!(id, again.unwrap());
    let events = [(first, "first".to_owned()), (id, "uncertain".to_owned())];
    assert_eq!(read_all(&topic).await, events);
    drop(store);
    let (store, _) = open(&directory, 1 << 20);
    assert_eq!(read_all(&store.topic("t").unwrap()).await, events);
}

#[tokio::test]
async fn an_append_is_unknown_if_another_store_opens_the_directory_during_its_sync() {
    let directory = Directory::new();
    let (store, faults) = open(&directory, 1 << 20);
    let topic = store.topic("t").unwrap();
    append(&topic, "first").await.unwrap();
    let (new, opened) = mpsc::channel();
    let path = directory.to_path_buf();
    let mut once = true;
    faults.set(move |operation| {
        if operation == Operation::Sync && std::mem::take(&mut once) {
            new.send(FileStore::open(&path, 1 << 20).unwrap()).unwrap();
        }
        false
    });
    let uncertain = token();
    let result = topic.append(Frame::message("second"), &uncertain).await;
    assert!(matches!(result, Err(AppendError::Unknown(_))), "{result:?}");
    assert_eq!(read_all(&topic).await.len(), 1);
    let result = topic.append(Frame::message("second"), &uncertain).await;
    assert!(matches!(result, Err(AppendError::Unknown(_))), "{result:?}");
    let result = append(&topic, "third").await;
    assert!(
        matches!(result, Err(AppendError::NotAppended(_))),
        "{result:?}"
    );
    // The new store has read the event.
    let new = opened.recv().unwrap();
    let topic = new.topic("t").unwrap();
    assert_eq!(read_all(&topic).await.len(), 2);
    append(&topic, "third").await.unwrap();
}

#[tokio::test]
async fn a_concurrent_writer_is_detected() {
    let directory = Directory::new();
    let (store, faults) = open(&directory, 1 << 20);
    let topic = store.topic("t").unwrap();
    append(&topic, "first").await.unwrap();
    let path = directory.join("t.sse");
    faults.set(move |operation| {
        if operation == Operation::Write {
            use std::io::Write as _;
            let file = std::fs::OpenOptions::new().append(true).open(&path);
            file.unwrap().write_all(b"data: theirs\n\n").unwrap();
        }
        false
    });
    let uncertain = token();
    for _ in 0..2 {
        let result = topic.append(Frame::message("second"), &uncertain).await;
        assert!(matches!(result, Err(AppendError::Unknown(_))), "{result:?}");
    }
    assert_eq!(read_all(&topic).await.len(), 1);
    let text = std::fs::read_to_string(directory.join("t.sse")).unwrap();
    assert!(text.contains("theirs") && text.ends_with("second\n\n"));
    let result = append(&topic, "third").await;
    assert!(
        matches!(result, Err(AppendError::NotAppended(_))),
        "{result:?}"
    );
}

#[tokio::test]
async fn epochs_are_reserved_before_they_run_out() {
    let directory = Directory::new();
    let (store, faults) = open(&directory, 0);
    let store = store.max_topics(1);
    let renames = faults.count(Operation::Rename);
    let first = store.topic("first").unwrap().bounds().await.unwrap().newest;
    let mut last = first;
    for number in 0..1_200_000 {
        match store.topic(&number.to_string()) {
            Ok(topic) => last = topic.bounds().await.unwrap().newest,
            Err(error) => panic!("{error} at {number}"),
        }
        assert!(last.epoch > first.epoch);
        if number % 400_000 == 0 {
            thread::sleep(Duration::from_millis(50));
        }
    }
    assert!(faults.count(Operation::Rename) > renames);
    append(&store.topic("last").unwrap(), "x").await.unwrap();
    drop(store);
    let (store, _) = open(&directory, 0);
    let id = append(&store.topic("next").unwrap(), "x").await.unwrap();
    assert!(id.epoch > last.epoch + 1);
}
