//! Examples that check themselves, run to their end.

#[path = "../../../tests/support/program.rs"]
#[expect(dead_code, reason = "it serves the tests of other programs, too")]
mod program;

use std::process::Command;

#[test]
fn a_chat_is_shown_to_its_end_and_as_far_as_it_came() {
    let chat = program::build_with("chat", "json,reqwest-0_13");
    let output = program::run(&mut Command::new(chat), b"");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());

    let printed = String::from_utf8(output.stdout).unwrap();
    let (whole, rest) = printed.split_once("\n\n").unwrap();
    assert!(whole.starts_with("Three lanterns") && whole.ends_with('\u{3002}'));
    assert!(rest.contains("tide [..]\n\n(The rest is lost: source of the stream failed: "));
    assert!(rest.ends_with("(429 Too Many Requests: {\"error\":\"slow down\"}.)\n"));
}
