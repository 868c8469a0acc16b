//! `POST /auth/login`.

use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use secrecy::SecretString;
use serde::Deserialize;
use service::ApiResult;
use service::http::{Json, Problem};
use utoipa::ToSchema;

use super::answer::{Tokens, tokens, unknown};
use super::{accounts, refresh_token, sessions};
use crate::App;
use crate::database;
use crate::valid::{self, required, valid};

/// Who wants to log in.
#[derive(Debug, Deserialize, Validate, ToSchema)]
pub(super) struct LoginBody {
    /// The user's address; case makes no difference.
    #[garde(custom(required(valid::email)))]
    #[schema(required = true, nullable = false, example = "ada@example.org")]
    email: Option<String>,
    /// The user's password; at most 128 characters.
    #[garde(custom(required(valid::any_password)))]
    #[schema(required = true, nullable = false, value_type = String, example = "correct horse battery")]
    password: Option<SecretString>,
}

/// Begins a session. An unknown address and a wrong password are answered alike, and take as long.
#[utoipa::path(post, path = "/auth/login", tag = "auth", request_body = LoginBody, responses(
    (status = 200, description = "The session's tokens", body = Tokens,
        headers(("Cache-Control" = String, description = "`no-store`"))),
    (status = 400, description = "Not JSON", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 401, description = "The address or the password is wrong", body = Problem,
        content_type = Problem::MEDIA_TYPE),
    (status = 413, description = "The body is too large", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 415, description = "Not JSON by its media type", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 422, description = "These fields are wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
pub(super) async fn login(State(app): State<App>, Json(body): Json<LoginBody>) -> ApiResult<Response> {
    let LoginBody { email, password } = valid(body)?;
    let (email, password) = (email.unwrap_or_default(), password.unwrap_or_default());
    let wrong = || unknown("the e-mail address or the password is wrong");
    let pool = &app.auth.pool;
    let (account, kept) = accounts::find(pool, &email).await.map_err(database::failed)?.unzip();
    if !app.hasher.verify(&password, kept).await? {
        return Err(wrong());
    }
    let account = account.ok_or_else(wrong)?;
    let token = refresh_token::generate();
    let hash = refresh_token::hash(&token);
    let session =
        sessions::begin(pool, account.user_id, &hash, app.auth.refresh_ttl).await.map_err(database::failed)?;
    let session = session.ok_or_else(wrong)?;
    tracing::info!(user_id = %account.user_id, session = %session.id, "a user has logged in");
    tokens(&app, session, account, &token).await
}
