//! Looks for buffering and silence in the times of arrival.
//!
//! Chunks that arrive within a tenth of a second of each other are a *burst*. A server that sends
//! each event when it happens has few events in a burst; something that buffers has many, after a
//! silence.

use std::{
    mem,
    time::{Duration, Instant},
};

use super::finding::{Code, Place, Report};
use crate::Failure;

/// The longest gap within a burst.
const GAP: Duration = Duration::from_millis(100);
/// The longest gap before the end of a body that arrived in one burst.
const END_GAP: Duration = Duration::from_secs(1);
/// A shorter silence does not matter.
const SILENCE: Duration = Duration::from_secs(2);
/// The number of events that may well happen at the same time.
const FEW_EVENTS: u64 = 4;

/// What a chunk, or several, consist of.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) events: u64,
    pub(super) comments: u64,
    pub(super) bytes: u64,
}

pub(super) struct Arrivals {
    /// When reading started: for a URL, when the request was sent.
    start: Instant,
    /// When the last chunk has arrived.
    last: Option<Instant>,
    heartbeat: Option<Duration>,
    is_silence_reported: bool,
    burst: Burst,
    bursts: u64,
}

struct Burst {
    /// Whether more of it may arrive.
    is_open: bool,
    place: Place,
    silence: Duration,
    contents: Contents,
}

impl Arrivals {
    /// Reports each silence of the time `heartbeat`.
    pub(super) fn new(start: Instant, heartbeat: Option<Duration>) -> Self {
        Self {
            start,
            last: None,
            heartbeat,
            is_silence_reported: false,
            burst: Burst {
                is_open: false,
                place: Place { line: 1, offset: 0 },
                silence: Duration::ZERO,
                contents: Contents::default(),
            },
            bursts: 0,
        }
    }

    /// Returns when [`Arrivals::wake`] is to be called if nothing arrives.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        let since = self.last.unwrap_or(self.start);
        if self.burst.is_open {
            let may_be_whole_body = self.bursts == 1;
            return Some(since + if may_be_whole_body { END_GAP } else { GAP });
        }
        match self.is_silence_reported {
            true => None,
            false => since.checked_add(self.heartbeat?),
        }
    }

    /// Reports what it means that nothing has arrived until [`Arrivals::wake_at`].
    pub(super) fn wake(&mut self, place: Place, report: &mut Report) -> Result<(), Failure> {
        if self.burst.is_open {
            return self.end_burst(report);
        }
        self.is_silence_reported = true;
        let seconds = self.heartbeat.unwrap_or_default().as_secs_f64();
        let since = match self.last {
            None => "since the start",
            Some(_) => "after this byte",
        };
        let message = format!(
            "nothing arrived for {seconds} s {since}, not even a comment; proxies close silent \
             connections, many after 55 to 60 s"
        );
        report.at(place, Code::Silence, message)
    }

    /// Notes a chunk that has arrived at `at` and starts at `place`.
    pub(super) fn chunk(
        &mut self,
        at: Instant,
        place: Place,
        contents: &Contents,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let silence = at.saturating_duration_since(self.last.unwrap_or(self.start));
        if !self.burst.is_open || silence > GAP {
            self.end_burst(report)?;
            self.bursts += 1;
            self.burst = Burst {
                is_open: true,
                place,
                silence,
                contents: Contents::default(),
            };
        }
        self.last = Some(at);
        self.is_silence_reported = false;
        let burst = &mut self.burst.contents;
        burst.events += contents.events;
        burst.comments += contents.comments;
        burst.bytes += contents.bytes;
        Ok(())
    }

    /// Notes the end of the body at `at`.
    pub(super) fn end(&mut self, at: Instant, report: &mut Report) -> Result<(), Failure> {
        let burst = &self.burst;
        let since = self.last.map(|last| at.saturating_duration_since(last));
        let is_at_once =
            burst.is_open && self.bursts == 1 && since.is_some_and(|since| since <= END_GAP);
        if !(is_at_once && burst.silence >= SILENCE && burst.contents.events >= 2) {
            return self.end_burst(report);
        }
        let events = count(burst.contents.events, "event");
        let (bytes, silence) = (burst.contents.bytes, burst.silence.as_secs_f64());
        let message = format!(
            "the whole body, {events} in {bytes} bytes, arrived in one burst after {silence:.1} s, and \
             ended with it: the server or a proxy seems to hold it back until it is complete"
        );
        report.at(burst.place, Code::BodyAtOnce, message)
    }

    /// Reports the current burst if it looks like buffering.
    pub(super) fn end_burst(&mut self, report: &mut Report) -> Result<(), Failure> {
        let burst = &mut self.burst;
        if !mem::take(&mut burst.is_open) || burst.silence < SILENCE {
            return Ok(());
        }
        let place = burst.place;
        let Contents {
            events, comments, ..
        } = burst.contents;
        let silence = burst.silence.as_secs_f64();
        let shown_events = count(events, "event");
        // At the start of a response, some servers send several comments at once, as padding.
        if comments >= 2 && self.bursts > 1 {
            let comments = count(comments, "comment");
            let message = format!(
                "{comments} and {shown_events} arrived in one burst after {silence:.1} s of silence: \
                 heartbeats are sent one by one, so something seems to hold them back"
            );
            return report.at(place, Code::CommentsAtOnce, message);
        }
        if events > FEW_EVENTS {
            let message = format!(
                "{shown_events} arrived in one burst after {silence:.1} s of silence: either they were \
                 sent at once, or something holds them back"
            );
            return report.at(place, Code::Burst, message);
        }
        Ok(())
    }
}

fn count(number: u64, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{s}")
}
