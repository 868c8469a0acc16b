//! Creating, changing and deleting owners, each together with the event that tells of it.

use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use contracts::owners::OwnerState;
use service::auth::Identity;
use service::documents::{Change, Claim};
use service::http::{IdempotencyKey, Json, Path, Precondition, Problem, RequestIds};
use service::valid::valid;
use service::{ApiError, ApiResult};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::App;
use crate::owner::{Details, Owner};
use crate::read::shown;

pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(update)).routes(routes!(delete))
}

/// Creates an owner, who then belongs to the user.
#[utoipa::path(post, path = "/v1/owners", tag = "owners", params(IdempotencyKey), request_body = Details, responses(
    (status = 201, description = "The owner", body = OwnerState,
        headers(("Location" = String, description = "The owner"), ("ETag" = String, description = "The version"))),
    (status = 400, description = "Not JSON", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 413, description = "The body is too large", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 415, description = "Not JSON by its media type", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 422, description = "These fields are wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
async fn create(
    State(app): State<App>,
    identity: Identity,
    key: IdempotencyKey,
    ids: RequestIds,
    Json(details): Json<Details>,
) -> ApiResult<Response> {
    let details = valid(details)?;
    let owner = Owner::new(details.clone(), identity.user_id);
    let state = owner.state();
    let claim = Claim::new(identity.user_id, &key, &details, &state)?;
    let state = app.owners.create(Change::to(owner).caused_by(&ids), claim, state).await?;

    let location = state.as_ref().map(|state| format!("/v1/owners/{}", state.owner_id)).unwrap_or_default();
    let mut response = shown(state);
    *response.status_mut() = StatusCode::CREATED;
    let location = HeaderValue::try_from(location).map_err(anyhow::Error::new)?;
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

/// Changes an owner: what is sent takes the place of what there was.
#[utoipa::path(put, path = "/v1/owners/{owner_id}", tag = "owners", request_body = Details,
    params(("owner_id" = Uuid, Path, description = "The owner"), Precondition),
    responses(
        (status = 200, description = "The owner after the change", body = OwnerState,
            headers(("ETag" = String, description = "The version"))),
        (status = 400, description = "Not JSON", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 403, description = "It belongs to another user", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 404, description = "There is no such owner", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 412, description = "The version is another one", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 413, description = "The body is too large", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 415, description = "Not JSON by its media type", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 422, description = "These fields are wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
    ))]
async fn update(
    State(app): State<App>,
    Path(owner_id): Path<Uuid>,
    identity: Identity,
    precondition: Precondition,
    ids: RequestIds,
    Json(details): Json<Details>,
) -> ApiResult<Response> {
    let details = valid(details)?;
    let owner = app.owners.change(owner_id, |present| {
        allowed(&identity, present, &precondition)?;
        Ok(present.updated(&details).map(|next| Change::to(next).caused_by(&ids)))
    });
    Ok(shown(owner.await?.state()))
}

/// Deletes an owner. Its products go with it.
#[utoipa::path(delete, path = "/v1/owners/{owner_id}", tag = "owners",
    params(("owner_id" = Uuid, Path, description = "The owner"), Precondition),
    responses(
        (status = 204, description = "The owner is gone"),
        (status = 403, description = "It belongs to another user", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 404, description = "There is no such owner", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 412, description = "The version is another one", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
    ))]
async fn delete(
    State(app): State<App>,
    Path(owner_id): Path<Uuid>,
    identity: Identity,
    precondition: Precondition,
    ids: RequestIds,
) -> ApiResult<StatusCode> {
    let deleting = app.owners.change(owner_id, |present| {
        allowed(&identity, present, &precondition)?;
        Ok(Some(Change::to(present.deleted()).caused_by(&ids)))
    });
    deleting.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who created an owner may change it, and so may admins.
fn allowed(identity: &Identity, owner: &Owner, precondition: &Precondition) -> ApiResult<()> {
    if !identity.may_act_for(owner.created_by) {
        return Err(ApiError::forbidden("this owner belongs to another user"));
    }
    precondition.check(service::documents::Aggregate::version(owner))
}
