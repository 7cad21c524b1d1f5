//! Requests of kind `encode`.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::Deserialize;
use serde_json::{Value, json};
use sse_proto::Frame;

#[derive(Deserialize)]
struct Encode {
    frames: Vec<Fields>,
}

#[derive(Deserialize)]
struct Fields {
    event: Option<String>,
    data: Option<String>,
    id: Option<String>,
    /// Any JSON value, so that the error for an invalid one includes the index of its frame.
    retry: Option<Value>,
    comment: Option<String>,
}

pub(crate) fn encode(request: Value) -> Result<Value, String> {
    let request = Encode::deserialize(request).map_err(|error| format!("bad request: {error}"))?;
    let mut stream = Vec::new();
    for (index, fields) in request.frames.iter().enumerate() {
        match fields.frame() {
            Ok(frame) => frame.encode_to_vec(&mut stream),
            Err(why) => return Ok(json!({ "error": why, "frame": index })),
        }
    }
    Ok(json!({ "bytes": BASE64.encode(stream) }))
}

impl Fields {
    fn frame(&self) -> Result<Frame<'_>, String> {
        let mut frame = self.data.as_deref().map_or(Frame::new(), Frame::message);
        if let Some(event) = &self.event {
            frame = frame.event(event).map_err(|why| why.to_string())?;
        }
        if let Some(id) = &self.id {
            frame = frame.id(id).map_err(|why| why.to_string())?;
        }
        if let Some(retry) = &self.retry {
            let millis = retry
                .as_u64()
                .ok_or_else(|| format!("retry: {retry} is not a whole number of milliseconds"))?;
            frame = frame.retry(Duration::from_millis(millis));
        }
        if let Some(comment) = &self.comment {
            frame = frame.comment(comment);
        }
        Ok(frame)
    }
}
