//! Counts each change that is made in a store, past every guard of the consumer.

use std::collections::BTreeMap;

use super::change_stream::ChangeStream;
use super::triggers::Triggers;
use crate::server::{Kind, Servers};

/// Counts from when it is made.
#[derive(Debug)]
pub(crate) struct Counters {
    mysql: Triggers,
    /// None if MongoDB may be killed, which ends every stream.
    mongodb: Option<ChangeStream>,
}

impl Counters {
    /// The consumer must have made its tables.
    pub(crate) async fn install(servers: &Servers) -> Self {
        let mysql = Triggers::install(servers.mysql()).await;
        let mongodb = if servers.is_private(Kind::Mongodb) {
            None
        } else {
            Some(ChangeStream::open(servers.mongodb().await).await)
        };
        Self { mysql, mongodb }
    }

    /// The newest version that each record in MariaDB was changed to.
    pub(super) async fn last_changes(&self) -> BTreeMap<String, i64> {
        self.mysql.last_changes().await
    }

    /// How often each change was made that was made more than once.
    pub(super) async fn doubled(&self) -> BTreeMap<String, i64> {
        let mut doubled = self.mysql.doubled().await;
        if let Some(mongodb) = &self.mongodb {
            doubled.extend(mongodb.doubled().await);
        }
        doubled
    }

    /// How often a record was written in MariaDB, also to no effect.
    pub(crate) async fn written(&self) -> i64 {
        self.mysql.tries().await
    }

    /// How many messages about records came again after they had been stored.
    pub(crate) async fn redelivered(&self) -> i64 {
        self.mysql.redelivered().await
    }
}
