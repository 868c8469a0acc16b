//! What only admins do to aggregates.

use std::fmt;
use std::sync::Arc;

use axum::extract::{FromRef, State};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Aggregate, Documents, ReplayFrom, ReplayReport};
use crate::ApiResult;
use crate::auth::Identity;
use crate::http::{Json, Problem, Query};

type Replaying = BoxFuture<'static, ApiResult<ReplayReport>>;

/// Sends the events of one service's aggregates again, whatever they are.
#[derive(Clone)]
pub struct Replayer(Arc<dyn Fn(ReplayFrom) -> Replaying + Send + Sync>);

impl<T: Aggregate> From<Documents<T>> for Replayer {
    fn from(documents: Documents<T>) -> Self {
        Self(Arc::new(move |from| {
            let documents = documents.clone();
            async move { documents.replay(from).await }.boxed()
        }))
    }
}

impl fmt::Debug for Replayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Replayer").finish()
    }
}

/// `POST /admin/replay`, for routes that need a token.
pub fn admin_router<S>() -> OpenApiRouter<S>
where
    Replayer: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    OpenApiRouter::new().routes(routes!(replay))
}

/// Sends the event of everything's present state again, as many as there is time for.
///
/// For a broker that was wiped, or a service that has lost what it knew. Receivers know by the versions what is new to them.
#[utoipa::path(post, path = "/admin/replay", tag = "admin", params(ReplayFrom), responses(
    (status = 200, description = "What was sent, and where to go on", body = ReplayReport),
    (status = 403, description = "Only an admin may do this", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 422, description = "A parameter is wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
async fn replay(
    State(Replayer(replay)): State<Replayer>,
    identity: Identity,
    Query(from): Query<ReplayFrom>,
) -> ApiResult<Json<ReplayReport>> {
    identity.must_be_admin()?;
    replay(from).await.map(Json)
}
