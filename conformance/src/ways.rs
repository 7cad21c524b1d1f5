//! The ways to ask a case: as written, whole, cut in two at every place, byte by byte, with empty pieces between, and
//! all of that with other line ends. Knows what is due from each, and nothing of who is asked.

use std::fmt;

use crate::{
    capabilities::{Capabilities, Capability},
    corpus::{
        Body, Case, ClientOptions, CloseOn, Connect, Decode, Encoded, Frame, Item, Response,
        Storage, Verdict,
    },
};

/// Inputs up to this length are cut everywhere, longer ones near the edges of steps and at a few places between.
const CUT_EVERYWHERE: usize = 1024;

/// One way to ask a case.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Way {
    /// How the input is fed.
    pub feeding: Feeding,
    /// Whether there is an empty piece before, between and after the others.
    pub empty_chunks: bool,
    /// What stands for each LF of the case.
    pub line_ends: LineEnds,
    /// What to ask.
    pub request: Request,
    pub(crate) due: Due,
}

/// Which pieces an input is fed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Feeding {
    /// The pieces of the case.
    AsWritten,
    /// All in one piece; of a client's case each body.
    Whole,
    /// Each byte is a piece.
    ByteByByte,
    /// Two pieces, the first so many bytes long.
    Cut(usize),
}

/// What stands for each LF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LineEnds {
    /// LF.
    AsTheyStand,
    /// CR.
    Cr,
    /// CRLF.
    Crlf,
}

/// What an implementation is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
// Exhaustive: as many as there are kinds.
pub enum Request {
    /// To read a stream.
    Decode(DecodeRequest),
    /// To write one.
    Encode(EncodeRequest),
    /// To play a script.
    Connect(ConnectRequest),
}

/// A stream to read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeRequest {
    /// The pieces to feed; after the last one the stream ends.
    pub chunks: Vec<Vec<u8>>,
    /// The last event id that it starts with.
    pub last_event_id: Option<String>,
    /// What the decoder is to work on.
    pub storage: Option<Storage>,
    /// How much one event may hold.
    pub limit: Option<usize>,
}

/// Frames to write into one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EncodeRequest {
    /// The frames.
    pub frames: Vec<Frame>,
}

/// A script to play.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectRequest {
    /// What the event source is made with.
    pub url: String,
    /// Whether credentials go along to other origins.
    pub with_credentials: bool,
    /// The last event id of an earlier life.
    pub last_event_id: Option<String>,
    /// What the client is told to do beyond the standard.
    pub options: Option<ClientOptions>,
    /// What the requests meet, in order.
    pub responses: Vec<Response>,
    /// When `close()` is to be called.
    pub close_on: Option<CloseOn>,
}

/// What the judge needs to know of a way.
#[derive(Debug, Clone)]
pub(crate) enum Due {
    Decode {
        items: Vec<Item>,
        /// After each piece, how many items may be out: at least and at most.
        out: Vec<(usize, usize)>,
        last_event_id: Option<String>,
        comments: bool,
        /// Whether a comment is due to the letter, or may lack one space in front.
        exact_comments: bool,
        retry: bool,
    },
    Encode {
        due: Encoded,
        may_refuse: bool,
    },
    Connect {
        due: Box<Connect>,
        delay: bool,
    },
}

impl Case {
    /// All ways to ask the case of an implementation with these capabilities. Each is made when the iterator
    /// comes to it, since a long input times its cuts is much. There is none if the case needs what is not there.
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
            Body::Decode(decode) => Box::new(decode_ways(decode, self.verdict, capabilities)),
            Body::Encode(encode) => Box::new(std::iter::once(Way {
                feeding: Feeding::AsWritten,
                empty_chunks: false,
                line_ends: LineEnds::AsTheyStand,
                request: Request::Encode(EncodeRequest {
                    frames: encode.frames.clone(),
                }),
                due: Due::Encode {
                    due: encode.due.clone(),
                    may_refuse: self.verdict == Verdict::May,
                },
            })),
            Body::Connect(connect) => Box::new(connect_ways(connect, capabilities)),
        }
    }
}

