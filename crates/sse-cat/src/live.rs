//! A URL: an event source says what happens, and here it is printed.

use std::{error::Error, pin::pin, process, thread, time::Duration};

use crate::{
    Args, Ending, Failure,
    output::{Output, Safe, WithCauses, complain},
    request::{self, Fed},
};
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use http::{Method, Request};
use reqwest::Url;
use sse_proto::{Item, Reason, RetryPolicy};
use sse_proto_stream::{
    Connect as _, ConnectError, Error as Cause, EventSource, Handle, Lost, Received,
};
use tokio::{runtime, time};

/// What a shell makes of a program that was ended by Ctrl-C.
pub(crate) const INTERRUPTED: u8 = 130;

/// As the standard has it, and kind to servers that are down or ask for the impossible.
const RETRY_POLICY: RetryPolicy = RetryPolicy::new()
    .min_delay(Duration::from_millis(100))
    .max_delay(Duration::from_secs(60 * 60))
    .backoff(Duration::from_secs(60))
    .jitter(20);

const NOT_TOLD: &str = "no header can carry the last event ID: the server is not told";

/// Reads the stream at `url` until it ends for good, over as many connections as that takes.
pub(crate) fn watch(args: &Args, url: Url) -> Result<Ending, Failure> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Client(error.into()))?;
    let result = runtime.block_on(read(args, url));
    // A look-up of a name, which cannot be ended, may still be under way.
    runtime.shutdown_background();
    result
}

async fn read(args: &Args, url: Url) -> Result<Ending, Failure> {
    let decoder = args.decoder().map_err(Failure::LastEventId)?;
    let request = args.http.request(&url);
    let request = request.map_err(|error| Failure::Input("--data".into(), error))?;
    let is_repeatable = request.method() == Method::GET && !args.once;
    let mut client = request::client().map_err(|error| Failure::Client(error.into()))?;
    let connect = |request: Request<Bytes>| {
        let response = client.connect(request);
        async {
            Ok::<_, ConnectError>(response.await?.map(|body| Fed {
                body,
                chunk_len: args.chunk_len(),
                end: if args.finish { b"\n\n" } else { b"" },
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
    close_at_ctrl_c(source.handle()).map_err(Failure::Signals)?;
    let mut output = Output::new(args.json);
    if source.last_event_id_omitted() {
        complain(NOT_TOLD);
    }

    loop {
        let received = match source.next().now_or_never() {
            Some(received) => received,
            None => {
                output.flush()?; // the next event may be long in coming
                source.next().await
            }
        };
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
            // What a page would hear, and why.
            Some(Ok(Received::Open(_))) => complain(format_args!("open, from {}", source.origin())),
            Some(Ok(Received::Lost(lost))) => {
                complain_causes(&lost);
                complain(format_args!("lost: {}", lost.reason()));
                let (wait, place) = (lost.wait().unwrap_or_default(), after(id));
                complain(format_args!("next request in {wait:.1?}{place}"));
                if source.last_event_id_omitted() {
                    complain(NOT_TOLD);
                }
            }
            Some(Err(Cause::Source(lost))) => {
                complain_causes(&lost);
                complain(format_args!("closed: {}", lost.reason()));
                return match lost.reason() {
                    Reason::Status(204) | Reason::EndOfBody | Reason::Truncated(_) => {
                        Ok(Ending::Complete {
                            too_large: output.too_large(),
                        })
                    }
                    _ => Err(Failure::Connection),
                };
            }
            // There is no other end: it was closed.
            None => {
                complain(format_args!("interrupted{}", after(id)));
                return Ok(Ending::Interrupted);
            }
            Some(_) => {}
        }
    }
}

/// What the HTTP library has to say, if it was the cause.
fn complain_causes(lost: &Lost) {
    if let Some(cause) = lost.source() {
        complain(WithCauses(cause));
    }
}

/// Where a stream goes on, or could.
fn after(id: &str) -> String {
    match id {
        "" => String::new(),
        id => format!(", after id {}", Safe(id)),
    }
}

/// To die of it at once could cut a line of the output in two.
fn close_at_ctrl_c(handle: Handle) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(move || {
        handle.close();
        // What does not end by that, such as a reader that does not read, is left.
        thread::sleep(Duration::from_secs(1));
        process::exit(INTERRUPTED.into());
    })
}
