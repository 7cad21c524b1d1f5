//! What a client does beyond the standard: when it asks again and how much later, when it gives up, and where it goes. Slow and
//! obviously right, with a switch for each way to do it otherwise.

use std::mem;

use sse_conformance::{ClientOptions, ReconnectTo, Statuses};

use super::faults::Fault;

/// What becomes of a connection that is lost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Loss {
    Reestablish,
    Fail,
    /// The end was announced, and there is no other connection.
    Finish,
}

/// How a connection was lost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum How {
    NoResponse,
    NoResponseInTime,
    Refused,
    EndOfBody,
    BrokenBody,
    SilentBody,
}

/// When to ask again.
pub(crate) struct Policy {
    fault: Fault,
    options: ClientOptions,
    /// In a row.
    failures: u32,
    /// Whether a message has announced the end of the body.
    announced: bool,
    /// What the last response has asked for with `Retry-After`, in milliseconds.
    retry_after: u64,
}

impl Policy {
    pub(crate) fn new(options: ClientOptions, fault: Fault) -> Self {
        Self {
            fault,
            options,
            failures: 0,
            announced: false,
            retry_after: 0,
        }
    }

    pub(crate) fn own_time(&self) -> Option<u64> {
        let time = self.options.reconnection_time_ms;
        time.filter(|_| !self.fault.is("option-reconnection-time-ignored"))
    }

    pub(crate) fn has_cache_control(&self) -> bool {
        self.options.cache_control != Some(false) || self.fault.is("option-cache-control-ignored")
    }

    /// O6: whether a response with this status is a lost connection.
    pub(crate) fn retries_status(&self, status: u16) -> bool {
        let is_listed = |statuses: &Statuses| match (*statuses, self.fault.name()) {
            (Statuses::One(one), _) => one == status,
            (Statuses::Range(first, last), "statuses-of-a-range-without-its-end") => {
                (first..last).contains(&status)
            }
            (Statuses::Range(first, last), _) => (first..=last).contains(&status),
        };
        self.options.statuses.iter().any(is_listed)
            && status != 200
            && (status != 204 || self.fault.is("statuses-with-204"))
            && !self.fault.is("option-statuses-ignored")
    }

    /// O7: whether a response of another type is a lost connection.
    pub(crate) fn retries_type(&self) -> bool {
        self.options.retry_content_type == Some(true)
            && !self.fault.is("option-retry-content-type-ignored")
    }

    /// A response is a lost connection: its `Retry-After` counts for the next wait.
    pub(crate) fn refused(&mut self, status: u16, headers: &[(String, String)]) {
        let mut headers = headers.iter();
        let seconds = headers.find(|(name, _)| name.eq_ignore_ascii_case("retry-after"));
        let seconds = seconds.and_then(|(_, value)| value.parse().ok());
        self.retry_after = match self.fault.name() {
            "retry-after-ignored" => 0,
            "retry-after-of-statuses-only" if status == 200 => 0,
            _ => seconds.map_or(0, |seconds: u64| seconds.saturating_mul(1000)),
        };
    }

    /// A response has opened the connection.
    pub(crate) fn opened(&mut self) {
        if self.fault.is("backoff-ends-with-open") {
            self.failures = 0;
        }
    }

