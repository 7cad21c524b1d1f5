//! The processes: Redis or Valkey, and two servers. Each can be killed and restarted at its
//! address.

use std::{
    env, fs, io,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::Failure;

/// Only reached if a process does not start.
const TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) struct Process {
    command: Command,
    address: SocketAddr,
    child: Option<Child>,
}

impl Process {
    /// Kills the process with SIGKILL.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Starts the process and waits until it can be reached.
    pub(crate) fn start(&mut self) -> Result<(), Failure> {
        self.child = Some(self.command.spawn()?);
        let start = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            if start.elapsed() > TIMEOUT {
                return Err(format!("{:?} cannot be reached", self.command).into());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

pub(crate) struct Cluster {
    pub(crate) engine: Process,
    pub(crate) servers: [Process; 2],
    folder: PathBuf,
}

impl Cluster {
    pub(crate) fn start(engine: &Path) -> Result<Self, Failure> {
        let folder = env::temp_dir().join(format!("machines-{}", std::process::id()));
        fs::create_dir_all(folder.join("data"))?;
        let address = free_address()?;
        let mut command = Command::new(engine);
        command
            .args(["--port", &address.port().to_string(), "--bind", "127.0.0.1"])
            .args(["--appendonly", "yes", "--save", "", "--dir"])
            .arg(folder.join("data"))
            .stdout(Stdio::null());
        let engine = Process {
            command,
            address,
            child: None,
        };
        let redis = format!("redis://{address}");
        let server = || -> Result<Process, Failure> {
            let address = free_address()?;
            let mut command = Command::new(env::current_exe()?);
            command
                .args(["serve", "--redis", &redis, "--listen", &address.to_string()])
                .stdout(Stdio::null());
            Ok(Process {
                command,
                address,
                child: None,
            })
        };
        let mut cluster = Self {
            engine,
            servers: [server()?, server()?],
            folder,
        };
        cluster.engine.start()?;
        cluster.servers[0].start()?;
        cluster.servers[1].start()?;
        Ok(cluster)
    }

    /// Removes the engine's data. The engine must not be running.
    pub(crate) fn remove_data(&self) -> io::Result<()> {
        fs::remove_dir_all(self.folder.join("data"))?;
        fs::create_dir(self.folder.join("data"))
    }

    pub(crate) fn url(&self, server: usize, path: &str) -> String {
        format!("http://{}/{path}", self.servers[server % 2].address)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.engine.kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}
