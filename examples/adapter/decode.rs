//! Requests of kind `decode`.

use serde::Deserialize;
use serde_json::{Value, json};
use sse_proto::{
    Decoder, Event, EventTooLarge, Fixed, IgnoredReason, Item, Part, Storage, Unfinished,
};

use crate::{bytes, milliseconds};

/// The size in bytes of each region of fixed storage if the request has no limit.
const FIXED_LIMIT: usize = 1024 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Decode {
    chunks: Vec<String>,
    last_event_id: Option<String>,
    storage: Option<String>,
    limit: Option<usize>,
    regions: Option<Regions>,
    skip_long_ids: Option<bool>,
    details: Option<bool>,
}

/// The lengths of the regions of fixed storage, of which there are two for an ID.
#[derive(Deserialize)]
struct Regions {
    data: usize,
    event: usize,
    id: usize,
}

pub(crate) fn decode(request: Value) -> Result<Value, String> {
    let request = Decode::deserialize(request).map_err(|error| format!("bad request: {error}"))?;
    match (request.storage.as_deref().unwrap_or("heap"), request.limit) {
        ("heap", None) => run(Decoder::new(), &request),
        ("heap", Some(limit)) => run(Decoder::with_max_event_len(limit), &request),
        ("fixed", limit) => {
            let limit = limit.unwrap_or(FIXED_LIMIT);
            let same = Regions {
                data: limit,
                event: limit,
                id: limit,
            };
            let storage = fixed(request.regions.as_ref().unwrap_or(&same))?;
            run(Decoder::with_storage(storage), &request)
        }
        (other, _) => Err(format!(
            "storage: {other:?} is neither \"heap\" nor \"fixed\""
        )),
    }
}

fn run<S: Storage>(decoder: Decoder<S>, request: &Decode) -> Result<Value, String> {
    let mut decoder = decoder.skip_long_ids(request.skip_long_ids.unwrap_or(false));
    decoder
        .set_last_event_id(request.last_event_id.as_deref().unwrap_or_default())
        .map_err(|error| format!("lastEventId: {error}"))?;
    let details = request.details.unwrap_or(false);
    let chunks = bytes(&request.chunks)?;
    let chunks = chunks.iter().map(|chunk| {
        let mut items = Vec::new();
        let mut events = decoder.feed(chunk);
        loop {
            match events.next_item() {
                Ok(Some(item)) => items.extend(describe(item, details)),
                Ok(None) => break items,
                Err(error) => items.extend(describe_error(error, details)),
            }
        }
    });
    let chunks: Vec<_> = chunks.collect();
    let mut answer = json!({ "chunks": chunks, "lastEventId": decoder.last_event_id() });
    if details {
        answer["state"] = json!({
            "unfinished": decoder.unfinished().map(|unfinished| match unfinished {
                Unfinished::Line => "line",
                Unfinished::Event => "event",
            }),
            "recognized": decoder.has_recognized_line(),
            "ignored": decoder.has_ignored_line(),
        });
    }
    Ok(answer)
}

/// `None` for an item that belongs to the details and was not asked for.
fn describe(item: Item<'_>, details: bool) -> Option<Value> {
    Some(match item {
        Item::Event(event) => describe_event(event, details),
        Item::Comment(text) => json!({ "comment": text }),
        Item::Retry(time) => json!({ "retry": milliseconds(time) }),
        Item::Id(_) | Item::Ignored(_) if !details => return None,
        Item::Id(id) => json!({ "id": id }),
        Item::Ignored(ignored) => {
            json!({ "ignored": ignored.text, "reason": name_of(ignored.reason) })
        }
        other => json!({ "unknown": format!("{other:?}") }),
    })
}

fn describe_event(event: Event<'_>, details: bool) -> Value {
    let mut item = json!({
        "event": event.event_type,
        "data": event.data,
        "lastEventId": event.last_event_id,
    });
    if let (true, Some(id)) = (details, event.own_id()) {
        item["ownId"] = json!(id);
    }
    if details && event.is_id_too_long() {
        item["idTooLong"] = json!(true);
    }
    item
}

/// `None` for an ignored line, if details were not asked for.
fn describe_error(error: EventTooLarge, details: bool) -> Option<Value> {
    let part = match error.part() {
        Part::Data => "data",
        Part::EventType => "event",
        Part::Id => "id",
        Part::Comment => "comment",
        Part::IgnoredLine if !details => return None,
        Part::IgnoredLine => "ignored",
        _ => "unknown",
    };
    Some(match details {
        true => json!({ "error": "event-too-large", "part": part }),
        false => json!({ "error": "event-too-large" }),
    })
}

fn name_of(reason: IgnoredReason) -> &'static str {
    match reason {
        IgnoredReason::UnknownField => "unknown-field",
        IgnoredReason::NoColon => "no-colon",
        IgnoredReason::InvalidRetry => "invalid-retry",
        IgnoredReason::NulInId => "nul-in-id",
        IgnoredReason::IdTooLong => "id-too-long",
        IgnoredReason::TypeWithoutData => "type-without-data",
        _ => "unknown",
    }
}

/// Fixed storage with these regions.
fn fixed(regions: &Regions) -> Result<Fixed<Vec<u8>>, String> {
    let &Regions { data, event, id } = regions;
    let total = id
        .checked_mul(2)
        .and_then(|ids| ids.checked_add(event)?.checked_add(data))
        .ok_or("limit: exceeds the address space")?;
    // Allocate twice: `try_reserve_exact` returns an error where `vec!` would abort, and `vec!`
    // gets zeroed memory without writing to it.
    Vec::<u8>::new()
        .try_reserve_exact(total)
        .map_err(|error| format!("limit: {error}"))?;
    Ok(Fixed::new(vec![0; total])
        .with_type_capacity(event)
        .with_id_capacity(id))
}
