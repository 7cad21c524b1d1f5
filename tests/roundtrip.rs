//! A decoder reads exactly the fields that a frame was made of: under every cut, with every
//! encoding method, for text that imitates the format.

#[path = "support/bodies/mod.rs"]
mod bodies;
mod support;

use core::fmt::{self, Write};
use core::time::Duration;
use std::slice;

use bodies::frames::{LINE_TERMINATORS, NOT_IN_ID, Owned, decode, encode, event, expected, lines};
use bodies::input::List;
use bodies::{round_trip, writer};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use sse_proto::{Encoder, Frame};
use support::model::{Item, OwnId};

/// Text that imitates the format, and lengths on both sides of every block size.
fn text() -> impl Strategy<Value = String> {
    let atoms = [
        "\r", "\n", "\r\n", "\n\n", "\r\r", "\n\r", " ", "  ", ":", "\0", "\t", "\x0B", "\x0C",
        "\x0E", "\x1C", "\x7F", "\u{85}", "\u{2028}", "\u{feff}", "\u{fffd}", "é", "€", "😀",
        "data: x", "data", "data:", "event: x", "id: 9", "id", "retry: 1", ": x", "x",
    ];
    let long = (1..300_usize).prop_map(|len| "long ".repeat(60)[..len].to_owned());
    let atom = prop_oneof![12 => select(atoms.map(str::to_owned).to_vec()), 1 => long];
    vec(atom, 0..8).prop_map(|atoms| atoms.concat())
}

/// Text without the characters that this field refuses.
fn field(forbidden: &'static [char]) -> impl Strategy<Value = String> {
    text().prop_map(move |text| text.replace(forbidden, ""))
}

fn frame() -> impl Strategy<Value = Owned> {
    let retry = prop_oneof![any::<u64>(), 0..100_u64, Just(u64::MAX)];
    let some = prop::option::of::<BoxedStrategy<String>>;
    (
        some(text().boxed()),
        some(field(LINE_TERMINATORS).boxed()),
        some(field(NOT_IN_ID).boxed()),
        prop::option::weighted(0.2, retry),
        prop::option::weighted(0.8, text()),
    )
        .prop_map(|(comment, event, id, retry, data)| Owned {
            comment,
            event,
            id,
            retry,
            data,
        })
}

