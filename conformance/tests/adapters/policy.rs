//! The options of the reference client, which the standard does not have: whether, when and where
//! to reconnect, with a switch for each mutation.

use std::mem;

use sse_conformance::{ClientOptions, ReconnectTo, Statuses};

use super::mutations::Mutation;

/// What the client does after it has lost a connection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum AfterLoss {
    Reestablish,
    Fail,
    /// The end was announced, and the client does not reconnect.
    Finish,
}

/// How a connection was lost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Loss {
    NoResponse,
    NoResponseInTime,
    Refused,
    EndOfBody,
    BrokenBody,
    SilentBody,
}

/// Whether and when to reconnect.
pub(crate) struct Policy {
    mutation: Mutation,
    options: ClientOptions,
    /// Consecutive failures.
    failures: u32,
    /// Whether a message has announced the end of the body.
    announced: bool,
    /// The `Retry-After` of the last response in milliseconds.
    retry_after: u64,
}

impl Policy {
    pub(crate) fn new(options: ClientOptions, mutation: Mutation) -> Self {
        Self {
            mutation,
            options,
            failures: 0,
            announced: false,
            retry_after: 0,
        }
    }

    /// The reconnection time before the server sets one.
    pub(crate) fn initial_time(&self) -> Option<u64> {
        let time = self.options.reconnection_time_ms;
        time.filter(|_| !self.mutation.is("option-reconnection-time-ignored"))
    }

    pub(crate) fn has_cache_control(&self) -> bool {
        self.options.cache_control != Some(false)
            || self.mutation.is("option-cache-control-ignored")
    }

    /// O6: whether a response with this status counts as a lost connection.
    pub(crate) fn retries_status(&self, status: u16) -> bool {
        let is_listed = |statuses: &Statuses| match (*statuses, self.mutation.name()) {
            (Statuses::One(one), _) => one == status,
            (Statuses::Range(first, last), "statuses-of-a-range-without-its-end") => {
                (first..last).contains(&status)
            }
            (Statuses::Range(first, last), _) => (first..=last).contains(&status),
        };
        self.options.statuses.iter().any(is_listed)
            && status != 200
            && (status != 204 || self.mutation.is("statuses-with-204"))
            && !self.mutation.is("option-statuses-ignored")
    }

    /// O7: whether a response of another type counts as a lost connection.
    pub(crate) fn retries_type(&self) -> bool {
        self.options.retry_content_type == Some(true)
            && !self.mutation.is("option-retry-content-type-ignored")
    }

    /// A response counts as a lost connection. Its `Retry-After` applies to the next delay.
    pub(crate) fn refused(&mut self, status: u16, headers: &[(String, String)]) {
        let mut headers = headers.iter();
        let seconds = headers.find(|(name, _)| name.eq_ignore_ascii_case("retry-after"));
        let seconds = seconds.and_then(|(_, value)| value.parse().ok());
        self.retry_after = match self.mutation.name() {
            "retry-after-ignored" => 0,
            "retry-after-of-statuses-only" if status == 200 => 0,
            _ => seconds.map_or(0, |seconds: u64| seconds.saturating_mul(1000)),
        };
    }

    /// A response has opened the connection.
    pub(crate) fn opened(&mut self) {
        if self.mutation.is("backoff-ends-with-open") {
            self.failures = 0;
        }
    }

    /// A message has been received.
    pub(crate) fn message(&mut self, data: &str) {
        let ends_row = match self.mutation.name() {
            "failures-in-a-row-never-end" => false,
            "option-stable-after-ignored" => true,
            _ => self.options.stable_after_ms.is_none(),
        };
        if ends_row {
            self.failures = 0;
        }
        if self.is_end_marker(data) {
            self.announced = true;
        }
    }

    pub(crate) fn is_end_marker(&self, data: &str) -> bool {
        let marker = self.options.end_marker.as_deref();
        match self.mutation.name() {
            "option-end-marker-ignored" => false,
            "end-marker-is-any-message" => marker.is_some(),
            _ => marker == Some(data),
        }
    }

    /// The connection has lasted for `stable_after_ms`.
    pub(crate) fn lasted(&mut self) {
        if !self
            .mutation
            .is("stable-connection-does-not-end-the-failures")
        {
            self.failures = 0;
        }
    }

