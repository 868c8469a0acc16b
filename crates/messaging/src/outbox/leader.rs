//! The leader's work: pages are read, published and recorded in order, several at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::cursor::Cursor;
use super::hooks::AnyTask;
use super::parked::Due;
use super::record::{Answers, Work};
use super::session::{STEP, within};
use super::{Relay, cursor, gauges, page, parked, publish, segments};
use crate::stall::Stall;
use crate::{Lines, Outcome, header};

/// Also the heartbeat of a leader that waits for the broker.
const ROTATE_EVERY: Duration = Duration::from_millis(500);
const COUNT_EVERY: Duration = Duration::from_secs(2);
/// How many records of the cursor there may be before the old ones are thrown away.
const HISTORY: u32 = 10_000;
/// A page that is being published.
pub(super) struct InFlight {
    /// The cursor when this page is settled.
    pub(super) after: Cursor,
    read_at: Instant,
    age: Duration,
    pub(super) answers: AbortOnDropHandle<Answers>,
}

/// A relay that leads.
pub(super) struct Leader<'a> {
    pub(super) relay: &'a Relay,
    pub(super) session: PgConnection,
    /// How far was read.
    read: Cursor,
    /// How far all is settled.
    pub(super) settled: Cursor,
    /// The newest `done_seq` that is recorded.
    pub(super) recorded_seq: i64,
    pub(super) in_flight: VecDeque<InFlight>,
    /// Messages with the same key follow one another, those of different pages too.
    lines: Lines,
    /// More was found than one page holds.
    more: bool,
    /// Something may have been committed since the last look.
    look: bool,
    retrying: Option<AbortOnDropHandle<Vec<(Due, Outcome)>>>,
    /// How many messages are parked.
    pub(super) parked: i64,
    /// How many records of the cursor there are, roughly.
    pub(super) history: u32,
    tasks: Vec<(Instant, Duration, Arc<dyn AnyTask>)>,
    poll_at: Instant,
    rotate_at: Instant,
    count_at: Instant,
    sending: Arc<Stall>,
    pub(super) recording: Stall,
}

impl<'a> Leader<'a> {
    /// Begins where the last leader stopped.
    pub(super) async fn begin(relay: &'a Relay, mut session: PgConnection) -> Result<Self, sqlx::Error> {
        let read = cursor::load(&mut session).await?;
        let parked = within(STEP, gauges::count_parked(&mut session)).await?;
        let now = Instant::now();
        Ok(Self {
            relay,
            session,
            settled: read.clone(),
            recorded_seq: read.done_seq,
            read,
            in_flight: VecDeque::new(),
            lines: Lines::new(),
            more: false,
            look: true,
            retrying: None,
            parked,
            history: HISTORY,
            tasks: relay.tasks.iter().map(|(every, task)| (now + *every, *every, Arc::clone(task))).collect(),
            poll_at: now,
            rotate_at: now,
            count_at: now,
            sending: Arc::new(Stall::new("publishing from the outbox")),
            recording: Stall::new("recording what was published"),
        })
    }

