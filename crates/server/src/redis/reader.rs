//! The task that reads all topics for which somebody waits.

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
    link::{Link, connect},
    session::Session,
    window::Window,
};

/// What the task shares with the topics.
#[derive(Debug)]
pub(super) struct Reader {
    client: Client,
    link: Arc<Link>,
    pub(super) claim: Script,
    pub(super) epoch_floor: u64,
    added: Mutex<Vec<Arc<Window>>>,
    pub(super) kick: Notify,
    /// Changes before and after each XREAD that blocks.
    pub(super) turn: AtomicU64,
    /// How many connections there were.
    connections: AtomicU64,
}

impl Reader {
    pub(super) fn new(client: Client, link: Arc<Link>, claim: Script, epoch_floor: u64) -> Self {
        Self {
            client,
            link,
            claim,
            epoch_floor,
            added: Mutex::default(),
            kick: Notify::new(),
            turn: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        }
    }

    /// How often a connection was followed by another one.
    pub(super) fn reconnects(&self) -> u64 {
        self.connections.load(Ordering::Relaxed).saturating_sub(1)
    }

    pub(super) fn add(&self, window: Arc<Window>) {
        let mut added = self.added.lock().unwrap_or_else(PoisonError::into_inner);
        added.push(window);
        drop(added);
        self.kick.notify_one();
    }

    fn take_added(&self) -> Vec<Arc<Window>> {
        std::mem::take(&mut *self.added.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads for ever.
    pub(super) async fn run(self: Arc<Self>) {
        const PAUSES: [u64; 6] = [0, 100, 200, 500, 1000, 2000];
        let mut topics = Vec::new();
        let mut failures = 0;
        loop {
            let pause = PAUSES.get(failures).or(PAUSES.last()).copied().unwrap_or(0);
            time::sleep(Duration::from_millis(pause)).await;
            failures += 1;
            self.absorb(&mut topics);
            if topics.is_empty() {
                self.kick.notified().await;
                self.absorb(&mut topics);
            }
            let Ok(connection) = connect(&self.client).await else {
                continue;
            };
            self.connections.fetch_add(1, Ordering::Relaxed);
            let mut session = Session::new(&self, connection);
            // Whatever ends it, a new connection is the answer.
            let _ = session.follow(&mut topics, &mut failures).await;
        }
    }

    /// Adds the topics for which somebody waits now, and returns them.
    pub(super) fn absorb(&self, topics: &mut Vec<Arc<Window>>) -> Vec<Arc<Window>> {
        let added = self.take_added();
        // The store may have dropped a topic and made it anew. The latest one has the clients.
        let mut keys = HashSet::new();
        let mut latest: Vec<_> = added
            .iter()
            .rev()
            .filter(|window| keys.insert(&*window.keys.log))
            .cloned()
            .collect();
        topics.retain(|window| !keys.contains(&*window.keys.log));
        latest.reverse();
        topics.extend(latest.iter().cloned());
        latest
    }

    /// Ends the XREAD of that turn, which may not have begun yet.
    pub(super) async fn unblock(self: Arc<Self>, turn: u64, id: i64) {
        let mut command = ::redis::cmd("CLIENT");
        command.arg("UNBLOCK").arg(id);
        for _ in 0..100 {
            if self.turn.load(Ordering::SeqCst) != turn {
                return;
            }
            let Ok(connection) = self.link.connection().await else {
                return;
            };
            match self.link.query(&connection, &command, Link::PATIENCE).await {
                Ok(Value::Int(0)) => time::sleep(Duration::from_millis(5)).await,
                // If that is not permitted, the topic is added after the time-out.
                _ => return,
            }
        }
    }
}
