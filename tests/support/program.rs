//! Builds and runs example programs from the current sources.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Output, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use serde_json::Value;

/// How long to wait for something that a child process should do at once. Only a failing test waits
/// that long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Builds the example `name` with the settings of `cargo test`, so usually it is up to date
/// already, and returns its path.
///
/// `cargo test --test NAME` does not build examples, so the executable at the usual path may be
/// outdated.
pub(crate) fn build(name: &str) -> PathBuf {
    build_with(name, "")
}

/// Does the same as [`build`], with these features of the package.
pub(crate) fn build_with(name: &str, features: &str) -> PathBuf {
    // <target>/[<triple>/]<debug or profile>/deps/<this test>
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let test = std::env::current_exe().unwrap();
    let dirs: Vec<_> = test.strip_prefix(target).unwrap().iter().collect();
    let [triple @ .., profile, _deps, _test] = dirs.as_slice() else {
        panic!("{} is not where Cargo puts tests", test.display());
    };

    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args([
            "build",
            "--quiet",
            "--message-format=json",
            "--example",
            name,
            "--features",
            features,
        ])
        .args([
            "--manifest-path",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
        ])
        .arg("--target-dir")
        .arg(target)
        .arg("--profile")
        .arg(if *profile == "debug" {
            "test".as_ref()
        } else {
            *profile
        });
    for triple in triple {
        cargo.arg("--target").arg(triple);
    }
    // Cargo sets these variables for tests only. If they were passed on, build scripts that read
    // them would run again, and everything that depends on them would be rebuilt.
    for (name, _) in std::env::vars_os() {
        let is_of_package = |name: &str| {
            ["CARGO_PKG_", "CARGO_MANIFEST_"]
                .iter()
                .any(|start| name.starts_with(start))
        };
        if name.to_str().is_some_and(is_of_package) {
            cargo.env_remove(name);
        }
    }
    let built = cargo.stderr(Stdio::inherit()).output().unwrap();
    assert!(built.status.success(), "the example {name} does not build");
    built
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .expect("Cargo names the executable that it built")
}

/// Runs `command` to its end with all of `input`, written while the output is read.
pub(crate) fn run(command: &mut Command, input: &[u8]) -> Output {
    let mut child = spawn(command);
    let mut stdin = child.stdin.take().unwrap();
    thread::scope(|scope| {
        // A child that exits before it has read all input does not fail the test.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap()
    })
}

/// Starts `command` with pipes for standard input, output and error.
pub(crate) fn spawn(command: &mut Command) -> Child {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// A child process that is driven line by line.
pub(crate) struct Interactive {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Interactive {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = spawn(command);
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines() {
                let _ = sender.send(line.unwrap());
            }
        });
        Self {
            child,
            stdin,
            lines,
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(bytes).unwrap();
        stdin.flush().unwrap();
    }

    /// Returns the next line of output, while standard input is still open.
    pub(crate) fn read_line(&mut self) -> String {
        self.lines
            .recv_timeout(PATIENCE)
            .expect("a line of output in time")
    }

    /// Sends a signal to the child; `name` is without `SIG`.
    pub(crate) fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        kill.args(["-s", name]).arg(self.child.id().to_string());
        assert!(kill.status().unwrap().success());
    }

    /// Closes the input and returns the remaining lines of output.
    pub(crate) fn end(mut self) -> Vec<String> {
        self.stdin = None;
        let rest = self.lines.iter().collect();
        let mut complaints = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut complaints)
            .unwrap();
        assert_eq!(complaints, "");
        assert!(self.child.wait().unwrap().success());
        rest
    }
}

impl Drop for Interactive {
    fn drop(&mut self) {
        // If the test has failed half-way, the child still runs.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