fn op() -> impl Strategy<Value = writer::Op> {
    use writer::Op;
    let event = (frame(), vec(text(), 0..6), prop::bool::weighted(0.8));
    prop_oneof![
        1 => frame().prop_map(Op::Frame),
        4 => event.prop_map(|(head, writes, is_finished)| Op::Event { head, writes, is_finished }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn frames_decode_to_the_fields_they_were_made_of(
        frames in vec(frame(), 0..6),
        sizes in vec(0..40_usize, 1..12),
    ) {
        round_trip::check_decoded(&frames, &sizes);
    }

    #[test]
    fn all_encoding_methods_match_the_naive_encoder(frame in frame(), short in any::<usize>()) {
        round_trip::check_encoding_methods(&frame, short);
    }

    #[test]
    fn an_event_written_in_pieces_equals_the_frame_with_all_its_data(
        ops in vec(op(), 0..4),
        fails_at in prop_oneof![0..60_u16, Just(u16::MAX)],
        taken in any::<u8>(),
    ) {
        writer::check(&writer::Case { fails_at, taken, ops: List(ops) });
    }

    #[test]
    fn decoded_events_can_be_encoded_and_decode_to_the_same(
        lines in vec(
            ("(data|event|id|retry|)", ":? ?", text(), "(\r|\n|\r\n|\n\n|\r\r)"),
            0..24,
        ),
        garbage in vec(any::<u8>(), 0..8),
        at in any::<Index>(),
    ) {
        let lines = lines
            .into_iter()
            .map(|(name, colon, value, end)| name + &colon + &value + &end);
        let mut stream = lines.collect::<String>().into_bytes();
        let at = at.index(stream.len() + 1);
        stream.splice(at..at, garbage);

        let items = decode([&stream[..]]);
        let items: Vec<_> = items.into_iter().filter(has_effect).collect();
        let frames: Vec<_> = items.iter().map(forwarded).collect();
        prop_assert_eq!(decode([&encode(&frames)[..]]), items);
    }
}

fn has_effect(item: &Item) -> bool {
    !matches!(item, Item::Ignored(..))
}

/// The frame with which a gateway forwards an item.
fn forwarded(item: &Item) -> Owned {
    match item.clone() {
        Item::TooLarge(..) | Item::Ignored(..) => unreachable!("{item:?}"),
        Item::Id(id) => Owned {
            id: Some(id),
            ..Owned::default()
        },
        Item::Comment(text) => Owned {
            comment: Some(text),
            ..Owned::default()
        },
        Item::Retry(time) => Owned {
            retry: Some(time),
            ..Owned::default()
        },
        Item::Event {
            event_type,
            data,
            last_event_id,
            own_id,
        } => Owned {
            event: Some(event_type),
            id: (own_id == OwnId::Set).then_some(last_event_id),
            data: Some(data),
            ..Owned::default()
        },
    }
}

#[test]
fn every_cut_of_a_hostile_frame_gives_the_same_items() {
    let frame = Owned {
        comment: Some("\u{feff}data: no\r\r\nevent: no\n".into()),
        event: Some(" \u{feff}e\0:".into()),
        id: Some(" 7 😀".into()),
        retry: Some(10),
        data: Some("\u{feff} a\r\rdata: b\0\r\n\r\n:c\u{85}\u{2028}\x0B\x0C\n\n😀\n".into()),
    };
    let frames = [frame.clone(), frame];
    let (bytes, expected) = (encode(&frames), expected(&frames));
    assert_eq!(decode(bytes.chunks(1)), expected);
    for first in 0..bytes.len() {
        for second in first..bytes.len() {
            let (head, tail) = bytes.split_at(second);
            let (head, middle) = head.split_at(first);
            assert_eq!(
                decode([head, middle, tail]),
                expected,
                "cut at {first} and {second}"
            );
        }
    }
}

/// Injections that worked against h3, Hono, Spring, Nest, FastAPI, Javalin, fastify-sse-v2, warp,
/// async-sse and others.
const INJECTIONS: [&str; 14] = [
    "x\rdata: pwn\r\r",
    "x\ndata: pwn\n\n",
    "x\r\ndata: pwn\r\n\r\n",
    "x\n\ndata: pwn",
    "x\r\rdata: pwn",
    "x\r\n\r\ndata: pwn\r\n\r\n",
    "x\n\nevent: admin\ndata: pwn\n\n",
    "x\rid: 666\r\rdata: pwn\r\r",
    "x\nretry: 1\n\n",
    "x\n\n: pwn\n\n",
    "\n\ndata: pwn\n\n",
    "\r\rdata: pwn\r\r",
    "x\r",
    "x\n\r\n\r",
];

#[test]
fn no_field_can_inject_a_line() {
    for injection in INJECTIONS {
        let position = injection.find(['\r', '\n']).unwrap();
        let byte = injection.as_bytes()[position];
        for (name, refused) in [
            ("event", Frame::message("x").event(injection)),
            ("id", Frame::message("x").id(injection)),
        ] {
            let error = refused.expect_err(injection);
            assert_eq!(
                (error.field(), error.position(), error.byte()),
                (name, position, byte)
            );
        }
        let data = lines(injection).join("\n");
        let comments: Vec<_> = lines(injection).into_iter().map(Item::Comment).collect();

        let only = Frame::message(injection).to_string();
        assert_eq!(decode([only.as_bytes()]), [event("message", &data, "")]);
        let only = Frame::new().comment(injection).to_string();
        assert_eq!(decode([only.as_bytes()]), comments);
        let both = Frame::message(injection)
            .comment(injection)
            .id("7")
            .unwrap()
            .to_string();
        let items = [comments, vec![event("message", &data, "7")]].concat();
        assert_eq!(decode(both.as_bytes().chunks(1)), items);

        // The same when it is written character by character.
        let mut encoder = Encoder::new(String::new());
        let mut writer = encoder.begin_event(Frame::new()).unwrap();
        for character in injection.chars() {
            writer.write_char(character).unwrap();
        }
        writer.finish().unwrap();
        assert_eq!(
            decode([encoder.get_ref().as_bytes()]),
            [event("message", &data, "")]
        );
    }
}

/// Texts are scanned word by word: two matches in one word must not cancel each other out.
#[test]
fn two_line_terminators_are_found_at_any_distance() {
    for len in 2..=40 {
        for (first, second) in
            (0..len).flat_map(|first| (0..first).map(move |second| (second, first)))
        {
            let mut text = vec![b'x'; len];
            text[first] = b'\n';
            text[second] = b'\n';
            let text = String::from_utf8(text).unwrap();

            let error = Frame::new().event(&text).unwrap_err();
            assert_eq!((error.position(), error.byte()), (first, b'\n'), "{text:?}");
            let lines = text.replace('\n', "\ndata: ");
            assert_eq!(
                Frame::message(&text).to_string(),
                format!("data: {lines}\n\n")
            );
        }
    }
}

#[test]
fn a_special_byte_is_found_at_any_position_in_a_text_of_any_length() {
    let sizes = [16, 32, 64, 128, 256, 512].into_iter();
    let lengths = (0..=34).chain(sizes.flat_map(|size| size - 2..=size + 2));
    let fills: [fn(usize) -> String; 2] = [|len| "x".repeat(len), beyond_ascii];
    for len in lengths {
        for position in 0..len {
            for byte in [b'\n', b'\r', b'\0', b'\t', 0x0B, 0x0C, 0x0E] {
                for fill in fills {
                    let care = char::from(byte).to_string();
                    let text = [fill(position), care, fill(len - 1 - position)].concat();

                    let owned = Owned {
                        data: Some(text.clone()),
                        ..Owned::default()
                    };
                    let encoded = encode(slice::from_ref(&owned));
                    assert_eq!(encoded, owned.naive(), "{byte} at {position} of {len}");

                    let found = |result: Result<Frame<'_>, sse_proto::InvalidField>| {
                        result.err().map(|error| (error.position(), error.byte()))
                    };
                    let expected = Some((position, byte));
                    let is_line_end = matches!(byte, b'\n' | b'\r');
                    let event = found(Frame::new().event(&text));
                    assert_eq!(event, expected.filter(|_| is_line_end));
                    let id = found(Frame::new().id(&text));
                    assert_eq!(id, expected.filter(|_| is_line_end || byte == 0));
                }
            }
        }
    }
}

/// A text of `len` bytes, all non-ASCII unless `len` is 1.
fn beyond_ascii(len: usize) -> String {
    let (first, rest) = match len {
        1 => ("x", 0),
        _ if len % 2 == 1 => ("\u{20AC}", len - 3),
        _ => ("", len),
    };
    first.to_owned() + &"\u{E9}".repeat(rest / 2)
}

#[test]
fn every_line_is_counted_for_any_number_of_short_lines() {
    for count in [0, 1, 127, 128, 254, 255, 256, 257, 511, 512, 1000] {
        for line_end in ["\n", "\r", "\r\n", "x\n"] {
            let text = line_end.repeat(count);
            let encoded = encode(&[Owned {
                data: Some(text.clone()),
                ..Owned::default()
            }]);
            assert_eq!(
                encoded.len(),
                "data: \n".len() * (count + 1) + 1 + text.matches('x').count()
            );
            assert_eq!(Frame::message(&text).encoded_len(), encoded.len());
        }
    }
}

#[test]
fn the_error_for_a_refused_field_names_field_and_position() {
    let error = Frame::message("x").event("ab\r\n").unwrap_err();
    assert_eq!(error.to_string(), "event: CR at byte 2");
    let error = Frame::message("x").event("ab\n").unwrap_err();
    assert_eq!(error.to_string(), "event: LF at byte 2");
    let error = Frame::message("x").id("\0\n").unwrap_err();
    assert_eq!(error.to_string(), "id: NUL at byte 0");
    assert!(Frame::message("x").event("\0").is_ok());
}

#[test]
fn the_error_for_a_small_buffer_reports_the_needed_length() {
    let error = Frame::message("x")
        .encode_to_slice(&mut [0; 8])
        .unwrap_err();
    assert_eq!(error.to_string(), "frame needs a buffer of 9 bytes");
}

#[test]
fn frames_can_be_built_in_constants() {
    const DONE: Frame<'_> = match Frame::message("[DONE]").event("end") {
        Ok(frame) => frame.comment(" that is all").retry(Duration::from_secs(60)),
        Err(_) => panic!("no event type"),
    };
    assert_eq!(
        DONE.to_string(),
        ": that is all\nevent: end\nretry: 60000\ndata: [DONE]\n\n"
    );
    const REFUSED: bool = Frame::new().id("a long id with a line end\n").is_err();
    const { assert!(REFUSED) };
}

