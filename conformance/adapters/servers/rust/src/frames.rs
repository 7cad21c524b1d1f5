//! The frames of the current request, and what some APIs cannot express.

use std::sync::Mutex;

use sse_conformance::Frame;

static FRAMES: Mutex<Vec<Frame>> = Mutex::new(Vec::new());

pub(crate) fn set(frames: Vec<Frame>) {
    *FRAMES
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner()) = frames;
}

/// Returns the frames that the server responds with.
pub(crate) fn get() -> Vec<Frame> {
    FRAMES
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
        .clone()
}

const WITHOUT_DATA: &str = "a frame without data";

/// An event needs data. A comment is a frame of its own. The reconnection time is that of the
/// response, before all frames.
pub(crate) fn actix(frames: &[Frame]) -> Option<&'static str> {
    if frames.iter().skip(1).any(|frame| frame.retry.is_some()) {
        return Some("a reconnection time after the first frame");
    }
    let incomplete = |frame: &Frame| {
        frame.data.is_none()
            && (frame.event.is_some()
                || frame.id.is_some()
                || frame.comment.is_none() && frame.retry.is_none())
    };
    frames.iter().any(incomplete).then_some(WITHOUT_DATA)
}

/// There are only events, with a type and data.
pub(crate) fn picoserve(frames: &[Frame]) -> Option<&'static str> {
    if frames.iter().any(|frame| frame.id.is_some()) {
        return Some("an id");
    }
    let incomplete = |frame: &Frame| frame.data.is_none();
    frames.iter().any(incomplete).then_some(WITHOUT_DATA)
}

/// An event needs data, and an empty id means none. A reconnection time is a frame of its own.
pub(crate) fn poem(frames: &[Frame]) -> Option<&'static str> {
    if frames.iter().any(|frame| frame.id.as_deref() == Some("")) {
        return Some("the empty id");
    }
    let incomplete = |frame: &Frame| {
        frame.data.is_none()
            && (frame.event.is_some() || frame.id.is_some() || frame.retry.is_none())
    };
    frames.iter().any(incomplete).then_some(WITHOUT_DATA)
}

/// A frame begins with data, a comment or a reconnection time.
pub(crate) fn rocket(frames: &[Frame]) -> Option<&'static str> {
    let incomplete =
        |frame: &Frame| frame.data.is_none() && frame.comment.is_none() && frame.retry.is_none();
    frames.iter().any(incomplete).then_some(WITHOUT_DATA)
}
