//! The server process, which is killed, stopped and restarted, and the resource usage of processes.

use std::{
    fs::{self, OpenOptions},
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// The name of the server's only topic.
const TOPIC: &str = "live";

pub(crate) struct Server {
    program: PathBuf,
    /// The directory of its history.
    store: PathBuf,
    spread: Duration,
    process: Child,
    /// For example "127.0.0.2:1234"; the same after each restart.
    pub(crate) address: String,
    past: Usage,
}

impl Server {
    pub(crate) fn start(program: &Path, store: &Path, spread: Duration) -> io::Result<Self> {
        // If nothing listens on 127.0.0.1, a client whose local port happens to be the requested
        // port connects to itself. This cannot happen from 127.0.0.1 to 127.0.0.2.
        let mut server = Self {
            program: program.to_owned(),
            store: store.to_owned(),
            spread,
            process: Command::new("true").spawn()?,
            address: "127.0.0.2:0".to_owned(),
            past: Usage::default(),
        };
        server.process.wait()?;
        server.spawn(Duration::from_millis(500))?;
        Ok(server)
    }

    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.past = self.usage()?;
        self.process.kill()?; // SIGKILL
        self.process.wait()?;
        Ok(())
    }

    /// Requests a graceful shutdown, which ends when all streams have ended.
    pub(crate) fn stop(&mut self) -> io::Result<()> {
        self.past = self.usage()?;
        let mut kill = Command::new("kill");
        let status = kill.args(["-s", "TERM", &self.process.id().to_string()]);
        if status.status()?.success() {
            Ok(())
        } else {
            Err(io::Error::other("the signal could not be sent"))
        }
    }

    pub(crate) fn is_running(&mut self) -> io::Result<bool> {
        Ok(self.process.try_wait()?.is_none())
    }

    /// Restarts the server at the same address with the same file, to which an incomplete event is
    /// appended as if a write had been interrupted.
    pub(crate) fn restart(&mut self, retry: Duration) -> io::Result<()> {
        let file = self.store.join(TOPIC).with_extension("sse");
        let mut file = OpenOptions::new().append(true).open(file)?;
        file.write_all(b"event: note\nid: 1-1\ndata: half an ev")?;
        self.spawn(retry)
    }

    fn spawn(&mut self, retry: Duration) -> io::Result<()> {
        let seconds = |time: Duration| time.as_secs_f64().to_string();
        // Keep-alive comments come sooner than clients reconnect, so that clients miss some events.
        let mut process = Command::new(&self.program)
            .args([
                "--listen",
                &self.address,
                "--demo",
                "0",
                "--keep-alive",
                "0.2",
            ])
            .args([
                "--retry",
                &seconds(retry),
                "--spread",
                &seconds(self.spread),
            ])
            .args(["--history", "1000000000", "--store"])
            .arg(&self.store)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        self.process = process;
        BufReader::new(stdout).read_line(&mut line)?;
        let Some(address) = line.trim_end().strip_prefix("http://") else {
            return Err(io::Error::other("the server did not start"));
        };
        self.address = address.to_owned();
        Ok(())
    }

    /// The usage of all processes since the first start.
    pub(crate) fn usage(&self) -> io::Result<Usage> {
        let now = Usage::of(&self.process.id().to_string())?;
        Ok(Usage {
            cpu: self.past.cpu + now.cpu,
            peak: self.past.peak.max(now.peak),
            ..now
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The resource usage of a process.
#[derive(Default)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    /// Memory in KiB, current and maximum.
    pub(crate) resident: u64,
    pub(crate) peak: u64,
}

impl Usage {
    /// `process` is a process id or "self".
    pub(crate) fn of(process: &str) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        // The fields after the name, which may contain any character. In hundredths of a second.
        let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        let ticks: u64 = fields
            .skip(11)
            .take(2)
            .filter_map(|ticks| ticks.parse::<u64>().ok())
            .sum();
        let memory = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name));
            value
                .and_then(|value| value.split_whitespace().next()?.parse().ok())
                .unwrap_or(0)
        };
        Ok(Self {
            cpu: Duration::from_millis(ticks * 10),
            resident: memory("VmRSS:"),
            peak: memory("VmHWM:"),
        })
    }
}
