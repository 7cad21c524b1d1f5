//! Generates the streams that the benchmarks decode and the [`frames`] that they encode: the same bytes
//! on every machine.
//!
//! [`decode`] and [`reference()`] are measured here, and in the package `peers` compared with other
//! crates.

use sse_proto::Decoder;
use std::hash::{DefaultHasher, Hash, Hasher};

pub mod frames;

/// A stream and its expected answer, so that no wrong answer is timed.
pub struct Stream {
    /// Name in tables and benchmark ids.
    pub name: &'static str,
    /// Short description.
    pub about: &'static str,
    /// The bytes of the response body.
    pub bytes: Vec<u8>,
    /// (Average) length of an event: the chunk size for one event per chunk.
    pub event_len: usize,
    /// Expected answer of [`decode`].
    pub answer: Answer,
    /// Digest of the data of all events.
    pub digest: Digest,
}

/// What a decoder reads from a stream, as two numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answer {
    /// Number of events.
    pub events: u64,
    /// Length of the data of all events, in bytes.
    pub data: u64,
}

/// A digest of the data of all events, in order.
#[derive(Debug, Clone, Default)]
pub struct Digest(DefaultHasher);

impl Digest {
    /// Adds the data of the next event.
    pub fn add(&mut self, data: &str) {
        data.hash(&mut self.0);
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.finish() == other.0.finish()
    }
}

/// All streams, each about `len` bytes long; the stream with one long line, four times that.
pub fn all(len: usize) -> Vec<Stream> {
    let mut random = Random::new();
    vec![
        // One JSON delta per event: 262 bytes.
        stream("llm", "LLM deltas, 262 B", len, &mut random, llm),
        stream("tiny", "tiny events, 9 B", len, &mut random, |event, _| {
            event.extend_from_slice(b"data: x\n\n");
            "x".to_owned()
        }),
        stream(
            "lines",
            "64 KB of 100-B lines",
            len,
            &mut random,
            |event, random| lines(event, 64_000, random),
        ),
        stream(
            "line",
            "one long line",
            len,
            &mut random,
            |event, random| line(event, 4 * len, random),
        ),
        stream(
            "cjk",
            "CJK deltas, 230 B",
            len,
            &mut random,
            |event, random| {
                let text: String = (0..60)
                    .map(|_| char::from_u32(0x4E00 + random.below(0x5000)).unwrap_or('x'))
                    .collect();
                let data =
                    format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"{text}"}}}}]}}"#);
                message(event, &data);
                data
            },
        ),
        stream(
            "crlf",
            "CRLF, types, ids",
            len,
            &mut random,
            |event, random| {
                if random.below(4) == 0 {
                    event.extend_from_slice(b": keep-alive\r\n");
                }
                let kind = ["update", "delete", "insert"][random.below(3) as usize];
                let id = random.below(1_000_000).to_string();
                let len = 20 + random.below(60) as usize;
                let data = random.words(len);
                for (name, value) in [("event", kind), ("id", &id), ("data", &data)] {
                    field(event, name, value, "\r\n");
                }
                event.extend_from_slice(b"\r\n");
                data
            },
        ),
        stream(
            "named",
            "named deltas, 130 B",
            len,
            &mut random,
            |event, random| {
                let text = random.words(18);
                let data = format!(
                    r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{text}"}}}}"#,
                );
                field(event, "event", "content_block_delta", "\n");
                message(event, &data);
                data
            },
        ),
        // Mostly idle: 20 comments, then a delta.
        stream(
            "keep-alive",
            "20 comments, 1 delta",
            len,
            &mut random,
            |event, random| {
                event.extend_from_slice(&b": keep-alive\n\n".repeat(20));
                llm(event, random)
            },
        ),
        // No byte of the data is part of a valid sequence.
        stream(
            "invalid",
            "all-invalid UTF-8",
            len,
            &mut random,
            |event, random| {
                let data: Vec<_> = (0..240)
                    .map(|_| match random.below(2) {
                        0 => 0xF8 + random.below(0x08) as u8,
                        _ => 0x80 + random.below(0x40) as u8,
                    })
                    .collect();
                message(event, &data);
                String::from_utf8_lossy(&data).into_owned()
            },
        ),
        // Words, separated in turn by a whole character, a truncated one, and a lone byte.
        stream(
            "mixed",
            "partly invalid UTF-8",
            len,
            &mut random,
            |event, random| {
                let mut data = Vec::new();
                for _ in 0..5 {
                    for odd in [
                        "\u{E9}".as_bytes(),
                        b"\xE4\xBD",
                        "\u{4F60}".as_bytes(),
                        b"\xFF",
                    ] {
                        data.extend_from_slice(random.words(10).as_bytes());
                        data.extend_from_slice(odd);
                    }
                }
                message(event, &data);
                String::from_utf8_lossy(&data).into_owned()
            },
        ),
    ]
}

/// A stream of at least `len` bytes, whose events have about `event` bytes each, on one line or on
/// many lines of 100 bytes.
pub fn growing(many_lines: bool, event: usize, len: usize) -> Stream {
    let mut random = Random::new();
    let write = if many_lines { lines } else { line };
    let (name, about) = if many_lines {
        ("lines", "events of 100-byte lines")
    } else {
        ("line", "events of one line")
    };
    stream(name, about, len, &mut random, |bytes, random| {
        write(bytes, event, random)
    })
}

