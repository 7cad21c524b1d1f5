#!/usr/bin/env bash
# Of five Rust libraries that write events, two lose the space at the start of a text and four the line break at its end.
#
# Software (crates.io): warp 0.4.3, async-sse 5.1.0, poem 3.1.12, viz-core 0.11.0, sse-codec 0.3.3; decoded by
# eventsource-stream 0.2.3.
#
# One would expect that the data of an event arrives as it was given. A client removes one space after the colon, so a text that
# begins with a space needs one more. warp and async-sse write `data:` and the text, so its first space is lost. Text that is
# streamed word by word, as by a language model, arrives without spaces.
# async-sse, poem, viz and sse-codec use `str::lines()`, for which a line break at the end is not the start of another line, and
# for which an empty text has no line. So a line break at the end is lost, and an empty text gets no `data` line: clients ignore
# such an event. (The encoder of sse-codec adds the blank line that its `Display` leaves to the caller.)
#
# Results, as clients get it:
#
#   warp         " a" -> "a"     "a\n" -> "a\n"  "\n" -> "\n"    "" -> ""
#   async-sse    " a" -> "a"     "a\n" -> "a"    "\n" -> ""      "" -> nothing
#   poem         " a" -> " a"    "a\n" -> "a"    "\n" -> ""      "" -> nothing
#   viz          " a" -> " a"    "a\n" -> "a"    "\n" -> ""      "" -> nothing
#   sse-codec    " a" -> " a"    "a\n" -> "a"    "\n" -> ""      "" -> nothing
#
# Fails if any of this changes. Needs a Rust toolchain and the package registry.
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
eventsource-stream = "=0.2.3"
futures = "0.3"
poem = { version = "=3.1.12", default-features = false, features = ["sse"] }
sse-codec = "=0.3.3"
tokio = { version = "1", features = ["rt"] }
viz-core = { version = "=0.11.0", default-features = false, features = ["sse"] }
warp = { version = "=0.4.3", default-features = false }
END
cat >"$work/src/main.rs" <<'END'
use eventsource_stream::Eventsource as _;
use futures::{AsyncReadExt as _, SinkExt as _, StreamExt as _, future, stream};
use std::convert::Infallible;

async fn by_async_sse(text: &str) -> String {
    let (sender, mut encoder) = async_sse::encode();
    let (text, mut written) = (text.to_owned(), String::new());
    let send = async move { sender.send(None, &text, None).await.unwrap() };
    future::join(send, encoder.read_to_string(&mut written)).await.1.unwrap();
    written
}

async fn by_poem(text: &str) -> String {
    use poem::{IntoResponse as _, web::sse};
    let response = sse::SSE::new(stream::iter([sse::Event::message(text)])).into_response();
    response.into_body().into_string().await.unwrap()
}

async fn by_sse_codec(text: &str) -> String {
    let mut written = Vec::new();
    let mut encoder = sse_codec::encode_stream(&mut written);
    encoder.send(sse_codec::Event::message("message", text, None)).await.unwrap();
    drop(encoder);
    String::from_utf8(written).unwrap()
}

async fn written(library: &str, text: &str) -> String {
    match library {
        "warp" => warp::sse::Event::default().data(text).to_string(),
        "async-sse" => by_async_sse(text).await,
        "poem" => by_poem(text).await,
        "viz" => viz_core::types::Event::default().data(text).to_string(),
        "sse-codec" => by_sse_codec(text).await,
        _ => unreachable!(),
    }
}

async fn tell() {
    for library in ["warp", "async-sse", "poem", "viz", "sse-codec"] {
        let mut line = format!("{library:12}");
        for text in [" a", "a\n", "\n", ""] {
            let body = written(library, text).await;
            let mut events = stream::iter([Ok::<_, Infallible>(body)]).eventsource();
            let data = events.next().await.map_or("nothing".to_owned(), |event| format!("{:?}", event.unwrap().data));
            line += &format!(" {:15}", format!("{text:?} -> {data}"));
        }
        println!("{}", line.trim_end());
    }
}

fn main() {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(tell());
}
END
seen=$(cargo run --quiet --manifest-path "$work/Cargo.toml")
echo "$seen"
diff <(sed -n 's/^#   //p' "$0") <(echo "$seen")
