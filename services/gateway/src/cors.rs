//! Which web sites may call from a browser (CORS).

use std::time::Duration;

use axum::Router;
use http::Method;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH, LOCATION, RETRY_AFTER,
};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::config::Origins;
use crate::timing::RESPONSE_TIME;

/// How long a browser remembers what is allowed.
const MAX_AGE: Duration = Duration::from_secs(600);

/// Lets these web sites call. Without any, a browser is told nothing and lets nobody.
pub(crate) fn allowed(router: Router, origins: Origins) -> Router {
    let origins = match origins {
        Origins::Any => AllowOrigin::any(),
        Origins::These(origins) if origins.is_empty() => return router,
        Origins::These(origins) => AllowOrigin::list(origins),
    };
    let layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(
            [ACCEPT, AUTHORIZATION, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH]
                .into_iter()
                .chain(
                    ["idempotency-key", "last-event-id", "prefer", "x-correlation-id", "x-request-id"]
                        .map(HeaderName::from_static),
                )
                .collect::<Vec<_>>(),
        )
        .expose_headers(
            [ETAG, LOCATION, RETRY_AFTER, RESPONSE_TIME]
                .into_iter()
                .chain(
                    [
                        "ratelimit-limit",
                        "ratelimit-policy",
                        "ratelimit-remaining",
                        "ratelimit-reset",
                        "x-correlation-id",
                        "x-request-id",
                    ]
                    .map(HeaderName::from_static),
                )
                .collect::<Vec<_>>(),
        )
        .max_age(MAX_AGE);
    router.layer(layer)
}
