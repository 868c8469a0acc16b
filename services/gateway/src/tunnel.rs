//! Connections that become WebSockets: bytes are passed both ways, until one side ends, both are silent, or the gateway stops.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{CONNECTION, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use hyper_util::rt::TokioIo;
use service::http::Upgrade;
use service::{ApiError, ApiResult};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::headers;

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// How long both sides may be silent, or up to twice as long. A WebSocket that lives sends pings more often.
const SILENCE: Duration = Duration::from_secs(300);

/// Takes a client's wish for a WebSocket out of its request.
pub(crate) fn wanted(parts: Parts) -> (Parts, Option<Upgrade>) {
    if !is_wanted(&parts) {
        return (parts, None);
    }
    let mut request = Request::from_parts(parts, Body::empty());
    let upgrade = Upgrade::take(&mut request);
    (request.into_parts().0, upgrade)
}

/// No other protocol is passed on: what follows an upgrade to HTTP/2 would be requests that nobody has looked at.
fn is_wanted(parts: &Parts) -> bool {
    let headers = &parts.headers;
    let mut upgrades = headers.get_all(UPGRADE).iter();
    let is_only = upgrades.next().is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
        && upgrades.next().is_none();
    let is_upgrade = |name: &[u8]| name.trim_ascii().eq_ignore_ascii_case(b"upgrade");
    is_only
        && parts.method == Method::GET
        && parts.version == Version::HTTP_11
        && headers.get_all(CONNECTION).iter().any(|value| value.as_bytes().split(|byte| *byte == b',').any(is_upgrade))
}

/// Hop-by-hop headers are gone by now: these are for the next hop.
pub(crate) fn put_headers(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, WEBSOCKET);
}

/// Passes on the service's consent, and begins to pass bytes when the client has it.
pub(crate) fn open(mut response: Response, client: Option<Upgrade>) -> ApiResult<Response> {
    let is_websocket =
        response.headers().get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let Some(client) = client.filter(|_| is_websocket) else {
        return Err(ApiError::new(StatusCode::BAD_GATEWAY, "the service switched to a protocol that nobody asked for"));
    };
    let service = hyper::upgrade::on(&mut response);
    let (mut parts, body) = response.into_parts();
    client.run(async move |client| {
        // For as long as it is kept, the instance counts as busy.
        let _body = body;
        match service.await {
            Ok(service) => pass_both_ways(client, TokioIo::new(service)).await,
            Err(error) => tracing::debug!(%error, "the service did not switch to WebSocket after all"),
        }
    });
    headers::response(&mut parts.headers);
    put_headers(&mut parts.headers);
    Ok(Response::from_parts(parts, Body::empty()))
}

async fn pass_both_ways(client: impl AsyncRead + AsyncWrite, service: impl AsyncRead + AsyncWrite) {
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_service, mut to_service) = tokio::io::split(service);
    let is_alive = AtomicBool::new(true);
    let passing = async {
        tokio::join!(
            pass(&mut from_client, &mut to_service, &is_alive),
            pass(&mut from_service, &mut to_client, &is_alive)
        );
    };
    tokio::select! {
        () = passing => {}
        () = silent(&is_alive) => tracing::debug!("a WebSocket was silent for too long"),
    }
}

/// Passes bytes one way. When one side has ended, the other is told so, and may still finish.
async fn pass(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin), is_alive: &AtomicBool) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        is_alive.store(true, Ordering::Relaxed);
        if to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}

async fn silent(is_alive: &AtomicBool) {
    while is_alive.swap(false, Ordering::Relaxed) {
        tokio::time::sleep(SILENCE).await;
    }
}
