//! The protocol's JSON: the line of a request and the line of an answer, each way.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::{
    capabilities::Capabilities,
    corpus::{ClientOptions, CloseOn, End, Failure, Frame, Item, Kind, Refusal, Response, Storage},
    judge::{Answer, ConnectAnswer, DecodeAnswer},
    ways::{ConnectRequest, DecodeRequest, EncodeRequest, Request},
};

/// The line for a request, with its line end.
pub(crate) fn line(case: u64, request: &Request) -> Vec<u8> {
    let (kind, body) = match request {
        Request::Decode(request) => (
            Kind::Decode,
            Body::Decode {
                chunks: encoded(&request.chunks),
                last_event_id: request.last_event_id.as_deref(),
                storage: request.storage,
                limit: request.limit,
            },
        ),
        Request::Encode(request) => (
            Kind::Encode,
            Body::Encode {
                frames: &request.frames,
            },
        ),
        Request::Connect(request) => (
            Kind::Connect,
            Body::Connect {
                url: &request.url,
                with_credentials: request.with_credentials,
                last_event_id: request.last_event_id.as_deref(),
                options: request.options.as_ref(),
                responses: request.responses.iter().map(met).collect(),
                close_on: request.close_on.as_ref(),
            },
        ),
    };
    let kind = kind.as_str();
    of(&Line { case, kind, body })
}

/// The line that asks an adapter who it is.
pub(crate) fn greeting(case: u64) -> Vec<u8> {
    of(&Line {
        case,
        kind: "capabilities",
        body: Body::Greeting {},
    })
}

fn of(line: &Line<'_>) -> Vec<u8> {
    let mut text = serde_json::to_vec(line).expect("strings, numbers and lists can be written");
    text.push(b'\n');
    text
}

#[derive(Serialize)]
struct Line<'r> {
    case: u64,
    kind: &'r str,
    #[serde(flatten)]
    body: Body<'r>,
}

#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Body<'r> {
    Decode {
        chunks: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        last_event_id: Option<&'r str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        storage: Option<Storage>,
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<usize>,
    },
    Encode {
        frames: &'r [Frame],
    },
    Connect {
        url: &'r str,
        with_credentials: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        last_event_id: Option<&'r str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        options: Option<&'r ClientOptions>,
        responses: Vec<Met<'r>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        close_on: Option<&'r CloseOn>,
    },
    Greeting {},
}

#[derive(Serialize)]
#[serde(untagged)]
enum Met<'r> {
    Failure {
        failure: Failure,
    },
    Response {
        status: u16,
        headers: &'r [(String, String)],
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        redirects: &'r [(u16, String)],
        #[serde(skip_serializing_if = "Option::is_none")]
        url: Option<&'r str>,
        chunks: Vec<String>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        lasts: bool,
        end: End,
    },
}

fn met(response: &Response) -> Met<'_> {
    match response {
        Response::Failure { failure } => Met::Failure { failure: *failure },
        Response::Response {
            status,
            headers,
            redirects,
            url,
            chunks,
            lasts,
            end,
        } => Met::Response {
            status: *status,
            headers,
            redirects,
            url: url.as_deref(),
            chunks: encoded(chunks),
            lasts: *lasts,
            end: *end,
        },
    }
}

fn encoded(chunks: &[Vec<u8>]) -> Vec<String> {
    chunks.iter().map(|chunk| BASE64.encode(chunk)).collect()
}

/// The number of a line, if it has one, and what else stands in it.
///
/// # Errors
///
/// Why the line is no answer at all.
pub(crate) fn numbered(line: &[u8]) -> Result<(Option<u64>, Map<String, Value>), String> {
    let mut object: Map<String, Value> =
        serde_json::from_slice(line).map_err(|why| format!("no JSON object: {why}"))?;
    let case = object.remove("case");
    Ok((case.and_then(|case| case.as_u64()), object))
}

/// The answer to a request of this kind.
pub(crate) fn answer(kind: Kind, mut object: Map<String, Value>) -> Answer {
    if object.get("unsupported") == Some(&Value::Bool(true)) {
        return Answer::Unsupported;
    }
    if let Some(error) = object.get("error") {
        let why = error
            .as_str()
            .map_or_else(|| error.to_string(), str::to_owned);
        let frame = object.get("frame").and_then(Value::as_u64);
        return match (kind, frame, why.split_once(':')) {
            (Kind::Encode, Some(frame), Some((field, _))) => Answer::Refused(Refusal {
                frame: usize::try_from(frame).unwrap_or(usize::MAX),
                field: field.to_owned(),
            }),
            _ => Answer::Failed(why),
        };
    }
    let read = match kind {
        Kind::Decode => decode_answer(object),
        Kind::Encode => match object.remove("bytes") {
            Some(Value::String(bytes)) => BASE64
                .decode(&bytes)
                .map(Answer::Encode)
                .map_err(|why| format!("bytes: {why}")),
            other => Err(format!("bytes: {} is no base64", named(other.as_ref()))),
        },
        Kind::Connect => {
            from_value(Value::Object(object)).map(|answer: ConnectAnswer| Answer::Connect(answer))
        }
    };
    read.unwrap_or_else(|why| Answer::Failed(format!("the answer is malformed: {why}")))
}

fn decode_answer(mut object: Map<String, Value>) -> Result<Answer, String> {
    let Some(Value::Array(lists)) = object.remove("chunks") else {
        return Err("chunks: missing, or not a list".to_owned());
    };
    let last_event_id = match object.remove("lastEventId") {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) => Some(id),
        Some(other) => return Err(format!("lastEventId: {other} is no string")),
    };
    let mut chunks = Vec::with_capacity(lists.len());
    for (piece, list) in lists.into_iter().enumerate() {
        let Value::Array(items) = list else {
            return Err(format!("chunks[{piece}]: {list} is no list"));
        };
        let items = items.into_iter().enumerate().map(|(index, item)| {
            let text = item.to_string();
            from_value::<Item>(item)
                .map_err(|_| format!("chunks[{piece}][{index}]: {text} is no item"))
        });
        chunks.push(items.collect::<Result<_, _>>()?);
    }
    Ok(Answer::Decode(DecodeAnswer {
        chunks,
        last_event_id,
    }))
}

