#!/usr/bin/env bash
# A client with reqwest-sse gets no event and no error from a server with sse-starlette.
#
# Software: reqwest-sse 0.2.0 with reqwest 0.13 (crates.io); sse-starlette 3.7.0 under uvicorn 0.54.0 (PyPI). For comparison,
# eventsource-stream 0.2.3 (crates.io), which reads these streams as the standard says.
#
# By the standard, a line may end in CRLF. sse-starlette writes CRLF if it is not told otherwise. reqwest-sse ends lines
# only at LF, takes the CR for part of the text, and so never sees a blank line: it waits for the end of the first event until the
# stream ends, and then drops it. The status and the content type are right and there is no error, so it looks as if the
# server had nothing to say. With `sep="\n"` at the server, both work.
#
# Results for two events:
#
#   sep="\n", eventsource-stream: "a" "b", no error
#   sep="\n", reqwest-sse:        "a" "b", no error
#   default, eventsource-stream:  "a" "b", no error
#   default, reqwest-sse:         no event, no error
#
# Fails if any of this changes. Needs a Rust toolchain, Python 3.10 or later with venv, and the package registries.
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
eventsource-stream = "=0.2.3"
futures = "0.3"
reqwest = { version = "0.13", default-features = false, features = ["stream"] }
reqwest-sse = "=0.2.0"
tokio = { version = "1", features = ["macros", "rt"] }
END
cat >"$work/src/main.rs" <<'END'
use eventsource_stream::Eventsource as _;
use futures::StreamExt as _;
use reqwest_sse::EventSource as _;

fn tell<E>(name: &str, results: Vec<Result<String, E>>) {
    let count = results.len();
    let events: Vec<_> = results.into_iter().flatten().map(|data| format!("{data:?}")).collect();
    let errors = if events.len() == count { "no error" } else { "an error" };
    let events = if events.is_empty() { "no event".to_owned() } else { events.join(" ") };
    println!("{name:29} {events}, {errors}");
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let address = std::env::args().nth(1).unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for (name, path) in [("sep=\"\\n\"", "lf"), ("default", "default")] {
        let response = async || client.get(format!("{address}/{path}")).send().await.unwrap();
        let events = response().await.bytes_stream().eventsource().map(|event| event.map(|event| event.data));
        tell(&format!("{name}, eventsource-stream:"), events.collect().await);
        let events = response().await.events().await.unwrap().map(|event| event.map(|event| event.data));
        tell(&format!("{name}, reqwest-sse:"), events.collect().await);
    }
}
END
cat >"$work/server.py" <<'END'
import socket

import uvicorn
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.routing import Route


async def events():
    yield {"data": "a"}
    yield {"data": "b"}


async def lf(request):
    return EventSourceResponse(events(), sep="\n")


async def default(request):
    return EventSourceResponse(events())


app = Starlette(routes=[Route("/lf", lf), Route("/default", default)])
listener = socket.create_server(("127.0.0.1", 0))
print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
END
cargo build --quiet --manifest-path "$work/Cargo.toml" --target-dir "$work/target"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check sse-starlette==3.7.0 starlette==1.10.0 uvicorn==0.54.0
"$work/venv/bin/python" "$work/server.py" >"$work/address" &
server=$!
until [[ -s $work/address ]]; do kill -0 "$server"; sleep 0.1; done
seen=$(timeout 60 "$work/target/debug/finding" "$(<"$work/address")")
echo "$seen"
diff <(sed -n 's/^#   //p' "$0") <(echo "$seen")
