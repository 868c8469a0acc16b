//! `POST /auth/logout`.

use std::time::Duration;

use axum::extract::FromRequest;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use garde::Validate;
use secrecy::SecretString;
use serde::Deserialize;
use service::http::{Json, Problem};
use service::{ApiError, ApiResult};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{refresh_token, sessions};
use crate::App;
use crate::database;
use crate::valid::{self, required, valid};

/// Which session is to end, if the request has no access token.
#[derive(Debug, Deserialize, Validate, ToSchema)]
pub(super) struct LogoutBody {
    /// Any of the session's.
    #[garde(custom(required(valid::token)))]
    #[schema(required = true, nullable = false, value_type = String)]
    refresh_token: Option<SecretString>,
}

/// Ends a session, that of the access token or of the refresh token in the body, for every service at once.
///
/// It may be repeated, and must be after a 503: then other services may not know yet.
#[utoipa::path(post, path = "/auth/logout", tag = "auth", request_body = Option<LogoutBody>, responses(
    (status = 204, description = "The session has ended"),
    (status = 400, description = "Not JSON", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 401, description = "The access token is not valid", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 413, description = "The body is too large", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 415, description = "Neither an access token nor JSON", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 422, description = "These fields are wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "Not every service may know yet", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
pub(super) async fn logout(State(app): State<App>, request: Request) -> ApiResult<StatusCode> {
    let Some(session_id) = session(&app, request).await? else { return Ok(StatusCode::NO_CONTENT) };
    if let Some(user_id) = sessions::end(&app.auth.pool, session_id).await.map_err(database::failed)? {
        tracing::info!(%user_id, session = %session_id, "a user has logged out");
    }
    app.auth.telling.ended(session_id).await.map_err(|error| {
        let detail = "the session has ended, but other services may not know yet; send it again";
        ApiError::unavailable(detail, Duration::from_secs(1)).because(error)
    })?;
    Ok(StatusCode::NO_CONTENT)
}

/// The session that is meant; `None` if there is none any more.
async fn session(app: &App, request: Request) -> ApiResult<Option<Uuid>> {
    if let Some(identity) = app.auth.verifier.identity_of_any_session(request.headers())? {
        return Ok(Some(identity.session_id));
    }
    let Json(body) = Json::<LogoutBody>::from_request(request, &()).await?;
    let hash = refresh_token::hash(&valid(body)?.refresh_token.unwrap_or_default());
    sessions::of_token(&app.auth.pool, &hash).await.map_err(database::failed)
}
