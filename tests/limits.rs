//! The exact edge of the limit: an event as long as the limit is read, and with one byte more, the
//! error is returned at that byte.
//!
//! Streams contain marks for the expected items: `{m|data|id}` for an event (`m` is the type
//! `message`), `{!5}` for the error with limit 5, `{: text}` for a comment, `{retry 7}`. An item
//! must be returned with the byte before its mark, neither earlier nor later, under every two-way
//! cut, byte by byte, and with empty chunks in between. The model is checked against the same
//! marks.

mod support;

use sse_proto::Part;
use sse_proto::{Decoder, Fixed};
use support::model::{Ask, Item, Limit, Model, OwnId};
use support::run::decoder;

#[test]
fn data_as_long_as_the_limit_is_an_event_and_one_byte_more_is_an_error() {
    on_both(5, b"data:12345\n\n{m|12345|}");
    on_both(5, b"data:123456{!5}789\n\n");
    // One leading space is not part of the value; a second one is.
    on_both(5, b"data: 12345\n\n{m|12345|}");
    on_both(5, b"data:  12345{!5}\n\n");
}

#[test]
fn the_error_reports_the_limit_that_was_exceeded() {
    let mut decoder = Decoder::with_storage(Fixed::with_field_capacity([0; 3 + 3 * 4], 4));
    let error = decoder.feed(b"data:1234").next_event().unwrap_err();
    assert_eq!(error.limit(), 3);
    let text = "event exceeds the limit of 3 bytes in its data";
    assert_eq!(error.to_string(), text);
    let error = decoder.set_last_event_id("12345").unwrap_err();
    assert_eq!(error.limit(), 4);
    let text = "last event id exceeds the limit of 4 bytes";
    assert_eq!(error.to_string(), text);
}

#[test]
fn when_two_regions_are_full_at_the_same_byte_the_error_reports_that_of_the_text() {
    // The memory holds two bytes of data and four for the value of a line, as many as an event type
    // may have.
    let mut decoder = Decoder::with_storage(Fixed::with_field_capacity([0; 6 + 3 * 4], 4));
    let mut events = decoder.feed(b"data:ab\nevent:abcde");
    assert_eq!(events.next_event().unwrap_err().limit(), 6);
    let mut decoder = Decoder::with_storage(Fixed::with_field_capacity([0; 6 + 3 * 4], 4));
    let mut events = decoder.feed(b"data:a\nevent:abcde");
    assert_eq!(events.next_event().unwrap_err().limit(), 4);
}

#[test]
fn of_several_ids_the_last_one_takes_effect() {
    // Even if it makes the event too large,
    on(
        heap(10),
        b"id: 123456\nid: 65432{!10}1\ndata:\n\ndata\n\n{m||654321}",
    );
    // or has no room itself: then the block has no ID.
    on(heap(4), b"id:1\n\nid:2\nid:3456{!4}7\n\ndata\n\n{m||1}");
    on(fixed(4, 4), b"id:1\n\nid:2\nid:34567{!4}\n\ndata\n\n{m||1}");
}

#[test]
fn the_error_tells_what_was_too_large_and_which_region_was_full() {
    let new = || {
        let memory = Fixed::new([0; 4 + 2 * 3 + 9]).with_type_capacity(4);
        Decoder::with_storage(memory.with_id_capacity(3))
    };
    #[rustfmt::skip]
    let cases: [(&str, Part, usize, Part, &str); 7] = [
        ("data:0123456789", Part::Data, 9, Part::Data, "event exceeds the limit of 9 bytes in its data"),
        ("event:12345", Part::EventType, 4, Part::EventType, "event exceeds the limit of 4 bytes in its type"),
        ("id:1234", Part::Id, 3, Part::Id, "event exceeds the limit of 3 bytes in its id"),
        ("data:1234567\nid:123", Part::Id, 9, Part::Data,
            "event exceeds the limit of 9 bytes in its id, which did not fit after the data"),
        (":0123456789", Part::Comment, 9, Part::Data, "comment exceeds the limit of 9 bytes, together with the unfinished event"),
        ("x:0123456789", Part::IgnoredLine, 9, Part::Data, "ignored line exceeds the limit of 9 bytes, together with the unfinished event"),
        ("retry:012345678x\n", Part::IgnoredLine, 9, Part::Data, "ignored line exceeds the limit of 9 bytes, together with the unfinished event"),
    ];
    for (stream, part, limit, region, text) in cases {
        let error = new().feed(stream.as_bytes()).next_item().unwrap_err();
        assert_eq!((error.part(), error.limit()), (part, limit), "{stream}");
        assert_eq!(error.region(), Some(region), "{stream}");
        assert_eq!(error.to_string(), text);
    }
}

