//! Determines the epoch for appends to a topic.

use ::redis::{Cmd, Script, Value};

use super::{
    connection::{CommandError, script_command},
    keys::Keys,
    reply,
};
use crate::EventId;

pub(super) const SOURCE: &str = include_str!("claim_epoch.lua");

/// The command that returns the current epoch, or begins a new one if events may have been lost.
pub(super) fn command(script: &Script, keys: &Keys, epoch_floor: u64) -> Cmd {
    let mut command = script_command(script, &[&keys.log, &keys.meta]);
    command.arg(epoch_floor);
    command
}

/// Returns the epoch and the last id of the stream.
pub(super) fn parse(value: Value) -> Result<(u64, EventId), CommandError> {
    let parse = || {
        let mut parts = reply::array(value)?.into_iter();
        let epoch = String::from_utf8(reply::bytes(parts.next()?)?).ok()?;
        Some((epoch.parse().ok()?, reply::id(parts.next()?)?))
    };
    parse().ok_or_else(|| CommandError::Server(reply::unexpected("CLAIM")))
}