/// What an adapter says of itself.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Greeting {
    pub(crate) name: Option<String>,
    pub(crate) version: Option<String>,
    /// What it offers, if it says so.
    pub(crate) capabilities: Option<Vec<String>>,
}

/// What an adapter says of itself, or nothing if it does not know the question.
pub(crate) fn greeted(object: Map<String, Value>) -> Result<Greeting, String> {
    if object.contains_key("unsupported") || object.contains_key("error") {
        return Ok(Greeting::default());
    }
    from_value(Value::Object(object))
}

fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|why| why.to_string())
}

fn named(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), Value::to_string)
}

/// The request of an adapter's input: its number, which goes back as it came, and what is asked.
pub(crate) fn request(line: &[u8]) -> (Value, Result<Asked, String>) {
    let object: Map<String, Value> = match serde_json::from_slice(line) {
        Ok(object) => object,
        Err(why) => return (Value::Null, Err(format!("bad request: {why}"))),
    };
    let case = object.get("case").cloned().unwrap_or_default();
    let asked = match object.get("kind").and_then(Value::as_str) {
        Some("decode") => from_value(Value::Object(object)).and_then(decode_request),
        Some("encode") => from_value(Value::Object(object))
            .map(|RawEncode { frames }| Asked::case(Request::Encode(EncodeRequest { frames }))),
        Some("connect") => from_value(Value::Object(object)).and_then(connect_request),
        Some("capabilities") => Ok(Asked::Capabilities),
        _ => Ok(Asked::Unknown),
    };
    (case, asked)
}

/// What an adapter is asked.
pub(crate) enum Asked {
    Case(Box<Request>),
    Capabilities,
    Unknown,
}

impl Asked {
    fn case(request: Request) -> Self {
        Self::Case(Box::new(request))
    }
}

/// The line of an answer, with its line end.
pub(crate) fn answer_line(case: Value, answer: Answer) -> Vec<u8> {
    let mut answer = match answer {
        Answer::Decode(answer) => {
            json!({ "chunks": answer.chunks, "lastEventId": answer.last_event_id })
        }
        Answer::Encode(bytes) => json!({ "bytes": BASE64.encode(bytes) }),
        Answer::Refused(Refusal { frame, field }) => {
            json!({ "error": format!("{field}: refused"), "frame": frame })
        }
        Answer::Connect(answer) => json!(answer),
        Answer::Failed(why) => json!({ "error": why }),
        Answer::Unsupported => json!({ "unsupported": true }),
    };
    answer["case"] = case;
    let mut line = serde_json::to_vec(&answer).expect("a value can be written");
    line.push(b'\n');
    line
}

/// The line by which an adapter says who it is.
pub(crate) fn greeting_line(
    case: &Value,
    name: &str,
    version: &str,
    capabilities: &Capabilities,
) -> Vec<u8> {
    let greeting =
        json!({ "case": case, "name": name, "version": version, "capabilities": capabilities });
    let mut line = serde_json::to_vec(&greeting).expect("a value can be written");
    line.push(b'\n');
    line
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDecode {
    chunks: Vec<String>,
    last_event_id: Option<String>,
    storage: Option<Storage>,
    limit: Option<usize>,
}

#[derive(Deserialize)]
struct RawEncode {
    frames: Vec<Frame>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawConnect {
    url: String,
    #[serde(default)]
    with_credentials: bool,
    last_event_id: Option<String>,
    options: Option<ClientOptions>,
    responses: Vec<RawResponse>,
    close_on: Option<CloseOn>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawResponse {
    Failure {
        failure: Failure,
    },
    Response {
        status: u16,
        #[serde(default)]
        headers: Vec<(String, String)>,
        #[serde(default)]
        redirects: Vec<(u16, String)>,
        url: Option<String>,
        #[serde(default)]
        chunks: Vec<String>,
        #[serde(default)]
        lasts: bool,
        end: End,
    },
}

fn decode_request(raw: RawDecode) -> Result<Asked, String> {
    Ok(Asked::case(Request::Decode(DecodeRequest {
        chunks: decoded(&raw.chunks)?,
        last_event_id: raw.last_event_id,
        storage: raw.storage,
        limit: raw.limit,
    })))
}

fn connect_request(raw: RawConnect) -> Result<Asked, String> {
    let responses = raw.responses.into_iter().map(|response| {
        Ok(match response {
            RawResponse::Failure { failure } => Response::Failure { failure },
            RawResponse::Response {
                status,
                headers,
                redirects,
                url,
                chunks,
                lasts,
                end,
            } => Response::Response {
                status,
                headers,
                redirects,
                url,
                chunks: decoded(&chunks)?,
                lasts,
                end,
            },
        })
    });
    Ok(Asked::case(Request::Connect(ConnectRequest {
        url: raw.url,
        with_credentials: raw.with_credentials,
        last_event_id: raw.last_event_id,
        options: raw.options,
        responses: responses.collect::<Result<_, String>>()?,
        close_on: raw.close_on,
    })))
}

fn decoded(chunks: &[String]) -> Result<Vec<Vec<u8>>, String> {
    let chunks = chunks.iter().enumerate().map(|(index, chunk)| {
        BASE64
            .decode(chunk)
            .map_err(|why| format!("chunks[{index}]: {why}"))
    });
    chunks.collect()
}
