//! gRPC's HTTP/2 to one address, over one connection that is kept.
//!
//! It is not tonic's own: its balanced channels keep choosing instances that are gone (grpc/grpc-rust#2859), and its
//! errors do not tell a connection that could not be made from a call that was cut off.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout_at};

use super::answer::Answer;
use crate::transport::Failure;

const CONNECT: Duration = Duration::from_secs(1);

/// After this much silence the other side is asked whether it is still there, and has so long to answer.
const ALIVE: Duration = Duration::from_secs(10);

/// Shorter than servers keep a silent connection.
const KEPT_IDLE: Duration = Duration::from_secs(60);

/// The largest answer that is read.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

#[derive(Clone, Debug)]
pub(super) struct Transport(Client<HttpConnector, Full<Bytes>>);

impl Transport {
    pub(super) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT));
        let client = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEPT_IDLE)
            .http2_keep_alive_interval(ALIVE)
            .http2_keep_alive_timeout(ALIVE)
            .http2_keep_alive_while_idle(true)
            .build(connector);
        Self(client)
    }

    /// Returns when the answer is there to its end.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>, deadline: Instant) -> Result<Answer, Failure> {
        let answered = async {
            let answer = self.0.request(request).await.map_err(|error| {
                tracing::debug!(error = &error as &dyn std::error::Error, "a call was not answered");
                if error.is_connect() { Failure::Unreachable } else { Failure::Broken }
            })?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| {
                tracing::debug!(error, "an answer was cut off");
                Failure::Broken
            })?;
            Ok(Answer { head, body })
        };
        timeout_at(deadline, answered).await.unwrap_or(Err(Failure::TimedOut))
    }
}
