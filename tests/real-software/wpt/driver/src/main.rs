//! `wpt-driver` serves the event sources of a JavaScript program, for
//! `tests/real-software/wpt/run.sh`.
//!
//! Reads commands as JSON lines from standard input and writes what happens as JSON lines to
//! standard output:
//!
//! ```text
//! > {"open":1,"url":"http://a.test/stream","withCredentials":false,"origin":"http://a.test"}
//! < {"source":1,"type":"open","readyState":1}
//! < {"source":1,"type":"message","event":"message","data":"hello","lastEventId":"","origin":"http://a.test"}
//! < {"source":1,"type":"error","readyState":0}
//! > {"close":1}
//! ```
//!
//! All sources share one cookie jar, as the pages of a browser do. The program exits when its
//! standard input ends.

mod browser;
mod source;

use std::{
    collections::HashMap,
    error::Error,
    io::{self, Write as _},
    rc::Rc,
};

use browser::Browser;
use serde::{Deserialize, Serialize};
use source::Report;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, stdin},
    task::{JoinHandle, LocalSet, spawn_local},
};

#[derive(Deserialize)]
#[serde(untagged)]
enum Command {
    Open {
        open: u64,
        #[serde(flatten)]
        source: NewSource,
    },
    Close {
        close: u64,
    },
}

/// The arguments of the constructor of an `EventSource`, and the page that calls it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewSource {
    /// Absolute.
    url: String,
    with_credentials: bool,
    /// Of the page.
    origin: String,
}

#[derive(Serialize)]
struct Line<'a> {
    source: u64,
    #[serde(flatten)]
    report: Report<'a>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    LocalSet::new().run_until(serve()).await
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let browser = Rc::new(Browser::new()?);
    let mut tasks: HashMap<u64, JoinHandle<()>> = HashMap::new();
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        match serde_json::from_str(&line)? {
            Command::Open { open, source } => {
                let browser = browser.clone();
                let task = spawn_local(async move {
                    source::listen(&browser, source, |report| print(open, report)).await;
                });
                tasks.insert(open, task);
            }
            Command::Close { close } => {
                // This also drops the connection.
                if let Some(task) = tasks.remove(&close) {
                    task.abort();
                }
            }
        }
    }
    Ok(())
}

/// Errors are ignored: if nobody reads the output, standard input ends as well.
fn print(source: u64, report: Report<'_>) {
    let mut stdout = io::stdout().lock();
    if serde_json::to_writer(&mut stdout, &Line { source, report }).is_ok() {
        let _ = writeln!(stdout);
    }
}
