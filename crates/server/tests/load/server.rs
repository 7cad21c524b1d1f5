//! The server's process, which is killed or stopped and started again, and what the system knows of a process.

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
    /// The directory with its history.
    store: PathBuf,
    spread: Duration,
    process: Child,
    /// As "127.0.0.2:1234", the same in every life.
    pub(crate) address: String,
    past: Usage,
}

impl Server {
    pub(crate) fn start(program: &Path, store: &Path, spread: Duration) -> io::Result<Self> {
        // Where nothing listens at 127.0.0.1, a client that is given the very port that it asks for
        // is connected with itself. From 127.0.0.1 to 127.0.0.2 that cannot be.
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

    /// Asks it to stop. It goes when all streams have ended.
    pub(crate) fn stop(&mut self) -> io::Result<()> {
        self.past = self.usage()?;
        let mut kill = Command::new("kill");
        let status = kill.args(["-s", "TERM", &self.process.id().to_string()]);
        if status.status()?.success() {
            Ok(())
        } else {
            Err(io::Error::other("no signal can be sent"))
        }
    }

    pub(crate) fn is_running(&mut self) -> io::Result<bool> {
        Ok(self.process.try_wait()?.is_none())
    }

    /// Starts it again, at the same address and with the same files, at whose end there is what a
    /// write leaves that was cut short.
    pub(crate) fn restart(&mut self, retry: Duration) -> io::Result<()> {
        let file = self.store.join(TOPIC).with_extension("sse");
        let mut file = OpenOptions::new().append(true).open(file)?;
        file.write_all(b"event: note\nid: 1-1\ndata: half an ev")?;
        self.spawn(retry)
    }

    fn spawn(&mut self, retry: Duration) -> io::Result<()> {
        let seconds = |time: Duration| time.as_secs_f64().to_string();
        // Heartbeats come sooner than the clients do, so that there are events that these have missed.
        let mut process = Command::new(&self.program)
            .args([
                "--listen",
                &self.address,
                "--demo",
                "0",
                "--heartbeat",
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
            return Err(io::Error::other("the server does not start"));
        };
        self.address = address.to_owned();
        Ok(())
    }

    /// Of all its lives.
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

/// What a process has used of the machine.
#[derive(Default)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    /// Memory in KiB, now and at most.
    pub(crate) resident: u64,
    pub(crate) peak: u64,
}

impl Usage {
    /// `process` is an id, or "self".
    pub(crate) fn of(process: &str) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        // Behind the name, which may hold anything, in hundredths of a second.
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
