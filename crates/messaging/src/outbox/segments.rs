//! Segments: the table is appended to in one of them and truncated in the others, so it stays small without vacuum.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::cursor::Snapshot;
use super::settings::RelaySettings;

const SEGMENTS: i64 = 3;

/// Switches to the next segment when the current one is full or old, and empties those that are settled.
pub(super) async fn rotate(
    session: &mut PgConnection,
    done: &Snapshot,
    settings: &RelaySettings,
) -> Result<(), sqlx::Error> {
    let current: i64 =
        sqlx::query_scalar("SELECT last_value FROM outbox.current_segment").fetch_one(&mut *session).await?;
    for segment in (0..SEGMENTS).filter(|segment| *segment != current) {
        if !is_empty(session, segment).await? && is_settled(session, segment, done).await? {
            truncate(session, segment, done).await?;
        }
    }
    let next = (current + 1) % SEGMENTS;
    if is_full(session, current, settings).await? && is_empty(session, next).await? {
        // Not transactional, and if a crash undoes it the old segment is just used on.
        sqlx::query("SELECT setval('outbox.current_segment', $1)").bind(next).execute(session).await?;
    }
    Ok(())
}

/// Empties a segment unless it holds something that is not settled.
///
/// Why no message can be lost here: a writer holds a lock on the segment from its insert to the end of its transaction,
/// so once we have ours, none is under way in it, and whatever was committed is visible to the *next* statement,
/// which takes its snapshot after we got the lock. If that statement finds nothing outside `done`, all rows are settled. A
/// writer that has read the old value of `current_segment` waits for us at its insert, and then its row is put into
/// the emptied segment, where the relay reads it like any other: its transaction was open, and so outside `done`.
/// Looking before the lock only, as [`rotate`] does to save the lock, would miss a writer in between.
async fn truncate(session: &mut PgConnection, segment: i64, done: &Snapshot) -> Result<(), sqlx::Error> {
    let mut transaction = session.begin().await?;
    // NOWAIT: whoever waits for this lock holds up all that come later, so a dump that runs now just goes first.
    let lock = format!("LOCK TABLE outbox.message_{segment} IN ACCESS EXCLUSIVE MODE NOWAIT");
    match sqlx::query(AssertSqlSafe(lock)).execute(&mut *transaction).await {
        Ok(_) => {}
        Err(error) if is_lock_not_available(&error) => return transaction.rollback().await,
        Err(error) => return Err(error),
    }
    if !is_settled(&mut transaction, segment, done).await? {
        return transaction.rollback().await;
    }
    sqlx::query(AssertSqlSafe(format!("TRUNCATE outbox.message_{segment}"))).execute(&mut *transaction).await?;
    transaction.commit().await?;
    tracing::debug!(segment, "emptied an outbox segment");
    Ok(())
}

pub(super) fn is_lock_not_available(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "55P03")
}

/// Whether all rows of a segment are visible in `done`. Both searches are by index.
async fn is_settled(connection: &mut PgConnection, segment: i64, done: &Snapshot) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT NOT EXISTS (SELECT FROM outbox.message WHERE segment = $1 AND xid >= $2::text::xid8)
            AND NOT EXISTS (SELECT FROM unnest($3::text[]::xid8[]) open(xid)
                            JOIN outbox.message m ON m.xid = open.xid WHERE m.segment = $1)",
    )
    .bind(segment)
    .bind(done.end.to_string())
    .bind(done.open.iter().map(u64::to_string).collect::<Vec<_>>())
    .fetch_one(connection)
    .await
}

async fn is_empty(session: &mut PgConnection, segment: i64) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT NOT EXISTS (SELECT FROM outbox.message WHERE segment = $1)")
        .bind(segment)
        .fetch_one(session)
        .await
}

/// By the segment's first row: its distance, which costs no count, and its age.
async fn is_full(session: &mut PgConnection, segment: i64, settings: &RelaySettings) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT coalesce(
             (SELECT s.last_value - m.seq + 1 >= $2 OR m.created_at < now() - make_interval(secs => $3)
              FROM outbox.message_seq s, outbox.message m WHERE m.segment = $1 ORDER BY m.xid, m.seq LIMIT 1), false)",
    )
    .bind(segment)
    .bind(i64::from(settings.segment_rows))
    .bind(settings.segment_for.as_secs_f64())
    .fetch_one(session)
    .await
}
