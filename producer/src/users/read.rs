//! Users as they are stored here.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use service::auth::MaybeIdentity;
use service::http::{Json, Limit, Path, Problem, Query, etag};
use service::{ApiError, ApiResult};
use sqlx::types::Json as Prefers;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Preferences;
use crate::App;
use crate::database;

/// A user.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct User {
    /// Identifies the user.
    user_id: Uuid,
    /// Name.
    #[schema(example = "Ada Lovelace")]
    name: String,
    /// E-mail address, as it was given.
    #[schema(example = "ada@example.org")]
    email: String,
    /// What the user prefers; absent if nothing was ever said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    preferences: Option<Prefers<Preferences>>,
    /// Counts the changes; also the ETag.
    #[schema(example = 1)]
    version: i64,
    /// When the user was created.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When the user was last changed.
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// How many at most: 1 to 1,000.
    #[param(default = 100, minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// The `next` of the page before.
    after: Option<Uuid>,
}

/// A page of users.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UserPage {
    /// The users, in the order they were created.
    users: Vec<User>,
    /// What to ask the next page with, as `after`; null on the last one.
    next: Option<Uuid>,
}

/// A user.
#[utoipa::path(get, path = "/users/{id}", tag = "users", params(("id" = Uuid, Path, description = "The user")), responses(
    (status = 200, description = "The user", body = User, headers(("ETag" = String, description = "The version"))),
    (status = 403, description = "It is another user", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 404, description = "There is no such user", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
pub(super) async fn one(State(app): State<App>, identity: MaybeIdentity, Path(id): Path<Uuid>) -> ApiResult<Response> {
    identity.may_act_for(id)?;
    let user = sqlx::query_as!(
        User,
        r#"SELECT id AS user_id, name AS "name!", email AS "email!",
                  preferences AS "preferences: Prefers<Preferences>", version, created_at, updated_at
           FROM users WHERE id = $1 AND deleted_at IS NULL"#,
        id
    )
    .fetch_optional(&app.reads)
    .await
    .map_err(database::failed)?
    .ok_or_else(|| ApiError::not_found("there is no user with this id"))?;
    let tag = HeaderValue::try_from(etag(user.version)).expect("digits in quotes make a valid header");
    Ok(([(header::ETAG, tag)], Json(user)).into_response())
}

/// Users, in the order they were created.
#[utoipa::path(get, path = "/users", tag = "users", params(Page), responses(
    (status = 200, description = "A page of users", body = UserPage),
    (status = 403, description = "Only an admin may see all", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 422, description = "A parameter is wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
pub(super) async fn list(
    State(app): State<App>,
    identity: MaybeIdentity,
    Query(page): Query<Page>,
) -> ApiResult<Json<UserPage>> {
    identity.is_admin()?;
    let limit = Limit::of(page.limit)?;
    // Ids are UUIDs of version 7, which sort by the time they were made.
    let mut users = sqlx::query_as!(
        User,
        r#"SELECT id AS user_id, name AS "name!", email AS "email!",
                  preferences AS "preferences: Prefers<Preferences>", version, created_at, updated_at
           FROM users WHERE id > $1 AND deleted_at IS NULL ORDER BY id LIMIT $2"#,
        page.after.unwrap_or_default(),
        limit.with_one_more(),
    )
    .fetch_all(&app.reads)
    .await
    .map_err(database::failed)?;
    let next = limit.cut(&mut users).map(|user| user.user_id);
    Ok(Json(UserPage { users, next }))
}
