//! An API to talk to: it streams one answer, in the form that OpenAI's has and many others copied.
//!
//! It makes it as hard for its client as is allowed: CRLF line ends, heartbeats, and pieces that end
//! anywhere, also within a character or between CR and LF.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    str,
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use sse_proto::Frame;

pub(crate) const ANSWER: &str = "Three lanterns \u{1F3EE}\u{1F3EE}\u{1F3EE}, a cat, and the tide \
    table.\nLa marée monte à 06:40; dobrou noc, \u{304A}\u{3084}\u{3059}\u{307F}\u{3002}";

/// Its URL, and the questions that it was asked.
pub(crate) fn start() -> io::Result<(String, Receiver<String>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/v1/chat/completions", listener.local_addr()?);
    let (asked, questions) = mpsc::channel();
    thread::spawn(move || {
        for (number, client) in listener.incoming().enumerate() {
            // That a client went away is nothing special.
            let _ = client.and_then(|mut client| {
                let _ = asked.send(question(&client)?);
                let stream = stream();
                match number {
                    0 => answer(&mut client, &stream, true),
                    1 => answer(&mut client, &stream[..stream.len() / 2], false),
                    _ => refuse(&mut client),
                }
            });
        }
    });
    Ok((url, questions))
}

/// Reads a request.
fn question(client: &TcpStream) -> io::Result<String> {
    let mut request = BufReader::new(client);
    let mut body = Vec::new();
    for number in 0.. {
        let mut line = String::new();
        request.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        assert!(number > 0 || line.starts_with("post /v1/chat/completions "));
        if let Some(len) = line.strip_prefix("content-length:") {
            body.resize(len.trim().parse().map_err(io::Error::other)?, 0);
        }
        if line.is_empty() {
            break;
        }
    }
    request.read_exact(&mut body)?;
    let mut question: Value = serde_json::from_slice(&body)?;
    assert_eq!(question["stream"], true);
    match question["messages"][0]["content"].take() {
        Value::String(text) => Ok(text),
        other => panic!("{other}"),
    }
}

/// All that is to be sent.
fn stream() -> Vec<u8> {
    let chunk = |delta: Value, finish_reason: Option<&str>| {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish_reason });
        let kind = "chat.completion.chunk";
        json!({ "id": "chatcmpl-1", "object": kind, "choices": [choice] }).to_string()
    };
    let mut stream = String::new();
    let mut say = |data: &str| {
        stream += &Frame::message(data).to_string();
        stream += &Frame::keep_alive().to_string();
    };
    say(&chunk(json!({ "role": "assistant", "content": "" }), None));
    for (number, word) in ANSWER.split_inclusive([' ', '\u{3084}']).enumerate() {
        say(&chunk(json!({ "content": word }), None));
        if number == 4 {
            say(&json!({ "choices": [], "usage": null }).to_string());
        }
    }
    say(&chunk(json!({}), Some("stop")));
    say("[DONE]");
    say("what follows is for nobody");
    stream.replace('\n', "\r\n").into_bytes()
}

/// Sends `stream`, and says that it is complete or hangs up.
fn answer(client: &mut TcpStream, stream: &[u8], is_complete: bool) -> io::Result<()> {
    client.set_nodelay(true)?;
    write!(
        client,
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\
        Transfer-Encoding: chunked\r\n\r\n"
    )?;
    let pieces = stream.chunks(13);
    assert!(pieces.clone().any(|piece| str::from_utf8(piece).is_err()));
    assert!(pieces.clone().any(|piece| piece.ends_with(b"\r")));
    for piece in pieces {
        write!(client, "{:x}\r\n", piece.len())?;
        client.write_all(piece)?;
        client.write_all(b"\r\n")?;
        thread::sleep(Duration::from_millis(7));
    }
    if is_complete {
        client.write_all(b"0\r\n\r\n")?;
    }
    Ok(())
}

/// Answers that there is no answer.
fn refuse(client: &mut TcpStream) -> io::Result<()> {
    let why = r#"{"error":"slow down"}"#;
    write!(
        client,
        "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\n\
        Content-Length: {}\r\n\r\n{why}",
        why.len()
    )
}
