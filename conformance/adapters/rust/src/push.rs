//! Decoders that are fed with bytes.

use std::sync::Arc;

use sse_conformance::{DecodeAnswer, DecodeRequest, Item};

use crate::Decoded;

/// The decoder of rig.
pub(crate) fn rig_http(request: DecodeRequest) -> Decoded {
    let mut framer = rig_http::http_client::framing::SseFramer::new();
    let item = |event: rig_http::http_client::framing::SseEvent| Item::Event {
        event: event.event.into_owned(),
        data: event.data,
        last_event_id: event.id,
    };
    let chunks = request.chunks.iter();
    let chunks = chunks.map(|chunk| framer.push(chunk).map(item).collect());
    Ok(DecodeAnswer {
        chunks: chunks.collect(),
        last_event_id: None,
    })
}

pub(crate) fn sse_core(request: DecodeRequest) -> Decoded {
    let mut decoder = sse_core::SseDecoder::new();
    decoder.reconnect_with_id(request.last_event_id.map(Arc::from));
    let mut chunks = Vec::new();
    for chunk in &request.chunks {
        let mut items = Vec::new();
        let mut rest = &chunk[..];
        while let Some(event) = decoder.next(&mut rest) {
            items.push(match event.map_err(|why| why.to_string())? {
                sse_core::SseEvent::Message(message) => Item::Event {
                    event: message.event.into_owned(),
                    data: message.data,
                    last_event_id: message.last_event_id.as_deref().unwrap_or("").to_owned(),
                },
                sse_core::SseEvent::Retry(retry) => Item::Retry {
                    retry: retry.into(),
                },
            });
        }
        chunks.push(items);
    }
    let last_event_id = decoder.last_event_id().map(|id| id.to_string());
    Ok(DecodeAnswer {
        chunks,
        last_event_id: Some(last_event_id.unwrap_or_default()),
    })
}

pub(crate) fn sse_parse(request: DecodeRequest) -> Decoded {
    let seed = request.last_event_id.unwrap_or_default();
    let mut parser = sse_parse::SseParser::with_last_event_id(seed);
    let items = |parser: &mut sse_parse::SseParser| -> Vec<Item> {
        let event = |event: sse_parse::Event| Item::Event {
            event: event.event,
            data: event.data,
            last_event_id: event.id,
        };
        std::iter::from_fn(|| parser.next_event())
            .map(event)
            .collect()
    };
    let mut chunks = Vec::new();
    for chunk in &request.chunks {
        parser.feed(chunk);
        chunks.push(items(&mut parser));
    }
    parser.finish();
    if let Some(last) = chunks.last_mut() {
        last.extend(items(&mut parser));
    }
    let last_event_id = Some(parser.last_event_id().to_owned());
    Ok(DecodeAnswer {
        chunks,
        last_event_id,
    })
}

pub(crate) fn sse_frame(request: DecodeRequest) -> Decoded {
    let mut parser = sse_frame::Parser::new();
    let mut last_event_id = String::new();
    let mut item = |event: sse_frame::Event| {
        if let Some(id) = event.id {
            last_event_id = id;
        }
        Item::Event {
            event: event.event.unwrap_or_else(|| "message".to_owned()),
            data: event.data,
            last_event_id: last_event_id.clone(),
        }
    };
    // Its `flush` returns the incomplete event at the end, which the standard discards.
    let chunks = request.chunks.iter();
    let chunks = chunks.map(|chunk| parser.push(chunk).into_iter().map(&mut item).collect());
    Ok(DecodeAnswer {
        chunks: chunks.collect(),
        last_event_id: None,
    })
}

pub(crate) fn stream_rs(request: DecodeRequest) -> Decoded {
    let mut parser = stream_rs::SseParser::new();
    let mut last_event_id = String::new();
    let mut item = |event: stream_rs::SseEvent| {
        if let Some(id) = event.id {
            last_event_id = id;
        }
        Item::Event {
            event: event.event.unwrap_or_else(|| "message".to_owned()),
            data: event.data,
            last_event_id: last_event_id.clone(),
        }
    };
    let mut chunks: Vec<Vec<Item>> = Vec::new();
    let mut events = Vec::new();
    // Its `finish` returns the incomplete event at the end, which the standard discards. Calling it
    // is optional.
    for chunk in &request.chunks {
        parser.feed(chunk, &mut events);
        chunks.push(events.drain(..).map(&mut item).collect());
    }
    let last_event_id = Some(parser.last_id().unwrap_or_default().to_owned());
    Ok(DecodeAnswer {
        chunks,
        last_event_id,
    })
}
