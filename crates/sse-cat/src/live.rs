//! Prints a live stream with an [`EventSource`], and reports changes of its connection.

use std::{
    cell::RefCell,
    error::Error,
    pin::pin,
    time::{Duration, Instant},
};

use crate::{
    Args, Ending, Failure, interrupt,
    output::{Escaped, Output, WithCauses, log, log_no_event_stream, log_refused},
    request::{self, ChunkedBody},
};
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use http::{Method, Request};
use reqwest::Url;
use sse_proto::{Item, Reason, RetryPolicy};
use sse_proto_stream::{Connect as _, ConnectError, Error as Cause, EventSource, Lost, Received};
use tokio::{runtime, time};

/// The standard's behavior, with backoff, jitter, and limits for the delay.
const RETRY_POLICY: RetryPolicy = RetryPolicy::new()
    .min_delay(Duration::from_millis(100))
    .max_delay(Duration::from_secs(60 * 60))
    .backoff(Duration::from_secs(60))
    .jitter(20);

const ID_OMITTED: &str = "no header can contain the last event ID, so it is not sent";

/// Prints the stream at `url` until it ends for good; reconnects when the connection is lost.
pub(crate) fn watch(args: &Args, url: Url) -> Result<Ending, Failure> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Client(error.into()))?;
    let result = runtime.block_on(read(args, url));
    // Do not wait for a DNS lookup, which cannot be cancelled.
    runtime.shutdown_background();
    result
}

async fn read(args: &Args, url: Url) -> Result<Ending, Failure> {
    let decoder = args.decoder().map_err(Failure::LastEventId)?;
    let request = args.http.request(&url);
    let request = request.map_err(|error| Failure::Input("--data".into(), error))?;
    let is_repeatable = request.method() == Method::GET && !args.once;
    let mut client = request::client(true).map_err(|error| Failure::Client(error.into()))?;
    let output = RefCell::new(Output::new(args));
    let start = RefCell::new(Vec::new());
    let connect = |request: Request<Bytes>| {
        let response = client.connect(request);
        async {
            let response = response.await?;
            output.borrow_mut().start_stream();
            start.borrow_mut().clear();
            Ok::<_, ConnectError>(response.map(|body| ChunkedBody {
                body,
                output: &output,
                start: &start,
                chunk_len: args.chunk_len(),
                suffix: if args.finish { b"\n\n" } else { b"" },
                rest: Bytes::new(),
            }))
        }
    };
    let source = EventSource::with_decoder(request, decoder, connect, time::sleep);
    let mut source = source.map_err(Failure::Url)?.items(args.comments);
    source = source.retry_policy(match is_repeatable {
        true => RETRY_POLICY,
        false => RetryPolicy::never(),
    });
    if let Some(timeout) = args.http.timeout() {
        source = source.response_timeout(timeout).read_timeout(timeout);
    }
    let mut source = pin!(source);
    let handle = source.handle();
    interrupt::at_ctrl_c(move || handle.close()).map_err(Failure::Signals)?;
    let deadline = args
        .duration
        .and_then(|time| Instant::now().checked_add(time));
    if source.last_event_id_omitted() {
        log(ID_OMITTED);
    }

    loop {
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            let id = position(source.last_event_id());
            log(format_args!("the time of --for has elapsed{id}"));
            return output.borrow_mut().complete();
        }
        let received = match source.next().now_or_never() {
            Some(received) => received,
            None => {
                output.borrow_mut().flush()?; // the next event may take long
                match deadline {
                    None => source.next().await,
                    Some(deadline) => {
                        match time::timeout_at(deadline.into(), source.next()).await {
                            Ok(received) => received,
                            Err(_elapsed) => continue,
                        }
                    }
                }
            }
        };
        let mut output = output.borrow_mut();
        match received {
            Some(Ok(Received::Event(event))) => {
                output.print(Item::Event(event.as_event()))?;
                continue;
            }
            Some(Ok(Received::Comment(text))) => {
                output.print(Item::Comment(&text))?;
                continue;
            }
            Some(Ok(Received::Retry(time))) => {
                output.print(Item::Retry(time))?;
                continue;
            }
            Some(Err(Cause::TooLarge(error))) => {
                output.report(error)?;
                continue;
            }
            _ => output.flush()?,
        }
        let id = source.last_event_id();
        match received {
            // The `open` and `error` events of the standard.
            Some(Ok(Received::Open(_))) => log(format_args!("open, from {}", source.origin())),
            Some(Ok(Received::Lost(lost))) => {
                log_cause(&lost);
                log(format_args!("lost: {}", lost.reason()));
                log_response(&lost, &start.borrow());
                let (delay, position) = (lost.delay().unwrap_or_default(), position(id));
                log(format_args!("next request in {delay:.1?}{position}"));
                if source.last_event_id_omitted() {
                    log(ID_OMITTED);
                }
            }
            Some(Err(Cause::Source(lost))) => {
                log_cause(&lost);
                log(format_args!("closed: {}", lost.reason()));
                log_response(&lost, &start.borrow());
                return match lost.reason() {
                    Reason::Status(204) | Reason::EndOfBody | Reason::Truncated(_) => {
                        output.complete()
                    }
                    _ => Err(Failure::Connection),
                };
            }
            // Without an error, the stream only ends if Ctrl-C has closed it.
            None => {
                log(format_args!("interrupted{}", position(id)));
                return Ok(Ending::Interrupted);
            }
            Some(_) => {}
        }
    }
}

/// Prints the error of the HTTP library, if there is one.
fn log_cause(lost: &Lost) {
    if let Some(cause) = lost.source() {
        log(WithCauses(cause));
    }
}

/// Prints the response, if it was refused, or the start of its body, if that was no event stream. The
/// status 204 is not a refusal, but the end of the stream.
fn log_response(lost: &Lost, start: &[u8]) {
    match (lost.reason(), lost.response()) {
        (Reason::NoEventStream, _) => log_no_event_stream(start),
        (Reason::Status(204), _) | (_, None) => {}
        (_, Some(response)) => log_refused(response, lost.is_response_complete()),
    }
}

/// The position at which a stream is or can be resumed.
fn position(id: &str) -> String {
    match id {
        "" => String::new(),
        id => format!(", after id {}", Escaped(id)),
    }
}
