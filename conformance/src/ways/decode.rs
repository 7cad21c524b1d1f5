//! The ways to feed a decoder case: how its input is cut, and how many items may be out after each
//! chunk.

use super::{Expected, Feeding, LineEnds, Plan, Way, interspersed, is_compared};
use crate::{
    capabilities::{Capabilities, Capability},
    corpus::{Decode, Item, Verdict},
    request::{DecodeRequest, Request},
};

/// Inputs up to this length are cut at every byte, longer ones near the ends of steps and at a few
/// places between.
const CUT_EVERYWHERE: usize = 1024;

pub(super) fn ways<'c>(
    decode: &'c Decode,
    verdict: Verdict,
    capabilities: &Capabilities,
) -> impl Iterator<Item = Way> + use<'c> {
    let capabilities = capabilities.clone();
    let line_ends: &[LineEnds] = if decode.may_rewrite_line_endings() {
        &[LineEnds::AsTheyStand, LineEnds::Cr, LineEnds::Crlf]
    } else {
        &[LineEnds::AsTheyStand]
    };
    line_ends.iter().flat_map(move |line_ends| {
        let input = Input::new(decode, *line_ends, &capabilities);
        let plans = input.plans(*line_ends, &capabilities);
        let capabilities = capabilities.clone();
        plans
            .into_iter()
            .map(move |plan| input.way(decode, verdict, plan, &capabilities))
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
    fn new(decode: &Decode, line_ends: LineEnds, capabilities: &Capabilities) -> Self {
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
            input.bytes.extend(line_ends.rewrite(&step.bytes));
            let items = step.items.iter();
            let items = items.filter(|item| is_compared(item, comments, retry));
            input.items.extend(items.cloned());
            input.steps.push((input.bytes.len(), input.items.len()));
        }
        input
    }

    fn plans(&self, line_ends: LineEnds, capabilities: &Capabilities) -> Vec<Plan> {
        let len = self.bytes.len();
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
        if self.steps.len() != 1 {
            plans.push(plan(Feeding::Whole, false));
        }
        let short = len <= CUT_EVERYWHERE;
        let cuts = self.cuts();
        plans.extend(cuts.iter().map(|cut| plan(Feeding::Cut(*cut), false)));
        // Byte by byte, a long input makes a request of several megabytes: once is enough.
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

    fn way(
        &self,
        decode: &Decode,
        verdict: Verdict,
        plan: Plan,
        capabilities: &Capabilities,
    ) -> Way {
        let len = self.bytes.len();
        let mut ends: Vec<usize> = match plan.feeding {
            Feeding::AsWritten => self.steps.iter().map(|(end, _)| *end).collect(),
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
        if plan.line_ends == LineEnds::Cr {
            // A14: waiting for an LF after a CR is late, but not wrong.
            counts.iter_mut().for_each(|(least, _)| *least = 0);
        }
        if let Some((least, _)) = counts.last_mut() {
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
            expected: Expected::Decode {
                items: self.items.clone(),
                item_counts: counts,
                last_event_id: capabilities
                    .has(Capability::FinalId)
                    .then(|| decode.r#final.last_event_id.clone()),
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
