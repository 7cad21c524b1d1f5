//! The connection on which all topics are read.
//!
//! A single XREAD blocks on the streams of all topics. To add a topic, that XREAD is unblocked as
//! if it had timed out. This loses nothing, because the caches contain the positions.

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
    cache::Cache,
    claim_epoch,
    connection::{CommandError, ConnectionManager, query},
    reader::Reader,
    reply,
};
use crate::EventId;

/// How long an XREAD blocks.
const BLOCK: Duration = Duration::from_secs(5);
/// The time without a reply after which the connection is considered dead.
const REPLY_TIMEOUT: Duration = Duration::from_secs(8);
/// How often all topics are checked without a notification: deleting a stream does not end an
/// XREAD.
const RECHECK: Duration = Duration::from_secs(10);
/// The number of claims that are sent in one pipeline.
const CLAIM_BATCH: usize = 64;
/// The maximum number of further reads before clients are woken. A burst should reach them in one
/// piece, but an endless one must not keep them waiting.
const MAX_FURTHER_READS: usize = 8;
/// The approximate maximum length of a reply, in bytes.
const MAX_REPLY: usize = 1 << 20;

pub(super) struct ReadConnection<'r> {
    reader: &'r Arc<Reader>,
    connection: MultiplexedConnection,
    /// The id that the server has assigned to this connection.
    id: Option<i64>,
    /// The mean length of recent events.
    event_len: usize,
}

impl<'r> ReadConnection<'r> {
    pub(super) fn new(reader: &'r Arc<Reader>, connection: MultiplexedConnection) -> Self {
        Self {
            reader,
            connection,
            id: None,
            event_len: 1 << 12,
        }
    }

    /// Reads until the connection fails.
    pub(super) async fn run(
        &mut self,
        topics: &mut Vec<Arc<Cache>>,
        failures: &mut usize,
    ) -> Result<(), CommandError> {
        let mut command = ::redis::cmd("CLIENT");
        command.arg("ID");
        match query(&mut self.connection, &command, ConnectionManager::TIMEOUT).await {
            Ok(Value::Int(id)) => self.id = Some(id),
            Err(CommandError::NoReply(error)) => return Err(CommandError::NoReply(error)),
            // Without the id, topics are added after the timeout of the XREAD.
            _ => {}
        }
        self.catch_up(topics).await?;
        let mut checked = Instant::now();
        loop {
            let added = self.reader.add_new(topics);
            self.catch_up(&added).await?;
            topics.retain(|cache| !cache.clear_if_unused());
            if checked.elapsed() >= RECHECK {
                self.catch_up(topics).await?;
                checked = Instant::now();
            }
            let readable: Vec<_> = topics
                .iter()
                .filter(|cache| cache.newest().is_some())
                .cloned()
                .collect();
            if readable.is_empty() {
                let _ = time::timeout(RECHECK, self.reader.topics_added.notified()).await;
                continue;
            }
            let woken = self.read(&readable, true).await?;
            *failures = 0;
            self.finish_burst(woken).await?;
        }
    }

    /// Determines where each stream ends and reads up to there. Begins a new epoch where the server
    /// has restarted or is a different one.
    async fn catch_up(&mut self, topics: &[Arc<Cache>]) -> Result<(), CommandError> {
        for batch in topics.chunks(CLAIM_BATCH) {
            let last_ids = self.claim_epochs(batch).await?;
            let mut caches = Vec::new();
            for (cache, last) in batch.iter().zip(last_ids) {
                match last {
                    Some(last) => caches.push((cache, last, cache.start_at(last))),
                    None => cache.clear(),
                }
            }
            loop {
                let behind: Vec<_> = caches
                    .iter()
                    .filter(|(cache, last, _)| cache.newest() < Some(*last))
                    .map(|(cache, ..)| Arc::clone(cache))
                    .collect();
                if behind.is_empty() || self.read(&behind, false).await?.is_empty() {
                    break;
                }
                for cache in behind {
                    cache.notify();
                }
            }
            for (cache, last, has_changed) in caches {
                if cache.set_end(last) || has_changed {
                    cache.notify();
                }
            }
        }
        Ok(())
    }

