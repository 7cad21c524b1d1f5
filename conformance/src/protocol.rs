//! The adapter protocol on the wire: requests and answers to and from lines of JSON, for both
//! sides.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::{
    capabilities::Capabilities,
    check::{Answer, ConnectAnswer, DecodeAnswer},
    corpus::{
        ClientOptions, CloseOn, End, Failure, Frame, Item, Kind, Refusal, Regions, Response,
        Storage,
    },
    request::{ConnectRequest, DecodeRequest, EncodeRequest, Request},
};

/// The line of a request, with its LF.
pub(crate) fn request_line(case: u64, request: &Request) -> Vec<u8> {
    let (kind, body) = match request {
        Request::Decode(request) => (
            Kind::Decode,
            Body::Decode {
                chunks: to_base64(&request.chunks),
                last_event_id: request.last_event_id.as_deref(),
                storage: request.storage,
                limit: request.limit,
                regions: request.regions,
                skip_long_ids: request.skip_long_ids,
                details: request.details,
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
                responses: request.responses.iter().map(response_body).collect(),
                close_on: request.close_on.as_ref(),
            },
        ),
    };
    let kind = kind.as_str();
    json_line(&RequestLine { case, kind, body })
}

/// The line that asks an adapter for its name, version and capabilities.
pub(crate) fn capabilities_request_line(case: u64) -> Vec<u8> {
    json_line(&RequestLine {
        case,
        kind: "capabilities",
        body: Body::Capabilities {},
    })
}

fn json_line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).expect("strings, numbers and lists can be written");
    line.push(b'\n');
    line
}

#[derive(Serialize)]
struct RequestLine<'r> {
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
        #[serde(skip_serializing_if = "Option::is_none")]
        regions: Option<Regions>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        skip_long_ids: bool,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        details: bool,
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
        responses: Vec<ResponseBody<'r>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        close_on: Option<&'r CloseOn>,
    },
    Capabilities {},
}

#[derive(Serialize)]
#[serde(untagged)]
enum ResponseBody<'r> {
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

fn response_body(response: &Response) -> ResponseBody<'_> {
    match response {
        Response::Failure { failure } => ResponseBody::Failure { failure: *failure },
        Response::Response {
            status,
            headers,
            redirects,
            url,
            chunks,
            lasts,
            end,
        } => ResponseBody::Response {
            status: *status,
            headers,
            redirects,
            url: url.as_deref(),
            chunks: to_base64(chunks),
            lasts: *lasts,
            end: *end,
        },
    }
}

fn to_base64(chunks: &[Vec<u8>]) -> Vec<String> {
    chunks.iter().map(|chunk| BASE64.encode(chunk)).collect()
}

/// Splits the line of an answer into its `case`, if that is a number, and its other keys.
///
/// # Errors
///
/// If the line is not a JSON object.
pub(crate) fn parse_answer_line(line: &[u8]) -> Result<(Option<u64>, Map<String, Value>), String> {
    let mut object: Map<String, Value> =
        serde_json::from_slice(line).map_err(|why| format!("not a JSON object: {why}"))?;
    let case = object.remove("case");
    Ok((case.and_then(|case| case.as_u64()), object))
}

/// Reads the keys of an answer to a request of this kind.
pub(crate) fn parse_answer(kind: Kind, mut object: Map<String, Value>) -> Answer {
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
        Kind::Decode => parse_decode_answer(object),
        Kind::Encode => match object.remove("bytes") {
            Some(Value::String(bytes)) => BASE64
                .decode(&bytes)
                .map(Answer::Encode)
                .map_err(|why| format!("bytes: {why}")),
            Some(other) => Err(format!("bytes: {other} is not a string")),
            None => Err("bytes: missing".to_owned()),
        },
        Kind::Connect => {
            from_value(Value::Object(object)).map(|answer: ConnectAnswer| Answer::Connect(answer))
        }
    };
    read.unwrap_or_else(|why| Answer::Failed(format!("the answer is malformed: {why}")))
}

fn parse_decode_answer(mut object: Map<String, Value>) -> Result<Answer, String> {
    let Some(Value::Array(lists)) = object.remove("chunks") else {
        return Err("chunks: missing, or not a list".to_owned());
    };
    let last_event_id = match object.remove("lastEventId") {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) => Some(id),
        Some(other) => return Err(format!("lastEventId: {other} is not a string")),
    };
    let mut chunks = Vec::with_capacity(lists.len());
    for (chunk, list) in lists.into_iter().enumerate() {
        let Value::Array(items) = list else {
            return Err(format!("chunks[{chunk}]: {list} is not a list"));
        };
        let items = items.into_iter().enumerate().map(|(index, item)| {
            let text = item.to_string();
            from_value::<Item>(item)
                .map_err(|_| format!("chunks[{chunk}][{index}]: {text} is not an item"))
        });
        chunks.push(items.collect::<Result<_, _>>()?);
    }
    let answer = DecodeAnswer {
        chunks,
        last_event_id,
    };
    Ok(match object.remove("state") {
        None | Some(Value::Null) => Answer::Decode(answer),
        Some(state) => {
            let state = from_value(state).map_err(|why| format!("state: {why}"))?;
            Answer::DetailedDecode(answer, state)
        }
    })
}

