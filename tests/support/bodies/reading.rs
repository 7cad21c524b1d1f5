//! The life of a decoder: a seed, a stream in pieces, its end, and another stream; after each call it is held against
//! the model.

use crate::bodies::input::{Rest, case, size, sizes};
use crate::support::model::{Ask, Item, Limit, Model};
use crate::support::run::{self, Drive, assert_state};

/// How the first stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Open,
    Reset,
    Finish,
}

/// How a stream is read. Each list is used in turn, over and over.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Of the chunks.
    pub(crate) sizes: Vec<usize>,
    /// What each visit to a chunk asks for. With a limit that a stream may reach, always the same.
    pub(crate) asks: Vec<Ask>,
    /// After how many items each visit leaves; `usize::MAX`: after the last one of the chunk.
    pub(crate) stays: Vec<usize>,
}

#[derive(Debug)]
pub(crate) struct Life<'a> {
    pub(crate) seed: &'a str,
    pub(crate) first: &'a [u8],
    pub(crate) end: End,
    pub(crate) second: &'a [u8],
    pub(crate) plan: Plan,
}

/// A decoder with this limit lives as the model does.
pub(crate) fn check(limit: Limit, life: &Life<'_>) {
    let Some(mut decoder) = run::decoder(limit) else {
        return;
    };
    let decoder = &mut *decoder;
    let plan = &life.plan;
    let all_for_events = plan.asks.iter().all(|&ask| ask == Ask::Events);
    let ask = if all_for_events {
        Ask::Events
    } else {
        Ask::Items
    };

    let mut model = Model::new(limit, ask);
    let fits = match limit {
        Limit::Heap(_) => true,
        Limit::Fixed { field_capacity, .. } => life.seed.len() <= field_capacity,
    };
    assert_eq!(decoder.seed(life.seed).is_ok(), fits);
    if fits {
        life.seed.clone_into(&mut model.last_event_id);
    }
    assert_eq!(decoder.last_event_id(), model.last_event_id);

    assert_due(decoder, &model, life.first, plan);
    let left = match life.end {
        End::Open => return,
        End::Reset => {
            decoder.reset();
            model.after(life.first)
        }
        End::Finish => {
            let (due, left) = model.finish(life.first);
            assert_eq!(decoder.finish(), due);
            left
        }
    };
    assert_state(decoder, &left);
    assert_due(decoder, &model.next_stream(&left), life.second, plan);
}

/// Reads `stream` as planned: whatever a byte completes comes out in the call that reads this byte.
fn assert_due(decoder: &mut dyn Drive, model: &Model, stream: &[u8], plan: &Plan) {
    let chunks = chunks(stream, &plan.sizes);
    let mut asks = plan.asks.iter().copied().cycle();
    let mut stays = plan.stays.iter().copied().cycle();
    // What the model is asked about each time, it is asked seldom about where the chunks are many.
    let one_way = plan.asks.len() == 1 && plan.stays == [usize::MAX];
    let is_asked = |index| !one_way || index % (chunks.len() / 50 + 1) == 0;

    let mut read = 0;
    let mut known = 0;
    let mut new = Vec::new();
    // A comment is under way, and not every visit asked for it: it may come out, or not.
    let mut is_torn = false;
    for (index, chunk) in chunks.iter().enumerate() {
        let mut rest = *chunk;
        for visit in 0.. {
            let (ask, stay) = (asks.next().expect("an ask"), stays.next().expect("a stay"));
            // Leaving before the first item too, but not for ever.
            let stay = stay.max(visit % 2);
            let (items, len) = match stay {
                usize::MAX => (decoder.read(rest, ask), rest.len()),
                _ => decoder.read_some(rest, ask, stay),
            };
            let is_done = items.len() < stay;
            new.extend(items);
            let before = &stream[..read];
            read += len;
            rest = &rest[len..];
            if is_asked(index) || index + 1 == chunks.len() {
                let after = model.after(&stream[..read]);
                assert_state(decoder, &after);
                let mut due = after.items[known..].to_vec();
                known = after.items.len();
                if ask == Ask::Events {
                    due.retain(|item| !matches!(item, Item::Comment(_) | Item::Retry(_)));
                }
                if is_torn && new != due && matches!(due.first(), Some(Item::Comment(_))) {
                    due.remove(0);
                }
                assert_eq!(
                    new,
                    due,
                    "{model:?}, in the visit that read {:?} after {:?}",
                    stream[before.len()..read].escape_ascii().to_string(),
                    before.escape_ascii().to_string()
                );
                new.clear();
            }
            let began_earlier = is_torn && !stream[before.len()..read].iter().any(is_line_end);
            is_torn = is_in_comment(&stream[..read]) && (began_earlier || ask == Ask::Events);
            if is_done {
                break;
            }
        }
        assert!(rest.is_empty(), "a chunk read to its end");
    }
}

fn is_in_comment(read: &[u8]) -> bool {
    let line = match read.iter().rposition(is_line_end) {
        Some(end) => &read[end + 1..],
        None => read.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(read),
    };
    line.starts_with(b":")
}

fn is_line_end(byte: &u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// Pieces of these sizes, in turn, until the stream is used up.
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
    /// A life as the bytes of a fuzz input.
    struct Reading {
        sizes: [u8; 6],
        /// A bit for each visit in turn, set for events only.
        asks: u8,
        /// Two bits for each: 0 to the end of the chunk, else after one item less than that.
        stays: u16,
        /// By its remainder: `NO_SECOND_STREAM`, after a reset, after `finish`.
        end: u8,
        /// Where the second stream begins.
        split: u16,
        /// The seed is so many bytes of the stream.
        seed_len: u8,
        /// The byte that stands twice as often as this more, for streams longer than a fuzzer likes them.
        repeated_at: u16,
        repeated: u16,
        stream: Rest,
    }
}

pub(crate) const NO_SECOND_STREAM: u8 = 0;

impl Reading {
    /// The stream as it is to be read.
    pub(crate) fn stream(&self) -> Vec<u8> {
        let mut stream = self.stream.0.clone();
        let at = usize::from(self.repeated_at) % stream.len().max(1);
        if let Some(&byte) = stream.get(at) {
            let more = core::iter::repeat_n(byte, 2 * size(self.repeated));
            stream.splice(at..at, more);
        }
        stream
    }

    /// The life that has this stream, and what is asked for: `asks`, or the first of them always.
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
        let stay = |pair: u8| match self.stays >> (2 * pair) & 3 {
            0 => usize::MAX,
            more => usize::from(more) - 1,
        };
        let mut stays = vec![stay(0)];
        if self.stays != 0 {
            stays.extend((1..8).map(stay));
        }
        let mut sizes = sizes(&self.sizes);
        // The model reads all that was read so far, each time.
        let most_chunks = (40_000 / (stream.len() + 1)).clamp(8, 150);
        if chunks(stream, &sizes).len() > most_chunks {
            sizes = sizes.into_iter().cycle().take(most_chunks).collect();
            sizes.push(usize::MAX);
        }
        check(
            limit,
            &Life {
                seed: &String::from_utf8_lossy(&stream[..seed_len]),
                first,
                end,
                second,
                plan: Plan { sizes, asks, stays },
            },
        );
    }
}
