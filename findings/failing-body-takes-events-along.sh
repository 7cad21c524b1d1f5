#!/usr/bin/env bash
# An event that a body yields right before it fails never leaves hyper, and neither does the head of the response.
#
# Software: hyper 1.12.0 under axum 0.8.9 (crates.io), on a tokio runtime of one thread; seen by curl.
#
# When something goes wrong, a handler often sends one more event, `event: error`, and then ends the body with the error. One
# would expect that hyper writes the data that it got before the error, and then closes the connection. But hyper buffers its
# writes, and if the error comes in the same poll as the data, it drops the connection together with the buffer: the client sees
# no event, no header and no status. Over HTTP/2 the stream is reset, and again no event arrives. Over HTTP/1.1, a body
# that is pending once before it fails is written, because hyper flushes when a body is pending.
#
# Results, with one event before the error:
#
#   HTTP/1.1, error at once: curl 52, status 000, body ""
#   HTTP/1.1, pending once:  curl 18, status 200, body "data: a"
#   HTTP/2, error at once:   curl 92, status 000, body ""
#
# Fails if any of this changes. Needs a Rust toolchain, the package registry, and curl with HTTP/2.
set -euo pipefail

work=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server" || true; rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'END'
[package]
name = "finding"
version = "0.0.0"
edition = "2024"

[dependencies]
axum = { version = "=0.8.9", default-features = false, features = ["http1", "http2", "tokio"] }
futures-util = "0.3"
hyper = "=1.12.0"
tokio = { version = "1", features = ["macros", "net", "rt"] }
END
cat >"$work/src/main.rs" <<'END'
use axum::{Router, body::Body, http::Response, routing::get};
use futures_util::stream::{self, StreamExt as _};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let at_once = || stream::iter([Ok("data: a\n\n"), Err("failed")]);
    let pending_once = || {
        let error = stream::once(async {
            tokio::task::yield_now().await;
            Err("failed")
        });
        stream::iter([Ok("data: a\n\n")]).chain(error)
    };
    let app = Router::new()
        .route("/at-once", get(async move || Response::new(Body::from_stream(at_once()))))
        .route("/pending-once", get(async move || Response::new(Body::from_stream(pending_once()))));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    axum::serve(listener, app).await.unwrap();
}
END
cargo build --quiet --manifest-path "$work/Cargo.toml" --target-dir "$work/target"
"$work/target/debug/finding" >"$work/address" &
server=$!
until [[ -s $work/address ]]; do
    kill -0 "$server"
    sleep 0.1
done

see() {
    local name=$1 version=$2 path=$3 status code=0
    status=$(curl --silent --noproxy '*' --max-time 10 "$version" --output "$work/body" --write-out '%{http_code}' "http://$(<"$work/address")/$path") || code=$?
    printf '%-24s curl %s, status %s, body "%s"\n' "$name" "$code" "$status" "$(cat "$work/body" 2>/dev/null | head -n 1)"
    rm -f "$work/body"
}
seen=$(
    see "HTTP/1.1, error at once:" --http1.1 at-once
    see "HTTP/1.1, pending once:" --http1.1 pending-once
    see "HTTP/2, error at once:" --http2-prior-knowledge at-once
)
echo "$seen"
diff <(sed -n 's/^#   //p' "$0") <(echo "$seen")
