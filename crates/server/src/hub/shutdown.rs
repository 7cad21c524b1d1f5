//! Ending streams: `disconnect_all`, `shutdown` and `close`.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use crate::{Hub, Store};

impl<S: Store> Hub<S> {
    /// Ends all streams at an event boundary and lets their clients reconnect. Use it to rebalance
    /// clients across servers or to check permissions again.
    ///
    /// Each client is told to wait for the usual time plus a share of `spread`. The shares are
    /// evenly distributed.
    pub fn disconnect_all(&self, spread: Duration) {
        self.end_streams(spread, None);
    }

    /// Ends all streams like [`disconnect_all`](Self::disconnect_all), and also tells clients that
    /// connect from now on to come back later. Call it when this server is about to stop.
    ///
    /// With a store in memory or in files, each stream first sends all events published so far.
    /// Streams end as soon as their connections accept the remaining data; a stream whose client
    /// does not read stays open. Therefore limit the duration of your server's graceful shutdown.
    ///
    /// Each stream ends with `retry` and a blank line, without which some clients ignore the
    /// `retry`. The OpenAI SDK for Python treats this as an event without data and raises an error.
    pub fn shutdown(&self, spread: Duration) {
        self.end_streams(spread, Some(NewStreams::EndImmediately));
    }

    /// Ends all streams and answers all further clients with 204, after which an `EventSource` does
    /// not reconnect.
    pub fn close(&self) {
        self.end_streams(Duration::ZERO, Some(NewStreams::Refuse));
    }

    fn end_streams(&self, spread: Duration, new_streams: Option<NewStreams>) {
        self.shared.shutdown.end_streams(spread, new_streams);
        self.shared.clients.wake_all();
    }
}

/// Whether open streams must end and new ones are accepted.
#[derive(Debug, Default)]
pub(crate) struct ShutdownState {
    /// The number of times that all streams were ended. A stream must end when this differs from
    /// the value at its start.
    generation: AtomicU64,
    settings: Mutex<Settings>,
}

/// The arguments of the latest call that ended all streams.
#[derive(Debug, Default, Clone, Copy)]
struct Settings {
    /// The period over which the disconnected clients return.
    spread: Duration,
    new_streams: NewStreams,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum NewStreams {
    #[default]
    Accept,
    /// Clients are only told when to come back.
    EndImmediately,
    /// Clients are told never to come back.
    Refuse,
}

impl ShutdownState {
    fn end_streams(&self, spread: Duration, new_streams: Option<NewStreams>) {
        let mut settings = self.lock();
        settings.spread = spread;
        settings.new_streams = new_streams.unwrap_or(settings.new_streams);
        self.generation.fetch_add(1, SeqCst);
    }

    /// The generation of a stream that starts now, and whether it may start.
    pub(crate) fn new_stream(&self) -> (u64, NewStreams) {
        let new_streams = self.lock().new_streams;
        let generation = self.generation.load(SeqCst);
        // During a shutdown, a new stream belongs to the generation that has just ended.
        let ended = u64::from(new_streams == NewStreams::EndImmediately);
        (generation - ended, new_streams)
    }

    /// Whether the streams of that generation must end.
    pub(crate) fn has_ended(&self, generation: u64) -> bool {
        self.generation.load(SeqCst) != generation
    }

    pub(crate) fn spread(&self) -> Duration {
        self.lock().spread
    }

    fn lock(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
