//! The frames that the encoder benchmarks write, and all who write them: this crate, a plain copy
//! of the same text without any check, and the fastest safe peers.

use bytes::BytesMut;
use bytestring::ByteString;
use sse_proto::{Encoder, Frame};
use std::fmt::Write;
use tokio_util::codec::Encoder as _;

/// Frames of one kind, in the form that each writer takes them in.
pub(crate) struct Frames {
    /// Name in tables and benchmark ids.
    pub(crate) name: &'static str,
    frames: Vec<Text>,
    /// Bytes of all frames together, when they are written.
    pub(crate) bytes: usize,
    /// All who write them, ours first.
    pub(crate) writers: [Writer; 8],
}

struct Text {
    event: String,
    id: String,
    data: String,
    /// The data cut into lines beforehand: the plain copy does not look for them.
    lines: Vec<String>,
    /// Peers that own their text get it as cheaply as they can take it.
    russe: russe::Message,
}

/// A writer of all frames of a kind, and its name.
pub(crate) type Writer = (&'static str, fn(&Frames, &mut Output));

/// Memory that writers have in advance.
#[derive(Default)]
pub(crate) struct Output {
    vec: Vec<u8>,
    string: String,
    bytes: BytesMut,
    slice: Vec<u8>,
    /// Bytes written, in whatever place.
    pub(crate) written: usize,
}

/// Which fields the frames have: the program that writes them knows it, and so does the compiler.
struct Fields<const EVENT: bool, const ID: bool>;

impl<const EVENT: bool, const ID: bool> Fields<EVENT, ID> {
    /// Ours first, and the plain copies before the peers.
    const WRITERS: [Writer; 8] = [
        ("vec", |frames, out| {
            out.vec.clear();
            for text in &frames.frames {
                Self::frame(text).encode_to_vec(&mut out.vec);
            }
            out.written = out.vec.len();
        }),
        ("plain vec", |frames, out| {
            out.vec.clear();
            for text in &frames.frames {
                Self::copy(text, |piece| out.vec.extend_from_slice(piece.as_bytes()));
            }
            out.written = out.vec.len();
        }),
        ("slice", |frames, out| {
            let mut start = 0;
            for text in &frames.frames {
                start += Self::frame(text)
                    .encode_to_slice(&mut out.slice[start..])
                    .expect("there is room");
            }
            out.written = start;
        }),
        ("plain slice", |frames, out| {
            let mut start = 0;
            for text in &frames.frames {
                Self::copy(text, |piece| {
                    out.slice[start..start + piece.len()].copy_from_slice(piece.as_bytes());
                    start += piece.len();
                });
            }
            out.written = start;
        }),
        ("fmt", |frames, out| {
            out.string.clear();
            for text in &frames.frames {
                Self::frame(text)
                    .encode_to_fmt(&mut out.string)
                    .expect("a String takes everything");
            }
            out.written = out.string.len();
        }),
        ("writer", |frames, out| {
            out.string.clear();
            let mut encoder = Encoder::new(&mut out.string);
            for text in &frames.frames {
                let mut event = encoder
                    .begin(Self::head(Frame::new(), text))
                    .expect("a String takes everything");
                event
                    .write_str(&text.data)
                    .and_then(|()| event.finish())
                    .expect("a String takes everything");
            }
            out.written = out.string.len();
        }),
        ("russe", |frames, out| {
            out.bytes.clear();
            for text in &frames.frames {
                russe::Encoder::default()
                    .encode(russe::Event::Message(text.russe.clone()), &mut out.bytes)
                    .expect("all fields are valid");
            }
            out.written = out.bytes.len();
        }),
        ("sse-stream", |frames, out| {
            out.written = 0;
            for text in &frames.frames {
                let mut sse = sse_stream::Sse::default().data(text.data.as_str());
                if EVENT {
                    sse = sse.event(text.event.as_str());
                }
                if ID {
                    sse = sse.id(text.id.as_str());
                }
                let bytes = sse.encode().expect("all fields are valid");
                out.written += std::hint::black_box(bytes).len();
            }
        }),
    ];

    #[inline(always)]
    fn frame(text: &Text) -> Frame<'_> {
        Self::head(Frame::message(&text.data), text)
    }

    /// With the checks of event type and id: they are part of what is measured.
    #[inline(always)]
    fn head<'a>(mut frame: Frame<'a>, text: &'a Text) -> Frame<'a> {
        if EVENT {
            frame = frame.event(&text.event).expect("an event type");
        }
        if ID {
            frame = frame.id(&text.id).expect("an id");
        }
        frame
    }

    /// What a server without checks does.
    #[inline(always)]
    fn copy(text: &Text, mut put: impl FnMut(&str)) {
        if EVENT {
            put("event: ");
            put(&text.event);
            put("\n");
        }
        if ID {
            put("id: ");
            put(&text.id);
            put("\n");
        }
        for line in &text.lines {
            put("data: ");
            put(line);
            put("\n");
        }
        put("\n");
    }
}

