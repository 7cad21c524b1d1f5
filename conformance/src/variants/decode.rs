//! The variants of a decoder case: how its input is cut, and how many items may be out after each
//! chunk.

use super::{Chunking, Expected, LineEndings, Plan, Variant, interspersed, is_compared};
use crate::{
    capabilities::{Capabilities, Capability},
    corpus::{Decode, Item, Verdict},
    request::{DecodeRequest, Request},
};

/// Inputs up to this length are cut at every byte, longer ones near the ends of steps and at a few
/// places between.
const CUT_EVERYWHERE: usize = 1024;

pub(super) fn variants<'c>(
    decode: &'c Decode,
    verdict: Verdict,
    capabilities: &Capabilities,
) -> impl Iterator<Item = Variant> + use<'c> {
    let capabilities = capabilities.clone();
    let line_endings: &[LineEndings] = if decode.may_rewrite_line_endings() {
        &[LineEndings::Unchanged, LineEndings::Cr, LineEndings::Crlf]
    } else {
        &[LineEndings::Unchanged]
    };
    line_endings.iter().flat_map(move |line_endings| {
        let input = Input::new(decode, *line_endings, &capabilities);
        let plans = input.plans(*line_endings, &capabilities);
        let capabilities = capabilities.clone();
        plans
            .into_iter()
            .map(move |plan| input.variant(decode, verdict, plan, &capabilities))
    })
}

/// The input of a case with rewritten line terminators, and the items that an implementation
/// reports of it.
struct Input {
    /// For each step, the offset at which it ends and the number of items expected by then.
    steps: Vec<(usize, usize)>,
    bytes: Vec<u8>,
    items: Vec<Item>,
}

impl Input {
    fn new(decode: &Decode, line_endings: LineEndings, capabilities: &Capabilities) -> Self {
        let (comments, retry) = (
            capabilities.has(Capability::Comments),
            capabilities.has(Capability::Retry),
        );
        let mut input = Self {
            steps: Vec::new(),
            bytes: Vec::new(),
            items: Vec::new(),
        };
        for step in &decode.steps {
            input.bytes.extend(line_endings.rewrite(&step.bytes));
            let items = step.items.iter();
            let items = items.filter(|item| is_compared(item, comments, retry));
            input.items.extend(items.cloned());
            input.steps.push((input.bytes.len(), input.items.len()));
        }
        input
    }

    fn plans(&self, line_endings: LineEndings, capabilities: &Capabilities) -> Vec<Plan> {
        let len = self.bytes.len();
        let plan = |chunking, empty_chunks| Plan {
            chunking,
            empty_chunks,
            line_endings,
        };
        if !capabilities.has(Capability::Chunks) {
            return vec![plan(Chunking::Whole, false)];
        }
        let empty_chunks = capabilities.has(Capability::EmptyChunks);
        let mut plans = vec![plan(Chunking::AsWritten, false)];
        if self.steps.len() != 1 {
            plans.push(plan(Chunking::Whole, false));
        }
        let short = len <= CUT_EVERYWHERE;
        let cuts = self.cuts();
        plans.extend(cuts.iter().map(|cut| plan(Chunking::Cut(*cut), false)));
        // Byte by byte, a long input makes a request of several megabytes: once is enough.
        if (short || line_endings == LineEndings::Unchanged) && len > 1 {
            plans.push(plan(Chunking::ByteByByte, false));
        }
        if empty_chunks {
            plans.push(plan(Chunking::AsWritten, true));
            plans.extend(cuts.iter().map(|cut| plan(Chunking::Cut(*cut), true)));
            if short && len > 1 {
                plans.push(plan(Chunking::ByteByByte, true));
            }
        }
        plans
    }

    /// The offsets at which to cut the input in two, in ascending order.
    fn cuts(&self) -> Vec<usize> {
        let len = self.bytes.len();
        let mut cuts: Vec<usize> = if len <= CUT_EVERYWHERE {
            (1..len).collect()
        } else {
            let edges = self.steps.iter().map(|(end, _)| *end);
            let offsets = edges.chain([len / 3, len / 2]);
            offsets
                .flat_map(|offset| offset.saturating_sub(1)..=offset + 1)
                .filter(|cut| (1..len).contains(cut))
                .collect()
        };
        cuts.sort_unstable();
        cuts.dedup();
        cuts
    }

    fn variant(
        &self,
        decode: &Decode,
        verdict: Verdict,
        plan: Plan,
        capabilities: &Capabilities,
    ) -> Variant {
        let len = self.bytes.len();
        let mut ends: Vec<usize> = match plan.chunking {
            Chunking::AsWritten => self.steps.iter().map(|(end, _)| *end).collect(),
            Chunking::Whole => vec![len],
            Chunking::ByteByByte => (1..=len).collect(),
            Chunking::Cut(at) => vec![at, len],
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
            .map(|(start, end)| self.bytes[*start..*end].to_vec())
            .collect();

        let mut counts = self.item_counts(&ends);
        if plan.empty_chunks {
            chunks = interspersed(chunks, |_| Vec::new());
            counts = interspersed(counts, |before| before.copied().unwrap_or((0, 0)));
            if self.bytes.ends_with(b"\r") {
                // A decoder that waits for an LF after the CR reports at the end of the stream what
                // the CR completed. That belongs to the last chunk, so this must not be an empty
                // one.
                chunks.pop();
                counts.pop();
            }
        }
        if plan.line_endings == LineEndings::Cr {
            // A14: waiting for an LF after a CR is late, but not wrong.
            counts.iter_mut().for_each(|(least, _)| *least = 0);
        }
        if let Some((least, _)) = counts.last_mut() {
            *least = self.items.len();
        }
        Variant {
            chunking: plan.chunking,
            empty_chunks: plan.empty_chunks,
            line_endings: plan.line_endings,
            request: Request::Decode(DecodeRequest {
                chunks,
                last_event_id: decode.last_event_id.clone(),
                storage: decode.storage,
                limit: decode.limit,
                regions: decode.regions,
                skip_long_ids: decode.skip_long_ids,
                details: decode.details,
            }),
            expected: Expected::Decode {
                items: self.items.clone(),
                item_counts: counts,
                last_event_id: capabilities
                    .has(Capability::FinalId)
                    .then(|| decode.r#final.last_event_id.clone()),
                state: decode.r#final.state,
                comments: capabilities.has(Capability::Comments),
                // A23: the standard does not define the text of a comment.
                exact_comments: verdict == Verdict::May,
                retry: capabilities.has(Capability::Retry),
            },
        }
    }

    /// For each offset, the least and the greatest number of items that may have been reported by
    /// then: those of all complete steps must have been, those of the current step may have been.
    fn item_counts(&self, offsets: &[usize]) -> Vec<(usize, usize)> {
        let mut steps = self.steps.iter().peekable();
        let mut least = 0;
        let counts = offsets.iter().map(|offset| {
            while let Some((_, count)) = steps.next_if(|(end, _)| end <= offset) {
                least = *count;
            }
            let most = steps.peek().map_or(self.items.len(), |(_, count)| *count);
            let ends_step = self.steps.iter().any(|(end, _)| end == offset);
            (least, if ends_step { least } else { most })
        });
        counts.collect()
    }
}
