//! PostgreSQL.

use messaging::Backoff;
use secrecy::SecretString;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};

use super::{PoolSettings, checked, malformed, reach, unreachable};

/// Connects to the PostgreSQL at the URL in `variable`.
///
/// # Errors
/// If the URL is malformed, or if the last try failed.
pub async fn postgres(
    variable: &str,
    url: &SecretString,
    pool: PoolSettings,
    backoff: &Backoff,
) -> anyhow::Result<PgPool> {
    let options: PgConnectOptions =
        checked(variable, url, &["postgres", "postgresql"])?.parse().map_err(|error| malformed(variable, &error))?;
    let statement_timeout = pool.statement_timeout.as_millis().to_string();
    let options = options.options([
        ("statement_timeout", statement_timeout.as_str()),
        // A session that died inside a transaction gives its locks back.
        ("idle_in_transaction_session_timeout", "30000"),
        // So that the server notices a client that vanished without a word.
        ("tcp_keepalives_idle", "30"),
    ]);
    backoff
        .retry("connecting to PostgreSQL", || reach::<PgConnection>(&options, pool.connect_timeout))
        .await
        .map_err(|error| unreachable("PostgreSQL", variable, &error))?;
    let settings = PgPoolOptions::new().max_connections(pool.connections).acquire_timeout(pool.acquire_timeout);
    Ok(settings.connect_lazy_with(options))
}

/// Asks PostgreSQL for a sign of life.
///
/// # Errors
/// If there was none.
pub async fn ping_postgres(pool: PgPool) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT 1").execute(&pool).await.map(drop)
}
