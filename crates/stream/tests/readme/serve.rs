use futures_util::{Stream, StreamExt as _};
use sse_proto::Frame;
use sse_proto_stream::SseBody;
use std::{convert::Infallible, time::Duration};

// An axum handler can return this response.
fn serve(prices: impl Stream<Item = u32>, shutdown: impl Future) -> http::Response<impl http_body::Body> {
    let frames = prices.map(|price| Ok::<_, Infallible>(Frame::message(&price.to_string()).into()));
    SseBody::new(frames)
        .keep_alive(Duration::from_secs(15), tokio::time::sleep)
        .with_shutdown(shutdown)
        .into_response()
}
