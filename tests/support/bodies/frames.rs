//! Owned frames and, without the crate's encoder, their expected bytes and the items that a decoder
//! must read from them.

use core::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use sse_proto::{Frame, InvalidField};

use super::input::{Put, Text};
use crate::support::model::{Ask, Item, OwnId};
use crate::support::run::{Drive, fixed};
use sse_proto::IgnoredReason;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Owned {
    pub(crate) comment: Option<String>,
    pub(crate) event: Option<String>,
    pub(crate) id: Option<String>,
    /// Milliseconds.
    pub(crate) retry: Option<u64>,
    pub(crate) data: Option<String>,
}

impl Owned {
    pub(crate) fn frame(&self) -> Frame<'_> {
        self.try_frame().expect("no line terminator in type and id")
    }

    pub(crate) fn try_frame(&self) -> core::result::Result<Frame<'_>, InvalidField> {
        let mut frame = self.data.as_deref().map_or(Frame::new(), Frame::message);
        if let Some(event) = &self.event {
            frame = frame.event(event)?;
        }
        if let Some(id) = &self.id {
            frame = frame.id(id)?;
        }
        if let Some(retry) = self.retry {
            frame = frame.retry(Duration::from_millis(retry));
        }
        if let Some(comment) = &self.comment {
            frame = frame.comment(comment);
        }
        Ok(frame)
    }

    /// Returns the frame without the characters that cannot be encoded.
    pub(crate) fn writable(&self) -> Self {
        Self {
            event: self
                .event
                .as_ref()
                .map(|text| text.replace(LINE_TERMINATORS, "")),
            id: self.id.as_ref().map(|text| text.replace(NOT_IN_ID, "")),
            ..self.clone()
        }
    }

    /// Encodes the frame naively.
    pub(crate) fn naive(&self) -> Vec<u8> {
        let mut text = String::new();
        let mut line = |line: String| text.extend([&line, "\n"]);
        for comment in self.comment.iter().flat_map(|comment| lines(comment)) {
            line(format!(":{comment}"));
        }
        if let Some(event) = self.event.as_ref().filter(|event| !event.is_empty()) {
            line(format!("event: {event}"));
        }
        if let Some(id) = &self.id {
            line(format!("id: {id}"));
        }
        if let Some(retry) = self.retry {
            line(format!("retry: {retry}"));
        }
        for data in self.data().iter().flat_map(|data| lines(data)) {
            line(format!("data: {data}"));
        }
        // The blank line dispatches data and commits an ID. A frame without either needs none.
        if self.data().is_some() || self.id.is_some() || text.is_empty() {
            text.push('\n');
        }
        text.into_bytes()
    }

    /// The data of the event. A frame with an event type is an event even without data.
    pub(crate) fn data(&self) -> Option<String> {
        let no_data = self.event.as_ref().map(|_| String::new());
        self.data.clone().or(no_data)
    }
}

pub(crate) const LINE_TERMINATORS: &[char] = &['\r', '\n'];
pub(crate) const NOT_IN_ID: &[char] = &['\r', '\n', '\0'];

pub(crate) fn lines(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.split('\n').map(str::to_owned).collect()
}

/// An event, whose ID is its own unless it is empty.
pub(crate) fn event(event_type: &str, data: &str, last_event_id: &str) -> Item {
    let own_id = match last_event_id {
        "" => OwnId::None,
        _ => OwnId::Set,
    };
    let [event_type, data, last_event_id] = [event_type, data, last_event_id].map(str::to_owned);
    Item::Event {
        event_type,
        data,
        last_event_id,
        own_id,
    }
}

/// The items that a decoder must read from `frames`.
pub(crate) fn expected(frames: &[Owned]) -> Vec<Item> {
    let mut items = Vec::new();
    let mut last_id = String::new();
    for frame in frames {
        let comments = frame.comment.iter().flat_map(|comment| lines(comment));
        items.extend(comments.map(Item::Comment));
        items.extend(frame.retry.map(Item::Retry));
        if let Some(id) = &frame.id {
            last_id.clone_from(id);
        }
        if let Some(data) = frame.data() {
            let event_type = match frame.event.as_deref() {
                None | Some("") => "message",
                Some(event_type) => event_type,
            };
            items.push(Item::Event {
                event_type: event_type.to_owned(),
                data: lines(&data).join("\n"),
                last_event_id: last_id.clone(),
                own_id: match frame.id {
                    Some(_) => OwnId::Set,
                    None => OwnId::None,
                },
            });
            continue;
        }
        let event_type = frame
            .event
            .iter()
            .filter(|event_type| !event_type.is_empty());
        items.extend(
            event_type.map(|event_type| {
                Item::Ignored(event_type.clone(), IgnoredReason::TypeWithoutData)
            }),
        );
        items.extend(frame.id.clone().map(Item::Id));
    }
    items
}

/// The items that a decoder reads from these chunks.
pub(crate) fn decode<'i>(chunks: impl IntoIterator<Item = &'i [u8]>) -> Vec<Item> {
    let chunks: Vec<&[u8]> = chunks.into_iter().collect();
    // Each byte may become U+FFFD, which has three bytes.
    let len = chunks.iter().map(|chunk| 3 * chunk.len()).sum();
    let mut decoder = fixed(len, len);
    let chunks = chunks.into_iter();
    chunks
        .flat_map(|chunk| decoder.read(chunk, Ask::Items))
        .collect()
}

pub(crate) fn encode(frames: &[Owned]) -> Vec<u8> {
    let pieces = frames.iter().flat_map(|frame| frame.frame().pieces());
    pieces.collect::<String>().into_bytes()
}

// A bit for each field that is present, and one that is always set, so that a frame is never an
// empty input.
const COMMENT: u8 = 1;
const EVENT: u8 = 2;
const ID: u8 = 4;
const RETRY: u8 = 8;
const DATA: u8 = 16;

impl<'a> Arbitrary<'a> for Owned {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let fields = u8::arbitrary(u)?;
        let mut text = |field| -> Result<Option<String>> {
            Ok(if fields & field == 0 {
                None
            } else {
                Some(Text::arbitrary(u)?.0)
            })
        };
        Ok(Self {
            comment: text(COMMENT)?,
            event: text(EVENT)?,
            id: text(ID)?,
            data: text(DATA)?,
            retry: if fields & RETRY == 0 {
                None
            } else {
                Some(u64::arbitrary(u)?)
            },
        })
    }
}

impl Put for Owned {
    fn put(&self, input: &mut Vec<u8>) {
        let texts = [
            (COMMENT, &self.comment),
            (EVENT, &self.event),
            (ID, &self.id),
            (DATA, &self.data),
        ];
        let there = texts.iter().filter(|(_, text)| text.is_some());
        let fields: u8 = there.map(|(field, _)| field).sum();
        (fields | if self.retry.is_some() { RETRY } else { 0 }).put(input);
        for text in texts.into_iter().filter_map(|(_, text)| text.clone()) {
            Text(text).put(input);
        }
        if let Some(retry) = self.retry {
            retry.put(input);
        }
    }
}
