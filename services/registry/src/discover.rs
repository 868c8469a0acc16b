//! Who runs, now.

use std::collections::BTreeMap;

use axum::extract::State;
use contracts::registry::{Discovered, Services};
use service::ApiResult;
use service::http::{Json, Path, Problem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::{App, valid};

pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(discover)).routes(routes!(services))
}

/// The healthy instances of a service; none if it is not known.
#[utoipa::path(get, path = "/discover/{service}", tag = "discovery",
    params(("service" = String, Path, description = "The service", example = "producer", pattern = "^[a-z0-9._-]{1,64}$")),
    responses(
        (status = 200, description = "Its healthy instances", body = Discovered),
        (status = 422, description = "This cannot be a service", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
    ))]
async fn discover(State(app): State<App>, Path(service): Path<String>) -> ApiResult<Json<Discovered>> {
    valid::service(&service)?;
    let (_, instances) = app.store.healthy(&service).await?;
    Ok(Json(Discovered { service, instances }))
}

/// Every service and all its instances, healthy or not.
#[utoipa::path(get, path = "/services", tag = "discovery", responses(
    (status = 200, description = "All of them", body = Services),
    (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
async fn services(State(app): State<App>) -> ApiResult<Json<Services>> {
    let mut services = BTreeMap::new();
    for service in app.store.revisions().await?.services.into_keys() {
        let (_, instances) = app.store.instances(&service).await?;
        // None if the last of them left just now.
        if !instances.is_empty() {
            services.insert(service, instances);
        }
    }
    Ok(Json(Services { services }))
}
