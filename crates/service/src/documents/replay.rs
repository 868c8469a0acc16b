//! Every aggregate's present state, sent again: for a broker or a cache that has lost what it knew.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use messaging::Backoff;
use messaging::documents::{Replay, ReplayError, Replayed};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{Aggregate, Documents, failed};
use crate::{ApiError, ApiResult};

/// Shorter than a handler may take. Whoever asked goes on with the next request.
const LIMIT: Duration = Duration::from_secs(20);

const PATIENCE: Backoff = Backoff { attempts: 5, base: Duration::from_millis(200), cap: Duration::from_secs(2) };

/// Where a replay begins.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReplayFrom {
    /// `next` of the part before.
    pub after: Option<Uuid>,
}

/// What a part of a replay has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplayReport {
    /// Documents that were read.
    pub documents: u64,
    /// Messages that the broker has confirmed.
    pub confirmed: u64,
    /// Messages that the broker would not have.
    pub failed: u64,
    /// Documents that could not be read.
    pub unreadable: u64,
    /// Where to go on, as `after`; absent when all is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Uuid>,
}

impl<T: Aggregate> Documents<T> {
    /// Sends the event of every aggregate's present state again, tombstones' too, in the order of their ids, for a limited time.
    ///
    /// # Errors
    /// 503 if MongoDB or the broker is away.
    pub async fn replay(&self, from: ReplayFrom) -> ApiResult<ReplayReport> {
        let after = from.after.map(|after| after.to_string().into());
        let settings = Replay { after, patience: PATIENCE, ..Replay::default() };
        let so_far = Mutex::new(Replayed::default());
        let replaying = messaging::documents::replay(
            &self.collection,
            &self.publisher,
            settings,
            |aggregate: T| aggregate.event(),
            |progress| *so_far.lock().unwrap_or_else(PoisonError::into_inner) = progress.clone(),
        );
        match tokio::time::timeout(LIMIT, replaying).await {
            Ok(Ok(all)) => Ok(report(&all, None)),
            Ok(Err(ReplayError::Store(error))) => Err(failed(error)),
            Ok(Err(error @ ReplayError::Broker(_))) => {
                Err(ApiError::unavailable("the broker does not answer", Duration::from_secs(5)).because(error))
            }
            Err(_) => {
                let so_far = so_far.into_inner().unwrap_or_else(PoisonError::into_inner);
                let last = so_far.last.as_ref().and_then(|last| last.as_str()).and_then(|last| last.parse().ok());
                match last.or(from.after) {
                    Some(next) => Ok(report(&so_far, Some(next))),
                    None => Err(ApiError::unavailable("the broker is too slow", Duration::from_secs(5))),
                }
            }
        }
    }
}

fn report(replayed: &Replayed, next: Option<Uuid>) -> ReplayReport {
    let Replayed { documents, confirmed, failed, unreadable, .. } = *replayed;
    ReplayReport { documents, confirmed, failed, unreadable, next }
}
