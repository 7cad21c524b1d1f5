//! The rules of the traits `Store` and `Topic`, as checks that are independent of the engine.
//!
//! [`reads`], [`tokens`] and [`waits`] are exact. [`run_with_fault`] lets publishers and readers
//! run while a [`Fault`] is injected, and then compares what they observed with what was
//! acknowledged.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::{FutureExt as _, future::join_all};
use sse_proto::{Frame, decode_all};
use sse_proto_server::{
    AppendError, EventId, GapReason, Publisher, ReadAfter, Store, Token, Topic,
};
use tokio::time::{sleep, timeout};

use crate::observations::{Observation, check_observations};

/// Only reached by a failing check.
const TIMEOUT: Duration = Duration::from_secs(60);

/// An engine under test, with one store for each simulated process.
pub(crate) trait Engine: Send + Sync + 'static {
    type Store: Store;

    /// The store of a process; `None` while it is down. A fault may replace it.
    fn store(&self, process: usize) -> Option<Arc<Self::Store>>;

    /// The number of processes that use the engine.
    fn processes(&self) -> usize;

    /// Injects a fault and reverts it if it is temporary.
    fn inject(&self, fault: Fault) -> impl Future<Output = ()> + Send;
}

/// A fault of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No fault, for comparison.
    None,
    /// It cannot be reached for a while.
    Unreachable,
    /// Its replies are late.
    Slow,
    /// It executes commands, but its replies do not arrive.
    RepliesLost,
    /// It restarts with all its data.
    Restarted,
    /// It restarts without data.
    Emptied,
    /// Old events are removed while clients read.
    Trimmed,
    /// The log is deleted while it is in use.
    Deleted,
    /// Another server without all events takes over.
    FailedOver,
}

type TopicOf<E> = <<E as Engine>::Store as Store>::Topic;

async fn topic<E: Engine>(engine: &E, process: usize, name: &str) -> Arc<TopicOf<E>> {
    loop {
        match engine.store(process) {
            Some(store) => return store.topic(name).unwrap(),
            None => sleep(Duration::from_millis(1)).await,
        }
    }
}

async fn append<T: Topic>(topic: &T, data: &str, token: &Token) -> EventId {
    topic.append(Frame::message(data), token).await.unwrap()
}

/// Decodes events, and checks them against `count` and `last`.
fn decode(read: &ReadAfter) -> Vec<(EventId, String)> {
    let ReadAfter::Events {
        frames,
        count,
        last,
        ..
    } = read
    else {
        panic!("{read:?} instead of events");
    };
    let events: Vec<_> = decode_all(frames.as_bytes())
        .map(|event| (event.last_event_id().parse().unwrap(), event.into_data()))
        .collect();
    assert_eq!(events.len() as u64, *count);
    assert_eq!(events.last().map(|(id, _)| id), Some(last));
    assert!(frames.as_bytes().ends_with(b"\n\n"));
    events
}

/// Reads all events up to a gap or the end.
async fn read_all<T: Topic>(
    topic: &T,
    mut after: EventId,
    max_bytes: usize,
) -> (Vec<(EventId, String)>, ReadAfter) {
    let mut events = Vec::new();
    loop {
        let read = topic.read_after(after, max_bytes).await.unwrap();
        if let ReadAfter::Events { last, .. } = read {
            assert!(last > after);
            after = last;
            events.extend(decode(&read));
        } else {
            return (events, read);
        }
    }
}

