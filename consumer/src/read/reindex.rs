//! Building an index of the search anew.

use axum::extract::State;
use axum::response::Response;
use futures_util::stream;
use service::auth::MaybeIdentity;
use service::http::{Path, Problem};
use service::{ApiError, ApiResult};
use tokio::sync::mpsc;

use super::search::used;
use super::{Reads, failed};
use crate::lines::{self, LINES};
use crate::search::Kind;
use crate::search::reindex::{self, Progress, Truth};
use crate::stores::{Store, redis};

/// How many lines may wait for a slow reader; then copying waits.
const WAITING: usize = 16;

/// Builds an index anew and puts it in the place of the old one.
///
/// It is filled from MongoDB (users) or the products service (products), while both indexes are written to and the old one is
/// searched. The answer is a line of JSON for each step, the last one with the state `done` or `failed`. Whoever goes away
/// before that ends it, and all stays as it was.
#[utoipa::path(post, path = "/admin/reindex/{kind}", tag = "admin",
    params(("kind" = inline(Kind), Path, description = "What to index anew")),
    responses(
        (status = 200, description = "One `Progress` for each line", body = Progress, content_type = LINES),
        (status = 403, description = "Only an admin may do this", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 404, description = "There is no such kind", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 409, description = "Somebody does it already", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "The search, MongoDB or Redis cannot be reached", body = Problem, content_type = Problem::MEDIA_TYPE),
    )
)]
pub(super) async fn reindex(
    State(reads): State<Reads>,
    identity: MaybeIdentity,
    Path(kind): Path<Kind>,
) -> ApiResult<Response> {
    identity.is_admin()?;
    let search = used(&reads.stores)?;
    search.ping().await.map_err(|error| failed(Store::Search, error.failure()))?;
    let truth = match kind {
        Kind::Users => Truth::Users(reads.stores.users()?.clone()),
        Kind::Products => Truth::products(&reads.services),
    };
    let index = search.index_of(kind).clone();
    let lease = reads.stores.leases()?.take(index.alias()).await;
    let lease = lease.map_err(|error| failed(Store::Redis, redis::failure(&error)))?;
    let lease = lease.ok_or_else(|| ApiError::conflict(format!("{kind} are indexed anew already")))?;

    let (sender, mut progress) = mpsc::channel(WAITING);
    tokio::spawn(reindex::run(index, truth, lease, sender));
    Ok(lines::answer(stream::poll_fn(move |context| progress.poll_recv(context))))
}
