//! All that each call has in common, in one layer: ids, trace, span, deadline, limits, panics, log line and metrics.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Status;
use tower::{Layer, Service};
use tracing::{Instrument, Span, debug_span, info_span};

use super::body::{Answered, Asked};
use super::record::{Record, is_quiet};
use super::{LONGEST_CALL, deadline};
use crate::http::RequestIds;
use crate::http::connection::Served;
use crate::http::detach::Detach;
use crate::http::ids::REQUEST_ID;
use crate::http::observe::trace::join;

/// How many abandoned calls may still be finishing before new ones are refused.
const MAX_ABANDONED: usize = 1_000;

/// The longest name of a caller that is logged.
const LONGEST_NAME: usize = 64;

#[derive(Clone, Debug, Default)]
pub(super) struct ObserveLayer {
    /// Where abandoned calls finish when the router is not run by [`serve`](super::serve), as in tests.
    background: TaskTracker,
}

impl<S> Layer<S> for ObserveLayer {
    type Service = ObserveService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ObserveService { inner, background: self.background.clone() }
    }
}

#[derive(Clone, Debug)]
pub(super) struct ObserveService<S> {
    inner: S,
    background: TaskTracker,
}

impl<S> Service<Request> for ObserveService<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if !is_grpc(request.headers()) {
            let refused = (StatusCode::UNSUPPORTED_MEDIA_TYPE, "this port speaks gRPC\n").into_response();
            return Box::pin(async { Ok(refused) });
        }
        let ids = RequestIds::of(request.headers());
        let method = request.uri().path().trim_start_matches('/').to_owned();
        let span = span(&method, &ids, request.headers());
        let record = Record::new(method, span.clone());
        let limit = deadline::limit(request.headers());
        let served = request.extensions().get::<Served>();
        let background = served.map_or(&self.background, Served::background).clone();
        let stop = served.map_or_else(CancellationToken::new, |served| served.stop().clone());

        let mut request = request.map(|body| Body::new(Asked::new(body)));
        request.extensions_mut().insert(ids.clone());
        let handler = (background.len() < MAX_ABANDONED).then(|| self.inner.call(request));
        Box::pin(async move {
            let response = match handler {
                Some(handler) => {
                    let handler = AssertUnwindSafe(handler).catch_unwind().instrument(span);
                    match tokio::time::timeout(limit, Detach::new(handler, background)).await {
                        Ok(Ok(Ok(response))) => response,
                        Ok(Ok(Err(never))) => match never {},
                        Ok(Err(_)) => panicked().into_http(),
                        Err(_) => too_late(limit).into_http(),
                    }
                }
                None => Status::unavailable("too many calls are still being finished").into_http(),
            };
            Ok(finish(response, record, stop, &ids))
        })
    }
}

fn finish(mut response: Response, mut record: Record, stop: CancellationToken, ids: &RequestIds) -> Response {
    response.headers_mut().insert(REQUEST_ID, ids.request.clone());
    // A call that was refused has its status here, and nothing after it.
    record.finish_with(response.headers());
    response.map(|body| Body::new(Answered::new(body, record, stop)))
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

fn span(method: &str, ids: &RequestIds, headers: &HeaderMap) -> Span {
    let request_id = ids.request_id();
    if is_quiet(method) {
        return debug_span!("call", request_id);
    }
    let correlation_id = (ids.correlation != ids.request).then(|| ids.correlation_id());
    let span = info_span!(
        "call",
        request_id,
        correlation_id,
        caller = caller(headers),
        otel.name = method,
        otel.kind = "server"
    );
    join(&span, headers);
    span
}

/// Who calls, as it says.
fn caller(headers: &HeaderMap) -> Option<&str> {
    let is_name = |name: &&str| {
        name.len() <= LONGEST_NAME && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    headers.get("x-service-name")?.to_str().ok().filter(is_name)
}

fn too_late(limit: Duration) -> Status {
    Status::deadline_exceeded(format!("not answered within {} s", limit.min(LONGEST_CALL).as_secs_f64()))
}

/// The panic hook has logged it.
fn panicked() -> Status {
    Status::internal("something went wrong on our side; it has been logged")
}
