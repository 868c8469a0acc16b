//! What the leader tells about the outbox.

use std::time::Duration;

use metrics::gauge;
use sqlx::postgres::PgConnection;

use super::parked::ParkedReason;

/// Counts what is parked, for the metrics and for the backlog.
pub(super) async fn count_parked(session: &mut PgConnection) -> Result<i64, sqlx::Error> {
    let counts: Vec<(String, i64)> =
        sqlx::query_as("SELECT reason, count(*) FROM outbox.parked GROUP BY reason").fetch_all(session).await?;
    for reason in ParkedReason::ALL {
        let count = counts.iter().find(|(name, _)| name == reason.as_str()).map_or(0, |(_, count)| *count);
        gauge!("outbox_parked", "reason" => reason.as_str()).set(as_gauge(count));
    }
    Ok(counts.iter().map(|(_, count)| count).sum())
}

/// Tells how much waits, and which transaction has been writing for long: its messages go out when it ends.
pub(super) async fn waiting(session: &mut PgConnection, settled_seq: i64, parked: i64) -> Result<(), sqlx::Error> {
    let (seq, oldest_transaction): (i64, f64) = sqlx::query_as(
        "SELECT CASE WHEN is_called THEN last_value ELSE 0 END,
                (SELECT coalesce(extract(epoch FROM max(clock_timestamp() - xact_start)), 0)::float8
                 FROM pg_stat_activity
                 WHERE backend_xid IS NOT NULL AND datname = current_database() AND pid <> pg_backend_pid())
         FROM outbox.message_seq",
    )
    .fetch_one(session)
    .await?;
    gauge!("outbox_backlog").set(as_gauge((seq - settled_seq).max(0) + parked));
    gauge!("outbox_oldest_writing_transaction_seconds").set(oldest_transaction);
    Ok(())
}

pub(super) fn oldest_unpublished(age: Duration) {
    gauge!("outbox_oldest_unpublished_seconds").set(age.as_secs_f64());
}

pub(super) fn leading(leads: bool) {
    gauge!("outbox_leader").set(if leads { 1.0 } else { 0.0 });
}

pub(super) fn published(messages: usize) {
    metrics::counter!("outbox_published_total").increment(messages as u64);
}

fn as_gauge(count: i64) -> f64 {
    f64::from(i32::try_from(count).unwrap_or(i32::MAX))
}
