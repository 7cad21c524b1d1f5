//! Runs the examples that need no server.

#[path = "../../../tests/support/program.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod program;

use std::process::Command;

#[test]
fn chat_prints_complete_and_partial_answers() {
    let chat = program::build_with("chat", "json,reqwest-0_13");
    let output = program::run(&mut Command::new(chat), b"");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());

    let printed = String::from_utf8(output.stdout).unwrap();
    let (whole, rest) = printed.split_once("\n\n").unwrap();
    assert!(whole.starts_with("Three lanterns") && whole.ends_with('\u{3002}'));
    assert!(rest.contains("tide [..]\n\n(The rest is missing: source of the stream failed: "));
    assert!(rest.ends_with("(429 Too Many Requests: {\"error\":\"slow down\"}.)\n"));
}
