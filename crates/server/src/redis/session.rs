//! One connection on which all topics are read.
//!
//! One XREAD blocks on all of their streams. A topic is added by ending that XREAD as if by
//! time-out, which loses nothing: the positions are those of the windows.

use std::{
    collections::HashMap,
    future::{Future as _, poll_fn},
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use ::redis::{
    Cmd, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value, aio::MultiplexedConnection,
};
use tokio::time;

use super::{
    claim,
    link::{Fault, Link, query},
    reader::Reader,
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
const RECHECK: Duration = Duration::from_secs(10);
/// How many claims are sent at once.
const BATCH: usize = 64;
/// How many more reads follow a wake-up before clients are woken: a burst should reach them in one
/// piece, but a burst without end must not keep them waiting.
const ROUNDS: usize = 8;
/// About how long one answer may be, in bytes.
const ANSWER: usize = 1 << 20;

/// One connection.
pub(super) struct Session<'r> {
    reader: &'r Arc<Reader>,
    connection: MultiplexedConnection,
    /// What the server calls this connection.
    id: Option<i64>,
    /// The mean length of events.
    event_len: usize,
}

impl<'r> Session<'r> {
    pub(super) fn new(reader: &'r Arc<Reader>, connection: MultiplexedConnection) -> Self {
        Self {
            reader,
            connection,
            id: None,
            event_len: 1 << 12,
        }
    }

    /// Reads until the connection fails.
    pub(super) async fn follow(
        &mut self,
        topics: &mut Vec<Arc<Window>>,
        failures: &mut usize,
    ) -> Result<(), Fault> {
        let mut command = ::redis::cmd("CLIENT");
        command.arg("ID");
        match query(&mut self.connection, &command, Link::PATIENCE).await {
            Ok(Value::Int(id)) => self.id = Some(id),
            Err(Fault::Lost(error)) => return Err(Fault::Lost(error)),
            // Without it, topics are added after the time-out.
            _ => {}
        }
        self.join(topics).await?;
        let mut checked = Instant::now();
        loop {
            let added = self.reader.absorb(topics);
            self.join(&added).await?;
            topics.retain(|window| !window.is_unused());
            if checked.elapsed() >= RECHECK {
                self.join(topics).await?;
                checked = Instant::now();
            }
            let joined: Vec<_> = topics
                .iter()
                .filter(|window| window.head().is_some())
                .cloned()
                .collect();
            if joined.is_empty() {
                let _ = time::timeout(RECHECK, self.reader.kick.notified()).await;
                continue;
            }
            let woken = self.read(&joined, true).await?;
            *failures = 0;
            self.read_on(woken).await?;
        }
    }

    /// Finds out where each stream ends, and reads up to there. A new epoch begins where the server
    /// was started again or is another one.
    async fn join(&mut self, topics: &[Arc<Window>]) -> Result<(), Fault> {
        for batch in topics.chunks(BATCH) {
            let lasts = self.claim(batch).await?;
            let mut joined = Vec::new();
            for (window, last) in batch.iter().zip(lasts) {
                match last {
                    Some(last) => joined.push((window, last, window.begin(last))),
                    None => window.end(),
                }
            }
            loop {
                let behind: Vec<_> = joined
                    .iter()
                    .filter(|(window, last, _)| window.head() < Some(*last))
                    .map(|(window, ..)| Arc::clone(window))
                    .collect();
                if behind.is_empty() || self.read(&behind, false).await?.is_empty() {
                    break;
                }
                for window in behind {
                    window.notify();
                }
            }
            for (window, last, has_begun) in joined {
                if window.settle(last) || has_begun {
                    window.notify();
                }
            }
        }
        Ok(())
    }

    /// The last ids of the streams; none where the server refuses.
    async fn claim(&mut self, topics: &[Arc<Window>]) -> Result<Vec<Option<EventId>>, Fault> {
        let reader = self.reader;
        let mut pipeline = ::redis::pipe();
        pipeline.ignore_errors();
        pipeline.cmd("SCRIPT").arg("LOAD").arg(claim::SOURCE);
        for window in topics {
            let command = claim::command(&reader.claim, &window.keys, reader.epoch_floor);
            pipeline.add_command(command);
        }
        let answers = pipeline.query_async::<Vec<RedisResult<Value>>>(&mut self.connection);
        let answers = match time::timeout(DEADLINE, answers).await {
            Ok(Ok(answers)) => answers,
            Ok(Err(error)) => return Err(Fault::Lost(error)),
            Err(_) => return Err(Fault::Lost(reply::unexpected("no answer in time"))),
        };
        let last = |answer: RedisResult<Value>| match answer {
            Ok(answer) => Ok(Some(claim::parse(answer)?.1)),
            Err(error) if is_of_server(&error) => Err(Fault::Refused(error)),
            // Concerns this topic only: its keys may have another type, or be forbidden.
            Err(_) => Ok(None),
        };
        answers.into_iter().skip(1).map(last).collect()
    }

    /// Reads until nothing is left, then wakes the clients. XREAD returns with the first entry of a
    /// pipelined burst; the others are there a moment later.
    async fn read_on(&mut self, woken: Vec<Arc<Window>>) -> Result<(), Fault> {
        let mut result = Ok(woken.clone());
        for _ in 0..ROUNDS {
            match result {
                Ok(more) if !more.is_empty() => result = self.read(&more, false).await,
                _ => break,
            }
        }
        for window in woken {
            window.notify();
        }
        result.map(drop)
    }

    /// Reads these topics, all of them joined, into their windows, and returns those of which there
    /// was something.
    async fn read(
        &mut self,
        topics: &[Arc<Window>],
        block: bool,
    ) -> Result<Vec<Arc<Window>>, Fault> {
        let command = self.read_command(topics, block);
        let answer = if block {
            self.blocked(&command).await?
        } else {
            query(&mut self.connection, &command, DEADLINE).await?
        };
        let streams =
            reply::streams(answer).ok_or_else(|| Fault::Lost(reply::unexpected("XREAD")))?;
        let by_key: HashMap<&[u8], &Arc<Window>> = topics
            .iter()
            .map(|window| (window.keys.log.as_bytes(), window))
            .collect();
        let mut read = Vec::new();
        for (key, entries) in streams {
            let bytes: usize = entries.iter().map(|entry| entry.event.len()).sum();
            let mean = bytes / entries.len().max(1);
            self.event_len = (3 * self.event_len + mean).max(4) / 4;
            if let Some(window) = by_key.get(&*key) {
                window.append(&entries);
                read.push(Arc::clone(window));
            }
        }
        Ok(read)
    }

    fn read_command(&self, topics: &[Arc<Window>], block: bool) -> Cmd {
        // For each stream: all of them may have something.
        let count = ANSWER / self.event_len / topics.len().max(1);
        let mut command = ::redis::cmd("XREAD");
        command.arg("COUNT").arg(count.clamp(1, 500));
        if block {
            command.arg("BLOCK").arg(BLOCK.as_millis() as u64);
        }
        command.arg("STREAMS");
        for window in topics {
            command.arg(&window.keys.log);
        }
        for window in topics {
            command.arg(
                window
                    .head()
                    .unwrap_or(EventId {
                        epoch: 0,
                        number: 0,
                    })
                    .to_string(),
            );
        }
        command
    }

    /// The answer to a command that blocks, which ends when a topic is added.
    async fn blocked(&mut self, command: &Cmd) -> Result<Value, Fault> {
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

/// Whether the server refuses the commands of all topics.
fn is_of_server(error: &RedisError) -> bool {
    use ServerErrorKind as Kind;

    let ErrorKind::Server(kind) = error.kind() else {
        return false;
    };
    matches!(
        kind,
        Kind::BusyLoading | Kind::MasterDown | Kind::ReadOnly | Kind::ClusterDown | Kind::TryAgain
    )
}
