//! Reads the files of the corpus. Unknown keys are errors.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{
    Body, Case, Encode, End, ExpectedOutput, Failure, Frame, Group, Item, Kind, Refusal, Response,
    Step, Verdict,
};

impl Group {
    pub(super) fn read(kind: Kind, name: &str, text: &str) -> Result<Self, String> {
        let raw: RawGroup = parsed(serde_json::from_str(text))?;
        if raw.group != name {
            return Err(format!("its group is {:?}", raw.group));
        }
        if raw.schema != format!("../schema/{kind}.schema.json") {
            return Err(format!("its schema is {:?}", raw.schema));
        }
        let cases = raw.cases.into_iter().enumerate().map(|(index, case)| {
            Case::read(kind, name, case).map_err(|why| format!("cases[{index}]: {why}"))
        });
        Ok(Self {
            kind,
            name: name.to_owned(),
            about: raw.about,
            cases: cases.collect::<Result<_, _>>()?,
        })
    }
}

impl Case {
    fn read(kind: Kind, group: &str, mut body: Map<String, Value>) -> Result<Self, String> {
        let head = ["id", "rule", "why", "flags", "verdict"]
            .into_iter()
            .filter_map(|key| body.remove_entry(key));
        let head: Head = from_object(head.collect())?;
        Ok(Self {
            id: head.id,
            kind,
            group: group.to_owned(),
            rules: head.rule,
            why: head.why,
            flags: head.flags,
            verdict: head.verdict,
            body: match kind {
                Kind::Decode => Body::Decode(from_object(body)?),
                Kind::Encode => Body::Encode(from_object(body)?),
                Kind::Connect => Body::Connect(from_object(body)?),
            },
        })
    }
}

fn from_object<T: DeserializeOwned>(object: Map<String, Value>) -> Result<T, String> {
    parsed(serde_json::from_value(Value::Object(object)))
}

fn parsed<T>(result: serde_json::Result<T>) -> Result<T, String> {
    result.map_err(|why| why.to_string())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGroup {
    #[serde(rename = "$schema")]
    schema: String,
    group: String,
    about: String,
    cases: Vec<Map<String, Value>>,
}

/// The keys that cases of every kind have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    id: String,
    rule: Vec<String>,
    why: String,
    flags: Vec<String>,
    verdict: Verdict,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStep {
    text: Option<String>,
    hex: Option<String>,
    repeat: Option<RawRepeat>,
    items: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRepeat {
    text: Option<String>,
    hex: Option<String>,
    times: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChunk {
    text: Option<String>,
    hex: Option<String>,
}

impl TryFrom<RawStep> for Step {
    type Error = String;

    fn try_from(raw: RawStep) -> Result<Self, String> {
        let bytes = match (raw.text, raw.hex, raw.repeat) {
            (text, hex, None) => bytes_of(text, hex)?,
            (None, None, Some(repeat)) => bytes_of(repeat.text, repeat.hex)?.repeat(repeat.times),
            _ => return Err("a step must have exactly one of text, hex and repeat".to_owned()),
        };
        Ok(Self {
            bytes,
            items: raw.items,
        })
    }
}

fn bytes_of(text: Option<String>, hex: Option<String>) -> Result<Vec<u8>, String> {
    match (text, hex) {
        (Some(text), None) => Ok(text.into_bytes()),
        (None, Some(hex)) => hex
            .split(' ')
            .map(|byte| u8::from_str_radix(byte, 16).map_err(|why| format!("hex {byte:?}: {why}")))
            .collect(),
        _ => Err("a chunk must have exactly one of text and hex".to_owned()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEncode {
    frames: Vec<Frame>,
    items: Option<Vec<Item>>,
    bytes: Option<String>,
    refused: Option<Refusal>,
}

impl TryFrom<RawEncode> for Encode {
    type Error = &'static str;

    fn try_from(raw: RawEncode) -> Result<Self, Self::Error> {
        let expected = match (raw.items, raw.bytes, raw.refused) {
            (Some(items), bytes, None) => ExpectedOutput::Items { items, bytes },
            (None, None, Some(refusal)) => ExpectedOutput::Refused(refusal),
            _ => return Err("a case must have either items (and optionally bytes) or refused"),
        };
        Ok(Self {
            frames: raw.frames,
            expected,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawResponse {
    failure: Option<Failure>,
    status: Option<u16>,
    headers: Option<Vec<(String, String)>>,
    redirects: Option<Vec<(u16, String)>>,
    url: Option<String>,
    chunks: Option<Vec<RawChunk>>,
    lasts: Option<bool>,
    end: Option<End>,
}

impl TryFrom<RawResponse> for Response {
    type Error = String;

    fn try_from(raw: RawResponse) -> Result<Self, String> {
        match raw {
            RawResponse {
                failure: None,
                status: Some(status),
                headers: Some(headers),
                redirects,
                url,
                chunks: Some(chunks),
                lasts,
                end: Some(end),
            } => {
                let chunks = chunks
                    .into_iter()
                    .map(|chunk| bytes_of(chunk.text, chunk.hex));
                let chunks = chunks.collect::<Result<_, _>>()?;
                Ok(Self::Response {
                    status,
                    headers,
                    redirects: redirects.unwrap_or_default(),
                    url,
                    chunks,
                    lasts: lasts.unwrap_or_default(),
                    end,
                })
            }
            RawResponse {
                failure: Some(failure),
                status: None,
                headers: None,
                redirects: None,
                url: None,
                chunks: None,
                lasts: None,
                end: None,
            } => Ok(Self::Failure { failure }),
            _ => Err(
                "a response must have either failure, or status, headers, chunks and end"
                    .to_owned(),
            ),
        }
    }
}