/// The four kinds of frames.
pub(crate) fn all() -> Vec<Frames> {
    let mut random = Random(1);
    let llm = |random: &mut Random| {
        let text = random.words(65);
        format!(
            r#"{{"id":"chatcmpl-{:016x}","object":"chat.completion.chunk","created":1763800000,"model":"model-1","choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}]}}"#,
            random.next(),
        )
    };
    let tokens = |random: &mut Random| {
        let text = random.words(6);
        format!(
            r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{text}"}}}}"#
        )
    };
    vec![
        frames("llm", Fields::<false, false>::WRITERS, 64, || {
            Text::new("", "", llm(&mut random))
        }),
        frames("event+data", Fields::<true, false>::WRITERS, 64, || {
            Text::new("content_block_delta", "", tokens(&mut random))
        }),
        frames("event+id+data", Fields::<true, true>::WRITERS, 64, || {
            let id = random.below(1_000_000).to_string();
            let event = ["update", "delete", "insert"][random.below(3) as usize];
            Text::new(event, &id, random.words(80))
        }),
        frames("tiny", Fields::<false, false>::WRITERS, 64, || {
            Text::new("", "", "x".to_owned())
        }),
        frames("lines", Fields::<false, false>::WRITERS, 8, || {
            let lines: Vec<_> = (0..100).map(|_| random.words(100)).collect();
            Text::new("", "", lines.join("\n"))
        }),
    ]
}

fn frames(
    name: &'static str,
    writers: [Writer; 8],
    count: usize,
    text: impl FnMut() -> Text,
) -> Frames {
    let mut frames = Frames {
        name,
        frames: std::iter::repeat_with(text).take(count).collect(),
        bytes: 0,
        writers,
    };
    let [_, (_, plain), ..] = writers;
    let mut expected = Output::default();
    plain(&frames, &mut expected);
    frames.bytes = expected.written;
    // All give the same bytes, but that peers have their fields in another order.
    let mut out = frames.output();
    for (writer, write) in writers {
        write(&frames, &mut out);
        assert_eq!(out.written, frames.bytes, "{name}: {writer}");
        if writer == "vec" {
            assert_eq!(out.vec, expected.vec, "{name}");
        }
    }
    assert_eq!(out.slice, expected.vec, "{name}");
    assert_eq!(out.string.as_bytes(), expected.vec, "{name}");
    frames
}

impl Frames {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.frames.len()
    }

    /// Memory that they fit in.
    pub(crate) fn output(&self) -> Output {
        Output {
            slice: vec![0; self.bytes],
            ..Output::default()
        }
    }
}

impl Text {
    fn new(event: &str, id: &str, data: String) -> Self {
        let some = |text: &str| (!text.is_empty()).then(|| ByteString::from(text));
        Self {
            event: event.to_owned(),
            id: id.to_owned(),
            russe: russe::Message {
                data: data.clone().into(),
                event: some(event),
                retry: None,
                id: some(id),
            },
            lines: data.split('\n').map(str::to_owned).collect(),
            data,
        }
    }
}

/// Knuth's linear congruential generator: the same sequence for ever.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 11
    }

    fn below(&mut self, bound: u32) -> u32 {
        (self.next() % u64::from(bound)) as u32
    }

    /// `len` bytes of lower-case words.
    fn words(&mut self, len: usize) -> String {
        (0..len)
            .map(|_| match self.below(32) {
                letter @ 0..26 => char::from(b'a' + letter as u8),
                _ => ' ',
            })
            .collect()
    }
}
