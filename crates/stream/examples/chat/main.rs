//! `chat` shows an answer while it is being written, as the APIs of language models send it: a `POST`
//! is answered by an event stream of small pieces, and `[DONE]` is the last event.
//!
//! ```text
//! $ cargo run -p sse-proto-stream --features json,reqwest-0_13 --example chat
//! ```
//!
//! How to read such a stream is in [`ask`]. The API ([`api`]) is a thread of this program; what it
//! sends comes slowly and in awkward pieces, its second answer breaks off, and its third is a refusal.

mod api;

use std::{
    error::Error,
    io::{self, Write as _},
    pin::pin,
};

use futures_util::TryStreamExt as _;
use http::Request;
use serde::Deserialize;
use serde_json::json;
use sse_proto_stream::{EventSource, Lost, Reqwest};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (url, questions) = api::start()?;

    let mut answer = Answer::default();
    ask(&url, "What is on the harbour wall tonight?", &mut answer).await?;
    assert_eq!(answer.text, api::ANSWER);
    assert_eq!(answer.finish_reason, "stop");

    println!("\n\n(And now an answer that breaks off.)\n");
    let mut answer = Answer::default();
    let error = ask(&url, "And tomorrow?", &mut answer).await.unwrap_err();
    println!("[..]\n\n(The rest is lost: {error}.)");
    assert!(answer.text.len() > 20 && api::ANSWER.starts_with(&answer.text));

    println!("\n(And now none at all.)\n");
    let mut answer = Answer::default();
    let error = ask(&url, "And the day after?", &mut answer)
        .await
        .unwrap_err();
    println!("({error}.)");
    assert_eq!(answer.text, "");

    // An answer may have cost money: no question was asked twice.
    assert_eq!(questions.try_iter().count(), 3);
    Ok(())
}

#[derive(Default)]
struct Answer {
    /// As far as it has come.
    text: String,
    /// `length` would mean that the model had more to say.
    finish_reason: String,
}

/// Asks one question, once, and shows each piece of the answer when it arrives.
async fn ask(url: &str, question: &str, answer: &mut Answer) -> Result<(), Box<dyn Error>> {
    let question = json!({
        "model": "lantern-2",
        "stream": true,
        "messages": [{ "role": "user", "content": question }],
    });
    let request = Request::post(url).header("content-type", "application/json");
    let request = request.body(question.to_string().into())?;
    let source = EventSource::new(request, http_client()?, tokio::time::sleep)?;
    let mut chunks = pin!(source.until("[DONE]").events().json::<Chunk>());
    while let Some(chunk) = chunks.try_next().await.map_err(with_what_was_said)? {
        // The last one may have none, but statistics.
        for choice in chunk.choices {
            let text = choice.delta.content.unwrap_or_default();
            print!("{text}");
            io::stdout().flush()?;
            answer.text += &text;
            answer.finish_reason += &choice.finish_reason.unwrap_or_default();
        }
    }
    Ok(())
}

/// An API that refuses says why in the body of its response.
fn with_what_was_said(error: sse_proto_stream::Error<Lost>) -> Box<dyn Error> {
    if let sse_proto_stream::Error::Source(lost) = &error {
        if let Some(response) = lost.response() {
            let why = String::from_utf8_lossy(response.body());
            return format!("{}: {why}", response.status()).into();
        }
    }
    error.into()
}

fn http_client() -> reqwest::Result<Reqwest> {
    // With its default features reqwest brings cryptography of its own, and needs none of this.
    let _there_is_one_already = rustls::crypto::ring::default_provider().install_default();
    Reqwest::new()
}

/// As much of an event as is needed here.
#[derive(Deserialize)]
struct Chunk {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Delta,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
}
