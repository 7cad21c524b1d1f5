//! All short strings over small alphabets, under every cut, against the model.
//!
//! The strings are the nodes of a tree. The model runs once for each byte on the way down, so its
//! result is known for every prefix of every string. A new decoder then reads the string once for
//! each way to cut it. With up to seven places to cut, these are all combinations; with more, they
//! are: whole, in two at each place, byte by byte, and byte by byte with empty chunks in between.
//! After each chunk and each item, the decoder must have returned exactly the expected items.

mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use sse_proto::IgnoredReason::TypeWithoutData;
use sse_proto::{Decoder, Fixed, Storage};

use support::model::{Ask, Item, Limit, Model, Outcome};
use support::run::{Drive, is_equal, is_same, milliseconds, read_and_leave};

/// Everything with a meaning in the format: line terminators, colon, space, the four field names,
/// BOM, a lead byte and its continuation byte, NUL, a digit; and a letter without a meaning.
const TOKENS: [&[u8]; 14] = [
    b"\r",
    b"\n",
    b":",
    b" ",
    b"data",
    b"id",
    b"event",
    b"retry",
    b"\xEF\xBB\xBF",
    b"\xC3",
    b"\xA9",
    b"\0",
    b"5",
    b"x",
];

/// Complete lines, so that a few tokens make a stream of several events.
const LINES: [&[u8]; 10] = [
    b"\r", b"\n", b"data", b"data: x", b"id", b"id:1", b"event", b"event:e", b"retry:5", b":c",
];

/// Both ends of each range in the table of well-formed UTF-8 byte sequences, and the bytes just
/// outside.
const UTF8: [&[u8]; 20] = [
    b"a", b"\x7F", b"\x80", b"\x8F", b"\x90", b"\x9F", b"\xA0", b"\xBF", b"\xC1", b"\xC2", b"\xDF",
    b"\xE0", b"\xE1", b"\xED", b"\xEF", b"\xF0", b"\xF1", b"\xF4", b"\xF5", b"\n",
];

#[test]
fn all_streams_of_five_tokens() {
    let tally = Strings::of(&TOKENS, 5).check(&roomy());
    assert_eq!(tally, Tally::new(579_195, 17_758_205));
}

#[test]
fn all_streams_of_six_lines() {
    let strings = Strings::of(&LINES, 6);
    assert_eq!(strings.check(&roomy()), Tally::new(1_111_111, 28_666_669));
}

#[test]
fn all_streams_of_six_tokens_with_the_bytes_of_a_byte_order_mark() {
    const TOKENS: [&[u8]; 6] = [b"\xEF", b"\xBB", b"\xBF", b"data", b":", b"\n"];
    let strings = Strings::of(&TOKENS, 6).cut_everywhere_up_to(5);
    assert_eq!(strings.check(&roomy()), Tally::new(55_987, 1_044_378));
}

#[test]
fn all_streams_of_three_tokens_in_the_middle_of_a_long_chunk() {
    // On both sides of the 64-byte blocks in which a decoder may scan for line terminators.
    let tail = [
        &b"a".repeat(40),
        &b"\n\ndata: b\n\n:"[..],
        &b"c".repeat(20),
        b"\n",
    ]
    .concat();
    let mut tally = Tally::default();
    for len in [50, 59, 61, 62, 63, 64] {
        for head in [
            [b":", &b"c".repeat(len - 2)[..], b"\n"].concat(),
            [b"data: ", &b"a".repeat(len - 6)[..]].concat(),
            [b"data: ", &b"a".repeat(len - 8)[..], b"\n\n"].concat(),
        ] {
            let strings = Strings::of(&TOKENS, 3).between(&head, &tail);
            tally += strings.check(&roomy());
        }
    }
    assert_eq!(tally, Tally::new(53_190, 1_828_494));
}

#[test]
fn all_values_of_four_bytes() {
    let strings = Strings::of(&UTF8, 4).between(b"data:", b"\n\n");
    assert_eq!(strings.check(&roomy()), Tally::new(168_421, 5_588_124));
}

#[test]
fn all_values_of_three_bytes_wherever_text_may_stand() {
    let mut tally = Tally::default();
    for head in [&b"id: "[..], b"event:", b":", b"dat", b""] {
        let strings = Strings::of(&UTF8, 3).between(head, b"\ndata\n\n");
        tally += strings.check(&roomy());
    }
    assert_eq!(tally, Tally::new(42_105, 674_979));
}

