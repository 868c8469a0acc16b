//! The way to a service, as generated clients take it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt;
use tokio::time::Instant;
use tonic::Status;
use tonic::body::Body;
use tower::Service;

use super::GrpcServices;
use crate::headers::{CORRELATION_ID, REQUEST_ID};

/// The way to a service, as generated clients take it, for calls with one message each way. Each call is balanced, limited and
/// repeated by itself. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Channel {
    services: GrpcServices,
    service: &'static str,
    timeout: Option<Duration>,
    idempotent: bool,
    ids: Option<(HeaderValue, HeaderValue)>,
}

impl Channel {
    pub(super) fn new(services: GrpcServices, service: &'static str) -> Self {
        Self { services, service, timeout: None, idempotent: false, ids: None }
    }

    /// For calls that may take effect twice: they are sent to another instance when one breaks off or is UNAVAILABLE.
    #[must_use]
    pub fn idempotent(self) -> Self {
        Self { idempotent: true, ..self }
    }

    /// With another time limit than that of the settings, for a call with all its tries. A request's own goes before.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// As a part of what a client asked for, by the ids of its request.
    #[must_use]
    pub fn ids(self, request_id: &str, correlation_id: &str) -> Self {
        let ids = HeaderValue::from_str(request_id).ok().zip(HeaderValue::from_str(correlation_id).ok());
        Self { ids, ..self }
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Status>> + Send>>;

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answering {
        let channel = self.clone();
        Box::pin(async move {
            let (mut head, body) = request.into_parts();
            let message = body.collect().await?.to_bytes();
            let asked = service::grpc::timeout(&head.headers);
            let timeout = asked.or(channel.timeout).unwrap_or(channel.services.0.timeout);
            if let Some((request_id, correlation_id)) = channel.ids {
                head.headers.entry(REQUEST_ID).or_insert(request_id);
                head.headers.entry(CORRELATION_ID).or_insert(correlation_id);
            }
            let deadline = Instant::now() + timeout;
            let services = channel.services.0;
            let answer = services.call(channel.service, head, message, deadline, channel.idempotent).await?;
            Ok(answer.into_response())
        })
    }
}
