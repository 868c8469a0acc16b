//! Whether a request is let in: how many its client has sent, and whose it is. Its body is not touched before.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use service::auth::{Identity, missing_token};
use service::http::Access;
use service::{ApiError, ApiResult};

use crate::app::App;
use crate::limit::Standing;
use crate::peer::Peer;
use crate::routes::Token;

/// What is known of a request that was let in.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) peer: Peer,
    pub(crate) identity: Option<Identity>,
}

/// Lets a request in, and answers it with what `then` answers. Every answer tells the client how it stands.
pub(crate) async fn admit<F>(
    app: &App,
    token: Token,
    request: Request,
    then: impl FnOnce(Parts, Body, Admitted) -> F,
) -> Response
where
    F: Future<Output = ApiResult<Response>>,
{
    let (parts, body) = request.into_parts();
    let peer = peer(app, &parts);
    let access = parts.extensions.get::<Access>().cloned();
    if let Some(access) = &access {
        access.client(peer.client);
        access.path(&parts.uri);
    }
    // Both may ask Redis, so they do it at the same time; who is known to be over the limit costs no question at all.
    let counted = async {
        let Some(limiter) = &app.limiter else { return Ok(None) };
        let standing = limiter.count(peer.counted()).await;
        if standing.is_allowed { Ok(Some(standing)) } else { Err(standing) }
    };
    let identity = async {
        // An old token that is sent along must not keep a client from a new one.
        if token == Token::Never { Ok(Ok(None)) } else { Ok(app.verifier.identity(&parts.headers).await) }
    };
    let (standing, answer) = match tokio::try_join!(counted, identity) {
        Err(standing) => (Some(standing), Ok(too_many(&standing))),
        Ok((standing, identity)) => {
            let admitted = identity.and_then(|identity| checked(token, &parts, identity));
            let answer = match admitted {
                Ok(identity) => {
                    if let (Some(access), Some(identity)) = (access, &identity) {
                        access.user_id(identity.user_id);
                    }
                    then(parts, body, Admitted { peer, identity }).await
                }
                Err(refused) => Err(refused),
            };
            (standing, answer)
        }
    };
    let mut response = answer.unwrap_or_else(IntoResponse::into_response);
    if let (Some(limiter), Some(standing)) = (&app.limiter, standing) {
        limiter.headers().put(response.headers_mut(), &standing);
    }
    response
}

fn peer(app: &App, parts: &Parts) -> Peer {
    let address = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let address = address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(address)| address.ip());
    Peer::new(address, &parts.headers, &app.trusted_proxies)
}

fn checked(token: Token, parts: &Parts, identity: Option<Identity>) -> ApiResult<Option<Identity>> {
    if identity.is_none() && token.is_needed(&parts.method) {
        return Err(missing_token());
    }
    Ok(identity)
}

fn too_many(standing: &Standing) -> Response {
    metrics::counter!("rate_limit_refused_total").increment(1);
    let mut response =
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, "this client has sent too many requests").into_response();
    let seconds = crate::limit::whole_seconds(standing.reset).max(1);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}
