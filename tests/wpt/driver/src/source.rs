//! One event source: the connection machine of sse-proto over the requests of [`Browser`].
//!
//! Only this file knows which client is tested. It does not know the protocol of standard input and output, nor cookies
//! and origins.

use bytes::Bytes;
use http::{Request, Uri, header};
use reqwest::{Response, Url};
use serde::Serialize;
use sse_proto::{Action, Credentials, Disconnect, EventSource, Signal};
use tokio::time;

use crate::{
    NewSource,
    browser::{Browser, Failure, Page},
};

/// What JavaScript turns into an event.
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

/// Listens until the source fails for good. Dropping the future closes the source.
pub(crate) async fn listen(
    browser: &Browser,
    new_source: NewSource,
    mut report: impl FnMut(Report<'_>),
) {
    let page = Page {
        origin: new_source.origin,
        credentials: match new_source.with_credentials {
            true => Credentials::Include,
            false => Credentials::SameOrigin,
        },
    };
    let mut source = match EventSource::new(new_source.url) {
        Ok(source) => source,
        Err(_) => return report(Report::Error { ready_state: 2 }),
    };
    let mut response = None;
    loop {
        let signal = match source.action() {
            Action::Connect(request) => match fetch(browser, &page, request).await {
                Ok(head) => {
                    let url = head.url().to_string();
                    let status = head.status().as_u16();
                    let signal = source.handle_response(status, Some(url), head.headers());
                    response = Some(head);
                    signal
                }
                Err(Failure::Network) => source.handle_disconnect(Disconnect::Network),
                Err(Failure::Futile) => source.handle_disconnect(Disconnect::Futile),
            },
            Action::Read(_) => {
                let chunk = match &mut response {
                    Some(response) => response.chunk().await,
                    None => Ok(None),
                };
                match chunk {
                    Ok(Some(chunk)) => {
                        report_messages(&mut source, &chunk, &mut report);
                        None
                    }
                    Ok(None) => source.handle_disconnect(Disconnect::EndOfBody),
                    Err(_) => source.handle_disconnect(Disconnect::Network),
                }
            }
            Action::Wait(wait) => {
                response = None;
                time::sleep(wait.delay).await;
                source.handle_wait_elapsed();
                None
            }
            Action::Stop(_) => return,
        };
        match signal {
            Some(Signal::Open) => report(Report::Open { ready_state: 1 }),
            Some(Signal::Error { ready_state, .. }) => report(Report::Error {
                ready_state: ready_state as u8,
            }),
            None => {}
        }
    }
}

fn report_messages(
    source: &mut EventSource<String>,
    chunk: &[u8],
    report: &mut impl FnMut(Report<'_>),
) {
    let mut messages = source.feed(chunk);
    loop {
        match messages.next_message() {
            Ok(Some(message)) => report(Report::Message {
                event: message.event_type,
                data: message.data,
                last_event_id: message.last_event_id,
                origin: message.origin.to_string(),
            }),
            Ok(None) => return,
            // A message that is too large is skipped.
            Err(_) => {}
        }
    }
}

/// Sends the machine's request, and follows up to 20 redirects.
async fn fetch(
    browser: &Browser,
    page: &Page,
    request: sse_proto::Request<'_>,
) -> Result<Response, Failure> {
    let mut uri: Uri = request.url.parse().map_err(|_| Failure::Network)?;
    for _ in 0..=20 {
        let mut hop = Request::get(uri);
        for (name, value) in request.headers() {
            hop = hop.header(name, value);
        }
        let hop = hop.body(Bytes::new()).map_err(|_| Failure::Network)?;
        let response = browser.send(page, hop).await?;
        let location = match response.status().as_u16() {
            301 | 302 | 303 | 307 | 308 => response.headers().get(header::LOCATION),
            _ => None,
        };
        let Some(location) = location else {
            return Ok(response);
        };
        let next: Option<Url> = location
            .to_str()
            .ok()
            .and_then(|to| response.url().join(to).ok());
        let next = next.and_then(|next| next.as_str().parse().ok());
        uri = next.ok_or(Failure::Futile)?;
    }
    Err(Failure::Futile)
}