/// An adapter's answer to the `capabilities` request.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct AdapterInfo {
    pub(crate) name: Option<String>,
    pub(crate) version: Option<String>,
    /// `None` if the adapter does not name any.
    pub(crate) capabilities: Option<Vec<String>>,
}

/// Reads the answer to the `capabilities` request. An adapter that does not know the request gives
/// no information.
pub(crate) fn parse_adapter_info(object: Map<String, Value>) -> Result<AdapterInfo, String> {
    if object.contains_key("unsupported") || object.contains_key("error") {
        return Ok(AdapterInfo::default());
    }
    from_value(Value::Object(object))
}

fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|why| why.to_string())
}

/// Reads a line of an adapter's input: its `case`, which the answer repeats unchanged, and the
/// request.
pub(crate) fn parse_request(line: &[u8]) -> (Value, Result<AdapterRequest, String>) {
    let object: Map<String, Value> = match serde_json::from_slice(line) {
        Ok(object) => object,
        Err(why) => return (Value::Null, Err(format!("bad request: {why}"))),
    };
    let case = object.get("case").cloned().unwrap_or_default();
    let request = match object.get("kind").and_then(Value::as_str) {
        Some("decode") => from_value(Value::Object(object)).and_then(decode_request),
        Some("encode") => from_value(Value::Object(object)).map(|RawEncode { frames }| {
            AdapterRequest::case(Request::Encode(EncodeRequest { frames }))
        }),
        Some("connect") => from_value(Value::Object(object)).and_then(connect_request),
        Some("capabilities") => Ok(AdapterRequest::Capabilities),
        _ => Ok(AdapterRequest::Unknown),
    };
    (case, request)
}

/// A request as an adapter receives it.
pub(crate) enum AdapterRequest {
    Case(Box<Request>),
    Capabilities,
    Unknown,
}

impl AdapterRequest {
    fn case(request: Request) -> Self {
        Self::Case(Box::new(request))
    }
}

/// The line of an answer, with its LF.
pub(crate) fn answer_line(case: Value, answer: Answer) -> Vec<u8> {
    let mut answer = match answer {
        Answer::Decode(answer) => {
            json!({ "chunks": answer.chunks, "lastEventId": answer.last_event_id })
        }
        Answer::DetailedDecode(answer, state) => json!({
            "chunks": answer.chunks,
            "lastEventId": answer.last_event_id,
            "state": state,
        }),
        Answer::Encode(bytes) => json!({ "bytes": BASE64.encode(bytes) }),
        Answer::Refused(Refusal { frame, field }) => {
            json!({ "error": format!("{field}: refused"), "frame": frame })
        }
        Answer::Connect(answer) => json!(answer),
        Answer::Failed(why) => json!({ "error": why }),
        Answer::Unsupported => json!({ "unsupported": true }),
    };
    answer["case"] = case;
    json_line(&answer)
}

/// The line that answers the `capabilities` request.
pub(crate) fn capabilities_line(
    case: &Value,
    name: &str,
    version: &str,
    capabilities: &Capabilities,
) -> Vec<u8> {
    let answer =
        json!({ "case": case, "name": name, "version": version, "capabilities": capabilities });
    json_line(&answer)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDecode {
    chunks: Vec<String>,
    last_event_id: Option<String>,
    storage: Option<Storage>,
    limit: Option<usize>,
    regions: Option<Regions>,
    skip_long_ids: Option<bool>,
    details: Option<bool>,
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

fn decode_request(raw: RawDecode) -> Result<AdapterRequest, String> {
    Ok(AdapterRequest::case(Request::Decode(DecodeRequest {
        chunks: from_base64(&raw.chunks)?,
        last_event_id: raw.last_event_id,
        storage: raw.storage,
        limit: raw.limit,
        regions: raw.regions,
        skip_long_ids: raw.skip_long_ids.unwrap_or_default(),
        details: raw.details.unwrap_or_default(),
    })))
}

fn connect_request(raw: RawConnect) -> Result<AdapterRequest, String> {
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
                chunks: from_base64(&chunks)?,
                lasts,
                end,
            },
        })
    });
    Ok(AdapterRequest::case(Request::Connect(ConnectRequest {
        url: raw.url,
        with_credentials: raw.with_credentials,
        last_event_id: raw.last_event_id,
        options: raw.options,
        responses: responses.collect::<Result<_, String>>()?,
        close_on: raw.close_on,
    })))
}

fn from_base64(chunks: &[String]) -> Result<Vec<Vec<u8>>, String> {
    let chunks = chunks.iter().enumerate().map(|(index, chunk)| {
        BASE64
            .decode(chunk)
            .map_err(|why| format!("chunks[{index}]: {why}"))
    });
    chunks.collect()
}