#[test]
fn all_values_of_three_bytes_in_a_chunk_that_is_worth_validating_at_once() {
    let event = [b"data: ", &b"a".repeat(40)[..], b"\n\n"].concat();
    let mut tally = Tally::default();
    for head in [&b"data: "[..], b"data: b\ndata: b", b"data:b\nid: b"] {
        let head = [&event, head].concat();
        for tail in [&b""[..], b"\ndata: c\n\n"] {
            let strings = Strings::of(&UTF8, 3).between(&head, tail);
            tally += strings.check(&roomy());
        }
    }
    assert_eq!(tally, Tally::new(50_526, 691_821));
}

#[test]
fn all_streams_of_three_tokens_after_another_stream() {
    // One for each state in which a stream can end.
    const BEFORE: [&[u8]; 22] = [
        b"\xEF\xBB",
        b"\xEF\xBB\xBF",
        b"\n",
        b"\r",
        b"da",
        b"unknown",
        b"data",
        b"data:",
        b"data: x\n\n",
        b"data:x\r\r",
        b"data:x\ndata:y\n",
        b"data:x\xF0\x9F",
        b":\xC3",
        b"event:e",
        b"event:e\n",
        b"id:1",
        b"id:1\n",
        b"id:1\n\n",
        b"id:\xE2",
        b"retry:1",
        b"id:1\n\nid:2\n",
        b"data: x\n\ndata: y\n\n",
    ];
    let mut models = roomy();
    models.push(Model::new(
        Limit::Fixed {
            data_capacity: 1,
            field_capacity: 1,
        },
        Ask::Items,
    ));
    #[cfg(feature = "alloc")]
    models.push(Model::new(Limit::Heap(1), Ask::Items));
    let mut tally = Tally::default();
    for before in BEFORE {
        for head in [&b""[..], b"data: y\n\n"] {
            let strings = Strings::of(&TOKENS, 3)
                .between(head, b"data\n\n")
                .after(before)
                .cut_everywhere_up_to(4);
            tally += strings.check(&models);
        }
    }
    assert_eq!(tally, Tally::new(130_020, 1_534_918));
}

#[test]
fn all_streams_of_five_tokens_with_tiny_limits() {
    const TOKENS: [&[u8]; 10] = [
        b"data:", b"event:", b"id:", b":", b"data", b"retry:7", b"x", b"\xC3", b"\xA9", b"\n",
    ];
    let strings = Strings::of(&TOKENS, 5).cut_everywhere_up_to(5);
    assert_eq!(strings.check(&tiny()), Tally::new(111_111, 1_905_106));
}

#[test]
fn all_streams_of_four_lines_with_tiny_limits() {
    const LINES: [&[u8]; 10] = [
        b"data:x\n",
        b"data:xyz\n",
        b"data\n",
        b"event:xy\n",
        b"id:x\n",
        b"id:xyz\r",
        b":xy\n",
        b"retry:7\n",
        b"\n",
        b"data:\xC3",
    ];
    // After an event that is too large, the next one is read.
    let strings = Strings::of(&LINES, 4).between(b"", b"\n\ndata\n\n");
    assert_eq!(strings.check(&tiny()), Tally::new(11_111, 299_181));
}

#[test]
fn all_values_of_four_bytes_with_tiny_limits() {
    const UTF8: [&[u8]; 8] = [
        b"a", b"\x80", b"\xC3", b"\xE2", b"\x82", b"\xF0", b"\x9F", b"\n",
    ];
    let mut tally = Tally::default();
    for head in [&b"data:"[..], b"id:", b"data:a\nevent:", b":"] {
        let strings = Strings::of(&UTF8, 4).between(head, b"\n\n");
        tally += strings.check(&tiny());
    }
    assert_eq!(tally, Tally::new(18_724, 596_688));
}

/// Limits that none of these strings reaches.
fn roomy() -> Vec<Model> {
    let fixed = Limit::Fixed {
        data_capacity: 240,
        field_capacity: 80,
    };
    vec![
        Model::new(fixed, Ask::Items),
        #[cfg(feature = "alloc")]
        Model::new(Limit::Heap(usize::MAX), Ask::Items),
    ]
}

/// Limits that nearly all of these strings reach.
fn tiny() -> Vec<Model> {
    let mut models = Vec::new();
    #[cfg(feature = "alloc")]
    for limit in 0..=6 {
        models.push(Model::new(Limit::Heap(limit), Ask::Items));
    }
    for data_capacity in 0..=4 {
        for field_capacity in 0..=2 {
            let fixed = Limit::Fixed {
                data_capacity,
                field_capacity,
            };
            models.push(Model::new(fixed, Ask::Items));
        }
    }
    let skipping = models.iter().filter(|model| {
        matches!(
            model.limit,
            Limit::Heap(1..=3)
                | Limit::Fixed {
                    data_capacity: 2,
                    field_capacity: 0..=1
                }
        )
    });
    let skipping = skipping.map(|model| Model {
        skip_long_ids: true,
        ..model.clone()
    });
    let skipping: Vec<_> = skipping.collect();
    models.extend(skipping);
    models
}