/// A way before its bytes are made.
#[derive(Clone, Copy)]
struct Plan {
    feeding: Feeding,
    empty_chunks: bool,
    line_ends: LineEnds,
}

fn decode_ways<'c>(
    decode: &'c Decode,
    verdict: Verdict,
    capabilities: &Capabilities,
) -> impl Iterator<Item = Way> + use<'c> {
    let capabilities = capabilities.clone();
    let all_line_ends = [LineEnds::AsTheyStand, LineEnds::Cr, LineEnds::Crlf];
    let rewritten = if decode.may_rewrite_line_endings() {
        3
    } else {
        1
    };
    let of_line_ends = all_line_ends.into_iter().take(rewritten);
    of_line_ends.flat_map(move |line_ends| {
        let pieces = Pieces::of(decode, line_ends, &capabilities);
        let plans = pieces.plans(line_ends, &capabilities);
        let capabilities = capabilities.clone();
        plans
            .into_iter()
            .map(move |plan| pieces.way(decode, verdict, plan, &capabilities))
    })
}

/// The steps of a case with other line ends, and without what an implementation does not hand out.
struct Pieces {
    /// Where each step ends, and how many items are due by then.
    ends: Vec<(usize, usize)>,
    input: Vec<u8>,
    items: Vec<Item>,
}

impl Pieces {
    fn of(decode: &Decode, line_ends: LineEnds, capabilities: &Capabilities) -> Self {
        let (comments, retry) = (
            capabilities.has(Capability::Comments),
            capabilities.has(Capability::Retry),
        );
        let mut pieces = Self {
            ends: Vec::new(),
            input: Vec::new(),
            items: Vec::new(),
        };
        for step in &decode.steps {
            pieces.input.extend(line_ends.rewritten(&step.bytes));
            let items = step.items.iter();
            pieces
                .items
                .extend(items.filter(|item| is_due(item, comments, retry)).cloned());
            pieces.ends.push((pieces.input.len(), pieces.items.len()));
        }
        pieces
    }

    fn plans(&self, line_ends: LineEnds, capabilities: &Capabilities) -> Vec<Plan> {
        let len = self.input.len();
        let plan = |feeding, empty_chunks| Plan {
            feeding,
            empty_chunks,
            line_ends,
        };
        if !capabilities.has(Capability::Chunks) {
            return vec![plan(Feeding::Whole, false)];
        }
        let empty_chunks = capabilities.has(Capability::EmptyChunks);
        let mut plans = vec![plan(Feeding::AsWritten, false)];
        if self.ends.len() != 1 {
            plans.push(plan(Feeding::Whole, false));
        }
        let short = len <= CUT_EVERYWHERE;
        let cuts = self.cuts();
        plans.extend(cuts.iter().map(|cut| plan(Feeding::Cut(*cut), false)));
        // Of the longest inputs the text of the request alone is megabytes: once is enough.
        if (short || line_ends == LineEnds::AsTheyStand) && len > 1 {
            plans.push(plan(Feeding::ByteByByte, false));
        }
        if empty_chunks {
            plans.push(plan(Feeding::AsWritten, true));
            plans.extend(cuts.iter().map(|cut| plan(Feeding::Cut(*cut), true)));
            if short && len > 1 {
                plans.push(plan(Feeding::ByteByByte, true));
            }
        }
        plans
    }

    /// Where to cut in two, in ascending order.
    fn cuts(&self) -> Vec<usize> {
        let len = self.input.len();
        let mut cuts: Vec<usize> = if len <= CUT_EVERYWHERE {
            (1..len).collect()
        } else {
            let edges = self.ends.iter().map(|(end, _)| *end);
            let places = edges.chain([len / 3, len / 2]);
            places
                .flat_map(|place| place.saturating_sub(1)..=place + 1)
                .filter(|cut| (1..len).contains(cut))
                .collect()
        };
        cuts.sort_unstable();
        cuts.dedup();
        cuts
    }

