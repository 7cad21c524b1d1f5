//! Bytes with the time of their arrival, from a URL, standard input or a file.
//!
//! A thread reads and sends what arrives to a channel, so that the receiver can notice silence, the
//! end of `--for`, and Ctrl-C, while a read blocks.

mod url;

use std::{
    fs::File,
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{Failure, file, interrupt};
use bytes::Bytes;
use http::response;

pub(crate) use url::UrlRequest;

/// Where the bytes come from.
pub(crate) enum Input {
    Url(Box<UrlRequest>),
    Stdin,
    /// A file, or the demo.
    File(Option<PathBuf>),
}

impl Input {
    /// `-` is standard input.
    pub(crate) fn of_file(path: Option<&Path>) -> Self {
        match path {
            Some(path) if path == Path::new("-") => Self::Stdin,
            path => Self::File(path.map(Path::to_owned)),
        }
    }

    /// Returns whether the times of arrival tell something about the sender.
    pub(crate) fn is_live(&self) -> bool {
        !matches!(self, Self::File(_))
    }
}

/// What has arrived.
pub(crate) enum Arrival {
    /// Always first, and only for URLs.
    Head(Box<response::Parts>),
    Chunk(Bytes),
    End,
    /// The body broke off.
    Broken(String),
}

/// The result of waiting for an arrival.
pub(crate) enum Next {
    At(Instant, Arrival),
    /// Nothing has arrived until the given time.
    Silence,
    /// The time of `--for` has elapsed, or Ctrl-C was pressed.
    Stopped,
}

pub(crate) struct Source {
    receiver: Receiver<Message>,
    started: Instant,
    deadline: Option<Instant>,
    is_interrupted: Arc<AtomicBool>,
}

enum Message {
    Arrived(Instant, Arrival),
    Failed(Failure),
    Interrupted,
}

impl Source {
    /// Starts to read. The source ends after `duration`, if there is one.
    pub(crate) fn open(input: Input, duration: Option<Duration>) -> Result<Self, Failure> {
        // Bounded, so that a slow receiver does not collect a large file in memory.
        let (sender, receiver) = mpsc::sync_channel(64);
        let is_interrupted = Arc::new(AtomicBool::new(false));
        let (flag, waker) = (is_interrupted.clone(), sender.clone());
        interrupt::at_ctrl_c(move || {
            flag.store(true, Ordering::Relaxed);
            // If the channel is full, the receiver sees the flag at the next arrival.
            let _ = waker.try_send(Message::Interrupted);
        })
        .map_err(Failure::Signals)?;
        let started = Instant::now();
        thread::spawn(move || {
            if let Err(failure) = read(input, &sender) {
                let _ = sender.send(Message::Failed(failure));
            }
        });
        Ok(Self {
            receiver,
            started,
            deadline: duration.and_then(|duration| started.checked_add(duration)),
            is_interrupted,
        })
    }

    /// Returns when reading started: for a URL, just before the request was sent.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// Waits for the next arrival, and at most until `wake_at`.
    ///
    /// Fails if there was no response, or if the file or standard input cannot be read at all.
    pub(crate) fn next(&mut self, wake_at: Option<Instant>) -> Result<Next, Failure> {
        if self.is_interrupted.load(Ordering::Relaxed) {
            return Ok(Next::Stopped);
        }
        let limit = match (self.deadline, wake_at) {
            (Some(deadline), Some(wake_at)) => Some(deadline.min(wake_at)),
            (deadline, wake_at) => deadline.or(wake_at),
        };
        let message = match limit {
            None => self.receiver.recv().map_err(RecvTimeoutError::from),
            Some(limit) => self
                .receiver
                .recv_timeout(limit.saturating_duration_since(Instant::now())),
        };
        match message {
            Ok(Message::Arrived(at, _)) if self.deadline.is_some_and(|end| at >= end) => {
                Ok(Next::Stopped)
            }
            Ok(Message::Arrived(at, arrival)) => Ok(Next::At(at, arrival)),
            Ok(Message::Failed(failure)) => Err(failure),
            Ok(Message::Interrupted) => Ok(Next::Stopped),
            Err(RecvTimeoutError::Timeout) if limit == self.deadline => Ok(Next::Stopped),
            Err(RecvTimeoutError::Timeout) => Ok(Next::Silence),
            // The handler of Ctrl-C keeps a sender.
            Err(RecvTimeoutError::Disconnected) => Ok(Next::Stopped),
        }
    }
}

/// Reads the input to its end. Returns early if the receiver is gone.
fn read(input: Input, sender: &SyncSender<Message>) -> Result<(), Failure> {
    match input {
        Input::Url(request) => url::read(*request, sender),
        Input::Stdin => read_all(io::stdin().lock(), "standard input".into(), sender),
        Input::File(None) => read_all(file::DEMO, "demo".into(), sender),
        Input::File(Some(path)) => {
            let name = path.display().to_string();
            match File::open(path) {
                Ok(file) => read_all(file, name, sender),
                Err(error) => Err(Failure::Input(name, error)),
            }
        }
    }
}

fn read_all(
    mut input: impl Read,
    name: String,
    sender: &SyncSender<Message>,
) -> Result<(), Failure> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let arrival = match input.read(&mut buffer) {
            Ok(0) => Arrival::End,
            Ok(len) => Arrival::Chunk(Bytes::copy_from_slice(&buffer[..len])),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::Input(name, error)),
        };
        let is_end = matches!(arrival, Arrival::End);
        if !send(sender, arrival) || is_end {
            return Ok(());
        }
    }
}

/// Returns whether the receiver still exists.
fn send(sender: &SyncSender<Message>, arrival: Arrival) -> bool {
    sender
        .send(Message::Arrived(Instant::now(), arrival))
        .is_ok()
}
