//! All that each request has in common, in one layer: ids, trace, span, limits, panics, log line and metrics.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::{MatchedPath, Request};
use axum::http::{StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either};
use tokio_util::task::TaskTracker;
use tower::{Layer, Service};
use tracing::Instrument;

use super::access::{Access, Routine};
use super::connection::Served;
use super::detach::Detach;
use super::error::ApiError;
use super::ids::{CORRELATION_ID, REQUEST_ID, RequestIds};
use super::meters::{Meters, label};
use super::{HttpSettings, body, problem};

mod record;
pub(crate) mod trace;

use record::Record;

#[derive(Clone, Debug)]
pub(super) struct ObserveLayer {
    settings: Arc<HttpSettings>,
    /// Where abandoned handlers finish when the router is not run by [`serve`](super::serve), as in tests.
    background: TaskTracker,
}

impl ObserveLayer {
    pub(super) fn new(settings: HttpSettings) -> Self {
        Self { settings: Arc::new(settings), background: TaskTracker::new() }
    }
}

impl<S> Layer<S> for ObserveLayer {
    type Service = ObserveService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        // axum calls this for each route, so that each gets metrics of its own.
        ObserveService { inner, layer: self.clone(), meters: Meters::default() }
    }
}

#[derive(Clone, Debug)]
pub(super) struct ObserveService<S> {
    inner: S,
    layer: ObserveLayer,
    meters: Meters,
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

    fn call(&mut self, mut request: Request) -> Self::Future {
        let ids = RequestIds::of(request.headers());
        let route = request.extensions().get::<MatchedPath>().cloned();
        let method = label(request.method());
        let span = trace::span(&request, method, route.as_ref(), &ids);
        let served = request.extensions().get::<Served>();
        let background = served.map_or(&self.layer.background, Served::background).clone();

        let settings = self.layer.settings.clone();
        let mut record = Record::new(method, route, span.clone(), self.meters.clone());
        request.extensions_mut().insert(ids.clone());
        request.extensions_mut().insert(Access(span.clone()));
        let request = body::limit(request, &settings);

        let handler = if !names_one_host(&request) {
            Err(ApiError::bad_request("the request does not name exactly one host"))
        } else if background.len() < settings.max_abandoned || record.is_quiet() {
            Ok(self.inner.call(request))
        } else {
            Err(ApiError::unavailable("too many requests are still being finished", Duration::from_secs(1)))
        };
        Box::pin(async move {
            let response = match handler {
                Ok(handler) => {
                    let handler = AssertUnwindSafe(handler).catch_unwind().instrument(span);
                    let handler = if settings.finish_abandoned {
                        Either::Left(Detach::new(handler, background))
                    } else {
                        Either::Right(handler)
                    };
                    match tokio::time::timeout(settings.handler_timeout, handler).await {
                        Ok(Ok(Ok(response))) => response,
                        Ok(Ok(Err(never))) => match never {},
                        Ok(Err(_)) => panicked(),
                        Err(_) => too_late(settings.handler_timeout),
                    }
                }
                Err(refused) => refused.into_response(),
            };
            let mut response = problem::finish(response, &ids.request);
            let is_routine = response.extensions_mut().remove::<Routine>().is_some();
            record.finish(response.status(), is_routine);
            let headers = response.headers_mut();
            headers.insert(REQUEST_ID, ids.request);
            headers.insert(CORRELATION_ID, ids.correlation);
            Ok(response)
        })
    }
}

/// RFC 9112 §3.2: of several hosts, each who reads the request could choose another.
fn names_one_host(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let needed = request.version() == Version::HTTP_11;
    (hosts.next().is_some() || !needed) && hosts.next().is_none()
}

fn too_late(limit: Duration) -> Response {
    let detail = format!("the request was not answered within {} s", limit.as_secs_f64());
    ApiError::unavailable(detail, Duration::from_secs(1)).into_response()
}

/// The panic hook has logged it.
fn panicked() -> Response {
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong on our side; it has been logged")
        .into_response()
}
