//! Appends an event once, even if connections are lost.

use std::time::Duration;

use ::redis::RedisError;
use sse_proto::Frame;
use tokio::time::{self, Instant};

use super::{
    connection::{CommandError, ConnectionManager, script_command},
    reply,
    topic::RedisTopic,
};
use crate::{AppendError, EventId, Token};

/// How long the server remembers the tokens of a publisher that no longer publishes.
const TOKEN_EXPIRY: Duration = Duration::from_secs(3600);
/// The age from which a token may have expired. The margin covers attempts that arrive late.
const MAX_TOKEN_AGE: Duration = Duration::from_secs(1800);

/// The reply to one attempt.
enum Reply {
    Appended(EventId),
    /// Nothing was appended, because the epoch has ended or the stream is gone.
    EpochEnded,
    Forgotten,
}

impl RedisTopic {
    /// Retries until the outcome is known or the append timeout has passed.
    pub(super) async fn append_with_retries(
        &self,
        frame: Frame<'_>,
        token: &Token,
    ) -> Result<EventId, AppendError> {
        let timeout = self.core.options.append_timeout;
        let deadline = Instant::now() + timeout;
        let mut event = Vec::new();
        frame.without_id().encode_to_vec(&mut event);
        let unanswered = &self.core.unanswered;
        // Whether an attempt of an earlier call or of this one got no reply.
        let mut may_be_appended = unanswered.contains(token);
        let mut delay = Duration::from_millis(10);
        loop {
            let last_error = match self.try_append(&event, token, deadline).await {
                Ok(Reply::Appended(id)) => {
                    unanswered.remove(token);
                    self.cache.set_appended(id);
                    return Ok(id);
                }
                Ok(Reply::Forgotten) => return Err(AppendError::forgotten()),
                Ok(Reply::EpochEnded) => reply::unexpected("the epoch ended at every attempt"),
                Err(CommandError::Server(error)) if error.code() == Some("INDOUBT") => {
                    return Err(AppendError::Unknown(error.into()));
                }
                Err(CommandError::Server(error)) if !may_be_appended => {
                    unanswered.remove(token);
                    return Err(AppendError::NotAppended(error.into()));
                }
                Err(CommandError::NoReply(error)) => {
                    may_be_appended = true;
                    error
                }
                Err(CommandError::Server(error) | CommandError::NotSent(error)) => error,
            };
            if !may_be_appended {
                unanswered.remove(token);
            }
            if Instant::now() + delay >= deadline {
                return Err(if may_be_appended {
                    AppendError::Unknown(last_error.into())
                } else {
                    AppendError::NotAppended(last_error.into())
                });
            }
            time::sleep(delay).await;
            delay = (2 * delay).min(Duration::from_millis(500));
        }
    }

    async fn try_append(
        &self,
        event: &[u8],
        token: &Token,
        deadline: Instant,
    ) -> Result<Reply, CommandError> {
        let claimed = time::timeout_at(deadline, self.claim_epoch()).await;
        // Claiming does not send the event, so after a failure it is certainly not appended.
        let (connection, epoch) = match claimed {
            Ok(Ok(claimed)) => claimed,
            Ok(Err(CommandError::NoReply(error))) => return Err(CommandError::NotSent(error)),
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(CommandError::NotSent(no_time())),
        };
        let core = &self.core;
        let keys = &self.cache.keys;
        let mut command = script_command(&core.append, &[&keys.log, &keys.tokens(token)]);
        command
            .arg(token.count())
            .arg(epoch)
            .arg(core.options.max_len)
            .arg(event)
            .arg(Token::REMEMBERED)
            .arg(TOKEN_EXPIRY.as_secs())
            .arg(u8::from(token.age() > MAX_TOKEN_AGE));
        // From here on the event may be appended even if this future is dropped.
        core.unanswered.insert(token);
        let left = deadline.saturating_duration_since(Instant::now());
        // Leaves time for a second attempt on another connection.
        let timeout = ConnectionManager::TIMEOUT
            .min(core.options.append_timeout / 2)
            .min(left);
        let reply = core
            .connections
            .run_script(&connection, &core.append, &command, timeout)
            .await?;
        match reply::bytes(reply).as_deref() {
            Some(b"claim") => {
                self.cache.unset_epoch(epoch);
                Ok(Reply::EpochEnded)
            }
            Some(b"forgotten") => Ok(Reply::Forgotten),
            Some(id) => match EventId::from_header(id) {
                Ok(id) => Ok(Reply::Appended(id)),
                Err(_) => Err(CommandError::NoReply(reply::unexpected("APPEND"))),
            },
            None => Err(CommandError::NoReply(reply::unexpected("APPEND"))),
        }
    }
}

fn no_time() -> RedisError {
    std::io::Error::new(std::io::ErrorKind::TimedOut, "no connection in time").into()
}