    /// Claims epochs and returns the last ids of the streams; `None` where the server refuses.
    async fn claim_epochs(
        &mut self,
        topics: &[Arc<Cache>],
    ) -> Result<Vec<Option<EventId>>, CommandError> {
        let reader = self.reader;
        let mut pipeline = ::redis::pipe();
        pipeline.ignore_errors();
        pipeline.cmd("SCRIPT").arg("LOAD").arg(claim_epoch::SOURCE);
        for cache in topics {
            let command =
                claim_epoch::command(&reader.claim_epoch, &cache.keys, reader.epoch_floor);
            pipeline.add_command(command);
        }
        let replies = pipeline.query_async::<Vec<RedisResult<Value>>>(&mut self.connection);
        let replies = match time::timeout(REPLY_TIMEOUT, replies).await {
            Ok(Ok(replies)) => replies,
            Ok(Err(error)) => return Err(CommandError::NoReply(error)),
            Err(_) => return Err(CommandError::NoReply(reply::unexpected("no reply in time"))),
        };
        let last_id = |reply: RedisResult<Value>| match reply {
            Ok(reply) => Ok(Some(claim_epoch::parse(reply)?.1)),
            Err(error) if concerns_all_topics(&error) => Err(CommandError::Server(error)),
            // Only concerns this topic: its keys may have another type, or access may be denied.
            Err(_) => Ok(None),
        };
        replies.into_iter().skip(1).map(last_id).collect()
    }

    /// Reads until nothing is left, then wakes the clients. XREAD returns at the first entry of a
    /// pipelined burst; the others arrive a moment later.
    async fn finish_burst(&mut self, woken: Vec<Arc<Cache>>) -> Result<(), CommandError> {
        let mut result = Ok(woken.clone());
        for _ in 0..MAX_FURTHER_READS {
            match result {
                Ok(more) if !more.is_empty() => result = self.read(&more, false).await,
                _ => break,
            }
        }
        for cache in woken {
            cache.notify();
        }
        result.map(drop)
    }

    /// Reads these topics into their caches, and returns those that had new entries. All caches
    /// must have a position.
    async fn read(
        &mut self,
        topics: &[Arc<Cache>],
        block: bool,
    ) -> Result<Vec<Arc<Cache>>, CommandError> {
        let command = self.read_command(topics, block);
        let reply = if block {
            self.query_blocking(&command).await?
        } else {
            query(&mut self.connection, &command, REPLY_TIMEOUT).await?
        };
        let streams = reply::streams(reply)
            .ok_or_else(|| CommandError::NoReply(reply::unexpected("XREAD")))?;
        let by_key: HashMap<&[u8], &Arc<Cache>> = topics
            .iter()
            .map(|cache| (cache.keys.log.as_bytes(), cache))
            .collect();
        let mut read = Vec::new();
        for (key, entries) in streams {
            let bytes: usize = entries.iter().map(|entry| entry.event.len()).sum();
            let mean = bytes / entries.len().max(1);
            self.event_len = (3 * self.event_len + mean).max(4) / 4;
            if let Some(cache) = by_key.get(&*key) {
                cache.append(&entries);
                read.push(Arc::clone(cache));
            }
        }
        Ok(read)
    }

    fn read_command(&self, topics: &[Arc<Cache>], block: bool) -> Cmd {
        // COUNT applies to each stream, and all of them may have new entries.
        let count = MAX_REPLY / self.event_len / topics.len().max(1);
        let mut command = ::redis::cmd("XREAD");
        command.arg("COUNT").arg(count.clamp(1, 500));
        if block {
            command.arg("BLOCK").arg(BLOCK.as_millis() as u64);
        }
        command.arg("STREAMS");
        for cache in topics {
            command.arg(&cache.keys.log);
        }
        for cache in topics {
            command.arg(cache.newest().unwrap_or(EventId::ZERO).to_string());
        }
        command
    }

    /// Sends a blocking command, which is unblocked when a topic is added.
    async fn query_blocking(&mut self, command: &Cmd) -> Result<Value, CommandError> {
        let reader = self.reader;
        let generation = reader.block_generation.fetch_add(1, Ordering::SeqCst) + 1;
        let mut reply = pin!(query(&mut self.connection, command, REPLY_TIMEOUT));
        let mut topics_added = pin!(reader.topics_added.notified());
        let id = self.id;
        let reply = poll_fn(|context| {
            while topics_added.as_mut().poll(context).is_ready() {
                topics_added.set(reader.topics_added.notified());
                if let Some(id) = id {
                    tokio::spawn(reader.clone().unblock(generation, id));
                }
            }
            reply.as_mut().poll(context)
        });
        let reply = reply.await;
        reader.block_generation.fetch_add(1, Ordering::SeqCst);
        reply
    }
}

/// Whether the error means that the server refuses the commands of all topics.
fn concerns_all_topics(error: &RedisError) -> bool {
    use ServerErrorKind as Kind;

    let ErrorKind::Server(kind) = error.kind() else {
        return false;
    };
    matches!(
        kind,
        Kind::BusyLoading | Kind::MasterDown | Kind::ReadOnly | Kind::ClusterDown | Kind::TryAgain
    )
}