    fn way(
        &self,
        decode: &Decode,
        verdict: Verdict,
        plan: Plan,
        capabilities: &Capabilities,
    ) -> Way {
        let len = self.input.len();
        let mut ends: Vec<usize> = match plan.feeding {
            Feeding::AsWritten => self.ends.iter().map(|(end, _)| *end).collect(),
            Feeding::Whole => vec![len],
            Feeding::ByteByByte => (1..=len).collect(),
            Feeding::Cut(at) => vec![at, len],
        };
        if !capabilities.has(Capability::EmptyChunks) {
            ends.dedup();
            ends.retain(|end| *end > 0);
        }
        let mut starts = ends.clone();
        starts.insert(0, 0);
        let mut chunks: Vec<Vec<u8>> = starts
            .iter()
            .zip(&ends)
            .map(|(start, end)| self.input[*start..*end].to_vec())
            .collect();

        let mut out = self.out_by(&ends);
        if plan.empty_chunks {
            chunks = interspersed(chunks, |_| Vec::new());
            out = interspersed(out, |before| before.copied().unwrap_or((0, 0)));
            if self.input.ends_with(b"\r") {
                // Who waits behind a CR for the LF of a CRLF hands out at the end, in the last piece, what it completed.
                chunks.pop();
                out.pop();
            }
        }
        if plan.line_ends == LineEnds::Cr {
            // A14: to wait there is late, but not wrong.
            out.iter_mut().for_each(|(least, _)| *least = 0);
        }
        if let Some((least, _)) = out.last_mut() {
            *least = self.items.len();
        }
        Way {
            feeding: plan.feeding,
            empty_chunks: plan.empty_chunks,
            line_ends: plan.line_ends,
            request: Request::Decode(DecodeRequest {
                chunks,
                last_event_id: decode.last_event_id.clone(),
                storage: decode.storage,
                limit: decode.limit,
            }),
            due: Due::Decode {
                items: self.items.clone(),
                out,
                last_event_id: capabilities
                    .has(Capability::FinalId)
                    .then(|| decode.r#final.last_event_id.clone()),
                comments: capabilities.has(Capability::Comments),
                // A23: the standard does not say what the text of a comment is.
                exact_comments: verdict == Verdict::May,
                retry: capabilities.has(Capability::Retry),
            },
        }
    }

    /// How many items may be out after so many bytes. The items of steps that are over must be, those of the step
    /// under way can be.
    fn out_by(&self, places: &[usize]) -> Vec<(usize, usize)> {
        let mut steps = self.ends.iter().peekable();
        let mut least = 0;
        let out = places.iter().map(|place| {
            while let Some((_, count)) = steps.next_if(|(end, _)| end <= place) {
                least = *count;
            }
            let most = steps.peek().map_or(self.items.len(), |(_, count)| *count);
            let is_edge = self.ends.iter().any(|(end, _)| end == place);
            (least, if is_edge { least } else { most })
        });
        out.collect()
    }
}

pub(crate) fn is_due(item: &Item, comments: bool, retry: bool) -> bool {
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
                *chunks = plan.body(chunks, empty_chunks);
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
            due: Due::Connect {
                due: Box::new(connect.clone()),
                delay,
            },
        }
    })
}

fn has_body(response: &Response) -> bool {
    matches!(response, Response::Response { chunks, .. } if chunks.iter().any(|chunk| !chunk.is_empty()))
}

impl Plan {
    fn body(self, chunks: &[Vec<u8>], empty_chunks: bool) -> Vec<Vec<u8>> {
        let chunks = chunks.iter().map(|chunk| self.line_ends.rewritten(chunk));
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
    fn rewritten(self, bytes: &[u8]) -> Vec<u8> {
        let end: &[u8] = match self {
            Self::AsTheyStand => return bytes.to_vec(),
            Self::Cr => b"\r",
            Self::Crlf => b"\r\n",
        };
        let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        lines.join(end)
    }
}

/// `values` with one more before, between and after them, made from the value before it.
fn interspersed<T: Clone>(values: Vec<T>, between: impl Fn(Option<&T>) -> T) -> Vec<T> {
    let mut spread = vec![between(None)];
    for value in values {
        let next = between(Some(&value));
        spread.extend([value, next]);
    }
    spread
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
