//! The producer's start, its run and its end.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use messaging::outbox::Outbox;
use messaging::{Broker, ConsumerStatus, Settings};
use secrecy::ExposeSecret;
use service::connect::{self, PoolSettings};
use service::http::{HttpLimits, HttpSettings};
use service::{Health, Need};
use sqlx::postgres::PgPool;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::background::{self, Background};
use crate::backlog::Backlog;
use crate::lane::{Lane, Store};
use crate::tasks::Watch;
use crate::users::Hasher;
use crate::{App, Config, Parts, router};

/// Longer than a client may wait for a task's end with `Prefer: wait`.
const HANDLER_TIMEOUT: Duration = Duration::from_secs(40);

/// A producer that runs.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Where it serves HTTP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for its end.
    pub async fn ended(self) -> anyhow::Result<()> {
        self.serving.await.context("the producer panicked")?
    }

    /// Stops it, and waits until what is in flight is finished.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.ended().await
    }
}

/// Starts a producer. It needs Postgres, and does without RabbitMQ for as long as that is away.
pub async fn start(config: Config, stop: CancellationToken) -> anyhow::Result<Running> {
    let listener = service::listen(config.http.listen).await?;
    let address = listener.local_addr()?;
    let (writes, reads) = connect(&config).await?;
    prepare(&writes).await?;
    let settings = Settings::new(config.amqp_url.expose_secret(), "producer", contracts::topology());
    let broker = Broker::open(settings).context("AMQP_URL")?;
    let serving = tokio::spawn(run(config, listener, writes, reads, broker, stop.clone()));
    Ok(Running { address, stop, serving })
}

/// Two pools, so that no number of reads keeps the writes waiting.
async fn connect(config: &Config) -> anyhow::Result<(PgPool, PgPool)> {
    let pool = |connections| {
        let settings =
            PoolSettings { acquire_timeout: Duration::from_secs(3), ..PoolSettings::connections(connections) };
        let backoff = config.retry.backoff();
        async move { connect::postgres("DATABASE_URL", &config.database_url, settings, &backoff).await }
    };
    Ok((pool(8).await?, pool(8).await?))
}

/// Makes what is to be stored into; several producers may do this at the same time.
async fn prepare(pool: &PgPool) -> anyhow::Result<()> {
    sqlx::migrate!("../migrations/postgres").run(pool).await.context("migrating the database")?;
    Outbox::install(pool).await.context("installing the outbox")
}

async fn run(
    config: Config,
    listener: TcpListener,
    writes: PgPool,
    reads: PgPool,
    broker: Broker,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let outbox = Outbox::new(writes.clone());
    let backlog = Backlog::new(config.outbox_max_backlog);
    let watch = std::sync::Arc::new(Watch::default());
    let store = Store { pool: writes.clone(), outbox: outbox.clone(), reconcile_after: config.reconcile_after };
    let (messages, messages_end) = Lane::open(store.clone());
    let (records, records_end) = Lane::open(store.clone());
    let (users, users_end) = Lane::open(store);
    let app = App(std::sync::Arc::new(Parts {
        messages,
        records,
        users,
        backlog: backlog.clone(),
        hasher: Hasher::start(&config.hashing)?,
        reads: reads.clone(),
        requester: broker.requester(),
        watch: watch.clone(),
        stop: stop.clone(),
    }));
    let (router, openapi) = router(app);
    let reports = background::reports(&broker);
    let settings = HttpSettings { handler_timeout: HANDLER_TIMEOUT, ..HttpSettings::default() };
    let router =
        service::http::app_with(router, health(&reads, &broker, &backlog, reports.status()), openapi, settings);

    // Requests, then lanes, then the rest: all of it within STOP_TIMEOUT.
    let stop_timeout = config.http.stop_timeout;
    let limits = HttpLimits { stop_timeout: stop_timeout * 3 / 5, ..config.http.limits() };

    let background_stop = CancellationToken::new();
    let parts = Background {
        config: &config,
        outbox,
        broker: broker.clone(),
        reports,
        writes: writes.clone(),
        reads,
        watch,
        backlog,
    };
    let mut tasks = background::spawn(parts, &background_stop);

    let served = tokio::select! {
        served = service::serve(listener, router, stop, limits) => served,
        // None of them ends by itself, so this one panicked. Better to be started again than to half work.
        ended = tasks.join_next() => bail!("a background task ended: {ended:?}"),
    };
    // The router is gone, and with it the ways into the lanes: they end when all is answered.
    let lanes = async {
        for lane in [messages_end, records_end, users_end] {
            lane.await.context("a lane panicked")?;
        }
        anyhow::Ok(())
    };
    let committed =
        timeout(stop_timeout / 5, lanes).await.unwrap_or_else(|_| Err(anyhow!("writes were not committed in time")));
    background_stop.cancel();
    finish(tasks, stop_timeout / 5).await;
    broker.close().await;
    writes.close().await;
    tracing::info!("stopped");
    served.and(committed)
}

async fn finish(mut tasks: JoinSet<()>, within: Duration) {
    let ending = async { while tasks.join_next().await.is_some() {} };
    if timeout(within, ending).await.is_err() {
        tracing::warn!("background tasks did not end in time");
    }
}

/// Writes need Postgres alone; without RabbitMQ they are accepted and flow later.
fn health(reads: &PgPool, broker: &Broker, backlog: &Backlog, reports: ConsumerStatus) -> Health {
    let (reads, broker, backlog) = (reads.clone(), broker.clone(), backlog.clone());
    Health::new("producer", env!("CARGO_PKG_VERSION"))
        .dependency("postgres", Need::Required, move || connect::ping_postgres(reads.clone()))
        .dependency("rabbitmq", Need::Optional, move || {
            let broker = broker.clone();
            async move { broker.ping().await }
        })
        // Without the reports tasks do not end; it also tells of a topology that the broker does not accept.
        .dependency("reports", Need::Optional, move || {
            let reports = reports.clone();
            async move { reports.ready() }
        })
        .ready_when("postgres", move || backlog.answered())
}