/// Waits until the topic has the event, which may have been appended by another process.
async fn caught_up<T: Topic>(topic: &T, id: EventId) {
    let reached = async {
        while topic.bounds().await.unwrap().newest < id {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(TIMEOUT, reached).await.unwrap();
}

/// Checks the four results of reading after a position, the size of reads, and that topics are
/// independent.
pub(crate) async fn reads<E: Engine>(engine: &E) {
    let publisher = Publisher::new();
    let writer = topic(engine, 0, "reads").await;
    let reader = topic(engine, engine.processes() - 1, "reads").await;

    let start = reader.bounds().await.unwrap();
    assert_eq!(start.newest.number, 0, "numbers start at 1");
    assert_eq!(start.oldest, start.newest);
    assert_eq!(
        reader.read_after(start.newest, 1000).await.unwrap(),
        ReadAfter::UpToDate
    );

    let mut sent = Vec::new();
    for number in 1..=20 {
        // Data that looks like the end of an event and the start of another one.
        let data = format!("{number}\n\nid: 7-7\ndata: {}\n\n", "x".repeat(number * 10));
        // The frame's own id is not stored.
        let frame = Frame::message(&data)
            .event("note")
            .unwrap()
            .id("9-9")
            .unwrap();
        let writer = if number % 2 == 0 { &writer } else { &reader };
        let id = writer.append(frame, &publisher.token()).await.unwrap();
        assert_eq!(
            id,
            EventId {
                epoch: start.newest.epoch,
                number: number as u64
            }
        );
        sent.push((id, data));
    }
    let newest = sent.last().unwrap().0;
    caught_up(&*reader, newest).await;
    for max_bytes in [0, 1, 100, 1000, 5000, usize::MAX] {
        let (events, end) = read_all(&*reader, start.newest, max_bytes).await;
        assert_eq!(events, sent, "in reads of {max_bytes}");
        assert_eq!(end, ReadAfter::UpToDate);
        let first = reader.read_after(start.newest, max_bytes).await.unwrap();
        let ReadAfter::Events { frames, count, .. } = first else {
            panic!()
        };
        assert!(count == 1 || frames.as_bytes().len() <= max_bytes);
    }
    let joined = reader.read_after(start.newest, usize::MAX).await.unwrap();
    assert_eq!(decode(&joined).len(), 20, "available events are joined");
    for (place, (id, _)) in sent.iter().enumerate() {
        assert_eq!(read_all(&*reader, *id, 1000).await.0, sent[place + 1..]);
    }
    let gap = |reason| ReadAfter::Gap {
        reason,
        resume: newest,
    };
    let position = |epoch, number| EventId { epoch, number };
    for (id, reason) in [
        (position(newest.epoch, newest.number + 1), GapReason::Ahead),
        (position(newest.epoch, u64::MAX), GapReason::Ahead),
        (position(newest.epoch + 1, 0), GapReason::Unknown),
        (position(newest.epoch + 1, 1), GapReason::Unknown),
        (position(newest.epoch - 1, 1), GapReason::Unknown),
        (position(1, 1), GapReason::Unknown),
        (position(0, 0), GapReason::Unknown),
        (position(u64::MAX, u64::MAX), GapReason::Unknown),
    ] {
        for topic in [&writer, &reader] {
            assert_eq!(
                topic.read_after(id, 1000).await.unwrap(),
                gap(reason),
                "{id}"
            );
        }
    }

    // Another topic is empty, and ids of this topic are unknown to it.
    let other = topic(engine, 0, "reads {of} another\u{2028}/../topic:%7b").await;
    let other_newest = other.bounds().await.unwrap().newest;
    assert_eq!(other_newest.number, 0);
    assert_ne!(other_newest.epoch, newest.epoch);
    let read = other.read_after(newest, 1000).await.unwrap();
    assert_eq!(
        read,
        ReadAfter::Gap {
            reason: GapReason::Unknown,
            resume: other_newest
        }
    );
}

/// Checks that each token is appended once.
pub(crate) async fn tokens<E: Engine>(engine: &E) {
    let publisher = Publisher::new();
    let topics = (0..engine.processes()).map(|process| topic(engine, process, "tokens"));
    let topics = join_all(topics).await;
    let start = topics[0].bounds().await.unwrap().newest;
    let created: Vec<_> = (0..40).map(|_| publisher.token()).collect();
    let mut ids = HashMap::new();
    // In reverse order, repeatedly, by each process.
    for token in created.iter().rev() {
        let id = append(&*topics[0], &token.count().to_string(), token).await;
        ids.insert(token.count(), id);
        for topic in &topics {
            assert_eq!(append(&**topic, "again", token).await, id);
        }
    }
    // Concurrently.
    let token = publisher.token();
    let attempts =
        (0..8).map(|number| append(&*topics[number % topics.len()], "concurrent", &token));
    let ids_of_token: HashSet<_> = join_all(attempts).await.into_iter().collect();
    assert_eq!(ids_of_token.len(), 1);

    // The first event of another publisher is a different event.
    let stranger = append(&*topics[0], "stranger", &Publisher::new().token()).await;
    caught_up(&**topics.last().unwrap(), stranger).await;
    let (events, _) = read_all(&**topics.last().unwrap(), start, 1000).await;
    assert_eq!(events.len(), 42);
    for (id, data) in &events[..40] {
        assert_eq!(ids[&data.parse::<u64>().unwrap()], *id);
    }

    // A dropped append has happened or not; its token decides.
    for polls in 0..3 {
        let token = publisher.token();
        {
            let mut dropped = pin!(topics[0].append(Frame::message("dropped"), &token));
            if polls > 0 {
                assert!(
                    dropped
                        .as_mut()
                        .now_or_never()
                        .is_none_or(|appended| appended.is_ok())
                );
            }
            if polls > 1 {
                sleep(Duration::from_millis(1)).await;
            }
        }
        let id = append(&*topics[0], "dropped", &token).await;
        assert_eq!(append(&*topics[0], "dropped", &token).await, id);
        caught_up(&*topics[0], id).await;
        let (events, _) = read_all(&*topics[0], stranger, 1000).await;
        let dropped = events.iter().filter(|(_, data)| data == "dropped").count();
        assert_eq!(dropped, polls + 1);
    }
}

/// Checks that a wait ends for events appended before or after the call.
pub(crate) async fn waits<E: Engine>(engine: &E) {
    let publisher = Publisher::new();
    let writer = topic(engine, 0, "waits").await;
    let reader = topic(engine, engine.processes() - 1, "waits").await;
    let mut position = reader.bounds().await.unwrap().newest;
    for round in 0..20 {
        // Futures that are dropped, not polled, or polled and kept: none misses an event.
        drop(reader.wait(position));
        let unpolled = reader.wait(position);
        let mut polled = Box::pin(reader.wait(position));
        let _ = polled.as_mut().now_or_never();
        let _ = Box::pin(reader.wait(position)).now_or_never();
        if round % 2 == 0 {
            sleep(Duration::from_millis(10)).await;
        }
        let id = append(&*writer, "x", &publisher.token()).await;
        timeout(TIMEOUT, follow(&*reader, &mut position, id))
            .await
            .expect("a wait that was created afterwards");
        // These two may have woken up spuriously, but must not be pending now.
        timeout(TIMEOUT, unpolled)
            .await
            .expect("a wait that was created before");
        timeout(TIMEOUT, polled)
            .await
            .expect("a wait that was in progress");
    }
}

/// Reads and waits up to that event.
async fn follow<T: Topic>(topic: &T, position: &mut EventId, to: EventId) {
    while *position < to {
        match topic.read_after(*position, 1000).await.unwrap() {
            ReadAfter::Events { last, .. } => *position = last,
            ReadAfter::UpToDate => topic.wait(*position).await,
            gap => panic!("{gap:?}"),
        }
    }
}

/// What all publishers and readers have observed.
#[derive(Default)]
struct History {
    /// The fault may lose events that have already been read.
    loses_events: bool,
    /// The data of each id.
    events: Mutex<BTreeMap<EventId, String>>,
    /// The id of each data.
    ids: Mutex<HashMap<String, EventId>>,
    acknowledged: Mutex<BTreeMap<EventId, String>>,
    not_appended: Mutex<HashSet<String>>,
    unknown: AtomicU64,
    gaps: AtomicU64,
    reads: AtomicU64,
    is_over: AtomicBool,
}

impl History {
    /// Records an event. No id names two events, and no event has two ids, unless the store has
    /// lost the first one.
    fn record(&self, id: EventId, data: &str) {
        let mut events = self.events.lock().unwrap();
        let known = events.entry(id).or_insert_with(|| data.to_owned());
        assert_eq!(known, data, "{id} names two events");
        let mut ids = self.ids.lock().unwrap();
        let known = ids.entry(data.to_owned()).or_insert(id);
        // Its publisher got no reply, and has retried the lost event.
        let was_lost = self.loses_events && known.epoch != id.epoch;
        assert!(
            *known == id || was_lost,
            "{data} was appended twice: {known} and {id}"
        );
    }
}

/// The outcome of a run, to print and to compare.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) acknowledged: usize,
    pub(crate) not_appended: usize,
    /// The number of appends with an unknown outcome, including retries.
    pub(crate) unknown: u64,
    pub(crate) gaps: u64,
    pub(crate) epochs: usize,
}

/// Runs publishers and readers in all processes while a fault is injected `times` times.
///
/// Checks that no id names two events; that no event has two ids, unless the store lost it; that
/// events reported as not appended do not appear; that each reader saw numbers without holes, or a
/// gap; that a reader that passed the end of an epoch without a gap saw all acknowledged events of
/// it; and that all readers reach the last event.
pub(crate) async fn run_with_fault<E: Engine>(
    engine: Arc<E>,
    fault: Fault,
    times: u32,
    name: &'static str,
) -> Summary {
    const PUBLISHERS: usize = 3;
    const READERS: usize = 4;

    let history = Arc::new(History {
        loses_events: matches!(fault, Fault::Emptied | Fault::Deleted | Fault::FailedOver),
        ..History::default()
    });
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|number| tokio::spawn(publish(engine.clone(), history.clone(), number, name)))
        .collect();
    let readers: Vec<_> = (0..READERS)
        .map(|number| tokio::spawn(read(engine.clone(), history.clone(), number, name)))
        .collect();
    for _ in 0..times {
        sleep(Duration::from_millis(100)).await;
        engine.inject(fault).await;
    }
    sleep(Duration::from_millis(200)).await;
    history.is_over.store(true, Relaxed);
    let publishing = timeout(TIMEOUT, join_all(publishers)).await;
    for publisher in publishing.expect("a publisher does not end") {
        publisher.unwrap();
    }

    // The last event is published until that succeeds.
    let publisher = Publisher::new();
    let last = timeout(TIMEOUT, async {
        for attempt in 0.. {
            let (place, token) = ((&*engine, 0, name), publisher.token());
            let data = format!("the end {attempt}");
            if let Some(id) = append_until_known(place, &data, &token, &history).await {
                return id;
            }
            sleep(Duration::from_millis(50)).await;
        }
        unreachable!()
    });
    let last = last.await.expect("appending fails permanently");
    let seen = timeout(TIMEOUT, join_all(readers)).await;
    let acknowledged = history.acknowledged.lock().unwrap();
    for (number, reader) in seen
        .expect("a reader does not reach the end")
        .into_iter()
        .enumerate()
    {
        check_observations(number, &reader.unwrap(), &acknowledged, last);
    }
    let not_appended = history.not_appended.lock().unwrap();
    for data in not_appended.iter() {
        assert!(
            !history.ids.lock().unwrap().contains_key(data),
            "{data} was reported as not appended"
        );
    }
    let epochs: HashSet<_> = acknowledged.keys().map(|id| id.epoch).collect();
    Summary {
        acknowledged: acknowledged.len(),
        not_appended: not_appended.len(),
        unknown: history.unknown.load(Relaxed),
        gaps: history.gaps.load(Relaxed),
        epochs: epochs.len(),
    }
}

