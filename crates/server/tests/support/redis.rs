//! A Redis or Valkey server for tests, and a proxy that breaks connections to it.

#![allow(dead_code, reason = "each test target uses a part of it")]

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

/// A server on a free local port, with its own data folder.
pub(crate) struct Server {
    port: u16,
    folder: PathBuf,
    child: Option<Child>,
}

impl Server {
    /// Whether `REDIS_SERVER` names a program.
    pub(crate) fn is_available() -> bool {
        std::env::var_os("REDIS_SERVER").is_some()
    }

    /// Starts the program that the environment variable `REDIS_SERVER` names.
    pub(crate) fn start() -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, SeqCst);
        let name = format!("redis-{}-{number}", std::process::id());
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut server = Self {
            port,
            folder,
            child: None,
        };
        server.restart();
        server
    }

    /// Starts a replica of this server.
    pub(crate) fn start_replica(&self) -> Self {
        let replica = Self::start();
        let port = self.port.to_string();
        replica.query::<()>(&["REPLICAOF", "127.0.0.1", &port]);
        replica.wait_for("INFO", |info| info.contains("master_link_status:up"));
        replica
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Kills the process. Unwritten data is lost.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Restarts the server with its data.
    pub(crate) fn restart(&mut self) {
        self.spawn(&[]);
        self.wait_for("PING", |pong| pong == "PONG");
    }

    /// Restarts the server so that it loads its data slowly, and returns while it is loading.
    pub(crate) fn restart_loading(&mut self) {
        self.spawn(&["--key-load-delay", "300"]);
        let start = Instant::now();
        while !self.is_loading() {
            assert!(start.elapsed() < Duration::from_secs(20));
        }
    }

    fn is_loading(&self) -> bool {
        let answer = self.try_query::<String>(&["PING"]);
        answer.is_err_and(|error| error.code() == Some("LOADING"))
    }

    fn spawn(&mut self, options: &[&str]) {
        self.kill();
        let program = std::env::var_os("REDIS_SERVER");
        let program = program.expect("REDIS_SERVER must name a server; see tests/redis.sh");
        let child = Command::new(program)
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "yes"])
            .args(["--repl-diskless-sync-delay", "0"])
            .args(options)
            .arg("--dir")
            .arg(&self.folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// Restarts the server without its data.
    pub(crate) fn restart_empty(&mut self) {
        self.kill();
        std::fs::remove_dir_all(&self.folder).unwrap();
        std::fs::create_dir_all(&self.folder).unwrap();
        self.restart();
    }

    /// Sends a command and returns the reply.
    pub(crate) fn try_query<T: redis::FromRedisValue>(
        &self,
        command: &[&str],
    ) -> redis::RedisResult<T> {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_connection()?;
        redis::cmd(command[0])
            .arg(&command[1..])
            .query(&mut connection)
    }

    pub(crate) fn query<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        self.try_query(command).unwrap()
    }

    fn wait_for(&self, command: &str, is_met: impl Fn(&str) -> bool) {
        let start = Instant::now();
        loop {
            let answer = self.try_query::<String>(&[command]);
            if answer.as_ref().is_ok_and(|answer| is_met(answer)) {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "{answer:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Forwards connections to a server until told otherwise.
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    target: AtomicU16,
    refuses: AtomicBool,
    /// New connections are also frozen.
    frozen: AtomicBool,
    connections: Mutex<Vec<Arc<Connection>>>,
}

/// A forwarded connection.
struct Connection {
    hold_requests: AtomicBool,
    hold_replies: AtomicBool,
    discard_replies: AtomicBool,
    client: TcpStream,
    server: TcpStream,
}

impl Proxy {
    pub(crate) fn start(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            target: server.port().into(),
            refuses: false.into(),
            frozen: false.into(),
            connections: Mutex::default(),
        });
        let accepting = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                // Nothing else refers to the state: the proxy was dropped.
                if Arc::strong_count(&accepting) == 1 {
                    return;
                }
                accepting.forward(client.unwrap());
            }
        });
        Self { port, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Forwards new connections to another server.
    pub(crate) fn set_target(&self, server: &Server) {
        self.shared.target.store(server.port(), SeqCst);
    }

    /// Sets whether new connections are closed immediately.
    pub(crate) fn refuse(&self, refuses: bool) {
        self.shared.refuses.store(refuses, SeqCst);
    }

    /// Closes all connections.
    pub(crate) fn close_all(&self) {
        for connection in self.shared.connections.lock().unwrap().drain(..) {
            let _ = connection.client.shutdown(Shutdown::Both);
            let _ = connection.server.shutdown(Shutdown::Both);
        }
    }

    /// Holds back requests on the current connections until [`release`](Self::release).
    pub(crate) fn hold_requests(&self) {
        self.each(|connection| connection.hold_requests.store(true, SeqCst));
    }

    /// Discards replies on the current connections.
    pub(crate) fn discard_replies(&self) {
        self.each(|connection| connection.discard_replies.store(true, SeqCst));
    }

    /// Holds back all data, also on new connections, until [`release`](Self::release).
    pub(crate) fn freeze(&self) {
        self.shared.frozen.store(true, SeqCst);
        self.each(|connection| {
            connection.hold_requests.store(true, SeqCst);
            connection.hold_replies.store(true, SeqCst);
        });
    }

    /// Forwards what was held back, even if the client has closed its connection.
    pub(crate) fn release(&self) {
        self.shared.frozen.store(false, SeqCst);
        self.each(|connection| {
            connection.hold_requests.store(false, SeqCst);
            connection.hold_replies.store(false, SeqCst);
        });
    }

    fn each(&self, change: impl Fn(&Connection)) {
        for connection in &*self.shared.connections.lock().unwrap() {
            change(connection);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.release();
        self.close_all();
        self.refuse(true);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn forward(&self, client: TcpStream) {
        if self.refuses.load(SeqCst) {
            return;
        }
        let Ok(server) = TcpStream::connect(("127.0.0.1", self.target.load(SeqCst))) else {
            return;
        };
        client.set_nodelay(true).unwrap();
        server.set_nodelay(true).unwrap();
        let frozen = self.frozen.load(SeqCst);
        let connection = Arc::new(Connection {
            hold_requests: frozen.into(),
            hold_replies: frozen.into(),
            discard_replies: false.into(),
            client,
            server,
        });
        self.connections.lock().unwrap().push(connection.clone());
        let requests = connection.clone();
        thread::spawn(move || {
            copy(&requests.client, &requests.server, |_| {
                requests.hold_requests.load(SeqCst)
            });
        });
        thread::spawn(move || {
            copy(&connection.server, &connection.client, |bytes| {
                if connection.discard_replies.load(SeqCst) {
                    *bytes = &[];
                }
                connection.hold_replies.load(SeqCst)
            });
        });
    }
}

/// Copies data from one stream to the other. Data is held back while `is_held` returns `true`.
fn copy(mut from: &TcpStream, mut to: &TcpStream, is_held: impl Fn(&mut &[u8]) -> bool) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let len = from.read(&mut buffer).unwrap_or(0);
        let mut bytes = &buffer[..len];
        while is_held(&mut bytes) {
            thread::sleep(Duration::from_millis(2));
        }
        if len == 0 || to.write_all(bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
