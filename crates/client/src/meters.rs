//! What is counted of the calls to one service.

use std::time::Duration;

use metrics::{Counter, Histogram};

use crate::{Answer, CallError};

#[derive(Debug)]
pub(crate) struct Meters {
    answered: Counter,
    server_error: Counter,
    no_instance: Counter,
    open: Counter,
    unreachable: Counter,
    broken: Counter,
    timed_out: Counter,
    request_body: Counter,
    retries: Counter,
    seconds: Histogram,
}

impl Meters {
    pub(crate) fn new(service: &str) -> Self {
        let calls = |outcome: &'static str| metrics::counter!("client_calls_total", "service" => service.to_owned(), "outcome" => outcome);
        Self {
            answered: calls("answered"),
            server_error: calls("server_error"),
            no_instance: calls("no_instance"),
            open: calls("open"),
            unreachable: calls("unreachable"),
            broken: calls("broken"),
            timed_out: calls("timed_out"),
            request_body: calls("request_body"),
            retries: metrics::counter!("client_retries_total", "service" => service.to_owned()),
            seconds: metrics::histogram!("client_call_seconds", "service" => service.to_owned()),
        }
    }

    pub(crate) fn retried(&self) {
        self.retries.increment(1);
    }

    pub(crate) fn ended(&self, result: &Result<Answer, CallError>, took: Duration) {
        self.count(result.as_ref().map(|answer| answer.response.status().is_server_error()), took);
    }

    /// Counts a call that was answered, by a fault of the server or not, or that was not.
    pub(crate) fn count(&self, result: Result<bool, &CallError>, took: Duration) {
        let outcome = match result {
            Ok(true) => &self.server_error,
            Ok(false) => &self.answered,
            Err(CallError::NoInstance { .. }) => &self.no_instance,
            Err(CallError::AllOpen { .. }) => &self.open,
            Err(CallError::Unreachable { .. }) => &self.unreachable,
            Err(CallError::Broken { .. }) => &self.broken,
            Err(CallError::TimedOut { .. }) => &self.timed_out,
            Err(CallError::RequestBody(_)) => &self.request_body,
        };
        outcome.increment(1);
        self.seconds.record(took.as_secs_f64());
    }
}
