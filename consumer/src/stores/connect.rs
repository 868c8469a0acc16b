//! Connecting to the stores that the chosen roles need, and to no other.

use ::mongodb::Client;
use ::redis::aio::ConnectionManager;
use anyhow::Context;
use service::connect::{self, PoolSettings};
use sqlx::MySqlPool;

use super::messages::Messages;
use super::profiles::Profiles;
use super::records::Records;
use super::users::Users;
use super::{OPERATION_LIMIT, Store};
use crate::config::Config;

/// A bulk write has one connection to itself; the others are for the reads.
const CONNECTIONS: u32 = 8;

/// The stores in use. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Stores {
    mysql: Option<MySqlPool>,
    mongodb: Option<(Client, Users, Messages)>,
    redis: Option<(Connection, Profiles)>,
    records: Option<Records>,
}

#[derive(Clone)]
struct Connection(ConnectionManager);

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

/// This process does not use a store, because none of its roles does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this consumer does not use {0}, which none of its roles needs; ask one that does")]
pub struct NotUsed(pub Store);

impl Stores {
    /// Connects to the stores that the roles need, and makes them ready: migrations, indexes.
    pub async fn connect(config: &Config) -> anyhow::Result<Self> {
        let backoff = config.retry.backoff();
        // The server's own limit comes first: it says more than ours.
        let statement_timeout = OPERATION_LIMIT - std::time::Duration::from_secs(1);
        let pool = PoolSettings { statement_timeout, ..PoolSettings::connections(CONNECTIONS) };
        let mut stores = Self::default();
        if config.uses(Store::Mysql) {
            let pool = connect::mysql("MYSQL_URL", &config.mysql_url, pool, &backoff).await?;
            let records = Records::new(pool.clone());
            records.migrate().await.context("bringing the tables of MYSQL_URL up to date")?;
            stores.mysql = Some(pool);
            stores.records = Some(records);
        }
        if config.uses(Store::Mongodb) {
            let client = connect::mongodb("MONGODB_URL", &config.mongodb_url, pool, &backoff).await?;
            let database = client.database(&config.mongodb_database);
            let users = Users::new(&database);
            users.create_indexes().await.context("creating the indexes in MONGODB_URL")?;
            stores.mongodb = Some((client, users, Messages::new(&database)));
        }
        if config.uses(Store::Redis) {
            let connection = connect::redis("REDIS_URL", &config.redis_url, pool, &backoff).await?;
            let profiles = Profiles::new(connection.clone(), config.session_ttl());
            stores.redis = Some((Connection(connection), profiles));
        }
        Ok(stores)
    }

    /// The records.
    pub fn records(&self) -> Result<&Records, NotUsed> {
        self.records.as_ref().ok_or(NotUsed(Store::Mysql))
    }

    /// The users.
    pub fn users(&self) -> Result<&Users, NotUsed> {
        self.mongodb.as_ref().map(|(_, users, _)| users).ok_or(NotUsed(Store::Mongodb))
    }

    /// The texts.
    pub fn messages(&self) -> Result<&Messages, NotUsed> {
        self.mongodb.as_ref().map(|(_, _, messages)| messages).ok_or(NotUsed(Store::Mongodb))
    }

    /// Sessions and cached profiles.
    pub fn profiles(&self) -> Result<&Profiles, NotUsed> {
        self.redis.as_ref().map(|(_, profiles)| profiles).ok_or(NotUsed(Store::Redis))
    }

    /// Adds the stores in use to what the process's health depends on.
    pub(crate) fn in_health(&self, mut health: service::Health) -> service::Health {
        let required = service::Need::Required;
        if let Some(pool) = self.mysql.clone() {
            health = health.dependency("mysql", required, move || connect::ping_mysql(pool.clone()));
        }
        if let Some((client, ..)) = self.mongodb.clone() {
            health = health.dependency("mongodb", required, move || connect::ping_mongodb(client.clone()));
        }
        if let Some((Connection(connection), _)) = self.redis.clone() {
            health = health.dependency("redis", required, move || connect::ping_redis(connection.clone()));
        }
        health
    }
}
