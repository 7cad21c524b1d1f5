//! What may be asked of an event source from anywhere.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    task::Waker,
};

/// Closes an [`EventSource`](crate::EventSource) or lets it reconnect, from anywhere: another task
/// or thread, a signal handler, a button.
///
/// Made by [`EventSource::handle`](crate::EventSource::handle); clones are the same handle.
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
    asked: AtomicU8,
    waker: Mutex<Option<Waker>>,
}

pub(crate) const CLOSE: u8 = 1;
pub(crate) const RECONNECT: u8 = 2;

impl Handle {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// The standard's `close()`: the stream ends, and hands out nothing more, not even what has
    /// arrived already. The connection is dropped when the stream is polled or dropped.
    pub fn close(&self) {
        self.ask(CLOSE);
    }

    /// Ends a wait, or replaces the connection: for a network that is back, or a token that is new.
    ///
    /// A connection that is open is lost by it
    /// ([`Reason::Reconnect`](sse_proto::Reason::Reconnect)), and no event with it: what has been
    /// received and not been decoded is asked for again by its ID, if it has one. A request that is
    /// under way goes on.
    pub fn reconnect_now(&self) {
        self.ask(RECONNECT);
    }

    fn ask(&self, what: u8) {
        self.0.asked.fetch_or(what, Ordering::SeqCst);
        let waker = self.waker().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    #[inline(always)]
    pub(crate) fn is_asked(&self) -> bool {
        self.0.asked.load(Ordering::Acquire) != 0
    }

    pub(crate) fn take(&self) -> u8 {
        self.0.asked.swap(0, Ordering::SeqCst)
    }

    /// Who is to be woken. Whether something is asked has to be looked at again after this.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut kept = self.waker();
        match &mut *kept {
            Some(kept) => kept.clone_from(waker),
            None => *kept = Some(waker.clone()),
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
