//! The count that all gateways share, in Redis, and what is known of Redis itself.

use std::net::IpAddr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::ConnectionManager;
use redis::{RedisError, Script};
use tokio::time::{Instant, timeout};

/// How long a Redis that did not answer is left alone.
const PAUSE: Duration = Duration::from_secs(1);

static COUNT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("count.lua")));

/// Requests of a client that were counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    /// How many there were before them in their window.
    pub(super) before: u64,
    pub(super) requests: u64,
    /// When the window ends.
    pub(super) ends: Instant,
}

pub(super) struct Shared {
    redis: ConnectionManager,
    window: Duration,
    patience: Duration,
    begun: Instant,
    /// Milliseconds since `begun` until which Redis is left alone; 0 while it answers.
    away_until: AtomicU64,
}

impl Shared {
    pub(super) fn new(redis: ConnectionManager, window: Duration, patience: Duration) -> Self {
        Self { redis, window, patience, begun: Instant::now(), away_until: AtomicU64::new(0) }
    }

    /// Whether Redis is left alone for now.
    pub(super) fn is_away(&self) -> bool {
        self.now() < self.away_until.load(Ordering::Relaxed)
    }

    /// Counts requests of a client; `None` while Redis is away.
    pub(super) async fn count(&self, client: IpAddr, requests: u64) -> Option<Counted> {
        if !self.may_ask() {
            return None;
        }
        let key = format!("rate_limit:{client}");
        let window = u64::try_from(self.window.as_millis()).unwrap_or(u64::MAX);
        let mut redis = self.redis.clone();
        let mut asking = COUNT.key(key);
        let asking = asking.arg(requests).arg(window).invoke_async::<(u64, u64)>(&mut redis);
        match timeout(self.patience, asking).await {
            Ok(Ok((count, left))) => {
                if self.away_until.swap(0, Ordering::Relaxed) != 0 {
                    tracing::info!("requests are counted in Redis again");
                }
                let ends = Instant::now() + Duration::from_millis(left);
                Some(Counted { before: count.saturating_sub(requests), requests, ends })
            }
            Ok(Err(error)) => self.lost(Some(&error)),
            Err(_) => self.lost(None),
        }
    }

    /// Whether to ask Redis. Of those who come when it was left alone for long enough, one tries.
    fn may_ask(&self) -> bool {
        let until = self.away_until.load(Ordering::Relaxed);
        until == 0
            || self.now() >= until
                && self
                    .away_until
                    .compare_exchange(until, self.now() + millis(PAUSE), Ordering::Relaxed, Ordering::Relaxed)
                    .is_ok()
    }

    fn lost<T>(&self, error: Option<&RedisError>) -> Option<T> {
        if self.away_until.swap(self.now() + millis(PAUSE), Ordering::Relaxed) == 0 {
            let error = error.map_or_else(|| "no answer in time".to_owned(), ToString::to_string);
            tracing::warn!(error, "Redis is away: this gateway counts requests by itself");
        }
        None
    }

    fn now(&self) -> u64 {
        millis(self.begun.elapsed())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
