//! A database that may be away.

use std::time::Duration;

use service::ApiError;

/// A read that the database did not answer.
pub(crate) fn failed(error: sqlx::Error) -> ApiError {
    match error {
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => ApiError::internal(error),
        _ => ApiError::unavailable("the database does not answer", Duration::from_secs(1)).because(error),
    }
}