/// All strings of at most `len` tokens, with a fixed head and tail.
#[derive(Clone, Copy)]
struct Strings<'a> {
    tokens: &'a [&'a [u8]],
    len: usize,
    head: &'a [u8],
    tail: &'a [u8],
    /// An earlier stream, possibly incomplete, that the decoder has read and was reset after.
    before: &'a [u8],
    /// With up to this many places to cut, every combination of them is tried.
    all_cuts: usize,
}

/// What was read by one storage with one limit.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    strings: usize,
    /// The number of cuts under which the strings were read.
    cuts: usize,
}

impl Tally {
    const fn new(strings: usize, cuts: usize) -> Self {
        Self { strings, cuts }
    }
}

impl core::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.strings += other.strings;
        self.cuts += other.cuts;
    }
}

impl<'a> Strings<'a> {
    fn of(tokens: &'a [&'a [u8]], len: usize) -> Self {
        Self {
            tokens,
            len,
            head: b"",
            tail: b"",
            before: b"",
            all_cuts: 7,
        }
    }

    fn cut_everywhere_up_to(self, all_cuts: usize) -> Self {
        Self { all_cuts, ..self }
    }

    fn between(self, head: &'a [u8], tail: &'a [u8]) -> Self {
        Self { head, tail, ..self }
    }

    fn after(self, before: &'a [u8]) -> Self {
        Self { before, ..self }
    }

    /// Checks each string with each of the models, on all processors.
    fn check(self, models: &[Model]) -> Tally {
        let jobs = models.len() * (self.tokens.len() + 1);
        let next_job = AtomicUsize::new(0);
        let total = Mutex::new(Tally::default());
        let work = || {
            loop {
                let job = next_job.fetch_add(1, Ordering::Relaxed);
                if job >= jobs {
                    break;
                }
                let (first, model) = (job / models.len(), &models[job % models.len()]);
                let model = model.next_stream(&model.after(self.before));
                let mut walk = Walk::new(self, model);
                // The first job is the empty string; each of the others is all strings that start
                // with one of the tokens.
                match first.checked_sub(1) {
                    None => walk.check(),
                    Some(first) => walk.descend(self.tokens[first], self.len),
                }
                // All models read the same strings and cuts, so only the first is counted.
                if job % models.len() == 0 {
                    let mut total = total.lock().unwrap();
                    total.strings += walk.tally.strings;
                    total.cuts += walk.tally.cuts;
                }
            }
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(work);
            }
        });
        total.into_inner().unwrap()
    }
}

/// A depth-first walk through the tree of strings.
struct Walk<'a> {
    strings: Strings<'a>,
    model: Model,
    bytes: Vec<u8>,
    /// `expected[k]` is the expected outcome after `k` bytes.
    expected: Vec<Outcome>,
    tally: Tally,
}

impl<'a> Walk<'a> {
    fn new(strings: Strings<'a>, model: Model) -> Self {
        let mut walk = Self {
            strings,
            bytes: Vec::new(),
            expected: vec![model.after(b"")],
            model,
            tally: Tally::default(),
        };
        walk.push(strings.head);
        walk
    }

    /// Checks all strings that continue with this token and at most `len - 1` more.
    fn descend(&mut self, token: &[u8], len: usize) {
        let before = self.bytes.len();
        self.push(token);
        self.check();
        if len > 1 {
            for token in self.strings.tokens {
                self.descend(token, len - 1);
            }
        }
        self.pop_to(before);
    }

    fn push(&mut self, token: &[u8]) {
        for &byte in token {
            self.bytes.push(byte);
            let expected = self.model.after(&self.bytes);
            assert!(
                expected
                    .items
                    .starts_with(&self.expected[self.expected.len() - 1].items),
                "nothing is taken back"
            );
            self.expected.push(expected);
        }
    }

    fn pop_to(&mut self, len: usize) {
        self.bytes.truncate(len);
        self.expected.truncate(len + 1);
    }

