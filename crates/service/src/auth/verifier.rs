//! From a request's `Authorization` to who sends it.

use std::fmt;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, header};
use redis::aio::ConnectionManager;

use super::args::{AuthArgs, Environment};
use super::ended::EndedSessions;
use super::identity::Identity;
use super::token::Reader;
use crate::http::{ApiError, ApiResult};

/// Verifies tokens. Cheap to clone.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    reader: Reader,
    ended: Option<EndedSessions>,
    environment: Environment,
}

impl Verifier {
    /// A verifier that looks sessions up in Redis, if it is given one.
    ///
    /// # Errors
    /// If the secret is not one.
    pub fn new(args: &AuthArgs, redis: Option<ConnectionManager>) -> anyhow::Result<Self> {
        let (reader, ended) = (Reader::new(args)?, redis.map(EndedSessions::new));
        Ok(Self(Arc::new(Inner { reader, ended, environment: args.environment })))
    }

    /// Who sends a request with these headers; `None` if they have no `Authorization`.
    ///
    /// # Errors
    /// 401 if it is no valid token, or one of a session that has ended.
    pub async fn identity(&self, headers: &HeaderMap) -> ApiResult<Option<Identity>> {
        let Some(identity) = self.identity_of_any_session(headers)? else { return Ok(None) };
        if let Some(ended) = &self.0.ended
            && ended.contains(identity.session_id).await
        {
            return Err(refused("the session has ended"));
        }
        Ok(Some(identity))
    }

    /// The same without a look at whether the session has ended.
    ///
    /// # Errors
    /// 401 if it is no valid token.
    pub fn identity_of_any_session(&self, headers: &HeaderMap) -> ApiResult<Option<Identity>> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let only = values.next().is_none();
        let token = bearer(value).filter(|_| only);
        let identity = token
            .and_then(|token| self.0.reader.read(token))
            .ok_or_else(|| refused("the access token is not valid, or no longer"))?;
        Ok(Some(identity))
    }

    /// Whether requests need a token.
    pub fn is_strict(&self) -> bool {
        self.0.environment == Environment::Production
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("environment", &self.0.environment).finish_non_exhaustive()
    }
}

/// The token of `Bearer <token>`; the scheme's case makes no difference.
fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}

/// Why a token is refused is not told: only who forges one would learn from it.
fn refused(detail: &str) -> ApiError {
    ApiError::unauthorized(detail, "Bearer error=\"invalid_token\"")
}
