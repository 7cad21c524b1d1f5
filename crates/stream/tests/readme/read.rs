use futures_util::TryStreamExt as _;
use sse_proto_stream::EventStream;

async fn read(response: reqwest::Response) -> Result<String, Box<dyn std::error::Error>> {
    let mut events = EventStream::from_response(response.into())
        .map_err(|response| format!("not an event stream: {}", response.status()))?;
    let mut text = String::new();
    while let Some(event) = events.try_next().await? {
        text += event.data();
    }
    Ok(text)
}