    /// Checks the current string, with the tail appended.
    fn check(&mut self) {
        let len = self.bytes.len();
        self.push(self.strings.tail);
        self.tally.strings += 1;
        self.tally.cuts += match self.model.limit {
            #[cfg(feature = "alloc")]
            Limit::Heap(limit) => self.check_with(len, || {
                let decoder = Decoder::with_max_event_len(limit);
                decoder.skip_long_ids(self.model.skip_long_ids)
            }),
            #[cfg(not(feature = "alloc"))]
            Limit::Heap(_) => unreachable!("there is no heap in this build"),
            Limit::Fixed {
                data_capacity,
                field_capacity,
            } => self.check_with(len, || {
                let memory = Memory([0xAA; 480], data_capacity + 3 * field_capacity);
                let storage = Fixed::with_field_capacity(memory, field_capacity);
                Decoder::with_storage(storage).skip_long_ids(self.model.skip_long_ids)
            }),
            Limit::Regions { .. } => unreachable!("no model here has it"),
        };
        self.pop_to(len);
    }

    /// Reads the string under all cuts; `end` is where the tail starts. Returns the number of cuts.
    fn check_with<S: Storage>(&self, end: usize, new: impl Fn() -> Decoder<S>) -> usize {
        let len = self.bytes.len();
        let mut cuts = 0;
        let mut read = |ends: &mut dyn Iterator<Item = usize>| {
            cuts += 1;
            let mut decoder = new();
            if !self.strings.before.is_empty() {
                read_and_leave(&mut decoder, self.strings.before, &self.model);
                decoder.reset();
            }
            self.read(&mut decoder, ends);
            decoder
        };

        // Places to cut: inside the string, and between it and its head and tail.
        let places: Vec<usize> = (self.strings.head.len()..=end)
            .filter(|at| (1..len).contains(at))
            .collect();
        if places.len() <= self.strings.all_cuts {
            for chosen in 0_u32..1 << places.len() {
                let ends = places
                    .iter()
                    .enumerate()
                    .filter(|(bit, _)| chosen >> bit & 1 == 1);
                read(&mut ends.map(|(_, &end)| end).chain([len]));
            }
        } else {
            read(&mut [len].into_iter());
            for &at in &places {
                read(&mut [at, len].into_iter());
            }
        }
        read(&mut (1..=len));
        // With an empty chunk before, between and after all bytes.
        let mut decoder = read(&mut (0..=len).flat_map(|end| [end, end]));

        let (expected, left) = self.model.finish(&self.bytes);
        assert_eq!(
            Drive::finish(&mut decoder),
            expected,
            "finish after {}",
            self.bytes.escape_ascii()
        );
        assert_eq!(decoder.last_event_id(), left.last_event_id);
        cuts
    }

    /// Reads the string in chunks that end at `ends` and compares with the model at every step.
    fn read<S: Storage>(&self, decoder: &mut Decoder<S>, ends: &mut dyn Iterator<Item = usize>) {
        let items = &self.expected[self.bytes.len()].items;
        let mut given = 0;
        let mut start = 0;
        for end in ends {
            let mut events = decoder.feed(&self.bytes[start..end]);
            loop {
                let got = events.next_item();
                if matches!(got, Ok(None)) {
                    break;
                }
                if !is_same(&got, items.get(given)) {
                    panic!(
                        "item {given} is {got:?}, not {:?}; {}",
                        items.get(given),
                        self.explain(start, end)
                    );
                }
                given += 1;
                let read = end - events.rest().len();
                let expected = self.expected[read].items.len();
                // An event type without data is returned before its blank line is read, if an ID
                // follows.
                let is_type = matches!(items[given - 1], Item::Ignored(_, TypeWithoutData));
                if is_type && given == expected + 1 {
                    assert!(matches!(items.get(given), Some(Item::Id(_))));
                    continue;
                }
                assert_eq!(
                    given,
                    expected,
                    "items when {read} bytes were read; {}",
                    self.explain(start, end)
                );
            }
            assert!(
                events.rest().is_empty(),
                "a rest; {}",
                self.explain(start, end)
            );
            let expected = &self.expected[end];
            let time = decoder.reconnection_time().map(milliseconds);
            if given != expected.items.len()
                || !is_equal(decoder.last_event_id(), &expected.last_event_id)
                || time != expected.reconnection_time
            {
                panic!(
                    "{given} items, id {:?}, time {time:?}, not {expected:?}; {}",
                    decoder.last_event_id(),
                    self.explain(start, end)
                );
            }
            start = end;
        }
    }

    fn explain(&self, start: usize, end: usize) -> String {
        format!(
            "in bytes {start}..{end} of b\"{}\" with {:?}",
            self.bytes.escape_ascii(),
            self.model.limit
        )
    }
}

/// Memory of variable length that needs no allocation per decoder.
struct Memory([u8; 480], usize);

impl AsRef<[u8]> for Memory {
    fn as_ref(&self) -> &[u8] {
        &self.0[..self.1]
    }
}

impl AsMut<[u8]> for Memory {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0[..self.1]
    }
}
