//! A server that streams an answer in the format of OpenAI's API, which many others use, too.
//!
//! It uses everything that may be difficult for a client: CRLF line terminators, keep-alive
//! comments, and chunks that end anywhere, even inside a character or between CR and LF.

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

/// Starts the server; returns its URL and the questions that it receives.
pub(crate) fn start() -> io::Result<(String, Receiver<String>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/v1/chat/completions", listener.local_addr()?);
    let (sender, questions) = mpsc::channel();
    thread::spawn(move || {
        for (number, client) in listener.incoming().enumerate() {
            // A client may disconnect at any time.
            let _ = client.and_then(|mut client| {
                let _ = sender.send(read_question(&client)?);
                let stream = stream();
                match number {
                    0 => send_answer(&mut client, &stream, true),
                    1 => send_answer(&mut client, &stream[..stream.len() / 2], false),
                    _ => reject(&mut client),
                }
            });
        }
    });
    Ok((url, questions))
}

/// Reads a request and returns the question in its body.
fn read_question(client: &TcpStream) -> io::Result<String> {
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
    let mut body: Value = serde_json::from_slice(&body)?;
    assert_eq!(body["stream"], true);
    match body["messages"][0]["content"].take() {
        Value::String(text) => Ok(text),
        other => panic!("{other}"),
    }
}

/// The event stream with the whole answer.
fn stream() -> Vec<u8> {
    let chunk = |delta: Value, finish_reason: Option<&str>| {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish_reason });
        let kind = "chat.completion.chunk";
        json!({ "id": "chatcmpl-1", "object": kind, "choices": [choice] }).to_string()
    };
    let mut stream = String::new();
    let mut send = |data: &str| {
        stream += &Frame::message(data).to_string();
        stream += &Frame::keep_alive().to_string();
    };
    send(&chunk(json!({ "role": "assistant", "content": "" }), None));
    for (number, word) in ANSWER.split_inclusive([' ', '\u{3084}']).enumerate() {
        send(&chunk(json!({ "content": word }), None));
        if number == 4 {
            send(&json!({ "choices": [], "usage": null }).to_string());
        }
    }
    send(&chunk(json!({}), Some("stop")));
    send("[DONE]");
    send("not read by the client");
    stream.replace('\n', "\r\n").into_bytes()
}

/// Sends `stream` in small chunks; without `is_complete`, the response is cut off.
fn send_answer(client: &mut TcpStream, stream: &[u8], is_complete: bool) -> io::Result<()> {
    client.set_nodelay(true)?;
    write!(
        client,
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\
        Transfer-Encoding: chunked\r\n\r\n"
    )?;
    let chunks = stream.chunks(13);
    assert!(chunks.clone().any(|chunk| str::from_utf8(chunk).is_err()));
    assert!(chunks.clone().any(|chunk| chunk.ends_with(b"\r")));
    for chunk in chunks {
        write!(client, "{:x}\r\n", chunk.len())?;
        client.write_all(chunk)?;
        client.write_all(b"\r\n")?;
        thread::sleep(Duration::from_millis(7));
    }
    if is_complete {
        client.write_all(b"0\r\n\r\n")?;
    }
    Ok(())
}

/// Sends an error response.
fn reject(client: &mut TcpStream) -> io::Result<()> {
    let message = r#"{"error":"slow down"}"#;
    write!(
        client,
        "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\n\
        Content-Length: {}\r\n\r\n{message}",
        message.len()
    )
}
