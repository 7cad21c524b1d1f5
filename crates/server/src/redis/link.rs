//! The connection for commands: appends, claims and replays of all topics.
//!
//! A connection on which a command was not answered in time is never used again: what is stuck in
//! it would be carried out later, in front of what is sent next.

use std::{
    io,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, RedisError, Script, ServerErrorKind, Value,
    aio::MultiplexedConnection,
};
use tokio::time;

/// After a failure to connect, everybody gets that failure for so long.
const PAUSE: Duration = Duration::from_millis(100);

/// Why a command has no result.
#[derive(Debug)]
pub(super) enum Fault {
    /// There is no connection; the command was not sent.
    Away(RedisError),
    /// The command was sent, and no answer came.
    Lost(RedisError),
    /// The server has answered with an error.
    Refused(RedisError),
}

impl Fault {
    pub(super) fn into_error(self) -> RedisError {
        match self {
            Self::Away(error) | Self::Lost(error) | Self::Refused(error) => error,
        }
    }
}

/// One connection among those that followed each other.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    multiplexed: MultiplexedConnection,
    pub(super) generation: u64,
}

#[derive(Debug)]
pub(super) struct Link {
    client: Client,
    state: Mutex<State>,
    /// Held by who connects.
    connecting: tokio::sync::Mutex<()>,
    /// How many connections there were.
    generations: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    connection: Option<Connection>,
    failed: Option<(Instant, RedisError)>,
}

impl Link {
    /// How long a command may take.
    pub(super) const PATIENCE: Duration = Duration::from_millis(1500);

    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            state: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
            generations: AtomicU64::new(0),
        }
    }

    /// How often a connection was followed by another one.
    pub(super) fn reconnects(&self) -> u64 {
        self.generations.load(Ordering::Relaxed).saturating_sub(1)
    }

    /// The connection, which is made if there is none.
    pub(super) async fn connection(&self) -> Result<Connection, Fault> {
        if let Some(connection) = &self.lock().connection {
            return Ok(connection.clone());
        }
        let _alone = self.connecting.lock().await;
        {
            let state = self.lock();
            if let Some(connection) = &state.connection {
                return Ok(connection.clone());
            }
            if let Some((at, error)) = &state.failed {
                if at.elapsed() < PAUSE {
                    return Err(Fault::Away(error.clone()));
                }
            }
        }
        match connect(&self.client).await {
            Ok(multiplexed) => {
                let generation = self.generations.fetch_add(1, Ordering::Relaxed) + 1;
                let connection = Connection {
                    multiplexed,
                    generation,
                };
                self.lock().connection = Some(connection.clone());
                Ok(connection)
            }
            Err(error) => {
                self.lock().failed = Some((Instant::now(), error.clone()));
                Err(Fault::Away(error))
            }
        }
    }

    /// Sends a command and waits for the answer. The connection goes if there is none in time.
    pub(super) async fn query(
        &self,
        connection: &Connection,
        command: &Cmd,
        patience: Duration,
    ) -> Result<Value, Fault> {
        let mut multiplexed = connection.multiplexed.clone();
        let fault = match query(&mut multiplexed, command, patience).await {
            Ok(value) => return Ok(value),
            Err(fault) => fault,
        };
        let is_replica = matches!(&fault, Fault::Refused(error)
            if error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly));
        if is_replica || matches!(fault, Fault::Lost(_)) {
            let state = &mut *self.lock();
            let is_current = |current: &Connection| current.generation == connection.generation;
            if state.connection.as_ref().is_some_and(is_current) {
                state.connection = None;
            }
        }
        Err(fault)
    }

    /// Runs a script, which the server may have to be given first.
    pub(super) async fn run(
        &self,
        connection: &Connection,
        script: &Script,
        command: &Cmd,
        patience: Duration,
    ) -> Result<Value, Fault> {
        match self.query(connection, command, patience).await {
            Err(Fault::Refused(error))
                if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {}
            answer => return answer,
        }
        let mut multiplexed = connection.multiplexed.clone();
        let loaded = time::timeout(patience, script.load_async(&mut multiplexed)).await;
        // If that has failed, the next try says why.
        drop(loaded);
        self.query(connection, command, patience).await
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A new connection without any time-outs of its own.
pub(super) async fn connect(client: &Client) -> Result<MultiplexedConnection, RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None);
    let connecting = client.get_multiplexed_async_connection_with_config(&config);
    match time::timeout(Link::PATIENCE, connecting).await {
        Ok(connected) => connected,
        Err(_) => Err(timed_out("no connection in time")),
    }
}

/// Sends a command and waits for the answer, for as long as `patience`.
pub(super) async fn query(
    connection: &mut MultiplexedConnection,
    command: &Cmd,
    patience: Duration,
) -> Result<Value, Fault> {
    match time::timeout(patience, command.query_async(connection)).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(match error.kind() {
            ErrorKind::Server(_) | ErrorKind::Extension => Fault::Refused(error),
            _ => Fault::Lost(error),
        }),
        Err(_) => Err(Fault::Lost(timed_out("no answer in time"))),
    }
}

fn timed_out(what: &'static str) -> RedisError {
    io::Error::new(io::ErrorKind::TimedOut, what).into()
}

/// The command that runs a script.
pub(super) fn script_command(script: &Script, keys: &[&str]) -> Cmd {
    let mut command = ::redis::cmd("EVALSHA");
    command.arg(script.get_hash()).arg(keys.len()).arg(keys);
    command
}
