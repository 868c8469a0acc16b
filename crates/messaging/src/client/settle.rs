//! Settling: a failed message gets a confirmed copy on the retry ladder or in the dead letters, before its original is
//! acked.

use futures_util::future::join_all;
use lapin::message::Delivery as Raw;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::Mutex;

use super::handler::Settled;
use super::wire::Publish;
use super::{Broker, Outcome};
use crate::{Failure, FailureKind, Meta, RETRY_LADDER, header};

/// A header must fit in a frame with all the others; the whole of a long error is in the consumer's log.
const REASON_BYTES: usize = 1000;

/// What is to become of a message, by its verdict and the tries it has had.
pub(crate) fn decide(meta: &Meta, verdict: Result<(), Failure>, max_attempts: u32) -> Settled {
    let Err(Failure { kind, reason }) = verdict else { return Settled::Done };
    match kind {
        FailureKind::Refuse => Settled::Refused { reason },
        FailureKind::Reject => Settled::Dead { reason },
        // A handler that calls a store unavailable for one message of many means: not now.
        FailureKind::Retry | FailureKind::Unavailable if meta.attempt < max_attempts => {
            Settled::Retrying { delay: rung(meta.attempt).delay, reason }
        }
        FailureKind::Retry | FailureKind::Unavailable => {
            Settled::Dead { reason: format!("failed {} times, last: {reason}", meta.attempt) }
        }
    }
}

fn rung(attempt: u32) -> crate::RetryStep {
    let index = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
    RETRY_LADDER[index.min(RETRY_LADDER.len() - 1)]
}

/// The copy that a settled message needs, if any.
pub(crate) fn copy_of(raw: &Raw, meta: &Meta, settled: &Settled) -> Option<Publish> {
    match settled {
        Settled::Done | Settled::Refused { .. } => None,
        Settled::Retrying { reason, .. } => {
            let mut copy = Publish::copy(raw, meta.id, rung(meta.attempt).name, meta.queue.clone());
            copy.set_header(header::ATTEMPT, i64::from(meta.attempt));
            copy.set_header(header::LAST_ERROR, shortened(reason));
            keep_kind(&mut copy, meta);
            if copy.header(header::FIRST_FAILURE).is_none() {
                copy.set_header(header::FIRST_FAILURE, now());
            }
            Some(copy)
        }
        Settled::Dead { reason } => {
            let mut copy = Publish::copy(raw, meta.id, "", format!("{}.dead", meta.queue));
            copy.set_header(header::DEAD_REASON, shortened(reason));
            copy.set_header(header::DEAD_QUEUE, meta.queue.as_str());
            copy.set_header(header::DEAD_AT, now());
            keep_kind(&mut copy, meta);
            Some(copy)
        }
    }
}

/// Without this a message that had no `type` would lose, with its routing key, what told its type.
fn keep_kind(copy: &mut Publish, meta: &Meta) {
    if copy.properties.kind().is_none()
        && let Some(kind) = &meta.kind
    {
        copy.properties = std::mem::take(&mut copy.properties).with_type(kind.as_str().into());
    }
}

/// Publishes the copies and keeps those that were not confirmed, for the next try.
pub(crate) async fn publish_copies(broker: &Broker, unconfirmed: &Mutex<Vec<Publish>>) -> Result<(), Failure> {
    let publisher = broker.publisher();
    let mut copies = unconfirmed.lock().await;
    let outcomes = join_all(copies.iter().map(|copy| publisher.send(copy.clone()))).await;
    let mut confirmed = outcomes.iter().map(|outcome| *outcome == Outcome::Confirmed);
    copies.retain(|_| !confirmed.next().unwrap_or(false));
    let Some(outcome) = outcomes.into_iter().find(|outcome| *outcome != Outcome::Confirmed) else { return Ok(()) };
    Err(Failure::unavailable(format!("the copy of a failed message was not taken: {outcome}")))
}

fn shortened(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(REASON_BYTES)]
}

fn now() -> String {
    OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(attempt: u32) -> Meta {
        Meta { attempt, queue: "q".to_owned(), ..Meta::default() }
    }

    #[test]
    fn each_try_waits_longer_and_the_last_one_parks() {
        let delays: Vec<_> = (1..=5)
            .map(|attempt| match decide(&tried(attempt), Err(Failure::retry("no")), 5) {
                Settled::Retrying { delay, .. } => Some(delay.as_secs()),
                _ => None,
            })
            .collect();
        assert_eq!(delays, [Some(1), Some(5), Some(30), Some(120), None]);
        assert_eq!(
            decide(&tried(5), Err(Failure::retry("no")), 5),
            Settled::Dead { reason: "failed 5 times, last: no".to_owned() }
        );
    }

    #[test]
    fn poison_is_parked_at_once_and_a_refusal_is_not() {
        assert!(matches!(decide(&tried(1), Err(Failure::reject("bad")), 5), Settled::Dead { .. }));
        assert!(matches!(decide(&tried(1), Err(Failure::refuse("no")), 5), Settled::Refused { .. }));
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let reason = "é".repeat(REASON_BYTES);
        assert_eq!(shortened(&reason).len(), REASON_BYTES);
        let reason = format!("x{reason}");
        assert_eq!(shortened(&reason).len(), REASON_BYTES - 1);
    }
}
