//! `FileStore`: whatever happens to the process, the disk and the directory, no acknowledged event
//! is lost, and no id names two events. The rules of all stores are tested in `tests/contract.rs`.

#[path = "../../src/file/tests/directory.rs"]
mod directory;
mod process;
mod recovery;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    env, fs,
    hash::{BuildHasher as _, RandomState},
    io::{self, BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use directory::Directory;
use sse_proto::{Frame, decode_all};
use sse_proto_server::{
    AppendError, EventId, FileStore, FileTopic, GapReason, Publisher, ReadAfter, Store as _, Token,
    Topic, TopicError,
};

const HISTORY: usize = 1 << 20;

fn token() -> Token {
    Publisher::new().token()
}

async fn append(topic: &FileTopic, data: &str) -> Result<EventId, AppendError> {
    topic.append(Frame::message(data), &token()).await
}

fn not_appended(result: Result<EventId, AppendError>) -> String {
    match result {
        Err(AppendError::NotAppended(error)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

/// Reads all events after a position. Panics at a gap.
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

async fn newest(topic: &FileTopic) -> EventId {
    topic.bounds().await.unwrap().newest
}

/// Data that is easily confused with the surrounding format.
const AWKWARD: [&str; 7] = [
    "one line",
    "two\nlines",
    "\r\n a CR, \r an LF \n and both\r\n\r\n",
    "id: 1-1\ndata: forged\n\nid: 99999999999999999-1\ndata: forged\n\n",
    "\u{feff}\u{e9}\u{20ac}\u{1f600}\0",
    "",
    "\n\n\n",
];

/// The data as a decoder returns it.
fn decoded(data: &str) -> String {
    data.replace("\r\n", "\n").replace('\r', "\n")
}

#[tokio::test]
async fn each_name_is_a_separate_topic() {
    let directory = Directory::new();
    let longest = "x".repeat(247);
    let names = [
        "a",
        "A",
        "a/b",
        "a%2fb",
        "..",
        ".",
        "../../a",
        "a.sse",
        "epoch",
        "epoch.tmp",
        "a.sse.tmp",
        "\u{e9}",
        "e\u{301}",
        "\u{1f600}",
        "a b",
        " ",
        "\0",
        "\n",
        "a\\b",
        "con",
        &longest,
    ];
    let mut ids = HashSet::new();
    for run in 0..3 {
        let store = FileStore::open(&directory, HISTORY).unwrap();
        let recovered: HashSet<_> = store.recovered().iter().map(|found| &*found.name).collect();
        let expected: HashSet<_> = names.into_iter().filter(|_| run > 0).collect();
        assert_eq!(recovered, expected);
        for name in names {
            let topic = store.topic(name).unwrap();
            let id = append(&topic, name).await.unwrap();
            assert!(ids.insert(id), "{id} belongs to two topics");
            let events = read_all(&topic, oldest(&topic).await).await;
            assert_eq!(events.len(), run + 1);
            assert!(events.iter().all(|(_, data)| *data == decoded(name)));
        }
        for name in ["", &"x".repeat(248), &"/".repeat(83), &"x".repeat(1 << 20)] {
            let error = store.topic(name).unwrap_err();
            assert_eq!(error, TopicError::InvalidName, "{} bytes", name.len());
        }
    }
    // Nothing was written elsewhere.
    assert_eq!(fs::read_dir(&directory).unwrap().count(), names.len() + 1);
}

#[tokio::test]
async fn the_file_size_is_bounded_and_positions_stay_known() {
    const HISTORY: usize = 4096;
    let directory = Directory::new();
    let data = "x".repeat(100);
    let mut ids = Vec::new();
    let mut shrunk = 0;
    for _ in 0..40 {
        let store = FileStore::open(&directory, HISTORY).unwrap();
        let topic = store.topic("t").unwrap();
        let mut len = 0;
        for _ in 0..30 {
            ids.push(append(&topic, &data).await.unwrap());
            // The reply comes before the file is compacted.
            let now = fs::metadata(directory.join("t.sse")).unwrap().len();
            assert!(now <= 2 * HISTORY as u64 + (64 << 10) + 200);
            shrunk += u32::from(now < len);
            len = now;
        }
        let kept = read_all(&topic, oldest(&topic).await).await;
        assert!((25..40).contains(&kept.len()), "{}", kept.len());
        assert!(
            kept.iter()
                .map(|(id, _)| id)
                .eq(&ids[ids.len() - kept.len()..])
        );
    }
    assert!(shrunk > 0);

    // Just compacted, with the last events of several epochs.
    let store = FileStore::open(&directory, HISTORY).unwrap();
    let topic = store.topic("t").unwrap();
    while fs::metadata(directory.join("t.sse")).unwrap().len() > HISTORY as u64 + 100 {
        ids.push(append(&topic, &data).await.unwrap());
        // Wait until the writer has compacted the file.
        let other = store.topic("other").unwrap();
        append(&other, "x").await.unwrap();
    }
    let first = read_all(&topic, oldest(&topic).await).await[0].0;
    let place = ids.iter().position(|id| *id == first).unwrap();
    drop(store);
    let store = FileStore::open(&directory, 2 * HISTORY).unwrap();
    let topic = store.topic("t").unwrap();
    for (after, id) in ids.iter().enumerate() {
        let read = topic.read_after(*id, 1).await.unwrap();
        match after + 1 >= place {
            true => assert_eq!(read_all(&topic, *id).await.len(), ids.len() - after - 1),
            false => assert!(matches!(read, ReadAfter::Gap { .. }), "{read:?}"),
        }
    }
}

#[tokio::test]
async fn an_event_longer_than_the_history_is_kept() {
    let directory = Directory::new();
    let data = "x".repeat(200_000);
    for run in 0..3 {
        let store = FileStore::open(&directory, 1000).unwrap();
        let topic = store.topic("t").unwrap();
        for _ in 0..5 {
            let before = newest(&topic).await;
            let id = append(&topic, &data).await.unwrap();
            assert_eq!(
                read_all(&topic, before).await,
                [(id, data.clone())],
                "{run}"
            );
        }
        drop(store);
        assert!(fs::metadata(directory.join("t.sse")).unwrap().len() < 700_000);
    }
}

#[tokio::test]
async fn another_writer_is_detected_and_nothing_is_written_between_its_lines() {
    let directory = Directory::new();
    let path = directory.join("t.sse");
    let store = FileStore::open(&directory, HISTORY).unwrap();
    let topic = store.topic("t").unwrap();
    append(&topic, "first").await.unwrap();
    let mut ours = fs::read(&path).unwrap();
    for (what, message) in [
        ("longer", "another process"),
        ("shorter", "another process"),
        ("gone", "open"),
    ] {
        match what {
            "longer" => fs::write(&path, [&ours[..], b"data: theirs\n\n"].concat()),
            "shorter" => fs::write(&path, &ours[1..]),
            _ => fs::remove_file(&path),
        }
        .unwrap();
        let theirs = fs::read(&path).unwrap_or_default();
        for _ in 0..3 {
            let error = not_appended(append(&topic, "second").await);
            assert!(
                error.contains("t.sse") && error.contains(message),
                "{error}"
            );
        }
        assert_eq!(fs::read(&path).unwrap_or_default(), theirs, "{what}");
        // Other topics are not affected.
        append(&store.topic("other").unwrap(), "x").await.unwrap();
        // Once the file is restored, appends work again.
        fs::write(&path, &ours).unwrap();
        append(&topic, "second").await.unwrap();
        ours = fs::read(&path).unwrap();
    }
    // A file that another process created.
    let path = directory.join("new.sse");
    let topic = store.topic("new").unwrap();
    fs::write(&path, "theirs").unwrap();
    not_appended(append(&topic, "first").await);
    assert_eq!(fs::read(&path).unwrap(), b"theirs");
}

#[tokio::test]
async fn the_store_that_opened_the_directory_last_owns_it() {
    let directory = Directory::new();
    let old = FileStore::open(&directory, HISTORY).unwrap();
    let (old_topic, unused) = (old.topic("t").unwrap(), old.topic("unused").unwrap());
    let first = append(&old_topic, "first").await.unwrap();
    let new = FileStore::open(&directory, HISTORY).unwrap();
    let topic = new.topic("t").unwrap();
    for topic in [&old_topic, &unused] {
        let error = not_appended(append(topic, "old").await);
        assert!(error.contains("continue to use"), "{error}");
    }
    let second = append(&topic, "second").await.unwrap();
    not_appended(append(&old_topic, "old").await);
    assert!(second.epoch > first.epoch);
    let events = [(first, "first".to_owned()), (second, "second".to_owned())];
    let start = EventId { number: 0, ..first };
    assert_eq!(read_all(&topic, start).await, events);
    // The old store can still be read.
    assert_eq!(read_all(&old_topic, start).await, events[..1]);
    // Dropping the old store changes nothing.
    drop(old);
    append(&topic, "third").await.unwrap();
    assert!(matches!(
        append(&old_topic, "old").await,
        Err(AppendError::Unknown(_))
    ));
}

#[tokio::test]
async fn topics_with_a_file_are_kept_and_others_are_evicted() {
    let directory = Directory::new();
    let store = FileStore::open(&directory, HISTORY).unwrap().max_topics(3);
    for name in ["a", "b"] {
        append(&store.topic(name).unwrap(), name).await.unwrap();
    }
    for number in 0..1000 {
        let topic = store.topic(&format!("empty {number}")).unwrap();
        assert_eq!(newest(&topic).await.number, 0);
    }
    // A dropped append counts: there may be a file soon.
    {
        let topic = store.topic("c").unwrap();
        let token = token();
        let append = topic.append(Frame::message("c"), &token);
        let _ = futures_util::FutureExt::now_or_never(append);
    }
    assert!(matches!(
        store.topic("d").unwrap_err(),
        TopicError::TooMany { limit: 3, .. }
    ));
    drop(store);
    let store = FileStore::open(&directory, HISTORY).unwrap().max_topics(1);
    for name in ["a", "b", "c"] {
        let topic = store.topic(name).unwrap();
        let events = read_all(&topic, oldest(&topic).await).await;
        assert_eq!(events[0].1, name);
    }
    assert!(store.topic("d").is_err());
}

#[tokio::test]
async fn a_frame_without_data_is_refused() {
    let directory = Directory::new();
    let store = FileStore::open(&directory, HISTORY).unwrap();
    let topic = store.topic("t").unwrap();
    not_appended(topic.append(Frame::keep_alive(), &token()).await);
    not_appended(topic.append(Frame::new(), &token()).await);
    assert!(!directory.join("t.sse").exists());
}

#[tokio::test]
async fn dropping_the_store_waits_for_appended_events() {
    let directory = Directory::new();
    let store = FileStore::open(&directory, HISTORY).unwrap();
    for number in 0..100 {
        let topic = store.topic(&(number % 10).to_string()).unwrap();
        let token = token();
        let append = topic.append(Frame::message("x"), &token);
        let _ = futures_util::FutureExt::now_or_never(append);
    }
    drop(store);
    let store = FileStore::open(&directory, HISTORY).unwrap();
    assert_eq!(store.recovered().len(), 10);
    assert!(
        store
            .recovered()
            .iter()
            .all(|found| (found.events, found.truncated_bytes) == (10, 0))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_bounded() {
    let directory = Directory::new();
    let store = FileStore::open(&directory, 1000).unwrap();
    let topic = store.topic("t").unwrap();
    // Ten times the capacity of the queue, and one event that alone exceeds it.
    let long = "x".repeat(1 << 20);
    let longest = "x".repeat(20 << 20);
    let appends = (0..80).map(|number| {
        let data = if number == 40 { &longest } else { &long };
        append(&topic, data)
    });
    let ids = futures_util::future::join_all(appends).await;
    let numbers: BTreeSet<_> = ids.into_iter().map(|id| id.unwrap().number).collect();
    assert!(numbers.into_iter().eq(1..=80));
}

#[tokio::test]
async fn a_missing_directory_is_created_with_its_parents() {
    let directory = Directory::new();
    let path = directory.join("a/b/c");
    for events in 0..2 {
        let store = FileStore::open(&path, HISTORY).unwrap();
        assert_eq!(store.recovered().len(), events);
        append(&store.topic("t").unwrap(), "x").await.unwrap();
    }
    // A file cannot be opened as a directory.
    let error = FileStore::open(path.join("t.sse"), HISTORY).unwrap_err();
    assert!(error.to_string().contains("t.sse"), "{error}");
}

/// Measures appends per second:
/// `cargo test --release --test file -- --ignored --nocapture throughput`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn throughput() {
    let directory = Directory::new();
    let store = FileStore::open(&directory, HISTORY).unwrap();
    let data = "x".repeat(100);
    for (publishers, topics) in [(1, 1), (10, 1), (100, 1), (1000, 1), (10, 10), (1000, 100)] {
        let start = std::time::Instant::now();
        let publishing = (0..publishers).map(|publisher| {
            let topic = store.topic(&(publisher % topics).to_string()).unwrap();
            let (data, names) = (data.clone(), Publisher::new());
            tokio::spawn(async move {
                let mut count = 0_u32;
                while start.elapsed() < Duration::from_secs(2) {
                    let frame = Frame::message(&data);
                    topic.append(frame, &names.token()).await.unwrap();
                    count += 1;
                }
                count
            })
        });
        let publishing: Vec<_> = publishing.collect();
        let mut count = 0;
        for publisher in publishing {
            count += publisher.await.unwrap();
        }
        let rate = f64::from(count) / start.elapsed().as_secs_f64();
        println!("{publishers} publishers, {topics} topics: {rate:.0} appends per second");
    }
}
