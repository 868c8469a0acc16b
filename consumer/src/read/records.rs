//! Student records, one at a time; lists are asked for through the producer.

use axum::extract::State;
use contracts::records::Record;
use service::http::{Json, Path, Problem};
use service::{ApiError, ApiResult};

use super::{Reads, failed};
use crate::stores::{Store, mysql};

/// One record.
#[utoipa::path(get, path = "/records/{srn}", tag = "records",
    params(("srn" = String, Path, description = "Student registration number")),
    responses(
        (status = 200, description = "The record", body = Record),
        (status = 404, description = "There is no such record", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "MariaDB/MySQL cannot be reached", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get(State(reads): State<Reads>, Path(srn): Path<String>) -> ApiResult<Json<Record>> {
    let found = reads.stores.records()?.get(&srn).await;
    let found = found.map_err(|error| failed(Store::Mysql, mysql::failure(&error)))?;
    // The table's collation takes `A` and `A ` for the same.
    let record = found.filter(|record| record.srn == srn);
    record.map(Json).ok_or_else(|| ApiError::not_found("there is no record with this SRN"))
}
