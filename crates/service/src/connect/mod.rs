//! Connecting to each kind of store so that every call has a limit, and asking it for its health.

#[cfg(feature = "mongodb")]
mod mongo;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

#[cfg(feature = "redis")]
pub use self::redis::{ping_redis, redis, redis_if_there};
#[cfg(feature = "mongodb")]
pub use mongo::{mongodb, ping_mongodb};
#[cfg(feature = "mysql")]
pub use mysql::{mysql, ping_mysql};
#[cfg(feature = "postgres")]
pub use postgres::{ping_postgres, postgres};

use crate::redact::redact;

/// How many connections a program keeps to a store, and how long it waits.
#[derive(Clone, Copy, Debug)]
pub struct PoolSettings {
    /// The most connections at the same time.
    pub connections: u32,
    /// How long to wait for one of them to become free.
    pub acquire_timeout: Duration,
    /// How long one statement may run.
    pub statement_timeout: Duration,
    /// How long making a connection may take.
    pub connect_timeout: Duration,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            connections: 10,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
        }
    }
}

impl PoolSettings {
    /// The defaults, with this many connections.
    pub fn connections(connections: u32) -> Self {
        Self { connections, ..Self::default() }
    }
}

/// Checks the URL in `variable` before a library gets to print it in an error of its own.
fn checked<'a>(variable: &str, url: &'a SecretString, schemes: &[&str]) -> anyhow::Result<&'a str> {
    let text = url.expose_secret();
    let wanted = schemes.join(":// or ");
    let url = Url::parse(text).map_err(|error| {
        anyhow::anyhow!(
            "{variable} is not a URL ({error}); it begins with {wanted}://, and special characters in its password are \
             percent-encoded"
        )
    })?;
    anyhow::ensure!(schemes.contains(&url.scheme()), "{variable} must begin with {wanted}://");
    anyhow::ensure!(url.has_host(), "{variable} names no host");
    Ok(text)
}

/// Makes one connection and closes it again: a pool would only say that it waited in vain, and not for what.
#[cfg(any(feature = "postgres", feature = "mysql"))]
async fn reach<C: sqlx::Connection>(options: &C::Options, limit: Duration) -> anyhow::Result<()> {
    use anyhow::Context;
    let connected = tokio::time::timeout(limit, C::connect_with(options)).await.context("no answer in time")?;
    Ok(connected?.close().await?)
}

/// Whether a migration that failed may go through when it is tried again: the server went away, or something is locked.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub fn may_pass(error: &sqlx::migrate::MigrateError) -> bool {
    use sqlx::migrate::MigrateError;
    matches!(error, MigrateError::Execute(_) | MigrateError::ExecuteMigration(..))
}

/// An error of a library about the URL in `variable`, without what is secret in it.
fn malformed(variable: &str, error: &dyn std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("{variable} cannot be used: {}", redact(&error.to_string()))
}

/// An error that ended connecting, without what is secret in it.
fn unreachable(store: &str, variable: &str, error: &dyn std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("connecting to {store} at {variable}: {}", redact(&format!("{error:#}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_url_names_its_variable_and_hides_its_password() {
        for wrong in
            ["hunter2", "postgres://me:hunter2@host:port/db", "mysql://me:hunter2@host/db", "postgres:hunter2", ""]
        {
            let error = checked("DATABASE_URL", &wrong.into(), &["postgres", "postgresql"]).unwrap_err().to_string();
            assert!(error.starts_with("DATABASE_URL") && !error.contains("hunter2"), "{error}");
        }
        checked("DATABASE_URL", &"postgres://me:hunter2@host/db".into(), &["postgres"]).unwrap();
    }
}
