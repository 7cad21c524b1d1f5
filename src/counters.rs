//! Counters of the bytes that the decoder scans and moves, for tests of its worst case.
//!
//! Outside of this crate's own tests, both functions are empty.

#[cfg(not(test))]
#[inline(always)]
pub(crate) fn scanned(_bytes: usize) {}

#[cfg(not(test))]
#[inline(always)]
pub(crate) fn moved(_bytes: usize) {}

#[cfg(test)]
pub(crate) use counting::{moved, scanned, take};

#[cfg(test)]
mod counting {
    extern crate std;
    use core::cell::Cell;

    std::thread_local! {
        static SCANNED: Cell<usize> = const { Cell::new(0) };
        static MOVED: Cell<usize> = const { Cell::new(0) };
    }

    pub(crate) fn scanned(bytes: usize) {
        SCANNED.set(SCANNED.get() + bytes);
    }

    pub(crate) fn moved(bytes: usize) {
        MOVED.set(MOVED.get() + bytes);
    }

    /// Bytes scanned and bytes moved on this thread since the last call.
    pub(crate) fn take() -> (usize, usize) {
        (SCANNED.take(), MOVED.take())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::take;
    use crate::{Decoder, Fixed};
    use std::{string::String, vec, vec::Vec};

    /// Streams that could make a decoder scan or move the same bytes again and again.
    fn hostile(len: usize) -> Vec<(&'static str, Vec<u8>)> {
        let fill = |start: &[u8], unit: &[u8], end: &[u8]| {
            let mut stream = start.to_vec();
            while stream.len() < len {
                stream.extend(unit);
            }
            stream.extend(end);
            stream
        };
        vec![
            ("one line", fill(b"data:", b"x", b"\n\n")),
            (
                "one line of three-byte characters",
                fill(b"data:", "日".as_bytes(), b"\n\n"),
            ),
            (
                "one line of invalid bytes",
                fill(b"data:", b"\xFF", b"\n\n"),
            ),
            (
                "one line, one byte in a hundred invalid",
                fill(
                    b"data:",
                    &[[b'x'; 99].as_slice(), b"\xFF"].concat(),
                    b"\n\n",
                ),
            ),
            (
                "lines, each with an invalid byte",
                fill(b"", b"data: xxxxxxxxxxxxxxxx\xFF\n", b"\n"),
            ),
            (
                "events, each with an invalid byte",
                fill(b"", b"data: xxxxxxxxxxxxxxxx\xFF\n\n", b""),
            ),
            (
                "valid events, then a broken character",
                fill(
                    b"",
                    &[b"data: x\n\n".repeat(99).as_slice(), b"\xF0\x9F"].concat(),
                    b"",
                ),
            ),
            (
                "lines of one event",
                fill(b"", b"data: 0123456789\n", b"\n"),
            ),
            ("empty lines of one event", fill(b"", b"data\n", b"\n")),
            ("lines of a byte", fill(b"", b"x\n", b"")),
            ("lines of data, cut behind their first byte", {
                let event = [b"data:".as_slice(), &[b'\xFF'; 57], b"\n\n"].concat();
                fill(&[&[b':'; 62], b"\n".as_slice()].concat(), &event, b"")
            }),
            ("data of tabs", fill(b"data:", b"\t", b"\n\n")),
            (
                "lines of tabs",
                fill(b"", &[[b'\t'; 39].as_slice(), b"\n"].concat(), b""),
            ),
            ("blank lines", fill(b"", b"\n", b"")),
            ("blank lines, CRLF", fill(b"", b"\r\n", b"")),
            ("tiny events", fill(b"", b"data\n\n", b"")),
            ("short events", fill(b"", b"data: 0123456789\n\n", b"")),
            (
                "short events of three-byte characters",
                fill(b"", "data: 日本語日本語\n\n".as_bytes(), b""),
            ),
            (
                "events of a type and an id",
                fill(b"", "event: délta\nid: 日本\ndata: x\n\n".as_bytes(), b""),
            ),
            ("ids", fill(b"", b"id: 0123456789\n\n", b"")),
            ("long data, then types and ids that take turns", {
                let data = fill(b"data:", b"x", b"\n");
                fill(&data, b"event: 0123456789\nid: 0123456789\n", b"\n")
            }),
            (
                "data, types and ids that take turns",
                fill(b"", b"data: 01\nevent: 234\nid: 5\n", b"\n"),
            ),
            ("one comment", fill(b":", b"x", b"\n")),
            ("one unknown field", fill(b"unknown:", b"x", b"\n")),
            ("one name", fill(b"x", b"x", b"\n")),
            ("one retry", fill(b"retry:", b"1", b"\n")),
            (
                "events too large",
                fill(
                    b"",
                    &[
                        b"data:".as_slice(),
                        &[b'x'; 70_000],
                        b"\nid:",
                        &[b'x'; 70_000],
                        b"\n\n",
                    ]
                    .concat(),
                    b"",
                ),
            ),
        ]
    }

    /// The largest numbers of bytes scanned and moved per byte of input.
    fn most(decode: impl Fn(&[u8], usize)) -> (f64, f64) {
        let mut most = (0.0, 0.0, String::new(), String::new());
        for (name, stream) in hostile(100_000) {
            for size in [1, 2, 3, 7, 16, 33, 63, 64, 65, 1400, 20_000, usize::MAX] {
                take();
                decode(&stream, size);
                let (scanned, moved) = take();
                let of_input = |bytes: usize| bytes as f64 / stream.len() as f64;
                if of_input(scanned) > most.0 {
                    (most.0, most.2) = (
                        of_input(scanned),
                        std::format!("{name} in chunks of {size}"),
                    );
                }
                if of_input(moved) > most.1 {
                    (most.1, most.3) =
                        (of_input(moved), std::format!("{name} in chunks of {size}"));
                }
            }
        }
        std::println!(
            "scanned {:.2}: {}\nmoved {:.2}: {}",
            most.0,
            most.2,
            most.1,
            most.3
        );
        (most.0, most.1)
    }

    fn read<S: crate::Storage>(mut decoder: Decoder<S>, stream: &[u8], size: usize) {
        for chunk in stream.chunks(size) {
            let mut events = decoder.feed(chunk);
            while !matches!(events.next_item(), Ok(None)) {}
        }
    }

    /// Like [`read`], with a new cursor after every `count` events, which gets what the last one left.
    #[cfg(feature = "alloc")]
    fn read_again(mut decoder: Decoder, stream: &[u8], size: usize, count: usize) {
        for mut chunk in stream.chunks(size) {
            let mut is_read = false;
            while !is_read {
                let mut events = decoder.feed(chunk);
                for _ in 0..count {
                    is_read = is_read || events.next_event() == Ok(None);
                }
                chunk = events.rest();
            }
        }
    }

    #[test]
    #[cfg(feature = "alloc")]
    fn on_the_heap_no_byte_is_scanned_or_moved_more_than_a_few_times() {
        for limit in [65_536, usize::MAX] {
            let (scanned, moved) =
                most(|stream, size| read(Decoder::with_max_event_len(limit), stream, size));
            assert!(scanned <= 10.0, "{scanned}");
            assert!(moved <= 5.0, "{moved}");
        }
    }

    #[test]
    #[cfg(feature = "alloc")]
    fn where_the_rest_is_fed_again_no_byte_is_scanned_or_moved_more_than_a_few_times() {
        for count in [1, 2, 3, 64] {
            let (scanned, moved) =
                most(|stream, size| read_again(Decoder::new(), stream, size, count));
            assert!(scanned <= 10.0, "{scanned}");
            assert!(moved <= 5.0, "{moved}");
        }
    }

    #[test]
    fn in_fixed_memory_no_byte_is_scanned_or_moved_more_than_a_few_times() {
        for len in [65_536, 1 << 20] {
            let (scanned, moved) = most(|stream, size| {
                read(
                    Decoder::with_storage(Fixed::new(vec![0; len])),
                    stream,
                    size,
                )
            });
            assert!(scanned <= 10.0, "{scanned}");
            assert!(moved <= 5.0, "{moved}");
        }
    }
}
