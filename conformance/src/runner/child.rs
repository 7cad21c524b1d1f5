//! A child process that is talked to line by line: it may hang, crash, or write whatever it likes, and whoever talks to it
//! waits for none of that longer than told.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fmt,
    io::{self, BufRead, BufReader, Read, Write},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

/// The longest line that is read. The right answer to the longest request has about four million bytes.
const MAX_LINE: usize = 16 << 20;

/// How many bytes of standard error are kept, to be shown when something goes wrong.
const KEPT_COMPLAINTS: usize = 2000;

/// How long a child may take to be seen dead after its output has ended.
const DYING: Duration = Duration::from_millis(500);

/// The children that run at the moment, so that whoever interrupts the program leaves none behind.
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// What went wrong between requests and answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// No answer in time; what there was of one.
    Hang(String),
    /// It ended; how, and what there was of an answer.
    Exit(String),
    /// Its output ended, but it runs on.
    ClosedOutput,
    /// A line that is no answer at all.
    Nonsense(String),
    /// A line that answers something else.
    OutOfOrder(String),
}

impl Fault {
    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::Hang(_) => "hang",
            Self::Exit(_) => "exit",
            Self::ClosedOutput => "closed-output",
            Self::Nonsense(_) => "nonsense",
            Self::OutOfOrder(_) => "out-of-order",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hang(what) => write!(f, "no answer: {what}"),
            Self::Exit(how) => write!(f, "the adapter ended: {how}"),
            Self::ClosedOutput => write!(f, "the adapter closed its output, but did not end"),
            Self::Nonsense(what) => write!(f, "a line that is no answer: {what}"),
            Self::OutOfOrder(what) => write!(f, "an answer out of order: {what}"),
        }
    }
}

pub(super) struct Adapter {
    child: Child,
    to: Option<Sender<Vec<u8>>>,
    from: Receiver<Heard>,
    complaints: Arc<Mutex<VecDeque<u8>>>,
}

enum Heard {
    Line(Vec<u8>),
    /// The output is over, with this behind the last line end.
    End(Vec<u8>),
    TooLong,
}

