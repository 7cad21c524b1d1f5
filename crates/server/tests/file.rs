//! `FileStore`: whatever happens to the process, the disk and the directory, no acknowledged event
//! is lost, and no id names two events. The rules of all stores are tested in contract.rs.

#[path = "../src/file/tests/directory.rs"]
mod directory;

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

fn not_done(result: Result<EventId, AppendError>) -> String {
    match result {
        Err(AppendError::NotDone(error)) => error.to_string(),
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

async fn head(topic: &FileTopic) -> EventId {
    topic.bounds().await.unwrap().head
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
async fn a_file_truncated_at_any_byte_consists_of_its_complete_events() {
    let directory = Directory::new();
    let mut events = Vec::new();
    // Two epochs.
    for run in 0..2 {
        let store = FileStore::open(&directory, HISTORY).unwrap();
        let topic = store.topic("t").unwrap();
        for data in &AWKWARD[4 * run as usize..] {
            let frame = Frame::message(data)
                .comment(" a\nid: 5-5\nid: ")
                .event("id: ")
                .unwrap()
                .retry(Duration::from_secs(run));
            let id = topic.append(frame, &token()).await.unwrap();
            events.push((id, decoded(data)));
        }
    }
    let whole = fs::read(directory.join("t.sse")).unwrap();
    let ends: Vec<_> = (1..=whole.len())
        .filter(|end| whole[..*end].ends_with(b"\n\n"))
        .collect();
    assert_eq!(ends.len(), events.len());
    let header = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    // Any decoder can read the file.
    let read: Vec<_> = decode_all(&whole).map(|event| event.into_data()).collect();
    assert_eq!(
        read,
        events.iter().map(|(_, data)| &**data).collect::<Vec<_>>()
    );

    let mut epochs: HashSet<u64> = events.iter().map(|(id, _)| id.epoch).collect();
    assert_eq!(epochs.len(), 2);
    for len in 0..=whole.len() {
        fs::write(directory.join("t.sse"), &whole[..len]).unwrap();
        let store = FileStore::open(&directory, HISTORY).unwrap();
        let kept = ends.iter().filter(|end| **end <= len).count();
        let end = match kept {
            0 if len < header => 0,
            0 => header,
            kept => ends[kept - 1],
        };
        let [found] = store.recovered() else { panic!() };
        let found = (&*found.name, found.events, found.cut);
        assert_eq!(found, ("t", kept as u64, (len - end) as u64));
        assert_eq!(fs::read(directory.join("t.sse")).unwrap(), whole[..end]);

        let topic = store.topic("t").unwrap();
        let mut left = events[..kept].to_vec();
        assert_eq!(read_all(&topic, oldest(&topic).await).await, left);
        let before = head(&topic).await;
        if let Some((last, _)) = left.last() {
            assert_eq!(before, *last);
        }
        let id = append(&topic, "next").await.unwrap();
        assert!(id.number == 1 && epochs.insert(id.epoch), "{id}");
        left.push((id, "next".to_owned()));
        // A client at any position continues without a gap.
        assert_eq!(read_all(&topic, oldest(&topic).await).await, left);
        assert_eq!(read_all(&topic, before).await, left[kept..]);
        for (place, (id, _)) in left.iter().enumerate() {
            assert_eq!(read_all(&topic, *id).await, left[place + 1..]);
        }
        // A client that has seen a truncated event gets a gap.
        for (id, _) in &events[kept..] {
            let read = topic.read_after(*id, 1000).await.unwrap();
            let ReadAfter::Gap { reason, .. } = read else {
                panic!("{read:?}")
            };
            assert!(matches!(reason, GapReason::Ahead | GapReason::Unknown));
        }
        drop(store);

        let store = FileStore::open(&directory, HISTORY).unwrap();
        let topic = store.topic("t").unwrap();
        assert_eq!(store.recovered()[0].cut, 0);
        assert_eq!(read_all(&topic, oldest(&topic).await).await, left);
        if end > 0 {
            assert_eq!(read_all(&topic, before).await, left[kept..]);
        }
    }
}

#[tokio::test]
async fn a_file_not_written_by_a_store_is_neither_opened_nor_changed() {
    let directory = Directory::new();
    let store = FileStore::open(&directory, HISTORY).unwrap();
    let topic = store.topic("t").unwrap();
    for data in ["first", "second", "third"] {
        append(&topic, data).await.unwrap();
    }
    drop(store);
    let text = fs::read_to_string(directory.join("t.sse")).unwrap();
    let second = text.find("data: second").unwrap();
    let third = text.find("id: ").unwrap();
    let invalid_utf8 = {
        let mut bytes = text.clone().into_bytes();
        bytes[second + 6] = 0xff;
        bytes
    };
    let changed: Vec<(&str, Vec<u8>)> = vec![
        ("another file", b"data: theirs\n\n".into()),
        ("text without an end", b"a note".into()),
        ("zeros", vec![0; 100]),
        (
            "an invalid position",
            text.replacen("after ", "after x", 1).into(),
        ),
        (
            "another version",
            text.replacen("log 1,", "log 10,", 1).into(),
        ),
        (
            "no position",
            b": sse-proto-server log 1, after \ndata".into(),
        ),
        (
            "an event without an id",
            [text.as_bytes(), b"data: x\n\n"].concat(),
        ),
        ("a repeated id", [&text[..], &text[third..]].concat().into()),
        (
            "a missing event",
            text.replacen("data: second\n\n", "", 1).into(),
        ),
        (
            "a missing event at the start",
            text.replacen(&text[third..second], "", 1).into(),
        ),
        ("an invalid id", text.replacen("-2\n", "-02\n", 1).into()),
        ("invalid UTF-8", invalid_utf8),
        ("CR LF", text.replace('\n', "\r\n").into()),
        (
            "a CR",
            text.replacen("data: second\n", "data: second\r", 1).into(),
        ),
    ];
    for (what, bytes) in changed {
        assert_ne!(bytes, text.as_bytes(), "{what}");
        fs::write(directory.join("t.sse"), &bytes).unwrap();
        let error = FileStore::open(&directory, HISTORY).expect_err(what);
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{what}");
        assert!(error.to_string().contains("t.sse: "), "{what}: {error}");
        assert_eq!(fs::read(directory.join("t.sse")).unwrap(), bytes, "{what}");
    }
    fs::write(directory.join("t.sse"), &text).unwrap();
    for name in ["T.sse", "a b.sse", "%61.sse"] {
        fs::write(directory.join(name), &text).unwrap();
        let error = FileStore::open(&directory, HISTORY).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        fs::remove_file(directory.join(name)).unwrap();
    }
    for name in ["notes.txt", "other.tmp", ".sse", "sse"] {
        fs::write(directory.join(name), "theirs").unwrap();
    }
    let store = FileStore::open(&directory, HISTORY).unwrap();
    assert_eq!(store.recovered()[0].events, 3);
    assert_eq!(fs::read(directory.join("other.tmp")).unwrap(), b"theirs");
    drop(store);
    fs::write(directory.join("epoch"), "17").unwrap();
    let error = FileStore::open(&directory, HISTORY).unwrap_err();
    assert!(error.to_string().contains("epoch"), "{error}");
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
            let before = head(&topic).await;
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
async fn restarts_cause_no_gap_however_many_there_are() {
    let directory = Directory::new();
    let mut events = Vec::new();
    let mut positions = HashSet::new();
    for run in 0..600 {
        let store = FileStore::open(&directory, HISTORY).unwrap();
        let topic = store.topic("t").unwrap();
        // Every position that a client may have received.
        if run > 0 {
            positions.insert(head(&topic).await);
        }
        if run % 2 == 0 {
            let data = run.to_string();
            events.push((append(&topic, &data).await.unwrap(), data));
        }
    }
    assert_eq!(positions.len(), 300);
    let store = FileStore::open(&directory, HISTORY).unwrap();
    let topic = store.topic("t").unwrap();
    assert_eq!(read_all(&topic, oldest(&topic).await).await, events);
    for (place, (id, _)) in events.iter().enumerate() {
        assert!(positions.contains(id));
        assert_eq!(read_all(&topic, *id).await, events[place + 1..]);
    }
}

#[tokio::test]
async fn a_restored_copy_of_the_directory_reuses_no_id() {
    let (directory, copy) = (Directory::new(), Directory::new());
    let mut ids = HashSet::new();
    let mut seen = Vec::new();
    for run in 0..5 {
        let store = FileStore::open(&directory, HISTORY).unwrap();
        let topic = store.topic("t").unwrap();
        for _ in 0..3 {
            let id = append(&topic, "x").await.unwrap();
            assert!(ids.insert(id), "{id} again");
            seen.push(id);
        }
        drop(store);
        for name in ["t.sse", "epoch"] {
            match run {
                0 => fs::copy(directory.join(name), copy.join(name)).unwrap(),
                _ => fs::copy(copy.join(name), directory.join(name)).unwrap(),
            };
        }
    }
    // Without the file `epoch`, the clock and the events determine the next epoch.
    fs::remove_file(directory.join("epoch")).unwrap();
    let text = fs::read_to_string(directory.join("t.sse")).unwrap();
    let epoch = seen[0].epoch.to_string();
    fs::write(
        directory.join("t.sse"),
        text.replace(&epoch, "9000000000000000000"),
    )
    .unwrap();
    let store = FileStore::open(&directory, HISTORY).unwrap();
    let topic = store.topic("t").unwrap();
    let id = append(&topic, "x").await.unwrap();
    assert!(id.epoch > 9_000_000_000_000_000_000);
    let other = append(&store.topic("other").unwrap(), "x").await.unwrap();
    assert!(other.epoch > id.epoch);
    // A client that has seen events that are not in the copy gets a gap.
    for id in &seen[3..] {
        let read = topic.read_after(*id, 1000).await.unwrap();
        assert!(matches!(read, ReadAfter::Gap { .. }), "{read:?}");
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
            let error = not_done(append(&topic, "second").await);
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
    not_done(append(&topic, "first").await);
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
        let error = not_done(append(topic, "old").await);
        assert!(error.contains("continue to use"), "{error}");
    }
    let second = append(&topic, "second").await.unwrap();
    not_done(append(&old_topic, "old").await);
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
        assert_eq!(head(&topic).await.number, 0);
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
    not_done(topic.append(Frame::keep_alive(), &token()).await);
    not_done(topic.append(Frame::new(), &token()).await);
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
            .all(|found| (found.events, found.cut) == (10, 0))
    );
}

/// This variable tells the test `child` what to do in a child process.
const CHILD: &str = "SSE_PROTO_SERVER_TEST_CHILD";

/// The process that appends and is killed or reaches a limit. It prints each result on a line.
#[test]
fn child() {
    let Ok(job) = env::var(CHILD) else { return };
    let mut job = job.splitn(4, ' ');
    let mut next = || job.next().unwrap();
    let (kind, run, history, directory) = (next(), next(), next().parse().unwrap(), next());
    let store = FileStore::open(directory, history).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    match kind {
        "append" => runtime.block_on(append_endlessly(&store, run)),
        "fill" => runtime.block_on(fill(&store)),
        other => panic!("{other}"),
    }
}

/// Prints a line in one write, so that it is complete or missing, and separate from the test
/// runner's output.
fn print_line(line: &str) {
    let mut out = io::stdout().lock();
    out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

async fn append_endlessly(store: &FileStore, run: &str) {
    let appends = (0..6).map(|task| async move {
        let name = ["even", "odd"][task % 2];
        let topic = store.topic(name).unwrap();
        let filler = "filler\n".repeat(task * 20);
        for count in 0.. {
            let data = format!("{run}.{task}.{count}\n{filler}");
            let id = append(&topic, &data).await.unwrap();
            print_line(&format!("appended {name} {id} {run}.{task}.{count}"));
        }
    });
    futures_util::future::join_all(appends).await;
}

fn spawn(kind: &str, run: usize, history: usize, directory: &Path, limit: Option<u32>) -> Child {
    let program = env::current_exe().unwrap();
    let mut command = match limit {
        None => Command::new(program),
        Some(limit) => {
            let mut command = Command::new("sh");
            // Makes a write above the limit an error instead of a signal.
            let script = format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" \"$@\"");
            command.arg("-c").arg(script).arg(program);
            command
        }
    };
    command
        .args(["--exact", "child", "--nocapture"])
        .env(
            CHILD,
            format!("{kind} {run} {history} {}", directory.display()),
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// Kills the process repeatedly. A small `history` causes files to be compacted meanwhile.
async fn kill_repeatedly(history: usize) -> (usize, u64, usize) {
    let directory = Directory::new();
    let mut acknowledged: HashMap<(String, EventId), String> = HashMap::new();
    let mut seen: HashMap<EventId, String> = HashMap::new();
    let mut cut = 0;
    for run in 0..20 {
        let mut child = spawn("append", run, history, &directory, None);
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        // Kill it some time after its first append.
        let mut line = String::new();
        while !line.starts_with("appended ") {
            line.clear();
            assert_ne!(lines.read_line(&mut line).unwrap(), 0);
        }
        let killer = std::thread::spawn(move || {
            let random = RandomState::new().hash_one(run);
            std::thread::sleep(Duration::from_micros(random % 60_000));
            child.kill().unwrap();
            child.wait().unwrap();
        });
        while line.ends_with('\n') {
            let mut words = line.split_whitespace();
            if words.next() == Some("appended") {
                let (name, id) = (words.next().unwrap(), words.next().unwrap());
                let data = words.next().unwrap().to_owned();
                let key = (name.to_owned(), id.parse().unwrap());
                assert_eq!(acknowledged.insert(key, data), None);
            }
            line.clear();
            lines.read_line(&mut line).unwrap();
        }
        killer.join().unwrap();

        let store = FileStore::open(&directory, history).unwrap();
        cut += store.recovered().iter().map(|found| found.cut).sum::<u64>();
        let mut all = HashSet::new();
        for name in ["even", "odd"] {
            let topic = store.topic(name).unwrap();
            let oldest = oldest(&topic).await;
            let events = read_all(&topic, oldest).await;
            let mut expected: HashMap<_, _> = acknowledged
                .iter()
                .filter(|((topic, id), _)| topic == name && *id > oldest)
                .map(|((_, id), data)| (*id, data))
                .collect();
            for (id, data) in events {
                let data = data.lines().next().unwrap().to_owned();
                assert!(all.insert(data.clone()), "{data} appears twice");
                if let Some(acknowledged) = expected.remove(&id) {
                    assert_eq!(*acknowledged, data);
                }
                let known = seen.entry(id).or_insert_with(|| data.clone());
                assert_eq!(*known, data, "{id} names two events");
            }
            assert!(expected.is_empty(), "run {run}: lost {expected:?}");
        }
    }
    let reported: HashSet<_> = acknowledged.keys().map(|(_, id)| id).collect();
    let unreported = seen.keys().filter(|id| !reported.contains(id)).count();
    (acknowledged.len(), cut, unreported)
}

#[tokio::test]
async fn a_killed_process_loses_no_acknowledged_event() {
    let all = kill_repeatedly(64 << 20).await;
    println!("{all:?} events acknowledged, bytes truncated, events not acknowledged");
    assert!(all.0 > 200, "{all:?}");
}

#[tokio::test]
async fn a_process_killed_during_compaction_loses_no_acknowledged_event() {
    let all = kill_repeatedly(16 << 10).await;
    println!("{all:?} events acknowledged, bytes truncated, events not acknowledged");
    assert!(all.0 > 200, "{all:?}");
}

async fn fill(store: &FileStore) {
    let topic = store.topic("t").unwrap();
    let path = env::var(CHILD).unwrap();
    let path = Path::new(path.rsplit(' ').next().unwrap()).join("t.sse");
    let long = "0123456789\n".repeat(150);
    let (mut ids, mut refused) = (Vec::new(), 0);
    while refused < 5 {
        let before = fs::metadata(&path).map_or(0, |file| file.len());
        match append(&topic, &long).await {
            Ok(id) => {
                ids.push(id);
                print_line(&format!("appended {id}"));
            }
            error => {
                not_done(error);
                refused += 1;
                // Nothing of the event is left.
                assert_eq!(fs::metadata(&path).unwrap().len(), before);
                assert!(fs::read(&path).unwrap().ends_with(b"\n\n"));
            }
        }
        let events = read_all(&topic, oldest(&topic).await).await;
        assert!(events.iter().map(|(id, _)| id).eq(&ids));
    }
    // There is room for short events.
    let mut short = 0;
    while let Ok(id) = append(&topic, "short").await {
        print_line(&format!("appended {id}"));
        short += 1;
    }
    assert!(short > 0);
    // The file of another topic has room.
    append(&store.topic("other").unwrap(), "x").await.unwrap();
    print_line("full");
}

#[tokio::test]
async fn a_full_disk_refuses_events_and_keeps_existing_ones() {
    for limit in [20, 21, 37] {
        let directory = Directory::new();
        let child = spawn("fill", 0, HISTORY, &directory, Some(limit));
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let lines = String::from_utf8(output.stdout).unwrap();
        assert!(lines.lines().any(|line| line == "full"), "{lines}");
        let acknowledged: Vec<EventId> = lines
            .lines()
            .filter_map(|line| line.strip_prefix("appended "))
            .map(|id| id.parse().unwrap())
            .collect();

        // Without the limit.
        let store = FileStore::open(&directory, HISTORY).unwrap();
        assert!(store.recovered().iter().all(|found| found.cut == 0));
        let topic = store.topic("t").unwrap();
        let events = read_all(&topic, oldest(&topic).await).await;
        assert!(events.iter().map(|(id, _)| id).eq(&acknowledged));
        let id = append(&topic, "next").await.unwrap();
        let last = *acknowledged.last().unwrap();
        assert_eq!(read_all(&topic, last).await, [(id, "next".to_owned())]);
    }
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

/// A measurement, not a check: `cargo test --release --test file -- --ignored --nocapture
/// throughput`.
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
