//! A topic: a stream on the server, and a cache of its newest events in this process.

use std::{sync::Arc, time::Duration};

use sse_proto::Frame;

use super::{
    Core,
    cache::Cache,
    claim_epoch,
    connection::{CommandError, Connection, ConnectionManager, script_command},
    keys::Keys,
    reply,
    snapshot::Snapshot,
};
use crate::{
    AppendError, Bounds, EventId, GapReason, ReadAfter, StoreError, Token, Topic, topics::Evict,
};

/// The timeout of reads, whose replies may be long.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// A topic of a [`RedisStore`](crate::RedisStore).
#[derive(Debug)]
pub struct RedisTopic {
    pub(super) core: Arc<Core>,
    pub(super) cache: Arc<Cache>,
}

impl RedisTopic {
    pub(super) fn new(core: Arc<Core>, name: &str) -> Self {
        let keys = Keys::new(&core.options.prefix, name);
        let cache = Cache::new(keys, core.options.cache_size);
        Self {
            core,
            cache: Arc::new(cache),
        }
    }

    /// Returns the connection and the epoch that was claimed on it.
    pub(super) async fn claim_epoch(&self) -> Result<(Connection, u64), CommandError> {
        let connection = self.core.connections.connection().await?;
        if let Some(epoch) = self.cache.epoch(connection.generation) {
            return Ok((connection, epoch));
        }
        let command = claim_epoch::command(
            &self.core.claim_epoch,
            &self.cache.keys,
            self.core.options.epoch_floor,
        );
        let reply = self.core.connections.run_script(
            &connection,
            &self.core.claim_epoch,
            &command,
            ConnectionManager::TIMEOUT,
        );
        let (epoch, _) = claim_epoch::parse(reply.await?)?;
        self.cache.set_epoch(connection.generation, epoch);
        Ok((connection, epoch))
    }

    /// Reads a snapshot of the stream, with up to `max_bytes` of the events after a position.
    async fn snapshot(&self, after: EventId, max_bytes: usize) -> Result<Snapshot, CommandError> {
        match self.try_snapshot(after, max_bytes).await {
            // The connection had already been closed, which is only noticed now.
            Err(CommandError::NoReply(error)) if !error.is_timeout() => {
                self.try_snapshot(after, max_bytes).await
            }
            result => result,
        }
    }

    async fn try_snapshot(
        &self,
        after: EventId,
        max_bytes: usize,
    ) -> Result<Snapshot, CommandError> {
        // The server accepts no greater epoch, and none is used.
        let epoch = after.epoch.min(u64::MAX - 1);
        let start = EventId { epoch, number: 0 };
        // Claiming creates the stream, but it may be deleted right afterwards.
        for _ in 0..3 {
            let (connection, claimed) = self.claim_epoch().await?;
            let mut command = script_command(
                &self.core.snapshot,
                &[&self.cache.keys.log, &self.cache.keys.meta],
            );
            command
                .arg(EventId { epoch, ..after }.to_string())
                .arg(start.to_string())
                .arg(max_bytes);
            let reply = self.core.connections.run_script(
                &connection,
                &self.core.snapshot,
                &command,
                READ_TIMEOUT,
            );
            let reply = reply.await?;
            if !matches!(reply, ::redis::Value::Nil) {
                let snapshot = Snapshot::parse(reply).ok_or_else(|| reply::unexpected("SNAPSHOT"));
                return snapshot.map_err(CommandError::Server);
            }
            self.cache.unset_epoch(claimed);
        }
        Err(CommandError::Server(reply::unexpected(
            "the stream was deleted repeatedly",
        )))
    }
}

impl Evict for RedisTopic {
    fn is_empty(&self) -> bool {
        // The events are on the server.
        true
    }
}

impl Topic for RedisTopic {
    async fn append(&self, frame: Frame<'_>, token: &Token) -> Result<EventId, AppendError> {
        self.append_with_retries(frame, token).await
    }

    async fn read_after(&self, after: EventId, max_bytes: usize) -> Result<ReadAfter, StoreError> {
        if let Some(read) = self.cache.read_after(after, max_bytes) {
            return Ok(read);
        }
        let snapshot = self.snapshot(after, max_bytes.max(1)).await;
        let read = snapshot
            .map_err(CommandError::into_error)?
            .read_after(after);
        if let ReadAfter::Gap {
            reason: GapReason::Unknown | GapReason::Ahead,
            ..
        } = read
        {
            if let Some(read) = self.cache.read_disputed(after, max_bytes) {
                return Ok(read);
            }
        }
        Ok(read)
    }

    async fn bounds(&self) -> Result<Bounds, StoreError> {
        let snapshot = self.snapshot(EventId::ZERO, 0).await;
        Ok(snapshot.map_err(CommandError::into_error)?.bounds())
    }

    async fn wait(&self, after: EventId) {
        self.cache.wait(after, &self.core.reader).await;
    }
}
