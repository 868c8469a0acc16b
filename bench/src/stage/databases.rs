//! What is asked of the databases directly.

use std::time::Duration;

use sqlx::Connection;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use tokio::time::{Instant, sleep};

use super::Stage;
use super::servers::NAME;

/// How long all that was accepted may take to have its effect.
const SETTLE_LIMIT: Duration = Duration::from_secs(120);

impl Stage {
    /// A new database beside the producer's, on the same server; what was there under this name is gone.
    pub(crate) async fn fresh_database(&self, name: &'static str) -> anyhow::Result<PgPool> {
        for statement in ["DROP DATABASE IF EXISTS ", "CREATE DATABASE "] {
            let statement = format!("{statement}{name}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&self.database).await?;
        }
        let options = postgres_at(self.postgres.port, name);
        Ok(PgPoolOptions::new().max_connections(4).connect_with(options).await?)
    }

    /// Waits until all that was accepted has had its effect, and writes the database's dirty pages, so that each
    /// measurement begins alike.
    pub(crate) async fn settle(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + SETTLE_LIMIT;
        loop {
            let open: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM tasks WHERE outcome IS NULL)")
                .fetch_one(&self.database)
                .await?;
            if !open {
                break;
            }
            anyhow::ensure!(
                Instant::now() < deadline,
                "what was accepted had not all had its effect after two minutes"
            );
            sleep(Duration::from_millis(100)).await;
        }
        sqlx::raw_sql("CHECKPOINT").execute(&self.database).await?;
        Ok(())
    }

    /// A session of its own in the producer's database.
    pub(crate) async fn session(&self) -> anyhow::Result<PgConnection> {
        Ok(PgConnection::connect_with(&postgres_at(self.postgres.port, NAME)).await?)
    }

    /// A connection of its own to the table of records.
    pub(crate) async fn records(&self) -> anyhow::Result<MySqlConnection> {
        Ok(records_at(self.mariadb.port).await?)
    }
}

pub(super) fn postgres_at(port: u16, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(port).username(NAME).password(NAME).database(database)
}

pub(super) async fn records_at(port: u16) -> sqlx::Result<MySqlConnection> {
    let options = MySqlConnectOptions::new().host("127.0.0.1").port(port).username(NAME).password(NAME).database(NAME);
    MySqlConnection::connect_with(&options).await
}
