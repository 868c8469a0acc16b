//! `POST /auth/register`.

use axum::extract::State;
use axum::response::Response;
use service::ApiResult;
use service::http::{Json, Problem};

use crate::App;
use crate::accept::Accepted;
use crate::caller::{Caller, WriteHeaders};
use crate::users::{self, UserBody};

/// Creates a user, as `POST /users` does; the user can log in at once.
#[utoipa::path(post, path = "/auth/register", tag = "auth", params(WriteHeaders), request_body = UserBody, responses(
    (status = 202, description = "Accepted: the user exists here, and others will learn of it", body = Accepted,
        headers(("Location" = String, description = "The task"))),
    (status = 200, description = "Ended in the time of `Prefer: wait=N`; `state` tells how", body = Accepted,
        headers(("Location" = String, description = "The task"), ("Preference-Applied" = String, description = "wait=N"))),
    (status = 400, description = "Not JSON", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 409, description = "The e-mail address is taken", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 413, description = "The body is too large", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 415, description = "Not JSON by its media type", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 422, description = "These fields are wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
pub(super) async fn register(app: State<App>, caller: Caller, body: Json<UserBody>) -> ApiResult<Response> {
    users::create(app, caller, body).await
}
