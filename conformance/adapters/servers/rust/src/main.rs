//! Adapters for the SSE servers on crates.io: `rust-servers NAME` speaks the protocol of ADAPTER.md
//! for one of them.
//!
//! A server runs in a thread. For each request, a client gets `/` over loopback, where the server
//! responds with the frames as its documentation shows, and the answer is the body.

mod frames;
mod servers;

use std::process::ExitCode;

use sse_conformance::{Answer, Capabilities, Capability, Capability::*, Frame, Request, adapter};
use tokio::runtime::Runtime;

struct Implementation {
    name: &'static str,
    version: &'static str,
    /// Its capabilities besides `encode` and `big-number`.
    offers: &'static [Capability],
    /// What is in these frames that the API cannot express.
    cannot_say: fn(&[Frame]) -> Option<&'static str>,
    /// Starts the server, and returns its port.
    start: fn() -> u16,
}

const ALL: [Implementation; 8] = [
    Implementation {
        name: "actix-web-lab",
        version: "0.29.5",
        offers: &[Comments, Retry],
        cannot_say: frames::actix,
        start: servers::actix,
    },
    Implementation {
        name: "axum",
        version: "0.8.9",
        offers: &[Comments, Retry],
        cannot_say: |_| None,
        start: servers::axum,
    },
    Implementation {
        name: "picoserve",
        version: "0.20.1",
        offers: &[],
        cannot_say: frames::picoserve,
        start: servers::picoserve,
    },
    Implementation {
        name: "poem",
        version: "3.1.12",
        offers: &[Retry],
        cannot_say: frames::poem,
        start: servers::poem,
    },
    Implementation {
        name: "rocket",
        version: "0.5.2",
        offers: &[Comments, Retry],
        cannot_say: frames::rocket,
        start: servers::rocket,
    },
    Implementation {
        name: "salvo",
        version: "1.1.0",
        offers: &[Comments, Retry],
        cannot_say: |_| None,
        start: servers::salvo,
    },
    Implementation {
        name: "sse-proto",
        version: "",
        offers: &[Comments, Retry],
        cannot_say: |_| None,
        start: servers::sse_proto,
    },
    Implementation {
        name: "warp",
        version: "0.4.3",
        offers: &[Comments, Retry],
        cannot_say: |_| None,
        start: servers::warp,
    },
];

fn main() -> ExitCode {
    let asked = std::env::args().nth(1).unwrap_or_default();
    let Some(implementation) = ALL.iter().find(|one| one.name == asked) else {
        let names: Vec<_> = ALL.iter().map(|one| one.name).collect();
        eprintln!("usage: rust-servers NAME, one of: {}", names.join(", "));
        return ExitCode::FAILURE;
    };
    match serve(implementation) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn serve(implementation: &Implementation) -> std::io::Result<()> {
    let url = format!("http://127.0.0.1:{}/", (implementation.start)());
    let runtime = Runtime::new()?;
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.map_err(std::io::Error::other)?;
    let body = async || {
        let response = client.get(&url).send().await?.error_for_status()?;
        response.bytes().await
    };
    let always = [Encode, BigNumber].into_iter();
    let offers = Capabilities::from_iter(always.chain(implementation.offers.iter().copied()));
    adapter::serve(
        implementation.name,
        implementation.version,
        &offers,
        |request| {
            let Request::Encode(request) = request else {
                return Answer::Unsupported;
            };
            if let Some(what) = (implementation.cannot_say)(&request.frames) {
                return Answer::Failed(format!("cannot say: {what}"));
            }
            frames::set(request.frames);
            match runtime.block_on(body()) {
                Ok(bytes) => Answer::Encode(bytes.into()),
                Err(why) => Answer::Failed(format!("no response: {why}")),
            }
        },
    )
}
