//! Where a service's aggregates are, and the broker that their messages go to.

use std::time::Duration;

use anyhow::Context;
use messaging::documents::RelaySettings;
use messaging::{Broker, Settings};
use mongodb::{Client, Database};
use secrecy::ExposeSecret;

use super::StoreArgs;
use crate::connect::{self, PoolSettings};
use crate::{Health, Need, RetryArgs};

/// Where a service's aggregates are, and the broker that their messages go to.
#[derive(Clone, Debug)]
pub struct Store {
    /// MongoDB.
    pub mongodb: Client,
    /// RabbitMQ, which is connected to when it is first needed.
    pub broker: Broker,
    /// How messages are sent: when the program stops, in the time that is left for it.
    pub relay: RelaySettings,
}

impl StoreArgs {
    /// Connects to MongoDB; does without RabbitMQ for as long as that is away. `name` is what both know the program by.
    ///
    /// # Errors
    /// If MongoDB cannot be reached, or an address cannot be used.
    pub async fn connect(
        &self,
        name: &str,
        pool: PoolSettings,
        retry: &RetryArgs,
        stop_timeout: Duration,
    ) -> anyhow::Result<Store> {
        let mongodb = connect::mongodb("MONGODB_URL", &self.mongodb_url, pool, &retry.backoff()).await?;
        let settings = Settings::new(self.amqp_url.expose_secret(), name, contracts::topology());
        let broker = Broker::open(settings).context("AMQP_URL")?;
        let relay = RelaySettings { stop_within: crate::background_timeout(stop_timeout), ..RelaySettings::default() };
        Ok(Store { mongodb, broker, relay })
    }
}

impl Store {
    /// A database.
    pub fn database(&self, name: &str) -> Database {
        self.mongodb.database(name)
    }

    /// The health of a service that cannot do without MongoDB, and whose messages wait while RabbitMQ is away.
    pub fn health(&self, name: &'static str, version: &'static str) -> Health {
        let (client, broker) = (self.mongodb.clone(), self.broker.clone());
        Health::new(name, version)
            .dependency("mongodb", Need::Required, move || connect::ping_mongodb(client.clone()))
            .dependency("rabbitmq", Need::Optional, move || {
                let broker = broker.clone();
                async move { broker.ping().await }
            })
    }
}
