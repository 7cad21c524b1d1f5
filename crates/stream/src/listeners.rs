//! Callbacks for each type of event, as in a web page.

use std::{collections::HashMap, fmt, future::poll_fn, pin::Pin};

use bytes::Bytes;
use futures_core::Stream;
use http::{Request, response};
use sse_proto::{EventTooLarge, OwnedEvent};

use crate::{Connect, Error, EventSource, Lost, Received, Sleep};

/// Callbacks for an [`EventSource`], as in a web page: `onopen`, `onmessage`, `onerror`,
/// `addEventListener`.
///
/// A `match` on the items of the stream does the same; this is for code that is ported from
/// JavaScript.
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
    on_open: Callbacks<'l, response::Parts>,
    on_error: Callbacks<'l, Lost>,
    on_too_large: Callbacks<'l, EventTooLarge>,
    by_type: HashMap<String, Callbacks<'l, OwnedEvent>>,
    on_event: Callbacks<'l, OwnedEvent>,
}

type Callbacks<'l, T> = Vec<Box<dyn FnMut(&T) + Send + 'l>>;

impl<'l> Listeners<'l> {
    /// Creates an empty set of listeners.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a listener for an open connection.
    #[must_use]
    pub fn on_open(mut self, listener: impl FnMut(&response::Parts) + Send + 'l) -> Self {
        self.on_open.push(Box::new(listener));
        self
    }

    /// Adds a listener for a lost connection. It is lost for good if [`delay`](Lost::delay) is
    /// `None`.
    #[must_use]
    pub fn on_error(mut self, listener: impl FnMut(&Lost) + Send + 'l) -> Self {
        self.on_error.push(Box::new(listener));
        self
    }

    /// Adds a listener for an event that exceeded the limit of the decoder and was skipped. Web
    /// pages have no such event.
    #[must_use]
    pub fn on_too_large(mut self, listener: impl FnMut(&EventTooLarge) + Send + 'l) -> Self {
        self.on_too_large.push(Box::new(listener));
        self
    }

    /// Adds a listener for events of type `message`, which is the type of events that name none.
    #[must_use]
    pub fn on_message(self, listener: impl FnMut(&OwnedEvent) + Send + 'l) -> Self {
        self.add_event_listener("message", listener)
    }

    /// Adds a listener for events of this type. The types `open` and `error` have no special
    /// meaning: such an event was sent by the server.
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

    /// Adds a listener for events of every type, which web pages do not have. Listeners for the
    /// type of the event are called first.
    #[must_use]
    pub fn on_event(mut self, listener: impl FnMut(&OwnedEvent) + Send + 'l) -> Self {
        self.on_event.push(Box::new(listener));
        self
    }

    /// Calls the listeners with the items of `source`, until it ends.
    pub async fn listen<C, T, H>(&mut self, mut source: Pin<&mut EventSource<C, T, H>>)
    where
        C: Connect,
        T: Sleep,
        H: FnMut(&mut Request<Bytes>),
    {
        while let Some(received) = poll_fn(|context| source.as_mut().poll_next(context)).await {
            match received {
                Ok(Received::Open(head)) => {
                    self.on_open.iter_mut().for_each(|listener| listener(&head))
                }
                Ok(Received::Event(event)) => {
                    let listeners = self.by_type.get_mut(event.event_type());
                    let listeners = listeners.into_iter().flatten().chain(&mut self.on_event);
                    listeners.for_each(|listener| listener(&event));
                }
                Ok(Received::Lost(lost)) | Err(Error::Source(lost)) => {
                    self.on_error
                        .iter_mut()
                        .for_each(|listener| listener(&lost));
                }
                Err(Error::TooLarge(error)) => {
                    self.on_too_large
                        .iter_mut()
                        .for_each(|listener| listener(&error));
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
