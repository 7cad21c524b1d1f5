//! `chat` shows an answer while it is being written, as the APIs of language models send it: a `POST`
//! is answered by an event stream of small pieces, and `[DONE]` is the last event.
//!
//! ```text
//! $ cargo run --example chat
//! ```
//!
//! How to read such a stream is in [`ask`]. The API ([`api`]) is a thread of this program; what it
//! sends comes slowly and in awkward pieces, and its second answer breaks off.

mod api;

use std::{
    error::Error,
    fmt::{self, Display},
    io::{self, Read as _, Write as _},
    time::Duration,
};

use serde::Deserialize;
use serde_json::json;
use sse_proto::{Action, Disconnect, EventSource, Reason, RetryPolicy};
use ureq::Agent;

fn main() -> Result<(), Box<dyn Error>> {
    let (url, requests) = api::start()?;

    let answer = ask(&url, "What is on the harbour wall tonight?", show)?;
    assert_eq!(answer.text, api::ANSWER);
    assert_eq!(answer.finish_reason, "stop");

    println!("\n\n(And now an answer that breaks off.)\n");
    match ask(&url, "And tomorrow?", show) {
        Err(Failure::CutOff { so_far, reason }) => {
            println!("[..]\n\n(The rest is lost: {reason}.)");
            assert!(so_far.len() > 20 && api::ANSWER.starts_with(&so_far));
        }
        other => panic!("{other:?}"),
    }

    // An answer may have cost money: no question was asked twice.
    let questions: Vec<_> = requests.try_iter().collect();
    assert_eq!(
        questions,
        ["What is on the harbour wall tonight?", "And tomorrow?"]
    );
    Ok(())
}

fn show(text: &str) {
    print!("{text}");
    let _ = io::stdout().flush();
}

#[derive(Debug, Default)]
struct Answer {
    text: String,
    /// `length` would mean that the model had more to say.
    finish_reason: String,
}

/// Asks one question, once. `on_text` gets each piece of the answer when it arrives.
fn ask(url: &str, question: &str, mut on_text: impl FnMut(&str)) -> Result<Answer, Failure> {
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_per_read(Some(Duration::from_secs(60)))
        .build()
        .into();
    let question = json!({
        "model": "lantern-2",
        "stream": true,
        "messages": [{ "role": "user", "content": question }],
    });
    let mut source = EventSource::new(url)
        .map_err(|error| Failure::Unanswered(error.to_string()))?
        .retry_policy(RetryPolicy::never());
    let mut body = None;
    let mut buffer = [0; 4096];
    let mut answer = Answer::default();

    loop {
        // The signals tell no more than the final reason here: there is one connection only.
        let _signal = match source.action() {
            Action::Connect(request) => {
                let mut post = agent.post(request.url);
                for (name, value) in request.headers() {
                    post = post.header(name, value);
                }
                // .header("Authorization", "Bearer ..")
                let post = post.content_type("application/json");
                match post.send(question.to_string()) {
                    Ok(response) => {
                        let (head, content) = response.into_parts();
                        body = Some(content.into_reader());
                        source.handle_response(head.status.as_u16(), None, &head.headers)
                    }
                    Err(error) => return Err(Failure::Unanswered(error.to_string())),
                }
            }
            Action::Read => match body.as_mut().map_or(Ok(0), |body| body.read(&mut buffer)) {
                Ok(0) => source.handle_disconnect(Disconnect::EndOfBody),
                Ok(len) => {
                    let mut messages = source.feed(&buffer[..len]);
                    while let Some(message) = messages.next_message().map_err(Failure::odd)? {
                        if message.data == "[DONE]" {
                            messages.close();
                            break;
                        }
                        let chunk: Chunk =
                            serde_json::from_str(message.data).map_err(Failure::odd)?;
                        if let Some(error) = chunk.error {
                            return Err(Failure::Api(error.message));
                        }
                        // The last one may have none, but statistics.
                        for choice in chunk.choices {
                            let text = choice.delta.content.unwrap_or_default();
                            on_text(&text);
                            answer.text += &text;
                            answer.finish_reason += &choice.finish_reason.unwrap_or_default();
                        }
                    }
                    None
                }
                Err(_) => source.handle_disconnect(Disconnect::Network),
            },
            Action::Wait(_) => unreachable!("the policy is never to reconnect"),
            Action::Stop(None) => return Ok(answer), // it was closed, at `[DONE]`
            Action::Stop(Some(reason @ (Reason::Status(_) | Reason::ContentType))) => {
                return Err(Failure::Unanswered(reason.to_string()));
            }
            Action::Stop(Some(reason)) => {
                let so_far = answer.text;
                return Err(Failure::CutOff { so_far, reason });
            }
        };
    }
}

/// As much of an event as is needed here.
#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    /// What goes wrong in the middle of an answer comes as an event, too.
    error: Option<ApiError>,
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

#[derive(Deserialize)]
struct ApiError {
    message: String,
}

#[derive(Debug)]
enum Failure {
    /// No answer, and why.
    Unanswered(String),
    /// The API says what is wrong.
    Api(String),
    /// This is no answer.
    Odd(String),
    /// The connection was lost before `[DONE]`.
    CutOff { so_far: String, reason: Reason },
}

impl Failure {
    fn odd(error: impl Display) -> Self {
        Self::Odd(error.to_string())
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unanswered(why) => write!(f, "no answer: {why}"),
            Self::Api(message) => write!(f, "the API says: {message}"),
            Self::Odd(why) => write!(f, "an event that cannot be understood: {why}"),
            Self::CutOff { reason, .. } => write!(f, "the answer breaks off: {reason}"),
        }
    }
}

impl Error for Failure {}
