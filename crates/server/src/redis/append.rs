//! Appends one event once, whatever happens to connections.

use std::time::Duration;

use ::redis::RedisError;
use sse_proto::Frame;
use tokio::time::{self, Instant};

use super::{
    link::{Fault, Link, script_command},
    reply,
    topic::RedisTopic,
};
use crate::{AppendError, EventId, Token};

/// For how long the server remembers the tokens of a publisher that no longer publishes.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// A token that is older may be forgotten. The difference is for attempts that arrive late.
const OLD: Duration = Duration::from_secs(1800);

/// What one try says, if the server has answered.
enum Answer {
    Appended(EventId),
    /// The epoch is over, or the stream is gone: nothing was appended.
    ClaimAgain,
    Forgotten,
}

impl RedisTopic {
    /// Tries until the answer is known or the time is over.
    pub(super) async fn append_until_known(
        &self,
        frame: Frame<'_>,
        token: &Token,
    ) -> Result<EventId, AppendError> {
        let timeout = self.core.options.append_timeout;
        let deadline = Instant::now() + timeout;
        let mut event = Vec::new();
        frame.without_id().encode_to_vec(&mut event);
        let doubts = &self.core.doubts;
        // In an earlier call, or in this one.
        let mut in_doubt = doubts.contains(token);
        let mut pause = Duration::from_millis(10);
        loop {
            let last_fault = match self.try_append(&event, token, deadline).await {
                Ok(Answer::Appended(id)) => {
                    doubts.remove(token);
                    self.window.set_appended(id);
                    return Ok(id);
                }
                Ok(Answer::Forgotten) => return Err(AppendError::forgotten()),
                Ok(Answer::ClaimAgain) => reply::unexpected("no epoch lasts long enough to append"),
                Err(Fault::Refused(error)) if error.code() == Some("INDOUBT") => {
                    return Err(AppendError::Unknown(error.into()));
                }
                Err(Fault::Refused(error)) if !in_doubt => {
                    doubts.remove(token);
                    return Err(AppendError::NotDone(error.into()));
                }
                Err(Fault::Lost(error)) => {
                    in_doubt = true;
                    error
                }
                Err(Fault::Refused(error) | Fault::Away(error)) => error,
            };
            if !in_doubt {
                doubts.remove(token);
            }
            if Instant::now() + pause >= deadline {
                return Err(if in_doubt {
                    AppendError::Unknown(last_fault.into())
                } else {
                    AppendError::NotDone(last_fault.into())
                });
            }
            time::sleep(pause).await;
            pause = (2 * pause).min(Duration::from_millis(500));
        }
    }

    async fn try_append(
        &self,
        event: &[u8],
        token: &Token,
        deadline: Instant,
    ) -> Result<Answer, Fault> {
        let claimed = time::timeout_at(deadline, self.claim()).await;
        // A claim sends nothing of the event, so if it fails, nothing is in doubt.
        let (connection, epoch) = match claimed {
            Ok(Ok(claimed)) => claimed,
            Ok(Err(Fault::Lost(error))) => return Err(Fault::Away(error)),
            Ok(Err(fault)) => return Err(fault),
            Err(_) => return Err(Fault::Away(no_time())),
        };
        let core = &self.core;
        let keys = &self.window.keys;
        let mut command = script_command(&core.append, &[&keys.log, &keys.tokens(token)]);
        command
            .arg(token.count())
            .arg(epoch)
            .arg(core.options.max_len)
            .arg(event)
            .arg(Token::REMEMBERED)
            .arg(REMEMBERED.as_secs())
            .arg(u8::from(token.age() > OLD));
        // From here on the event may be appended even if this future is dropped.
        core.doubts.insert(token);
        let left = deadline.saturating_duration_since(Instant::now());
        // Leaves time for a second attempt on another connection.
        let patience = Link::PATIENCE
            .min(core.options.append_timeout / 2)
            .min(left);
        let answer = core
            .link
            .run(&connection, &core.append, &command, patience)
            .await?;
        match reply::bytes(answer).as_deref() {
            Some(b"claim") => {
                self.window.unset_epoch(epoch);
                Ok(Answer::ClaimAgain)
            }
            Some(b"forgotten") => Ok(Answer::Forgotten),
            Some(id) => match EventId::from_header(id) {
                Ok(id) => Ok(Answer::Appended(id)),
                Err(_) => Err(Fault::Lost(reply::unexpected("APPEND"))),
            },
            None => Err(Fault::Lost(reply::unexpected("APPEND"))),
        }
    }
}

fn no_time() -> RedisError {
    std::io::Error::new(std::io::ErrorKind::TimedOut, "no connection in time").into()
}
