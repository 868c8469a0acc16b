//! The arguments of `warren doctor`: the same variables that the programs read, with the same defaults.

use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::PlaceArgs;

/// `warren doctor`.
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) places: PlaceArgs,

    /// PostgreSQL.
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        default_value = "postgres://admin:adminpassword@127.0.0.1:5432/mydatabase"
    )]
    pub(crate) database_url: SecretString,

    /// MariaDB or MySQL.
    #[arg(
        long,
        env = "MYSQL_URL",
        hide_env_values = true,
        default_value = "mysql://warren:warren-password@127.0.0.1:3306/student_records"
    )]
    pub(crate) mysql_url: SecretString,

    /// MongoDB.
    #[arg(
        long,
        env = "MONGODB_URL",
        hide_env_values = true,
        default_value = "mongodb://127.0.0.1:27017/?directConnection=true"
    )]
    pub(crate) mongodb_url: SecretString,

    /// Redis.
    #[arg(long, env = "REDIS_URL", hide_env_values = true, default_value = "redis://127.0.0.1:6379")]
    pub(crate) redis_url: SecretString,

    /// RabbitMQ.
    #[arg(
        long,
        env = "AMQP_URL",
        hide_env_values = true,
        default_value = "amqp://user:password@127.0.0.1:5672/my_vhost"
    )]
    pub(crate) amqp_url: SecretString,

    /// Elasticsearch or OpenSearch, if it is used.
    #[arg(long, env = "SEARCH_URL", hide_env_values = true)]
    search_url: Option<SecretString>,

    /// Kafka, if it is used: host:port of some of its brokers, with commas between them.
    #[arg(long, env = "KAFKA_BROKERS", hide_env_values = true)]
    kafka_brokers: Option<SecretString>,

    /// InfluxDB, if it is used.
    #[arg(long, env = "INFLUXDB_URL", hide_env_values = true)]
    influxdb_url: Option<SecretString>,

    /// The S3 API of an object storage, if one is used.
    #[arg(long, env = "S3_URL", hide_env_values = true)]
    s3_url: Option<SecretString>,

    /// The mail server, if one is used.
    #[arg(long, env = "SMTP_URL", hide_env_values = true)]
    smtp_url: Option<SecretString>,
}

impl DoctorArgs {
    pub(crate) fn search_url(&self) -> Option<&SecretString> {
        set(&self.search_url)
    }

    pub(crate) fn kafka_brokers(&self) -> Option<&SecretString> {
        set(&self.kafka_brokers)
    }

    pub(crate) fn influxdb_url(&self) -> Option<&SecretString> {
        set(&self.influxdb_url)
    }

    pub(crate) fn s3_url(&self) -> Option<&SecretString> {
        set(&self.s3_url)
    }

    pub(crate) fn smtp_url(&self) -> Option<&SecretString> {
        set(&self.smtp_url)
    }
}

/// A variable that is set to nothing is as one that is not set.
fn set(url: &Option<SecretString>) -> Option<&SecretString> {
    url.as_ref().filter(|url| !url.expose_secret().trim().is_empty())
}
