//! Tells the producer what became of each task's message.

use std::fmt;

use contracts::headers::TASK_ID;
use contracts::tasks::{StepReport, StepState, TaskProgressed};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use messaging::{Broker, Failure, Observe, Outcome, Outgoing, Report, Settled};
use time::OffsetDateTime;
use uuid::Uuid;

/// How many reports travel in one message.
const REPORTS: usize = 500;

/// Publishes a [`TaskProgressed`] for each batch, and lets nothing be acked before the broker has it.
pub struct Reporter {
    broker: Broker,
    /// Why nothing is done, if that is so.
    skipping: Option<&'static str>,
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter").finish_non_exhaustive()
    }
}

impl Reporter {
    /// Reports through this broker.
    pub fn new(broker: Broker) -> Self {
        Self { broker, skipping: None }
    }

    /// Reports that what is taken is left undone, and why.
    pub fn skipping(broker: Broker, why: &'static str) -> Self {
        Self { broker, skipping: Some(why) }
    }

    async fn publish(&self, reports: Vec<StepReport>) -> Result<(), Failure> {
        let mut reports = reports.into_iter().peekable();
        let mut messages = Vec::new();
        while reports.peek().is_some() {
            let progressed = TaskProgressed { reports: reports.by_ref().take(REPORTS).collect() };
            messages.push(Outgoing::new(&progressed).with_current_trace());
        }
        let outcomes = self.broker.publisher().publish_all(messages).await;
        let Some(failed) = outcomes.into_iter().find(|outcome| *outcome != Outcome::Confirmed) else { return Ok(()) };
        Err(Failure::unavailable(format!("the report to the producer was not taken: {failed}")))
    }
}

impl Observe for Reporter {
    fn observe<'a>(&'a self, reports: &'a [Report<'a>]) -> BoxFuture<'a, Result<(), Failure>> {
        let at = OffsetDateTime::now_utc();
        let steps: Vec<_> = reports.iter().filter_map(|report| step(report, self.skipping, at)).collect();
        async move {
            if steps.is_empty() {
                return Ok(());
            }
            self.publish(steps).await
        }
        .boxed()
    }
}

/// The report on one message; none if it belongs to no task, as one published by hand.
fn step(report: &Report<'_>, skipping: Option<&str>, at: OffsetDateTime) -> Option<StepReport> {
    let task_id = Uuid::parse_str(report.meta.headers.text(TASK_ID)?).ok()?;
    let (state, error) = match report.settled {
        Settled::Done => match skipping {
            None => (StepState::Done, None),
            Some(why) => (StepState::Skipped, Some(why.to_owned())),
        },
        Settled::Retrying { reason, .. } => (StepState::Retrying, Some(reason.clone())),
        Settled::Refused { reason } => (StepState::Refused, Some(reason.clone())),
        Settled::Dead { reason } => (StepState::Failed, Some(reason.clone())),
    };
    let (step, attempt) = (report.meta.queue.clone(), report.meta.attempt);
    Some(StepReport { task_id, step, state, attempt, error, at })
}

#[cfg(test)]
mod tests {
    use messaging::Meta;

    use super::*;

    #[test]
    fn a_message_without_a_task_is_not_reported() {
        let settled = Settled::Done;
        let mut meta = Meta { queue: "insert_record".to_owned(), attempt: 2, ..Meta::default() };
        let step =
            |meta: &Meta, skipping| step(&Report { meta, settled: &settled }, skipping, OffsetDateTime::UNIX_EPOCH);
        assert_eq!(step(&meta, None), None);

        let task = Uuid::now_v7();
        meta.headers.set(TASK_ID, task.to_string());
        let reported = step(&meta, None).unwrap();
        assert_eq!((reported.task_id, reported.step.as_str(), reported.attempt), (task, "insert_record", 2));
        assert_eq!(reported.state, StepState::Done);
        assert_eq!(step(&meta, Some("not in use")).unwrap().state, StepState::Skipped);
    }
}
