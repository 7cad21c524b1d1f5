//! The adapter's process: exchanges lines with it and survives whatever it does. It may hang, crash
//! or write anything; no call blocks for longer than its timeout.

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
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// The length of the longest line that is read. The correct answer to the longest request has about
/// four million bytes.
const MAX_LINE: usize = 16 << 20;

/// How many bytes from the end of standard error are kept for error messages.
const STDERR_TAIL: usize = 2000;

/// How long to wait for a process to exit after its output has ended, and then for the end of its
/// standard error.
const EXIT_TIMEOUT: Duration = Duration::from_millis(500);

/// The ids of the processes that run, so that an interrupted program can stop them.
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// An error of the adapter, as opposed to a wrong answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AdapterError {
    /// No answer came in time.
    Hang(String),
    /// The process exited: its status, and the part of an answer that it wrote.
    Exit(String),
    /// The process closed its output, but did not exit.
    ClosedOutput,
    /// It wrote a line that is not an answer.
    Nonsense(String),
    /// It answered another request than the next one.
    OutOfOrder(String),
}

impl AdapterError {
    /// The keyword that reports use.
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

impl fmt::Display for AdapterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hang(what) => write!(f, "no answer: {what}"),
            Self::Exit(how) => write!(f, "the adapter exited: {how}"),
            Self::ClosedOutput => write!(f, "the adapter closed its output, but did not exit"),
            Self::Nonsense(what) => {
                write!(f, "the adapter wrote a line that is not an answer: {what}")
            }
            Self::OutOfOrder(what) => write!(f, "the adapter answered out of order: {what}"),
        }
    }
}

pub(super) struct Adapter {
    child: Child,
    requests: Option<Sender<Vec<u8>>>,
    output: Receiver<Output>,
    stderr_tail: Arc<Mutex<VecDeque<u8>>>,
    stderr_reader: JoinHandle<()>,
}

enum Output {
    Line(Vec<u8>),
    /// The end of the output, with what followed the last LF.
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
        // Its own process group, so that the children of a shell or launcher can be stopped with
        // it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        running().push(child.id());

