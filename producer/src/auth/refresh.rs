//! `POST /auth/refresh`.

use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use secrecy::SecretString;
use serde::Deserialize;
use service::ApiResult;
use service::http::{Json, Problem};
use utoipa::ToSchema;

use super::answer::{Tokens, tokens, unknown};
use super::refresh_token;
use super::sessions::{self, Used};
use crate::App;
use crate::database;
use crate::valid::{self, required, valid};

/// Whose session is to go on.
#[derive(Debug, Deserialize, Validate, ToSchema)]
pub(super) struct RefreshBody {
    /// The session's newest one.
    #[garde(custom(required(valid::token)))]
    #[schema(required = true, nullable = false, value_type = String)]
    refresh_token: Option<SecretString>,
}

/// Gives a session new tokens. A refresh token is good for one time: who uses one again ends the session, since it is not
/// known which of the two has stolen it.
#[utoipa::path(post, path = "/auth/refresh", tag = "auth", request_body = RefreshBody, responses(
    (status = 200, description = "The session's new tokens", body = Tokens,
        headers(("Cache-Control" = String, description = "`no-store`"))),
    (status = 400, description = "Not JSON", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 401, description = "The token is not valid, or was used before", body = Problem,
        content_type = Problem::MEDIA_TYPE),
    (status = 413, description = "The body is too large", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 415, description = "Not JSON by its media type", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 422, description = "These fields are wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
pub(super) async fn refresh(State(app): State<App>, Json(body): Json<RefreshBody>) -> ApiResult<Response> {
    let used = refresh_token::hash(&valid(body)?.refresh_token.unwrap_or_default());
    let token = refresh_token::generate();
    let next = refresh_token::hash(&token);
    match sessions::renew(&app.auth.pool, &used, &next, app.auth.refresh_ttl).await.map_err(database::failed)? {
        Used::Renewed(session, account) => tokens(&app, session, account, &token).await,
        Used::Worthless => Err(unknown("the refresh token is not valid, or no longer")),
        Used::Again { session_id, user_id } => {
            tracing::warn!(%user_id, session = %session_id, "a refresh token was used again; its session has ended");
            metrics::counter!("auth_refresh_reused_total").increment(1);
            app.auth.wake();
            Err(unknown("the refresh token is not valid, or no longer"))
        }
    }
}
