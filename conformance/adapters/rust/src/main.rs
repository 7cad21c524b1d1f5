//! Adapters for the decoders on crates.io: `rust-adapters NAME` speaks the protocol of ADAPTER.md
//! for one of them.
//!
//! Each is used in the first way that its documentation shows. Two rules apply to all: the first
//! error ends the stream, as it does in code that writes `?`; and where a decoder returns the id of
//! a block and leaves it to the user to remember it, the adapter remembers it.

mod feed;
mod pull;
mod push;

use std::process::ExitCode;

use sse_conformance::{
    Answer, Capabilities, Capability, Capability::*, DecodeRequest, Request, adapter,
};

/// The items of a stream, or the error that ended it.
type Decoded = Result<sse_conformance::DecodeAnswer, String>;

struct Implementation {
    name: &'static str,
    version: &'static str,
    /// Its capabilities besides `decode` and `chunks`.
    offers: &'static [Capability],
    decode: fn(DecodeRequest) -> Decoded,
}

const ALL: [Implementation; 18] = [
    Implementation {
        name: "allama-http",
        version: "0.3.0",
        offers: &[EmptyChunks, Large],
        decode: pull::allama_http,
    },
    Implementation {
        name: "async-sse",
        version: "5.1.0",
        // It treats an empty read as the end.
        offers: &[Retry, BigNumber, Large],
        decode: pull::async_sse,
    },
    Implementation {
        name: "eventsource-client",
        version: "0.18.1",
        offers: &[Comments, IdSeed, EmptyChunks, Large],
        decode: pull::eventsource_client,
    },
    Implementation {
        name: "eventsource-stream",
        version: "0.2.3",
        offers: &[IdSeed, FinalId, EmptyChunks, Large],
        decode: pull::eventsource_stream,
    },
    Implementation {
        name: "eventsource-stream2",
        version: "0.4.0",
        offers: &[IdSeed, FinalId, EmptyChunks, Large],
        decode: pull::eventsource_stream2,
    },
    Implementation {
        name: "eventsrc",
        version: "0.0.2",
        offers: &[Retry, BigNumber, IdSeed, FinalId, EmptyChunks, Large],
        decode: pull::eventsrc,
    },
    Implementation {
        name: "reqwest-sse",
        version: "0.2.0",
        offers: &[EmptyChunks, Large],
        decode: pull::reqwest_sse,
    },
    Implementation {
        name: "rig-http",
        version: "0.46.0",
        // Its reconnection time is part of the event.
        offers: &[EmptyChunks, Large],
        decode: push::rig_http,
    },
    Implementation {
        name: "russe",
        version: "0.3.1",
        // It combines the comments of a block, and its reconnection time is part of the event.
        offers: &[EmptyChunks, Large],
        decode: pull::russe,
    },
    Implementation {
        name: "sse-codec",
        version: "0.3.3",
        offers: &[Retry, EmptyChunks, Large],
        decode: pull::sse_codec,
    },
    Implementation {
        name: "sse-core",
        version: "0.2.3",
        offers: &[Retry, IdSeed, FinalId, EmptyChunks, Large],
        decode: push::sse_core,
    },
    Implementation {
        name: "sse-frame",
        version: "0.1.0",
        offers: &[EmptyChunks, Large],
        decode: push::sse_frame,
    },
    Implementation {
        name: "sse-parse",
        version: "0.1.0",
        offers: &[IdSeed, FinalId, EmptyChunks, Large],
        decode: push::sse_parse,
    },
    Implementation {
        name: "sse-stream",
        version: "0.3.0",
        offers: &[EmptyChunks, Large],
        decode: pull::sse_stream,
    },
    Implementation {
        name: "sse-stream 0.2",
        version: "0.2.6",
        offers: &[EmptyChunks, Large],
        decode: pull::sse_stream_0_2,
    },
    Implementation {
        name: "sseer",
        version: "0.3.1",
        offers: &[IdSeed, FinalId, EmptyChunks, Large],
        decode: pull::sseer,
    },
    Implementation {
        name: "stream-rs",
        version: "0.1.0",
        offers: &[FinalId, EmptyChunks, Large],
        decode: push::stream_rs,
    },
    Implementation {
        name: "tokio_sse_codec",
        version: "0.0.2",
        offers: &[Comments, Retry, EmptyChunks, Large],
        decode: pull::tokio_sse_codec,
    },
];

fn main() -> ExitCode {
    let asked = std::env::args().nth(1).unwrap_or_default();
    let Some(implementation) = ALL.iter().find(|one| one.name == asked) else {
        let names: Vec<_> = ALL.iter().map(|one| one.name).collect();
        eprintln!("usage: rust-adapters NAME, one of: {}", names.join(", "));
        return ExitCode::FAILURE;
    };
    let always = [Decode, Chunks].into_iter();
    let offers = Capabilities::from_iter(always.chain(implementation.offers.iter().copied()));
    let served = adapter::serve(
        implementation.name,
        implementation.version,
        &offers,
        |request| match request {
            Request::Decode(request) => match (implementation.decode)(request) {
                Ok(answer) => Answer::Decode(answer),
                Err(why) => Answer::Failed(why),
            },
            _ => Answer::Unsupported,
        },
    );
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
