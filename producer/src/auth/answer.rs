//! What a login and a refresh answer.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use service::auth::{Role, Roles};
use service::http::Json;
use service::{ApiError, ApiResult};
use utoipa::ToSchema;
use uuid::Uuid;

use super::accounts::Account;
use super::sessions::Session;
use crate::App;

/// The tokens of a session.
#[derive(Serialize, ToSchema)]
pub(super) struct Tokens {
    /// To be sent with each request: `Authorization: Bearer <token>`.
    access_token: String,
    /// `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// For how many seconds the access token holds.
    #[schema(example = 900)]
    expires_in: u64,
    /// Gets the next tokens from `POST /auth/refresh`, once.
    refresh_token: String,
    /// For how many seconds it can do so.
    #[schema(example = 2592000)]
    refresh_expires_in: u64,
    /// Whose session it is.
    user: LoggedIn,
}

/// Who has logged in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LoggedIn {
    /// The user.
    pub(super) user_id: Uuid,
    /// Name.
    #[schema(example = "Ada Lovelace")]
    pub(super) name: String,
    /// E-mail address.
    #[schema(example = "ada@example.org")]
    pub(super) email: String,
    /// What the user may do.
    #[schema(value_type = Vec<Role>)]
    pub(super) roles: Roles,
}

impl From<Account> for LoggedIn {
    fn from(Account { user_id, name, email, roles }: Account) -> Self {
        Self { user_id, name, email, roles }
    }
}

/// The tokens of a session that goes on, which no cache may keep.
pub(super) async fn tokens(
    app: &App,
    session: Session,
    account: Account,
    refresh: &SecretString,
) -> ApiResult<Response> {
    let issued = app.auth.issuer.issue(account.user_id, session.id, &account.roles, app.auth.access_ttl)?;
    app.auth.telling.begun(&session, &account).await;
    let tokens = Tokens {
        access_token: issued.token.expose_secret().to_owned(),
        token_type: "Bearer",
        expires_in: issued.lives.as_secs(),
        refresh_token: refresh.expose_secret().to_owned(),
        refresh_expires_in: app.auth.refresh_ttl.as_secs(),
        user: account.into(),
    };
    let no_store = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(([no_store], Json(tokens)).into_response())
}

/// The answer to who is not known.
pub(super) fn unknown(detail: &str) -> ApiError {
    ApiError::unauthorized(detail, "Bearer")
}
