//! Recording what the broker answered: the cursor, the parked messages and the program's hook, in one transaction.

use std::time::Duration;

use sqlx::Connection;
use tokio::time::sleep;
use uuid::Uuid;

use super::cursor::{self, Cursor, Position};
use super::gauges;
use super::leader::Leader;
use super::parked::{self, Due};
use super::session::{STEP, within};
use crate::{Backoff, Outcome, Outgoing};

/// The waits must stay well below the session's idle limit.
const AGAIN: Backoff = Backoff { attempts: usize::MAX, base: Duration::from_millis(100), cap: Duration::from_secs(1) };

/// The messages of a page, each with the broker's answer.
pub(super) type Answers = Vec<(Position, Outgoing, Outcome)>;

/// What is to be recorded.
pub(super) enum Work {
    /// The first page in flight was answered.
    Page(Answers),
    /// Parked messages were tried again.
    Parked(Vec<(Due, Outcome)>),
}

impl Work {
    fn confirmed(&self) -> Vec<Uuid> {
        let confirmed = |outcome: &Outcome| *outcome == Outcome::Confirmed;
        match self {
            Self::Page(answers) => {
                answers.iter().filter(|(.., outcome)| confirmed(outcome)).map(|(_, message, _)| message.id).collect()
            }
            Self::Parked(tried) => {
                tried.iter().filter(|(_, outcome)| confirmed(outcome)).map(|(due, _)| due.message.id).collect()
            }
        }
    }
}

impl Leader<'_> {
    /// Records an answered page, together with those behind it that are answered too, or tried parked messages.
    pub(super) async fn settle(&mut self, work: Work) -> Result<(), sqlx::Error> {
        let (work, cursor) = match work {
            Work::Parked(_) => (work, self.settled.clone()),
            Work::Page(mut answers) => {
                let mut page = self.in_flight.pop_front().expect("a page in flight was answered");
                while let Some(next) = self.in_flight.pop_front_if(|next| next.answers.is_finished()) {
                    page = next;
                    answers.extend(page.answers.await.map_err(|_| sqlx::Error::WorkerCrashed)?);
                }
                (Work::Page(answers), page.after)
            }
        };
        let confirmed = work.confirmed();
        self.parked = self.record(&work, &cursor, &confirmed).await?;
        self.recorded_seq = cursor.done_seq;
        self.settled = cursor;
        self.history += 1;
        gauges::published(confirmed.len());
        Ok(())
    }

    /// Records until it succeeds or the session is lost. The answers are kept meanwhile: asking the broker again would
    /// help nobody if it is the hook that fails.
    async fn record(&mut self, work: &Work, cursor: &Cursor, confirmed: &[Uuid]) -> Result<i64, sqlx::Error> {
        let mut delays = AGAIN.delays();
        loop {
            match within(STEP, self.try_record(work, cursor, confirmed)).await {
                Err(error) if error.as_database_error().is_some() => self.recording.begins(&error),
                recorded => {
                    self.recording.ends();
                    return recorded;
                }
            }
            sleep(delays.next().unwrap_or(AGAIN.cap)).await;
        }
    }

    /// Returns how many messages are parked then.
    async fn try_record(&mut self, work: &Work, cursor: &Cursor, confirmed: &[Uuid]) -> Result<i64, sqlx::Error> {
        let relay = self.relay;
        let mut transaction = self.session.begin().await?;
        let parked = match work {
            Work::Page(answers) => self.parked + parked::park(&mut transaction, answers, &relay.settings).await?,
            Work::Parked(tried) => self.parked - parked::tried(&mut transaction, tried, &relay.settings).await?,
        };
        if let Some(hook) = relay.hook.as_ref().filter(|_| !confirmed.is_empty()) {
            hook.call(&mut transaction, confirmed).await?;
        }
        cursor::append(&mut transaction, cursor, parked).await?;
        transaction.commit().await?;
        Ok(parked)
    }
}
