//! Statistics of a hub and of its topics.

use crate::{EventId, Hub, Store, StoreError, Topic as _};

/// Statistics of a hub in this process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Open streams.
    pub clients: usize,
    /// Topics with at least one open stream.
    pub topics: usize,
    /// Streams opened since the hub was created.
    pub clients_admitted: u64,
    /// Events published by this hub.
    pub events_published: u64,
    /// Events passed to connections, counted once per client.
    pub events_delivered: u64,
    /// The bytes of the delivered events.
    pub bytes_delivered: u64,
    /// The number of gap events sent.
    pub gaps: u64,
}

/// Statistics of a topic in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicStats {
    /// Open streams.
    pub clients: usize,
    /// The newest event.
    pub newest: EventId,
    /// The number of events that the slowest client still has to be sent; all events of the current
    /// epoch if the client is in an earlier one.
    ///
    /// Events passed to a connection are not counted, although the client may not have received
    /// them yet: the socket buffers of both sides hold up to some megabytes.
    pub max_lag: u64,
    /// The sum of that number over all clients.
    pub total_lag: u64,
}

impl<S: Store> Hub<S> {
    /// Returns the statistics of this hub. Takes time proportional to the number of clients.
    pub fn stats(&self) -> Stats {
        self.shared.clients.stats()
    }

    /// Returns the statistics of a topic, or `None` if it has no clients.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be reached.
    pub async fn topic_stats(&self, topic: &str) -> Result<Option<TopicStats>, StoreError> {
        let positions = self.shared.clients.positions(topic);
        if positions.is_empty() {
            return Ok(None);
        }
        let newest = self.shared.store.topic(topic)?.bounds().await?.newest;
        let lags = positions.iter().map(|position| {
            let seen = if position.epoch == newest.epoch {
                position.number
            } else {
                0
            };
            newest.number.saturating_sub(seen)
        });
        Ok(Some(TopicStats {
            clients: positions.len(),
            newest,
            max_lag: lags.clone().max().unwrap_or(0),
            total_lag: lags.sum(),
        }))
    }
}
