//! What every store has to do, whatever happens to it: the rules of the traits `Store` and `Topic`,
//! as checks that know nothing of the engine.
//!
//! [`answers`], [`tokens`] and [`waits`] are exact. [`life`] lets publishers and readers run while a
//! [`Fault`] is put in, and then holds what everybody has seen against what was acknowledged.

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

use crate::witness::{Step, check_reader};

/// Only a failing check waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// An engine under test, with as many stores on it as there are processes in real life.
pub(crate) trait Engine: Send + Sync + 'static {
    type Store: Store;

    /// The store of one process; none while it is down. After a fault it may be another one.
    fn store(&self, process: usize) -> Option<Arc<Self::Store>>;

    /// How many processes use the engine.
    fn processes(&self) -> usize;

    /// Lets the fault happen, and undoes what does not last.
    fn inject(&self, fault: Fault) -> impl Future<Output = ()> + Send;
}

/// What can happen to a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing, to have seen that, too.
    None,
    /// It cannot be reached for a while.
    Away,
    /// It answers late.
    Slow,
    /// It does what it is told, and its answers do not arrive.
    AnswersLost,
    /// It ends and starts again with all that it had.
    Restarted,
    /// It ends and starts again with nothing.
    Emptied,
    /// Old events are removed while others read.
    Trimmed,
    /// The log is deleted while others use it.
    Deleted,
    /// Another one takes over that has not got all events.
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

/// The events of a run, checked to be what the store says of it.
fn decode(read: &ReadAfter) -> Vec<(EventId, String)> {
    let ReadAfter::Events {
        frames,
        count,
        last,
        ..
    } = read
    else {
        panic!("{read:?} where events are due");
    };
    let events: Vec<_> = decode_all(frames.as_bytes())
        .map(|event| (event.last_event_id().parse().unwrap(), event.into_data()))
        .collect();
    assert_eq!(events.len() as u64, *count);
    assert_eq!(events.last().map(|(id, _)| id), Some(last));
    assert!(frames.as_bytes().ends_with(b"\n\n"));
    events
}

/// All that follows, up to a gap or the end.
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

/// Waits until the topic has the event, which another process may have appended.
async fn caught_up<T: Topic>(topic: &T, id: EventId) {
    let reached = async {
        while topic.bounds().await.unwrap().head < id {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, reached).await.unwrap();
}

/// The four answers to a position, the size of runs, and that topics have nothing to do with each
/// other.
pub(crate) async fn answers<E: Engine>(engine: &E) {
    let publisher = Publisher::new();
    let writer = topic(engine, 0, "answers").await;
    let reader = topic(engine, engine.processes() - 1, "answers").await;

    let start = reader.bounds().await.unwrap();
    assert_eq!(start.head.number, 0, "numbers start at 1");
    assert_eq!(start.oldest, start.head);
    assert_eq!(
        reader.read_after(start.head, 1000).await.unwrap(),
        ReadAfter::UpToDate
    );

    let mut sent = Vec::new();
    for number in 1..=20 {
        // Data that looks like the end of one event and the start of another.
        let data = format!("{number}\n\nid: 7-7\ndata: {}\n\n", "x".repeat(number * 10));
        // An id of its own is not stored.
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
                epoch: start.head.epoch,
                number: number as u64
            }
        );
        sent.push((id, data));
    }
    let head = sent.last().unwrap().0;
    caught_up(&*reader, head).await;
    for max_bytes in [0, 1, 100, 1000, 5000, usize::MAX] {
        let (events, end) = read_all(&*reader, start.head, max_bytes).await;
        assert_eq!(events, sent, "in runs of {max_bytes}");
        assert_eq!(end, ReadAfter::UpToDate);
        let first = reader.read_after(start.head, max_bytes).await.unwrap();
        let ReadAfter::Events { frames, count, .. } = first else {
            panic!()
        };
        assert!(count == 1 || frames.as_bytes().len() <= max_bytes);
    }
    let runs_join = reader.read_after(start.head, usize::MAX).await.unwrap();
    assert_eq!(
        decode(&runs_join).len(),
        20,
        "events that are there come joined"
    );
    for (place, (id, _)) in sent.iter().enumerate() {
        assert_eq!(read_all(&*reader, *id, 1000).await.0, sent[place + 1..]);
    }
    let gap = |reason| ReadAfter::Gap {
        reason,
        resume: head,
    };
    let position = |epoch, number| EventId { epoch, number };
    for (id, reason) in [
        (position(head.epoch, head.number + 1), GapReason::Ahead),
        (position(head.epoch, u64::MAX), GapReason::Ahead),
        (position(head.epoch + 1, 0), GapReason::Unknown),
        (position(head.epoch + 1, 1), GapReason::Unknown),
        (position(head.epoch - 1, 1), GapReason::Unknown),
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

    // Another topic is empty, and no id of this one is one of that one.
    let other = topic(engine, 0, "answers {of} another\u{2028}/../topic:%7b").await;
    let other_head = other.bounds().await.unwrap().head;
    assert_eq!(other_head.number, 0);
    assert_ne!(other_head.epoch, head.epoch);
    let read = other.read_after(head, 1000).await.unwrap();
    assert_eq!(
        read,
        ReadAfter::Gap {
            reason: GapReason::Unknown,
            resume: other_head
        }
    );
}

