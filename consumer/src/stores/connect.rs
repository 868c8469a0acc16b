//! Connecting to the stores that the chosen roles need, and to no other.

use ::mongodb::Client;
use ::redis::aio::ConnectionManager;
use anyhow::Context;
use service::connect::{self, PoolSettings};
use sqlx::MySqlPool;

use super::audit::Audit;
use super::messages::Messages;
use super::preferences::Preferences;
use super::profiles::Profiles;
use super::records::Records;
use super::users::Users;
use super::welcome::Welcomes;
use super::{OPERATION_LIMIT, Store};
use crate::config::Config;
use crate::mail::Mailer;
use crate::role::Role;
use crate::search::Search;
use crate::search::reindex::Leases;

/// A bulk write has one connection to itself; the others are for the reads.
const CONNECTIONS: u32 = 8;

/// The stores in use. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Stores {
    mysql: Option<MySqlPool>,
    mongodb: Option<Mongodb>,
    redis: Option<(Connection, Profiles)>,
    records: Option<Records>,
    search: Option<(Search, Leases)>,
    mailer: Option<Mailer>,
}

#[derive(Clone, Debug)]
struct Mongodb {
    client: Client,
    users: Users,
    messages: Messages,
    preferences: Preferences,
    welcomes: Welcomes,
    audit: Audit,
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
        let welcomes = config.roles().contains(&Role::WelcomeMessages);
        let mailer = if welcomes { Mailer::new(&config.mail)? } else { None };
        let mut stores = Self { mailer, ..Self::default() };
        if config.uses(Store::Mysql) {
            let pool = connect::mysql("MYSQL_URL", &config.mysql_url, pool, &backoff).await?;
            let records = Records::new(pool.clone());
            backoff
                .retry_if("bringing the tables of MYSQL_URL up to date", || records.migrate(), connect::may_pass)
                .await
                .context("bringing the tables of MYSQL_URL up to date")?;
            stores.mysql = Some(pool);
            stores.records = Some(records);
        }
        if config.uses(Store::Mongodb) {
            let client = connect::mongodb("MONGODB_URL", &config.mongodb_url, pool, &backoff).await?;
            let database = client.database(&config.mongodb_database);
            let users = Users::new(&database);
            users.create_indexes().await.context("creating the indexes in MONGODB_URL")?;
            stores.mongodb = Some(Mongodb {
                client,
                users,
                messages: Messages::new(&database),
                preferences: Preferences::new(&database),
                welcomes: Welcomes::new(&database),
                audit: Audit::new(&database),
            });
        }
        if config.uses(Store::Redis) {
            let connection = connect::redis("REDIS_URL", &config.redis_url, pool, &backoff).await?;
            let profiles = Profiles::new(connection.clone(), config.session_ttl());
            stores.redis = Some((Connection(connection), profiles));
        }
        if config.uses(Store::Search)
            && let Some(url) = config.search.url()
        {
            let (users, products) = (&config.search.search_users_index, &config.search.search_products_index);
            let search = Search::connect("SEARCH_URL", url, users, products, &backoff).await?;
            // Redis is needed only when an index is built anew.
            let leases = connect::redis_if_there("REDIS_URL", &config.redis_url, pool)?;
            stores.search = Some((search, Leases::new(leases)));
        }
        Ok(stores)
    }

    /// The records.
    pub fn records(&self) -> Result<&Records, NotUsed> {
        self.records.as_ref().ok_or(NotUsed(Store::Mysql))
    }

    /// The users.
    pub fn users(&self) -> Result<&Users, NotUsed> {
        self.mongodb().map(|mongodb| &mongodb.users)
    }

    /// The texts.
    pub fn messages(&self) -> Result<&Messages, NotUsed> {
        self.mongodb().map(|mongodb| &mongodb.messages)
    }

    /// What users prefer.
    pub fn preferences(&self) -> Result<&Preferences, NotUsed> {
        self.mongodb().map(|mongodb| &mongodb.preferences)
    }

    /// The welcome messages.
    pub fn welcomes(&self) -> Result<&Welcomes, NotUsed> {
        self.mongodb().map(|mongodb| &mongodb.welcomes)
    }

    /// What admins did.
    pub fn audit(&self) -> Result<&Audit, NotUsed> {
        self.mongodb().map(|mongodb| &mongodb.audit)
    }

    fn mongodb(&self) -> Result<&Mongodb, NotUsed> {
        self.mongodb.as_ref().ok_or(NotUsed(Store::Mongodb))
    }

    /// What mails welcome messages, if that is wanted.
    pub fn mailer(&self) -> Option<&Mailer> {
        self.mailer.as_ref()
    }

    /// Sessions and cached profiles.
    pub fn profiles(&self) -> Result<&Profiles, NotUsed> {
        self.redis.as_ref().map(|(_, profiles)| profiles).ok_or(NotUsed(Store::Redis))
    }

    /// The search.
    pub fn search(&self) -> Result<&Search, NotUsed> {
        self.search.as_ref().map(|(search, _)| search).ok_or(NotUsed(Store::Search))
    }

    /// Where the right to build an index anew is given.
    pub fn leases(&self) -> Result<&Leases, NotUsed> {
        self.search.as_ref().map(|(_, leases)| leases).ok_or(NotUsed(Store::Search))
    }

    /// Adds the stores in use to what the process's health depends on.
    pub(crate) fn in_health(&self, mut health: service::Health) -> service::Health {
        let required = service::Need::Required;
        if let Some(pool) = self.mysql.clone() {
            health = health.dependency("mysql", required, move || connect::ping_mysql(pool.clone()));
        }
        if let Some(Mongodb { client, .. }) = self.mongodb.clone() {
            health = health.dependency("mongodb", required, move || connect::ping_mongodb(client.clone()));
        }
        if let Some((Connection(connection), _)) = self.redis.clone() {
            health = health.dependency("redis", required, move || connect::ping_redis(connection.clone()));
        }
        if let Some((search, _)) = self.search.clone() {
            health = health.dependency("search", required, move || {
                let search = search.clone();
                async move { search.ping().await }
            });
        }
        if let Some(mailer) = self.mailer.clone() {
            health = health.dependency("smtp", service::Need::Optional, move || {
                let mailer = mailer.clone();
                async move { mailer.ping().await }
            });
        }
        health
    }
}
