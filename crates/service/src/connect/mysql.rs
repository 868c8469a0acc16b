//! MySQL and MariaDB.

use std::time::Duration;

use messaging::Backoff;
use secrecy::SecretString;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlPool, MySqlPoolOptions};
use sqlx::{AssertSqlSafe, Executor};

use super::{PoolSettings, checked, malformed, reach, unreachable};

/// Connects to the MySQL or MariaDB at the URL in `variable`.
///
/// # Errors
/// If the URL is malformed, or if the last try failed.
pub async fn mysql(
    variable: &str,
    url: &SecretString,
    pool: PoolSettings,
    backoff: &Backoff,
) -> anyhow::Result<MySqlPool> {
    let options: MySqlConnectOptions =
        checked(variable, url, &["mysql", "mariadb"])?.parse().map_err(|error| malformed(variable, &error))?;
    backoff
        .retry("connecting to MySQL", || reach::<MySqlConnection>(&options, pool.connect_timeout))
        .await
        .map_err(|error| unreachable("MySQL", variable, &error))?;
    let settings = MySqlPoolOptions::new()
        .max_connections(pool.connections)
        .acquire_timeout(pool.acquire_timeout)
        .after_connect(move |connection, _| Box::pin(limit(connection, pool.statement_timeout)));
    Ok(settings.connect_lazy_with(options))
}

/// MariaDB limits any statement, in seconds; MySQL limits only reads, in milliseconds.
async fn limit(connection: &mut MySqlConnection, statement: Duration) -> Result<(), sqlx::Error> {
    let version: String = sqlx::query_scalar("SELECT VERSION()").fetch_one(&mut *connection).await?;
    let limit = if version.contains("MariaDB") {
        format!("max_statement_time = {}", statement.as_secs_f64())
    } else {
        format!("max_execution_time = {}", statement.as_millis())
    };
    // Well before the statement's own limit, so that the error tells of the lock.
    let lock_wait = (statement.as_secs() / 4).max(1);
    // Both are numbers made here.
    let statement = format!("SET SESSION {limit}, SESSION innodb_lock_wait_timeout = {lock_wait}");
    connection.execute(AssertSqlSafe(statement)).await.map(drop)
}

/// Asks MySQL for a sign of life.
///
/// # Errors
/// If there was none.
pub async fn ping_mysql(pool: MySqlPool) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT 1").execute(&pool).await.map(drop)
}
