//! The frames of the encoder benchmarks, and their writers: each way to encode with this crate, and a
//! plain copy of the same text without any check.

use crate::Random;
use sse_proto::{Encoder, Frame};
use std::fmt::Write;

/// Frames of one kind, in the form that each writer needs.
pub struct Frames {
    /// Name in tables and benchmark ids.
    pub name: &'static str,
    /// The text of each frame.
    pub frames: Vec<Text>,
    /// Encoded length of all frames together, in bytes.
    pub bytes: usize,
    /// All writers, ours and the plain copies.
    pub writers: [Writer; 6],
}

/// The text of a frame. Empty fields are not written.
pub struct Text {
    /// The event type.
    pub event: String,
    /// The id.
    pub id: String,
    /// The data.
    pub data: String,
    /// The data, already split into lines for the plain copy.
    lines: Vec<String>,
}

/// A writer of all frames of a kind, and its name.
pub type Writer = (&'static str, fn(&Frames, &mut Output));

/// Output buffers, allocated in advance.
#[derive(Default)]
pub struct Output {
    vec: Vec<u8>,
    string: String,
    slice: Vec<u8>,
    /// Number of bytes written, to any of the buffers.
    pub written: usize,
}

/// Which fields the frames have, known at compile time as in a real program.
struct Fields<const EVENT: bool, const ID: bool>;

impl<const EVENT: bool, const ID: bool> Fields<EVENT, ID> {
    const WRITERS: [Writer; 6] = [
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
                    .expect("the slice is large enough");
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
                    .begin_event(Self::head(Frame::new(), text))
                    .expect("a String takes everything");
                event
                    .write_str(&text.data)
                    .and_then(|()| event.finish())
                    .expect("a String takes everything");
            }
            out.written = out.string.len();
        }),
    ];

    #[inline(always)]
    fn frame(text: &Text) -> Frame<'_> {
        Self::head(Frame::message(&text.data), text)
    }

    /// Includes the checks of event type and id in the measurement.
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

    /// Writes the frame as a server without checks does.
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

/// All kinds of frames.
pub fn all() -> Vec<Frames> {
    let mut random = Random::new();
    let llm = |random: &mut Random| {
        let text = random.words(65);
        format!(
            r#"{{"id":"chatcmpl-{:016x}","object":"chat.completion.chunk","created":1763800000,"model":"model-1","choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}]}}"#,
            random.number(),
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
    writers: [Writer; 6],
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
    /// Number of frames.
    pub fn count(&self) -> usize {
        self.frames.len()
    }

    /// Output buffers that are large enough.
    pub fn output(&self) -> Output {
        Output {
            slice: vec![0; self.bytes],
            ..Output::default()
        }
    }
}

impl Text {
    fn new(event: &str, id: &str, data: String) -> Self {
        Self {
            event: event.to_owned(),
            id: id.to_owned(),
            lines: data.split('\n').map(str::to_owned).collect(),
            data,
        }
    }
}
