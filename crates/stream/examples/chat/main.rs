//! `chat` prints the answer of a language model while it is being generated. The response to a
//! `POST` is an event stream whose events contain parts of the answer; the last event is `[DONE]`.
//!
//! ```text
//! $ cargo run -p sse-proto-stream --features json,reqwest-0_13 --example chat
//! ```
//!
//! The client is [`ask`]. The server ([`api`]) is a thread of this program. It sends its first
//! answer slowly and in awkward chunks, breaks off the second one, and rejects the third request.

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

    println!("\n\n(Next, an answer that is cut off.)\n");
    let mut answer = Answer::default();
    let error = ask(&url, "And tomorrow?", &mut answer).await.unwrap_err();
    println!("[..]\n\n(The rest is missing: {error}.)");
    assert!(answer.text.len() > 20 && api::ANSWER.starts_with(&answer.text));

    println!("\n(Next, a request that is rejected.)\n");
    let mut answer = Answer::default();
    let error = ask(&url, "And the day after?", &mut answer)
        .await
        .unwrap_err();
    println!("({error}.)");
    assert_eq!(answer.text, "");

    // No request was repeated: each of them may cost money.
    assert_eq!(questions.try_iter().count(), 3);
    Ok(())
}

#[derive(Default)]
struct Answer {
    /// What has been received so far.
    text: String,
    /// `stop`, or for example `length` if the model reached its limit.
    finish_reason: String,
}

/// Sends one question, without retries, and prints each part of the answer when it arrives.
async fn ask(url: &str, question: &str, answer: &mut Answer) -> Result<(), Box<dyn Error>> {
    let body = json!({
        "model": "lantern-2",
        "stream": true,
        "messages": [{ "role": "user", "content": question }],
    });
    let request = Request::post(url).header("content-type", "application/json");
    let request = request.body(body.to_string().into())?;
    let source = EventSource::new(request, http_client()?, tokio::time::sleep)?;
    let mut chunks = pin!(source.until("[DONE]").events().json::<Chunk>());
    while let Some(chunk) = chunks.try_next().await.map_err(with_error_message)? {
        // A chunk with usage statistics has no choices.
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

/// If the API has rejected the request, returns the error message in the body of its response.
fn with_error_message(error: sse_proto_stream::Error<Lost>) -> Box<dyn Error> {
    if let sse_proto_stream::Error::Source(lost) = &error {
        if let Some(response) = lost.response() {
            let message = String::from_utf8_lossy(response.body());
            return format!("{}: {message}", response.status()).into();
        }
    }
    error.into()
}

fn http_client() -> reqwest::Result<Reqwest> {
    // Not needed with the default features of reqwest, which include a cryptography provider.
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
    Reqwest::new()
}

/// The fields of an event that this program needs.
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
