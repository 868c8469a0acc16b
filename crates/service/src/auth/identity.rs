//! Who sends a request, as the guard found out; handlers ask for it by an extractor.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use time::OffsetDateTime;
use uuid::Uuid;

use super::role::Roles;
use crate::http::{ApiError, ApiResult};

/// Who sends a request, by a token that was verified.
///
/// As an extractor it answers 401 if there was no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub user_id: Uuid,
    /// The session that the token belongs to.
    pub session_id: Uuid,
    /// The user's roles when the token was issued.
    pub roles: Roles,
    /// When the token expires.
    pub expires_at: OffsetDateTime,
}

impl Identity {
    /// Whether the user is an admin.
    pub fn is_admin(&self) -> bool {
        self.roles.is_admin()
    }

    /// Lets an admin pass.
    ///
    /// # Errors
    /// 403 for everybody else.
    pub fn must_be_admin(&self) -> ApiResult<()> {
        if self.is_admin() { Ok(()) } else { Err(ApiError::forbidden("only an admin may do this")) }
    }

    /// Whether the user may see and change what belongs to this one.
    pub fn may_act_for(&self, user_id: Uuid) -> bool {
        self.user_id == user_id || self.is_admin()
    }
}

impl<S: Sync> FromRequestParts<S> for Identity {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> ApiResult<Self> {
        parts.extensions.get().cloned().ok_or_else(missing_token)
    }
}

/// The answer to a request that needs a token and has none.
pub fn missing_token() -> ApiError {
    ApiError::unauthorized("the request needs an access token: `Authorization: Bearer <token>`", "Bearer")
}

/// Who sends a request, if it had a token. Without one, which only development lets in, everything is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaybeIdentity(pub Option<Identity>);

impl MaybeIdentity {
    /// The user whose things alone may be seen; `None` if all may.
    pub fn only(&self) -> Option<Uuid> {
        self.0.as_ref().filter(|identity| !identity.is_admin()).map(|identity| identity.user_id)
    }

    /// Lets an admin pass, and whom nothing is known of.
    ///
    /// # Errors
    /// 403 for everybody else.
    pub fn is_admin(&self) -> ApiResult<()> {
        self.0.as_ref().map_or(Ok(()), Identity::must_be_admin)
    }

    /// Lets pass who may see and change what belongs to this user.
    ///
    /// # Errors
    /// 403 for everybody else.
    pub fn may_act_for(&self, user_id: Uuid) -> ApiResult<()> {
        match self.only() {
            Some(only) if only != user_id => Err(ApiError::forbidden("this belongs to another user")),
            _ => Ok(()),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for MaybeIdentity {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get().cloned()))
    }
}
