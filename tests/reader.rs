//! `Reader` over readers with short reads, interruptions and errors: it must return the events of
//! the model.
#![cfg(feature = "std")]

#[path = "support/bodies/mod.rs"]
mod bodies;
#[path = "support/streams.rs"]
#[expect(dead_code, reason = "it serves tests with other limits, too")]
mod streams;
mod support;

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};
use std::ops::ControlFlow;

use allocation_counter::measure;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sse_proto::{Decoder, Event, OwnedEvent, ReadError, Reader};
use streams::{cuts, stream};
use support::model::{Ask, Item, Limit, Model};
use support::run::{write_error, write_event};

/// The result of one call of `read`.
struct Pieces(VecDeque<io::Result<Vec<u8>>>);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.pop_front() {
            None => Ok(0),
            Some(Err(error)) => Err(error),
            Some(Ok(mut piece)) => {
                let len = piece.len().min(buffer.len());
                buffer[..len].copy_from_slice(&piece[..len]);
                if len < piece.len() {
                    self.0.push_front(Ok(piece.split_off(len)));
                }
                Ok(len)
            }
        }
    }
}

fn item(event: Event<'_>) -> Item {
    write_event(&event)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn short_reads_errors_and_mixed_calls_lose_no_event(
        stream in stream(),
        cuts in cuts(),
        limit in prop_oneof![0..40_usize, Just(usize::MAX)],
        failures in vec(select(vec![ErrorKind::Interrupted, ErrorKind::WouldBlock, ErrorKind::TimedOut]), 0..4),
        turns in vec(0..3_usize, 1..6),
        finish in any::<bool>(),
    ) {
        let mut pieces: VecDeque<_> = cuts
            .apply(&stream)
            .into_iter()
            .filter(|piece| !piece.is_empty()) // an empty read would mean the end
            .map(|piece| Ok(piece.to_vec()))
            .collect();
        for (place, kind) in failures.iter().enumerate() {
            pieces.insert((place * 3).min(pieces.len()), Err(io::Error::from(*kind)));
        }
        let failures = failures.iter().filter(|kind| **kind != ErrorKind::Interrupted).count();

        let decoder = Decoder::with_max_event_len(limit);
        let mut reader = Reader::with_decoder(Pieces(pieces), decoder).finish_at_end(finish);
        let (mut items, mut failed, mut ended) = (Vec::new(), 0, false);
        for &turn in turns.iter().cycle() {
            if turn == 0 {
                match reader.next() {
                    None => ended = true,
                    Some(Ok(event)) => items.push(item(event.as_event())),
                    Some(Err(ReadError::TooLarge(error))) => items.push(write_error(error)),
                    Some(Err(_)) => failed += 1,
                }
            } else {
                let mut left = turn;
                let stopped = reader.for_each_event(|event| {
                    items.push(event.map_or_else(write_error, item));
                    left -= 1;
                    if left == 0 { ControlFlow::Break("enough") } else { ControlFlow::Continue(()) }
                });
                match stopped {
                    Ok(stopped) => {
                        prop_assert_eq!(stopped.is_some(), left == 0);
                        ended = stopped.is_none();
                    }
                    Err(_) => failed += 1,
                }
            }
            if ended {
                break;
            }
        }

        let model = Model::new(Limit::Heap(limit), Ask::Events);
        let mut expected = model.after(&stream).items;
        if finish {
            expected.extend(model.finish(&stream).0);
        }
        prop_assert_eq!(items, expected);
        prop_assert_eq!(failed, failures);
        prop_assert!(reader.next().is_none(), "the end stays");
    }
}

#[test]
fn the_last_event_id_is_that_of_the_last_returned_event() {
    let mut reader = Reader::new("id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\n\n".as_bytes());
    assert_eq!(reader.last_event_id(), "");
    assert_eq!(reader.next().unwrap().unwrap().data(), "a");
    assert_eq!(reader.last_event_id(), "1");
    assert_eq!(reader.next().unwrap().unwrap().data(), "b");
    assert_eq!(reader.last_event_id(), "2");
    assert!(reader.next().is_none());
    assert_eq!(reader.last_event_id(), "3");
}

#[test]
fn an_error_of_the_reader_is_distinguishable_and_convertible() {
    let pieces = [
        Err(ErrorKind::ConnectionReset.into()),
        Ok(b"data: x\n\n".to_vec()),
    ];
    let mut reader = Reader::new(Pieces(pieces.into()));
    match reader.next() {
        Some(Err(error @ ReadError::Io(_))) => {
            assert_eq!(error.to_string(), ErrorKind::ConnectionReset.to_string());
            assert_eq!(io::Error::from(error).kind(), ErrorKind::ConnectionReset);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(reader.next().unwrap().unwrap().data(), "x");

    let mut reader = Reader::with_decoder("data: xyz".as_bytes(), Decoder::with_max_event_len(2));
    let error = reader.next().unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "event exceeds the limit of 2 bytes in its data"
    );
    assert_eq!(io::Error::from(error).kind(), ErrorKind::InvalidData);
}

#[test]
fn borrowed_events_allocate_nothing_and_owned_ones_once() {
    let stream = "event: delta\nid: 12\ndata: 0123456789\n\n".repeat(3000);
    let mut reader = Reader::new(stream.as_bytes());
    let mut count = 0;
    let info = measure(|| {
        let stopped = reader.for_each_event(|event| {
            count += usize::from(event.is_ok());
            if count == 1000 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        assert!(matches!(stopped, Ok(Some(()))));
    });
    // These allocations are buffers for data that spans two reads.
    assert!(info.count_total <= 8, "{info:?}");

    let mut events: Vec<OwnedEvent> = Vec::with_capacity(2000);
    let info = measure(|| events.extend(reader.map(Result::unwrap)));
    assert_eq!(events.len(), 2000);
    assert!((2000..=2008).contains(&info.count_total), "{info:?}");
}

#[test]
fn the_reader_reports_the_reconnection_time_of_the_stream() {
    let mut reader = Reader::new(&b"retry: 2500\ndata: x\n\n"[..]);
    assert_eq!(reader.reconnection_time(), None);
    assert_eq!(reader.next().unwrap().unwrap().data(), "x");
    let time = reader.reconnection_time().unwrap();
    assert_eq!(time.as_millis(), 2500);
}

#[test]
fn a_read_error_has_the_source_of_the_error_of_the_reader() {
    #[derive(Debug)]
    struct Broken(io::Error);
    impl std::fmt::Display for Broken {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("broken")
        }
    }
    impl std::error::Error for Broken {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let error = ReadError::Io(io::Error::other(Broken(io::Error::other(
        "the cable is out",
    ))));
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "the cable is out");
}

#[test]
fn an_unterminated_data_line_that_becomes_an_event_makes_it_an_event_stream() {
    for (finish, events) in [(false, 0), (true, 1)] {
        let mut reader = Reader::new(&b"x\ndata"[..]).finish_at_end(finish);
        assert_eq!(reader.by_ref().count(), events);
        assert_eq!(reader.is_no_event_stream(), !finish);
    }
}

#[test]
fn the_debug_output_of_a_reader_counts_the_undecoded_bytes() {
    let mut reader = Reader::new(&b"data: 1\n\ndata: 2\n\n"[..]);
    assert_eq!(reader.next().unwrap().unwrap().data(), "1");
    assert_eq!(
        format!("{reader:?}"),
        "Reader { inner: [], undecoded: 9, .. }"
    );
}