/// One token, one event.
pub(crate) async fn tokens<E: Engine>(engine: &E) {
    let publisher = Publisher::new();
    let topics = (0..engine.processes()).map(|process| topic(engine, process, "tokens"));
    let topics = join_all(topics).await;
    let start = topics[0].bounds().await.unwrap().head;
    let made: Vec<_> = (0..40).map(|_| publisher.token()).collect();
    let mut ids = HashMap::new();
    // Backwards, twice, by each process.
    for token in made.iter().rev() {
        let id = append(&*topics[0], &token.count().to_string(), token).await;
        ids.insert(token.count(), id);
        for topic in &topics {
            assert_eq!(append(&**topic, "again", token).await, id);
        }
    }
    // At once.
    let token = publisher.token();
    let tries = (0..8).map(|number| append(&*topics[number % topics.len()], "at once", &token));
    let at_once: HashSet<_> = join_all(tries).await.into_iter().collect();
    assert_eq!(at_once.len(), 1);

    // Another publisher's first event is another one.
    let stranger = append(&*topics[0], "stranger", &Publisher::new().token()).await;
    caught_up(&**topics.last().unwrap(), stranger).await;
    let (events, _) = read_all(&**topics.last().unwrap(), start, 1000).await;
    assert_eq!(events.len(), 42);
    for (id, data) in &events[..40] {
        assert_eq!(ids[&data.parse::<u64>().unwrap()], *id);
    }

    // A dropped append has happened or not, and its token tells.
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

/// A wait ends for whatever is appended, before it or after.
pub(crate) async fn waits<E: Engine>(engine: &E) {
    let publisher = Publisher::new();
    let writer = topic(engine, 0, "waits").await;
    let reader = topic(engine, engine.processes() - 1, "waits").await;
    let mut position = reader.bounds().await.unwrap().head;
    for round in 0..20 {
        // Made and not polled, polled and dropped, polled and kept: none of them misses anything.
        drop(reader.wait(position));
        let unpolled = reader.wait(position);
        let mut polled = Box::pin(reader.wait(position));
        let _ = polled.as_mut().now_or_never();
        let _ = Box::pin(reader.wait(position)).now_or_never();
        if round % 2 == 0 {
            sleep(Duration::from_millis(10)).await;
        }
        let id = append(&*writer, "x", &publisher.token()).await;
        timeout(PATIENCE, follow(&*reader, &mut position, id))
            .await
            .expect("a wait that began later");
        // These two may have been ready for nothing before, but not be pending now.
        timeout(PATIENCE, unpolled)
            .await
            .expect("a wait that was made before");
        timeout(PATIENCE, polled)
            .await
            .expect("a wait that was under way");
    }
}

/// Reads and waits until that event was read.
async fn follow<T: Topic>(topic: &T, position: &mut EventId, to: EventId) {
    while *position < to {
        match topic.read_after(*position, 1000).await.unwrap() {
            ReadAfter::Events { last, .. } => *position = last,
            ReadAfter::UpToDate => topic.wait(*position).await,
            gap => panic!("{gap:?}"),
        }
    }
}

/// What everybody has seen in a life of a store.
#[derive(Default)]
struct Witness {
    /// The fault is one that loses events which were seen already.
    loses: bool,
    /// The data of each id, by whoever saw it.
    events: Mutex<BTreeMap<EventId, String>>,
    /// The id of all data.
    ids: Mutex<HashMap<String, EventId>>,
    acknowledged: Mutex<BTreeMap<EventId, String>>,
    not_done: Mutex<HashSet<String>>,
    unknown: AtomicU64,
    gaps: AtomicU64,
    reads: AtomicU64,
    over: AtomicBool,
}

impl Witness {
    /// No id ever names two events, and no event has two ids, unless the store has lost the first.
    fn saw(&self, id: EventId, data: &str) {
        let mut events = self.events.lock().unwrap();
        let known = events.entry(id).or_insert_with(|| data.to_owned());
        assert_eq!(known, data, "{id} names two events");
        let mut ids = self.ids.lock().unwrap();
        let known = ids.entry(data.to_owned()).or_insert(id);
        // Its publisher had no answer, and has tried again what was lost.
        let was_lost = self.loses && known.epoch != id.epoch;
        assert!(
            *known == id || was_lost,
            "{data} was appended twice: {known} and {id}"
        );
    }
}

/// What a life came to, to print and to compare.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) acknowledged: usize,
    pub(crate) not_done: usize,
    /// How often nobody knew, before trying again.
    pub(crate) unknown: u64,
    pub(crate) gaps: u64,
    pub(crate) epochs: usize,
}

