//! Runs example programs and compares their output.

#[path = "support/program.rs"]
#[expect(dead_code, reason = "it serves the tests of other programs, too")]
mod program;

use std::process::Command;

/// Returns what the example prints.
fn run(name: &str) -> String {
    let output = program::run(&mut Command::new(program::build(name)), b"");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[cfg(feature = "alloc")]
#[test]
fn decode_prints_the_demo() {
    let printed = run("decode");
    assert!(printed.starts_with("start  (id 1)\n    {\"model\":"));
    assert!(printed.contains("\ntool  (id 9)\n    {\n      \"call\": \"look_up_tide\",\n"));
    assert!(printed.ends_with("\nmessage  (id 11)\n    [DONE]\n"));
}

#[cfg(feature = "alloc")]
#[test]
fn decode_reads_a_file_or_standard_input_past_an_event_that_is_too_large() {
    let too_large = "x".repeat(16 << 20);
    let stream = format!("data: a\ndata: \x1B[2J\n\ndata: {too_large}!\n\nid: 7\ndata: b\n\n");
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("decode.sse");
    std::fs::write(&path, &stream).unwrap();

    for (argument, input) in [("-".as_ref(), stream.as_bytes()), (path.as_os_str(), b"")] {
        let mut decode = Command::new(program::build("decode"));
        let output = program::run(decode.arg(argument), input);
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "message\n    a\n    \u{FFFD}[2J\nmessage  (id 7)\n    b\n"
        );
        assert_eq!(
            String::from_utf8_lossy(&output.stderr),
            "decode: event exceeds the limit of 16777216 bytes in its data\n"
        );
        assert!(output.status.success());
    }
}

#[test]
fn firmware_reads_its_stream_and_allocates_nothing() {
    let printed = run("firmware");
    assert_eq!(printed.matches("message 2").count(), 4);
    assert!(printed.ends_with("Closed: status 204\n0 allocations\n"));
}
