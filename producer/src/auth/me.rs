//! `GET /auth/me`.

use axum::extract::State;
use serde::Serialize;
use service::ApiResult;
use service::auth::Identity;
use service::http::{Json, Problem};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::answer::{LoggedIn, unknown};
use super::sessions;
use crate::App;
use crate::database;

/// Who asks, as it is now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    #[serde(flatten)]
    user: LoggedIn,
    /// The session of the access token.
    session: SessionView,
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
struct SessionView {
    /// Identifies the session.
    id: Uuid,
    /// When the user logged in.
    #[serde(with = "time::serde::rfc3339")]
    started_at: OffsetDateTime,
}

/// Who asks.
#[utoipa::path(get, path = "/auth/me", tag = "auth", responses(
    (status = 200, description = "The user and the session", body = Me),
    (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
pub(super) async fn me(State(app): State<App>, identity: Identity) -> ApiResult<Json<Me>> {
    let found =
        sessions::find(&app.auth.pool, identity.session_id, identity.user_id).await.map_err(database::failed)?;
    let (session, account) = found.ok_or_else(|| unknown("the session has ended"))?;
    let session = SessionView { id: session.id, started_at: session.started_at };
    Ok(Json(Me { user: account.into(), session }))
}
