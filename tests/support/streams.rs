//! Random streams: near the format, with errors in sensitive places, and long enough in places for
//! every fast path. And random ways to cut them.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::bodies::reading::chunks;
use super::support::model::Limit;

/// Bytes that a failing test prints as a byte string literal.
#[derive(Clone)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl core::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

impl core::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// A stream of up to a few dozen lines, mostly short, sometimes tens of kilobytes long.
pub(crate) fn stream() -> impl Strategy<Value = Bytes> {
    (bom(), vec(piece(), 0..24)).prop_map(|(bom, pieces)| Bytes([bom, pieces.concat()].concat()))
}

/// A stream of at most a few hundred bytes, for tests that take quadratic time.
pub(crate) fn short_stream() -> impl Strategy<Value = Bytes> {
    let piece = prop_oneof![8 => line(short_value()), 3 => line_terminator(), 1 => garbage()];
    (bom(), vec(piece, 0..16)).prop_map(|(bom, pieces)| Bytes([bom, pieces.concat()].concat()))
}

/// Nothing, a BOM, or something similar to one.
fn bom() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => Just(b"".to_vec()),
        2 => Just(b"\xEF\xBB\xBF".to_vec()),
        1 => select(vec![
            b"\xEF\xBB\xBF\xEF\xBB\xBF".to_vec(),
            b"\xEF\xBB".to_vec(),
            b"\xEF".to_vec(),
            b"\n\xEF\xBB\xBF".to_vec(),
            b"\xFE\xFF".to_vec(),
        ]),
    ]
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        12 => line(short_value()),
        6 => line_terminator(),
        3 => line(long_value()),
        2 => llm_events(),
        2 => tiny_events(),
        1 => garbage(),
    ]
}

fn line_terminator() -> impl Strategy<Value = Vec<u8>> {
    select(vec![b"\n".to_vec(), b"\r\n".to_vec(), b"\r".to_vec()])
}

/// A name, usually a colon and a value, and usually a line terminator.
fn line(value: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let colon = prop_oneof![
        4 => Just(b":".to_vec()),
        4 => Just(b": ".to_vec()),
        1 => Just(b":  ".to_vec()),
        1 => Just(b"".to_vec()),
    ];
    let end = prop_oneof![
        6 => Just(b"\n".to_vec()),
        3 => Just(b"\r\n".to_vec()),
        2 => Just(b"\r".to_vec()),
        // Followed by a blank line, so that there are events.
        6 => Just(b"\n\n".to_vec()),
        2 => Just(b"\r\n\r\n".to_vec()),
        1 => Just(b"\r\r".to_vec()),
        1 => Just(b"\n\r".to_vec()),
        1 => Just(b"".to_vec()),
    ];
    (name(), colon, value, end).prop_map(|(name, colon, value, end)| {
        if colon.is_empty() {
            // Without a colon, the value would become part of the name.
            [name, end].concat()
        } else {
            [name, colon, value, end].concat()
        }
    })
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let near_misses: [&[u8]; 32] = [
        b"Data",
        b"DATA",
        b"dat",
        b"dataa",
        b"data ",
        b" data",
        b"\tdata",
        b"data\0",
        b"\0data",
        b"dat\xC3a",
        b"data\xF0\x9F",
        b"\xEF\xBB\xBFdata",
        b"\xC3data",
        b"datb",
        b"xata",
        b"i",
        b"idd",
        b"ID",
        b"id\0",
        b"even",
        b"events",
        b"Event",
        b"evenT",
        b"retr",
        b"retryy",
        b"Retry",
        b"retry ",
        b"x",
        b"d",
        b"r",
        b"e",
        b"a name of more than sixteen bytes",
    ];
    prop_oneof![
        10 => Just(b"data".to_vec()),
        3 => Just(b"id".to_vec()),
        3 => Just(b"event".to_vec()),
        2 => Just(b"retry".to_vec()),
        3 => Just(b"".to_vec()),
        2 => select(near_misses.map(<[u8]>::to_vec).to_vec()),
    ]
}

fn short_value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        2 => Just(b"".to_vec()),
        6 => vec(b'a'..=b'z', 1..12),
        2 => vec(b'0'..=b'9', 1..22),
        4 => vec(atom(), 1..8).prop_map(|atoms| atoms.concat()),
    ]
}

/// Parts of values that are easily handled wrongly.
fn atom() -> impl Strategy<Value = Vec<u8>> {
    let atoms: [&[u8]; 40] = [
        // Characters that some languages take for line terminators, and the bytes next to CR and
        // LF.
        b" ",
        b":",
        b"\0",
        b"\t",
        b"\x0B",
        b"\x0C",
        b"\x0E",
        b"\x09",
        b"\x7F",
        b"\xC2\x85",
        b"\xE2\x80\xA8",
        b"\x1C",
        // Bytes with the same low bits as CR and LF.
        b"\x8A",
        b"\x8D",
        b"\xC2\x8A",
        b"J",
        b"M",
        b"*",
        b"-", // Characters of two, three and four bytes.
        b"\xC3\xA9",
        b"\xE2\x82\xAC",
        b"\xF0\x9F\x98\x80",
        b"\xED\x9F\xBF",
        b"\xEE\x80\x80",
        b"\xEF\xBF\xBD",
        b"\xEF\xBB\xBF",
        b"\xF4\x8F\xBF\xBF", // Truncated.
        b"\xC3",
        b"\xE2",
        b"\xE2\x82",
        b"\xF0\x9F",
        b"\xF0\x9F\x98", // Overlong, surrogate, too great, never valid.
        b"\xC0\xAF",
        b"\xE0\x80\x80",
        b"\xF0\x80\x80\x80",
        b"\xED\xA0\x80",
        b"\xF4\x90\x80\x80",
        b"\xFF",
        b"\x80",
        b"\xF8\x88\x80\x80\x80",
    ];
    prop_oneof![
        1 => (b'a'..=b'z').prop_map(|byte| vec![byte]),
        3 => select(atoms.map(<[u8]>::to_vec).to_vec()),
    ]
}