        let (requests, lines) = mpsc::channel::<Vec<u8>>();
        let mut stdin = child.stdin.take().expect("it is piped");
        thread::spawn(move || {
            // If the adapter does not read, its missing answers are reported instead.
            for line in lines {
                if stdin.write_all(&line).is_err() {
                    return;
                }
            }
        });
        // Bounded, as an adapter may write without end.
        let (sender, output) = mpsc::sync_channel(64);
        let stdout = child.stdout.take().expect("it is piped");
        thread::spawn(move || read_lines(stdout, &sender));
        let stderr_tail = Arc::new(Mutex::new(VecDeque::new()));
        let tail = stderr_tail.clone();
        let mut stderr = child.stderr.take().expect("it is piped");
        let stderr_reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(len @ 1..) = stderr.read(&mut buffer) {
                let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
                tail.extend(&buffer[..len]);
                let surplus = tail.len().saturating_sub(STDERR_TAIL);
                tail.drain(..surplus);
            }
        });
        Ok(Self {
            child,
            requests: Some(requests),
            output,
            stderr_tail,
            stderr_reader,
        })
    }

    /// Queues a line for standard input. Does not block.
    pub(super) fn send(&self, line: Vec<u8>) {
        if let Some(requests) = &self.requests {
            // If the process has exited, its missing answers are reported instead.
            let _ = requests.send(line);
        }
    }

    /// Waits for the next line of output, and returns it without its LF.
    pub(super) fn receive(&mut self, timeout: Duration) -> Result<Vec<u8>, AdapterError> {
        match self.output.recv_timeout(timeout) {
            Ok(Output::Line(line)) => Ok(line),
            Ok(Output::TooLong) => Err(AdapterError::Nonsense(format!(
                "more than {MAX_LINE} bytes in one line"
            ))),
            Ok(Output::End(partial)) => {
                let status = self.wait(EXIT_TIMEOUT);
                Err(self.exited(status, &partial))
            }
            Err(RecvTimeoutError::Timeout) => Err(AdapterError::Hang(format!(
                "nothing for {timeout:?}; is every answer flushed?{}",
                self.stderr_text()
            ))),
            Err(RecvTimeoutError::Disconnected) => Err(AdapterError::ClosedOutput),
        }
    }

    /// Closes standard input and waits for the process to exit.
    ///
    /// # Errors
    ///
    /// If the process writes anything more, does not exit in time, or exits with an error.
    pub(super) fn end(mut self, timeout: Duration) -> Result<(), String> {
        self.requests = None;
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(Output::Line(line) | Output::End(line)) if !line.is_empty() => {
                    return Err(format!("after its last answer it wrote {}", excerpt(&line)));
                }
                Ok(Output::Line(_)) => {}
                Ok(Output::End(_)) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(Output::TooLong) => {
                    return Err("after its last answer it wrote without end".to_owned());
                }
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!(
                        "it did not exit within {timeout:?} of the end of its input"
                    ));
                }
            }
        }
        match self.wait(
            deadline
                .saturating_duration_since(Instant::now())
                .max(EXIT_TIMEOUT),
        ) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!(
                "at the end of its input it exited with {status}{}",
                self.stderr_text()
            )),
            None => Err(format!(
                "it did not exit within {timeout:?} of the end of its input"
            )),
        }
    }

    fn exited(&self, status: Option<ExitStatus>, partial: &[u8]) -> AdapterError {
        let Some(status) = status else {
            return AdapterError::ClosedOutput;
        };
        let partial = if partial.is_empty() {
            String::new()
        } else {
            format!(", in the middle of an answer: {}", excerpt(partial))
        };
        AdapterError::Exit(format!("{status}{partial}{}", self.stderr_text()))
    }

    /// Waits for the process to exit, and until its standard error was read: to its end, unless a child
    /// of its own keeps that open.
    fn wait(&mut self, timeout: Duration) -> Option<ExitStatus> {
        let mut status = None;
        wait_until(timeout, || {
            status = self.child.try_wait().transpose();
            status.is_some()
        });
        let status = status?.ok()?;
        wait_until(EXIT_TIMEOUT, || self.stderr_reader.is_finished());
        Some(status)
    }

    /// The tail of standard error, as the end of an error message.
    fn stderr_text(&self) -> String {
        let tail = self
            .stderr_tail
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let tail: Vec<u8> = tail.iter().copied().collect();
        match String::from_utf8_lossy(&tail).trim() {
            "" => String::new(),
            text => format!("\nits standard error ends with:\n{text}"),
        }
    }
}

/// Waits until `done` returns true, or for the timeout.
fn wait_until(timeout: Duration, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + timeout;
    while !done() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(2));
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

/// Stops every adapter that runs.
pub(super) fn kill_running() {
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

fn read_lines(stdout: ChildStdout, lines: &SyncSender<Output>) {
    let mut stdout = BufReader::with_capacity(1 << 16, stdout);
    loop {
        let mut line = Vec::new();
        let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
        let read = (&mut stdout).take(limit).read_until(b'\n', &mut line);
        let output = match read {
            Ok(MAX_LINE) => Output::TooLong,
            Ok(_) if line.last() == Some(&b'\n') => {
                line.pop();
                Output::Line(line)
            }
            Ok(_) | Err(_) => Output::End(line),
        };
        let is_last = !matches!(output, Output::Line(_));
        if lines.send(output).is_err() || is_last {
            return;
        }
    }
}

/// The beginning of a line as text with escapes.
pub(super) fn excerpt(line: &[u8]) -> String {
    const LEN: usize = 200;
    let text = crate::check::escaped(&line[..line.len().min(LEN)]);
    let more = if line.len() > LEN { " …" } else { "" };
    format!("{text}{more}")
}
