//! Compares the log with a naive model that keeps everything.

use sse_proto::decode_all;

use super::*;

/// All events and epochs ever appended, and how many events have been removed.
struct Model {
    history: History,
    epochs: Vec<(u64, bool)>,
    events: Vec<(EventId, usize, Instant)>,
    removed: usize,
}

impl Model {
    fn newest(&self) -> EventId {
        let epoch = self.epochs.last().unwrap().0;
        let number = self
            .events
            .iter()
            .filter(|(id, ..)| id.epoch == epoch)
            .count() as u64;
        EventId { epoch, number }
    }

    fn trim(&mut self, now: Instant) {
        let len = |events: &[(EventId, usize, Instant)]| {
            events.iter().map(|(_, len, _)| len).sum::<usize>()
        };
        let is_old = |time: Instant| self.history.age.is_some_and(|age| now - time > age);
        while self.events.len() - self.removed > 1
            && len(&self.events[self.removed..]) > self.history.bytes
        {
            self.removed += 1;
        }
        while self
            .events
            .get(self.removed)
            .is_some_and(|(_, _, time)| is_old(*time))
        {
            self.removed += 1;
        }
    }

    /// The events after a position, up to a gap or the end.
    fn read_after(&self, after: EventId) -> (Vec<EventId>, ReadAfter) {
        let gap = |reason, resume| ReadAfter::Gap { reason, resume };
        let Some(mut place) = self
            .epochs
            .iter()
            .position(|(epoch, _)| *epoch == after.epoch)
        else {
            return (vec![], gap(GapReason::Unknown, self.newest()));
        };
        let of_epoch = |epoch| self.events.iter().filter(move |(id, ..)| id.epoch == epoch);
        if after.number > of_epoch(after.epoch).count() as u64 {
            return (vec![], gap(GapReason::Ahead, self.newest()));
        }
        let first = self
            .events
            .iter()
            .position(|(id, ..)| *id > after)
            .unwrap_or(self.events.len());
        if first < self.removed {
            return (vec![], gap(GapReason::TooOld, self.newest()));
        }
        let mut seen: Vec<_> = of_epoch(after.epoch)
            .map(|(id, ..)| *id)
            .filter(|id| *id > after)
            .collect();
        while let Some((epoch, continues)) = self.epochs.get(place + 1) {
            if !continues {
                let resume = EventId {
                    epoch: *epoch,
                    number: 0,
                };
                let start = self
                    .events
                    .iter()
                    .position(|(id, ..)| *id > resume)
                    .unwrap_or(self.events.len());
                return (
                    seen,
                    if start < self.removed {
                        gap(GapReason::TooOld, self.newest())
                    } else {
                        gap(GapReason::EpochEnded, resume)
                    },
                );
            }
            seen.extend(of_epoch(*epoch).map(|(id, ..)| *id));
            place += 1;
        }
        (seen, ReadAfter::UpToDate)
    }
}

fn read_all(log: &mut Log, mut after: EventId, max_bytes: usize) -> (Vec<EventId>, ReadAfter) {
    let mut seen = Vec::new();
    loop {
        match log.read_after(after, max_bytes) {
            ReadAfter::Events {
                frames,
                count,
                last,
            } => {
                assert!(count == 1 || frames.as_bytes().len() <= max_bytes);
                let ids = decode_all(frames.as_bytes())
                    .map(|event| event.last_event_id().parse::<EventId>().unwrap());
                let before = seen.len();
                seen.extend(ids);
                assert_eq!(seen.len() - before, count as usize);
                assert_eq!(seen.last(), Some(&last));
                after = last;
            }
            end => return (seen, end),
        }
    }
}

