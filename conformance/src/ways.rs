//! The ways to run a case: as written, whole, cut in two at every byte, byte by byte, with empty
//! chunks in between, and each of these with rewritten line terminators. Each way has a request and
//! the answer that is expected to it.

mod decode;

use std::fmt;

use crate::{
    capabilities::{Capabilities, Capability},
    corpus::{Body, Case, Connect, Encoded, Item, Response, Verdict},
    request::{ConnectRequest, EncodeRequest, Request},
};

/// One way to run a case: a request, and the answer that is expected to it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Way {
    /// How the input is split into chunks.
    pub feeding: Feeding,
    /// Whether there is an empty chunk before, between and after the others.
    pub empty_chunks: bool,
    /// How the line terminators of the case are rewritten.
    pub line_ends: LineEnds,
    /// The request to make.
    pub request: Request,
    pub(crate) expected: Expected,
}

/// How an input is split into chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Feeding {
    /// As the case has it.
    AsWritten,
    /// In one chunk; in a client's case, each body in one chunk.
    Whole,
    /// One byte per chunk.
    ByteByByte,
    /// In two chunks, of which the first has this many bytes.
    Cut(usize),
}

/// How line terminators are rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LineEnds {
    /// Not at all.
    AsTheyStand,
    /// Each LF becomes a CR.
    Cr,
    /// Each LF becomes a CRLF.
    Crlf,
}

/// The answer that is expected, and which parts of it are compared.
#[derive(Debug, Clone)]
pub(crate) enum Expected {
    Decode {
        items: Vec<Item>,
        /// For each chunk, the least and the greatest number of items that may have been reported
        /// by its end.
        item_counts: Vec<(usize, usize)>,
        last_event_id: Option<String>,
        comments: bool,
        /// Whether the text of a comment must match exactly, or may lack one leading space.
        exact_comments: bool,
        retry: bool,
    },
    Encode {
        output: Encoded,
        may_refuse: bool,
    },
    Connect {
        case: Box<Connect>,
        delay: bool,
    },
}

impl Case {
    /// Returns the ways to run the case on an implementation with these capabilities; none if the
    /// case needs a capability that is missing. The requests are built lazily, as a long input and
    /// all its cuts take much memory.
    ///
    /// ```
    /// use sse_conformance::{Capabilities, Request};
    ///
    /// let case = &sse_conformance::cases()[0];
    /// let way = case.ways(&Capabilities::all()).next().unwrap();
    /// assert_eq!(way.to_string(), "as written");
    /// let Request::Decode(request) = way.request else { panic!() };
    /// assert!(!request.chunks.is_empty());
    /// ```
    pub fn ways<'c>(&'c self, capabilities: &Capabilities) -> Box<dyn Iterator<Item = Way> + 'c> {
        if capabilities.missing_for(self).is_some() {
            return Box::new(std::iter::empty());
        }
        match &self.body {
            Body::Decode(decode) => Box::new(decode::ways(decode, self.verdict, capabilities)),
            Body::Encode(encode) => Box::new(std::iter::once(Way {
                feeding: Feeding::AsWritten,
                empty_chunks: false,
                line_ends: LineEnds::AsTheyStand,
                request: Request::Encode(EncodeRequest {
                    frames: encode.frames.clone(),
                }),
                expected: Expected::Encode {
                    output: encode.due.clone(),
                    may_refuse: self.verdict == Verdict::May,
                },
            })),
            Body::Connect(connect) => Box::new(connect_ways(connect, capabilities)),
        }
    }
}

/// A way before its request is built.
#[derive(Clone, Copy)]
struct Plan {
    feeding: Feeding,
    empty_chunks: bool,
    line_ends: LineEnds,
}

/// Whether the item is part of the comparison.
pub(crate) fn is_compared(item: &Item, comments: bool, retry: bool) -> bool {
    match item {
        Item::Comment { .. } => comments,
        Item::Retry { .. } => retry,
        Item::Event { .. } | Item::Error { .. } => true,
    }
}

