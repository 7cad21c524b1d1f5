//! Requests of kind `decode`.

use serde::Deserialize;
use serde_json::{Value, json};
use sse_proto::{Decoder, Fixed, Item, Part, Storage};

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
}

pub(crate) fn decode(request: Value) -> Result<Value, String> {
    let request = Decode::deserialize(request).map_err(|error| format!("bad request: {error}"))?;
    let chunks = bytes(&request.chunks)?;
    let last_event_id = request.last_event_id.as_deref().unwrap_or_default();

    match (request.storage.as_deref().unwrap_or("heap"), request.limit) {
        ("heap", None) => run(Decoder::new(), last_event_id, &chunks),
        ("heap", Some(limit)) => run(Decoder::with_max_event_len(limit), last_event_id, &chunks),
        ("fixed", limit) => {
            let field_capacity = limit.unwrap_or(FIXED_LIMIT);
            let storage = Fixed::with_field_capacity(four_regions(field_capacity)?, field_capacity);
            run(Decoder::with_storage(storage), last_event_id, &chunks)
        }
        (other, _) => Err(format!(
            "storage: {other:?} is neither \"heap\" nor \"fixed\""
        )),
    }
}

fn run<S: Storage>(
    mut decoder: Decoder<S>,
    last_event_id: &str,
    chunks: &[Vec<u8>],
) -> Result<Value, String> {
    decoder
        .set_last_event_id(last_event_id)
        .map_err(|error| format!("lastEventId: {error}"))?;
    let chunks = chunks.iter().map(|chunk| {
        let mut items = Vec::new();
        let mut events = decoder.feed(chunk);
        loop {
            match events.next_item() {
                Ok(Some(Item::Id(_) | Item::Ignored(_))) => {}
                Ok(Some(item)) => items.push(describe(item)),
                Ok(None) => break items,
                Err(error) if error.part() == Part::IgnoredLine => {}
                Err(_) => items.push(json!({ "error": "event-too-large" })),
            }
        }
    });
    let chunks: Vec<_> = chunks.collect();
    Ok(json!({ "chunks": chunks, "lastEventId": decoder.last_event_id() }))
}

fn describe(item: Item<'_>) -> Value {
    match item {
        Item::Event(event) => json!({
            "event": event.event_type,
            "data": event.data,
            "lastEventId": event.last_event_id,
        }),
        Item::Comment(text) => json!({ "comment": text }),
        Item::Retry(time) => {
            json!({ "retry": milliseconds(time) })
        }
        other => json!({ "unknown": format!("{other:?}") }),
    }
}

/// Memory for fixed storage: the text and three fields, with `len` bytes each.
fn four_regions(len: usize) -> Result<Vec<u8>, String> {
    let total = len
        .checked_mul(4)
        .ok_or("limit: exceeds the address space")?;
    // Allocate twice: `try_reserve_exact` returns an error where `vec!` would abort, and `vec!`
    // gets zeroed memory without writing to it.
    Vec::<u8>::new()
        .try_reserve_exact(total)
        .map_err(|error| format!("limit: {error}"))?;
    Ok(vec![0; total])
}
