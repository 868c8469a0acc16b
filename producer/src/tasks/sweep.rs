//! Tasks that ended long ago.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::postgres::PgPool;
use uuid::Uuid;

/// How many tasks are deleted in one statement.
const SWEPT_TOGETHER: i64 = 10_000;

/// Deletes tasks that were accepted longer ago than `retention` and have ended. A deletion that undoes another task is kept
/// until it is done, because that one waits for it. There is more to delete when it returns true.
pub(crate) async fn sweep(pool: &PgPool, retention: Duration) -> Result<bool, sqlx::Error> {
    let swept = sqlx::query!(
        "DELETE FROM tasks WHERE id IN (
             SELECT id FROM tasks
             WHERE id < $1 AND (outcome IN ('done', 'rolled_back') OR outcome IN ('failed', 'refused') AND rollback_of IS NULL)
             ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)",
        first_id_at(SystemTime::now() - retention),
        SWEPT_TOGETHER,
    )
    .execute(pool)
    .await?;
    Ok(swept.rows_affected() >= SWEPT_TOGETHER.unsigned_abs())
}

/// The smallest id of a moment: UUIDs of version 7 begin with their time, in milliseconds.
fn first_id_at(moment: SystemTime) -> Uuid {
    let since_epoch = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    Uuid::from_u128(since_epoch.as_millis() << 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_made_before_a_moment_are_smaller_than_its_first_and_later_ones_are_not() {
        let now = SystemTime::now();
        let id = Uuid::now_v7();
        assert!(id < first_id_at(now + Duration::from_secs(1)));
        assert!(id > first_id_at(now - Duration::from_millis(1)));
    }
}
