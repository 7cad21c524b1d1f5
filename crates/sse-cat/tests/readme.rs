//! The examples of the README that need no server.
#![cfg(unix)]

use std::{env, path::Path, process::Command};

#[test]
fn the_console_examples_print_what_the_readme_shows() {
    let readme = include_str!("../README.md");
    let program = Path::new(env!("CARGO_BIN_EXE_sse-cat"));
    let dir = program.parent().unwrap().display();
    let path = format!("{dir}:{}", env::var("PATH").unwrap());
    let blocks = readme.split("```console\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap());
    let mut count = 0;
    for example in blocks.flat_map(|block| block.split("$ ").skip(1)) {
        let (command, expected) = example.split_once('\n').unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).env("PATH", &path);
        let output = shell.output().unwrap();
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            expected,
            "{command}"
        );
        count += 1;
    }
    assert_eq!(count, 2);
}
