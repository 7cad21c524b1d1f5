use futures_util::TryStreamExt as _;
use sse_proto_stream::{Connect, EventSource, Received};
use std::{error::Error, pin::pin};

// follow("https://example.com/events", Reqwest::new()?).await?;
async fn follow(url: &str, http: impl Connect) -> Result<(), Box<dyn Error>> {
    let mut source = pin!(EventSource::get(url, http, tokio::time::sleep)?);
    while let Some(received) = source.try_next().await? {
        match received {
            Received::Event(event) => println!("{}", event.data()),
            Received::Lost(lost) => eprintln!("{lost}"), // the body ended, next attempt in 3.0s
            _ => {}
        }
    }
    Ok(())
}