/// Publishers append by all processes and readers follow, while a fault happens `times` times.
///
/// Then: no id names two events; no event has two ids, unless the store lost it; what was "not done" is nowhere; each reader has
/// seen numbers without holes, or a gap; at the end of an epoch without a gap, it has seen all that was
/// acknowledged of it; and all of them get to what is published when everything is over.
pub(crate) async fn life<E: Engine>(
    engine: Arc<E>,
    fault: Fault,
    times: u32,
    name: &'static str,
) -> Summary {
    const PUBLISHERS: usize = 3;
    const READERS: usize = 4;

    let witness = Arc::new(Witness {
        loses: matches!(fault, Fault::Emptied | Fault::Deleted | Fault::FailedOver),
        ..Witness::default()
    });
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|number| tokio::spawn(publish(engine.clone(), witness.clone(), number, name)))
        .collect();
    let readers: Vec<_> = (0..READERS)
        .map(|number| tokio::spawn(read(engine.clone(), witness.clone(), number, name)))
        .collect();
    for _ in 0..times {
        sleep(Duration::from_millis(100)).await;
        engine.inject(fault).await;
    }
    sleep(Duration::from_millis(200)).await;
    witness.over.store(true, Relaxed);
    let publishing = timeout(PATIENCE, join_all(publishers)).await;
    for publisher in publishing.expect("a publisher does not come to an end") {
        publisher.unwrap();
    }

    // The last event. It is as good as any to try often.
    let publisher = Publisher::new();
    let last = timeout(PATIENCE, async {
        for attempt in 0.. {
            let (place, token) = ((&*engine, 0, name), publisher.token());
            let data = format!("the end {attempt}");
            if let Some(id) = append_for_certain(place, &data, &token, &witness).await {
                return id;
            }
            sleep(Duration::from_millis(50)).await;
        }
        unreachable!()
    });
    let last = last.await.expect("nothing can be appended any more");
    let seen = timeout(PATIENCE, join_all(readers)).await;
    let acknowledged = witness.acknowledged.lock().unwrap();
    for (number, reader) in seen
        .expect("a reader does not get to the end")
        .into_iter()
        .enumerate()
    {
        check_reader(number, &reader.unwrap(), &acknowledged, last);
    }
    let not_done = witness.not_done.lock().unwrap();
    for data in not_done.iter() {
        assert!(
            !witness.ids.lock().unwrap().contains_key(data),
            "{data} was \"not done\""
        );
    }
    let epochs: HashSet<_> = acknowledged.keys().map(|id| id.epoch).collect();
    Summary {
        acknowledged: acknowledged.len(),
        not_done: not_done.len(),
        unknown: witness.unknown.load(Relaxed),
        gaps: witness.gaps.load(Relaxed),
        epochs: epochs.len(),
    }
}

