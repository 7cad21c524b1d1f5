//! Commands to a client from another thread or task.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    task::Waker,
};

/// Closes an [`EventSource`](crate::EventSource) or makes it reconnect from another task, thread or
/// callback.
///
/// Created by [`EventSource::handle`](crate::EventSource::handle). All handles of a client are
/// equivalent.
///
/// ```
/// use futures_util::StreamExt as _;
/// use sse_proto_stream::{ConnectError, EventSource};
///
/// # futures_executor::block_on(async {
/// # type Response = http::Response<http_body_util::Empty<bytes::Bytes>>;
/// # let connect = |_| std::future::pending::<Result<Response, ConnectError>>();
/// # let sleep = |_| std::future::pending::<()>();
/// let mut source = std::pin::pin!(EventSource::get("http://a.example/", connect, sleep).unwrap());
/// let handle = source.handle();
/// std::thread::spawn(move || handle.close());
/// assert!(source.next().await.is_none());
/// # });
/// ```
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

#[derive(Default)]
struct Shared {
    commands: AtomicU8,
    waker: Mutex<Option<Waker>>,
}

pub(crate) const CLOSE: u8 = 1;
pub(crate) const RECONNECT: u8 = 2;

impl Handle {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// Ends the stream, like the standard's `close()`: it returns no more items, not even events
    /// that have already arrived. The connection is dropped when the stream is polled or dropped.
    pub fn close(&self) {
        self.send(CLOSE);
    }

    /// Reconnects without waiting: when the network is back, or to use a new token.
    ///
    /// It ends a wait, and replaces an open connection, which is reported as lost with
    /// [`Reason::Reconnect`](sse_proto::Reason::Reconnect). Events with IDs are not lost: those
    /// that were received but not decoded are requested again by the last event ID. A request that
    /// has been sent is not interrupted.
    pub fn reconnect_now(&self) {
        self.send(RECONNECT);
    }

    fn send(&self, command: u8) {
        self.0.commands.fetch_or(command, Ordering::SeqCst);
        let waker = self.waker().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    #[inline(always)]
    pub(crate) fn has_commands(&self) -> bool {
        self.0.commands.load(Ordering::Acquire) != 0
    }

    pub(crate) fn take_commands(&self) -> u8 {
        self.0.commands.swap(0, Ordering::SeqCst)
    }

    /// Sets the waker to wake on a command. Check `has_commands` again after this.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut registered = self.waker();
        match &mut *registered {
            Some(registered) => registered.clone_from(waker),
            None => *registered = Some(waker.clone()),
        }
    }

    fn waker(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        self.0.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}
