//! The healthy instances of services as they change: Server-Sent Events.

mod follow;
mod listen;
mod view;
mod watching;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt, stream};
use service::http::{FieldError, Problem, Stopping, StreamEvent};
use service::{ApiError, ApiResult};
use url::form_urlencoded;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use follow::follow;
pub(crate) use listen::listen;
pub(crate) use view::View;

use crate::{App, valid};
use view::Announced;
use watching::Watching;

/// Shorter than whatever stands between may wait for a sign of life.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The most services that one watcher can name.
const MOST_NAMES: usize = 100;

/// Whoever cannot watch now may ask again after this.
const RETRY_AFTER: Duration = Duration::from_secs(2);

pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(watch))
}

/// Services as they change, until the client leaves.
#[utoipa::path(get, path = "/watch", tag = "discovery",
    params(("service" = Option<Vec<String>>, Query, description = "Only these services, once for each; all if none")),
    responses(
        (status = 200, description = "Events of type `instances`, each with all healthy instances of a service, as from \
            `/discover/{service}`: first as they are, then after each change", body = StreamEvent,
            content_type = "text/event-stream"),
        (status = 422, description = "A parameter is wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Too many watch, or the store does not answer", body = Problem,
            content_type = Problem::MEDIA_TYPE),
    ))]
async fn watch(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    Stopping(stop): Stopping,
) -> ApiResult<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let wanted = wanted(query.as_deref().unwrap_or_default())?;
    if let Err(reason) = app.view.is_current() {
        return Err(ApiError::unavailable(reason, RETRY_AFTER));
    }
    let place = app.view.place().ok_or_else(|| ApiError::unavailable("too many watch services", RETRY_AFTER))?;
    let watching = Watching::new(app.view.follow(), wanted);
    let events = stream::unfold((watching, place), |(mut watching, place)| async move {
        let announced = watching.next().await?;
        Some((Ok(event(&announced)), (watching, place)))
    });
    Ok(Sse::new(events.take_until(stop.cancelled_owned())).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn event(announced: &Announced) -> Event {
    Event::default().event("instances").id(announced.revision.to_string()).data(&announced.json)
}

/// The services named, or `None` for all.
fn wanted(query: &str) -> ApiResult<Option<BTreeSet<String>>> {
    let named = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "service");
    let named: BTreeSet<String> = named.map(|(_, value)| value.into_owned()).collect();
    if named.len() > MOST_NAMES {
        let error = FieldError::new("service", format!("must be given at most {MOST_NAMES} times"));
        return Err(ApiError::unprocessable([error]));
    }
    for service in &named {
        valid::service(service)?;
    }
    Ok((!named.is_empty()).then_some(named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_named_once_for_each() {
        let names = |query| wanted(query).unwrap().map(|names| names.into_iter().collect::<Vec<_>>());
        assert_eq!(names(""), None);
        assert_eq!(names("other=1"), None);
        assert_eq!(names("service=b&x=1&service=a%2db&service=b"), Some(vec!["a-b".into(), "b".into()]));
        let many: Vec<String> = (0..=MOST_NAMES).map(|number| format!("service={number}")).collect();
        for wrong in ["service=", "service=A", "service=a,b", &many.join("&")] {
            assert_eq!(wanted(wrong).unwrap_err().status(), 422, "{wrong}");
        }
    }
}
