//! Checks the rules of `Store` and `Topic` for each store, with and without injected faults.
//!
//! The tests of Redis need a server and are run by `tests/redis.sh`.

#[allow(dead_code, reason = "memory supports few of the faults")]
#[path = "support/contract.rs"]
mod contract;
#[path = "../src/file/tests/directory.rs"]
mod directory;
#[path = "support/observations.rs"]
mod observations;
#[cfg(feature = "redis")]
#[path = "support/redis.rs"]
mod redis_server;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use contract::{Engine, Fault, Summary, reads, run_with_fault, tokens, waits};
use directory::Directory;
use sse_proto_server::{FileStore, MemoryStore, Store as _};
use tokio::time::sleep;

/// The minimum outcome of a run on any engine.
fn check(summary: &Summary, gaps: u64, epochs: usize) {
    assert!(summary.acknowledged > 10, "{summary:?}");
    assert!(summary.gaps >= gaps, "{summary:?}");
    assert!(summary.epochs >= epochs, "{summary:?}");
}

/// Runs without a fault.
async fn run_without_fault<E: Engine>(engine: E) {
    let summary = run_with_fault(Arc::new(engine), Fault::None, 5, "run").await;
    check(&summary, 0, 1);
    let rest = (
        summary.gaps,
        summary.not_appended,
        summary.unknown,
        summary.epochs,
    );
    assert_eq!(rest, (0, 0, 0, 1));
}

