//! HTTP to one address, over connections that are kept.

use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::body::{SentBody, Upload};

const CONNECT: Duration = Duration::from_secs(1);

/// After this much silence the system asks whether the other side is still there.
const ALIVE: Duration = Duration::from_secs(15);

/// A connection whose other side takes nothing for so long is closed.
#[cfg(target_os = "linux")]
const UNREAD: Duration = Duration::from_secs(60);

/// Shorter than the programs keep a silent connection: or a call would now and then meet one that is being closed.
const KEPT_IDLE: Duration = Duration::from_secs(5);

/// Connections to one instance that are kept though none of them is in use.
const KEPT_CONNECTIONS: usize = 1024;

#[derive(Clone, Debug)]
pub(crate) struct Transport(Client<HttpConnector, SentBody>);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Nothing was sent.
    #[error("it cannot be reached")]
    Unreachable,
    /// It may have been received.
    #[error("the connection broke")]
    Broken,
    /// It may have been received.
    #[error("it did not answer in time")]
    TimedOut,
    /// What was to be passed on could not be read.
    #[error("the request's body could not be read")]
    RequestBody(#[source] axum::Error),
}

impl Transport {
    pub(crate) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT));
        // An instance whose machine is gone says nothing more, and its streams would never end.
        connector.set_keepalive(Some(ALIVE));
        connector.set_keepalive_interval(Some(ALIVE / 3));
        connector.set_keepalive_retries(Some(3));
        #[cfg(target_os = "linux")]
        connector.set_tcp_user_timeout(Some(UNREAD));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEPT_IDLE)
            .pool_max_idle_per_host(KEPT_CONNECTIONS)
            .build(connector);
        Self(client)
    }

    /// Returns when the head of the answer is there.
    pub(crate) async fn send(
        &self,
        request: Request<SentBody>,
        upload: Option<&Upload>,
        limit: Duration,
    ) -> Result<http::Response<Incoming>, Failure> {
        let waiting = Waiting(upload);
        let answer = self.0.request(request);
        let answer = match upload {
            None => tokio::time::timeout(limit, answer).await.map_err(|_| Failure::TimedOut)?,
            Some(upload) => tokio::select! {
                biased;
                answer = answer => answer,
                () = upload.stalled(limit) => return Err(Failure::TimedOut),
            },
        };
        let answer = answer.map_err(|error| failure(&error, upload))?;
        // An answer may come before all of the body is there, and the rest is still passed on.
        waiting.answered();
        Ok(answer)
    }
}

/// Ends the upload with the call, also when that is dropped.
struct Waiting<'a>(Option<&'a Upload>);

impl Waiting<'_> {
    fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(upload) = self.0 {
            upload.give_up();
        }
    }
}

fn failure(error: &Error, upload: Option<&Upload>) -> Failure {
    if error.is_connect() {
        return Failure::Unreachable;
    }
    tracing::debug!(error = error as &dyn std::error::Error, "a call was not answered");
    upload.and_then(Upload::error).map_or(Failure::Broken, Failure::RequestBody)
}
