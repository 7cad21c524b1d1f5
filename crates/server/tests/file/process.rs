//! Processes that are killed or reach a file size limit.

use super::*;

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
        .args(["--exact", "process::child", "--nocapture"])
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
    let mut truncated_bytes = 0;
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
        truncated_bytes += store
            .recovered()
            .iter()
            .map(|found| found.truncated_bytes)
            .sum::<u64>();
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
    (acknowledged.len(), truncated_bytes, unreported)
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
                not_appended(error);
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
        assert!(
            store
                .recovered()
                .iter()
                .all(|found| found.truncated_bytes == 0)
        );
        let topic = store.topic("t").unwrap();
        let events = read_all(&topic, oldest(&topic).await).await;
        assert!(events.iter().map(|(id, _)| id).eq(&acknowledged));
        let id = append(&topic, "next").await.unwrap();
        let last = *acknowledged.last().unwrap();
        assert_eq!(read_all(&topic, last).await, [(id, "next".to_owned())]);
    }
}
