//! Compiles the first block of the repository's README, which uses all packages.

use std::error::Error;

use futures_util::TryStreamExt as _;
use http::HeaderMap;
use sse_proto::Frame;
use sse_proto_server::{Hub, MemoryStore};
use sse_proto_stream::{EventSource, EventStream, Reqwest};

#[expect(dead_code, reason = "compiled only")]
async fn read(client: reqwest::Client, url: &str) -> Result<(), Box<dyn Error>> {
    let response = client.get(url).send().await?.into();
    let mut events =
        EventStream::from_response(response).map_err(|refused| refused.status().to_string())?;
    while let Some(event) = events.try_next().await? {
        println!("{}: {}", event.event_type(), event.data());
    }
    Ok(())
}

#[expect(dead_code, reason = "compiled only")]
async fn follow(url: &str) -> Result<(), Box<dyn Error>> {
    let mut events =
        std::pin::pin!(EventSource::get(url, Reqwest::new()?, tokio::time::sleep)?.events());
    while let Some(event) = events.try_next().await? {
        println!("{}", event.data());
    }
    Ok(())
}

async fn serve(headers: HeaderMap) -> Result<u16, Box<dyn Error>> {
    let hub = Hub::new(MemoryStore::new());
    let response = hub.respond("prices", &headers).await;
    hub.publish("prices", Frame::message("17.25").event("tick")?)
        .await?;
    Ok(response.status().as_u16())
}

/// The lines of code in the block, without comments and line breaks.
fn code(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    lines.flat_map(str::split_whitespace).collect()
}

#[tokio::test]
async fn the_first_block_of_the_readme_is_the_code_above() -> Result<(), Box<dyn Error>> {
    assert_eq!(serve(HeaderMap::new()).await?, 200);
    let readme = include_str!("../../../../README.md");
    let (_, block) = readme.split_once("```rust,ignore\n").ok_or("no block")?;
    let (block, _) = block.split_once("```").ok_or("no end of the block")?;
    let compiled = code(include_str!("main.rs"));
    for paragraph in block.split("\n\n") {
        for line in paragraph.lines().map(code) {
            assert!(compiled.contains(&line), "{line}");
        }
    }
    Ok(())
}
