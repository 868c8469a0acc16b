//! What runs beside the requests: the relay, the reports' consumer, the looks at the backlog, sweeping.

use std::sync::Arc;
use std::time::Duration;

use contracts::topology::queue;
use messaging::outbox::{Outbox, RelaySettings};
use messaging::{Backoff, Broker, Consumer};
use sqlx::postgres::PgPool;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::auth::Telling;
use crate::backlog::Backlog;
use crate::tasks::{self, ApplyReports, MarkPublished, Reconcile, Rollback, Watch};
use crate::{Config, auth, idempotency};

/// A report has as many tasks as its consumer handles together, so few of them make a batch.
const REPORTS_TOGETHER: usize = 16;

/// How often what is old is deleted.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// What the background tasks work with.
pub(crate) struct Background<'a> {
    pub(crate) config: &'a Config,
    pub(crate) outbox: Outbox,
    pub(crate) broker: Broker,
    pub(crate) reports: Consumer,
    pub(crate) writes: PgPool,
    pub(crate) reads: PgPool,
    pub(crate) watch: Arc<Watch>,
    pub(crate) backlog: Backlog,
    pub(crate) telling: Telling,
}

/// The consumer of what is reported about tasks.
pub(crate) fn reports(broker: &Broker) -> Consumer {
    broker.consumer(queue::PRODUCER_TASKS).prefetch(4 * REPORTS_TOGETHER as u16).batch(REPORTS_TOGETHER)
}

/// Starts them all. None ends before `stop`.
pub(crate) fn spawn(parts: Background<'_>, stop: &CancellationToken) -> JoinSet<()> {
    let Background { config, outbox, broker, reports, writes, reads, watch, backlog, telling } = parts;
    let mut tasks = JoinSet::new();
    tasks.spawn(relay(outbox.clone(), broker.clone(), config.reconcile_after, stop.clone()));
    let handler = ApplyReports { pool: writes.clone(), watch: watch.clone() };
    tasks.spawn(reports.run(handler, stop.clone()));
    tasks.spawn(watch.run(reads, stop.clone()));
    tasks.spawn(backlog.watch(outbox, stop.clone()));
    tasks.spawn(telling.run(stop.clone()));
    tasks.spawn(sweep(writes, config.task_retention, stop.clone()));
    tasks
}

/// Relays once the broker has the topology: what is published before could not be routed, and would be parked.
async fn relay(outbox: Outbox, broker: Broker, reconcile_after: Duration, stop: CancellationToken) {
    if stop.run_until_cancelled(declare(&broker)).await.is_none() {
        return;
    }
    let reconcile = Reconcile::new(outbox.clone(), reconcile_after);
    let rollback = Rollback::new(outbox.clone(), reconcile_after);
    outbox
        .relay(broker.publisher(), RelaySettings::default())
        .on_confirmed(MarkPublished)
        .while_leading(reconcile.every(), reconcile)
        .while_leading(Rollback::EVERY, rollback)
        .run(stop)
        .await;
}

/// Declares the topology, however long it takes the broker to come.
async fn declare(broker: &Broker) {
    let mut delays = Backoff::RECONNECT.delays();
    while let Err(error) = broker.declare().await {
        let delay = delays.next().unwrap_or(Backoff::RECONNECT.cap);
        tracing::warn!(%error, retry_in = ?delay, "nothing is relayed yet: the topology could not be declared");
        sleep(delay).await;
    }
}

/// Deletes what has been kept long enough, a piece at a time.
async fn sweep(pool: PgPool, task_retention: Duration, stop: CancellationToken) {
    let mut times = interval(SWEEP_EVERY);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(times.tick()).await.is_some() {
        sweep_all("idempotency keys", &stop, || idempotency::sweep(&pool)).await;
        sweep_all("sessions", &stop, || auth::sweep(&pool)).await;
        sweep_all("tasks", &stop, || tasks::sweep(&pool, task_retention)).await;
    }
}

/// Calls `sweep` for as long as it says that there is more.
async fn sweep_all<F: Future<Output = Result<bool, sqlx::Error>>>(
    what: &str,
    stop: &CancellationToken,
    sweep: impl Fn() -> F,
) {
    loop {
        match sweep().await {
            Ok(true) if !stop.is_cancelled() => {}
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%error, "old {what} could not be deleted; it is tried again later");
                return;
            }
        }
    }
}
