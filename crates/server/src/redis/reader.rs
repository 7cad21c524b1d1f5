//! The task that reads all topics for which somebody waits, over a connection of its own.
//!
//! One XREAD blocks on all of their streams. A topic is added by ending that XREAD as if by time-out,
//! which loses nothing: the positions are those of the windows.

use std::{
    future::{Future as _, poll_fn},
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use ::redis::{Client, Script, Value, aio::MultiplexedConnection};
use tokio::{sync::Notify, time};

use super::{
    claim,
    link::{Fault, Link, connect, query},
    reply,
    window::Window,
};
use crate::EventId;

/// How long one XREAD blocks.
const BLOCK: Duration = Duration::from_secs(5);
/// After so long without an answer to it, the connection is taken for dead.
const DEADLINE: Duration = Duration::from_secs(8);
/// How often each topic is looked at even if nothing is told of it: an XREAD is not woken when its
/// stream is deleted.
const RECHECK: Duration = Duration::from_secs(30);
/// How many claims are sent at once.
const BATCH: usize = 64;
/// How often it is read on before those who wait are woken: a burst is to reach them in one piece, and
/// one without an end is to reach them, too.
const ROUNDS: usize = 8;
/// About how much one answer may be.
const ANSWER: usize = 1 << 20;

/// What the task shares with the topics.
#[derive(Debug)]
pub(super) struct Reader {
    client: Client,
    link: Arc<Link>,
    claim: Script,
    epoch_floor: u64,
    added: Mutex<Vec<Arc<Window>>>,
    kick: Notify,
    /// Changes before and after each XREAD that blocks.
    turn: AtomicU64,
    /// How many connections there were.
    connections: AtomicU64,
}

impl Reader {
    pub(super) fn new(client: Client, link: Arc<Link>, claim: Script, epoch_floor: u64) -> Self {
        Self {
            client,
            link,
            claim,
            epoch_floor,
            added: Mutex::default(),
            kick: Notify::new(),
            turn: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        }
    }

    /// How often a connection was followed by another one.
    pub(super) fn reconnects(&self) -> u64 {
        self.connections.load(Ordering::Relaxed).saturating_sub(1)
    }

    pub(super) fn add(&self, window: Arc<Window>) {
        let mut added = self.added.lock().unwrap_or_else(PoisonError::into_inner);
        added.push(window);
        drop(added);
        self.kick.notify_one();
    }

    fn take_added(&self) -> Vec<Arc<Window>> {
        std::mem::take(&mut *self.added.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads for ever.
    pub(super) async fn run(self: Arc<Self>) {
        const PAUSES: [u64; 6] = [0, 100, 200, 500, 1000, 2000];
        let mut topics = Vec::new();
        let mut failures = 0;
        loop {
            let pause = PAUSES.get(failures).or(PAUSES.last()).copied().unwrap_or(0);
            time::sleep(Duration::from_millis(pause)).await;
            failures += 1;
            self.absorb(&mut topics);
            if topics.is_empty() {
                self.kick.notified().await;
                self.absorb(&mut topics);
            }
            let Ok(connection) = connect(&self.client).await else {
                continue;
            };
            self.connections.fetch_add(1, Ordering::Relaxed);
            let mut session = Session {
                reader: &self,
                connection,
                id: None,
                event_len: 1 << 12,
            };
            // It only ever ends in a fault, of which nobody is to be told but those who count.
            drop(session.follow(&mut topics, &mut failures).await);
        }
    }

    /// Adds the topics for which somebody waits now, and returns them.
    fn absorb(&self, topics: &mut Vec<Arc<Window>>) -> Vec<Arc<Window>> {
        let added = self.take_added();
        for window in &added {
            // The store may have dropped a topic and made it anew.
            topics.retain(|other| other.keys.log != window.keys.log);
            topics.push(window.clone());
        }
        added
    }

    /// Ends the XREAD of that turn, which may not have begun yet.
    async fn unblock(self: Arc<Self>, turn: u64, id: i64) {
        let mut command = ::redis::cmd("CLIENT");
        command.arg("UNBLOCK").arg(id);
        for _ in 0..100 {
            if self.turn.load(Ordering::SeqCst) != turn {
                return;
            }
            let Ok(connection) = self.link.connection().await else {
                return;
            };
            match self.link.query(&connection, &command, Link::PATIENCE).await {
                Ok(Value::Int(0)) => time::sleep(Duration::from_millis(5)).await,
                // If that is not permitted, the topic is added after the time-out.
                _ => return,
            }
        }
    }
}

/// One connection.
struct Session<'r> {
    reader: &'r Arc<Reader>,
    connection: MultiplexedConnection,
    id: Option<i64>,
    /// The mean length of events.
    event_len: usize,
}

impl Session<'_> {
    async fn follow(
        &mut self,
        topics: &mut Vec<Arc<Window>>,
        failures: &mut usize,
    ) -> Result<(), Fault> {
        let mut command = ::redis::cmd("CLIENT");
        command.arg("ID");
        match query(&mut self.connection, &command, Link::PATIENCE).await {
            Ok(Value::Int(id)) => self.id = Some(id),
            Err(Fault::Lost(error)) => return Err(Fault::Lost(error)),
            _ => {}
        }
        self.join(topics).await?;
        let mut checked = Instant::now();
        loop {
            *failures = 0;
            let added = self.reader.absorb(topics);
            self.join(&added).await?;
            topics.retain(|window| !window.is_unused());
            if topics.is_empty() {
                self.reader.kick.notified().await;
                continue;
            }
            if checked.elapsed() >= RECHECK {
                self.join(topics).await?;
                checked = Instant::now();
            }
            let woken = self.read(topics, true).await?;
            self.read_on(woken).await?;
        }
    }

    /// Finds out where each stream ends, and reads up to there. A new epoch begins where the server was
    /// started again or is another one.
    async fn join(&mut self, topics: &[Arc<Window>]) -> Result<(), Fault> {
        for batch in topics.chunks(BATCH) {
            let lasts = self.claim(batch).await?;
            let mut changed: Vec<_> = batch
                .iter()
                .zip(&lasts)
                .map(|(window, last)| window.begin(*last))
                .collect();
            loop {
                let behind: Vec<_> = batch
                    .iter()
                    .zip(&lasts)
                    .filter(|(window, last)| window.head() < Some(**last))
                    .map(|(window, _)| window.clone())
                    .collect();
                if behind.is_empty() || self.read(&behind, false).await?.is_empty() {
                    break;
                }
                for window in behind {
                    window.notify();
                }
            }
            for ((window, last), changed) in batch.iter().zip(&lasts).zip(&mut changed) {
                if window.settle(*last) || *changed {
                    window.notify();
                }
            }
        }
        Ok(())
    }

    /// The last ids of the streams.
    async fn claim(&mut self, topics: &[Arc<Window>]) -> Result<Vec<EventId>, Fault> {
        let script = &self.reader.claim;
        let mut pipeline = ::redis::pipe();
        pipeline.cmd("SCRIPT").arg("LOAD").arg(claim::SOURCE);
        for window in topics {
            let command = claim::command(script, &window.keys, self.reader.epoch_floor);
            pipeline.add_command(command);
        }
        let answers = pipeline.query_async::<Vec<Value>>(&mut self.connection);
        let answers = match time::timeout(Link::PATIENCE, answers).await {
            Ok(Ok(answers)) => answers,
            Ok(Err(error)) => return Err(Fault::Lost(error)),
            Err(_) => return Err(Fault::Lost(reply::unexpected("no answer in time"))),
        };
        let answers = answers.into_iter().skip(1);
        answers.map(|answer| Ok(claim::parse(answer)?.1)).collect()
    }

    /// After a wake-up there is mostly more, a moment later. Reads until nothing is left, and wakes
    /// those who wait.
    async fn read_on(&mut self, woken: Vec<Arc<Window>>) -> Result<(), Fault> {
        let mut more = woken.clone();
        let mut result = Ok(());
        for _ in 0..ROUNDS {
            if more.is_empty() {
                break;
            }
            match self.read(&more, false).await {
                Ok(read) => more = read,
                Err(fault) => {
                    result = Err(fault);
                    break;
                }
            }
        }
        for window in woken {
            window.notify();
        }
        result
    }

    /// Reads all of these topics into their windows, and returns those of which there was something.
    async fn read(
        &mut self,
        topics: &[Arc<Window>],
        block: bool,
    ) -> Result<Vec<Arc<Window>>, Fault> {
        let mut command = ::redis::cmd("XREAD");
        command
            .arg("COUNT")
            .arg((ANSWER / self.event_len).clamp(1, 500));
        if block {
            command.arg("BLOCK").arg(BLOCK.as_millis() as u64);
        }
        command.arg("STREAMS");
        for window in topics {
            command.arg(&window.keys.log);
        }
        for window in topics {
            // Every topic here was joined.
            command.arg(window.head().map_or("$".into(), |id| id.to_string()));
        }
        let answer = if block {
            self.blocked(&command).await?
        } else {
            query(&mut self.connection, &command, Link::PATIENCE).await?
        };
        let streams =
            reply::streams(answer).ok_or_else(|| Fault::Lost(reply::unexpected("XREAD")))?;
        let mut read = Vec::new();
        for (key, entries) in streams {
            let (mut count, mut bytes) = (0, 0);
            for entry in &entries {
                (count, bytes) = (count + 1, bytes + entry.event.len());
            }
            self.event_len = (3 * self.event_len + bytes / usize::max(count, 1)).max(4) / 4;
            let window = topics
                .iter()
                .find(|window| window.keys.log.as_bytes() == key);
            if let Some(window) = window {
                window.append(&entries);
                read.push(window.clone());
            }
        }
        Ok(read)
    }

    /// The answer to a command that blocks, which ends when a topic is added.
    async fn blocked(&mut self, command: &::redis::Cmd) -> Result<Value, Fault> {
        let reader = self.reader;
        let turn = reader.turn.fetch_add(1, Ordering::SeqCst) + 1;
        let mut answer = pin!(query(&mut self.connection, command, DEADLINE));
        let mut kicked = pin!(reader.kick.notified());
        let id = self.id;
        let answer = poll_fn(|context| {
            while kicked.as_mut().poll(context).is_ready() {
                kicked.set(reader.kick.notified());
                if let Some(id) = id {
                    tokio::spawn(reader.clone().unblock(turn, id));
                }
            }
            answer.as_mut().poll(context)
        });
        let answer = answer.await;
        reader.turn.fetch_add(1, Ordering::SeqCst);
        answer
    }
}
