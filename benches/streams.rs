//! The streams that the benchmarks decode, made by a generator: the same bytes on every machine.
//!
//! [`decode`] and [`reference`] are what is measured on them.

use sse_proto::Decoder;
use std::fmt::Write;

/// A stream with what its decoding must give, so that no wrong answer is ever timed.
pub struct Stream {
    /// Name in tables and benchmark ids.
    pub name: &'static str,
    /// The bytes of the response body.
    pub bytes: Vec<u8>,
    /// Length of one event, or of the average one: the chunk size at which one event comes a chunk.
    pub event_len: usize,
    /// What [`decode`] has to answer.
    pub answer: Answer,
}

/// What a decoder makes of a stream, in two numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answer {
    /// Number of events.
    pub events: u64,
    /// Bytes of data of all events.
    pub data: u64,
}

/// All streams, each about `len` bytes long.
pub fn all(len: usize) -> Vec<Stream> {
    let mut random = Random::new();
    vec![
        // One JSON delta an event, about 260 bytes.
        stream("llm", len, &mut random, |event, random| {
            let text = random.words(24);
            let data = format!(
                r#"{{"id":"chatcmpl-{:016x}","object":"chat.completion.chunk","created":1763800000,"model":"model-1","choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}]}}"#,
                random.number(),
            );
            field(event, "data", &data, "\n");
            event.push('\n');
            data.len()
        }),
        stream("tiny", len, &mut random, |event, _| {
            event.push_str("data: x\n\n");
            1
        }),
        stream("lines", len, &mut random, |event, random| {
            let mut data = 0;
            for _ in 0..640 {
                let line = random.words(94);
                field(event, "data", &line, "\n");
                data += line.len() + 1;
            }
            event.push('\n');
            data - 1
        }),
        stream("line", len, &mut random, |event, random| {
            let line = random.words(len);
            field(event, "data", &line, "\n");
            event.push('\n');
            line.len()
        }),
        stream("cjk", len, &mut random, |event, random| {
            let text: String = (0..60)
                .map(|_| char::from_u32(0x4E00 + random.below(0x5000)).unwrap_or('x'))
                .collect();
            let data = format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"{text}"}}}}]}}"#);
            field(event, "data", &data, "\n");
            event.push('\n');
            data.len()
        }),
        stream("crlf", len, &mut random, |event, random| {
            if random.below(4) == 0 {
                event.push_str(": keep-alive\r\n");
            }
            field(
                event,
                "event",
                ["update", "delete", "insert"][random.below(3) as usize],
                "\r\n",
            );
            field(event, "id", &random.below(1_000_000).to_string(), "\r\n");
            let len = 20 + random.below(60) as usize;
            let data = random.words(len);
            field(event, "data", &data, "\r\n");
            event.push_str("\r\n");
            data.len()
        }),
        stream("named", len, &mut random, |event, random| {
            let text = random.words(18);
            let data = format!(
                r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{text}"}}}}"#,
            );
            field(event, "event", "content_block_delta", "\n");
            field(event, "data", &data, "\n");
            event.push('\n');
            data.len()
        }),
    ]
}

impl Stream {
    /// The chunk sizes that are measured, and their names in tables and benchmark ids.
    pub fn chunks(&self) -> [(&'static str, usize); 6] {
        [
            ("1", 1),
            ("16", 16),
            ("event", self.event_len),
            ("1400", 1400),
            ("16384", 16384),
            ("whole", self.bytes.len()),
        ]
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

/// The reference: finds the line ends with `memchr2` and validates each line with `from_utf8`. No
/// state, no fields, no events.
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

fn stream(
    name: &'static str,
    len: usize,
    random: &mut Random,
    mut event: impl FnMut(&mut String, &mut Random) -> usize,
) -> Stream {
    let mut text = String::new();
    let mut answer = Answer::default();
    while text.len() < len {
        answer.data += event(&mut text, random) as u64;
        answer.events += 1;
    }
    Stream {
        name,
        event_len: text.len() / answer.events as usize,
        bytes: text.into_bytes(),
        answer,
    }
}

fn field(event: &mut String, name: &str, value: &str, line_end: &str) {
    write!(event, "{name}: {value}{line_end}").expect("a String takes everything");
}

/// Knuth's linear congruential generator: the same sequence for ever.
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