#[test]
fn a_later_field_replaces_an_earlier_one() {
    let frame = Frame::message("x").event("a").unwrap().event("b").unwrap();
    let frame = frame
        .id("1")
        .unwrap()
        .id("2")
        .unwrap()
        .comment("3")
        .comment("4");
    let frame = frame.retry(Duration::ZERO).retry(Duration::from_millis(5));
    assert_eq!(
        frame.to_string(),
        ":4\nevent: b\nid: 2\nretry: 5\ndata: x\n\n"
    );
    assert_eq!(
        frame.event("").unwrap().to_string(),
        ":4\nid: 2\nretry: 5\ndata: x\n\n"
    );
}

#[test]
fn retry_is_rounded_up_to_whole_milliseconds() {
    let powers = (0..20).map(|power| 10_u64.pow(power));
    for millis in powers
        .flat_map(|power| [power - 1, power, power + 1])
        .chain([u64::MAX])
    {
        let frame = Frame::new()
            .retry(Duration::from_millis(millis))
            .to_string();
        assert_eq!(frame, format!("retry: {millis}\n"));
        assert_eq!(decode([frame.as_bytes()]), [Item::Retry(millis)]);
    }
    let written = |time| Frame::new().retry(time).to_string();
    assert_eq!(written(Duration::from_nanos(1)), "retry: 1\n");
    assert_eq!(written(Duration::from_nanos(999_999)), "retry: 1\n");
    assert_eq!(written(Duration::from_nanos(1_000_000)), "retry: 1\n");
    assert_eq!(written(Duration::from_nanos(1_000_001)), "retry: 2\n");
    assert_eq!(written(Duration::MAX), "retry: 18446744073709551615\n");
}

