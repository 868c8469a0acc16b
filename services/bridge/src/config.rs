//! Configuration, read once, in `main`.

use clap::{Args, Parser};
use client::RegistryArgs;
use secrecy::{ExposeSecret, SecretString};
use service::HttpArgs;
use service::telemetry::LogArgs;

/// Sends every event on to Kafka and to InfluxDB.
#[derive(Clone, Debug, Parser)]
#[command(name = "bridge", version)]
pub struct Config {
    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub http: HttpArgs<30004>,

    /// RabbitMQ, with the vhost as path.
    #[arg(
        long,
        env = "AMQP_URL",
        hide_env_values = true,
        default_value = "amqp://user:password@127.0.0.1:5672/my_vhost"
    )]
    pub amqp_url: SecretString,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub kafka: KafkaArgs,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub influxdb: InfluxdbArgs,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub registry: RegistryArgs,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub log: LogArgs,
}

/// Kafka, and what is written there.
#[derive(Args, Clone, Debug)]
pub struct KafkaArgs {
    /// Kafka: host:port of some of its brokers, with commas between them. Without it no events go there.
    #[arg(long, env)]
    pub kafka_brokers: Option<String>,

    /// The topic of the events. There may be one bridge program for it, in as many processes as one likes.
    #[arg(long, env, default_value = "warren.events")]
    pub kafka_topic: String,

    /// Partitions that the topic is made with, if it is not there.
    #[arg(long, env, value_parser = clap::value_parser!(i32).range(1..=1000), default_value = "3")]
    pub kafka_partitions: i32,

    /// How many of the last events are known again when they come twice.
    #[arg(long, env, value_parser = clap::value_parser!(u32).range(1..=10_000_000), default_value = "100000")]
    pub bridge_remember: u32,
}

/// InfluxDB: a database of version 1, or a bucket of version 2.
#[derive(Args, Clone, Debug)]
pub struct InfluxdbArgs {
    /// InfluxDB. Without it no events go there.
    #[arg(long, env, hide_env_values = true)]
    pub influxdb_url: Option<SecretString>,

    /// The database, for InfluxDB 1; made if it is not there.
    #[arg(long, env, default_value = "warren")]
    pub influxdb_database: String,

    /// The organization, for InfluxDB 2.
    #[arg(long, env)]
    pub influxdb_org: Option<String>,

    /// The bucket, for InfluxDB 2; with it the database does not count.
    #[arg(long, env)]
    pub influxdb_bucket: Option<String>,

    /// The token, for InfluxDB 2.
    #[arg(long, env, hide_env_values = true)]
    pub influxdb_token: Option<SecretString>,
}

impl KafkaArgs {
    /// The brokers, if there are any.
    pub(crate) fn brokers(&self) -> Option<&str> {
        given(self.kafka_brokers.as_deref())
    }
}

impl InfluxdbArgs {
    /// The URL, if there is one.
    pub(crate) fn url(&self) -> Option<&str> {
        given(self.influxdb_url.as_ref().map(ExposeSecret::expose_secret))
    }

    /// Organization, bucket and token, if this is version 2.
    ///
    /// # Errors
    /// If only some of them are set.
    pub(crate) fn bucket(&self) -> anyhow::Result<Option<(&str, &str, &str)>> {
        let token = self.influxdb_token.as_ref().map(ExposeSecret::expose_secret);
        match (given(self.influxdb_org.as_deref()), given(self.influxdb_bucket.as_deref()), given(token)) {
            (None, None, None) => Ok(None),
            (Some(org), Some(bucket), Some(token)) => Ok(Some((org, bucket, token))),
            _ => anyhow::bail!("INFLUXDB_ORG, INFLUXDB_BUCKET and INFLUXDB_TOKEN are set together, or none of them"),
        }
    }
}

/// A variable that is set to nothing, as `docker compose` does it, is not set.
fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}
