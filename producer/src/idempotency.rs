//! `Idempotency-Key`: a write that may safely be repeated.

use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::postgres::PgPool;

/// How long an answer is kept, in hours.
const KEPT_HOURS: f64 = 24.0;
/// How many keys are deleted in one statement.
const SWEPT_TOGETHER: i64 = 10_000;

/// A write's claim on its key.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    /// The operation and the user that the key is for.
    pub(crate) scope: String,
    pub(crate) key: String,
    /// Tells another request under the same key.
    pub(crate) request_hash: Vec<u8>,
    /// The answer to be given again.
    pub(crate) response: String,
}

impl Claim {
    pub(crate) fn id(&self) -> (&str, &str) {
        (&self.scope, &self.key)
    }
}

/// Tells requests apart by what they ask for, however it was written.
pub(crate) fn request_hash(request: &impl Serialize) -> Vec<u8> {
    let request = serde_json::to_vec(request).expect("requests are plain data, which always has a JSON form");
    Sha256::digest(request).to_vec()
}

/// Deletes keys that have been kept long enough; there is more to delete when it returns true.
pub(crate) async fn sweep(pool: &PgPool) -> Result<bool, sqlx::Error> {
    let swept = sqlx::query!(
        "DELETE FROM idempotency_keys WHERE (scope, key) IN (
             SELECT scope, key FROM idempotency_keys
             WHERE created_at < now() - make_interval(secs => $1)
             ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        KEPT_HOURS * 3600.0,
        SWEPT_TOGETHER,
    )
    .execute(pool)
    .await?;
    Ok(swept.rows_affected() >= SWEPT_TOGETHER.unsigned_abs())
}
