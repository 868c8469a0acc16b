//! What all reads have in common: cursor pages, and a database that may be away.

use std::time::Duration;

use service::http::FieldError;
use service::{ApiError, ApiResult};

const DEFAULT: u32 = 100;
/// The largest page.
pub(crate) const LARGEST: u32 = 1_000;

/// How many things a page holds at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit(u32);

/// The limit that was asked for, or the default.
pub(crate) fn limit(asked: Option<u32>) -> ApiResult<Limit> {
    match asked.unwrap_or(DEFAULT) {
        limit @ 1..=LARGEST => Ok(Limit(limit)),
        _ => Err(ApiError::unprocessable([FieldError::new("limit", format!("must be from 1 to {LARGEST}"))])),
    }
}

impl Limit {
    pub(crate) fn get(self) -> u32 {
        self.0
    }

    /// One more than fits tells whether there is another page.
    pub(crate) fn with_one_more(self) -> i64 {
        i64::from(self.0) + 1
    }

    /// Cuts off the one more; returns the last of the page if another page follows it.
    pub(crate) fn cut<T>(self, found: &mut Vec<T>) -> Option<&T> {
        let more = found.len() > self.0 as usize;
        found.truncate(self.0 as usize);
        found.last().filter(|_| more)
    }
}

/// A read that the database did not answer.
pub(crate) fn database(error: sqlx::Error) -> ApiError {
    match error {
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => ApiError::internal(error),
        _ => ApiError::unavailable("the database does not answer", Duration::from_secs(1)).because(error),
    }
}
