//! The bound on what waits to be published: past it new writes are refused instead of filling the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use messaging::outbox::Outbox;
use service::{ApiError, ApiResult};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often the backlog is looked at. Between two looks it can grow past the bound by what one second brings.
const EVERY: Duration = Duration::from_secs(1);

/// How much waits to be published. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Backlog(Arc<State>);

#[derive(Debug)]
struct State {
    most: u64,
    waiting: AtomicU64,
    answered: AtomicBool,
}

impl Backlog {
    /// A backlog that may hold so many messages.
    pub(crate) fn new(most: u64) -> Self {
        Self(Arc::new(State { most, waiting: AtomicU64::new(0), answered: AtomicBool::new(true) }))
    }

    /// Lets a write in, or answers 503.
    pub(crate) fn admit(&self) -> ApiResult<()> {
        if self.0.waiting.load(Ordering::Relaxed) < self.0.most {
            return Ok(());
        }
        metrics::counter!("producer_refused_total", "lane" => "all", "reason" => "backlog").increment(1);
        Err(ApiError::unavailable("too many messages wait for the broker", Duration::from_secs(5)))
    }

    /// Whether Postgres answered at the last look.
    pub(crate) fn answered(&self) -> Result<(), String> {
        let answered = self.0.answered.load(Ordering::Relaxed);
        answered.then_some(()).ok_or_else(|| "the database does not answer".to_owned())
    }

    /// Looks, until `stop`.
    pub(crate) async fn watch(self, outbox: Outbox, stop: CancellationToken) {
        let mut looks = interval(EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(looks.tick()).await.is_some() {
            let looked = outbox.backlog().await;
            if let Ok(waiting) = looked {
                self.0.waiting.store(waiting, Ordering::Relaxed);
                metrics::gauge!("producer_backlog").set(waiting as f64);
            }
            if self.0.answered.swap(looked.is_ok(), Ordering::Relaxed) != looked.is_ok() {
                tracing::warn!(answers = looked.is_ok(), "the database's state has changed");
            }
        }
    }
}
