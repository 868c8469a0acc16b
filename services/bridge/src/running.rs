//! The start of the program: what it is made of.

use std::time::Duration;

use anyhow::Context;
use axum::Router;
use client::Registration;
use contracts::topology::queue::{BRIDGE_INFLUXDB, BRIDGE_KAFKA};
use messaging::{Broker, Consumer, Settings};
use secrecy::ExposeSecret;
use service::{Background, Health, Need, Running, Serving};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::influxdb::{self, Api, ToInfluxdb};
use crate::kafka::{self, Ping, ToKafka};
use crate::{Config, openapi};

const NAME: &str = "bridge";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Starts the program. It waits for RabbitMQ, Kafka and InfluxDB for as long as they are away.
///
/// # Errors
/// If the address is taken, or a setting cannot be used.
pub async fn start(config: Config, stop: CancellationToken) -> anyhow::Result<Running> {
    let (brokers, influxdb) = (config.kafka.brokers(), config.influxdb.url());
    anyhow::ensure!(
        brokers.is_some() || influxdb.is_some(),
        "neither KAFKA_BROKERS nor INFLUXDB_URL is set: there is nowhere to send events to"
    );
    let http = service::listen(config.http.listen).await?;
    let (address, limits) = (http.local_addr()?, config.http.limits());
    let broker = open(&config, brokers.is_some(), influxdb.is_some())?;
    let asked = broker.clone();
    let mut health = Health::new(NAME, VERSION).dependency("rabbitmq", Need::Required, move || {
        let broker = asked.clone();
        async move { broker.ping().await }
    });

    let mut consuming = Vec::new();
    if let Some(brokers) = brokers {
        let ping = Ping::new(brokers, &config.kafka)?;
        let consumer = consumer(&broker, BRIDGE_KAFKA, kafka::BATCH);
        health = health.dependency("kafka", Need::Optional, move || ping.ping()).consumer(
            BRIDGE_KAFKA,
            consumer.status(),
            Need::Required,
        );
        let handler = ToKafka::new(brokers, &config.kafka, consumer.status(), stop.clone());
        consuming.push(tokio::spawn(consumer.run(handler, stop.clone())));
    }
    if let Some(url) = influxdb {
        let api = Api::new(url, &config.influxdb)?;
        let (consumer, asked) = (consumer(&broker, BRIDGE_INFLUXDB, influxdb::BATCH), api.clone());
        health = health.dependency("influxdb", Need::Optional, move || asked.ping()).consumer(
            BRIDGE_INFLUXDB,
            consumer.status(),
            Need::Required,
        );
        consuming.push(tokio::spawn(consumer.run(ToInfluxdb(api), stop.clone())));
    }
    let registration = Registration::start(&config.registry, NAME, VERSION, address, health.readiness())?;

    let app = service::app(Router::new(), health, openapi());
    let mut serving = Serving::http(http, app, limits, registration.leave_before(stop.clone()))?;
    for consumer in consuming {
        let consuming = async { consumer.await.context("a consumer panicked") };
        serving = serving.also(finished(consuming, stop.clone(), limits.stop_timeout * 3 / 5));
    }
    Ok(serving.start(Background::default(), broker, stop))
}

/// Where nothing is sent on to, there is no queue, which nobody would ever empty.
fn open(config: &Config, kafka: bool, influxdb: bool) -> anyhow::Result<Broker> {
    let mut topology = contracts::topology::bridge();
    topology.queues.retain(|queue| match queue.name.as_str() {
        BRIDGE_KAFKA => kafka,
        BRIDGE_INFLUXDB => influxdb,
        _ => true,
    });
    let settings = Settings { publish_channels: 1, ..Settings::new(config.amqp_url.expose_secret(), NAME, topology) };
    Broker::open(settings).context("AMQP_URL")
}

/// While a batch is being written, the next one is on its way.
fn consumer(broker: &Broker, queue: &str, batch: usize) -> Consumer {
    let prefetch = u16::try_from(2 * batch).unwrap_or(u16::MAX);
    broker.consumer(queue).batch(batch).prefetch(prefetch)
}

/// A consumer, which finishes its batch in limited time once it is told to stop.
async fn finished(
    consuming: impl Future<Output = anyhow::Result<()>>,
    stop: CancellationToken,
    within: Duration,
) -> anyhow::Result<()> {
    let late = async {
        stop.cancelled().await;
        sleep(within).await;
    };
    tokio::select! {
        ended = consuming => ended,
        () = late => anyhow::bail!("a consumer did not finish its batch within {} s", within.as_secs()),
    }
}