    /// The connection is lost, but not by an abort.
    pub(crate) fn lost(&mut self, loss: Loss) -> AfterLoss {
        let mutation = self.mutation;
        let announced = self.announced;
        self.announced = announced && mutation.is("end-marker-holds-for-later-bodies");
        let reconnects = match mutation.name() {
            "option-reconnects-ignored" => true,
            "option-reconnects-for-bodies-only" if loss == Loss::NoResponse => true,
            _ => self.options.reconnects != Some(false),
        };
        match (loss, mutation.name()) {
            (Loss::NoResponseInTime | Loss::SilentBody, "timeout-is-final")
            | (Loss::SilentBody, "timeout-of-a-body-is-final") => return AfterLoss::Fail,
            (Loss::NoResponseInTime | Loss::SilentBody, "timeout-is-no-failure") => {
                return AfterLoss::Reestablish;
            }
            _ => {}
        }
        let is_announced = match mutation.name() {
            "end-marker-counts-for-a-clean-end-only" => announced && loss == Loss::EndOfBody,
            _ => announced,
        };
        if is_announced && !reconnects {
            return AfterLoss::Finish;
        }
        if is_announced && !mutation.is("announced-end-is-a-failure") {
            if mutation.is("end-marker-ends-reconnecting") {
                return AfterLoss::Finish;
            }
            return AfterLoss::Reestablish;
        }
        self.failures += 1;
        let most = match mutation.name() {
            "option-max-failures-ignored" => None,
            "max-failures-and-one-more" => self.options.max_failures.map(|most| most + 1),
            _ => self.options.max_failures,
        };
        if !reconnects || most.is_some_and(|most| self.failures >= most) {
            AfterLoss::Fail
        } else {
            AfterLoss::Reestablish
        }
    }

    /// The delay before the next request, given the reconnection time.
    pub(crate) fn delay(&mut self, time: u64) -> u64 {
        let retry_after = mem::take(&mut self.retry_after);
        let cap = match self.mutation.name() {
            "option-backoff-ignored" => None,
            "backoff-without-a-longest-wait" => self.options.backoff_ms.and(Some(u64::MAX)),
            _ => self.options.backoff_ms,
        };
        let doublings = self.failures.saturating_sub(1).min(31);
        let mut wait = cap.map_or(time, |cap| {
            let grown = time.max(1).saturating_mul(1 << doublings).min(cap);
            match self.mutation.name() {
                "backoff-shortens-retry" => grown,
                _ => grown.max(time),
            }
        });
        match self.mutation.name() {
            "retry-after-shortens-the-wait" if retry_after > 0 => wait = retry_after,
            _ => wait = wait.max(retry_after),
        }
        if self.mutation.is("retry-after-holds-for-later-waits") {
            self.retry_after = retry_after;
        }
        wait
    }
}

/// The URL of requests.
pub(crate) struct Location {
    mutation: Mutation,
    reconnect_to: ReconnectTo,
    /// The URL that the event source was created with.
    original: String,
    /// The target of permanent redirects.
    moved: Option<String>,
    /// The target of the last redirect.
    last: Option<String>,
}

impl Location {
    pub(crate) fn new(url: String, options: &ClientOptions, mutation: Mutation) -> Self {
        let to = options.reconnect_to.unwrap_or(ReconnectTo::Original);
        Self {
            mutation,
            reconnect_to: match mutation.name() {
                "reconnect-goes-to-the-final-url" => ReconnectTo::Final,
                "option-reconnect-to-ignored" => ReconnectTo::Original,
                _ => to,
            },
            original: url,
            moved: None,
            last: None,
        }
    }

    /// The URL of the next request.
    pub(crate) fn target(&self) -> &str {
        let target = match self.reconnect_to {
            ReconnectTo::Original => None,
            ReconnectTo::Permanent => self.moved.as_deref(),
            ReconnectTo::Final => self.last.as_deref(),
        };
        target.unwrap_or(&self.original)
    }

    /// A request met these redirects, then a response with the final URL `url`, if that is given.
    /// Returns the final URL.
    pub(crate) fn follow(&mut self, redirects: &[(u16, String)], url: Option<&str>) -> String {
        let is_permanent = |status: u16| match self.mutation.name() {
            "redirect-of-status-302-is-permanent" => matches!(status, 301 | 302 | 308),
            "redirect-of-status-308-is-temporary" => status == 301,
            _ => matches!(status, 301 | 308),
        };
        let end = redirects.last().map(|(_, url)| &**url);
        let mut at_first = redirects.iter();
        let of_permanent = match self.mutation.name() {
            "permanent-redirect-after-a-temporary-one-counts" => {
                at_first.rfind(|(status, _)| is_permanent(*status))
            }
            "permanent-redirects-only-if-all-are" => redirects
                .last()
                .filter(|_| at_first.all(|(status, _)| is_permanent(*status))),
            _ => at_first
                .take_while(|(status, _)| is_permanent(*status))
                .last(),
        };
        let from = url.or(end).unwrap_or(self.target()).to_owned();
        if let Some((_, url)) = of_permanent {
            self.moved = Some(url.clone());
        } else if self
            .mutation
            .is("permanent-redirect-holds-for-one-reconnect")
        {
            self.moved = None;
        }
        if let Some(url) = url.or(end) {
            self.last = Some(url.to_owned());
        }
        from
    }
}
