use futures_util::TryStreamExt as _;
use sse_proto_stream::{Connect, EventSource};
use std::{error::Error, pin::pin};

#[derive(serde::Deserialize)]
struct Delta {
    text: String,
}

async fn ask(http: impl Connect, url: &str, key: &str, body: String) -> Result<String, Box<dyn Error>> {
    let request = http::Request::post(url).header("authorization", key).body(body.into())?;
    let source = EventSource::new(request, http, tokio::time::sleep)?;
    let mut deltas = pin!(source.until("[DONE]").events().json::<Delta>());
    let mut answer = String::new();
    while let Some(delta) = deltas.try_next().await? {
        answer += &delta.text;
    }
    Ok(answer)
}
