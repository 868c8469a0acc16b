//! Redis.

use std::time::Duration;

use messaging::Backoff;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError};
use secrecy::SecretString;

use super::{PoolSettings, checked, malformed, unreachable};

/// Connects to the Redis at the URL in `variable`, with one multiplexed connection that comes back by itself.
///
/// `statement_timeout` limits each answer, so blocking commands need a connection of their own.
///
/// # Errors
/// If the URL is malformed, or if the last try failed.
pub async fn redis(
    variable: &str,
    url: &SecretString,
    pool: PoolSettings,
    backoff: &Backoff,
) -> anyhow::Result<ConnectionManager> {
    let (client, config) = (client(variable, url)?, config(pool));
    backoff
        .retry("connecting to Redis", || client.get_connection_manager_with_config(config.clone()))
        .await
        .map_err(|error| unreachable("Redis", variable, &error))
}

/// The same for a Redis that the program does without while it is away: each call connects if need be.
///
/// # Errors
/// If the URL is malformed.
pub fn redis_if_there(variable: &str, url: &SecretString, pool: PoolSettings) -> anyhow::Result<ConnectionManager> {
    ConnectionManager::new_lazy_with_config(client(variable, url)?, config(pool))
        .map_err(|error| malformed(variable, &error))
}

fn client(variable: &str, url: &SecretString) -> anyhow::Result<Client> {
    Client::open(checked(variable, url, &["redis", "rediss"])?).map_err(|error| malformed(variable, &error))
}

fn config(pool: PoolSettings) -> ConnectionManagerConfig {
    ConnectionManagerConfig::new()
        .set_connection_timeout(Some(pool.connect_timeout))
        .set_response_timeout(Some(pool.statement_timeout))
        .set_max_delay(Duration::from_secs(2))
        // `backoff` does the trying; a lost connection is tried again at each call.
        .set_number_of_retries(0)
}

/// Asks Redis for a sign of life.
///
/// # Errors
/// If there was none.
pub async fn ping_redis(mut connection: ConnectionManager) -> Result<(), RedisError> {
    redis::cmd("PING").query_async(&mut connection).await
}
