//! The texts that were sent.

use axum::extract::State;
use service::ApiResult;
use service::http::{Json, Problem, Query};

use super::{Page, Reads, failed};
use crate::stores::messages::MessagePage;
use crate::stores::{Store, mongodb};

/// A text can be long: so many of them fit into a modest amount of memory.
const MAX_LIMIT: u32 = 200;

/// Texts in the order in which they were sent.
#[utoipa::path(get, path = "/messages", tag = "messages", params(Page), responses(
    (status = 200, description = "A page of texts", body = MessagePage),
    (status = 422, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "MongoDB cannot be reached", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(State(reads): State<Reads>, Query(page): Query<Page>) -> ApiResult<Json<MessagePage>> {
    let limit = page.limit(MAX_LIMIT)?;
    let messages = reads.stores.messages()?.page(page.after, limit).await;
    messages.map(Json).map_err(|error| failed(Store::Mongodb, mongodb::failure(&error)))
}