/// Appends, and retries while the outcome is unknown. `None` if the event was not appended.
async fn append_until_known<E: Engine>(
    (engine, process, name): (&E, usize, &str),
    data: &str,
    token: &Token,
    history: &History,
) -> Option<EventId> {
    loop {
        // Look up the topic each time: the process may have been restarted.
        let topic = topic(engine, process, name).await;
        match topic.append(Frame::message(data), token).await {
            Ok(id) => {
                history.record(id, data);
                let mut acknowledged = history.acknowledged.lock().unwrap();
                acknowledged.insert(id, data.to_owned());
                return Some(id);
            }
            Err(AppendError::NotAppended(_)) => return None,
            Err(_) => {
                drop(topic);
                history.unknown.fetch_add(1, Relaxed);
                sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

async fn publish<E: Engine>(engine: Arc<E>, history: Arc<History>, number: usize, name: &str) {
    let publisher = Publisher::new();
    let process = number % engine.processes();
    for count in 0.. {
        if history.is_over.load(Relaxed) {
            return;
        }
        // Bursts occur in practice.
        let burst = if count % 7 == 0 { 5 } else { 1 };
        let events: Vec<_> = (0..burst)
            .map(|part| (format!("{number}: {count}.{part}"), publisher.token()))
            .collect();
        let place = (&*engine, process, name);
        let appends = events
            .iter()
            .map(|(data, token)| append_until_known(place, data, token, &history));
        for (done, (data, _)) in join_all(appends).await.iter().zip(&events) {
            if done.is_none() {
                history.not_appended.lock().unwrap().insert(data.clone());
            }
        }
        sleep(Duration::from_millis(3)).await;
    }
}

/// Reads up to "the end". One reader sometimes returns to its previous position.
async fn read<E: Engine>(
    engine: Arc<E>,
    history: Arc<History>,
    number: usize,
    name: &str,
) -> Vec<Observation> {
    let process = number % engine.processes();
    let mut observations = Vec::new();
    let mut position = loop {
        let topic = topic(&*engine, process, name).await;
        match topic.bounds().await {
            Ok(bounds) => {
                break if number % 2 == 0 {
                    bounds.oldest
                } else {
                    bounds.newest
                };
            }
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    };
    observations.push(Observation::Start(position));
    for round in 1_u64.. {
        let topic = topic(&*engine, process, name).await;
        let after = position;
        history.reads.fetch_add(1, Relaxed);
        match topic
            .read_after(after, if number == 0 { 40 } else { 4096 })
            .await
        {
            Ok(ReadAfter::UpToDate) => topic_wait(&*topic, after).await,
            Ok(ReadAfter::Gap { reason, resume, .. }) => {
                history.gaps.fetch_add(1, Relaxed);
                observations.push(Observation::Gap {
                    after,
                    reason,
                    resume,
                });
                position = resume;
            }
            Ok(read) => {
                for (id, data) in decode(&read) {
                    history.record(id, &data);
                    observations.push(Observation::Event(id));
                    position = id;
                    if data.starts_with("the end") {
                        return observations;
                    }
                }
                // Like a client that lost its connection and the last data sent to it.
                if number == 3 && round % 5 == 0 {
                    position = after;
                    observations.push(Observation::Start(position));
                }
            }
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
    observations
}

/// Waits for a limited time, because the topic's store may have been replaced.
async fn topic_wait<T: Topic>(topic: &T, after: EventId) {
    let wait: Pin<Box<dyn Future<Output = ()> + Send + '_>> = Box::pin(topic.wait(after));
    let _ = timeout(Duration::from_millis(30), wait).await;
}
