//! The connection for the commands of all topics: appends, claims and reads.
//!
//! After a command got no reply in time, its connection is not used again. Otherwise a delayed
//! command could be executed later, before the next one.

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

/// After a failed attempt to connect, all callers get the same error for this long.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// Why a command failed.
#[derive(Debug)]
pub(super) enum CommandError {
    /// There is no connection, so the command was not sent.
    NotSent(RedisError),
    /// The command was sent, but there was no reply.
    NoReply(RedisError),
    /// The server replied with an error, or with something unexpected.
    Server(RedisError),
}

impl CommandError {
    pub(super) fn into_error(self) -> RedisError {
        match self {
            Self::NotSent(error) | Self::NoReply(error) | Self::Server(error) => error,
        }
    }
}

/// One of the successive connections.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    multiplexed: MultiplexedConnection,
    pub(super) generation: u64,
}

#[derive(Debug)]
pub(super) struct ConnectionManager {
    client: Client,
    state: Mutex<State>,
    /// Held while connecting.
    connect_lock: tokio::sync::Mutex<()>,
    /// The number of connections established so far.
    generations: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    connection: Option<Connection>,
    last_failure: Option<(Instant, RedisError)>,
}

impl ConnectionManager {
    /// The default timeout of a command.
    pub(super) const TIMEOUT: Duration = Duration::from_millis(1500);

    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            state: Mutex::default(),
            connect_lock: tokio::sync::Mutex::default(),
            generations: AtomicU64::new(0),
        }
    }

    /// The number of times that a connection was replaced.
    pub(super) fn reconnects(&self) -> u64 {
        self.generations.load(Ordering::Relaxed).saturating_sub(1)
    }

    /// Returns the connection, establishing it if necessary.
    pub(super) async fn connection(&self) -> Result<Connection, CommandError> {
        if let Some(connection) = &self.lock().connection {
            return Ok(connection.clone());
        }
        let _guard = self.connect_lock.lock().await;
        {
            let state = self.lock();
            if let Some(connection) = &state.connection {
                return Ok(connection.clone());
            }
            if let Some((at, error)) = &state.last_failure {
                if at.elapsed() < RETRY_DELAY {
                    return Err(CommandError::NotSent(error.clone()));
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
                self.lock().last_failure = Some((Instant::now(), error.clone()));
                Err(CommandError::NotSent(error))
            }
        }
    }

    /// Sends a command and waits for the reply. Discards the connection if there is none in time.
    pub(super) async fn query(
        &self,
        connection: &Connection,
        command: &Cmd,
        timeout: Duration,
    ) -> Result<Value, CommandError> {
        let mut multiplexed = connection.multiplexed.clone();
        let error = match query(&mut multiplexed, command, timeout).await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let is_replica = matches!(&error, CommandError::Server(reply)
            if reply.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly));
        if is_replica || matches!(error, CommandError::NoReply(_)) {
            let state = &mut *self.lock();
            let is_current = |current: &Connection| current.generation == connection.generation;
            if state.connection.as_ref().is_some_and(is_current) {
                state.connection = None;
            }
        }
        Err(error)
    }

    /// Runs a script, loading it first if the server does not know it.
    pub(super) async fn run_script(
        &self,
        connection: &Connection,
        script: &Script,
        command: &Cmd,
        timeout: Duration,
    ) -> Result<Value, CommandError> {
        match self.query(connection, command, timeout).await {
            Err(CommandError::Server(error))
                if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {}
            result => return result,
        }
        let mut multiplexed = connection.multiplexed.clone();
        let loaded = time::timeout(timeout, script.load_async(&mut multiplexed)).await;
        // If loading failed, the next attempt returns the reason.
        drop(loaded);
        self.query(connection, command, timeout).await
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Establishes a connection without timeouts of its own.
pub(super) async fn connect(client: &Client) -> Result<MultiplexedConnection, RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None);
    let connecting = client.get_multiplexed_async_connection_with_config(&config);
    match time::timeout(ConnectionManager::TIMEOUT, connecting).await {
        Ok(connected) => connected,
        Err(_) => Err(timed_out("no connection in time")),
    }
}

/// Sends a command and waits for the reply.
pub(super) async fn query(
    connection: &mut MultiplexedConnection,
    command: &Cmd,
    timeout: Duration,
) -> Result<Value, CommandError> {
    match time::timeout(timeout, command.query_async(connection)).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(match error.kind() {
            ErrorKind::Server(_) | ErrorKind::Extension => CommandError::Server(error),
            _ => CommandError::NoReply(error),
        }),
        Err(_) => Err(CommandError::NoReply(timed_out("no reply in time"))),
    }
}

fn timed_out(what: &'static str) -> RedisError {
    io::Error::new(io::ErrorKind::TimedOut, what).into()
}

/// Returns the command that runs a script.
pub(super) fn script_command(script: &Script, keys: &[&str]) -> Cmd {
    let mut command = ::redis::cmd("EVALSHA");
    command.arg(script.get_hash()).arg(keys.len()).arg(keys);
    command
}