#[test]
#[cfg(feature = "alloc")]
fn the_default_limit_is_16_mebibytes() {
    let data = "x".repeat(16 * 1024 * 1024);
    let mut decoder = Decoder::new();
    let stream = format!("data:{data}\n\ndata:{data}x");
    let mut events = decoder.feed(stream.as_bytes());
    assert_eq!(events.next_event().unwrap().unwrap().data, data);
    assert_eq!(events.next_event().unwrap_err().limit(), 16 * 1024 * 1024);
}

#[test]
fn a_field_takes_at_most_a_third_of_the_memory() {
    let fixed = Fixed::with_field_capacity([0; 100], 34);
    assert_eq!((fixed.id_capacity(), fixed.data_capacity()), (33, 1));
    let fixed = Fixed::new([0; 100])
        .with_type_capacity(90)
        .with_id_capacity(usize::MAX);
    let capacities = (
        fixed.type_capacity(),
        fixed.id_capacity(),
        fixed.data_capacity(),
    );
    assert_eq!(capacities, (90, 5, 0));
    let fixed = Fixed::new([0; 9]).with_type_capacity(usize::MAX);
    assert_eq!((fixed.type_capacity(), fixed.id_capacity()), (9, 0));
    let fixed = Fixed::with_field_capacity([0; 100], usize::MAX);
    assert_eq!((fixed.id_capacity(), fixed.data_capacity()), (33, 1));
}

#[test]
fn the_rest_of_a_line_that_is_too_large_does_not_count() {
    on_both(10, b"data:xxxxxxxxxxx{!10}\xFFyyyyyyy\n:12345\n{:12345}\n");
}

#[test]
fn invalid_utf_8_after_an_incomplete_character_that_was_too_large_does_not_count() {
    on_both(10, b"data:123456789\xE4a{!10}\xFFb\n:1234567\n{:1234567}\n");
}

#[test]
fn the_type_of_an_event_that_is_too_large_does_not_count_under_any_chunking() {
    let limit = 120;
    let (long, comment) = ("x".repeat(limit), "z".repeat(limit));
    let marked = format!("data:{long}x{{!{limit}}}\nevent:y\n:{comment}\n{{:{comment}}}");
    on(heap(limit), marked.as_bytes());
    on(fixed(limit, 100), marked.as_bytes());
}

#[test]
fn invalid_utf_8_in_short_chunks_counts_before_the_next_line_starts() {
    let data = [0xFF; 33];
    let limit = 3 * data.len() + 4;
    let event = format!("\nevent:yyyyy{{!{limit}}}yyy\n\n");
    on(
        heap(limit),
        &[b"data:", &data[..], event.as_bytes()].concat(),
    );
}

#[test]
fn a_long_start_of_a_line_that_is_too_large_is_an_error_at_once() {
    let limit = 100;
    // After an event in the same chunk, and without a line terminator.
    let marked = format!(
        "data: a\n\n{{m|a|}}data: {}{{!{limit}}}xx",
        "x".repeat(limit + 1)
    );
    on_both(limit, marked.as_bytes());
}

#[test]
fn the_event_after_one_that_is_too_large_is_read() {
    on_both(
        3,
        b"data:1234{!3}5\ndata:6\nevent:7890\n\ndata:abc\n\n{m|abc|}",
    );
    on_both(
        3,
        b"data:1234{!3}\r\n\r\ndata\r\r{m||}\ndata:1\ndata:23{!3}\n\ndata:x\n\n{m|x|}",
    );
}

#[test]
fn an_event_that_is_too_large_is_reported_once() {
    on_both(
        1,
        b"data:ab{!1}cdef\ndata:abcdef\ndata\ndata\nid:abcdef\nevent:abcdef\n\ndata:ab{!1}\n\n",
    );
}

