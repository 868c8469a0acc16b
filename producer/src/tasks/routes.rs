//! Tasks over HTTP.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use service::ApiError;
use service::ApiResult;
use service::http::{Json, Path, Problem, Query};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Task, TaskState, TaskView, events, store};
use crate::App;
use crate::page::{self, database};

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

/// Tasks, the newest first.
#[utoipa::path(get, path = "/tasks", tag = "tasks", params(Filter), responses(
    (status = 200, description = "A page of tasks", body = TaskPage),
    (status = 422, description = "A parameter is wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
async fn list(State(app): State<App>, Query(filter): Query<Filter>) -> ApiResult<Json<TaskPage>> {
    let limit = page::limit(filter.limit)?;
    let mut tasks =
        store::page(&app.reads, filter.state, filter.after, limit.with_one_more()).await.map_err(database)?;
    let next = limit.cut(&mut tasks).map(|task| task.id);
    Ok(Json(TaskPage { tasks: tasks.into_iter().map(TaskView::from).collect(), next }))
}

/// Where a task is.
#[utoipa::path(get, path = "/tasks/{id}", tag = "tasks", params(("id" = Uuid, Path, description = "The task")),
    responses(
        (status = 200, description = "The task", body = TaskView),
        (status = 404, description = "There is no such task", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
    ))]
async fn one(State(app): State<App>, Path(id): Path<Uuid>) -> ApiResult<Json<TaskView>> {
    Ok(Json(find(&app, id).await?.into()))
}

/// The task with this id, or 404.
pub(super) async fn find(app: &App, id: Uuid) -> ApiResult<Task> {
    let found = store::find(&app.reads, &[id]).await.map_err(database)?;
    found.into_iter().next().ok_or_else(|| ApiError::not_found("there is no task with this id"))
}
