//! Sessions and their refresh tokens in Postgres.

use std::time::Duration;

use sqlx::postgres::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use super::accounts::{Account, roles};

/// How many rows are deleted in one statement.
const SWEPT_TOGETHER: i64 = 10_000;

/// A session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    pub(super) id: Uuid,
    pub(super) started_at: OffsetDateTime,
}

/// What becomes of a refresh token that is used.
#[derive(Debug)]
pub(super) enum Used {
    /// Its session goes on, with another one.
    Renewed(Session, Account),
    /// It was used before, so the session has ended now.
    Again { session_id: Uuid, user_id: Uuid },
    /// It is none, has expired, or its session has ended.
    Worthless,
}

/// Begins a session; `None` if the user has been deleted meanwhile.
pub(super) async fn begin(
    pool: &PgPool,
    user_id: Uuid,
    hash: &[u8],
    lives: Duration,
) -> Result<Option<Session>, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    // The row's lock keeps a deletion, which ends all sessions, from missing this one.
    let session = sqlx::query_as!(
        Session,
        "INSERT INTO sessions (id, user_id, expires_at)
         SELECT $1, id, now() + make_interval(secs => $3) FROM users WHERE id = $2 AND deleted_at IS NULL FOR SHARE
         RETURNING id, started_at",
        Uuid::now_v7(),
        user_id,
        lives.as_secs_f64(),
    )
    .fetch_optional(&mut *transaction)
    .await?;
    if let Some(session) = session {
        add_token(&mut transaction, session.id, hash, lives).await?;
    }
    transaction.commit().await?;
    Ok(session)
}

/// Uses a refresh token up. Of several that do so at the same time one succeeds, and the others end the session.
pub(super) async fn renew(pool: &PgPool, hash: &[u8], next: &[u8], lives: Duration) -> Result<Used, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let Some(token) = sqlx::query!(
        r#"SELECT t.session_id, s.user_id, t.used_at IS NOT NULL AS "used!", t.expires_at < now() AS "expired!"
           FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id WHERE t.hash = $1 FOR UPDATE OF t"#,
        hash,
    )
    .fetch_optional(&mut *transaction)
    .await?
    else {
        return Ok(Used::Worthless);
    };
    if token.used {
        transaction.rollback().await?;
        end(pool, token.session_id).await?;
        return Ok(Used::Again { session_id: token.session_id, user_id: token.user_id });
    }
    if token.expired {
        return Ok(Used::Worthless);
    }
    let Some(row) = sqlx::query!(
        r#"UPDATE sessions s SET expires_at = now() + make_interval(secs => $2) FROM users u
           WHERE s.id = $1 AND s.ended_at IS NULL AND u.id = s.user_id AND u.deleted_at IS NULL
           RETURNING s.id, s.started_at, u.id AS user_id, u.name AS "name!", u.email AS "email!", u.roles"#,
        token.session_id,
        lives.as_secs_f64(),
    )
    .fetch_optional(&mut *transaction)
    .await?
    else {
        return Ok(Used::Worthless);
    };
    sqlx::query!("UPDATE refresh_tokens SET used_at = now() WHERE hash = $1", hash).execute(&mut *transaction).await?;
    add_token(&mut transaction, row.id, next, lives).await?;
    transaction.commit().await?;
    let account = Account { user_id: row.user_id, name: row.name, email: row.email, roles: roles(&row.roles) };
    Ok(Used::Renewed(Session { id: row.id, started_at: row.started_at }, account))
}

async fn add_token(
    connection: &mut PgConnection,
    session_id: Uuid,
    hash: &[u8],
    lives: Duration,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO refresh_tokens (hash, session_id, expires_at) VALUES ($1, $2, now() + make_interval(secs => $3))",
        hash,
        session_id,
        lives.as_secs_f64(),
    )
    .execute(connection)
    .await
    .map(drop)
}

/// The session that a refresh token belongs to, used or not.
pub(super) async fn of_token(pool: &PgPool, hash: &[u8]) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar!("SELECT session_id FROM refresh_tokens WHERE hash = $1", hash).fetch_optional(pool).await
}

/// Ends a session; its user, unless it has ended before.
pub(super) async fn end(pool: &PgPool, session_id: Uuid) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "UPDATE sessions SET ended_at = now() WHERE id = $1 AND ended_at IS NULL RETURNING user_id",
        session_id,
    )
    .fetch_optional(pool)
    .await
}

/// The user of a session that goes on, and when it began.
pub(super) async fn find(
    pool: &PgPool,
    session_id: Uuid,
    user_id: Uuid,
) -> Result<Option<(Session, Account)>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT s.id, s.started_at, u.id AS user_id, u.name AS "name!", u.email AS "email!", u.roles
           FROM sessions s JOIN users u ON u.id = s.user_id
           WHERE s.id = $1 AND u.id = $2 AND s.ended_at IS NULL AND u.deleted_at IS NULL"#,
        session_id,
        user_id,
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| {
        let account = Account { user_id: row.user_id, name: row.name, email: row.email, roles: roles(&row.roles) };
        (Session { id: row.id, started_at: row.started_at }, account)
    }))
}

/// Deletes sessions that nobody can go on with, and tokens that have expired; there is more to delete when it returns true.
pub(crate) async fn sweep(pool: &PgPool) -> Result<bool, sqlx::Error> {
    let sessions = sqlx::query!(
        "DELETE FROM sessions WHERE id IN (
             SELECT id FROM sessions WHERE expires_at < now() AND (ended_at IS NULL OR told)
             ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)",
        SWEPT_TOGETHER,
    )
    .execute(pool)
    .await?;
    let tokens = sqlx::query!(
        "DELETE FROM refresh_tokens WHERE hash IN (
             SELECT hash FROM refresh_tokens WHERE expires_at < now()
             ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)",
        SWEPT_TOGETHER,
    )
    .execute(pool)
    .await?;
    Ok(sessions.rows_affected().max(tokens.rows_affected()) >= SWEPT_TOGETHER.unsigned_abs())
}