#[test]
fn the_lf_that_joins_two_data_lines_counts_from_the_colon() {
    on_both(3, b"data:1\ndata:2\n\n{m|1\n2|}");
    on_both(3, b"data:1\ndata:23{!3}\n\n");
    on_both(3, b"data:123\ndata:{!3}\n\n");
    on_both(4, b"data:123\ndata:\n\n{m|123\n|}");
    on_both(4, b"data:123\ndata: 4{!4}\n\n");
}

#[test]
fn the_lf_of_a_data_line_without_colon_counts_from_its_line_terminator() {
    on_both(3, b"data:123\ndata\n{!3}\n");
    on_both(3, b"data:123\rdata\r{!3}\n\r");
    // A longer field name is not `data`.
    on_both(3, b"data:123\ndatax{!3}\n\n{m|123|}");
    on_both(4, b"data:123\ndata\n\n{m|123\n|}");
}

#[test]
fn empty_data_lines_count_their_lf() {
    on_both(2, b"data\ndata\ndata\n\n{m|\n\n|}");
    on_both(2, b"data\ndata\ndata\ndata\n{!2}data\n\n");
    on_both(2, b"data:\ndata:\ndata:\ndata:{!2}\n\n");
}

#[test]
fn a_multi_byte_character_counts_when_it_is_complete() {
    on_both(5, "data:ab\u{20AC}\n\n{m|ab\u{20AC}|}".as_bytes());
    on_both(4, "data:ab\u{20AC}{!4}\n\n".as_bytes());
    on_both(4, "data:\u{1F600}\n\n{m|\u{1F600}|}".as_bytes());
    on_both(3, "data:\u{1F600}{!3}\n\n".as_bytes());
    on_both(1, "data:\u{E9}{!1}\n\n".as_bytes());
}

#[test]
fn a_broken_sequence_counts_the_three_bytes_of_its_replacement() {
    on_both(3, b"data:\xFF\n\n{m|\xEF\xBF\xBD|}");
    on_both(3, b"data:\xFF\x80{!3}\n\n");
    on_both(3, b"data:\xF0\x9F\x98\n\n{m|\xEF\xBF\xBD|}");
    // It counts at the byte that breaks the sequence,
    on_both(3, b"data:a\xF0\x9F\x98b{!3}\n\n");
    on_both(3, b"data:a\xF0\x9F\x98\xF0{!3}\n\n");
    // which may be the line terminator.
    on_both(2, b"data:\xE2\x82\n{!2}\n");
    on_both(2, b"data:\xE2\x82\r{!2}\n\r");
    on_both(2, b":\xE2\x82\r{!2}\n\n");
    on(heap(3), b"data:a\nid:\xFF{!3}");
    on(fixed(9, 2), b"data:a\nid:\xFF{!2}");
    // So it does in an ignored line, which does not touch the event.
    on_both(2, b"data:ok\nx{!2}:\xE2\x82\nretry:\xE2\n{!2}\n{m|ok|}");
}

#[test]
fn on_the_heap_data_type_and_id_count_together() {
    on(heap(6), b"event:12\nid:34\ndata:56\n\n{12|56|34}");
    on(heap(5), b"event:12\nid:34\ndata:56{!5}\n\n");
    on(heap(5), b"data:12\nevent:34\nid:56{!5}\n\n");
    on(heap(5), b"id:12\ndata:34\nevent:56{!5}\n\n");
    // The default type does not count.
    on(heap(1), b"data:x\nevent\n\n{m|x|}");
}

#[test]
fn a_committed_id_no_longer_counts() {
    on(
        heap(4),
        b"id:123\ndata:4\n\n{m|4|123}data:1234\n\n{m|1234|123}",
    );
    on(heap(4), b"id:123\n\ndata:1234\n\n{m|1234|123}");
    on(heap(4), b"id:12\ndata:345{!4}\n\ndata:1234\n\n{m|1234|12}");
}

#[test]
fn a_type_or_id_counts_until_the_line_that_replaces_it_has_ended() {
    on(heap(4), b"event:ab\nevent:cd\ndata:12\n\n{cd|12|}");
    on(heap(4), b"event:ab\nevent:cd\ndata:123{!4}4\n\n");
    on(heap(4), b"event:ab\nevent:cde{!4}\n\n");
    on(heap(4), b"id:ab\nid:cd\ndata:12\n\n{m|12|cd}");
    on(heap(4), b"id:ab\nid:cde{!4}");
    // Set to the empty string again, they do not count.
    on(
        heap(4),
        b"event:ab\nevent\nid:ab\nid\ndata:1234\n\n{m|1234|}",
    );
}