impl Adapter {
    pub(super) fn start(command: &[OsString]) -> io::Result<Self> {
        let Some((program, arguments)) = command.split_first() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no command"));
        };
        let mut command = Command::new(program);
        command.args(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // A group of its own, so that what a shell or a launcher started ends with it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        running().push(child.id());

        let (to, lines) = mpsc::channel::<Vec<u8>>();
        let mut stdin = child.stdin.take().expect("it is piped");
        thread::spawn(move || {
            // Who does not read is found out by not answering.
            for line in lines {
                if stdin.write_all(&line).is_err() {
                    return;
                }
            }
        });
        // Bounded: who writes without end is not kept.
        let (sender, from) = mpsc::sync_channel(64);
        let stdout = child.stdout.take().expect("it is piped");
        thread::spawn(move || hear(stdout, &sender));
        let complaints = Arc::new(Mutex::new(VecDeque::new()));
        let (kept, mut stderr) = (
            complaints.clone(),
            child.stderr.take().expect("it is piped"),
        );
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(len @ 1..) = stderr.read(&mut buffer) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend(&buffer[..len]);
                let surplus = kept.len().saturating_sub(KEPT_COMPLAINTS);
                kept.drain(..surplus);
            }
        });
        Ok(Self {
            child,
            to: Some(to),
            from,
            complaints,
        })
    }

    /// Hands a line over. Does not wait until it is read.
    pub(super) fn say(&self, line: Vec<u8>) {
        if let Some(to) = &self.to {
            // A child that is gone is found out by not answering.
            let _ = to.send(line);
        }
    }

    /// The next line of output, without its line end.
    pub(super) fn hear(&mut self, patience: Duration) -> Result<Vec<u8>, Fault> {
        match self.from.recv_timeout(patience) {
            Ok(Heard::Line(line)) => Ok(line),
            Ok(Heard::TooLong) => Err(Fault::Nonsense(format!(
                "more than {MAX_LINE} bytes in one line"
            ))),
            Ok(Heard::End(partial)) => {
                let status = self.wait(DYING);
                Err(self.ended(status, &partial))
            }
            Err(RecvTimeoutError::Timeout) => Err(Fault::Hang(format!(
                "nothing for {patience:?}; is every answer flushed?{}",
                self.complaints()
            ))),
            Err(RecvTimeoutError::Disconnected) => Err(Fault::ClosedOutput),
        }
    }

    /// Ends the input, and waits until the child has ended as well.
    ///
    /// # Errors
    ///
    /// What it wrote besides, or how it ended otherwise than in peace.
    pub(super) fn end(mut self, patience: Duration) -> Result<(), String> {
        self.to = None;
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.from.recv_timeout(left) {
                Ok(Heard::Line(line) | Heard::End(line)) if !line.is_empty() => {
                    return Err(format!("after its last answer it wrote {}", excerpt(&line)));
                }
                Ok(Heard::Line(_)) => {}
                Ok(Heard::End(_)) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(Heard::TooLong) => {
                    return Err("after its last answer it wrote without end".to_owned());
                }
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!(
                        "at the end of its input it did not end, for {patience:?}"
                    ));
                }
            }
        }
        match self.wait(
            deadline
                .saturating_duration_since(Instant::now())
                .max(DYING),
        ) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!(
                "at the end of its input it ended with {status}{}",
                self.complaints()
            )),
            None => Err(format!(
                "at the end of its input it did not end, for {patience:?}"
            )),
        }
    }

    fn ended(&self, status: Option<ExitStatus>, partial: &[u8]) -> Fault {
        let Some(status) = status else {
            return Fault::ClosedOutput;
        };
        let partial = if partial.is_empty() {
            String::new()
        } else {
            format!(", in the middle of an answer: {}", excerpt(partial))
        };
        Fault::Exit(format!("{status}{partial}{}", self.complaints()))
    }

    fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// The last of what it wrote to standard error, as the end of a message.
    fn complaints(&self) -> String {
        let kept = self
            .complaints
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let kept: Vec<u8> = kept.iter().copied().collect();
        match String::from_utf8_lossy(&kept).trim() {
            "" => String::new(),
            text => format!("\nits standard error ends with:\n{text}"),
        }
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        stop(self.child.id());
        let _ = self.child.kill();
        let _ = self.child.wait();
        running().retain(|id| *id != self.child.id());
    }
}

/// Stops every adapter that runs: for whoever ends the program early.
pub(super) fn stop_running() {
    running().drain(..).for_each(stop);
}

fn running() -> std::sync::MutexGuard<'static, Vec<u32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn stop(id: u32) {
    #[cfg(unix)]
    if let Ok(id) = i32::try_from(id) {
        use nix::{sys::signal, unistd::Pid};
        let _ = signal::killpg(Pid::from_raw(id), signal::Signal::SIGKILL);
    }
    #[cfg(not(unix))]
    let _ = id;
}

fn hear(stdout: ChildStdout, to: &SyncSender<Heard>) {
    let mut stdout = BufReader::with_capacity(1 << 16, stdout);
    loop {
        let mut line = Vec::new();
        let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
        let read = (&mut stdout).take(limit).read_until(b'\n', &mut line);
        let heard = match read {
            Ok(MAX_LINE) => Heard::TooLong,
            Ok(_) if line.last() == Some(&b'\n') => {
                line.pop();
                Heard::Line(line)
            }
            Ok(_) | Err(_) => Heard::End(line),
        };
        let is_last = !matches!(heard, Heard::Line(_));
        if to.send(heard).is_err() || is_last {
            return;
        }
    }
}

/// The beginning of a line, as text with escapes.
pub(super) fn excerpt(line: &[u8]) -> String {
    const LEN: usize = 200;
    let text = crate::judge::shown(&line[..line.len().min(LEN)]);
    let more = if line.len() > LEN { " …" } else { "" };
    format!("{text}{more}")
}
