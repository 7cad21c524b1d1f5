//! One of the servers.

use std::{io::Write as _, net::SocketAddr, process::ExitCode, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
    serve::ListenerExt as _,
};
use sse_proto::Frame;
use sse_proto_server::{Hub, HubBuilder, Position, PublishError, RedisStore};
use tokio::{net::TcpListener, time};

use crate::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long)]
    redis: String,
}

pub(crate) async fn serve(args: Args) -> Result<ExitCode, Failure> {
    // Redis may be restarting.
    let store = loop {
        match RedisStore::connect(&args.redis, "machines").await {
            Ok(store) => break store,
            Err(_) => time::sleep(Duration::from_millis(100)).await,
        }
    };
    let hub = HubBuilder::new()
        .start_position(Position::Oldest)
        .retry(Duration::from_millis(500))
        .keep_alive(Duration::from_secs(2))
        .build(store);
    let app = Router::new()
        .route("/events", get(events))
        .route("/publish", post(publish))
        .with_state(hub);
    let listener = TcpListener::bind(args.listen).await?;
    writeln!(std::io::stdout(), "listening")?;
    let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
    axum::serve(listener, app).await?;
    Ok(ExitCode::SUCCESS)
}

async fn events(State(hub): State<Hub<RedisStore>>, headers: HeaderMap) -> Response {
    hub.respond("news", &headers).await.into_response()
}

/// Responds with the id; with 503 if the event was not published; with 504 if the outcome is still
/// unknown after some attempts.
async fn publish(State(hub): State<Hub<RedisStore>>, data: String) -> Response {
    let (frame, token) = (Frame::message(&data), hub.token());
    let mut attempts = 0;
    loop {
        attempts += 1;
        return match hub.publish_with_token("news", frame, &token).await {
            Ok(id) => id.to_string().into_response(),
            Err(PublishError::Unknown { .. }) if attempts < 3 => continue,
            Err(PublishError::Unknown { .. }) => StatusCode::GATEWAY_TIMEOUT.into_response(),
            Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
        };
    }
}