/// Expands to the tests that do not inject faults.
macro_rules! without_faults {
    ($engine:expr $(, $ignored:literal)?) => {
        #[tokio::test(flavor = "multi_thread")]
        $(#[ignore = $ignored])?
        async fn reads_follow_the_contract() {
            reads(&$engine).await;
        }

        #[tokio::test(flavor = "multi_thread")]
        $(#[ignore = $ignored])?
        async fn tokens_follow_the_contract() {
            tokens(&$engine).await;
        }

        #[tokio::test(flavor = "multi_thread")]
        $(#[ignore = $ignored])?
        async fn waits_follow_the_contract() {
            waits(&$engine).await;
        }
    };
}

/// Memory is used by one process. It loses its data on a restart and trims itself.
struct Memory {
    history: usize,
    store: Mutex<Arc<MemoryStore>>,
}

impl Memory {
    fn new(history: usize) -> Self {
        let store = Arc::new(MemoryStore::with_history(history));
        Self {
            history,
            store: Mutex::new(store),
        }
    }
}

impl Engine for Memory {
    type Store = MemoryStore;

    fn store(&self, _process: usize) -> Option<Arc<MemoryStore>> {
        Some(self.store.lock().unwrap().clone())
    }

    fn processes(&self) -> usize {
        1
    }

    async fn inject(&self, fault: Fault) {
        match fault {
            Fault::None | Fault::Trimmed => {}
            Fault::Emptied => {
                *self.store.lock().unwrap() = Arc::new(MemoryStore::with_history(self.history));
            }
            other => unreachable!("{other:?} is not possible in memory"),
        }
    }
}

mod memory {
    use super::*;

    without_faults!(Memory::new(1 << 20));

    #[tokio::test(flavor = "multi_thread")]
    async fn without_a_fault() {
        run_without_fault(Memory::new(1 << 20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_emptied() {
    let summary = run_with_fault(Arc::new(Memory::new(1 << 20)), Fault::Emptied, 5, "run").await;
    check(&summary, 5, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_trimmed() {
    // The history is so small that a reader with small reads falls behind.
    let summary = run_with_fault(Arc::new(Memory::new(200)), Fault::Trimmed, 5, "run").await;
    check(&summary, 1, 1);
}

/// Files are used by one process, which can be restarted.
struct Files {
    history: usize,
    directory: Directory,
    store: Mutex<Option<Arc<FileStore>>>,
}

impl Files {
    fn new(history: usize) -> Self {
        let files = Self {
            history,
            directory: Directory::new(),
            store: Mutex::default(),
        };
        files.start();
        files
    }

    fn start(&self) {
        let store = FileStore::open(&self.directory, self.history).unwrap();
        *self.store.lock().unwrap() = Some(Arc::new(store));
    }

    async fn end(&self) {
        let Some(store) = self.store.lock().unwrap().take() else {
            return;
        };
        let topic = Arc::downgrade(&store.topic("run").unwrap());
        let rest = Arc::downgrade(&store);
        drop(store);
        for _ in 0..20_000 {
            if topic.strong_count() + rest.strong_count() == 0 {
                return;
            }
            sleep(Duration::from_millis(1)).await;
        }
        panic!("the store is still in use");
    }
}

impl Engine for Files {
    type Store = FileStore;

    fn store(&self, _process: usize) -> Option<Arc<FileStore>> {
        self.store.lock().unwrap().clone()
    }

    fn processes(&self) -> usize {
        1
    }

    async fn inject(&self, fault: Fault) {
        match fault {
            Fault::None | Fault::Trimmed => {}
            Fault::Restarted => {
                self.end().await;
                self.start();
            }
            Fault::Emptied => {
                self.end().await;
                std::fs::remove_dir_all(&*self.directory).unwrap();
                std::fs::create_dir(&*self.directory).unwrap();
                self.start();
            }
            other => unreachable!("{other:?} is not possible with files"),
        }
    }
}

mod file {
    use super::*;

    without_faults!(Files::new(1 << 20));

    #[tokio::test(flavor = "multi_thread")]
    async fn without_a_fault() {
        run_without_fault(Files::new(1 << 20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn file_restarted() {
    let summary = run_with_fault(Arc::new(Files::new(1 << 20)), Fault::Restarted, 5, "run").await;
    check(&summary, 0, 5);
    assert_eq!(summary.gaps, 0, "no event was lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn file_emptied() {
    let summary = run_with_fault(Arc::new(Files::new(1 << 20)), Fault::Emptied, 5, "run").await;
    check(&summary, 5, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn file_trimmed() {
    let summary = run_with_fault(Arc::new(Files::new(200)), Fault::Trimmed, 5, "run").await;
    check(&summary, 1, 1);
}

#[cfg(feature = "redis")]
mod redis {
    use sse_proto_server::RedisStore;

    use super::{
        Arc, Duration, Engine, Fault, Mutex, check, reads,
        redis_server::{Proxy, Server},
        run_with_fault, sleep, tokens, waits,
    };

    /// Two processes on one server, connected through proxies.
    struct Redis {
        server: Mutex<Server>,
        proxies: [Proxy; 2],
        stores: [Arc<RedisStore>; 2],
    }

    impl Redis {
        async fn start() -> Self {
            let server = Server::start();
            let proxies = [Proxy::start(&server), Proxy::start(&server)];
            let connect = async |proxy: &Proxy| {
                // Sufficient for a second attempt.
                let timeout = Duration::from_secs(2);
                let builder = RedisStore::builder(&proxy.url(), "test").append_timeout(timeout);
                Arc::new(builder.connect().await.unwrap())
            };
            let stores = [connect(&proxies[0]).await, connect(&proxies[1]).await];
            Self {
                server: Mutex::new(server),
                proxies,
                stores,
            }
        }

        fn each_proxy(&self, act: impl Fn(&Proxy)) {
            self.proxies.iter().for_each(act);
        }

        /// Another server without the latest events takes over.
        async fn fail_over(&self) {
            let replica = Server::start();
            let between = Proxy::start(&self.server.lock().unwrap());
            let port = between.url();
            let port = port.trim_end_matches('/').rsplit(':').next().unwrap();
            replica.query::<()>(&["REPLICAOF", "127.0.0.1", port]);
            while !replica
                .query::<String>(&["INFO"])
                .contains("master_link_status:up")
            {
                sleep(Duration::from_millis(20)).await;
            }
            sleep(Duration::from_millis(50)).await;
            between.freeze();
            sleep(Duration::from_millis(100)).await;
            self.each_proxy(|proxy| proxy.refuse(true));
            self.each_proxy(Proxy::close_all);
            replica.query::<()>(&["REPLICAOF", "NO", "ONE"]);
            self.each_proxy(|proxy| proxy.set_target(&replica));
            *self.server.lock().unwrap() = replica;
            self.each_proxy(|proxy| proxy.refuse(false));
        }
    }

    impl Engine for Redis {
        type Store = RedisStore;

        fn store(&self, process: usize) -> Option<Arc<RedisStore>> {
            Some(self.stores[process].clone())
        }

        fn processes(&self) -> usize {
            2
        }

        async fn inject(&self, fault: Fault) {
            let query = |command: &[&str]| self.server.lock().unwrap().query::<i64>(command);
            let log = "test:{run}:log";
            match fault {
                Fault::None => {}
                Fault::Unreachable => {
                    self.each_proxy(|proxy| proxy.refuse(true));
                    self.each_proxy(Proxy::close_all);
                    sleep(Duration::from_millis(400)).await;
                    self.each_proxy(|proxy| proxy.refuse(false));
                }
                Fault::Slow => {
                    self.each_proxy(Proxy::freeze);
                    sleep(Duration::from_millis(400)).await;
                    self.each_proxy(Proxy::release);
                }
                Fault::RepliesLost => {
                    self.each_proxy(Proxy::discard_replies);
                    sleep(Duration::from_millis(200)).await;
                    self.each_proxy(Proxy::close_all);
                }
                Fault::Restarted => self.server.lock().unwrap().restart(),
                Fault::Emptied => self.server.lock().unwrap().restart_empty(),
                Fault::Trimmed => drop(query(&["XTRIM", log, "MAXLEN", "1"])),
                Fault::Deleted => drop(query(&["DEL", log])),
                Fault::FailedOver => self.fail_over().await,
            }
        }
    }

    without_faults!(Redis::start().await, "needs a server: tests/redis.sh");

    macro_rules! runs_with_fault {
        ($($name:ident: $fault:ident, $gaps:expr, $epochs:expr;)*) => {$(
            #[tokio::test(flavor = "multi_thread")]
            #[ignore = "needs a server: tests/redis.sh"]
            async fn $name() {
                let engine = Arc::new(Redis::start().await);
                let summary = run_with_fault(engine, Fault::$fault, 3, "run").await;
                println!("{}: {summary:?}", stringify!($name));
                check(&summary, $gaps, $epochs);
            }
        )*};
    }

    runs_with_fault! {
        redis_without_a_fault: None, 0, 1;
        redis_unreachable: Unreachable, 0, 1;
        redis_slow: Slow, 0, 1;
        redis_with_lost_replies: RepliesLost, 0, 1;
        redis_restarted: Restarted, 3, 2;
        redis_emptied: Emptied, 3, 2;
        redis_trimmed: Trimmed, 0, 1;
        redis_deleted: Deleted, 3, 2;
        redis_failed_over: FailedOver, 3, 2;
    }
}