#[test]
fn an_id_with_nul_counts_until_its_line_ends() {
    on(heap(3), b"id:a\0b\ndata:123\n\n{m|123|}");
    on(heap(3), b"id:a\0bc{!3}\ndata\n\n");
    on(fixed(16, 3), b"id:a\0bc{!3}\ndata\n\n");
}

#[test]
fn in_fixed_memory_type_and_id_have_their_own_regions() {
    on(
        fixed(4, 3),
        b"event:abc\nid:123\ndata:wxyz\n\n{abc|wxyz|123}",
    );
    on(fixed(4, 3), b"event:abcd{!3}\ndata:x\n\n");
    on(fixed(4, 3), b"id:1234{!3}\ndata:x\n\ndata:y\n\n{m|y|}");
}

#[test]
fn in_fixed_memory_an_incomplete_line_shares_the_text_region_with_the_data() {
    on(fixed(4, 3), b"data:ab\nid:12\nevent:cd\n\n{cd|ab|12}");
    on(fixed(4, 3), b"data:ab\nid:123{!4}");
    on(fixed(4, 3), b"data:ab\nevent:123{!4}");
    on(fixed(4, 3), b"data:ab\n:123{!4}\n\n{m|ab|}");
    on(fixed(2, 9), b"event:123{!2}");
    on(fixed(3, 3), b"event:1234{!3}");
}

#[test]
fn a_comment_that_is_too_large_loses_its_line_but_not_the_event() {
    on_both(
        4,
        b"data:ab\n:cd\n{:cd}:cde{!4}fghi\n: d\n{: d}:cde{!4}\ndata:c\n\n{m|ab\nc|}",
    );
    on_both(0, b":\n{:}:c{!0}\r");
}

#[test]
fn comments_and_retry_in_a_skipped_event_are_returned() {
    on_both(
        2,
        b"data:123{!2}\n:ab\n{:ab}:abc{!2}\nretry:007\n{retry 7}data:4\n\ndata:78\n\n{m|78|}",
    );
}

#[test]
fn retry_does_not_count() {
    on_both(
        0,
        b"retry:00000000000000000000000000000000000000000000000000000000000000000009\n{retry 9}",
    );
}

#[test]
fn an_id_in_a_skipped_event_takes_effect() {
    for limit in [heap(3), fixed(3, 3)] {
        on(limit, b"data:1234{!3}\nid:abc\n\ndata\n\n{m||abc}");
        on(limit, b"data:1234{!3}\nid:a\nid\n\ndata\n\n{m||}");
        // An ID that does not fit is dropped without another error, and the block has none.
        on(limit, b"data:1234{!3}\nid:a\nid:bcde\n\ndata\n\n{m||}");
    }
    on(heap(3), b"id:ab\ndata:12{!3}\n\ndata\n\n{m||ab}");
}

#[test]
fn an_id_that_makes_the_event_too_large_takes_effect_if_it_fits_alone() {
    for limit in [heap(4), fixed(4, 4)] {
        on(limit, b"data:ab\nid:123{!4}4\ndata:x\n\ndata\n\n{m||1234}");
        // If it is too long even then, it is ignored.
        on(limit, b"data:ab\nid:123{!4}45\ndata:x\n\ndata\n\n{m||}");
    }
    // On the heap the previous ID counts until the line has ended. The last ID takes effect.
    on(heap(4), b"id:ab\nid:123{!4}\n\ndata\n\n{m||123}");
    on(heap(4), b"id:ab\ndata:1\nid:23{!4}\n\ndata\n\n{m||23}");
}

#[test]
fn with_a_limit_of_zero_empty_events_are_still_read() {
    for limit in [heap(0), fixed(0, 0)] {
        on(
            limit,
            b"data\n\n{m||}data:\n\n{m||}data: \n\n{m||}id\nevent\ndata\n\n{m||}",
        );
        on(
            limit,
            b"data:x{!0}\n\nevent:x{!0}\n\nid:x{!0}\n\ndata\n\n{m||}",
        );
        on(limit, b"data\ndata\n{!0}\n\ndata\n\n{m||}");
    }
}

