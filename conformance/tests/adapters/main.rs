//! The runner against adapters that are right, wrong and wicked.
//!
//! An implementation that is slow and obviously right passes everything. With any one of its faults switched on it fails a `must`
//! case at least, or, where the standard leaves it open, differs in a `may` case: that is how complete the corpus is, and
//! `MUTANTS.md` is the list. And whatever an adapter does instead of
//! answering, the runner says which request it was and goes on.
//!
//! The program is its own adapter: `adapters adapter [KIND/FAULT]` serves, and `adapters wicked HOW` misbehaves.
//! `WRITE=1 cargo test -p sse-conformance` writes the tables anew.

mod cli;
mod client;
mod decoder;
mod encoder;
mod faults;
mod mutants;
mod policy;
mod wicked;

use std::process::ExitCode;

use faults::Fault;
use libtest_mimic::{Arguments, Trial};
use sse_conformance::{Answer, Capabilities, Kind, Request, Verdict, adapter};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(|argument| &**argument).collect();
    match arguments[..] {
        ["adapter"] => serve(None),
        ["adapter", fault] => serve(Some(fault)),
        ["wicked", how] => wicked::serve(how),
        _ => {
            let trials = [mutants::trials(), wicked::trials(), cli::trials()];
            let trials: Vec<Trial> = trials.into_iter().flatten().collect();
            return libtest_mimic::run(&Arguments::from_args(), trials).exit_code();
        }
    }
    ExitCode::SUCCESS
}

fn serve(fault: Option<&str>) {
    let fault = fault.map(|name| find(name).unwrap_or_else(|| panic!("there is no fault {name}")));
    adapter::serve("reference", "0", &Capabilities::all(), |request| {
        answer(&request, fault)
    })
    .expect("standard input and output can be used");
}

/// The fault that is called so, with its kind.
fn find(name: &str) -> Option<(Kind, Fault)> {
    let (kind, name) = name.split_once('/')?;
    let kind = [Kind::Decode, Kind::Encode, Kind::Connect]
        .into_iter()
        .find(|known| known.as_str() == kind)?;
    let faults = [Verdict::Must, Verdict::May]
        .into_iter()
        .flat_map(|verdict| faults::of(kind, verdict))
        .map(|(name, _)| *name);
    let allowed = faults::ALLOWED
        .iter()
        .filter(|(of, _)| *of == kind)
        .map(|(_, name)| *name);
    let name = faults.chain(allowed).find(|known| *known == name)?;
    Some((kind, Fault::named(name)))
}

/// The answer of the reference with a fault in one of its three parts.
fn answer(request: &Request, fault: Option<(Kind, Fault)>) -> Answer {
    let of = |kind| match fault {
        Some((of, fault)) if of == kind => fault,
        _ => Fault::NONE,
    };
    match request {
        Request::Decode(request) => decoder::decode(request, of(Kind::Decode)),
        Request::Encode(request) => encoder::encode(&request.frames, of(Kind::Encode)),
        Request::Connect(request) => client::connect(request, of(Kind::Connect)),
    }
}
