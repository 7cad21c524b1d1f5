//! Memory: items are borrowed from the chunk where possible, nothing is allocated after warm-up,
//! and no input makes the decoder buffer more than its limit.

use allocation_counter::{AllocationInfo, measure};
use sse_proto::{Decoder, Fixed, Item, Storage};
#[cfg(feature = "alloc")]
use sse_proto::{Frame, Heap, OwnedEvent};

/// Reads all items of `stream` in chunks of `size`, including comments and errors, and returns the
/// number of events.
fn read<S: Storage>(decoder: &mut Decoder<S>, stream: &[u8], size: usize) -> usize {
    let mut count = 0;
    for chunk in stream.chunks(size) {
        let mut events = decoder.feed(chunk);
        loop {
            match events.next_item() {
                Ok(Some(Item::Event(_))) => count += 1,
                Ok(Some(_)) | Err(_) => {}
                Ok(None) => break,
            }
        }
    }
    count
}

/// Whether `part` is a subslice of `whole`, in the same memory.
fn is_within(part: &str, whole: &[u8]) -> bool {
    whole.as_ptr_range().contains(&part.as_ptr())
        && part.as_bytes().as_ptr_range().end <= whole.as_ptr_range().end
}

/// Every kind of line, text longer than a validation block, invalid bytes, and an event that is too
/// large.
fn mixture() -> Vec<u8> {
    let mut stream = Vec::new();
    for number in 0..50 {
        stream.extend(b": comment\r\nretry: 100\n");
        stream.extend(
            format!("event: type-{number}\nid: {number}\ndata: one\ndata: two\n\n").as_bytes(),
        );
        stream.extend("data: {\"delta\":\"日本語 text\"}\n\n".as_bytes());
        stream.extend(b"data: \xFF\xF0\x9F\xFF\r\r");
        stream.extend([&b"data: "[..], &[b'x'; 3000], b"\n\n"].concat());
        stream.extend([&b"data: "[..], &[b'x'; 70_000], b"\nid: skipped\n\n"].concat());
    }
    stream
}

#[test]
fn an_event_within_one_chunk_is_borrowed_from_it() {
    fn check<S: Storage>(decoder: &mut Decoder<S>) {
        let chunk =
            b"data: first\n\nevent: update\r\ndata:second\r\nid: 7\r\n\r\nretry: 1\ndata\n\n\
            : note\ndata: third\r\rdata: \xC3\xA9\n\n";
        let mut events = decoder.feed(chunk);
        let mut data = Vec::new();
        while let Some(event) = events.next_event().unwrap() {
            assert!(is_within(event.data, chunk), "{event:?}");
            assert!(
                is_within(event.event_type, chunk) || event.event_type == "message",
                "{event:?}"
            );
            data.push(event.data.to_owned());
        }
        assert_eq!(data, ["first", "second", "", "third", "é"]);
    }
    #[cfg(feature = "alloc")]
    check(&mut Decoder::new());
    check(&mut Decoder::with_storage(Fixed::new([0; 256])));
}

#[test]
fn a_comment_within_one_chunk_is_borrowed_from_it() {
    let mut decoder = Decoder::with_storage(Fixed::new([0; 256]));
    let chunk = b": heartbeat\n";
    let mut events = decoder.feed(chunk);
    let Ok(Some(Item::Comment(text))) = events.next_item() else {
        panic!("a comment is complete");
    };
    assert!(is_within(text, chunk));
}

#[test]
fn data_that_spans_chunks_is_not_borrowed() {
    let mut decoder = Decoder::with_storage(Fixed::new([0; 256]));
    assert_eq!(decoder.feed(b"data: ab").next_event(), Ok(None));
    let chunk = b"c\n\n";
    let mut events = decoder.feed(chunk);
    let event = events.next_event().unwrap().unwrap();
    assert_eq!(event.data, "abc");
    assert!(!is_within(event.data, chunk));
}

#[test]
#[cfg(feature = "alloc")]
fn events_within_one_chunk_allocate_nothing() {
    let mut decoder = Decoder::new();
    let info = measure(|| {
        read(
            &mut decoder,
            b"event: a\ndata: 1\n\ndata: 2\n\n: c\n\n",
            usize::MAX,
        );
    });
    assert_eq!(info, AllocationInfo::default());
}

#[test]
#[cfg(feature = "alloc")]
fn nothing_is_allocated_after_warm_up() {
    let stream = mixture();
    for size in [1, 7, 64, 1400, 16 * 1024, usize::MAX] {
        let mut decoder = Decoder::with_max_event_len(64 * 1024);
        let events = read(&mut decoder, &stream, size);
        assert_eq!(events, 200);
        let info = measure(|| {
            read(&mut decoder, &stream, size);
            decoder.reset();
            read(&mut decoder, &stream, size);
            decoder.finish().unwrap();
        });
        assert_eq!(info, AllocationInfo::default(), "in chunks of {size}");
    }
}

