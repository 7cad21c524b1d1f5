//! The task that reads all topics for which clients wait.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ::redis::{Client, Script, Value};
use tokio::{sync::Notify, time};

use super::{
    cache::Cache,
    connection::{ConnectionManager, connect},
    read_connection::ReadConnection,
};

/// The state that the task shares with the topics.
#[derive(Debug)]
pub(super) struct Reader {
    client: Client,
    commands: Arc<ConnectionManager>,
    pub(super) claim_epoch: Script,
    pub(super) epoch_floor: u64,
    added: Mutex<Vec<Arc<Cache>>>,
    /// Notified when topics are added.
    pub(super) topics_added: Notify,
    /// Changes before and after each blocking XREAD.
    pub(super) block_generation: AtomicU64,
    /// The number of connections established so far.
    connections: AtomicU64,
}

impl Reader {
    pub(super) fn new(
        client: Client,
        commands: Arc<ConnectionManager>,
        claim_epoch: Script,
        epoch_floor: u64,
    ) -> Self {
        Self {
            client,
            commands,
            claim_epoch,
            epoch_floor,
            added: Mutex::default(),
            topics_added: Notify::new(),
            block_generation: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        }
    }

    /// The number of times that a connection was replaced.
    pub(super) fn reconnects(&self) -> u64 {
        self.connections.load(Ordering::Relaxed).saturating_sub(1)
    }

    pub(super) fn add(&self, cache: Arc<Cache>) {
        let mut added = self.added.lock().unwrap_or_else(PoisonError::into_inner);
        added.push(cache);
        drop(added);
        self.topics_added.notify_one();
    }

    fn take_added(&self) -> Vec<Arc<Cache>> {
        std::mem::take(&mut *self.added.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads until the task is aborted.
    pub(super) async fn run(self: Arc<Self>) {
        const DELAYS: [u64; 6] = [0, 100, 200, 500, 1000, 2000];
        let mut topics = Vec::new();
        let mut failures = 0;
        loop {
            let delay = DELAYS.get(failures).or(DELAYS.last()).copied().unwrap_or(0);
            time::sleep(Duration::from_millis(delay)).await;
            failures += 1;
            self.add_new(&mut topics);
            if topics.is_empty() {
                self.topics_added.notified().await;
                self.add_new(&mut topics);
            }
            let Ok(connection) = connect(&self.client).await else {
                continue;
            };
            self.connections.fetch_add(1, Ordering::Relaxed);
            let mut connection = ReadConnection::new(&self, connection);
            // After any error, continue with a new connection.
            let _ = connection.run(&mut topics, &mut failures).await;
        }
    }

    /// Adds the topics for which clients have started to wait to `topics`, and returns them.
    pub(super) fn add_new(&self, topics: &mut Vec<Arc<Cache>>) -> Vec<Arc<Cache>> {
        let added = self.take_added();
        // The store may have evicted a topic and created it again. Clients use the latest one.
        let mut keys = HashSet::new();
        let mut latest: Vec<_> = added
            .iter()
            .rev()
            .filter(|cache| keys.insert(&*cache.keys.log))
            .cloned()
            .collect();
        topics.retain(|cache| !keys.contains(&*cache.keys.log));
        latest.reverse();
        topics.extend(latest.iter().cloned());
        latest
    }

    /// Ends the XREAD of that generation, which may not have started yet, on the connection `id`.
    pub(super) async fn unblock(self: Arc<Self>, generation: u64, id: i64) {
        let mut command = ::redis::cmd("CLIENT");
        command.arg("UNBLOCK").arg(id);
        for _ in 0..100 {
            if self.block_generation.load(Ordering::SeqCst) != generation {
                return;
            }
            let Ok(connection) = self.commands.connection().await else {
                return;
            };
            let timeout = ConnectionManager::TIMEOUT;
            match self.commands.query(&connection, &command, timeout).await {
                Ok(Value::Int(0)) => time::sleep(Duration::from_millis(5)).await,
                // If the command is not permitted, the topic is added after the timeout of the
                // XREAD.
                _ => return,
            }
        }
    }
}
