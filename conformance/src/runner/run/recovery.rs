//! Starts the adapter, and restarts it after an error.

use std::collections::VecDeque;

use serde_json::Value;

use super::{Run, Sent};
use crate::{
    check::Mismatch,
    protocol::{self, AdapterInfo},
    runner::{
        StartError,
        process::{Adapter, AdapterError, excerpt},
        report::ProtocolError,
    },
};

/// The run is aborted after this many starts without any answer.
const MAX_STARTS_WITHOUT_ANSWER: u64 = 3;

impl Run<'_> {
    /// Starts the adapter and asks for its capabilities.
    pub(super) fn start(&mut self) -> Result<(), StartError> {
        loop {
            let command = &self.options.command;
            let adapter = Adapter::start(command).map_err(|why| StartError {
                program: command.first().map_or_else(String::new, |program| {
                    program.to_string_lossy().into_owned()
                }),
                why,
            })?;
            self.adapter = Some(adapter);
            self.starts += 1;
            self.answers_of_process = 0;
            if !self.asks_capabilities {
                return Ok(());
            }
            match self.ask_capabilities() {
                Ok(info) => {
                    if self.starts == 1 {
                        self.info = info;
                    }
                    return Ok(());
                }
                Err(error) => {
                    self.notes.push(format!(
                        "an adapter must answer a request of the unknown kind \"capabilities\" with \"unsupported\", but:\n{error}"
                    ));
                    self.adapter = None;
                    self.asks_capabilities = false;
                }
            }
        }
    }

    fn ask_capabilities(&mut self) -> Result<AdapterInfo, AdapterError> {
        let number = self.next_number;
        self.next_number += 1;
        let timeout = self.options.startup;
        let adapter = self.adapter();
        adapter.send(protocol::capabilities_request_line(number));
        let line = adapter.receive(timeout)?;
        let nonsense = |why: String| AdapterError::Nonsense(format!("{}\n{why}", excerpt(&line)));
        let (got, object) = protocol::parse_answer_line(&line).map_err(nonsense)?;
        if got != Some(number) {
            return Err(AdapterError::OutOfOrder(excerpt(&line)));
        }
        protocol::parse_adapter_info(object).map_err(nonsense)
    }

    /// Restarts the adapter after an error, or aborts the run. The requests in flight are sent
    /// again, except one that is to blame.
    pub(super) fn recover(&mut self, error: AdapterError) -> Result<(), StartError> {
        self.adapter = None;
        if matches!(error, AdapterError::Hang(_)) {
            self.hangs += 1;
        }
        let mut lost: VecDeque<Sent> = std::mem::take(&mut self.in_flight);
        self.bytes_in_flight = 0;
        if lost.len() == 1 && self.answers_of_process == 0 {
            let sent = lost.pop_front().expect("there is one");
            self.finished.insert(sent.case);
            self.untraced_error = None;
            self.reports[sent.case].seconds += self.last_answer.elapsed().as_secs_f64();
            let mismatch = Mismatch {
                what: error.what(),
                message: error.to_string(),
                expected: Value::Null,
                got: Value::Null,
            };
            self.record(&sent, Some(mismatch));
        } else {
            self.untraced_error = Some(error.clone());
        }
        for sent in lost.into_iter().rev() {
            self.resend.push_front((sent.case, sent.variant));
        }
        self.broken_off = if self.answers == 0 && self.starts >= MAX_STARTS_WITHOUT_ANSWER {
            Some(format!("the adapter never answered\n{error}"))
        } else if self.starts > self.options.restarts {
            Some(format!(
                "the adapter was started {} times, most recently because of this:\n{error}",
                self.starts
            ))
        } else if self.hangs >= self.options.hangs {
            Some(format!("{} answers did not come in time", self.hangs))
        } else {
            return self.start();
        };
        Ok(())
    }

    pub(super) fn add_protocol_error(&mut self, what: &'static str, message: String) {
        let mut known = self.protocol_errors.iter_mut();
        match known.find(|error| error.what == what) {
            Some(error) => error.times += 1,
            None => self.protocol_errors.push(ProtocolError {
                what,
                message,
                times: 1,
            }),
        }
    }
}
