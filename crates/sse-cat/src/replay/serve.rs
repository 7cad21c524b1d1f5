//! Serves a recording over HTTP. Each recorded chunk is an HTTP chunk of its own.

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, TcpListener as StdListener},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use super::remaining;
use crate::{
    Ending, Failure,
    output::{Escaped, log},
    recording::{End, Entry, Head},
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, header};
use http_body::{Body, Frame};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    runtime,
    time::{Sleep, sleep},
};

/// Headers of a connection, which hyper sets itself. Without a length, the body is sent in chunks.
const OF_CONNECTION: [HeaderName; 6] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

struct Recording {
    head: Head,
    entries: Vec<Entry>,
    speed: f64,
}

/// Serves the recording until the program is ended.
pub(super) fn serve(
    address: &str,
    mut head: Head,
    entries: Vec<Entry>,
    speed: f64,
) -> Result<Ending, Failure> {
    if let Some((_, headers)) = &mut head.response {
        for name in OF_CONNECTION {
            headers.remove(name);
        }
    }
    let recording = Arc::new(Recording {
        head,
        entries,
        speed,
    });
    let listener = match address.parse() {
        Ok(port) => StdListener::bind((Ipv4Addr::LOCALHOST, port)),
        Err(_) => StdListener::bind(address),
    };
    let failed = |error| Failure::Input(address.to_owned(), error);
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Client(error.into()))?;
    runtime
        .block_on(async {
            let listener = listener?;
            listener.set_nonblocking(true)?;
            let listener = TcpListener::from_std(listener)?;
            log(format_args!("serving http://{}/", listener.local_addr()?));
            accept(listener, recording).await
        })
        .map_err(failed)
}

async fn accept(listener: TcpListener, recording: Arc<Recording>) -> io::Result<Ending> {
    loop {
        let (stream, peer) = listener.accept().await?;
        // It fails only if the client has left already.
        let _ = stream.set_nodelay(true);
        let recording = recording.clone();
        tokio::spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                log_request(&request);
                respond(recording.clone())
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            if connection.await.is_err() {
                log(format_args!("connection of {peer} is lost or broken off"));
            }
        });
    }
}

fn log_request(request: &Request<Incoming>) {
    let (method, uri) = (request.method(), request.uri());
    match request.headers().get("last-event-id") {
        None => log(format_args!("{method} {uri}")),
        Some(id) => {
            let id = String::from_utf8_lossy(id.as_bytes());
            log(format_args!("{method} {uri}, after id {}", Escaped(&id)));
        }
    }
}

async fn respond(recording: Arc<Recording>) -> Result<Response<ReplayBody>, Infallible> {
    let start = Instant::now();
    let Recording { head, speed, .. } = &*recording;
    sleep(remaining(start, head.at, *speed)).await;
    let mut response = Response::new(ReplayBody {
        recording: recording.clone(),
        next: 0,
        start,
        timer: None,
        is_flushed: true,
    });
    match &head.response {
        Some((status, headers)) => {
            *response.status_mut() = *status;
            *response.headers_mut() = headers.clone();
        }
        None => {
            let headers = response.headers_mut();
            let event_stream = HeaderValue::from_static("text/event-stream");
            headers.insert(header::CONTENT_TYPE, event_stream);
            let no_store = HeaderValue::from_static("no-store");
            headers.insert(header::CACHE_CONTROL, no_store);
        }
    }
    Ok(response)
}

/// Its frames become HTTP chunks. hyper flushes them when the body is pending, so it is pending once
/// after each frame: otherwise, those before the body breaks off would be lost.
struct ReplayBody {
    recording: Arc<Recording>,
    /// Index of the next entry.
    next: usize,
    start: Instant,
    /// Until the time of the next entry.
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether the body was pending after the last frame.
    is_flushed: bool,
}

impl Body for ReplayBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if !this.is_flushed {
            this.is_flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(entry) = this.recording.entries.get(this.next) else {
            return Poll::Ready(None);
        };
        let (Entry::Chunk(at, _) | Entry::End(at, _)) = entry;
        let (start, speed) = (this.start, this.recording.speed);
        let left = remaining(start, *at, speed);
        if !left.is_zero() {
            let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(left)));
            ready!(timer.as_mut().poll(context));
        }
        this.timer = None;
        this.next += 1;
        Poll::Ready(match entry {
            Entry::Chunk(_, bytes) => {
                this.is_flushed = false;
                Some(Ok(Frame::data(bytes.clone())))
            }
            Entry::End(_, End::Failed(error)) => Some(Err(io::Error::other(error.clone()))),
            Entry::End(..) => None,
        })
    }
}
