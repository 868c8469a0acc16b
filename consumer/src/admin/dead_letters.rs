//! Dead letters over HTTP: counted, looked at, redriven and thrown away.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use messaging::dead_letters::{DeadLetterError, Purge, Redrive};
use serde::Serialize;
use serde_json::Value;
use service::auth::Identity;
use service::http::{Json, Path, Problem, Query};
use service::{ApiError, ApiResult};

use super::Admin;
use super::run::{self, Ordered};
use super::shapes::{Counts, Letter, Letters, Peek, PurgeRequest, RedriveRequest, RunLine, check};
use crate::lines::LINES;

/// A broker that is away is looked for again within seconds.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// How many messages are parked beside each queue.
#[utoipa::path(get, path = "/admin/dead-letters", tag = "admin", responses(
    (status = 200, description = "Each queue with its count", body = Counts),
    (status = 403, description = "Only an admin may do this", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "RabbitMQ cannot be reached", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
pub(super) async fn list(State(admin): State<Admin>, identity: Identity) -> ApiResult<Json<Counts>> {
    admin.only_admins(&identity, "list", None, Value::Null).await?;
    let counts = admin.dead_letters.list().await.map_err(problem)?;
    Ok(Json(counts.into()))
}

/// The first dead letters of a queue, with why they were parked. They stay where they are.
#[utoipa::path(get, path = "/admin/dead-letters/{queue}", tag = "admin",
    params(("queue" = String, Path, description = "The queue that they were parked from"), Peek),
    responses(
        (status = 200, description = "The letters, the oldest first", body = Letters),
        (status = 403, description = "Only an admin may do this", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 404, description = "There is no such queue", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 422, description = "A parameter is wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "RabbitMQ cannot be reached", body = Problem, content_type = Problem::MEDIA_TYPE),
    )
)]
pub(super) async fn peek(
    State(admin): State<Admin>,
    identity: Identity,
    Path(queue): Path<String>,
    Query(peek): Query<Peek>,
) -> ApiResult<Json<Letters>> {
    admin.only_admins(&identity, "peek", Some(&queue), Value::Null).await?;
    let (filter, limit) = peek.into_parts()?;
    let letters = admin.dead_letters.peek(&queue, &filter, limit).await.map_err(problem)?;
    Ok(Json(Letters { queue, messages: letters.into_iter().map(Letter::from).collect() }))
}

/// Sends dead letters to their queue once more.
///
/// The answer is a line of JSON each second, the last one with the state `done` or `interrupted`. Whoever goes away before
/// that ends it; what is not done stays parked. It can be repeated at any time.
#[utoipa::path(post, path = "/admin/dead-letters/{queue}/redrive", tag = "admin", request_body = RedriveRequest,
    params(("queue" = String, Path, description = "The queue that they were parked from")),
    responses(
        (status = 200, description = "Its lines", body = RunLine, content_type = LINES),
        (status = 403, description = "Only an admin may do this", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 400, description = "Not JSON", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 404, description = "There is no such queue", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 413, description = "The body is too large", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 415, description = "Not JSON by its media type", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 422, description = "A field is wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "RabbitMQ or MongoDB cannot be reached", body = Problem, content_type = Problem::MEDIA_TYPE),
    )
)]
pub(super) async fn redrive(
    State(admin): State<Admin>,
    identity: Identity,
    Path(queue): Path<String>,
    Json(request): Json<RedriveRequest>,
) -> ApiResult<Response> {
    let asked = to_json(&request);
    admin.only_admins(&identity, "redrive", Some(&queue), asked.clone()).await?;
    check(&request.filter, request.limit)?;
    let RedriveRequest { filter, limit, rate, dry_run } = request;
    let by = identity.user_id.to_string();
    let ordered = Ordered::Redrive(Redrive { filter: filter.into(), limit, rate, dry_run, by });
    let audit = if dry_run { None } else { Some(admin.begin(&identity, "redrive", &queue, asked).await?) };
    run::answer(admin, queue, ordered, audit).await
}

/// Throws dead letters away, for good.
///
/// The answer is a line of JSON each second, the last one with the state `done` or `interrupted`. Whoever goes away before
/// that ends it.
#[utoipa::path(post, path = "/admin/dead-letters/{queue}/purge", tag = "admin", request_body = PurgeRequest,
    params(("queue" = String, Path, description = "The queue that they were parked from")),
    responses(
        (status = 200, description = "Its lines", body = RunLine, content_type = LINES),
        (status = 403, description = "Only an admin may do this", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 400, description = "Not JSON", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 404, description = "There is no such queue", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 413, description = "The body is too large", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 415, description = "Not JSON by its media type", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 422, description = "A field is wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "RabbitMQ or MongoDB cannot be reached", body = Problem, content_type = Problem::MEDIA_TYPE),
    )
)]
pub(super) async fn purge(
    State(admin): State<Admin>,
    identity: Identity,
    Path(queue): Path<String>,
    Json(request): Json<PurgeRequest>,
) -> ApiResult<Response> {
    let asked = to_json(&request);
    admin.only_admins(&identity, "purge", Some(&queue), asked.clone()).await?;
    check(&request.filter, request.limit)?;
    let PurgeRequest { filter, limit, dry_run } = request;
    let ordered = Ordered::Purge(Purge { filter: filter.into(), limit, dry_run });
    let audit = if dry_run { None } else { Some(admin.begin(&identity, "purge", &queue, asked).await?) };
    run::answer(admin, queue, ordered, audit).await
}

fn to_json<T: Serialize>(request: &T) -> Value {
    serde_json::to_value(request).expect("names and numbers always have a JSON form")
}

/// What dead letters that could not be got at are answered with.
pub(super) fn problem(error: DeadLetterError) -> ApiError {
    match error {
        DeadLetterError::UnknownQueue { .. } | DeadLetterError::Missing(_) => ApiError::not_found(error.to_string()),
        DeadLetterError::Connect(_) | DeadLetterError::Ended | DeadLetterError::TimedOut(_) => {
            ApiError::unavailable("RabbitMQ cannot be reached now", RETRY_AFTER).because(error)
        }
    }
}
