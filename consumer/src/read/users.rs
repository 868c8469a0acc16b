//! Users: a single one from the cache if it is there, lists from MongoDB.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use service::auth::MaybeIdentity;
use service::http::{Json, Path, Problem, Query};
use service::{ApiError, ApiResult};
use tokio::time::timeout;
use uuid::Uuid;

use super::{Page, Reads, failed};
use crate::stores::profiles::{Lookup, Profiles};
use crate::stores::users::{User, UserPage};
use crate::stores::{Store, mongodb};

const MAX_LIMIT: u32 = 1000;

/// A cache that takes longer than the store behind it is of no use.
const CACHE_LIMIT: Duration = Duration::from_millis(500);

/// Users in the order of their ids.
#[utoipa::path(get, path = "/users", tag = "users", params(Page), responses(
    (status = 200, description = "A page of users", body = UserPage),
    (status = 403, description = "Only an admin may see all", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "MongoDB cannot be reached", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(reads): State<Reads>,
    identity: MaybeIdentity,
    Query(page): Query<Page>,
) -> ApiResult<Json<UserPage>> {
    identity.is_admin()?;
    let limit = page.limit(MAX_LIMIT)?;
    let users = reads.stores.users()?.page(page.after, limit).await;
    users.map(Json).map_err(|error| failed(Store::Mongodb, mongodb::failure(&error)))
}

/// One user.
#[utoipa::path(get, path = "/users/{id}", tag = "users", params(("id" = Uuid, Path, description = "The user's id")),
    responses(
        (status = 200, description = "The user", body = User,
            headers(("X-Cache" = String, description = "`hit` if Redis had it, `miss` if it was read from MongoDB"))),
        (status = 403, description = "It is another user", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such user", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "MongoDB cannot be reached", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get(
    State(reads): State<Reads>,
    identity: MaybeIdentity,
    Path(id): Path<Uuid>,
) -> ApiResult<Response> {
    identity.may_act_for(id)?;
    let cache = reads.stores.profiles().ok();
    match cached(cache, id).await {
        Lookup::Hit(user) => return Ok(([("x-cache", "hit")], Json(user)).into_response()),
        Lookup::Deleted => return Err(not_found()),
        Lookup::Miss => {}
    }
    let found = reads.stores.users()?.get(id).await;
    let found = found.map_err(|error| failed(Store::Mongodb, mongodb::failure(&error)))?;
    let user = found.ok_or_else(not_found)?;
    refill(cache, &user).await;
    Ok(([("x-cache", "miss")], Json(user)).into_response())
}

fn not_found() -> ApiError {
    ApiError::not_found("there is no user with this id")
}

/// A cache that is down or slow knows nothing.
async fn cached(cache: Option<&Profiles>, id: Uuid) -> Lookup {
    let Some(cache) = cache else { return Lookup::Miss };
    match timeout(CACHE_LIMIT, cache.get(id)).await {
        Ok(Ok(lookup)) => lookup,
        Ok(Err(error)) => {
            tracing::debug!(%error, "the cache cannot be asked");
            Lookup::Miss
        }
        Err(_) => Lookup::Miss,
    }
}

async fn refill(cache: Option<&Profiles>, user: &User) {
    let Some(cache) = cache else { return };
    if let Ok(Err(failure)) = timeout(CACHE_LIMIT, cache.refill(user)).await {
        tracing::debug!(%failure, "the cache cannot be refilled");
    }
}
