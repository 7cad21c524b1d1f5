//! Whether streams may stay open, and whether new ones are let in.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

/// What has been asked of all streams.
#[derive(Debug, Default)]
pub(crate) struct Phase {
    /// How often all streams were ended.
    ended: AtomicU64,
    last: Mutex<Last>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Last {
    /// Over which time the clients of the last end are to return.
    spread: Duration,
    admission: Admission,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Admission {
    #[default]
    Open,
    /// Clients are told to come back later.
    Later,
    /// Clients are told never to come back.
    Never,
}

impl Phase {
    pub(crate) fn end_all(&self, spread: Duration, admission: Option<Admission>) {
        let mut last = self.lock();
        last.spread = spread;
        last.admission = admission.unwrap_or(last.admission);
        self.ended.fetch_add(1, SeqCst);
    }

    /// How often all streams were ended before one that begins now, and whether it may begin.
    pub(crate) fn begin(&self) -> (u64, Admission) {
        let admission = self.lock().admission;
        let ended = self.ended.load(SeqCst);
        // In a shutdown it ends as those before have.
        (ended - u64::from(admission == Admission::Later), admission)
    }

    /// Whether a stream that had begun then is to end.
    pub(crate) fn has_ended(&self, begun: u64) -> bool {
        self.ended.load(SeqCst) != begun
    }

    pub(crate) fn spread(&self) -> Duration {
        self.lock().spread
    }

    fn lock(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