#[test]
fn fixed_memory_never_allocates() {
    let stream = mixture();
    let mut memory = vec![0; 64 * 1024];
    for size in [1, 7, 64, 1400, 16 * 1024, usize::MAX] {
        let info = measure(|| {
            let mut decoder = Decoder::with_storage(Fixed::new(&mut memory[..]));
            assert_eq!(read(&mut decoder, &stream, size), 200);
            decoder.set_last_event_id("seed").unwrap();
            decoder.reset();
            decoder.finish().unwrap();
        });
        assert_eq!(info, AllocationInfo::default(), "in chunks of {size}");
    }
}

/// 1 MiB of each kind of unending input, with a limit of 4 KiB.
#[test]
#[cfg(feature = "alloc")]
fn no_input_makes_the_decoder_buffer_more_than_the_limit() {
    const LIMIT: usize = 4096;
    let endless: [(&str, &str); 9] = [
        ("one data line", "x"),
        ("data lines", "data: x\n"),
        ("empty data lines", "data\n"),
        ("one comment", ":"),
        ("one unknown field", "unknown"),
        ("ids", "id: 0123456789abcdef\n\n"),
        (
            "ids and types that take turns",
            "id: 0123456789\nevent: 0123456789\n",
        ),
        (
            "types and data that take turns",
            "event: 0123456789\ndata: 0123456789\n",
        ),
        ("bytes that are not UTF-8", "\u{0}"),
    ];
    for (name, unit) in endless {
        let mut stream = match name {
            "one data line" | "bytes that are not UTF-8" => b"data:".to_vec(),
            _ => Vec::new(),
        };
        stream.extend(unit.as_bytes().repeat((1 << 20) / unit.len()));
        if name == "bytes that are not UTF-8" {
            stream
                .iter_mut()
                .filter(|byte| **byte == 0)
                .for_each(|byte| *byte = 0xFF);
        }
        for size in [1, 1400, usize::MAX] {
            let mut decoder = Decoder::with_max_event_len(LIMIT);
            let info = measure(|| {
                read(&mut decoder, &stream, size);
            });
            // The buffered event, the last event ID and, while a buffer grows, its old and its new
            // copy.
            let bound = 3 * LIMIT as u64;
            assert!(
                info.bytes_max <= bound,
                "{name} in chunks of {size}: {} bytes",
                info.bytes_max
            );
        }
    }
}

#[test]
#[cfg(feature = "alloc")]
fn after_a_million_ids_only_the_last_one_is_kept() {
    let mut decoder = Decoder::new();
    let info = measure(|| {
        for id in 0..1_000_000 {
            read(&mut decoder, format!("id: {id}\n\n").as_bytes(), 7);
        }
    });
    assert_eq!(decoder.last_event_id(), "999999");
    // IDs alternate between two buffers of 64 bytes each; the rest is the text that the test
    // builds.
    assert!(info.bytes_max <= 256, "{} bytes", info.bytes_max);
}

#[test]
#[cfg(feature = "alloc")]
fn a_frame_makes_its_buffer_grow_once_or_not_at_all() {
    let text = "x".repeat(172);
    let frame = Frame::message(&text);
    let len = frame.encoded_len();
    for (capacity, used, allocations) in
        [(100, 100, 1), (100 + len - 1, 100, 1), (100 + len, 100, 0)]
    {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.resize(used, b'\n');
        let mut string = String::with_capacity(capacity);
        string.push_str(&"\n".repeat(used));
        let info = measure(|| frame.encode_to_vec(&mut bytes));
        assert_eq!(info.count_total, allocations, "{used} of {capacity} bytes");
        let info = measure(|| frame.encode_to_string(&mut string));
        assert_eq!(info.count_total, allocations, "{used} of {capacity} bytes");
    }
}

#[test]
#[cfg(feature = "alloc")]
fn an_owned_event_allocates_exactly_its_size() {
    let mut decoder = Decoder::new();
    let mut events = decoder.feed(b"event: greeting\nid: 7\ndata: hello\n\n");
    let event = events.next_event().unwrap().unwrap();
    let mut owned = None;
    let info = measure(|| owned = Some(OwnedEvent::from(event)));
    assert_eq!(owned.unwrap().as_event(), event);
    assert_eq!((info.count_total, info.bytes_total), (1, 8 + 1 + 5));
}

#[test]
#[cfg(feature = "alloc")]
fn a_new_decoder_is_small_and_allocates_nothing() {
    const DECODER: Decoder<Heap> = Decoder::new();
    assert!(
        size_of_val(&DECODER) <= 256,
        "{} bytes",
        size_of_val(&DECODER)
    );
    assert_eq!(measure(|| drop(DECODER)), AllocationInfo::default());
}
