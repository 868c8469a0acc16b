//! The producer's start, its run and its end.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use client::Registration;
use messaging::outbox::Outbox;
use messaging::{Backoff, Broker, ConsumerStatus, Settings};
use secrecy::ExposeSecret;
use service::connect::{self, PoolSettings};
use service::http::{HttpLimits, HttpSettings};
use service::{Health, Need, Running};
use sqlx::postgres::PgPool;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::auth::{Auth, Telling, ensure_admin};
use crate::background::{self, Background};
use crate::backlog::Backlog;
use crate::lane::{Lane, Store};
use crate::tasks::Watch;
use crate::users::Hasher;
use crate::{App, Config, Parts, openapi, router};

const NAME: &str = "producer";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Longer than a client may wait for a task's end with `Prefer: wait`.
const HANDLER_TIMEOUT: Duration = Duration::from_secs(40);

/// Starts a producer. It needs Postgres, and does without RabbitMQ for as long as that is away.
pub async fn start(config: Config, stop: CancellationToken) -> anyhow::Result<Running> {
    config.auth.check()?;
    config.admin.named(config.auth.environment)?;
    let listener = service::listen(config.http.listen).await?;
    let address = listener.local_addr()?;
    let (writes, reads) = connect(&config).await?;
    let auth = Auth::new(&config, reads.clone())?;
    prepare(&writes, &config.retry.backoff()).await?;
    let settings = Settings::new(config.amqp_url.expose_secret(), NAME, contracts::topology());
    let broker = Broker::open(settings).context("AMQP_URL")?;
    let serving = run(config, listener, writes, reads, auth, broker, stop.clone());
    Ok(Running::spawn(address, stop, serving))
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
async fn prepare(pool: &PgPool, backoff: &Backoff) -> anyhow::Result<()> {
    let migrations = sqlx::migrate!("../migrations/postgres");
    backoff
        .retry_if("migrating the database", || migrations.run(pool), connect::may_pass)
        .await
        .context("migrating the database")?;
    backoff.retry("installing the outbox", || Outbox::install(pool)).await.context("installing the outbox")
}

async fn run(
    config: Config,
    listener: TcpListener,
    writes: PgPool,
    reads: PgPool,
    auth: Auth,
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
        auth,
        reads: reads.clone(),
        requester: broker.requester(),
        watch: watch.clone(),
        stop: stop.clone(),
    }));
    ensure_admin(&app, &config).await?;
    let telling = app.auth.telling.clone();
    let router = router(app);
    let reports = background::reports(&broker);
    let settings = HttpSettings { handler_timeout: HANDLER_TIMEOUT, ..HttpSettings::default() };
    let health = health(&reads, &broker, &backlog, reports.status(), &telling);
    let router = service::http::app_with(router, health.clone(), openapi(), settings);

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
        telling,
    };
    let mut tasks = background::spawn(parts, &background_stop);
    let registration =
        Registration::start(&config.registry, NAME, VERSION, listener.local_addr()?, health.readiness())?;
    let left = registration.leave_before(stop);

    let served = tokio::select! {
        served = service::serve(listener, router, left, limits) => served,
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
fn health(reads: &PgPool, broker: &Broker, backlog: &Backlog, reports: ConsumerStatus, telling: &Telling) -> Health {
    let (reads, broker, backlog, telling) = (reads.clone(), broker.clone(), backlog.clone(), telling.clone());
    Health::new(NAME, VERSION)
        .dependency("postgres", Need::Required, move || connect::ping_postgres(reads.clone()))
        .dependency("rabbitmq", Need::Optional, move || {
            let broker = broker.clone();
            async move { broker.ping().await }
        })
        // Without Redis users can log in, but not out.
        .dependency("redis", Need::Optional, move || {
            let telling = telling.clone();
            async move { telling.ping().await }
        })
        // Without the reports tasks do not end; it also tells of a topology that the broker does not accept.
        .dependency("reports", Need::Optional, move || {
            let reports = reports.clone();
            async move { reports.ready() }
        })
        .ready_when("postgres", move || backlog.answered())
}
