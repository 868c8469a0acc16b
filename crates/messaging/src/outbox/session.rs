//! The leader's database session: it holds the lock, and every write of the cursor goes through it.

use std::io;
use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::{PgConnection, PgPool};
use tokio::time::timeout;

/// Any number will do that nobody else in the database locks.
const LEADER_LOCK: i64 = 0x6f75_7462_6f78_0002;
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const STATEMENT_WITHIN: Duration = Duration::from_secs(10);
/// No piece of work with the session may take longer.
pub(super) const STEP: Duration = Duration::from_secs(30);

/// Opens a session of its own, outside the pool, which ends by itself when this process freezes or is cut off.
///
/// A frozen leader keeps its TCP connection, and so its lock, for ever. Hence the idle limits; a living leader never
/// comes near them. `tcp_user_timeout` is for one that freezes while it is being sent rows.
///
/// The cursor's commits do not wait for the disk. A crash of the server can lose the newest of them, and with them
/// whatever the confirmed-hook wrote, as both are one transaction. Then the same messages are sent once more with
/// the same ids, and the hook is called again. Nothing can be lost by it: messages are read only when their own
/// commit is on disk, and log records reach the disk in order, so no cursor outlives a row it speaks of.
pub(super) async fn open(pool: &PgPool, silent_for: Duration) -> Result<PgConnection, sqlx::Error> {
    let options = (*pool.connect_options()).clone().application_name("outbox relay");
    let mut session = within(CONNECT_WITHIN, PgConnection::connect_with(&options)).await?;
    let silent_for = format!("{}ms", silent_for.as_millis());
    let statement = format!("{}ms", STATEMENT_WITHIN.as_millis());
    let wanted = [
        // Of PostgreSQL 14; older versions are left to find a frozen leader by the statement that it never sends.
        ("idle_session_timeout", silent_for.as_str()),
        ("idle_in_transaction_session_timeout", &silent_for),
        ("tcp_user_timeout", &silent_for),
        ("tcp_keepalives_idle", "2"),
        ("tcp_keepalives_interval", "1"),
        ("tcp_keepalives_count", "3"),
        ("statement_timeout", &statement),
        ("synchronous_commit", "off"),
        // It takes a hundred times longer than reading a page.
        ("jit", "off"),
        // Each statement must see what has been committed until then.
        ("default_transaction_isolation", "read committed"),
    ];
    let (names, values): (Vec<_>, Vec<_>) = wanted.into_iter().unzip();
    let set = sqlx::query(
        "SELECT set_config(name, w.value, false)
         FROM unnest($1::text[], $2::text[]) w(name, value) JOIN pg_settings USING (name)",
    )
    .bind(names)
    .bind(values)
    .execute(&mut session);
    within(CONNECT_WITHIN, set).await?;
    Ok(session)
}

/// Tries to become the leader. The lock is the session's: it ends with it, however that ends.
pub(super) async fn try_lead(session: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let locked = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LEADER_LOCK).fetch_one(session);
    within(CONNECT_WITHIN, locked).await
}

/// Limits a wait for the database.
///
/// Whoever sees the limit pass must drop the session, which is then in an unknown state: all errors here end it.
pub(super) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())))
}
