//! The progress line of `sse-cat` on a long file.
#![cfg(unix)]

#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use std::{
    fs::File,
    io::{Read, Write},
    path::PathBuf,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use nix::pty::{OpenptyResult, openpty};
use support::{sse_cat, text};

/// Creates a file that takes longer to read than standard output is blocked below.
fn long_file(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut file = File::create(&path).unwrap();
    file.write_all(&b"data: again and again\n\n".repeat(100_000))
        .unwrap();
    path
}

/// Starts the program with a terminal as its standard error.
fn start(args: &[&str], stdout: impl FnOnce(&File) -> Stdio) -> (Child, File) {
    let OpenptyResult { master, slave } = openpty(None, None).unwrap();
    let terminal = File::from(slave);
    let mut command = sse_cat(args);
    command.stdout(stdout(&terminal)).stdin(Stdio::null());
    let child = command.stderr(terminal).spawn().unwrap();
    (child, File::from(master))
}

/// Returns what was written to the terminal.
fn read(mut terminal: File) -> String {
    let mut shown = Vec::new();
    // Reading fails when the program has closed it.
    let _ = terminal.read_to_end(&mut shown);
    text(&shown).to_owned()
}

#[test]
fn it_is_shown_on_a_terminal_and_deleted_at_the_end() {
    let path = long_file("progress_shown.sse");
    let path = path.to_str().unwrap();
    for args in [&["--json", path][..], &[path]] {
        let (mut child, terminal) = start(args, |_| Stdio::piped());
        // The program waits for its reader.
        thread::sleep(Duration::from_millis(1500));
        let mut printed = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut printed)
            .unwrap();
        assert!(child.wait().unwrap().success());
        drop(std::mem::take(&mut printed));
        let shown = read(terminal);
        assert!(shown.starts_with('\r'), "{shown:?}");
        assert!(shown.contains(" of 2.2 MiB, "), "{shown:?}");
        assert!(shown.contains(" events, "), "{shown:?}");
        assert!(shown.ends_with("\r\u{1B}[K"), "{shown:?}");
    }
}

#[test]
fn it_is_not_shown_if_standard_output_is_the_terminal() {
    let path = long_file("progress_not_shown.sse");
    let stdout = |terminal: &File| terminal.try_clone().unwrap().into();
    let (mut child, terminal) = start(&["--json", path.to_str().unwrap()], stdout);
    thread::sleep(Duration::from_millis(1500));
    let reader = thread::spawn(|| read(terminal));
    assert!(child.wait().unwrap().success());
    let shown = reader.join().unwrap();
    assert!(!shown.contains("MiB"));
    assert!(!shown.contains('\u{1B}'));
    assert_eq!(shown.lines().count(), 100_000);
}

#[test]
fn it_is_not_shown_for_a_pipe_or_if_standard_error_is_no_terminal() {
    let path = long_file("progress_pipe.sse");
    let (mut child, terminal) = start(&["--json", "/dev/stdin"], |_| Stdio::piped());
    let mut rest = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut rest)
        .unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(read(terminal), "");

    let mut command = sse_cat(&["--json", path.to_str().unwrap()]);
    let mut child = support::program::spawn(&mut command);
    thread::sleep(Duration::from_millis(1500));
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut rest)
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stderr), "");
}
