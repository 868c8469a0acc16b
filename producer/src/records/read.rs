//! Records read by request and reply: the consumer that has them answers page by page.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::{BufMut, Bytes, BytesMut};
use contracts::records::{ReadDatabase, RecordPage};
use futures_util::stream;
use garde::Validate;
use serde::Deserialize;
use service::ApiResult;
use service::http::{Json, Limit, Problem, Query};
use utoipa::IntoParams;

use crate::App;
use crate::ask::ask;
use crate::valid::valid;

/// How long a page may take.
const WITHIN: Duration = Duration::from_secs(5);
const NDJSON: &str = "application/x-ndjson";

/// Which page.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// How many at most: 1 to 1,000.
    #[garde(skip)]
    #[param(default = 100, minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// The SRN to go on after: the `next` of the page before.
    #[garde(length(chars, max = 255))]
    after: Option<String>,
}

/// A page of records in the order of their SRNs, or with `Accept: application/x-ndjson` all of them, one a line.
#[utoipa::path(get, path = "/records", tag = "records", params(Page), responses(
    (status = 200, description = "The records; a stream that breaks off has failed", content(
        (RecordPage = "application/json"),
        (String = "application/x-ndjson"))),
    (status = 422, description = "A parameter is wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 502, description = "The consumer could not answer", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "The broker is not reachable, or not able to ask now", body = Problem,
        content_type = Problem::MEDIA_TYPE),
    (status = 504, description = "No consumer answered in time", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
pub(super) async fn list(State(app): State<App>, headers: HeaderMap, Query(page): Query<Page>) -> ApiResult<Response> {
    let limit = Limit::of(page.limit)?;
    let Page { after, .. } = valid(page)?;
    if wants_ndjson(&headers) {
        all(app, after).await
    } else {
        Ok(Json(read(&app, after, limit.get()).await?).into_response())
    }
}

/// The same as `GET /records`.
#[utoipa::path(get, path = "/read_database", tag = "records", params(Page), responses(
    (status = 200, description = "The records", content((RecordPage = "application/json"), (String = "application/x-ndjson"))),
    (status = 422, description = "A parameter is wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "The broker is not reachable", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 504, description = "No consumer answered in time", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
pub(super) async fn read_database(app: State<App>, headers: HeaderMap, page: Query<Page>) -> ApiResult<Response> {
    list(app, headers, page).await
}

async fn read(app: &App, after: Option<String>, limit: u32) -> ApiResult<RecordPage> {
    ask(&app.requester, &ReadDatabase { after, limit: Some(limit) }, WITHIN).await
}

fn wants_ndjson(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(NDJSON)))
}

/// Streams all records. The next page is asked for when the client has taken the one before, so memory stays flat; an
/// error in the middle breaks the body off, which no client takes for its end.
async fn all(app: App, after: Option<String>) -> ApiResult<Response> {
    // The first page is read before the answer begins, so that an error still has a status.
    let first = read(&app, after, Limit::LARGEST).await?;
    let pages = stream::try_unfold(Some(first), move |page| {
        let app = app.clone();
        async move {
            let Some(page) = page else { return Ok(None) };
            let lines = lines(&page).map_err(|error| broken(&error))?;
            let next = match page.next {
                Some(after) => Some(read(&app, Some(after), Limit::LARGEST).await.map_err(|error| broken(&error))?),
                None => None,
            };
            Ok::<_, std::io::Error>(Some((lines, next)))
        }
    });
    let kind = HeaderValue::from_static(NDJSON);
    Ok(([(header::CONTENT_TYPE, kind)], Body::from_stream(pages)).into_response())
}

fn lines(page: &RecordPage) -> serde_json::Result<Bytes> {
    let mut lines = BytesMut::with_capacity(page.records.len() * 96).writer();
    for record in &page.records {
        serde_json::to_writer(&mut lines, record)?;
        lines.get_mut().put_u8(b'\n');
    }
    Ok(lines.into_inner().freeze())
}

fn broken(error: &dyn std::fmt::Display) -> std::io::Error {
    tracing::warn!(%error, "a stream of records breaks off");
    std::io::Error::other("the next page could not be read")
}