#[test]
fn unrequested_comments_and_unknown_fields_do_not_count() {
    let long = "x".repeat(5000);
    let stream = format!(
        ":{long}\ndata:ab\n{long}\n{long}:{long}\r\n:{long}\ndata{long}:\nx:{long}\n \nretry:{long}\n\n{{m|ab|}}"
    );
    for limit in [heap(2), fixed(2, 0)] {
        in_pieces(limit, Ask::Events, &stream);
    }
}

#[test]
fn endless_lines_and_endless_events_are_one_error_each() {
    let long = "x".repeat(3000);
    let lines = "data:x\n".repeat(300);
    for limit in [heap(50), fixed(50, 10)] {
        in_pieces(
            limit,
            Ask::Items,
            &format!("data:{long}{{!50}}\n\ndata:ok\n\n{{m|ok|}}"),
        );
        in_pieces(
            limit,
            Ask::Items,
            &format!("{lines}{{!50}}\n\ndata:ok\n\n{{m|ok|}}"),
        );
        in_pieces(
            limit,
            Ask::Items,
            &format!("{long}{{!50}}\n:{long}{{!50}}\ndata:ok\n\n{{m|ok|}}"),
        );
    }
}

#[test]
fn without_a_limit_large_events_are_read() {
    let long = "\u{20AC}".repeat(700);
    let stream = format!(
        "event:{long}\nid:{long}\ndata:{long}\ndata:{long}\n\n{{{long}|{long}\n{long}|{long}}}"
    );
    in_pieces(heap(usize::MAX), Ask::Items, &stream);
    in_pieces(heap(16 << 20), Ask::Items, &stream);
    in_pieces(fixed(1 << 14, 1 << 12), Ask::Items, &stream);
}

#[test]
fn finish_reports_an_event_made_too_large_by_the_missing_line_terminator() {
    finish_on_both(3, b"data:123{m|123|}");
    finish_on_both(3, b"data:123\ndata{!3}");
    finish_on_both(3, b"data:1\xE2\x82{!3}");
    finish_on_both(3, b"data:\xE2\x82{m|\xEF\xBF\xBD|}");
    // `finish` returns no comment, so a comment cannot make it fail.
    finish_on_both(3, b"data:1\n:\xE2\x82{m|1|}");
}

#[test]
fn a_seed_that_the_storage_cannot_hold_is_refused_and_the_old_one_stays() {
    let mut decoder = decoder(fixed(9, 3)).unwrap();
    decoder.seed("abc").unwrap();
    assert_eq!(decoder.seed("abcd").unwrap_err().limit(), 3);
    assert_eq!(decoder.last_event_id(), "abc");
    // A seed does not count towards the event.
    let (stream, expected) = parse(b"data:123456789\n\n{m|123456789|abc}");
    let items = marked_only(decoder.read(&stream, Ask::Items));
    assert_eq!(items, expected.concat());
}

#[test]
fn on_the_heap_a_seed_may_be_longer_than_the_limit_for_what_a_stream_sends() {
    let Some(mut decoder) = decoder(heap(3)) else {
        return;
    };
    decoder.seed("abcd").unwrap();
    let (stream, expected) = parse(b"data:123\n\n{m|123|abcd}");
    let items = marked_only(decoder.read(&stream, Ask::Items));
    assert_eq!(items, expected.concat());
}

const fn heap(limit: usize) -> Limit {
    Limit::Heap(limit)
}

const fn fixed(data_capacity: usize, field_capacity: usize) -> Limit {
    Limit::Fixed {
        data_capacity,
        field_capacity,
    }
}

/// Checks a heap with `limit` bytes and a text region of the same length, for streams in which no
/// type or ID is buffered.
#[track_caller]
fn on_both(limit: usize, marked: &[u8]) {
    on(heap(limit), marked);
    on(fixed(limit, 16), marked);
}

#[track_caller]
fn on(limit: Limit, marked: &[u8]) {
    let (stream, new) = parse(marked);
    let expected = |end: usize| new[..=end].concat();

    let model = Model::new(limit, Ask::Items);
    for end in 0..new.len() {
        let after = marked_only(model.after(&stream[..end]).items);
        assert_eq!(
            after,
            expected(end),
            "the model with {limit:?}, after {end} bytes"
        );
    }

    let assert_cut = |ends: &mut dyn Iterator<Item = usize>| {
        let Some(mut decoder) = decoder(limit) else {
            return;
        };
        let mut start = 0;
        let mut items = Vec::new();
        for end in ends {
            items.extend(marked_only(decoder.read(&stream[start..end], Ask::Items)));
            assert_eq!(
                items,
                expected(end),
                "{limit:?}, at the end of {start}..{end}"
            );
            start = end;
        }
    };
    let len = stream.len();
    for at in 0..=len {
        assert_cut(&mut [at, len].into_iter());
    }
    assert_cut(&mut (1..=len));
    assert_cut(&mut (0..=len).flat_map(|end| [end, end]));
}

