//! What the decoder returns, as the types of the conformance corpus: with the details that the
//! standard does not have, or without them.
#![allow(dead_code, reason = "no test program uses all of it")]

use sse_conformance::{DetailedItem, IgnoredReason, Item, Part, State, TooLarge, Unfinished};
use sse_proto::{Decoder, Event, EventTooLarge, Ignored, Storage};

/// `None` for an item that is a detail and not wanted.
pub(crate) fn item(item: sse_proto::Item<'_>, details: bool) -> Option<Item> {
    Some(match item {
        sse_proto::Item::Event(item) => event(item, details),
        sse_proto::Item::Comment(text) => Item::Comment {
            comment: text.to_owned(),
        },
        sse_proto::Item::Retry(time) => Item::Retry {
            retry: u64::try_from(time.as_millis()).expect("the decoder saturates at u64"),
        },
        sse_proto::Item::Id(_) | sse_proto::Item::Ignored(_) if !details => return None,
        sse_proto::Item::Id(id) => id_alone(id),
        sse_proto::Item::Ignored(Ignored { text, reason, .. }) => ignored(text, reason),
        other => unreachable!("an item the corpus does not know: {other:?}"),
    })
}

pub(crate) fn event(item: Event<'_>, details: bool) -> Item {
    let event = item.event_type.to_owned();
    let data = item.data.to_owned();
    let last_event_id = item.last_event_id.to_owned();
    match item.own_id() {
        Some(id) if details => Item::Detailed(DetailedItem::EventWithId {
            event,
            data,
            last_event_id,
            own_id: id.to_owned(),
        }),
        None if details && item.is_id_too_long() => Item::Detailed(DetailedItem::EventWithLongId {
            event,
            data,
            last_event_id,
            id_too_long: true,
        }),
        _ => Item::Event {
            event,
            data,
            last_event_id,
        },
    }
}

pub(crate) fn id_alone(id: &str) -> Item {
    Item::Detailed(DetailedItem::Id { id: id.to_owned() })
}

pub(crate) fn ignored(text: &str, reason: sse_proto::IgnoredReason) -> Item {
    Item::Detailed(DetailedItem::Ignored {
        ignored: text.to_owned(),
        reason: match reason {
            sse_proto::IgnoredReason::UnknownField => IgnoredReason::UnknownField,
            sse_proto::IgnoredReason::NoColon => IgnoredReason::NoColon,
            sse_proto::IgnoredReason::InvalidRetry => IgnoredReason::InvalidRetry,
            sse_proto::IgnoredReason::NulInId => IgnoredReason::NulInId,
            sse_proto::IgnoredReason::IdTooLong => IgnoredReason::IdTooLong,
            sse_proto::IgnoredReason::TypeWithoutData => IgnoredReason::TypeWithoutData,
            other => unreachable!("a reason the corpus does not know: {other:?}"),
        },
    })
}

/// `None` for the error of an ignored line, if details are not wanted.
pub(crate) fn too_large(error: EventTooLarge, details: bool) -> Option<Item> {
    let part = match error.part() {
        sse_proto::Part::Data => Part::Data,
        sse_proto::Part::EventType => Part::Event,
        sse_proto::Part::Id => Part::Id,
        sse_proto::Part::Comment => Part::Comment,
        sse_proto::Part::IgnoredLine => Part::Ignored,
        other => unreachable!("a part the corpus does not know: {other:?}"),
    };
    let error = TooLarge::EventTooLarge;
    match details {
        true => Some(Item::Detailed(DetailedItem::Error { error, part })),
        false => (part != Part::Ignored).then_some(Item::Error { error }),
    }
}

pub(crate) fn state<S: Storage>(decoder: &Decoder<S>) -> State {
    State {
        unfinished: decoder.unfinished().map(|unfinished| match unfinished {
            sse_proto::Unfinished::Line => Unfinished::Line,
            sse_proto::Unfinished::Event => Unfinished::Event,
        }),
        recognized: decoder.has_recognized_line(),
        ignored: decoder.has_ignored_line(),
    }
}