    /// Works until the stop, then finishes what is in flight. An error means that the session is lost.
    pub(super) async fn lead(&mut self, stop: &CancellationToken) -> Result<(), sqlx::Error> {
        while !stop.is_cancelled() {
            within(STEP, self.read_pages()).await?;
            within(STEP, self.keep_house()).await?;
            self.run_tasks().await?;
            if let Some(work) = self.next_work(stop).await? {
                self.settle(work).await?;
            }
        }
        // The heartbeat must go on: the broker may take its time.
        while !self.in_flight.is_empty() {
            within(STEP, self.keep_house()).await?;
            if let Some(work) = self.next_work(&CancellationToken::new()).await? {
                self.settle(work).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn close(self) -> Result<(), sqlx::Error> {
        self.session.close().await
    }

    /// Reads as far as pages may be in flight. While a page that was not full is under way the next one gathers
    /// instead: the more comes, the fewer transactions it takes.
    async fn read_pages(&mut self) -> Result<(), sqlx::Error> {
        let depth = self.relay.settings.pages_in_flight.max(1);
        while if self.in_flight.is_empty() { self.more || self.look } else { self.more && self.in_flight.len() < depth }
        {
            self.read_page().await?;
        }
        Ok(())
    }

    async fn read_page(&mut self) -> Result<(), sqlx::Error> {
        let settings = &self.relay.settings;
        self.look = false;
        self.read.begin_tick(&mut self.session).await?;
        let mut page = page::read(&mut self.session, &self.read, settings.page_rows, settings.page_bytes).await?;
        self.more = !page.last;
        let last_row = page.rows.last().map(|(position, _)| *position);
        if let Some(position) = last_row {
            self.read.advance(position, page.rows.len());
        }
        if page.last {
            self.read.finish();
        }
        if last_row.is_none() {
            return self.caught_up().await;
        }
        // Whatever is committed while this page is under way may have found no one waiting.
        self.look = true;
        // Transactions get their ids before the locks for which they wait, but their rows' numbers after them.
        page.rows.sort_unstable_by_key(|(position, _)| position.seq);
        let lines = self.lines.line_up(page.rows, |(_, message)| message.headers.text(header::KEY).map(str::to_owned));
        let publisher = self.relay.publisher.clone();
        let sending = Arc::clone(&self.sending);
        let answers = tokio::spawn(async move { publish::until_answered(publisher, lines, &sending).await });
        self.in_flight.push_back(InFlight {
            after: self.read.clone(),
            read_at: Instant::now(),
            age: page.age,
            answers: AbortOnDropHandle::new(answers),
        });
        Ok(())
    }

    /// Nothing was found, and so all that was read before is all there is to settle.
    async fn caught_up(&mut self) -> Result<(), sqlx::Error> {
        if self.in_flight.is_empty() {
            self.settled = self.read.clone();
            // For those who ask for the backlog: what was rolled back is none. An idle outbox records nothing.
            if self.settled.done_seq != self.recorded_seq {
                cursor::append(&mut self.session, &self.settled, self.parked).await?;
                self.recorded_seq = self.settled.done_seq;
                self.history += 1;
            }
        }
        Ok(())
    }

    async fn keep_house(&mut self) -> Result<(), sqlx::Error> {
        let settings = &self.relay.settings;
        let now = Instant::now();
        if now >= self.poll_at {
            self.poll_at = now + settings.poll_every;
            self.look = true;
            self.retry_parked().await?;
        }
        if now >= self.rotate_at {
            self.rotate_at = now + ROTATE_EVERY;
            segments::rotate(&mut self.session, &self.settled.done, settings).await?;
            if self.history >= HISTORY {
                self.forget_history().await?;
            }
        }
        if now >= self.count_at {
            self.count_at = now + COUNT_EVERY;
            self.parked = gauges::count_parked(&mut self.session).await?;
            let tick_rows = self.settled.tick.as_ref().map_or(0, |tick| tick.rows);
            gauges::waiting(&mut self.session, self.settled.done_seq + tick_rows, self.parked).await?;
            let age = self.in_flight.front().map_or(Duration::ZERO, |page| page.age + page.read_at.elapsed());
            gauges::oldest_unpublished(age);
        }
        Ok(())
    }

    async fn forget_history(&mut self) -> Result<(), sqlx::Error> {
        match cursor::forget_history(&mut self.session, &self.settled, self.parked).await {
            Ok(()) => {
                self.history = 0;
                Ok(())
            }
            Err(error) if segments::is_lock_not_available(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn retry_parked(&mut self) -> Result<(), sqlx::Error> {
        if self.retrying.is_some() {
            return Ok(());
        }
        let due = parked::due(&mut self.session, self.relay.settings.page_bytes).await?;
        if !due.is_empty() {
            let publisher = self.relay.publisher.clone();
            self.retrying = Some(AbortOnDropHandle::new(tokio::spawn(async move {
                let outcomes = publisher.publish_all(due.iter().map(|due| due.message.clone())).await;
                due.into_iter().zip(outcomes).collect()
            })));
        }
        Ok(())
    }

    async fn run_tasks(&mut self) -> Result<(), sqlx::Error> {
        for (at, every, task) in &mut self.tasks {
            if Instant::now() < *at {
                continue;
            }
            *at = Instant::now() + *every;
            let done = within(STEP, run_task(&mut self.session, &**task)).await;
            match done {
                Err(error) if error.as_database_error().is_some() => {
                    tracing::warn!(%error, "a job of the outbox's leader failed");
                }
                done => done?,
            }
            self.look = true;
        }
        Ok(())
    }

    /// Waits for answers of the broker, or until there may be something else to do. It can be cut off anywhere: nothing
    /// here talks to the database.
    async fn next_work(&mut self, stop: &CancellationToken) -> Result<Option<Work>, sqlx::Error> {
        let idle = self.in_flight.is_empty();
        let answered = async {
            match self.in_flight.front_mut() {
                Some(page) => (&mut page.answers).await,
                None => std::future::pending().await,
            }
        };
        let retried = async {
            match &mut self.retrying {
                Some(retrying) => retrying.await,
                None => std::future::pending().await,
            }
        };
        let next_task = self.tasks.iter().map(|(at, ..)| *at).min();
        let timer = self.poll_at.min(next_task.unwrap_or(self.poll_at));
        tokio::select! {
            answers = answered => answers.map(|answers| Some(Work::Page(answers))),
            tried = retried => {
                self.retrying = None;
                tried.map(|tried| Some(Work::Parked(tried)))
            }
            () = self.relay.outbox.wake.notified(), if idle => {
                self.look = true;
                Ok(None)
            }
            () = sleep_until(timer) => Ok(None),
            () = stop.cancelled() => Ok(None),
        }
        .map_err(|_| sqlx::Error::WorkerCrashed)
    }
}

async fn run_task(session: &mut PgConnection, task: &dyn AnyTask) -> Result<(), sqlx::Error> {
    let mut transaction = session.begin().await?;
    // What it enqueues must be on disk before it can be read: a crash must not undo what was published already.
    sqlx::query("SET LOCAL synchronous_commit = on").execute(&mut *transaction).await?;
    task.call(&mut transaction).await?;
    transaction.commit().await
}