#[test]
fn frames_without_data_do_not_affect_others() {
    let frames = [
        Frame::new(),
        Frame::keep_alive(),
        Frame::message("a"),
        Frame::new().retry(Duration::from_millis(5)),
        Frame::message("b"),
        Frame::new().id("9").unwrap(),
        Frame::keep_alive(),
        Frame::message("c"),
    ];
    let stream: String = frames.iter().map(Frame::to_string).collect();
    let inherited = Item::Event {
        event_type: "message".into(),
        data: "c".into(),
        last_event_id: "9".into(),
        own_id: OwnId::None,
    };
    assert_eq!(
        decode([stream.as_bytes()]),
        [
            Item::Comment(String::new()),
            event("message", "a", ""),
            Item::Retry(5),
            event("message", "b", ""),
            Item::Id("9".into()),
            Item::Comment(String::new()),
            inherited,
        ]
    );
}

/// A sink in which an empty write would end the stream, as in a chunked HTTP body.
#[derive(Default)]
struct Chunked(String);

impl Write for Chunked {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        assert!(!text.is_empty(), "empty chunk after {:?}", self.0);
        self.0.push_str(text);
        Ok(())
    }
}

#[test]
fn no_empty_piece_is_written() {
    let frames = [
        Frame::new(),
        Frame::keep_alive(),
        Frame::message(""),
        Frame::message("\n\r\n").comment("\n").id("").unwrap(),
    ];
    let mut encoder = Encoder::new(Chunked::default());
    for frame in frames {
        frame.encode_to_fmt(&mut Chunked::default()).unwrap();
        encoder.write_frame(&frame).unwrap();
        let mut event = encoder.begin_event(frame).unwrap();
        for piece in ["", "\r", "\n", "", "\n", "x\n"] {
            event.write_str(piece).unwrap();
        }
        event.finish().unwrap();
    }
}

