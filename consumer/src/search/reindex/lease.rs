//! One reindex at a time, whichever of several consumers is asked for it.

use std::fmt;
use std::time::Duration;

use redis::aio::ConnectionManager;
use redis::{ExistenceCheck, RedisResult, Script, SetExpiry, SetOptions, cmd};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// How long a lease outlives its holder.
const TTL: Duration = Duration::from_secs(10);
const RENEW_EVERY: Duration = Duration::from_secs(3);

/// Does something to the lease only if it is still the holder's.
const RENEW: &str = "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('PEXPIRE', KEYS[1], ARGV[2]) or 0";
const RELEASE: &str = "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0";

/// Where leases are given. Cheap to clone.
#[derive(Clone)]
pub struct Leases(ConnectionManager);

impl fmt::Debug for Leases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Leases")
    }
}

/// The right to build an index anew. Whoever has lost it without noticing does no harm: the index that it builds is taken
/// away by the next holder, and can be put into no other's place.
pub struct Lease {
    connection: ConnectionManager,
    key: String,
    token: String,
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Leases {
    /// Leases in this Redis.
    pub fn new(connection: ConnectionManager) -> Self {
        Self(connection)
    }

    /// Takes the lease of this index; `None` if somebody else has it.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn take(&self, index: &str) -> RedisResult<Option<Lease>> {
        let (key, token) = (format!("reindex:{index}"), Uuid::now_v7().to_string());
        let mut connection = self.0.clone();
        let once =
            SetOptions::default().conditional_set(ExistenceCheck::NX).with_expiration(SetExpiry::PX(millis(TTL)));
        let taken: Option<String> = cmd("SET").arg(&key).arg(&token).arg(once).query_async(&mut connection).await?;
        Ok(taken.map(|_| Lease { connection, key, token }))
    }
}

impl Lease {
    /// Keeps the lease, and returns when it is lost.
    pub(super) async fn kept(&self) {
        let mut until = Instant::now() + TTL;
        loop {
            sleep(RENEW_EVERY).await;
            let asked = Instant::now();
            match self.run(RENEW, millis(TTL)).await {
                Ok(1) => until = asked + TTL,
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(%error, "the lease of a reindex could not be renewed");
                    if Instant::now() >= until {
                        return;
                    }
                }
            }
        }
    }

    /// Gives it back.
    pub(super) async fn release(self) {
        if let Err(error) = self.run(RELEASE, 0).await {
            tracing::warn!(%error, "the lease of a reindex could not be given back; it ends by itself");
        }
    }

    async fn run(&self, script: &str, millis: u64) -> RedisResult<i64> {
        let script = Script::new(script);
        let mut invocation = script.key(&self.key);
        invocation.arg(&self.token).arg(millis);
        invocation.invoke_async(&mut self.connection.clone()).await
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
