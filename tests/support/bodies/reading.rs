//! A decoder reads a stream in chunks, with an initial last event ID, and after its end another
//! stream. It is compared with the model after each call.

use crate::bodies::input::{Rest, case, size, sizes};
use crate::support::model::{Ask, Item, Limit, Model};
use crate::support::run::{self, Drive, assert_recognition, assert_state};
use sse_proto::IgnoredReason::TypeWithoutData;

/// How the first stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Open,
    Reset,
    Finish,
}

/// How a stream is read. The elements of each list are used in turn, repeatedly.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The sizes of the chunks.
    pub(crate) sizes: Vec<usize>,
    /// What each cursor asks for. If the stream may reach the limit, this must always be the same.
    pub(crate) asks: Vec<Ask>,
    /// How many items each cursor takes before it is dropped; `usize::MAX` for all items of the
    /// chunk.
    pub(crate) max_items: Vec<usize>,
}

#[derive(Debug)]
pub(crate) struct Scenario<'a> {
    pub(crate) seed: &'a str,
    pub(crate) first: &'a [u8],
    pub(crate) end: End,
    pub(crate) second: &'a [u8],
    pub(crate) plan: Plan,
}

/// Checks a decoder with this limit against the model.
pub(crate) fn check(limit: Limit, scenario: &Scenario<'_>) {
    let Some(mut decoder) = run::decoder(limit) else {
        return;
    };
    let decoder = &mut *decoder;
    let plan = &scenario.plan;
    let all_for_events = plan.asks.iter().all(|&ask| ask == Ask::Events);
    let ask = if all_for_events {
        Ask::Events
    } else {
        Ask::Items
    };

    let mut model = Model::new(limit, ask);
    let fits = match limit {
        Limit::Heap(_) => true,
        Limit::Fixed { field_capacity, .. } => scenario.seed.len() <= field_capacity,
        Limit::Regions { id_capacity, .. } => scenario.seed.len() <= id_capacity,
    };
    assert_eq!(decoder.seed(scenario.seed).is_ok(), fits);
    if fits {
        scenario.seed.clone_into(&mut model.last_event_id);
    }
    assert_eq!(decoder.last_event_id(), model.last_event_id);

    assert_expected(decoder, &model, scenario.first, plan);
    let left = match scenario.end {
        End::Open => return,
        End::Reset => {
            decoder.reset();
            model.after(scenario.first)
        }
        End::Finish => {
            let (expected, left) = model.finish(scenario.first);
            assert_eq!(decoder.finish(), expected);
            left
        }
    };
    assert_state(decoder, &left);
    assert_expected(decoder, &model.next_stream(&left), scenario.second, plan);
}

/// Reads `stream` as planned, and checks that each item is returned by the call that reads its last
/// byte.
fn assert_expected(decoder: &mut dyn Drive, model: &Model, stream: &[u8], plan: &Plan) {
    let chunks = chunks(stream, &plan.sizes);
    let mut asks = plan.asks.iter().copied().cycle();
    let mut max_items = plan.max_items.iter().copied().cycle();
    // With many chunks, the model runs only for some of them, if all cursors take all items.
    let one_way = plan.asks.len() == 1 && plan.max_items == [usize::MAX];
    let is_asked = |index| !one_way || index % (chunks.len() / 50 + 1) == 0;

    let mut read = 0;
    let mut known = 0;
    let mut new = Vec::new();
    // Set inside a line that not every cursor has asked for: if it is a comment or ignored, it may be
    // returned or not.
    let mut is_line_optional = false;
    // An event type without data, returned before its blank line is read, because an ID follows.
    let mut early: Option<Item> = None;
    for (index, chunk) in chunks.iter().enumerate() {
        let mut rest = *chunk;
        for visit in 0.. {
            let (ask, max) = (
                asks.next().expect("an ask"),
                max_items.next().expect("a max"),
            );
            // A cursor may take no item at all, but not every time.
            let max = max.max(visit % 2);
            let (items, len) = match max {
                usize::MAX => (decoder.read(rest, ask), rest.len()),
                _ => decoder.read_some(rest, ask, max),
            };
            let is_done = items.len() < max;
            new.extend(items);
            let before = &stream[..read];
            read += len;
            rest = &rest[len..];
            let mut expected_early = early.take();
            if is_asked(index) || index + 1 == chunks.len() {
                let after = model.after(&stream[..read]);
                assert_state(decoder, &after);
                let mut expected = after.items[known..].to_vec();
                known = after.items.len();
                if expected_early.is_some() && expected_early.as_ref() == expected.first() {
                    expected_early = None;
                    expected.remove(0);
                }
                if ask == Ask::Events {
                    expected.retain(|item| matches!(item, Item::Event { .. } | Item::TooLarge(..)));
                }
                let is_type = |item: &Item| matches!(item, Item::Ignored(_, TypeWithoutData));
                let is_line = |item: &Item| {
                    matches!(item, Item::Comment(_) | Item::Ignored(..)) && !is_type(item)
                };
                // Equal items can make it ambiguous which of the two it was.
                let is_missing = is_line_optional && expected.first().is_some_and(is_line);
                let is_early = !is_done && new.last().is_some_and(is_type);
                if is_early && new[..new.len() - 1] == expected[..] {
                    early = new.pop();
                } else if is_missing && new == expected[1..] {
                    expected.remove(0);
                } else if is_early && is_missing && new[..new.len() - 1] == expected[1..] {
                    early = new.pop();
                    expected.remove(0);
                }
                if early.is_none() && expected_early.is_none() {
                    assert_recognition(decoder, &after);
                }
                assert_eq!(
                    new,
                    expected,
                    "{model:?}, in the visit that read {:?} after {:?}",
                    stream[before.len()..read].escape_ascii().to_string(),
                    before.escape_ascii().to_string()
                );
                new.clear();
            }
            early = early.or(expected_early);
            let began_earlier =
                is_line_optional && !stream[before.len()..read].iter().any(is_line_terminator);
            is_line_optional = is_in_line(&stream[..read]) && (began_earlier || ask == Ask::Events);
            if is_done {
                break;
            }
        }
        assert!(rest.is_empty(), "a chunk read to its end");
    }
    assert_eq!(early, None);
}