/// Lengths around the sizes at which a decoder may switch algorithms: a block of 64 bytes, a few
/// KB, a block of 16 KB.
fn long_value() -> impl Strategy<Value = Vec<u8>> {
    let len = prop_oneof![
        8 => 40_usize..140,
        2 => 240_usize..270,
        2 => 2030_usize..2070,
        1 => 16_360_usize..16_400,
    ];
    let ascii = Just(b"a".to_vec());
    let wide = select(vec![
        b"\xE4\xBD\xA0".to_vec(),
        b"\xC3\xA9".to_vec(),
        b"\xF0\x9F\x98\x80".to_vec(),
        b"\xFF".to_vec(),
        b"\xE2\x82".to_vec(),
    ]);
    let filler = prop_oneof![4 => ascii, 1 => wide];
    let odd = vec((any::<prop::sample::Index>(), atom()), 0..4);
    (len, filler, odd).prop_map(|(len, filler, odd)| {
        let mut value = filler.repeat(len.div_ceil(filler.len()));
        for (at, atom) in odd {
            let at = at.index(value.len());
            value.splice(at..at, atom);
        }
        value
    })
}

/// The most common kind of stream: many events in a row, each with one line of JSON.
fn llm_events() -> impl Strategy<Value = Vec<u8>> {
    let delta = prop_oneof![
        4 => "[a-z]{1,9}",
        1 => Just("\u{4F60}\u{597D}".to_owned()),
        1 => Just("\u{1F600} \\n".to_owned()),
    ];
    let end = select(vec!["\n\n", "\r\n\r\n", "\r\r", "\n", "\n\r\n"]);
    (vec(delta, 1..12), end).prop_map(|(deltas, end)| {
        let event = |delta| {
            format!(
                "data: {{\"id\":\"chatcmpl-9x\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"m-1\",\
                 \"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{delta}\"}},\"finish_reason\":null}}]}}{end}"
            )
        };
        deltas.iter().map(event).collect::<String>().into_bytes()
    })
}

fn tiny_events() -> impl Strategy<Value = Vec<u8>> {
    let event = select(vec![
        b"data: x\n\n".to_vec(),
        b"data:x\n\n".to_vec(),
        b"data\n\n".to_vec(),
        b"data:\r\n\r\n".to_vec(),
        b"id: 1\ndata: x\n\n".to_vec(),
        b"event: e\ndata: x\n\n".to_vec(),
        b"data: x\r\r".to_vec(),
    ]);
    (event, 1_usize..40).prop_map(|(event, count)| event.repeat(count))
}

fn garbage() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

/// How a stream is cut into chunks: chunk sizes, used in turn until the stream ends.
#[derive(Debug, Clone)]
pub(crate) struct Cuts(pub(crate) Vec<usize>);

impl Cuts {
    pub(crate) fn apply<'s>(&self, stream: &'s [u8]) -> Vec<&'s [u8]> {
        chunks(stream, &self.0)
    }
}

pub(crate) fn cuts() -> impl Strategy<Value = Cuts> {
    let size = prop_oneof![
        2 => Just(0_usize),
        4 => 1_usize..8,
        2 => 8_usize..63,
        4 => 63_usize..66,
        2 => 127_usize..130,
        2 => 130_usize..2000,
        1 => 2000_usize..20_000,
    ];
    prop_oneof![
        1 => Just(vec![usize::MAX]),
        1 => Just(vec![1]),
        1 => Just(vec![0, 1]),
        1 => select(vec![2_usize, 3, 63, 64, 65, 1400]).prop_map(|size| vec![size]),
        6 => vec(size, 1..12),
    ]
    .prop_map(Cuts)
}

pub(crate) fn limit() -> impl Strategy<Value = Limit> {
    let bytes = || {
        prop_oneof![
            4 => 0_usize..12,
            4 => 12_usize..200,
            2 => 2000_usize..2100,
            1 => 16_300_usize..16_500,
        ]
    };
    let heap = prop_oneof![
        5 => bytes(),
        4 => Just(16 << 20),
        2 => Just(usize::MAX),
    ];
    let fixed = prop_oneof![
        4 => (bytes(), bytes()),
        2 => (0_usize..8, 0_usize..8),
        3 => Just((1 << 18, 1 << 16)),
    ];
    prop_oneof![
        heap.prop_map(Limit::Heap),
        fixed.prop_map(|(data_capacity, field_capacity)| Limit::Fixed {
            data_capacity,
            field_capacity
        }),
        regions(),
    ]
}

fn regions() -> impl Strategy<Value = Limit> {
    (0_usize..40, 0_usize..12, 0_usize..12).prop_map(
        |(data_capacity, type_capacity, id_capacity)| Limit::Regions {
            data_capacity,
            type_capacity,
            id_capacity,
        },
    )
}

/// A limit that none of these streams reaches.
pub(crate) fn roomy() -> impl Strategy<Value = Limit> {
    select(vec![
        Limit::Heap(usize::MAX),
        Limit::Heap(16 << 20),
        Limit::Fixed {
            data_capacity: 1 << 20,
            field_capacity: 1 << 18,
        },
    ])
}