/// A sink that accepts a number of writes, refuses one, and accepts all later ones.
struct Failing {
    text: String,
    left: usize,
}

impl Write for Failing {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let left = self.left.checked_sub(1);
        self.left = left.unwrap_or(usize::MAX);
        left.ok_or(fmt::Error)?;
        self.text.push_str(text);
        Ok(())
    }
}

/// Writes three frames until an error occurs, the second one in pieces. Returns how many were
/// reported as written.
fn write_three(encoder: &mut Encoder<Failing>) -> usize {
    let mut written = 0;
    written += usize::from(encoder.write_frame(&Frame::message("1\n1")).is_ok());
    if let Ok(mut event) = encoder.begin_event(Frame::new().event("e").unwrap()) {
        // A caller that ignores an error still cannot finish the event.
        let _ = event.write_str("2\r");
        let _ = event.write_str("\n2");
        written += usize::from(event.finish().is_ok());
    }
    written += usize::from(encoder.write_frame(&Frame::message("3")).is_ok());
    written
}

#[test]
fn a_write_error_never_leaves_a_partial_event_that_looks_complete() {
    let all = [
        event("message", "1\n1", ""),
        event("e", "2\n2", ""),
        event("message", "3", ""),
    ];
    for left in 0.. {
        let text = String::new();
        let mut encoder = Encoder::new(Failing { text, left });
        let written = write_three(&mut encoder);
        assert_eq!(encoder.is_broken(), written < 3);
        assert_eq!(decode([encoder.get_ref().text.as_bytes()]), all[..written]);
        if written == 3 {
            break;
        }
        // Even though the sink accepts writes again.
        let length = encoder.get_ref().text.len();
        assert!(encoder.write_frame(&Frame::keep_alive()).is_err());
        assert!(encoder.begin_event(Frame::keep_alive()).is_err());
        assert_eq!(encoder.into_inner().text.len(), length);
    }
}

#[test]
fn an_encoder_with_an_unfinished_event_refuses_more() {
    let mut encoder = Encoder::new(String::new());
    encoder.write_frame(&Frame::message("whole")).unwrap();
    let mut event = encoder.begin_event(Frame::message("ha")).unwrap();
    event.write_str("lf\n").unwrap();
    drop(event);
    assert!(encoder.is_broken());
    assert_eq!(
        encoder.write_frame(&Frame::message("next")),
        Err(fmt::Error)
    );
    assert!(encoder.begin_event(Frame::message("next")).is_err());
    assert_eq!(encoder.get_ref(), "data: whole\n\ndata: half\ndata: ");
    let whole = [self::event("message", "whole", "")];
    assert_eq!(decode([encoder.into_inner().as_bytes()]), whole);
}

#[test]
fn a_crlf_split_across_two_writes_is_one_line_terminator() {
    let mut encoder = Encoder::new(String::new());
    let mut event = encoder.begin_event(Frame::message("a\r")).unwrap();
    for piece in ["", "\n", "\n", "b\r", "c\r", "", "", "\n\r", "\n"] {
        event.write_str(piece).unwrap();
    }
    event.finish().unwrap();
    let data = "a\n\nb\nc\n\n";
    assert_eq!(
        decode([encoder.get_ref().as_bytes()]),
        [self::event("message", data, "")]
    );
}