fn is_in_line(read: &[u8]) -> bool {
    read.last().is_some_and(|byte| !is_line_terminator(byte))
}

fn is_line_terminator(byte: &u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// Cuts the stream into chunks of these sizes, used in turn.
pub(crate) fn chunks<'s>(stream: &'s [u8], sizes: &[usize]) -> Vec<&'s [u8]> {
    let mut chunks = Vec::new();
    let mut rest = stream;
    let sizes = match sizes.iter().any(|&size| size > 0) {
        true => sizes,
        false => &[usize::MAX],
    };
    for &size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, after) = rest.split_at(size.min(rest.len()));
        chunks.push(chunk);
        rest = after;
    }
    chunks
}

case! {
    /// A [`Scenario`] as a fuzz input.
    struct Reading {
        sizes: [u8; 6],
        /// A bit for each cursor in turn, set for events only.
        asks: u8,
        /// Two bits for each cursor: 0 to take all items of the chunk, otherwise one more than the
        /// number of items.
        max_items: u16,
        /// Modulo 3: `NO_SECOND_STREAM`, a second stream after a reset, or one after `finish`.
        end: u8,
        /// Where the second stream starts.
        split: u16,
        /// The initial last event ID is this many bytes of the stream, modulo 16.
        seed_len: u8,
        /// The byte here is repeated twice [`size`]`(repeated)` more times, for streams longer than
        /// fuzzers usually produce.
        repeated_at: u16,
        repeated: u16,
        stream: Rest,
    }
}

pub(crate) const NO_SECOND_STREAM: u8 = 0;

impl Reading {
    /// The stream, with the repeated byte.
    pub(crate) fn stream(&self) -> Vec<u8> {
        let mut stream = self.stream.0.clone();
        let at = usize::from(self.repeated_at) % stream.len().max(1);
        if let Some(&byte) = stream.get(at) {
            let more = core::iter::repeat_n(byte, 2 * size(self.repeated));
            stream.splice(at..at, more);
        }
        stream
    }

    /// Checks the scenario with this stream. Uses all of `asks` if `mixed`, otherwise only the
    /// first.
    pub(crate) fn check(&self, stream: &[u8], limit: Limit, mixed: bool) {
        let end = match self.end % 3 {
            NO_SECOND_STREAM => End::Open,
            1 => End::Reset,
            _ => End::Finish,
        };
        let (first, second) = match end {
            End::Open => (stream, &[][..]),
            _ => stream.split_at(usize::from(self.split) % (stream.len() + 1)),
        };
        let seed_len = usize::from(self.seed_len % 16).min(stream.len());
        let ask = |bit: u8| match self.asks >> bit & 1 {
            0 => Ask::Items,
            _ => Ask::Events,
        };
        let mut asks = vec![ask(0)];
        if mixed && ![0, 0xFF].contains(&self.asks) {
            asks.extend((1..8).map(ask));
        }
        let max = |pair: u8| match self.max_items >> (2 * pair) & 3 {
            0 => usize::MAX,
            more => usize::from(more) - 1,
        };
        let mut max_items = vec![max(0)];
        if self.max_items != 0 {
            max_items.extend((1..8).map(max));
        }
        let mut sizes = sizes(&self.sizes);
        // The model reads the stream from its start each time.
        let most_chunks = (40_000 / (stream.len() + 1)).clamp(8, 150);
        if chunks(stream, &sizes).len() > most_chunks {
            sizes = sizes.into_iter().cycle().take(most_chunks).collect();
            sizes.push(usize::MAX);
        }
        check(
            limit,
            &Scenario {
                seed: &String::from_utf8_lossy(&stream[..seed_len]),
                first,
                end,
                second,
                plan: Plan {
                    sizes,
                    asks,
                    max_items,
                },
            },
        );
    }
}