impl Stream {
    /// The measured chunk sizes, with their names in tables and benchmark ids.
    pub fn chunks(&self) -> Vec<(&'static str, usize)> {
        let mut chunks = vec![
            ("1", 1),
            ("16", 16),
            ("64", 64),
            ("event", self.event_len),
            ("1400", 1400),
            ("16384", 16384),
            ("whole", self.bytes.len()),
        ];
        if self.answer.events == 1 {
            chunks.retain(|&(name, _)| name != "event");
        }
        chunks
    }
}

/// Decodes `bytes` in chunks of `size`.
pub fn decode(bytes: &[u8], size: usize) -> Answer {
    let mut decoder = Decoder::new();
    let mut answer = Answer::default();
    for chunk in bytes.chunks(size) {
        let mut events = decoder.feed(chunk);
        while let Some(event) = events.next_event().expect("no event is that large") {
            answer.events += 1;
            answer.data += std::hint::black_box(event).data.len() as u64;
        }
    }
    answer
}

/// The same with a new cursor for each event, which is fed the `rest()` of the one before.
pub fn decode_rest(bytes: &[u8], size: usize) -> Answer {
    let mut decoder = Decoder::new();
    let mut answer = Answer::default();
    for mut rest in bytes.chunks(size) {
        loop {
            let mut events = decoder.feed(rest);
            let Some(event) = events.next_event().expect("no event is that large") else {
                break;
            };
            answer.events += 1;
            answer.data += std::hint::black_box(event).data.len() as u64;
            rest = events.rest();
        }
    }
    answer
}

/// The reference: finds line terminators with `memchr2` and validates each line with `from_utf8`,
/// without state, fields and events.
pub fn reference(bytes: &[u8], size: usize) -> u64 {
    let mut valid = 0;
    for chunk in bytes.chunks(size) {
        let mut start = 0;
        for end in memchr::memchr2_iter(b'\n', b'\r', chunk).chain([chunk.len()]) {
            valid +=
                u64::from(std::str::from_utf8(std::hint::black_box(&chunk[start..end])).is_ok());
            start = end + 1;
        }
    }
    valid
}

/// Builds a stream; `event` writes the next event and returns its data.
fn stream(
    name: &'static str,
    about: &'static str,
    len: usize,
    random: &mut Random,
    mut event: impl FnMut(&mut Vec<u8>, &mut Random) -> String,
) -> Stream {
    let mut bytes = Vec::new();
    let mut answer = Answer::default();
    let mut digest = Digest::default();
    while bytes.len() < len {
        let data = event(&mut bytes, random);
        answer.data += data.len() as u64;
        answer.events += 1;
        digest.add(&data);
    }
    Stream {
        name,
        about,
        event_len: bytes.len() / answer.events as usize,
        bytes,
        answer,
        digest,
    }
}

fn llm(event: &mut Vec<u8>, random: &mut Random) -> String {
    let text = random.words(80);
    let data = format!(
        r#"{{"id":"chatcmpl-{:016x}","object":"chat.completion.chunk","created":1763800000,"model":"model-1","choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}]}}"#,
        random.number(),
    );
    message(event, &data);
    data
}

/// Writes an event of about `len` bytes on one line.
fn line(event: &mut Vec<u8>, len: usize, random: &mut Random) -> String {
    let data = random.words(len);
    message(event, &data);
    data
}

/// Writes an event of about `len` bytes in lines of 100.
fn lines(event: &mut Vec<u8>, len: usize, random: &mut Random) -> String {
    let lines: Vec<_> = (0..len / 100).map(|_| random.words(94)).collect();
    for line in &lines {
        field(event, "data", line, "\n");
    }
    event.push(b'\n');
    lines.join("\n")
}

/// Writes an event of one line of data.
fn message(event: &mut Vec<u8>, data: impl AsRef<[u8]>) {
    field(event, "data", data, "\n");
    event.push(b'\n');
}

fn field(event: &mut Vec<u8>, name: &str, value: impl AsRef<[u8]>, terminator: &str) {
    for piece in [
        name.as_bytes(),
        b": ",
        value.as_ref(),
        terminator.as_bytes(),
    ] {
        event.extend_from_slice(piece);
    }
}

/// Knuth's linear congruential generator, always with the same sequence.
pub struct Random(u64);

#[expect(clippy::new_without_default, reason = "there is only one seed")]
impl Random {
    /// The generator at the start of its sequence.
    pub fn new() -> Self {
        Self(1)
    }

    /// The next number of the sequence.
    pub fn number(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 11
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u32) -> u32 {
        (self.number() % u64::from(bound)) as u32
    }

    /// `len` bytes of lower-case words.
    pub fn words(&mut self, len: usize) -> String {
        (0..len)
            .map(|_| match self.below(32) {
                letter @ 0..26 => char::from(b'a' + letter as u8),
                _ => ' ',
            })
            .collect()
    }
}
