//! Creation that may be repeated: the `Idempotency-Key` lies in the document that was created under it.

use std::time::Duration;

use bson::{DateTime, Document, doc};
use mongodb::IndexModel;
use mongodb::options::IndexOptions;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Aggregate, Documents, in_time};
use crate::http::{FieldError, IdempotencyKey};
use crate::{ApiError, ApiResult};

/// How long the answer to a request is given again.
const KEPT: Duration = Duration::from_secs(24 * 3_600);

/// How often old claims are removed.
const SWEPT: Duration = Duration::from_secs(3_600);

/// The field of the document.
pub(super) const FIELD: &str = "created_with";

/// A request's claim on its key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// The user and the key: each user has keys of their own.
    pub(super) key: String,
    /// Tells another request under the same key.
    request: String,
    /// The answer to be given again.
    response: String,
    at: DateTime,
}

impl Claim {
    /// The claim of a user's request, if it has a key. `answer` is what it will be answered with.
    pub fn new(
        user_id: Uuid,
        key: &IdempotencyKey,
        request: &impl Serialize,
        answer: &impl Serialize,
    ) -> ApiResult<Option<Self>> {
        let Some(key) = &key.0 else { return Ok(None) };
        let request = serde_json::to_vec(request).map_err(|error| ApiError::internal(anyhow::Error::new(error)))?;
        let response = serde_json::to_string(answer).map_err(|error| ApiError::internal(anyhow::Error::new(error)))?;
        let digest = ring::digest::digest(&ring::digest::SHA256, &request);
        let request = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Some(Self { key: format!("{user_id} {key}"), request, response, at: DateTime::now() }))
    }

    /// Whether it is too old to stand in the way of another.
    pub(super) fn is_over(&self) -> bool {
        self.at.saturating_add_duration(KEPT) < DateTime::now()
    }

    /// The answer that this earlier claim has, if it is that of the same request.
    pub(super) fn answer_to(&self, other: &Self) -> ApiResult<&str> {
        if self.request == other.request {
            return Ok(&self.response);
        }
        Err(ApiError::unprocessable([FieldError::new("Idempotency-Key", "was sent with another request before")]))
    }

    /// Finds the document with this very claim.
    pub(super) fn filter(&self) -> Document {
        doc! { "created_with.key": &self.key, "created_with.at": self.at }
    }
}

impl<T: Aggregate> Documents<T> {
    /// Removes claims that are over, now and then, until the stop: a document does not keep for ever what it was asked for.
    pub async fn forget_claims(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let over = DateTime::from_millis(DateTime::now().timestamp_millis() - KEPT.as_millis() as i64);
            let filter = doc! { "created_with.key": { "$exists": true }, "created_with.at": { "$lt": over } };
            let collection = self.raw();
            let forgetting = async move { collection.update_many(filter, doc! { "$unset": { FIELD: "" } }).await };
            if let Err(error) = in_time(forgetting).await {
                tracing::debug!(%error, "old idempotency keys are kept for another while");
            }
            let _ = stop.run_until_cancelled(tokio::time::sleep(SWEPT)).await;
        }
    }
}

/// Documents without a claim are not in it.
pub(super) fn index() -> IndexModel {
    let options = IndexOptions::builder()
        .name("created_with".to_owned())
        .unique(true)
        .partial_filter_expression(doc! { "created_with.key": { "$exists": true } })
        .build();
    IndexModel::builder().keys(doc! { "created_with.key": 1 }).options(options).build()
}
