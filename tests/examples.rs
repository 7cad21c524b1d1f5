//! Examples that check themselves, run to their end.

#[path = "support/program.rs"]
#[expect(dead_code, reason = "it serves the tests of other programs, too")]
mod program;

use std::process::Command;

/// What the example prints.
fn run(name: &str) -> String {
    let output = program::run(&mut Command::new(program::build(name)), b"");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[cfg(feature = "alloc")]
#[test]
fn a_chat_is_shown_to_its_end_and_as_far_as_it_came() {
    let printed = run("chat");
    let (whole, rest) = printed.split_once("\n\n").unwrap();
    assert!(whole.starts_with("Three lanterns") && whole.ends_with('\u{3002}'));
    assert!(rest.contains("tide [..]\n\n(The rest is lost: network error.)"));
}

#[test]
fn firmware_reads_its_stream_and_allocates_nothing() {
    let printed = run("firmware");
    assert_eq!(printed.matches("message 2").count(), 4);
    assert!(printed.ends_with("Closed: status 204\n0 allocations\n"));
}
