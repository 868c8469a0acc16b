//! Redis is told of sessions: which is the newest of a user, and which have ended.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use contracts::sessions::{SessionStatus, UserSession, ended_session_key, user_session_key};
use redis::aio::ConnectionManager;
use redis::{RedisError, Script};
use service::auth::LEEWAY;
use sqlx::postgres::PgPool;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::accounts::Account;
use super::sessions::Session;
use crate::Config;

/// Longer than this no request waits for Redis.
const LIMIT: Duration = Duration::from_millis(500);

/// How often is looked for ended sessions that Redis could not be told of.
const EVERY: Duration = Duration::from_secs(1);

/// How many of them are told at a time.
const TOGETHER: i64 = 500;

/// Tells Redis. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Telling(Arc<Inner>);

struct Inner {
    redis: ConnectionManager,
    pool: PgPool,
    begun: Script,
    ended: Script,
    /// How long the newest session of a user is known.
    session_ttl: Duration,
    /// For how long somebody may still have a token of a session that has ended.
    ended_ttl: Duration,
    wake: Notify,
}

/// A session that has ended.
struct Ended {
    id: Uuid,
    user_id: Uuid,
    started_at: OffsetDateTime,
}

impl Telling {
    pub(super) fn new(redis: ConnectionManager, pool: PgPool, config: &Config) -> Self {
        let (begun, ended) = (include_str!("session_begun.lua"), include_str!("session_ended.lua"));
        Self(Arc::new(Inner {
            redis,
            pool,
            begun: Script::new(begun),
            ended: Script::new(ended),
            session_ttl: config.sessions.session_ttl,
            ended_ttl: config.sessions.access_token_ttl + 2 * LEEWAY,
            wake: Notify::new(),
        }))
    }

    /// Whether Redis is there.
    pub(crate) async fn ping(&self) -> Result<(), RedisError> {
        service::connect::ping_redis(self.0.redis.clone()).await
    }

    /// A session has begun or goes on. Nobody depends on it, so an absent Redis is only logged.
    pub(super) async fn begun(&self, session: &Session, account: &Account) {
        let known = UserSession {
            user_id: account.user_id,
            name: account.name.clone(),
            login_time: session.started_at,
            status: SessionStatus::Active,
        };
        let known = serde_json::to_string(&known).expect("a session is plain data, which always has a JSON form");
        let (mut redis, seconds) = (self.0.redis.clone(), self.0.session_ttl.as_secs().max(1));
        let mut invocation = self.0.begun.key(ended_session_key(session.id));
        invocation.key(user_session_key(account.user_id)).arg(known).arg(seconds);
        let failure = match timeout(LIMIT, invocation.invoke_async::<()>(&mut redis)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} ms", LIMIT.as_millis()),
        };
        tracing::warn!(error = failure, user = %account.user_id, "Redis was not told of a session");
    }

    /// A session has ended, as all services know when this returns.
    pub(super) async fn ended(&self, session_id: Uuid) -> anyhow::Result<()> {
        let session = sqlx::query_as!(
            Ended,
            "SELECT id, user_id, started_at FROM sessions WHERE id = $1 AND ended_at IS NOT NULL AND NOT told",
            session_id,
        )
        .fetch_optional(&self.0.pool)
        .await?;
        match session {
            Some(session) => self.tell(&[session]).await,
            None => Ok(()),
        }
    }

    async fn tell(&self, sessions: &[Ended]) -> anyhow::Result<()> {
        let mut redis = self.0.redis.clone();
        for session in sessions {
            let mut invocation = self.0.ended.key(ended_session_key(session.id));
            invocation.key(user_session_key(session.user_id)).arg(self.0.ended_ttl.as_secs());
            invocation.arg(session.started_at.format(&Rfc3339)?);
            timeout(LIMIT, invocation.invoke_async::<()>(&mut redis)).await??;
        }
        let ids: Vec<Uuid> = sessions.iter().map(|session| session.id).collect();
        sqlx::query!("UPDATE sessions SET told = true WHERE id = ANY($1)", &ids).execute(&self.0.pool).await?;
        Ok(())
    }

    /// There are ended sessions to tell of.
    pub(super) fn wake(&self) {
        self.0.wake.notify_one();
    }

    /// Tells of all sessions that ended without their user waiting for it, or while Redis was away; until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut looks = interval(EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut fails = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.0.wake.notified() => {}
                _ = looks.tick() => {}
            }
            let told = self.tell_all().await;
            match &told {
                Err(error) if !fails => tracing::warn!(%error, "other services are not told which sessions have ended"),
                Ok(()) if fails => tracing::info!("other services are told again which sessions have ended"),
                _ => {}
            }
            fails = told.is_err();
        }
    }

    async fn tell_all(&self) -> anyhow::Result<()> {
        loop {
            let sessions = sqlx::query_as!(
                Ended,
                "SELECT id, user_id, started_at FROM sessions WHERE ended_at IS NOT NULL AND NOT told
                 ORDER BY ended_at LIMIT $1",
                TOGETHER,
            )
            .fetch_all(&self.0.pool)
            .await?;
            if sessions.is_empty() {
                return Ok(());
            }
            self.tell(&sessions).await?;
        }
    }
}

impl fmt::Debug for Telling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Telling")
    }
}
