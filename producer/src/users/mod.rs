//! Users: created, updated, deleted and read here; others learn of them by events.

mod changes;
mod password;
mod read;
mod roles;

use axum::extract::State;
use axum::response::Response;
use contracts::users::{UserCreated, UserDeleted, UserUpdated};
use garde::Validate;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use service::http::{FieldError, Json, Path, Precondition, Problem};
use service::{ApiError, ApiResult};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

pub(crate) use changes::{UserChange, email_key};
pub(crate) use password::Hasher;

use crate::App;
use crate::accept::{Accepted, Wish, accept, envelope};
use crate::caller::{Caller, WriteHeaders};
use crate::valid::{self, optional, required, valid};
use changes::NewUser;

/// The routes of users.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create, read::list))
        .routes(routes!(create_user))
        .routes(routes!(read::one, update, delete))
        .routes(routes!(roles::set))
}

/// A user to be created.
#[derive(Debug, Deserialize, Validate, ToSchema)]
pub(crate) struct UserBody {
    /// 1 to 200 characters.
    #[garde(custom(required(valid::name)))]
    #[schema(required = true, nullable = false, example = "Ada Lovelace")]
    pub(crate) name: Option<String>,
    /// Not taken by another user; case makes no difference.
    #[garde(custom(required(valid::email)))]
    #[schema(required = true, nullable = false, example = "ada@example.org")]
    pub(crate) email: Option<String>,
    /// 8 to 128 characters. Only its argon2id hash is kept, and only here.
    #[garde(custom(required(valid::password)))]
    #[schema(required = true, nullable = false, value_type = String, example = "correct horse battery")]
    pub(crate) password: Option<SecretString>,
}

/// What is to change of a user.
#[derive(Debug, Deserialize, Validate, ToSchema)]
struct UserChanges {
    /// 1 to 200 characters.
    #[garde(custom(optional(valid::name)))]
    #[schema(example = "Ada King")]
    name: Option<String>,
    /// Not taken by another user; case makes no difference.
    #[garde(custom(optional(valid::email)))]
    #[schema(example = "ada.king@example.org")]
    email: Option<String>,
}

/// Creates a user.
#[utoipa::path(post, path = "/users", tag = "users", params(WriteHeaders), request_body = UserBody, responses(
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
pub(crate) async fn create(State(app): State<App>, caller: Caller, Json(body): Json<UserBody>) -> ApiResult<Response> {
    let UserBody { name, email, password } = valid(body)?;
    let (name, email, password) = (name.unwrap_or_default(), email.unwrap_or_default(), password.unwrap_or_default());
    app.backlog.admit()?;
    let password_hash = app.hasher.hash(&password).await?;
    // A fast hash of the password, kept to recognise a repeated request, would be an open door to guessing it.
    let password_known_by = match caller.key() {
        Some(key) => Some(app.hasher.recognise(&password, Sha256::digest(key).into()).await?),
        None => None,
    };
    let id = Uuid::now_v7();
    let wish = Wish {
        message: envelope::<UserCreated>(),
        subject: format!("user {id}"),
        operation: "POST /users",
        request: &json!({ "name": name, "email": email, "password": password_known_by }),
        answer: Accepted::new("the user is created").user(id),
        change: UserChange::Create(NewUser { id, name, email, password_hash }),
    };
    accept(&app, &app.users, caller.owned_by(id), wish).await
}

/// The same as `POST /users`.
#[utoipa::path(post, path = "/user", tag = "users", params(WriteHeaders), request_body = UserBody, responses(
    (status = 202, description = "Accepted: the user exists here, and others will learn of it", body = Accepted),
    (status = 200, description = "Ended in the time of `Prefer: wait=N`; `state` tells how", body = Accepted,
        headers(("Location" = String, description = "The task"), ("Preference-Applied" = String, description = "wait=N"))),
    (status = 400, description = "Not JSON", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 409, description = "The e-mail address is taken", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 413, description = "The body is too large", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 415, description = "Not JSON", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 422, description = "These fields are wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
async fn create_user(app: State<App>, caller: Caller, body: Json<UserBody>) -> ApiResult<Response> {
    create(app, caller, body).await
}

/// Changes a user's name or e-mail address.
#[utoipa::path(put, path = "/users/{id}", tag = "users", request_body = UserChanges,
    params(("id" = Uuid, Path, description = "The user"), Precondition, WriteHeaders),
    responses(
        (status = 202, description = "Accepted: the user is changed here, and others will learn of it", body = Accepted,
            headers(("Location" = String, description = "The task"))),
        (status = 200, description = "Ended in the time of `Prefer: wait=N`; `state` tells how", body = Accepted,
            headers(("Location" = String, description = "The task"), ("Preference-Applied" = String, description = "wait=N"))),
        (status = 400, description = "Not JSON", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 403, description = "It is another user", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 404, description = "There is no such user", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 409, description = "The e-mail address is taken", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 412, description = "The version is another one", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 415, description = "Not JSON by its media type", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 422, description = "These fields are wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
    ))]
async fn update(
    State(app): State<App>,
    Path(id): Path<Uuid>,
    precondition: Precondition,
    caller: Caller,
    Json(body): Json<UserChanges>,
) -> ApiResult<Response> {
    caller.may_act_for(id)?;
    let UserChanges { name, email } = valid(body)?;
    if name.is_none() && email.is_none() {
        return Err(ApiError::unprocessable([FieldError::new("body", "must have `name` or `email`")]));
    }
    let wish = Wish {
        message: envelope::<UserUpdated>(),
        subject: format!("user {id}"),
        operation: "PUT /users/{id}",
        request: &json!({ "id": id, "name": name, "email": email }),
        answer: Accepted::new("the user is changed").user(id),
        change: UserChange::Update { id, name, email, precondition },
    };
    accept(&app, &app.users, caller, wish).await
}

/// Deletes a user.
#[utoipa::path(delete, path = "/users/{id}", tag = "users",
    params(("id" = Uuid, Path, description = "The user"), Precondition, WriteHeaders),
    responses(
        (status = 202, description = "Accepted: the user is gone here, and others will learn of it", body = Accepted,
            headers(("Location" = String, description = "The task"))),
        (status = 200, description = "Ended in the time of `Prefer: wait=N`; `state` tells how", body = Accepted,
            headers(("Location" = String, description = "The task"), ("Preference-Applied" = String, description = "wait=N"))),
        (status = 403, description = "It is another user", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 404, description = "There is no such user", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 412, description = "The version is another one", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 422, description = "A header is wrong, or the Idempotency-Key was used for another request", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
    ))]
async fn delete(
    State(app): State<App>,
    Path(id): Path<Uuid>,
    precondition: Precondition,
    caller: Caller,
) -> ApiResult<Response> {
    caller.may_act_for(id)?;
    let wish = Wish {
        message: envelope::<UserDeleted>(),
        subject: format!("user {id}"),
        operation: "DELETE /users/{id}",
        request: &id,
        answer: Accepted::new("the user is deleted").user(id),
        change: UserChange::Delete { id, precondition },
    };
    let accepted = accept(&app, &app.users, caller, wish).await?;
    // The user's sessions have ended with the user: others are to know at once.
    app.auth.wake();
    Ok(accepted)
}
