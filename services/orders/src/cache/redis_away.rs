//! Leaving Redis alone for a moment after it did not answer, so that nobody waits for it again and again.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::RedisResult;
use tokio::time::{Instant, timeout};

/// How long Redis may take. A busy process must not take itself for a Redis that is away: then everybody reads from products.
const PATIENCE: Duration = Duration::from_secs(1);

const LEFT_ALONE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Away(Mutex<Option<Instant>>);

impl Away {
    /// Asks Redis, unless it has failed just now; `None` without an answer.
    pub(super) async fn unless<T>(&self, asking: impl Future<Output = RedisResult<T>>) -> Option<T> {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let error = match timeout(PATIENCE, asking).await {
            Ok(Ok(answer)) => {
                if until.is_some() {
                    *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
                    tracing::info!("Redis answers again");
                }
                return Some(answer);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        let until = Instant::now() + LEFT_ALONE;
        let was_away = self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(until).is_some();
        if !was_away {
            tracing::warn!(error, "Redis does not answer; products are read without it meanwhile");
        }
        None
    }
}
