//! The start of the program: what it is made of.

use std::time::Duration;

use bson::doc;
use client::Registration;
use contracts::payments::PaymentCommand;
use contracts::topology::queue::PAYMENT_SERVICE;
use service::auth::Verifier;
use service::connect::{self, PoolSettings};
use service::documents::{Documents, index};
use service::{Background, Need, Running, Serving};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::commands::{Patience, TakeCommands};
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
    let http = service::listen(config.http.listen).await?;
    let address = http.local_addr()?;

    let (pool, limits) = (PoolSettings::connections(AT_ONCE.into()), config.http.limits());
    let store = config.store.connect(NAME, pool, &config.retry, limits.stop_timeout).await?;
    let (database, broker) = (store.database(&config.payments_database), store.broker.clone());
    let (payments, relay) = Documents::open(&database, "payments", broker.publisher(), store.relay.clone()).await?;
    payments.ensure_index(index("of_user", doc! { "user_id": 1, "_id": 1 })).await?;

    let provider = SimulatedProvider::new(&database, config.provider);
    let patience = Patience { tries: config.provider.payment_tries, timeout: config.provider.payment_timeout };
    let commands = TakeCommands::new(payments.clone(), provider, patience);
    // How often a command is tried is for its handler to say: a refund as often as it takes.
    let consumer = broker.consumer(PAYMENT_SERVICE).max_attempts(u32::MAX).prefetch(2 * AT_ONCE).batch(AT_ONCE.into());

    let redis = connect::redis_if_there("REDIS_URL", &config.redis_url, PoolSettings::default())?;
    let verifier = Verifier::new(&config.auth, Some(redis))?;
    // One that waits for MongoDB is listed as down.
    let health = store.health(NAME, VERSION).consumer(PAYMENT_SERVICE, consumer.status(), Need::Required);
    let registration = Registration::start(&config.registry, NAME, VERSION, address, health.readiness())?;

    let mut background = Background::default();
    background.spawn(|stop| relay.run(stop));

    let app = service::app(router(App { payments }, verifier), health, openapi());
    let consuming = consumer.run::<PaymentCommand, _>(commands, stop.clone());
    let consuming = finished(consuming, stop.clone(), limits.stop_timeout * 3 / 5);
    let serving = Serving::http(http, app, limits, registration.leave_before(stop.clone()))?.also(consuming);
    Ok(serving.start(background, broker, stop))
}

/// The consumer, which finishes its batch in limited time once it is told to stop.
async fn finished(
    consuming: impl Future<Output = ()>,
    stop: CancellationToken,
    within: Duration,
) -> anyhow::Result<()> {
    let late = async {
        stop.cancelled().await;
        sleep(within).await;
    };
    tokio::select! {
        () = consuming => Ok(()),
        () = late => anyhow::bail!("the consumer did not finish its batch within {} s", within.as_secs()),
    }
}
