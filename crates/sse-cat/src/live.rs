//! A URL: the connection machine says what to do, and here it is done.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher as _, Hasher as _},
    io::{self, Read},
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    Args, Ending, Failure,
    http::Client,
    output::{Output, Safe, complain},
};
use sse_proto::{
    Action, Disconnect, EventSource, Item, Messages, ReadyState, Reason, RetryPolicy, Signal,
    Storage, StreamItem,
};
use url::Url;

/// What a shell makes of a program that was ended by Ctrl-C.
pub(crate) const INTERRUPTED: u8 = 130;

/// As the standard has it, and kind to servers that are down or ask for the impossible.
const RETRY_POLICY: RetryPolicy = RetryPolicy::new()
    .floor(Duration::from_millis(100))
    .ceiling(Duration::from_secs(60 * 60))
    .backoff(Duration::from_secs(60))
    .jitter(20);

/// Reads the stream at `url` until it ends for good, over as many connections as that takes.
pub(crate) fn watch(args: &Args, url: Url) -> Result<Ending, Failure> {
    let decoder = args.decoder().map_err(Failure::LastEventId)?;
    let client = Client::new(&args.http).map_err(|error| Failure::Input("--data".into(), error))?;
    let policy = if args.once || !client.is_repeatable() {
        RetryPolicy::never()
    } else {
        RETRY_POLICY
    };
    let mut source = EventSource::with_decoder(url, decoder)
        .map_err(Failure::Url)?
        .retry_policy(policy);
    let interrupt = Interrupt::listen(&client).map_err(Failure::Signals)?;
    let mut output = Output::new(args.json);
    let mut body: Box<dyn Read> = Box::new(io::empty());
    let mut buffer = [0; 64 * 1024];

    let reason = loop {
        let signal = match source.action() {
            Action::Connect(request) => {
                if request.last_event_id_left_out {
                    complain("no header can carry the last event ID: the server is not told");
                }
                match client.send(request) {
                    _ if interrupt.came() => {
                        source.close();
                        None
                    }
                    Ok(response) => {
                        body = Box::new(response.body);
                        let (url, headers) = (response.url, response.headers);
                        source.handle_response(response.status, Some(url), &headers)
                    }
                    Err(error) => {
                        complain(&error);
                        source.handle_disconnect(error.cause())
                    }
                }
            }
            Action::Read(_) => match body.read(&mut buffer) {
                _ if interrupt.came() => {
                    source.close();
                    None
                }
                Ok(0) => {
                    if args.finish {
                        print(source.feed(b"\n\n"), args, &mut output)?;
                    }
                    source.handle_disconnect(Disconnect::EndOfBody)
                }
                Ok(len) => {
                    for chunk in buffer[..len].chunks(args.chunk_len()) {
                        print(source.feed(chunk), args, &mut output)?;
                    }
                    None
                }
                Err(error) => {
                    complain(error);
                    source.handle_disconnect(Disconnect::Network)
                }
            },
            Action::Wait(wait) => {
                body = Box::new(io::empty());
                let wait = wait.with_jitter(random());
                let place = after(source.last_event_id());
                complain(format_args!("next request in {wait:.1?}{place}"));
                if interrupt.comes_within(wait) {
                    source.close();
                } else {
                    source.handle_wait_elapsed();
                }
                None
            }
            Action::Stop(reason) => break reason,
        };
        // What a page would hear, and why.
        match signal {
            Some(Signal::Open) => complain(format_args!("open, from {}", source.origin())),
            Some(Signal::Error {
                ready_state: ReadyState::Closed,
                reason,
            }) => complain(format_args!("closed: {reason}")),
            Some(Signal::Error { reason, .. }) => complain(format_args!("lost: {reason}")),
            None => {}
        }
    };

    match reason {
        None => {
            let place = after(source.last_event_id());
            complain(format_args!("interrupted{place}"));
            Ok(Ending::Interrupted)
        }
        Some(Reason::Status(204) | Reason::EndOfBody) => Ok(Ending::Complete {
            too_large: output.too_large(),
        }),
        Some(_) => Err(Failure::Connection),
    }
}

/// Where a stream goes on, or could.
fn after(id: &str) -> String {
    match id {
        "" => String::new(),
        id => format!(", after id {}", Safe(id)),
    }
}

/// Prints what there is in a chunk.
fn print<S: Storage>(
    mut messages: Messages<'_, '_, S>,
    args: &Args,
    output: &mut Output,
) -> Result<(), Failure> {
    loop {
        let item = if args.comments {
            messages.next_item()
        } else {
            messages
                .next_message()
                .map(|message| message.map(StreamItem::Message))
        };
        match item {
            Ok(Some(StreamItem::Message(message))) => output.print(Item::Event(message.into()))?,
            Ok(Some(StreamItem::Comment(text))) => output.print(Item::Comment(text))?,
            Ok(Some(StreamItem::Retry(time))) => output.print(Item::Retry(time))?,
            Ok(Some(_)) => {}
            Ok(None) => return output.flush(), // the next chunk may be long in coming
            Err(error) => output.report(error)?,
        }
    }
}

/// Ctrl-C. To die of it at once could cut a line of the output in two.
struct Interrupt {
    came: Arc<AtomicBool>,
}

impl Interrupt {
    fn listen(client: &Client) -> Result<Self, ctrlc::Error> {
        let came = Arc::new(AtomicBool::new(false));
        let (agent, main) = (client.agent().clone(), thread::current());
        let setter = came.clone();
        ctrlc::set_handler(move || {
            setter.store(true, Ordering::SeqCst);
            agent.clone().shutdown(); // ends a read
            main.unpark(); // ends a wait
            // What cannot be ended, such as a look-up or a reader that does not read, is left.
            thread::sleep(Duration::from_secs(1));
            process::exit(INTERRUPTED.into());
        })?;
        Ok(Self { came })
    }

    fn came(&self) -> bool {
        self.came.load(Ordering::SeqCst)
    }

    /// Waits for it, but not for ever.
    fn comes_within(&self, time: Duration) -> bool {
        let start = Instant::now();
        while !self.came() {
            match time.checked_sub(start.elapsed()) {
                None | Some(Duration::ZERO) => return false,
                Some(left) => thread::park_timeout(left),
            }
        }
        true
    }
}

/// Enough to keep clients from coming back in step.
fn random() -> u32 {
    // The seeds of a hasher are random, so its hash of nothing is.
    let hash = RandomState::new().build_hasher().finish();
    (hash >> 32) as u32
}
