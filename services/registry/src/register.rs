//! Instances that come, stay and leave.

use std::net::SocketAddr;

use axum::Extension;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use contracts::registry::{Instance, InstanceRef, Register};
use service::http::{Json, Problem, Routine};
use service::{ApiError, ApiResult};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::store::IfThere;
use crate::token::Authorized;
use crate::{App, valid};

pub(crate) fn router() -> OpenApiRouter<App> {
    let registering = OpenApiRouter::new().routes(routes!(register)).layer(from_fn(log_refusal));
    registering.merge(OpenApiRouter::new().routes(routes!(heartbeat)).routes(routes!(deregister)))
}

/// Says who was refused and why: it runs and is not found. Of fields only the names, as a value may be a secret.
async fn log_refusal(request: Request, next: Next) -> Response {
    let client = request.extensions().get().map(|ConnectInfo(client): &ConnectInfo<SocketAddr>| *client);
    let response = next.run(request).await;
    let status = response.status();
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::UNPROCESSABLE_ENTITY)
        && let Some(problem) = response.extensions().get::<Problem>()
    {
        let fields: Vec<&str> = problem.errors.iter().map(|error| error.field.as_str()).collect();
        let (client, fields) = (client.map(|client| client.ip().to_string()), fields.join(","));
        let (status, reason) = (status.as_u16(), problem.detail.as_deref());
        tracing::warn!(client, status, reason, fields, "an instance was refused");
    }
    response
}

/// An instance is there. The same id again takes the place of the one before.
#[utoipa::path(post, path = "/register", tag = "instances", security(("registry_token" = [])), request_body = Register,
    responses(
        (status = 200, description = "The instance as callers get it, with its address", body = Instance),
        (status = 400, description = "The body is not JSON", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 401, description = "No token", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 403, description = "A wrong token, or an address outside of the allowed networks", body = Problem,
            content_type = Problem::MEDIA_TYPE),
        (status = 409, description = "There are too many already", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 413, description = "The body is too large", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 415, description = "The body is not said to be JSON", body = Problem,
            content_type = Problem::MEDIA_TYPE),
        (status = 422, description = "A field is wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
    ))]
async fn register(
    State(app): State<App>,
    _: Authorized,
    Json(Register { service, mut instance }): Json<Register>,
) -> ApiResult<Json<Instance>> {
    valid::instance(&service, &instance)?;
    instance.host = app.addresses.check(&instance.host).await?.to_string();
    app.store.register(&service, &instance, IfThere::Replace).await?;
    tracing::info!(service, id = instance.id, host = instance.host, port = instance.port, "an instance registered");
    Ok(Json(instance))
}

/// An instance is still there.
#[utoipa::path(post, path = "/heartbeat", tag = "instances", security(("registry_token" = [])), request_body = InstanceRef,
    responses(
        (status = 204, description = "It counts as healthy"),
        (status = 400, description = "The body is not JSON", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 401, description = "No token", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 403, description = "A wrong token", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 404, description = "It is not known: it must register again", body = Problem,
            content_type = Problem::MEDIA_TYPE),
        (status = 413, description = "The body is too large", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 415, description = "The body is not said to be JSON", body = Problem,
            content_type = Problem::MEDIA_TYPE),
        (status = 422, description = "A field is wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
    ))]
async fn heartbeat(
    State(app): State<App>,
    _: Authorized,
    Json(InstanceRef { service, instance_id }): Json<InstanceRef>,
) -> ApiResult<(StatusCode, Extension<Routine>)> {
    valid::reference(&service, &instance_id)?;
    if app.store.heartbeat(&service, &instance_id).await? {
        // Most of what is asked here.
        Ok((StatusCode::NO_CONTENT, Extension(Routine)))
    } else {
        Err(ApiError::not_found("this instance is not known: register again"))
    }
}

/// An instance leaves.
#[utoipa::path(post, path = "/deregister", tag = "instances", security(("registry_token" = [])), request_body = InstanceRef,
    responses(
        (status = 204, description = "It is not there, or no longer"),
        (status = 400, description = "The body is not JSON", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 401, description = "No token", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 403, description = "A wrong token", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 413, description = "The body is too large", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 415, description = "The body is not said to be JSON", body = Problem,
            content_type = Problem::MEDIA_TYPE),
        (status = 422, description = "A field is wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
    ))]
async fn deregister(
    State(app): State<App>,
    _: Authorized,
    Json(InstanceRef { service, instance_id }): Json<InstanceRef>,
) -> ApiResult<StatusCode> {
    valid::reference(&service, &instance_id)?;
    if app.store.deregister(&service, &instance_id).await? {
        tracing::info!(service, id = instance_id, "an instance left");
    }
    Ok(StatusCode::NO_CONTENT)
}
