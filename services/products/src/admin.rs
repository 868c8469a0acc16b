//! What only admins do.

use axum::extract::State;
use service::ApiResult;
use service::auth::Identity;
use service::documents::{ReplayFrom, ReplayReport};
use service::http::{Json, Problem, Query};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;

pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(replay))
}

/// Sends the event of every product's present state again, as many as there is time for.
///
/// For a broker that was wiped, or a service that has lost what it knew. Receivers know by the versions what is new to them.
#[utoipa::path(post, path = "/admin/replay", tag = "admin", params(ReplayFrom), responses(
    (status = 200, description = "What was sent, and where to go on", body = ReplayReport),
    (status = 403, description = "Only an admin may do this", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 422, description = "A parameter is wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
async fn replay(
    State(app): State<App>,
    identity: Identity,
    Query(from): Query<ReplayFrom>,
) -> ApiResult<Json<ReplayReport>> {
    identity.must_be_admin()?;
    app.products.replay(from).await.map(Json)
}
