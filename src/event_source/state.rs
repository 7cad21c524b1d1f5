//! The states of the machine, its inputs, and the transition function.

use super::signal::{ReadyState, Reason, Signal};
use core::time::Duration;

/// The state of the machine between two inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// CONNECTING: a request has to be sent, or is pending.
    Connecting,
    /// OPEN: a body is being read.
    Open {
        /// The connection has been open for the time that the policy requires.
        is_stable: bool,
        /// The user expects the body to end.
        is_end_expected: bool,
    },
    /// CONNECTING: a request has to be sent after a wait of at least `retry_after`.
    Waiting { retry_after: Duration },
    /// CLOSED, by a failure, or (`None`) by `close()` or an expected end.
    Closed(Option<Reason>),
}

impl State {
    /// A connection that has just opened.
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

/// An input from the driver or the user.
#[derive(Debug, Clone, Copy)]
pub(super) enum Input {
    /// A response that opens the connection.
    Accepted,
    /// A response that does not.
    Refused(Outcome),
    /// The request or the body has ended.
    Ended(Outcome),
    WaitElapsed,
    /// The connection counts as stable.
    Stable,
    /// The end of the body is expected.
    ExpectEnd,
    /// The user wants another connection now.
    Reconnect,
    Close,
}

/// What follows the loss of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    /// With the minimum wait, regardless of the reconnection time.
    Reestablish(Reason, Duration),
    Fail(Reason),
    /// The end was expected, and the policy allows no further request.
    Finish,
}

/// Returns the next state, and the signal to emit.
///
/// The state changes before the signal is seen, and each failed attempt emits its own `error`.
pub(super) fn transition(state: State, input: Input) -> (State, Option<Signal>) {
    use Input::{Accepted, Close, Ended, ExpectEnd, Reconnect, Refused, Stable, WaitElapsed};
    use Outcome::{Fail, Finish, Reestablish};
    use State::{Closed, Connecting, Open, Waiting};

    match (state, input) {
        // "Announce the connection"
        (Connecting, Accepted) => (State::OPEN, Some(Signal::Open)),

        // "Reestablish the connection"
        (Connecting, Refused(Reestablish(reason, retry_after)))
        | (Connecting | Open { .. }, Ended(Reestablish(reason, retry_after))) => (
            Waiting { retry_after },
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

        // Flags of an open connection.
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

        // Late, early or repeated inputs have no effect.
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
