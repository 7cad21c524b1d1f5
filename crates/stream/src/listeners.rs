//! Events as a page hears them: by listeners for each type.

use std::{collections::HashMap, fmt, future::poll_fn, pin::Pin};

use bytes::Bytes;
use futures_core::Stream;
use http::{Request, response};
use sse_proto::{EventTooLarge, OwnedEvent};

use crate::{Connect, Error, EventSource, Lost, Received, Sleep};

/// Who hears what of an [`EventSource`], as in a page: `onopen`, `onmessage`, `onerror`,
/// `addEventListener`.
///
/// A `match` over the stream does the same; this is for those who come from there.
///
/// ```
/// use sse_proto_stream::{EventSource, Listeners};
/// use std::sync::{Arc, Mutex};
///
/// # futures_executor::block_on(async {
/// # let connect = async |_: http::Request<bytes::Bytes>| http::Response::builder()
/// #     .header("content-type", "text/event-stream")
/// #     .body(http_body_util::Full::new(&b"data: hi\n\nevent: add\ndata: 2\n\nevent: add\ndata: 3\n\n"[..]));
/// # let sleep = |_| std::future::pending::<()>();
/// let source = EventSource::get("http://a.example/", connect, sleep).unwrap();
/// let mut source = std::pin::pin!(source);
/// let (log, sum) = (Mutex::new(vec![]), Mutex::new(0));
/// let handle = source.handle();
///
/// let mut listeners = Listeners::new()
///     .on_open(|head| log.lock().unwrap().push(head.status.to_string()))
///     .on_message(|event| log.lock().unwrap().push(event.data().to_owned()))
///     .on_error(|lost| {
///         log.lock().unwrap().push(lost.reason().to_string());
///         handle.close();
///     })
///     .add_event_listener("add", |event| *sum.lock().unwrap() += event.data().parse::<i32>().unwrap());
/// listeners.listen(source.as_mut()).await;
/// drop(listeners);
///
/// assert_eq!(log.into_inner().unwrap(), ["200 OK", "hi", "the body ended"]);
/// assert_eq!(sum.into_inner().unwrap(), 5);
/// # });
/// ```
#[derive(Default)]
pub struct Listeners<'l> {
    on_open: All<'l, response::Parts>,
    on_error: All<'l, Lost>,
    on_too_large: All<'l, EventTooLarge>,
    by_type: HashMap<String, All<'l, OwnedEvent>>,
    on_event: All<'l, OwnedEvent>,
}

type All<'l, T> = Vec<Box<dyn FnMut(&T) + Send + 'l>>;

impl<'l> Listeners<'l> {
    /// Nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// There is a connection.
    #[must_use]
    pub fn on_open(mut self, listener: impl FnMut(&response::Parts) + Send + 'l) -> Self {
        self.on_open.push(Box::new(listener));
        self
    }

    /// A connection is lost; for good, if there is no [`wait`](Lost::wait).
    #[must_use]
    pub fn on_error(mut self, listener: impl FnMut(&Lost) + Send + 'l) -> Self {
        self.on_error.push(Box::new(listener));
        self
    }

    /// An event was larger than the limit of the decoder, and was skipped; which a page cannot hear.
    #[must_use]
    pub fn on_too_large(mut self, listener: impl FnMut(&EventTooLarge) + Send + 'l) -> Self {
        self.on_too_large.push(Box::new(listener));
        self
    }

    /// An event has come that names no type.
    #[must_use]
    pub fn on_message(self, listener: impl FnMut(&OwnedEvent) + Send + 'l) -> Self {
        self.add_event_listener("message", listener)
    }

    /// An event of this type has come. One that a server names `open` or `error` is an event all
    /// the same.
    #[must_use]
    pub fn add_event_listener(
        mut self,
        event_type: impl Into<String>,
        listener: impl FnMut(&OwnedEvent) + Send + 'l,
    ) -> Self {
        let listeners = self.by_type.entry(event_type.into()).or_default();
        listeners.push(Box::new(listener));
        self
    }

    /// An event of any type has come, which a page cannot listen to. Those who listen to its type
    /// hear it first.
    #[must_use]
    pub fn on_event(mut self, listener: impl FnMut(&OwnedEvent) + Send + 'l) -> Self {
        self.on_event.push(Box::new(listener));
        self
    }

    /// Tells them what happens, until there is nothing more.
    pub async fn listen<C, T, H>(&mut self, mut source: Pin<&mut EventSource<C, T, H>>)
    where
        C: Connect,
        T: Sleep,
        H: FnMut(&mut Request<Bytes>),
    {
        while let Some(received) = poll_fn(|context| source.as_mut().poll_next(context)).await {
            match received {
                Ok(Received::Open(head)) => self.on_open.iter_mut().for_each(|tell| tell(&head)),
                Ok(Received::Event(event)) => {
                    let listeners = self.by_type.get_mut(event.event_type());
                    let listeners = listeners.into_iter().flatten().chain(&mut self.on_event);
                    listeners.for_each(|tell| tell(&event));
                }
                Ok(Received::Lost(lost)) | Err(Error::Source(lost)) => {
                    self.on_error.iter_mut().for_each(|tell| tell(&lost));
                }
                Err(Error::TooLarge(error)) => {
                    self.on_too_large.iter_mut().for_each(|tell| tell(&error));
                }
                Ok(_) | Err(_) => {}
            }
        }
    }
}

impl fmt::Debug for Listeners<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listeners")
            .field("types", &self.by_type.keys())
            .finish_non_exhaustive()
    }
}
