//! One batch, one transaction: state, tasks, outbox and idempotency keys together.

use std::time::Instant;

use super::{Abort, Answer, Change, Refusal, Store, Write, claims};
use crate::tasks::store::{self as tasks, NewTask};

/// How often a batch is tried that another transaction got in the way of.
const TRIES: usize = 4;

/// Commits a batch; the answers are in its order.
pub(super) async fn commit<C: Change>(store: &Store, writes: &mut [Write<C>]) -> Vec<Answer> {
    let begun = Instant::now();
    let answers = match try_commit(store, writes).await {
        Ok(answers) => answers,
        // One of them holds what the database cannot store. It is to fail alone, so each is committed by itself.
        Err(sqlx::Error::Database(_)) if writes.len() > 1 => one_by_one(store, writes).await,
        Err(error) => failed(C::LANE, &error, writes.len()),
    };
    metrics::histogram!("producer_commit_seconds", "lane" => C::LANE).record(begun.elapsed());
    answers
}

async fn one_by_one<C: Change>(store: &Store, writes: &mut [Write<C>]) -> Vec<Answer> {
    let mut answers = Vec::with_capacity(writes.len());
    for write in writes {
        match try_commit(store, std::slice::from_mut(write)).await {
            Ok(alone) => answers.extend(alone),
            Err(error) => answers.extend(failed(C::LANE, &error, 1)),
        }
    }
    answers
}

fn failed(lane: &'static str, error: &sqlx::Error, writes: usize) -> Vec<Answer> {
    tracing::error!(lane, %error, writes, "writes could not be committed");
    let answer = match error {
        // Class 22: data that no column can hold; 23: a constraint that none of ours should have let come so far.
        sqlx::Error::Database(error)
            if error.code().is_some_and(|code| code.starts_with("22") || code.starts_with("23")) =>
        {
            Answer::Broken
        }
        _ => Answer::Unavailable,
    };
    vec![answer; writes]
}

async fn try_commit<C: Change>(store: &Store, writes: &mut [Write<C>]) -> Result<Vec<Answer>, sqlx::Error> {
    let mut tries = 1;
    loop {
        match transact(store, writes).await {
            Ok(answers) => return Ok(answers),
            Err(Abort::Raced) if tries < TRIES => {}
            Err(Abort::Database(error)) if tries < TRIES && is_collision(&error) => {}
            Err(Abort::Database(error)) => return Err(error),
            Err(Abort::Raced) => {
                return Err(sqlx::Error::Protocol("another transaction came between each time".into()));
            }
        }
        metrics::counter!("producer_batch_retries_total", "lane" => C::LANE).increment(1);
        tries += 1;
    }
}

/// A deadlock, or a serialization failure: over once the transaction is begun again.
fn is_collision(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(code.as_deref(), Some("40P01" | "40001"))
}

async fn transact<C: Change>(store: &Store, writes: &mut [Write<C>]) -> Result<Vec<Answer>, Abort> {
    let mut transaction = store.pool.begin().await?;
    let claims = claims::claim(&mut transaction, writes).await?;

    let fresh: Vec<usize> = (0..writes.len()).filter(|&at| claims.is_fresh(at)).collect();
    let changes: Vec<&C> = fresh.iter().map(|&at| &writes[at].change).collect();
    let verdicts = C::apply(&mut transaction, &changes).await?;

    let mut answers = claims.answers(writes.len());
    let mut accepted = Vec::with_capacity(fresh.len());
    let mut refused = Vec::new();
    for (at, verdict) in fresh.into_iter().zip(verdicts) {
        match verdict {
            Ok(applied) => {
                applied.complete(&mut writes[at].message);
                answers[at] = Answer::Accepted;
                accepted.push(at);
            }
            Err(refusal) => {
                answers[at] = Answer::Refused(refusal);
                refused.push(at);
            }
        }
    }
    // A write that failed is no answer to give again: it may well succeed next time.
    claims::release(&mut transaction, refused.iter().filter_map(|&at| writes[at].claim.as_ref())).await?;
    if !accepted.is_empty() {
        let accepted: Vec<&Write<C>> = accepted.iter().map(|&at| &writes[at]).collect();
        let new: Vec<NewTask<'_>> = accepted.iter().map(|write| new_task(write)).collect();
        tasks::insert(&mut transaction, &new, store.reconcile_after).await?;
        let messages: Vec<_> = accepted.iter().map(|write| write.message.clone()).collect();
        store.outbox.enqueue(&mut transaction, &messages).await?;
    }
    transaction.commit().await?;
    store.outbox.wake();
    claims.settle(writes, &mut answers);
    Ok(answers)
}

fn new_task<C: Change>(write: &Write<C>) -> NewTask<'_> {
    NewTask {
        message: &write.message,
        subject: &write.subject,
        owner: write.owner,
        rollback_user: write.change.rollback_user(),
        rollback_of: None,
    }
}

impl From<Refusal> for service::ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Conflict(detail) => Self::conflict(detail),
            Refusal::Missing(detail) => Self::not_found(detail),
            Refusal::Stale => Self::precondition_failed("the version is no longer the one in If-Match"),
        }
    }
}