/// Checks the items without their positions, for streams that are too long for every cut.
#[track_caller]
fn in_pieces(limit: Limit, ask: Ask, marked: &str) {
    let (stream, expected) = parse(marked.as_bytes());
    let expected = expected.concat();
    let model = Model::new(limit, ask).after(&stream);
    assert_eq!(marked_only(model.items), expected);
    for size in [1, 3, 63, 64, 65, 1400, stream.len()] {
        let Some(mut decoder) = decoder(limit) else {
            return;
        };
        let items: Vec<Item> = stream
            .chunks(size)
            .flat_map(|chunk| marked_only(decoder.read(chunk, ask)))
            .collect();
        assert_eq!(items, expected, "{limit:?}, in chunks of {size}");
    }
}

/// The mark at the end is the expected result of `finish`.
#[track_caller]
fn finish_on_both(limit: usize, marked: &[u8]) {
    let (stream, expected) = parse(marked);
    for limit in [heap(limit), fixed(limit, 16)] {
        let Some(mut decoder) = decoder(limit) else {
            continue;
        };
        let model = Model::new(limit, Ask::Items).finish(&stream).0;
        assert_eq!(marked_only(Vec::from_iter(model)), expected.concat());
        assert_eq!(decoder.read(&stream, Ask::Items), []);
        let finished = Vec::from_iter(decoder.finish());
        assert_eq!(marked_only(finished), expected.concat());
        // After it, a new stream starts.
        assert_eq!(
            decoder.read(b"\xEF\xBB\xBFdata:x\n\n", Ask::Events).len(),
            1
        );
    }
}

/// The part of an event whose error a mark stands for: it is not compared.
const ANY_PART: Part = Part::Data;

/// Reduces items to what marks express.
fn marked_only(items: Vec<Item>) -> Vec<Item> {
    let items = items.into_iter().filter_map(|item| match item {
        Item::Event {
            event_type,
            data,
            last_event_id,
            ..
        } => Some(Item::Event {
            event_type,
            data,
            last_event_id,
            own_id: OwnId::None,
        }),
        Item::TooLarge(_, limit) => Some(Item::TooLarge(ANY_PART, limit)),
        Item::Id(_) | Item::Ignored(..) => None,
        item => Some(item),
    });
    items.collect()
}

/// Returns the stream without its marks and, for each number of bytes read, starting with 0, the
/// items expected at that point.
fn parse(marked: &[u8]) -> (Vec<u8>, Vec<Vec<Item>>) {
    let mut stream = Vec::new();
    let mut expected = vec![Vec::new()];
    let mut rest = marked.iter();
    while let Some(&byte) = rest.next() {
        if byte == b'{' {
            let mark: Vec<u8> = rest
                .by_ref()
                .copied()
                .take_while(|&byte| byte != b'}')
                .collect();
            let item = parse_item(core::str::from_utf8(&mark).expect("a mark in UTF-8"));
            expected.last_mut().expect("it was never empty").push(item);
        } else {
            stream.push(byte);
            expected.push(Vec::new());
        }
    }
    (stream, expected)
}

fn parse_item(mark: &str) -> Item {
    if let Some(limit) = mark.strip_prefix('!') {
        return Item::TooLarge(ANY_PART, limit.parse().expect("a number"));
    }
    if let Some(text) = mark.strip_prefix(':') {
        return Item::Comment(text.to_owned());
    }
    if let Some(time) = mark.strip_prefix("retry ") {
        return Item::Retry(time.parse().expect("a number"));
    }
    let mut parts = mark.split('|').map(|part| part.to_owned());
    let mut part = || parts.next().expect("type, data and id");
    Item::Event {
        event_type: match part() {
            message if message == "m" => "message".to_owned(),
            event_type => event_type,
        },
        data: part(),
        last_event_id: part(),
        own_id: OwnId::None,
    }
}