    /// A message has come.
    pub(crate) fn message(&mut self, data: &str) {
        let ends_row = match self.fault.name() {
            "row-of-failures-never-ends" => false,
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
        match self.fault.name() {
            "option-end-marker-ignored" => false,
            "end-marker-is-any-message" => marker.is_some(),
            _ => marker == Some(data),
        }
    }

    /// The connection has lasted for as long as the options say.
    pub(crate) fn lasted(&mut self) {
        if !self
            .fault
            .is("row-of-failures-goes-on-over-a-stable-connection")
        {
            self.failures = 0;
        }
    }

    /// The connection is lost, and not by an abort.
    pub(crate) fn lost(&mut self, how: How) -> Loss {
        let fault = self.fault;
        let announced = self.announced;
        self.announced = announced && fault.is("end-marker-holds-for-later-bodies");
        let reconnects = match fault.name() {
            "option-reconnects-ignored" => true,
            "option-reconnects-for-bodies-only" if how == How::NoResponse => true,
            _ => self.options.reconnects != Some(false),
        };
        match (how, fault.name()) {
            (How::NoResponseInTime | How::SilentBody, "timeout-is-final")
            | (How::SilentBody, "timeout-of-a-body-is-final") => return Loss::Fail,
            (How::NoResponseInTime | How::SilentBody, "timeout-is-no-failure") => {
                return Loss::Reestablish;
            }
            _ => {}
        }
        let is_announced = match fault.name() {
            "end-marker-counts-for-a-clean-end-only" => announced && how == How::EndOfBody,
            _ => announced,
        };
        if is_announced && !reconnects {
            return Loss::Finish;
        }
        if is_announced && !fault.is("end-that-was-announced-is-a-failure") {
            if fault.is("end-marker-is-the-last-word") {
                return Loss::Finish;
            }
            return Loss::Reestablish;
        }
        self.failures += 1;
        let most = match fault.name() {
            "option-max-failures-ignored" => None,
            "max-failures-and-one-more" => self.options.max_failures.map(|most| most + 1),
            _ => self.options.max_failures,
        };
        if !reconnects || most.is_some_and(|most| self.failures >= most) {
            Loss::Fail
        } else {
            Loss::Reestablish
        }
    }

    /// The wait before the next request, given the reconnection time.
    pub(crate) fn wait(&mut self, time: u64) -> u64 {
        let retry_after = mem::take(&mut self.retry_after);
        let cap = match self.fault.name() {
            "option-backoff-ignored" => None,
            "backoff-without-a-longest-wait" => self.options.backoff_ms.and(Some(u64::MAX)),
            _ => self.options.backoff_ms,
        };
        let doublings = self.failures.saturating_sub(1).min(31);
        let mut wait = cap.map_or(time, |cap| {
            let grown = time.max(1).saturating_mul(1 << doublings).min(cap);
            match self.fault.name() {
                "backoff-shortens-retry" => grown,
                _ => grown.max(time),
            }
        });
        match self.fault.name() {
            "retry-after-shortens-the-wait" if retry_after > 0 => wait = retry_after,
            _ => wait = wait.max(retry_after),
        }
        if self.fault.is("retry-after-holds-for-later-waits") {
            self.retry_after = retry_after;
        }
        wait
    }
}

/// Where requests go.
pub(crate) struct Location {
    fault: Fault,
    reconnect_to: ReconnectTo,
    /// The URL that was given.
    given: String,
    /// Where permanent redirects have moved it.
    moved: Option<String>,
    /// Where the last redirect led.
    last: Option<String>,
}

impl Location {
    pub(crate) fn new(url: String, options: &ClientOptions, fault: Fault) -> Self {
        let to = options.reconnect_to.unwrap_or(ReconnectTo::Original);
        Self {
            fault,
            reconnect_to: match fault.name() {
                "reconnect-goes-to-the-final-url" => ReconnectTo::Final,
                "option-reconnect-to-ignored" => ReconnectTo::Original,
                _ => to,
            },
            given: url,
            moved: None,
            last: None,
        }
    }

    /// Where the next request goes.
    pub(crate) fn target(&self) -> &str {
        let target = match self.reconnect_to {
            ReconnectTo::Original => None,
            ReconnectTo::Permanent => self.moved.as_deref(),
            ReconnectTo::Final => self.last.as_deref(),
        };
        target.unwrap_or(&self.given)
    }

    /// A request met these redirects, and then a response that came from `url`, if that is said. Returns where it came from.
    pub(crate) fn arrive(&mut self, redirects: &[(u16, String)], url: Option<&str>) -> String {
        let is_permanent = |status: u16| match self.fault.name() {
            "redirect-of-status-302-is-permanent" => matches!(status, 301 | 302 | 308),
            "redirect-of-status-308-is-temporary" => status == 301,
            _ => matches!(status, 301 | 308),
        };
        let end = redirects.last().map(|(_, url)| &**url);
        let mut at_first = redirects.iter();
        let of_permanent = match self.fault.name() {
            "permanent-redirect-behind-a-temporary-one-counts" => {
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
        } else if self.fault.is("permanent-redirect-holds-for-one-reconnect") {
            self.moved = None;
        }
        if let Some(url) = url.or(end) {
            self.last = Some(url.to_owned());
        }
        from
    }
}
