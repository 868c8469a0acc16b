//! Tasks over HTTP.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use service::auth::MaybeIdentity;
use service::http::{Json, Limit, Path, Problem, Query};
use service::{ApiError, ApiResult};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Task, TaskState, TaskView, events, store};
use crate::App;
use crate::database;

/// The routes of tasks.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(one)).routes(routes!(events::events))
}

/// Which tasks.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only tasks in this state.
    state: Option<TaskState>,
    /// How many at most: 1 to 1,000.
    #[param(default = 100, minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// The `next` of the page before.
    after: Option<Uuid>,
}

/// A page of tasks.
#[derive(Debug, Serialize, ToSchema)]
struct TaskPage {
    /// The tasks, the newest first.
    tasks: Vec<TaskView>,
    /// What to ask the next page with, as `after`; null on the last one.
    next: Option<Uuid>,
}

/// Tasks, the newest first; a user who is no admin sees only their own.
#[utoipa::path(get, path = "/tasks", tag = "tasks", params(Filter), responses(
    (status = 200, description = "A page of tasks", body = TaskPage),
    (status = 422, description = "A parameter is wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
async fn list(
    State(app): State<App>,
    identity: MaybeIdentity,
    Query(filter): Query<Filter>,
) -> ApiResult<Json<TaskPage>> {
    let limit = Limit::of(filter.limit)?;
    let Filter { state, after, .. } = filter;
    let found = match identity.only() {
        Some(owner) => store::page_of(&app.reads, owner, state, after, limit.with_one_more()).await,
        None => store::page(&app.reads, state, after, limit.with_one_more()).await,
    };
    let mut tasks = found.map_err(database::failed)?;
    let next = limit.cut(&mut tasks).map(|task| task.id);
    Ok(Json(TaskPage { tasks: tasks.into_iter().map(TaskView::from).collect(), next }))
}

/// Where a task is.
#[utoipa::path(get, path = "/tasks/{id}", tag = "tasks", params(("id" = Uuid, Path, description = "The task")),
    responses(
        (status = 200, description = "The task", body = TaskView),
        (status = 403, description = "The task is not the user's own", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 404, description = "There is no such task", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
    ))]
async fn one(State(app): State<App>, identity: MaybeIdentity, Path(id): Path<Uuid>) -> ApiResult<Json<TaskView>> {
    Ok(Json(find(&app, &identity, id).await?.into()))
}

/// The task with this id, or 404, or 403 if it is somebody else's.
pub(super) async fn find(app: &App, identity: &MaybeIdentity, id: Uuid) -> ApiResult<Task> {
    let found = store::find(&app.reads, &[id]).await.map_err(database::failed)?;
    let task = found.into_iter().next().ok_or_else(|| ApiError::not_found("there is no task with this id"))?;
    // What nobody owns is an admin's.
    identity.may_act_for(task.owner_id.unwrap_or_default())?;
    Ok(task)
}
