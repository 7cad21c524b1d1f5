//! Each store keeps the contract of `Store` and `Topic`, in peace and with faults put in.

#[path = "support/contract.rs"]
mod contract;
#[path = "support/witness.rs"]
mod witness;

use std::sync::{Arc, Mutex};

use contract::{Engine, Fault, answers, life, tokens, waits};
use sse_proto_server::MemoryStore;

/// Memory is of one process. It can be started again, with nothing, and trims itself.
struct Memory {
    history: usize,
    store: Mutex<Arc<MemoryStore>>,
}

impl Memory {
    fn new(history: usize) -> Self {
        Self {
            history,
            store: Mutex::new(Arc::new(MemoryStore::with_history(history))),
        }
    }
}

impl Engine for Memory {
    type Store = MemoryStore;

    fn store(&self, _process: usize) -> Arc<MemoryStore> {
        self.store.lock().unwrap().clone()
    }

    fn processes(&self) -> usize {
        1
    }

    async fn inject(&self, fault: Fault) {
        match fault {
            Fault::None | Fault::Trimmed => {}
            Fault::Emptied => *self.store.lock().unwrap() = Self::new(self.history).store(0),
            other => unreachable!("{other:?} does not happen to memory"),
        }
    }
}

#[tokio::test]
async fn memory_answers() {
    answers(&Memory::new(1 << 20)).await;
}

#[tokio::test]
async fn memory_knows_tokens() {
    tokens(&Memory::new(1 << 20)).await;
}

#[tokio::test]
async fn memory_wakes_those_who_wait() {
    waits(&Memory::new(1 << 20)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_in_peace() {
    let summary = life(Arc::new(Memory::new(1 << 20)), Fault::None, 5, "life").await;
    println!("{summary:?}");
    assert_eq!(
        (
            summary.gaps,
            summary.not_done,
            summary.unknown,
            summary.epochs
        ),
        (0, 0, 0, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_emptied() {
    let summary = life(Arc::new(Memory::new(1 << 20)), Fault::Emptied, 5, "life").await;
    assert!(summary.gaps >= 5 && summary.epochs >= 5, "{summary:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_trimmed() {
    // So little that a reader in small runs is left behind.
    let summary = life(Arc::new(Memory::new(200)), Fault::Trimmed, 5, "life").await;
    assert!(summary.gaps >= 1 && summary.epochs == 1, "{summary:?}");
}
