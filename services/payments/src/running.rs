//! The start of the program, its run and its end.

use std::net::SocketAddr;

use anyhow::Context;
use bson::doc;
use client::Registration;
use contracts::payments::PaymentCommand;
use contracts::topology::queue::PAYMENT_SERVICE;
use messaging::documents::{Relay, RelaySettings};
use messaging::{Broker, ConsumerStatus, Settings};
use secrecy::ExposeSecret;
use service::auth::Verifier;
use service::connect::{self, PoolSettings};
use service::documents::{self, Documents, index};
use service::http::HttpLimits;
use service::{Background, Health, Need, Running};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::commands::{Patience, TakeCommands};
use crate::payment::Payment;
use crate::simulated::SimulatedProvider;
use crate::{App, Config, openapi, router};

const NAME: &str = "payments";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How many payments are decided at the same time.
const AT_ONCE: u16 = 128;

/// Starts the program. It needs MongoDB, and waits for RabbitMQ for as long as that is away.
///
/// # Errors
/// If the address is taken, MongoDB cannot be reached, or a setting cannot be used.
pub async fn start(config: Config, stop: CancellationToken) -> anyhow::Result<Running> {
    config.auth.check()?;
    let listener = service::listen(config.http.listen).await?;
    let address = listener.local_addr()?;

    let (store, pool) = (&config.store, PoolSettings::connections(u32::from(AT_ONCE)));
    let mongodb = connect::mongodb("MONGODB_URL", &store.mongodb_url, pool, &config.retry.backoff()).await?;
    let broker = Broker::open(Settings::new(store.amqp_url.expose_secret(), NAME, contracts::topology()));
    let broker = broker.context("AMQP_URL")?;
    let relay = RelaySettings { stop_within: config.http.stop_timeout / 5, ..RelaySettings::default() };
    let database = mongodb.database(&config.payments_database);
    let (payments, relay) = Documents::open(&database, "payments", broker.publisher(), relay).await?;
    payments.ensure_index(index("of_user", doc! { "user_id": 1, "_id": 1 })).await?;

    let provider = SimulatedProvider::new(&database, config.provider);
    let patience = Patience { tries: config.provider.payment_tries, timeout: config.provider.payment_timeout };
    let commands = TakeCommands::new(payments.clone(), provider, patience);

    let redis = connect::redis_if_there("REDIS_URL", &config.redis_url, PoolSettings::default())?;
    let verifier = Verifier::new(&config.auth, Some(redis))?;
    // How often a command is tried is for its handler to say: a refund as often as it takes.
    let consumer = broker.consumer(PAYMENT_SERVICE).max_attempts(u32::MAX).prefetch(2 * AT_ONCE).batch(AT_ONCE.into());
    let health = in_health(documents::health(NAME, VERSION, &mongodb, &broker), consumer.status());
    let left = register(&config, address, &health)?.leave_before(stop.clone());
    let consuming = finished(consumer.run::<PaymentCommand, _>(commands, stop.clone()), stop.clone(), &config);
    let parts = Parts { config, listener, broker, payments, relay, verifier, health };
    Ok(Running::spawn(address, stop, parts.run(consuming, left)))
}

fn register(config: &Config, address: SocketAddr, health: &Health) -> anyhow::Result<Registration> {
    let health = health.clone();
    let ready = move || health.not_ready().is_empty();
    Registration::start(&config.registry, NAME, VERSION, address, ready)
}

/// The program is ready when the broker has its consumer; one that waits for MongoDB is listed as down.
fn in_health(health: Health, consumer: ConsumerStatus) -> Health {
    let registered = consumer.clone();
    let health = health.ready_when(PAYMENT_SERVICE, move || registered.ready());
    health.dependency(PAYMENT_SERVICE, Need::Optional, move || std::future::ready(consumer.working()))
}

/// The consumer, which finishes its batch in limited time once it is told to stop.
fn finished(
    consuming: impl Future<Output = ()> + Send + 'static,
    stop: CancellationToken,
    config: &Config,
) -> impl Future<Output = anyhow::Result<()>> + Send + 'static {
    let within = config.http.stop_timeout * 3 / 5;
    async move {
        let late = async {
            stop.cancelled().await;
            sleep(within).await;
        };
        tokio::select! {
            () = consuming => Ok(()),
            () = late => anyhow::bail!("the consumer did not finish its batch within {} s", within.as_secs()),
        }
    }
}

struct Parts {
    config: Config,
    listener: TcpListener,
    broker: Broker,
    payments: Documents<Payment>,
    relay: Relay,
    verifier: Verifier,
    health: Health,
}

impl Parts {
    /// Requests and commands, then the relay: all of it within STOP_TIMEOUT.
    async fn run(
        self,
        consuming: impl Future<Output = anyhow::Result<()>> + Send + 'static,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let Self { config, listener, broker, payments, relay, verifier, health } = self;
        let stop_timeout = config.http.stop_timeout;
        let limits = HttpLimits { stop_timeout: stop_timeout * 3 / 5, ..config.http.limits() };

        let mut background = Background::default();
        background.spawn(|stop| relay.run(stop));

        let router = service::app(router(App { payments }, verifier), health, openapi());
        let serving = async {
            let (served, consumed) = tokio::join!(service::serve(listener, router, stop, limits), consuming);
            served.and(consumed)
        };
        let served = background.beside(serving, stop_timeout / 5).await;
        broker.close().await;
        tracing::info!("stopped");
        served
    }
}