fn connect_ways<'c>(
    connect: &'c Connect,
    capabilities: &Capabilities,
) -> impl Iterator<Item = Way> + use<'c> {
    let delay = capabilities.has(Capability::Delay);
    let empty_chunks = capabilities.has(Capability::EmptyChunks);
    let plan = |feeding, empty_chunks, line_ends| Plan {
        feeding,
        empty_chunks,
        line_ends,
    };
    let mut plans = vec![plan(Feeding::AsWritten, false, LineEnds::AsTheyStand)];
    if connect.responses.iter().any(has_body) {
        plans.push(plan(Feeding::Whole, false, LineEnds::AsTheyStand));
        plans.push(plan(Feeding::ByteByByte, false, LineEnds::AsTheyStand));
        if empty_chunks {
            plans.push(plan(Feeding::AsWritten, true, LineEnds::AsTheyStand));
        }
        if !connect.has_cr() {
            plans.push(plan(Feeding::AsWritten, false, LineEnds::Cr));
            plans.push(plan(Feeding::AsWritten, false, LineEnds::Crlf));
        }
    }
    plans.into_iter().map(move |plan| {
        let mut responses = connect.responses.clone();
        for response in &mut responses {
            if let Response::Response { chunks, .. } = response {
                *chunks = plan.split(chunks, empty_chunks);
            }
        }
        Way {
            feeding: plan.feeding,
            empty_chunks: plan.empty_chunks,
            line_ends: plan.line_ends,
            request: Request::Connect(ConnectRequest {
                url: connect.url.clone(),
                with_credentials: connect.with_credentials,
                last_event_id: connect.last_event_id.clone(),
                options: connect.options.clone(),
                responses,
                close_on: connect.close_on.clone(),
            }),
            expected: Expected::Connect {
                case: Box::new(connect.clone()),
                delay,
            },
        }
    })
}

fn has_body(response: &Response) -> bool {
    matches!(response, Response::Response { chunks, .. } if chunks.iter().any(|chunk| !chunk.is_empty()))
}

impl Plan {
    /// The chunks of a body.
    fn split(self, chunks: &[Vec<u8>], empty_chunks: bool) -> Vec<Vec<u8>> {
        let chunks = chunks.iter().map(|chunk| self.line_ends.rewrite(chunk));
        let mut chunks: Vec<Vec<u8>> = match self.feeding {
            Feeding::Whole => vec![chunks.collect::<Vec<_>>().concat()],
            Feeding::ByteByByte => chunks.flatten().map(|byte| vec![byte]).collect(),
            Feeding::AsWritten | Feeding::Cut(_) => chunks.collect(),
        };
        if !empty_chunks {
            chunks.retain(|chunk| !chunk.is_empty());
        }
        if self.empty_chunks {
            chunks = interspersed(chunks, |_| Vec::new());
        }
        chunks
    }
}

impl LineEnds {
    fn rewrite(self, bytes: &[u8]) -> Vec<u8> {
        let terminator: &[u8] = match self {
            Self::AsTheyStand => return bytes.to_vec(),
            Self::Cr => b"\r",
            Self::Crlf => b"\r\n",
        };
        let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        lines.join(terminator)
    }
}

/// `values` with another value before, between and after them, made from the value that precedes
/// it.
fn interspersed<T: Clone>(values: Vec<T>, between: impl Fn(Option<&T>) -> T) -> Vec<T> {
    let mut all = vec![between(None)];
    for value in values {
        let next = between(Some(&value));
        all.extend([value, next]);
    }
    all
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.feeding {
            Feeding::AsWritten => write!(f, "as written")?,
            Feeding::Whole => write!(f, "whole")?,
            Feeding::ByteByByte => write!(f, "byte by byte")?,
            Feeding::Cut(at) => write!(f, "cut after {at} bytes")?,
        }
        if self.empty_chunks {
            write!(f, ", with empty pieces")?;
        }
        match self.line_ends {
            LineEnds::AsTheyStand => Ok(()),
            LineEnds::Cr => write!(f, ", CR for LF"),
            LineEnds::Crlf => write!(f, ", CRLF for LF"),
        }
    }
}
