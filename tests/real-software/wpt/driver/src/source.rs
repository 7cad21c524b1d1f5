//! One event source: the client of sse-proto-stream over the requests of [`Browser`].
//!
//! Only this file depends on the client under test. It knows neither the protocol of standard input
//! and output nor cookies and origins.

use std::pin::pin;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{Request, Response};
use serde::Serialize;
use sse_proto::{Credentials, ReadyState};
use sse_proto_stream::{ConnectError, Error, EventSource, Received};
use tokio::time;

use crate::{
    NewSource,
    browser::{Browser, Failure, Page},
};

/// Something that JavaScript turns into an event.
#[derive(Serialize)]
#[serde(
    tag = "type",
    rename_all = "lowercase",
    rename_all_fields = "camelCase"
)]
pub(crate) enum Report<'a> {
    Open {
        ready_state: u8,
    },
    Error {
        ready_state: u8,
    },
    Message {
        event: &'a str,
        data: &'a str,
        last_event_id: &'a str,
        origin: String,
    },
}

/// Listens until the source fails permanently. Dropping the future closes the source.
pub(crate) async fn listen(
    browser: &Browser,
    new_source: NewSource,
    mut report: impl FnMut(Report<'_>),
) {
    let page = &Page {
        origin: new_source.origin,
        credentials: match new_source.with_credentials {
            true => Credentials::Include,
            false => Credentials::SameOrigin,
        },
    };
    let connect = |request: Request<Bytes>| async move {
        browser.send(page, request).await.map(Response::from)
    };
    let failed = Report::Error {
        ready_state: ReadyState::Closed as u8,
    };
    let Ok(source) = EventSource::get(&new_source.url, connect, time::sleep) else {
        return report(failed);
    };
    let mut source = pin!(source);
    while let Some(received) = source.next().await {
        let ready_state = source.ready_state() as u8;
        match received {
            Ok(Received::Open(_)) => report(Report::Open { ready_state }),
            Ok(Received::Lost(_)) | Err(Error::Source(_)) => report(Report::Error { ready_state }),
            Ok(Received::Event(event)) => report(Report::Message {
                event: event.event_type(),
                data: event.data(),
                last_event_id: event.last_event_id(),
                origin: source.origin().to_string(),
            }),
            // An event that is too large is skipped.
            Ok(_) | Err(_) => {}
        }
    }
}

impl From<Failure> for ConnectError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Network => Self::new("network error"),
            Failure::Permanent => Self::permanent("the page may not read the response"),
        }
    }
}
