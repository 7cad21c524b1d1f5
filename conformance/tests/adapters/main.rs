//! The runner against adapters that are correct, buggy or misbehaving.
//!
//! The reference implementation, simple rather than fast, passes every case. With any one of its
//! mutations it fails at least one `must` case or, where the standard is open, differs in a `may`
//! case: this measures how complete the corpus is, and `MUTANTS.md` has the results. If an adapter
//! misbehaves instead of answering, the runner reports the request and continues.
//!
//! The program is its own adapter: `adapters adapter [KIND/MUTATION]` runs the reference
//! implementation, and `adapters misbehaving HOW` misbehaves.
//! `WRITE=1 cargo test -p sse-conformance` writes the tables.

mod cli;
mod client;
mod decoder;
mod encoder;
mod exports;
mod misbehaving;
mod mutants;
mod mutations;
mod policy;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use mutations::Mutation;
use sse_conformance::{Answer, Capabilities, Kind, Request, Verdict, adapter};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(|argument| &**argument).collect();
    match arguments[..] {
        ["adapter"] => serve(None),
        ["adapter", mutation] => serve(Some(mutation)),
        ["misbehaving", how] => misbehaving::serve(how),
        _ => {
            let trials = [
                mutants::trials(),
                misbehaving::trials(),
                cli::trials(),
                exports::trials(),
            ];
            let trials: Vec<Trial> = trials.into_iter().flatten().collect();
            return libtest_mimic::run(&Arguments::from_args(), trials).exit_code();
        }
    }
    ExitCode::SUCCESS
}

fn serve(mutation: Option<&str>) {
    let mutation =
        mutation.map(|name| find(name).unwrap_or_else(|| panic!("no mutation is named {name:?}")));
    adapter::serve("reference", "0", &Capabilities::all(), |request| {
        answer(&request, mutation)
    })
    .expect("standard input and output can be used");
}

/// The mutation with this name, and its kind.
fn find(name: &str) -> Option<(Kind, Mutation)> {
    let (kind, name) = name.split_once('/')?;
    let kind = [Kind::Decode, Kind::Encode, Kind::Connect]
        .into_iter()
        .find(|known| known.as_str() == kind)?;
    let mutations = [Verdict::Must, Verdict::May]
        .into_iter()
        .flat_map(|verdict| mutations::of(kind, verdict))
        .map(|(name, _)| *name);
    let allowed = mutations::ALLOWED
        .iter()
        .filter(|(of, _)| *of == kind)
        .map(|(_, name)| *name);
    let name = mutations.chain(allowed).find(|known| *known == name)?;
    Some((kind, Mutation::named(name)))
}

/// The answer of the reference implementation with a mutation in one of its three parts.
fn answer(request: &Request, mutation: Option<(Kind, Mutation)>) -> Answer {
    let of = |kind| match mutation {
        Some((of, mutation)) if of == kind => mutation,
        _ => Mutation::NONE,
    };
    match request {
        Request::Decode(request) => decoder::decode(request, of(Kind::Decode)),
        Request::Encode(request) => encoder::encode(&request.frames, of(Kind::Encode)),
        Request::Connect(request) => client::connect(request, of(Kind::Connect)),
    }
}
