//! Who the users are when they ask: logged in and out, known by short-lived access tokens.
//!
//! A session goes from a login to a logout. Postgres has the sessions; Redis tells every service which have ended, so that
//! an access token is worth nothing from then on.

mod accounts;
mod admin;
mod answer;
mod login;
mod logout;
mod me;
mod refresh;
mod refresh_token;
mod register;
mod sessions;
mod telling;

use service::auth::{Issuer, Verifier};
use service::connect::{self, PoolSettings};
use sqlx::postgres::PgPool;
use std::time::Duration;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use admin::ensure_admin;
pub(crate) use sessions::sweep;
pub(crate) use telling::Telling;

use crate::{App, Config};

/// The route behind the guard.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(me::me))
}

/// The routes that give tokens, for which none is needed, and the one that looks at them itself: who has logged out may do
/// so again.
pub(crate) fn unguarded() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(register::register))
        .routes(routes!(login::login))
        .routes(routes!(refresh::refresh))
        .routes(routes!(logout::logout))
}

/// What the handlers of sessions work with.
#[derive(Debug)]
pub(crate) struct Auth {
    pub(crate) verifier: Verifier,
    pub(crate) telling: Telling,
    issuer: Issuer,
    pool: PgPool,
    access_ttl: Duration,
    refresh_ttl: Duration,
}

impl Auth {
    /// Works on the pool of the reads, so that no number of logins keeps writes waiting.
    pub(crate) fn new(config: &Config, pool: PgPool) -> anyhow::Result<Self> {
        let limit = Duration::from_secs(1);
        let settings = PoolSettings { connect_timeout: limit, statement_timeout: limit, ..PoolSettings::default() };
        let redis = connect::redis_if_there("REDIS_URL", &config.redis_url, settings)?;
        Ok(Self {
            verifier: Verifier::new(&config.auth, Some(redis.clone()))?,
            telling: Telling::new(redis, pool.clone(), config),
            issuer: Issuer::new(&config.auth)?,
            pool,
            access_ttl: config.sessions.access_token_ttl,
            refresh_ttl: config.sessions.refresh_token_ttl,
        })
    }

    /// Some sessions have ended: others are told soon, without anybody waiting for it.
    pub(crate) fn wake(&self) {
        self.telling.wake();
    }
}
