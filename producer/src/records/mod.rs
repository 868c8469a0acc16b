//! Student records: inserted and deleted here, read through the consumer that has them.

mod changes;
mod read;

use axum::extract::State;
use axum::response::Response;
use contracts::records::{DeleteRecord, InsertRecord, Record};
use garde::Validate;
use messaging::Outgoing;
use serde::Deserialize;
use service::ApiResult;
use service::http::{JsonOrForm, Path, Problem, Query};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use changes::RecordChange;

use crate::App;
use crate::accept::{Accepted, Wish, accept};
use crate::caller::{Caller, WriteHeaders};
use crate::valid::{self, required, valid, valid_as};

/// The routes of records.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(insert, read::list))
        .routes(routes!(insert_record))
        .routes(routes!(delete))
        .routes(routes!(delete_record))
        .routes(routes!(read::read_database))
}

/// A record as a client sends it; fields that are missing are all named at once.
#[derive(Debug, Deserialize, Validate)]
struct RecordBody {
    #[serde(rename = "SRN", alias = "srn")]
    #[garde(custom(required(valid::srn)))]
    srn: Option<String>,
    #[serde(rename = "Name", alias = "name")]
    #[garde(custom(required(valid::name)))]
    name: Option<String>,
    #[serde(rename = "Section", alias = "section")]
    #[garde(custom(required(valid::section)))]
    section: Option<String>,
}

/// What clients call a field.
fn outside(field: &str) -> &str {
    match field {
        "srn" => "SRN",
        "name" => "Name",
        "section" => "Section",
        other => other,
    }
}

/// Which record.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// The record's student registration number.
    #[serde(rename = "SRN", alias = "srn")]
    #[garde(custom(required(valid::srn)))]
    #[param(required = true, example = "PES1UG21CS001")]
    srn: Option<String>,
}

/// Inserts a record.
#[utoipa::path(post, path = "/records", tag = "records", params(WriteHeaders),
    request_body(description = "The record; lower-case names are understood as well",
        content((Record = "application/json"), (Record = "application/x-www-form-urlencoded"))),
    responses(
        (status = 202, description = "Accepted: it will be inserted", body = Accepted,
            headers(("Location" = String, description = "The task"))),
        (status = 200, description = "Ended in the time of `Prefer: wait=N`; `state` tells how", body = Accepted,
            headers(("Location" = String, description = "The task"), ("Preference-Applied" = String, description = "wait=N"))),
        (status = 400, description = "Not JSON", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 409, description = "A record with this SRN exists", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 413, description = "The body is too large", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 415, description = "Neither JSON nor a form", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 422, description = "These fields are wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
    ))]
async fn insert(
    State(app): State<App>,
    caller: Caller,
    JsonOrForm(body): JsonOrForm<RecordBody>,
) -> ApiResult<Response> {
    let RecordBody { srn, name, section } = valid_as(body, outside)?;
    let present = |field: Option<String>| field.unwrap_or_default();
    let record = Record { srn: present(srn), name: present(name), section: present(section) };
    let command = InsertRecord(record.clone());
    let wish = Wish {
        message: Outgoing::new(&command),
        subject: format!("record {}", record.srn),
        operation: "POST /records",
        request: &command,
        answer: Accepted::new("the record will be inserted").record(&record.srn),
        change: RecordChange::Insert(record),
    };
    accept(&app, &app.records, caller, wish).await
}

/// The same as `POST /records`.
#[utoipa::path(post, path = "/insert_record", tag = "records", params(WriteHeaders),
    request_body(content((Record = "application/json"), (Record = "application/x-www-form-urlencoded"))),
    responses(
        (status = 202, description = "Accepted: it will be inserted", body = Accepted),
        (status = 200, description = "Ended in the time of `Prefer: wait=N`; `state` tells how", body = Accepted,
            headers(("Location" = String, description = "The task"), ("Preference-Applied" = String, description = "wait=N"))),
        (status = 400, description = "Not JSON", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 409, description = "A record with this SRN exists", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 413, description = "The body is too large", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 415, description = "Neither JSON nor a form", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 422, description = "These fields are wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
    ))]
async fn insert_record(app: State<App>, caller: Caller, body: JsonOrForm<RecordBody>) -> ApiResult<Response> {
    insert(app, caller, body).await
}

/// Deletes a record.
#[utoipa::path(delete, path = "/records/{srn}", tag = "records", params(("srn" = String, Path), WriteHeaders), responses(
    (status = 202, description = "Accepted: it will be deleted", body = Accepted,
        headers(("Location" = String, description = "The task"))),
    (status = 200, description = "Ended in the time of `Prefer: wait=N`; `state` tells how", body = Accepted,
        headers(("Location" = String, description = "The task"), ("Preference-Applied" = String, description = "wait=N"))),
    (status = 404, description = "There is no such record", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 422, description = "The SRN is wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
async fn delete(State(app): State<App>, caller: Caller, Path(srn): Path<String>) -> ApiResult<Response> {
    let srn = valid(Which { srn: Some(srn) })?.srn.unwrap_or_default();
    let command = DeleteRecord { srn };
    let wish = Wish {
        message: Outgoing::new(&command),
        subject: format!("record {}", command.srn),
        operation: "DELETE /records/{srn}",
        request: &command,
        answer: Accepted::new("the record will be deleted").record(&command.srn),
        change: RecordChange::Delete { srn: command.srn.clone() },
    };
    accept(&app, &app.records, caller, wish).await
}

/// The same as `DELETE /records/{srn}`.
#[utoipa::path(get, path = "/delete_record", tag = "records", params(Which, WriteHeaders), responses(
    (status = 202, description = "Accepted: it will be deleted", body = Accepted),
    (status = 200, description = "Ended in the time of `Prefer: wait=N`; `state` tells how", body = Accepted,
        headers(("Location" = String, description = "The task"), ("Preference-Applied" = String, description = "wait=N"))),
    (status = 404, description = "There is no such record", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 422, description = "The SRN is wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
async fn delete_record(app: State<App>, caller: Caller, Query(which): Query<Which>) -> ApiResult<Response> {
    delete(app, caller, Path(valid_as(which, outside)?.srn.unwrap_or_default())).await
}
