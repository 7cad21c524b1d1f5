//! What a store finds when it opens a directory: truncated, foreign and restored files.

use super::*;

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
        let found = (&*found.name, found.events, found.truncated_bytes);
        assert_eq!(found, ("t", kept as u64, (len - end) as u64));
        assert_eq!(fs::read(directory.join("t.sse")).unwrap(), whole[..end]);

        let topic = store.topic("t").unwrap();
        let mut left = events[..kept].to_vec();
        assert_eq!(read_all(&topic, oldest(&topic).await).await, left);
        let before = newest(&topic).await;
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
        assert_eq!(store.recovered()[0].truncated_bytes, 0);
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
async fn restarts_cause_no_gap_however_many_there_are() {
    let directory = Directory::new();
    let mut events = Vec::new();
    let mut positions = HashSet::new();
    for run in 0..600 {
        let store = FileStore::open(&directory, HISTORY).unwrap();
        let topic = store.topic("t").unwrap();
        // Every position that a client may have received.
        if run > 0 {
            positions.insert(newest(&topic).await);
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
