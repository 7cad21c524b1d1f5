//! One topic: a stream of the server, and a window on its newest part.

use std::{sync::Arc, time::Duration};

use sse_proto::Frame;

use super::{
    Core, claim,
    keys::Keys,
    link::{Connection, Fault, Link, script_command},
    look::Look,
    reply,
    window::Window,
};
use crate::{
    AppendError, Bounds, EventId, GapReason, ReadAfter, StoreError, Token, Topic, topics::Kept,
};

/// How long a read may take, whose answer may be long.
const READ_PATIENCE: Duration = Duration::from_secs(5);

/// A topic of a [`RedisStore`](crate::RedisStore).
#[derive(Debug)]
pub struct RedisTopic {
    pub(super) core: Arc<Core>,
    pub(super) window: Arc<Window>,
}

impl RedisTopic {
    pub(super) fn new(core: Arc<Core>, name: &str) -> Self {
        let keys = Keys::new(&core.options.prefix, name);
        let window = Window::new(keys, core.options.window);
        Self {
            core,
            window: Arc::new(window),
        }
    }

    /// The connection, and the epoch that is claimed on it.
    pub(super) async fn claim(&self) -> Result<(Connection, u64), Fault> {
        let connection = self.core.link.connection().await?;
        if let Some(epoch) = self.window.epoch(connection.generation) {
            return Ok((connection, epoch));
        }
        let command = claim::command(
            &self.core.claim,
            &self.window.keys,
            self.core.options.epoch_floor,
        );
        let answer = self
            .core
            .link
            .run(&connection, &self.core.claim, &command, Link::PATIENCE);
        let (epoch, _) = claim::parse(answer.await?)?;
        self.window.set_epoch(connection.generation, epoch);
        Ok((connection, epoch))
    }

    /// What the server says of the stream, seen from a position; with up to `max_bytes` of what
    /// follows.
    async fn look(&self, after: EventId, max_bytes: usize) -> Result<Look, Fault> {
        match self.try_look(after, max_bytes).await {
            // The connection had ended before; that it shows only now is no reason to fail.
            Err(Fault::Lost(error)) if !error.is_timeout() => self.try_look(after, max_bytes).await,
            answer => answer,
        }
    }

    async fn try_look(&self, after: EventId, max_bytes: usize) -> Result<Look, Fault> {
        // The server takes none that is greater, and no epoch is.
        let epoch = after.epoch.min(u64::MAX - 1);
        let start = EventId { epoch, number: 0 };
        // The stream is made by a claim; somebody may delete it right after.
        for _ in 0..3 {
            let (connection, claimed) = self.claim().await?;
            let mut command = script_command(
                &self.core.look,
                &[&self.window.keys.log, &self.window.keys.meta],
            );
            command
                .arg(EventId { epoch, ..after }.to_string())
                .arg(start.to_string())
                .arg(max_bytes);
            let answer = self
                .core
                .link
                .run(&connection, &self.core.look, &command, READ_PATIENCE);
            let answer = answer.await?;
            if !matches!(answer, ::redis::Value::Nil) {
                let look = Look::parse(answer).ok_or_else(|| reply::unexpected("LOOK"));
                return look.map_err(Fault::Refused);
            }
            self.window.unset_epoch(claimed);
        }
        Err(Fault::Refused(reply::unexpected(
            "the stream is deleted all the time",
        )))
    }
}

impl Kept for RedisTopic {
    fn is_empty(&self) -> bool {
        // The events are on the server.
        true
    }
}

impl Topic for RedisTopic {
    async fn append(&self, frame: Frame<'_>, token: &Token) -> Result<EventId, AppendError> {
        self.append_until_known(frame, token).await
    }

    async fn read_after(&self, after: EventId, max_bytes: usize) -> Result<ReadAfter, StoreError> {
        if let Some(answer) = self.window.read_after(after, max_bytes) {
            return Ok(answer);
        }
        let look = self.look(after, max_bytes.max(1)).await;
        let answer = look.map_err(Fault::into_error)?.read_after(after);
        if let ReadAfter::Gap {
            reason: GapReason::Unknown | GapReason::Ahead,
            ..
        } = answer
        {
            if let Some(known) = self.window.read_after_lost(after, max_bytes) {
                return Ok(known);
            }
        }
        Ok(answer)
    }

    async fn bounds(&self) -> Result<Bounds, StoreError> {
        let nowhere = EventId {
            epoch: 0,
            number: 0,
        };
        let look = self.look(nowhere, 0).await;
        Ok(look.map_err(Fault::into_error)?.bounds())
    }

    async fn wait(&self, after: EventId) {
        self.window.wait(after, &self.core.reader).await;
    }
}
