//! `Idempotency-Key`: a write that may safely be repeated.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Serialize;
use service::ApiError;
use service::http::FieldError;
use sha2::{Digest, Sha256};
use sqlx::postgres::PgPool;

/// The header.
pub(crate) const HEADER: &str = "idempotency-key";
const MAX_LENGTH: usize = 255;
/// How long an answer is kept, in hours.
const KEPT_HOURS: f64 = 24.0;
/// How many keys are deleted in one statement.
const SWEPT_TOGETHER: i64 = 10_000;

/// A write's claim on its key.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    /// The operation the key is for.
    pub(crate) scope: &'static str,
    pub(crate) key: String,
    /// Tells another request under the same key.
    pub(crate) request_hash: Vec<u8>,
    /// The answer to be given again.
    pub(crate) response: String,
}

impl Claim {
    pub(crate) fn id(&self) -> (&str, &str) {
        (self.scope, &self.key)
    }
}

/// The request's key, if it has one.
#[derive(Clone, Debug)]
pub(crate) struct IdempotencyKey(pub(crate) Option<String>);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let mut values = parts.headers.get_all(HEADER).iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        let wrong = |detail: &str| ApiError::unprocessable([FieldError::new("Idempotency-Key", detail)]);
        if values.next().is_some() {
            return Err(wrong("is sent more than once"));
        }
        let printable = |byte: &u8| (b' '..=b'~').contains(byte);
        if !(1..=MAX_LENGTH).contains(&value.len()) || !value.as_bytes().iter().all(printable) {
            return Err(wrong("must have 1 to 255 printable ASCII characters"));
        }
        Ok(Self(value.to_str().ok().map(str::to_owned)))
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
