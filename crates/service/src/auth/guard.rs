//! Lets in who has a valid token and, in development, who has none.

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};

use super::identity::missing_token;
use super::verifier::Verifier;

/// Guards a program's own routes. Health, metrics and documents are added later and stay open, and so do routes that give
/// tokens: an old one that a client sends along must not keep it from getting a new one.
///
/// A token that is not valid is answered with 401. None at all is too in production.
pub fn guard(router: Router, verifier: Verifier) -> Router {
    router.layer(from_fn_with_state(verifier, check))
}

async fn check(State(verifier): State<Verifier>, mut request: Request, next: Next) -> Response {
    match verifier.identity(request.headers()).await {
        Ok(Some(identity)) => {
            request.extensions_mut().insert(identity);
        }
        Ok(None) if verifier.is_strict() => return missing_token().into_response(),
        Ok(None) => {}
        Err(refused) => return refused.into_response(),
    }
    next.run(request).await
}
