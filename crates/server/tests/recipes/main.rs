//! The code of `docs/recipes.md`. Each block of the page occurs in one of these tests.

mod client;
mod network;
mod server;

use std::error::Error;

const URL: &str = "http://a.example/events";

type Result<T = (), E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// The text without white space, as the page and these files have other indentation.
fn code(text: &str) -> String {
    text.split_whitespace().collect()
}

#[test]
fn every_block_of_the_page_is_code_that_is_tested_here() {
    let page = include_str!("../../../../docs/recipes.md");
    let tested = code(concat!(
        include_str!("client.rs"),
        include_str!("server.rs")
    ));
    let mut blocks = page.split("```");
    blocks.next();
    let blocks: Vec<_> = blocks.step_by(2).collect();
    assert!(blocks.len() > 10);
    for block in blocks {
        let block = block.strip_prefix("rust\n").expect(block);
        assert!(tested.contains(&code(block)), "{block}");
    }
}
