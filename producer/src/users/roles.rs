//! The roles of a user, set by an admin.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use service::auth::{Identity, Role, Roles};
use service::http::{FieldError, Json, Path, Problem};
use service::{ApiError, ApiResult};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::database;

/// The roles that a user is to have.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct RolesBody {
    /// At least one.
    #[schema(min_items = 1, example = json!(["user"]))]
    roles: Vec<Role>,
}

/// The roles that a user has.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UserRoles {
    /// The user.
    user_id: Uuid,
    /// What the user may do; tokens that were issued before tell so until they expire.
    #[schema(value_type = Vec<Role>)]
    roles: Roles,
}

/// Sets a user's roles. They hold from the user's next login or refresh on.
#[utoipa::path(put, path = "/users/{id}/roles", tag = "users", request_body = RolesBody,
    params(("id" = Uuid, Path, description = "The user")),
    responses(
        (status = 200, description = "Set", body = UserRoles),
        (status = 400, description = "Not JSON", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 403, description = "Only an admin may do this", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 404, description = "There is no such user", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 415, description = "Not JSON by its media type", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 422, description = "A role is not known, or there is none", body = Problem,
            content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
    ))]
pub(super) async fn set(
    State(app): State<App>,
    admin: Identity,
    Path(id): Path<Uuid>,
    Json(RolesBody { roles }): Json<RolesBody>,
) -> ApiResult<Json<UserRoles>> {
    admin.must_be_admin()?;
    if roles.is_empty() {
        return Err(ApiError::unprocessable([FieldError::new("roles", "must name at least one")]));
    }
    let roles: Roles = roles.into_iter().collect();
    let names: Vec<&str> = roles.iter().map(Role::as_str).collect();
    let set = sqlx::query!("UPDATE users SET roles = $2 WHERE id = $1 AND deleted_at IS NULL", id, &names as &[&str])
        .execute(&app.reads)
        .await
        .map_err(database::failed)?;
    if set.rows_affected() == 0 {
        return Err(ApiError::not_found("there is no user with this id"));
    }
    tracing::info!(user = %id, roles = ?names, by = %admin.user_id, "roles were set");
    Ok(Json(UserRoles { user_id: id, roles }))
}
