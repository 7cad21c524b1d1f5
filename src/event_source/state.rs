//! The states of a connection, what can happen to it, and what comes of that.

use super::signal::{ReadyState, Reason, Signal};
use core::time::Duration;

/// Where the machine is between two inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// CONNECTING: a request is to be sent, or is under way.
    Connecting,
    /// OPEN: a body is being read.
    Open {
        /// It has lasted for as long as the policy asks.
        is_stable: bool,
        /// A message has announced its end.
        is_end_expected: bool,
    },
    /// CONNECTING: a request is to be sent later, after `least` at any rate.
    Waiting { least: Duration },
    /// CLOSED, by a failure or, without a reason, by `close()` or an end that was expected.
    Closed(Option<Reason>),
}

impl State {
    /// A connection just opened.
    const OPEN: Self = Self::Open {
        is_stable: false,
        is_end_expected: false,
    };

    pub(super) const fn is_open(self) -> bool {
        matches!(self, Self::Open { .. })
    }

    pub(super) const fn is_end_expected(self) -> bool {
        matches!(
            self,
            Self::Open {
                is_end_expected: true,
                ..
            }
        )
    }
}

/// What the driver told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Input {
    /// A response that opens the connection.
    Accepted,
    /// A response that does not.
    Refused(Fate),
    /// No response, or no more of it.
    Ended(Fate),
    WaitElapsed,
    /// The connection has lasted.
    Stable,
    /// The end of the body is announced.
    ExpectEnd,
    /// Another connection is wanted now.
    Reconnect,
    Close,
}

/// What becomes of a connection that is lost.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    /// Also how long to wait at least, whatever the reconnection time is.
    Reestablish(Reason, Duration),
    Fail(Reason),
    /// All is as it was announced, and there is no other request.
    Finish,
}

/// The whole life of a connection: from a state, by an input, to a state, with a signal.
///
/// The state is set before the signal is seen, and each failed attempt has its own `error`.
pub(super) fn transition(state: State, input: Input) -> (State, Option<Signal>) {
    use Fate::{Fail, Finish, Reestablish};
    use Input::{Accepted, Close, Ended, ExpectEnd, Reconnect, Refused, Stable, WaitElapsed};
    use State::{Closed, Connecting, Open, Waiting};

    match (state, input) {
        // "Announce the connection"
        (Connecting, Accepted) => (State::OPEN, Some(Signal::Open)),

        // "Reestablish the connection"
        (Connecting, Refused(Reestablish(reason, least)))
        | (Connecting | Open { .. }, Ended(Reestablish(reason, least))) => (
            Waiting { least },
            Some(error(ReadyState::Connecting, reason)),
        ),
        (Waiting { .. }, WaitElapsed | Reconnect) => (Connecting, None),
        (Open { .. }, Reconnect) => {
            let reason = Reason::Reconnect;
            (Connecting, Some(error(ReadyState::Connecting, reason)))
        }

        // "Fail the connection": "once the user agent has failed the connection, it does not
        // attempt to reconnect."
        (Connecting, Refused(Fail(reason))) | (Connecting | Open { .. }, Ended(Fail(reason))) => (
            Closed(Some(reason)),
            Some(error(ReadyState::Closed, reason)),
        ),

        // "close()": no event of any kind.
        (Connecting | Open { .. } | Waiting { .. }, Close)
        | (Connecting, Refused(Finish))
        | (Connecting | Open { .. }, Ended(Finish)) => (Closed(None), None),

        // What is known of an open connection.
        (
            Open {
                is_end_expected, ..
            },
            Stable,
        ) => {
            let is_stable = true;
            (
                Open {
                    is_stable,
                    is_end_expected,
                },
                None,
            )
        }
        (Open { is_stable, .. }, ExpectEnd) => {
            let is_end_expected = true;
            (
                Open {
                    is_stable,
                    is_end_expected,
                },
                None,
            )
        }

        // Late, early, or said twice.
        (Connecting, WaitElapsed | Stable | ExpectEnd | Reconnect)
        | (Open { .. }, Accepted | Refused(_) | WaitElapsed)
        | (Waiting { .. }, Accepted | Refused(_) | Ended(_) | Stable | ExpectEnd)
        | (
            Closed(_),
            Accepted | Refused(_) | Ended(_) | WaitElapsed | Stable | ExpectEnd | Reconnect | Close,
        ) => (state, None),
    }
}

const fn error(ready_state: ReadyState, reason: Reason) -> Signal {
    Signal::Error {
        ready_state,
        reason,
    }
}
