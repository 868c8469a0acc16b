//! What is sent, and what comes of it.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::uri::Authority;
use http::{Method, Request, Response};

/// A request to a service; its URI is only path and query, as the instance is chosen when it is sent.
#[derive(Debug)]
pub struct Call {
    /// What is asked.
    pub request: Request<CallBody>,
    /// How long an instance may take to answer; the setting if `None`.
    pub timeout: Option<Duration>,
    /// Whether it may be sent twice, though its method does not say so: it has an idempotency key.
    pub repeatable: bool,
}

impl Call {
    /// A call with the time limit of the settings, repeatable as its method is.
    pub fn new(request: Request<CallBody>) -> Self {
        Self { request, timeout: None, repeatable: false }
    }

    /// Whether nothing changes when it takes effect twice.
    pub(crate) fn may_repeat(&self) -> bool {
        self.repeatable || matches!(*self.request.method(), Method::GET | Method::HEAD | Method::OPTIONS)
    }
}

/// The body of a call.
#[derive(Debug)]
pub enum CallBody {
    /// There as a whole, so that it can be sent again.
    Whole(Bytes),
    /// Passed on as it comes, once.
    Stream(Body),
}

impl CallBody {
    /// No body.
    pub fn empty() -> Self {
        Self::Whole(Bytes::new())
    }
}

impl From<Bytes> for CallBody {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }
}

/// An instance's answer.
#[derive(Debug)]
pub struct Answer {
    /// The answer. Its body counts as work of the instance for as long as it is kept and has not ended.
    pub response: Response<Body>,
    /// The id of the instance.
    pub instance: String,
    /// Where it is.
    pub address: Authority,
    /// How many tries it took.
    pub tries: u32,
}

/// Why there is no answer. The texts are fit for a client.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There is nobody to ask.
    #[error("no instance of `{service}` is running")]
    NoInstance {
        /// Who was called.
        service: String,
    },
    /// All instances have failed too often lately, so that none was asked.
    #[error("no instance of `{service}` has answered lately")]
    AllOpen {
        /// Who was called.
        service: String,
        /// When one is tried again.
        retry_after: Duration,
    },
    /// Nothing was sent, as no connection could be made.
    #[error("`{service}` cannot be reached")]
    Unreachable {
        /// Who was called.
        service: String,
    },
    /// It was sent, and the connection broke before the answer. It may have taken effect.
    #[error("the connection to `{service}` broke before it answered")]
    Broken {
        /// Who was called.
        service: String,
    },
    /// It was sent, and not answered in time. It may have taken effect.
    #[error("`{service}` did not answer in time")]
    TimedOut {
        /// Who was called.
        service: String,
    },
    /// The body that was to be passed on failed.
    #[error("the request's body could not be read")]
    RequestBody(#[source] axum::Error),
}

impl CallError {
    /// When it may be worth trying again, if nothing has taken effect.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::NoInstance { .. } => Some(Duration::from_secs(5)),
            Self::AllOpen { retry_after, .. } => Some(*retry_after),
            Self::Unreachable { .. } => Some(Duration::from_secs(1)),
            Self::Broken { .. } | Self::TimedOut { .. } | Self::RequestBody(_) => None,
        }
    }

    /// Who was called.
    pub fn service(&self) -> Option<&str> {
        match self {
            Self::NoInstance { service }
            | Self::AllOpen { service, .. }
            | Self::Unreachable { service }
            | Self::Broken { service }
            | Self::TimedOut { service } => Some(service),
            Self::RequestBody(_) => None,
        }
    }
}