/// Appends, and tries again as long as nobody knows. `None` is "not done".
async fn append_for_certain<E: Engine>(
    (engine, process, name): (&E, usize, &str),
    data: &str,
    token: &Token,
    witness: &Witness,
) -> Option<EventId> {
    loop {
        // Each time that of the process as it is then: it may have been started again.
        let topic = topic(engine, process, name).await;
        match topic.append(Frame::message(data), token).await {
            Ok(id) => {
                witness.saw(id, data);
                let mut acknowledged = witness.acknowledged.lock().unwrap();
                acknowledged.insert(id, data.to_owned());
                return Some(id);
            }
            Err(AppendError::NotDone(_)) => return None,
            Err(_) => {
                drop(topic);
                witness.unknown.fetch_add(1, Relaxed);
                sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

async fn publish<E: Engine>(engine: Arc<E>, witness: Arc<Witness>, number: usize, name: &str) {
    let publisher = Publisher::new();
    let process = number % engine.processes();
    for count in 0.. {
        if witness.over.load(Relaxed) {
            return;
        }
        // In bursts, as they come in real life.
        let burst = if count % 7 == 0 { 5 } else { 1 };
        let events: Vec<_> = (0..burst)
            .map(|part| (format!("{number}: {count}.{part}"), publisher.token()))
            .collect();
        let place = (&*engine, process, name);
        let appends = events
            .iter()
            .map(|(data, token)| append_for_certain(place, data, token, &witness));
        for (done, (data, _)) in join_all(appends).await.iter().zip(&events) {
            if done.is_none() {
                witness.not_done.lock().unwrap().insert(data.clone());
            }
        }
        sleep(Duration::from_millis(3)).await;
    }
}

/// Follows to "the end", through whatever process; some of them now and then from where they were
/// before.
async fn read<E: Engine>(
    engine: Arc<E>,
    witness: Arc<Witness>,
    number: usize,
    name: &str,
) -> Vec<Step> {
    let process = number % engine.processes();
    let mut steps = Vec::new();
    let mut position = loop {
        let topic = topic(&*engine, process, name).await;
        match topic.bounds().await {
            Ok(bounds) => {
                break if number % 2 == 0 {
                    bounds.oldest
                } else {
                    bounds.head
                };
            }
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    };
    steps.push(Step::At(position));
    for round in 1_u64.. {
        let topic = topic(&*engine, process, name).await;
        let after = position;
        witness.reads.fetch_add(1, Relaxed);
        match topic
            .read_after(after, if number == 0 { 40 } else { 4096 })
            .await
        {
            Ok(ReadAfter::UpToDate) => topic_wait(&*topic, after).await,
            Ok(ReadAfter::Gap { reason, resume, .. }) => {
                witness.gaps.fetch_add(1, Relaxed);
                steps.push(Step::Gap {
                    after,
                    reason,
                    resume,
                });
                position = resume;
            }
            Ok(read) => {
                for (id, data) in decode(&read) {
                    witness.saw(id, &data);
                    steps.push(Step::Event(id));
                    position = id;
                    if data.starts_with("the end") {
                        return steps;
                    }
                }
                // A client that lost its connection, and what it was sent last.
                if number == 3 && round % 5 == 0 {
                    position = after;
                    steps.push(Step::At(position));
                }
            }
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
    steps
}

/// A wait is a hint and no promise that the topic's store is still the one in use.
async fn topic_wait<T: Topic>(topic: &T, after: EventId) {
    let wait: Pin<Box<dyn Future<Output = ()> + Send + '_>> = Box::pin(topic.wait(after));
    let _ = timeout(Duration::from_millis(30), wait).await;
}
