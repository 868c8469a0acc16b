//! Reading owners.

use axum::extract::State;
use axum::http::header::ETAG;
use axum::response::{IntoResponse, Response};
use bson::Document;
use contracts::owners::OwnerState;
use serde::Serialize;
use service::ApiResult;
use service::http::{Json, Page, Path, Problem, Query, etag};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::App;
use crate::owner::Owner;

pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

/// A page of owners.
#[derive(Debug, Serialize, ToSchema)]
struct Owners {
    /// The owners, in the order of their creation.
    owners: Vec<OwnerState>,
    /// What to ask the next page with, as `after`; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Uuid>,
}

/// Owners in the order of their creation.
#[utoipa::path(get, path = "/v1/owners", tag = "owners", params(Page), responses(
    (status = 200, description = "A page of owners", body = Owners),
    (status = 422, description = "A parameter is wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
async fn list(State(app): State<App>, Query(page): Query<Page>) -> ApiResult<Json<Owners>> {
    let (owners, next) = app.owners.page(Document::new(), page.after, page.limit()?).await?;
    Ok(Json(Owners { owners: owners.iter().filter_map(Owner::state).collect(), next }))
}

/// One owner.
#[utoipa::path(get, path = "/v1/owners/{owner_id}", tag = "owners",
    params(("owner_id" = Uuid, Path, description = "The owner")),
    responses(
        (status = 200, description = "The owner", body = OwnerState,
            headers(("ETag" = String, description = "The version, for `If-Match`"))),
        (status = 404, description = "There is no such owner", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
    ))]
async fn get(State(app): State<App>, Path(owner_id): Path<Uuid>) -> ApiResult<Response> {
    Ok(shown(app.owners.get(owner_id).await?.state()))
}

/// An owner's state, with its version.
pub(crate) fn shown(state: Option<OwnerState>) -> Response {
    match state {
        Some(state) => ([(ETAG, etag(state.version))], Json(state)).into_response(),
        None => service::ApiError::not_found("the owner was deleted").into_response(),
    }
}