/// Seeded, so that failures can be reproduced.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[test]
fn every_position_reads_as_in_the_model() {
    for seed in 0..60 {
        let mut random = Random(seed);
        let history = History {
            bytes: [0, 100, 1000, 60_000, usize::MAX][random.below(5) as usize],
            age: [None, Some(Duration::from_millis(20))][random.below(2) as usize],
        };
        let mut now = Instant::now();
        let start = EventId {
            epoch: 5,
            number: 0,
        };
        let mut log = Log::new(history, start);
        let mut model = Model {
            history,
            epochs: vec![(5, false)],
            events: vec![],
            removed: 0,
        };
        let mut positions = vec![start];
        for _ in 0..80 {
            now += Duration::from_millis(random.below(3));
            match random.below(12) {
                0 => {
                    let (epoch, continues) = (
                        model.newest().epoch + 1 + random.below(3),
                        random.below(2) == 0,
                    );
                    log.begin_epoch(epoch, continues);
                    model.epochs.push((epoch, continues));
                    positions.push(EventId { epoch, number: 0 });
                }
                1 => {
                    log.remove_expired(|| now);
                    model.trim(now);
                }
                kind => {
                    // Some are longer than a block.
                    let len = [10, 10, 10, 50, 50, 300, 300, 3000, 9000, 20_000][kind as usize - 2];
                    let data = "x".repeat(random.below(len) as usize);
                    let frame = Frame::message(&data);
                    let id = log.append(frame, now);
                    let newest = model.newest();
                    assert_eq!(
                        id,
                        EventId {
                            number: newest.number + 1,
                            ..newest
                        }
                    );
                    let text = id.to_string();
                    model
                        .events
                        .push((id, frame.id(&text).unwrap().encoded_len(), now));
                    model.trim(now);
                    positions.push(id);
                }
            }
            assert_eq!(log.newest(), model.newest());
            assert_eq!(
                log.event_count() as usize,
                model.events.len() - model.removed
            );
            let ahead = EventId {
                number: log.newest().number + 1,
                ..log.newest()
            };
            let unknown = EventId {
                epoch: 4,
                number: 0,
            };
            let max_bytes = random.below(5000) as usize;
            for position in positions.iter().chain([&ahead, &unknown]) {
                let expected = model.read_after(*position);
                let seen = read_all(&mut log, *position, max_bytes);
                // A forgotten epoch is reported as unknown instead of too old.
                let forgotten = |end: &ReadAfter| {
                    matches!(
                        end,
                        ReadAfter::Gap {
                            reason: GapReason::Unknown,
                            ..
                        }
                    )
                };
                if forgotten(&seen.1) && !forgotten(&expected.1) {
                    assert!(
                        matches!(
                            expected.1,
                            ReadAfter::Gap {
                                reason: GapReason::TooOld,
                                ..
                            }
                        ),
                        "{seed}: {position}"
                    );
                    continue;
                }
                assert_eq!(seen, expected, "{seed}: {position}");
            }
            let oldest = log.bounds().oldest;
            let (all, _) = read_all(&mut log, oldest, max_bytes);
            assert_eq!(
                all.first(),
                model.events.get(model.removed).map(|(id, ..)| id),
                "{seed}"
            );
        }
    }
}

#[test]
fn readers_at_the_same_position_share_one_copy() {
    let history = History {
        bytes: 1 << 20,
        age: None,
    };
    let start = EventId {
        epoch: 1,
        number: 0,
    };
    let mut log = Log::new(history, start);
    for _ in 0..5 {
        log.append(Frame::message("x"), Instant::now());
    }
    let mut address = || match log.read_after(start, usize::MAX) {
        ReadAfter::Events {
            frames, count: 5, ..
        } => frames.as_bytes().as_ptr(),
        other => panic!("{other:?}"),
    };
    assert_eq!(address(), address());
}

#[test]
fn epochs_without_events_are_eventually_forgotten() {
    let history = History {
        bytes: 1 << 20,
        age: None,
    };
    let mut log = Log::new(
        history,
        EventId {
            epoch: 1,
            number: 0,
        },
    );
    for epoch in 2..10_000 {
        log.begin_epoch(epoch, true);
    }
    assert_eq!(log.epochs.len(), epochs::MAX_EPOCHS);
    assert_eq!(
        log.read_after(
            EventId {
                epoch: 9990,
                number: 0
            },
            1
        ),
        ReadAfter::UpToDate
    );
}
