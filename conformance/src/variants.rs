//! The variants of a case: as written, whole, cut in two at every byte, byte by byte, with empty
//! chunks in between, and each of these with rewritten line terminators. Each variant has a request
//! and the answer that is expected to it.

mod decode;

use std::fmt;

use crate::{
    capabilities::{Capabilities, Capability},
    corpus::{Body, Case, Connect, ExpectedOutput, Item, Response, State, Verdict},
    request::{ConnectRequest, EncodeRequest, Request},
};

/// One variant of a case: a request, and the answer that is expected to it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Variant {
    /// How the input is split into chunks.
    pub chunking: Chunking,
    /// Whether there is an empty chunk before, between and after the others.
    pub empty_chunks: bool,
    /// How the line terminators of the case are rewritten.
    pub line_endings: LineEndings,
    /// The request to make.
    pub request: Request,
    pub(crate) expected: Expected,
}

/// How an input is split into chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Chunking {
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
pub enum LineEndings {
    /// Not at all.
    Unchanged,
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
        /// Only with details.
        state: Option<State>,
        comments: bool,
        /// Whether the text of a comment must match exactly, or may lack one leading space.
        exact_comments: bool,
        retry: bool,
    },
    Encode {
        output: ExpectedOutput,
        may_refuse: bool,
    },
    Connect {
        case: Box<Connect>,
        delay: bool,
    },
}

impl Case {
    /// Returns the variants of the case for an implementation with these capabilities; none if the
    /// case needs a capability that is missing. The requests are built lazily, as a long input and
    /// all its cuts take much memory.
    ///
    /// ```
    /// use sse_conformance::{Capabilities, Request};
    ///
    /// let case = &sse_conformance::cases()[0];
    /// let variant = case.variants(&Capabilities::all()).next().unwrap();
    /// assert_eq!(variant.to_string(), "as written");
    /// let Request::Decode(request) = variant.request else { panic!() };
    /// assert!(!request.chunks.is_empty());
    /// ```
    pub fn variants<'c>(
        &'c self,
        capabilities: &Capabilities,
    ) -> Box<dyn Iterator<Item = Variant> + 'c> {
        if capabilities.missing_for(self).is_some() {
            return Box::new(std::iter::empty());
        }
        match &self.body {
            Body::Decode(decode) => Box::new(decode::variants(decode, self.verdict, capabilities)),
            Body::Encode(encode) => Box::new(std::iter::once(Variant {
                chunking: Chunking::AsWritten,
                empty_chunks: false,
                line_endings: LineEndings::Unchanged,
                request: Request::Encode(EncodeRequest {
                    frames: encode.frames.clone(),
                }),
                expected: Expected::Encode {
                    output: encode.expected.clone(),
                    may_refuse: self.verdict == Verdict::May,
                },
            })),
            Body::Connect(connect) => Box::new(connect_variants(connect, capabilities)),
        }
    }
}

/// A variant before its request is built.
#[derive(Clone, Copy)]
struct Plan {
    chunking: Chunking,
    empty_chunks: bool,
    line_endings: LineEndings,
}

/// Whether the item is part of the comparison.
pub(crate) fn is_compared(item: &Item, comments: bool, retry: bool) -> bool {
    match item {
        Item::Comment { .. } => comments,
        Item::Retry { .. } => retry,
        Item::Event { .. } | Item::Error { .. } | Item::Detailed(_) => true,
    }
}

fn connect_variants<'c>(
    connect: &'c Connect,
    capabilities: &Capabilities,
) -> impl Iterator<Item = Variant> + use<'c> {
    let delay = capabilities.has(Capability::Delay);
    let empty_chunks = capabilities.has(Capability::EmptyChunks);
    let plan = |chunking, empty_chunks, line_endings| Plan {
        chunking,
        empty_chunks,
        line_endings,
    };
    let mut plans = vec![plan(Chunking::AsWritten, false, LineEndings::Unchanged)];
    if connect.responses.iter().any(has_body) {
        plans.push(plan(Chunking::Whole, false, LineEndings::Unchanged));
        plans.push(plan(Chunking::ByteByByte, false, LineEndings::Unchanged));
        if empty_chunks {
            plans.push(plan(Chunking::AsWritten, true, LineEndings::Unchanged));
        }
        if !connect.has_cr() {
            plans.push(plan(Chunking::AsWritten, false, LineEndings::Cr));
            plans.push(plan(Chunking::AsWritten, false, LineEndings::Crlf));
        }
    }
    plans.into_iter().map(move |plan| {
        let mut responses = connect.responses.clone();
        for response in &mut responses {
            if let Response::Response { chunks, .. } = response {
                *chunks = plan.split(chunks, empty_chunks);
            }
        }
        Variant {
            chunking: plan.chunking,
            empty_chunks: plan.empty_chunks,
            line_endings: plan.line_endings,
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
        let chunks = chunks.iter().map(|chunk| self.line_endings.rewrite(chunk));
        let mut chunks: Vec<Vec<u8>> = match self.chunking {
            Chunking::Whole => vec![chunks.collect::<Vec<_>>().concat()],
            Chunking::ByteByByte => chunks.flatten().map(|byte| vec![byte]).collect(),
            Chunking::AsWritten | Chunking::Cut(_) => chunks.collect(),
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

impl LineEndings {
    fn rewrite(self, bytes: &[u8]) -> Vec<u8> {
        let terminator: &[u8] = match self {
            Self::Unchanged => return bytes.to_vec(),
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

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.chunking {
            Chunking::AsWritten => write!(f, "as written")?,
            Chunking::Whole => write!(f, "whole")?,
            Chunking::ByteByByte => write!(f, "byte by byte")?,
            Chunking::Cut(at) => write!(f, "cut after {at} bytes")?,
        }
        if self.empty_chunks {
            write!(f, ", with empty pieces")?;
        }
        match self.line_endings {
            LineEndings::Unchanged => Ok(()),
            LineEndings::Cr => write!(f, ", CR for LF"),
            LineEndings::Crlf => write!(f, ", CRLF for LF"),
        }
    }
}
