//! The relay: follows until it may lead, leads until it may not, for ever.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::hooks::{AnyHook, AnyTask};
use super::leader::Leader;
use super::{ConfirmedHook, LeaderTask, Outbox, RelaySettings, gauges, session};
use crate::{Backoff, Publisher};

/// Publishes what is in the outbox. Several may run: one leads.
#[must_use = "a relay does nothing until it is run"]
pub struct Relay {
    pub(super) outbox: Outbox,
    pub(super) publisher: Publisher,
    pub(super) settings: RelaySettings,
    pub(super) hook: Option<Box<dyn AnyHook>>,
    pub(super) tasks: Vec<(Duration, Arc<dyn AnyTask>)>,
}

impl Relay {
    pub(super) fn new(outbox: Outbox, publisher: Publisher, settings: RelaySettings) -> Self {
        Self { outbox, publisher, settings, hook: None, tasks: Vec::new() }
    }

    /// Has messages recorded as they are confirmed.
    pub fn on_confirmed(mut self, hook: impl ConfirmedHook) -> Self {
        self.hook = Some(Box::new(hook));
        self
    }

    /// Has a job done every so often while this relay leads.
    pub fn while_leading(mut self, every: Duration, task: impl LeaderTask) -> Self {
        self.tasks.push((every, Arc::new(task)));
        self
    }

    /// Runs until it is stopped, whatever happens to the database and the broker. On a stop it waits, within a limit,
    /// for the confirms of what is in flight.
    pub async fn run(self, stop: CancellationToken) {
        let mut delays = Backoff::RECONNECT.delays();
        while !stop.is_cancelled() {
            let mut has_led = false;
            let ended = tokio::select! {
                ended = self.follow_and_lead(&stop, &mut has_led) => ended,
                // This may cut off any wait, a transaction's too: the session goes with it, back to no pool.
                () = self.patience(&stop) => Ok(()),
            };
            if has_led {
                gauges::leading(false);
                delays = Backoff::RECONNECT.delays();
            }
            let Err(error) = ended else { break };
            tracing::warn!(%error, has_led, "the outbox relay lost its database session and begins again");
            tokio::select! {
                () = sleep(delays.next().unwrap_or(Backoff::RECONNECT.cap)) => {}
                () = stop.cancelled() => break,
            }
        }
    }

    /// Ends some time after the stop.
    async fn patience(&self, stop: &CancellationToken) {
        stop.cancelled().await;
        sleep(self.settings.stop_within).await;
    }

    async fn follow_and_lead(&self, stop: &CancellationToken, has_led: &mut bool) -> Result<(), sqlx::Error> {
        let mut session = session::open(&self.outbox.pool, self.settings.silent_for).await?;
        if !self.follow(&mut session, stop).await? {
            return session.close().await;
        }
        *has_led = true;
        gauges::leading(true);
        tracing::info!("leading the outbox relay");
        let mut leader = Leader::begin(self, session).await?;
        leader.lead(stop).await?;
        tracing::info!("no longer leading the outbox relay");
        leader.close().await
    }

    /// Waits to become the leader. Whether it did; otherwise it was stopped.
    async fn follow(&self, session: &mut PgConnection, stop: &CancellationToken) -> Result<bool, sqlx::Error> {
        while !stop.is_cancelled() {
            if session::try_lead(session).await? {
                return Ok(true);
            }
            tokio::select! {
                () = sleep(self.settings.follow_every) => {}
                () = stop.cancelled() => {}
            }
        }
        Ok(false)
    }
}
