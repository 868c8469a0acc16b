//! A task's changes as they happen: Server-Sent Events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt, stream};
use service::auth::MaybeIdentity;
use service::http::{Path, Problem, Stopping, StreamEvent};
use service::{ApiError, ApiResult};
use tokio::sync::watch;
use uuid::Uuid;

use super::routes::find;
use super::{Task, TaskView};
use crate::App;

/// Proxies cut off a connection that is silent for longer, often after a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A task's changes, until it has ended.
#[utoipa::path(get, path = "/tasks/{id}/events", tag = "tasks", params(("id" = Uuid, Path, description = "The task")),
    responses(
        (status = 200, description = "Events of type `task`, each with the whole task: first as it is, then after each \
            change; the stream ends after the last one", body = StreamEvent, content_type = "text/event-stream"),
        (status = 403, description = "The task is not the user's own", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 404, description = "There is no such task", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Too many follow tasks", body = Problem, content_type = Problem::MEDIA_TYPE),
    ))]
pub(super) async fn events(
    State(app): State<App>,
    identity: MaybeIdentity,
    Path(id): Path<Uuid>,
    Stopping(stop): Stopping,
) -> ApiResult<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    // Followed before it is read: what changes in between comes twice instead of never.
    let changes = app
        .watch
        .follow(id)
        .ok_or_else(|| ApiError::unavailable("too many tasks are followed", Duration::from_secs(5)))?;
    let task = find(&app, &identity, id).await?;
    let changes = stream::unfold(Following { changes, task, told: false }, next).enumerate();
    let events = changes.map(|(number, task)| Ok(event(number, task))).take_until(stop.cancelled_owned());
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

struct Following {
    changes: watch::Receiver<Option<Task>>,
    task: Task,
    told: bool,
}

/// The task as it was found, then as it is after each change.
async fn next(mut following: Following) -> Option<(Task, Following)> {
    let Following { changes, task, told } = &mut following;
    if *told {
        if task.has_ended() {
            return None;
        }
        let changed = changes.wait_for(|now| now.as_ref().is_some_and(|now| now != task)).await.ok()?.clone()?;
        *task = changed;
    }
    *told = true;
    Some((task.clone(), following))
}

fn event(number: usize, task: Task) -> Event {
    let event = Event::default().event("task").id(number.to_string());
    event.json_data(TaskView::from(task)).unwrap_or_else(|_| Event::default().comment("not representable"))
}
