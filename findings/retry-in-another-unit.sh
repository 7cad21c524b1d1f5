#!/usr/bin/env bash
# Three libraries take `retry` for something else than a number of milliseconds, or do not read what they write.
#
# Software: async-sse 5.1.0 and sse-codec 0.3.3 (crates.io); aiosseclient 0.1.8 (PyPI).
#
# By the standard, `retry` is a whole number of milliseconds. The encoder and the decoder of async-sse take it as seconds, so they
# agree with each other: a server that sends `Duration::from_secs(3)` tells clients to come back after 3 ms, and less than a
# second is 0. In the other direction, the usual `retry:3000` makes a client wait for 50 minutes.
# sse-codec does not remove the space after the colon of this field only. It writes that space itself, so it ignores its own `retry`
# as well as that of most servers. aiosseclient converts the field to a bool: each value is True, `0` too.
#
# Results:
#
#   async-sse writes 3 s as:        "retry:3\n\n"
#   async-sse writes 500 ms as:     "retry:0\n\n"
#   async-sse reads retry:3000 as:  3000 s
#   sse-codec writes 3000 as:       "retry: 3000\n"
#   sse-codec reads that as:        nothing
#   sse-codec reads retry:3000 as:  3000
#   aiosseclient reads 3000 as:     True
#   aiosseclient reads 0 as:        True
#
# Fails if any of this changes. Needs a Rust toolchain, Python 3.10 or later with venv, and the package registries.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'END'
[package]
name = "finding"
version = "0.0.0"
edition = "2024"

[dependencies]
async-sse = "=5.1.0"
futures = "0.3"
sse-codec = "=0.3.3"
END
cat >"$work/src/main.rs" <<'END'
use futures::{AsyncReadExt as _, StreamExt as _, executor::block_on, future, io::Cursor};
use std::time::Duration;

fn written(retry: Duration) -> String {
    let (sender, mut encoder) = async_sse::encode();
    let mut text = String::new();
    let send = async move { sender.send_retry(retry, None).await.unwrap() };
    block_on(async { future::join(send, encoder.read_to_string(&mut text)).await.1.unwrap() });
    text
}

fn read_by_codec(text: &str) -> String {
    let events = block_on(sse_codec::decode_stream(Cursor::new(text.to_owned())).collect::<Vec<_>>());
    match events.into_iter().map(Result::unwrap).next() {
        Some(sse_codec::Event::Retry { retry }) => retry.to_string(),
        Some(event) => format!("{event:?}"),
        None => "nothing".to_owned(),
    }
}

fn main() {
    println!("async-sse writes 3 s as:        {:?}", written(Duration::from_secs(3)));
    println!("async-sse writes 500 ms as:     {:?}", written(Duration::from_millis(500)));
    match block_on(async_sse::decode(Cursor::new("retry:3000\n\n")).next()).unwrap().unwrap() {
        async_sse::Event::Retry(retry) => println!("async-sse reads retry:3000 as:  {} s", retry.as_secs()),
        event => println!("{event:?}"),
    }
    let own = sse_codec::Event::retry(3000).to_string();
    println!("sse-codec writes 3000 as:       {own:?}");
    println!("sse-codec reads that as:        {}", read_by_codec(&own));
    println!("sse-codec reads retry:3000 as:  {}", read_by_codec("retry:3000\n"));
}
END
cat >"$work/finding.py" <<'END'
import asyncio

from aiosseclient import aiosseclient

BODY = b"retry: 3000\ndata: a\n\nretry: 0\ndata: b\n\n"


async def serve(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + BODY)
    await writer.drain()
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    retries = [event.retry async for event in aiosseclient(f"http://127.0.0.1:{port}/")]
    print("aiosseclient reads 3000 as:    ", retries[0])
    print("aiosseclient reads 0 as:       ", retries[1])


asyncio.run(main())
END
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check aiohttp==3.14.5 aiosseclient==0.1.8
seen=$(
    cargo run --quiet --manifest-path "$work/Cargo.toml"
    "$work/venv/bin/python" "$work/finding.py"
)
echo "$seen"
diff <(sed -n 's/^#   //p' "$0") <(echo "$seen")
