//! Products in Redis: read through, and kept up to date by events. While Redis is away each is read from products.

mod flight;
mod redis_away;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use contracts::products::{ProductEvent, ProductState};
use redis::aio::ConnectionManager;
use redis::{ExistenceCheck, RedisResult, Script, SetExpiry, SetOptions, cmd};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::redis_away::Away;

pub(crate) use flight::Products;

/// How long a product is kept that nobody hears of.
const LIVES: Duration = Duration::from_secs(3_600);

/// Longer than reading a product can take.
const VERSION_LIVES: Duration = Duration::from_secs(60);

/// How long others leave it to one process to read a product.
const LOCK_LIVES: Duration = Duration::from_secs(2);

/// What the cache knows of a product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Cached {
    version: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    product: Option<Arc<ProductState>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    deleted: bool,
}

#[derive(Clone, Copy)]
enum Source {
    /// It was read from products just now.
    Fill,
    /// It was heard of, whenever.
    Event,
}

/// The cache. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Cache {
    redis: ConnectionManager,
    put: Arc<Script>,
    away: Arc<Away>,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}

impl Cache {
    pub(crate) fn new(redis: ConnectionManager) -> Self {
        let put = Arc::new(Script::new(include_str!("put_product.lua")));
        Self { redis, put, away: Arc::default() }
    }

    /// What is cached of these; `None` if Redis does not answer.
    async fn get(&self, ids: &[Uuid]) -> Option<HashMap<Uuid, Cached>> {
        if ids.is_empty() {
            return Some(HashMap::new());
        }
        let keys: Vec<String> = ids.iter().copied().map(key).collect();
        let mut redis = self.redis.clone();
        let asking = async move { cmd("MGET").arg(keys).query_async::<Vec<Option<String>>>(&mut redis).await };
        let texts = self.away.unless(asking).await?;
        // What cannot be read is not ours: it is as if nothing were there.
        let cached = |text: Option<String>| serde_json::from_str(&text?).ok();
        Some(ids.iter().copied().zip(texts).filter_map(|(id, text)| Some((id, cached(text)?))).collect())
    }

    /// Puts what was just read there, unless it is out of date by now.
    async fn fill(&self, products: &[Arc<ProductState>]) {
        for product in products {
            let cached = Cached { version: product.version, product: Some(Arc::clone(product)), deleted: false };
            if self.away.unless(self.put(product.product_id, &cached, Source::Fill)).await.is_none() {
                return;
            }
        }
    }

    /// Takes in what was heard. An error means that Redis may still hold what is out of date.
    pub(crate) async fn hear(&self, event: &ProductEvent) -> RedisResult<()> {
        let product = event.state().cloned().map(Arc::new);
        let cached = Cached { version: event.version(), deleted: product.is_none(), product };
        self.put(event.product_id(), &cached, Source::Event).await.map(drop)
    }

    async fn put(&self, id: Uuid, cached: &Cached, source: Source) -> RedisResult<i64> {
        let text = serde_json::to_string(cached).map_err(std::io::Error::from)?;
        let source = match source {
            Source::Fill => "fill",
            Source::Event => "event",
        };
        let mut invocation = self.put.key(key(id));
        invocation.arg(cached.version).arg(text).arg(source).arg(LIVES.as_secs()).arg(VERSION_LIVES.as_secs());
        invocation.invoke_async(&mut self.redis.clone()).await
    }

    /// Which of these this process is to read, as no other is at it. All of them if Redis does not answer.
    async fn lock(&self, ids: &[Uuid]) -> Vec<Uuid> {
        let lives = SetExpiry::PX(u64::try_from(LOCK_LIVES.as_millis()).unwrap_or(u64::MAX));
        let once = SetOptions::default().conditional_set(ExistenceCheck::NX).with_expiration(lives);
        let mut pipeline = redis::pipe();
        for id in ids {
            pipeline.cmd("SET").arg(lock_key(*id)).arg(1).arg(&once);
        }
        let mut redis = self.redis.clone();
        let locking = async move { pipeline.query_async::<Vec<Option<String>>>(&mut redis).await };
        match self.away.unless(locking).await {
            Some(locked) => ids.iter().zip(locked).filter_map(|(id, locked)| locked.map(|_| *id)).collect(),
            None => ids.to_vec(),
        }
    }

    /// Lets others read. A lock that ran out meanwhile may be another's: then two read, which does no harm.
    async fn unlock(&self, ids: &[Uuid]) {
        if ids.is_empty() {
            return;
        }
        let keys: Vec<String> = ids.iter().copied().map(lock_key).collect();
        let mut redis = self.redis.clone();
        self.away.unless(async move { cmd("DEL").arg(keys).query_async::<()>(&mut redis).await }).await;
    }
}

fn key(id: Uuid) -> String {
    format!("product:{id}")
}

fn lock_key(id: Uuid) -> String {
    format!("product_lock:{id}")
}
