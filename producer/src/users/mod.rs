//! Users: created, updated, deleted and read here; others learn of them by events.

mod changes;
mod password;
mod preferences;
mod read;
mod roles;

use axum::extract::State;
use axum::response::Response;
use contracts::users::{UserCreated, UserDeleted, UserUpdated};
use garde::Validate;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;
use service::http::{FieldError, Json, Path, Precondition, Problem};
use service::{ApiError, ApiResult};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

pub(crate) use changes::{UserChange, delete_user, email_key};
pub(crate) use password::Hasher;
pub(crate) use preferences::Preferences;

use crate::App;
use crate::accept::{Accepted, Wish, accept, envelope};
use crate::caller::{Caller, WriteHeaders};
use crate::valid::{self, optional, required, valid};
use changes::{Changed, NewUser};

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
    /// What the user prefers, by names that programs agree on: at most 4 KiB as JSON, 32 names at each level and 4 levels.
    /// Names have 1 to 64 characters, no `$` at the start and no `.`.
    #[garde(custom(optional(preferences::preferences)))]
    #[schema(value_type = Option<Object>, example = json!({ "theme": "dark" }))]
    pub(crate) preferences: Option<Preferences>,
    /// What becomes of the user if one of the task's steps is parked in the end.
    #[serde(default)]
    #[garde(skip)]
    #[schema(default = "keep")]
    pub(crate) on_failure: OnFailure,
}

/// What becomes of a new user if one of the task's steps is parked in the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnFailure {
    /// The rest stands, and the parked step can be sent again by hand.
    #[default]
    Keep,
    /// The user is deleted everywhere, and the task ends as `rolled_back`.
    Rollback,
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
    /// In place of all that the user preferred so far; `{}` for nothing. The limits are those of a new user's.
    #[garde(custom(optional(preferences::preferences)))]
    #[schema(value_type = Option<Object>, example = json!({ "theme": "dark" }))]
    preferences: Option<Preferences>,
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
    let UserBody { name, email, password, preferences, on_failure } = valid(body)?;
    let (name, email, password) = (name.unwrap_or_default(), email.unwrap_or_default(), password.unwrap_or_default());
    app.backlog.admit()?;
    let password_hash = app.hasher.hash(&password).await?;
    // A fast hash of the password, kept to recognise a repeated request, would be an open door to guessing it.
    let password_known_by = match caller.key() {
        Some(key) => Some(app.hasher.recognise(&password, Sha256::digest(key).into()).await?),
        None => None,
    };
    let id = Uuid::now_v7();
    let mut request = json!({ "name": name, "email": email, "password": password_known_by });
    add(&mut request, "preferences", preferences.as_ref());
    add(&mut request, "on_failure", (on_failure != OnFailure::Keep).then_some(on_failure));
    let wish = Wish {
        message: envelope::<UserCreated>(),
        subject: format!("user {id}"),
        operation: "POST /users",
        request: &request,
        answer: Accepted::new("the user is created").user(id),
        change: UserChange::Create(NewUser { id, name, email, password_hash, preferences, on_failure }),
    };
    accept(&app, &app.users, caller.owned_by(id), wish).await
}

/// Adds to what tells a request from another what it does not say each time, so that those without it are told as before.
fn add(request: &mut serde_json::Value, name: &str, value: Option<impl Serialize>) {
    if let Some(value) = value {
        request[name] = json!(value);
    }
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

/// Changes a user's name, e-mail address or preferences.
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
    let UserChanges { name, email, preferences } = valid(body)?;
    if name.is_none() && email.is_none() && preferences.is_none() {
        return Err(ApiError::unprocessable([FieldError::new("body", "must have `name`, `email` or `preferences`")]));
    }
    let mut request = json!({ "id": id, "name": name, "email": email });
    add(&mut request, "preferences", preferences.as_ref());
    let wish = Wish {
        message: envelope::<UserUpdated>(),
        subject: format!("user {id}"),
        operation: "PUT /users/{id}",
        request: &request,
        answer: Accepted::new("the user is changed").user(id),
        change: UserChange::Update { id, changed: Changed { name, email, preferences }, precondition },
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
